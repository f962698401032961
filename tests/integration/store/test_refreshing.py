"""Two processes refresh one grant at once against tokens that rotate, and are killed: what is lost, and what is not.

The vendor's rule decides. Xero takes the token before the last for half an hour; QuickBooks for a day, or not at all:
under that strict rule nobody can heal a kill between the vendor's answer and our commit, as the only copy of the new
token died with the process. Then the consent has ended, which is found once, told once, and not asked about again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet

from arsync.connector import TokenPair, Tokens
from arsync.domain.clock import SystemClock
from arsync.domain.states import Health
from arsync.errors import Reauthorise
from arsync.sandbox.launch import SandboxControl
from arsync.store import connections, grants
from arsync.store.engine import Store
from arsync.store.vault import StoredVault, dump_pair
from arsync.vault import Vault

_ROOT = Path(__file__).resolve().parents[3]


class Consent:
    """A grant at the sandbox and in the database, with two connections that live by it."""

    def __init__(self, sandbox: SandboxControl, store: Store, provider: str) -> None:
        self.sandbox, self.store, self.provider = sandbox, store, provider
        self.card = sandbox.create_company(provider, invoices=0, customers=1)
        self.key = Fernet.generate_key()
        self.token_url = sandbox.quickbooks_token if provider == "quickbooks" else sandbox.xero_token
        self.clock = SystemClock()
        now = self.clock.now()
        pair = TokenPair("", self.card["refresh_token"], now - timedelta(days=1))
        with store.working() as work:
            sealed = Vault(self.key).seal(dump_pair(pair))
            self.grant = connections.add_grant(work, provider=provider, sealed=sealed, now=now)
            for name in ("first", "second"):
                connections.link(work, name=name, provider=provider, external_id=name, grant_id=self.grant, now=now)
            work.commit()

    def storm(self, refreshes: int, *, kill: str, chance: float, mortals: int = 1_000_000) -> dict[str, Any]:
        order = {
            "database": self.store.url, "key": self.key.decode(), "grant": self.grant, "token_url": self.token_url,
            "client_id": self.card["client_id"], "client_secret": self.card["client_secret"],
            "refreshes": refreshes, "kill": kill, "chance": chance, "mortals": mortals,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "tests.integration.store.refreshing", json.dumps(order)],
            cwd=_ROOT, capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def tokens(self) -> Tokens:
        key = Vault(self.key)
        vault = StoredVault(self.store, self.clock, self.grant, seal=key.seal, unseal=key.open)
        return Tokens(
            vault=vault, session=requests.Session(), token_url=self.token_url, client_id=self.card["client_id"],
            client_secret=self.card["client_secret"], clock=self.clock,
        )  # fmt: skip

    def lives(self) -> bool:
        """What is stored can still be exchanged, and the vendor takes what comes of it."""
        tokens = self.tokens()
        access = tokens.renew(tokens.access())
        headers = {"Authorization": f"Bearer {access}", "Accept": "application/json"}
        if self.provider == "xero":
            answer = requests.get(self.sandbox.xero_connections, headers=headers, timeout=10)
        else:
            place = f"{self.sandbox.quickbooks_api}/company/{self.card['id']}/companyinfo/{self.card['id']}"
            answer = requests.get(place, headers=headers, timeout=10)
        return answer.status_code == 200

    def health(self) -> set[Health]:
        with self.store.reading() as work:
            return {one.health for one in connections.connections(work)}


Begin = Callable[..., Consent]


@pytest.fixture
def begin(sandbox: SandboxControl, store: Store) -> Iterator[Begin]:
    """A consent under the vendor's rule; the rule is taken back afterwards."""

    def at(provider: str, old_token: str = "dies") -> Consent:
        sandbox.switches({"quickbooks.old_refresh_token": old_token})
        return Consent(sandbox, store, provider)

    yield at
    sandbox.switches({"quickbooks.old_refresh_token": "dies"})


#: vendor, what becomes of the old token, where the processes are killed
RULES = [("xero", "dies", "answer"), ("quickbooks", "24h", "answer"), ("quickbooks", "dies", "elsewhere")]


#: one database for each rule: the long runs below have all of them on both
@pytest.mark.parametrize(
    ("database", "provider", "old_token", "kill"),
    [(database, *rule) for database, rule in zip(("sqlite", "postgresql", "sqlite"), RULES, strict=True)],
)
def test_no_token_is_lost_to_two_processes_and_kills(begin: Begin, provider: str, old_token: str, kill: str) -> None:
    consent = begin(provider, old_token)
    told = consent.storm(6, kill=kill, chance=0.4)
    assert told["answered"] >= 6
    assert told["kills"] > 0
    assert not told["ended"]
    assert consent.lives()


@pytest.mark.long
@pytest.mark.parametrize(("provider", "old_token", "kill"), RULES)
def test_no_token_is_lost_in_a_thousand_refreshes(begin: Begin, provider: str, old_token: str, kill: str) -> None:
    consent = begin(provider, old_token)
    told = consent.storm(1_000, kill=kill, chance=0.05)
    assert told["answered"] >= 1_000
    assert told["kills"] >= 10
    assert not told["ended"]
    assert consent.lives()


@pytest.mark.parametrize("database", ["sqlite"])
def test_where_the_old_token_dies_at_once_a_kill_after_the_answer_ends_the_consent_and_says_so_once(
    begin: Begin,
) -> None:
    """
    the vendor answers with a new token, and the process dies before it is stored: nobody has that token now
    the next try finds the consent ended, for every connection of the grant; from then on nobody asks
    """
    consent = begin("quickbooks", "dies")
    told = consent.storm(1_000_000, kill="answer", chance=1.0, mortals=1)
    assert told["ended"]
    assert told["kills"] == 1
    assert consent.health() == {Health.REAUTHORISE}
    with consent.store.reading() as work:
        assert grants.grants(work)[consent.grant].ended_reason == "invalid_grant"

    asked = consent.sandbox.requests()[-1]["n"]
    for _ in range(3):
        with pytest.raises(Reauthorise, match="a person must connect again"):
            consent.tokens().access()
    assert consent.sandbox.requests(asked) == []
