"""What vendors post, the real processes: sandbox, desk and worker. No delta and no run is due by the clock."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from tests.acceptance.desks import free_port, serving
from tests.acceptance.installation import MORNING, Installation
from tests.acceptance.workers import PATIENCE, working
from tests.postgres import Server

from arsync.sandbox.launch import running_sandbox

INTUIT_KEY, XERO_KEY, SECRET = "verifier-token-of-intuit", "webhook-key-of-xero", "s3cret-of-the-address"
_IDLE = (
    '[worker]\nnightly = "0 2 * * *"\nsync = "off"\ndispatch = "off"\nreconcile = "off"\npoll = "off"\n'
    "jitter_minutes = 0\n"
)


class Port:
    """An installation with a company of each vendor, whose vendors know where to post."""

    def __init__(self, shop: Installation, *, postgres: str | None = None) -> None:
        self.shop, self.sandbox, self.port = shop, shop.sandbox, free_port()
        self.address = f"http://127.0.0.1:{self.port}/hooks"
        self.debts: dict[str, str] = {}
        self._postgres = postgres
        where = "" if postgres is None else f'queue = "procrastinate"\n[database]\nurl = "{postgres}"\n'
        for name, provider in (("harbor", "quickbooks"), ("thames", "xero")):
            books = shop.found(name, provider)
            customer = books.customer(f"Debtor of {name}", email=f"accounts@{name}.example")
            self.debts[name] = books.invoice(customer, "500.00")
        public = self.sandbox.hooks()["public_key"]
        shop.configure(
            delivery='channel = "sendgrid"',
            more=f"{_IDLE}{where}[serve]\nport = {self.port}\n"
            f'[inbox]\naddress = "answers@seller.example"\ninbound_parse_secret = "{SECRET}"\n',
        )
        text = shop.config.read_text(encoding="utf-8")
        for section, line in (
            ("quickbooks", f'webhook_verifier_token = "{INTUIT_KEY}"'),
            # Nobody waits for a minute's allowance here.
            ("xero", f'webhook_key = "{XERO_KEY}"\nper_minute = 6000\nper_day = 90000\napp_per_minute = 6000'),
            ("sendgrid", f'webhook_public_key = "{public}"'),
        ):
            text = text.replace(f"[{section}]\n", f"[{section}]\n{line}\n")
        shop.config.write_text(text, encoding="utf-8")
        self.sandbox.limits("xero", minute=None, day=None, app_minute=None)
        if postgres is not None:
            shop.arsync("db", "upgrade")
        shop.load()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self._postgres is None:
            return self.shop.rows(query)
        with psycopg.connect(self._postgres.replace("+psycopg", "")) as database:
            return database.execute(query.encode()).fetchall()

    def subscribe(self, **others: str) -> None:
        """Every vendor is told where to post; `others` are other addresses or keys."""
        self.sandbox.hooks(
            quickbooks={"url": f"{self.address}/quickbooks", "key": others.get("intuit_key", INTUIT_KEY)},
            xero={"url": f"{self.address}/xero", "key": XERO_KEY},
            sendgrid={"url": f"{self.address}/sendgrid/events"},
            inbound={"url": f"{self.address}/sendgrid/inbound/{others.get('secret', SECRET)}"},
        )

    def pay(self, name: str) -> None:
        self.shop.books[name].act("pay", invoice=self.debts[name], amount="500.00")

    def state(self, name: str) -> str:
        query = "SELECT c.name, i.state FROM invoices i JOIN connections c ON c.id = i.connection_id"
        state = dict(self.rows(query))[name]
        return str(state)

    def wait_for(self, what: Callable[[], bool], said: str) -> float:
        """Seconds until it is so."""
        began = time.monotonic()
        while not what():
            assert time.monotonic() - began < PATIENCE, f"{said}\n{self.sandbox.hooks()}\n{self.story()}"
            time.sleep(0.05)
        return time.monotonic() - began

    def posted(self, name: str = "") -> list[dict[str, Any]]:
        """Posts that came to an end."""
        return [one for one in self.sandbox.hooks()["log"] if name in ("", one["name"])]

    def all_posted(self) -> None:
        self.wait_for(lambda: self.sandbox.hooks()["waiting"] == 0, "something is still posted")

    def hints(self) -> list[tuple[int, int]]:
        return [(told, seen) for told, seen in self.rows("SELECT told, seen FROM hints ORDER BY connection_id")]

    def story(self) -> str:
        return "\n".join(log.read_text(encoding="utf-8") for log in sorted(self.shop.folder.glob("*.log")))


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    with running_sandbox() as sandbox:
        sandbox.set_clock(MORNING)
        yield Port(Installation(sandbox, tmp_path))


@pytest.fixture(params=["embedded", "procrastinate"])
def either_port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Port]:
    """With one worker on SQLite, or any number of them that answer a queue on PostgreSQL."""
    if request.param == "embedded":
        yield request.getfixturevalue("port")
        return
    server: Server = request.getfixturevalue("postgres")
    name = server.fresh(request.getfixturevalue("migrated_postgres"))
    with running_sandbox() as sandbox:
        sandbox.set_clock(MORNING)
        yield Port(Installation(sandbox, tmp_path), postgres=server.url(name))
    server.drop(name)


def deltas(port: Port, provider: str) -> int:
    """How often that vendor was asked what changed."""
    asked = {"quickbooks": "/cdc", "xero": "/Invoices"}[provider]
    return sum(one["provider"] == provider and asked in one["path"] for one in port.sandbox.requests())


def test_a_payment_arrives_within_seconds_and_what_is_doubled_and_backwards_costs_nothing_more(
    either_port: Port,
) -> None:
    port = either_port
    with serving(port.shop), working(port.shop) as worker:
        worker.wait_for("worker_began")
        port.sandbox.rules(post_copies=3, post_backwards=1)
        port.subscribe()
        port.sandbox.clear_requests()
        for name in ("harbor", "thames"):
            assert port.state(name) == "open"
            port.pay(name)
        spent = port.wait_for(lambda: {port.state("harbor"), port.state("thames")} == {"paid"}, "they stay open")
        port.all_posted()
        assert port.sandbox.hooks()["addresses"]["xero"]["state"] == "ready", "its intent to receive was answered"
        assert Counter((one["name"], one["status"]) for one in port.posted()) == {
            ("quickbooks", 200): 3, ("xero", 200): 4, ("xero", 401): 1,
        }  # fmt: skip
        assert max(one["ms"] for one in port.posted()) < 1000
        port.wait_for(lambda: port.hints() == [(1, 1), (1, 1)], "a look has not ended")
        assert deltas(port, "quickbooks") == 1
        assert spent < 15
        assert worker.end(signal.SIGTERM) == 0
        assert [line["connection"] for line in worker.lines("synced")].count("harbor") == 1, "said after it is stored"


def test_events_fold_and_an_answer_pauses_its_chase_and_becomes_a_note(port: Port) -> None:
    """Harbor's mail is delivered, thames' comes back; then harbor's debtor answers. Each is posted twice."""
    shop = port.shop
    with serving(shop), working(shop) as worker:
        worker.wait_for("worker_began")
        port.sandbox.rules(post_copies=2, post_backwards=1)
        port.subscribe()
        port.sandbox.mailbox("accounts@thames.example", "bounce")
        shop.arsync("run")
        port.wait_for(lambda: shop.states() == {"delivered": 1, "bounced": 1}, "no event has folded them")
        (mail,) = [one for one in port.sandbox.messages() if one["to"] == ["accounts@harbor.example"]]
        for _ in range(2):
            port.sandbox.answer(
                sender="Ann <accounts@harbor.example>", to=mail["reply_to"][0], text="The goods arrived damaged.",
                message_id="<once@harbor.example>",
            )  # fmt: skip
        held = "SELECT kind, payer_id FROM holds WHERE state = 'active'"
        port.wait_for(lambda: len(shop.rows(held)) == 1, "nothing is held")
        port.all_posted()
        port.wait_for(lambda: shop.rows("SELECT count(*) FROM posts") == [(0,)], "it is not taken in")
        ((kind, _payer),) = shop.rows(held)
        assert kind == "reply"
        assert shop.rows("SELECT count(*) FROM replies WHERE state = 'waiting'") == [(1,)]
        assert shop.rows("SELECT count(*) FROM provider_events") == [(4,)]
        shop.arsync("run", status=1)
        told = [note["text"] for note in shop.books["harbor"].notes() if "Reply 1 received" in note["text"]]
        assert len(told) == 1
        assert "The goods arrived damaged." in told[0]
        assert worker.end(signal.SIGTERM) == 0


def test_what_is_not_signed_by_its_vendor_changes_nothing_and_the_address_stays_secret(port: Port) -> None:
    with serving(port.shop) as desk, working(port.shop) as worker:
        worker.wait_for("worker_began")
        port.subscribe(intuit_key="not the key", secret="guessed")
        port.pay("harbor")
        port.sandbox.answer(sender="eve@evil.example", to="answers@seller.example", text="We have paid.")
        port.wait_for(lambda: len(port.posted("inbound")) == 1, "the answer is tried for ever")
        assert port.posted("inbound")[0]["status"] == 401
        post = requests.post(f"{port.address}/sendgrid/inbound/{SECRET}", data=b"{}", timeout=5)
        assert post.status_code == 400
        time.sleep(2)
        assert port.hints() == []
        assert port.state("harbor") == "open"
        assert port.shop.rows("SELECT count(*) FROM replies") == [(0,)]
        port.subscribe()
        port.wait_for(lambda: port.state("harbor") == "paid", "with the right key it comes at the next try")
        assert desk.end(signal.SIGTERM) == 0
        assert worker.end(signal.SIGTERM) == 0
    for secret in (SECRET, "guessed", XERO_KEY, INTUIT_KEY, "We have paid"):
        assert secret not in port.story()


@pytest.mark.parametrize(
    "either_port", ["embedded", pytest.param("procrastinate", marks=pytest.mark.long)], indirect=True
)
def test_whoever_is_killed_between_the_post_and_what_it_leads_to_loses_nothing(either_port: Port) -> None:
    """A desk is killed when it has answered; a worker when it looks; no desk is there when the next post comes."""
    port, shop = either_port, either_port.shop
    with serving(shop) as desk:
        port.subscribe()
        port.pay("harbor")
        port.wait_for(lambda: len(port.posted("quickbooks")) == 1, "nobody takes it")
        assert desk.end(signal.SIGKILL) == -signal.SIGKILL
    assert port.state("harbor") == "open"
    port.sandbox.fault("timeout_before", {"provider": "quickbooks"}, times=None, seconds=60)
    with working(shop) as worker:
        worker.wait_for("worker_began")
        port.wait_for(lambda: port.sandbox.call("GET", "faults")[0]["hits"] > 0, "it does not look")
        assert worker.end(signal.SIGKILL) == -signal.SIGKILL
    assert port.hints() == [(1, 0)]
    port.sandbox.clear_faults()
    port.pay("thames")
    time.sleep(1)
    assert port.posted("xero")[2:] == [], "there is nobody to take it"
    with working(shop, "second") as worker:
        port.wait_for(lambda: port.state("harbor") == "paid", "the first one is forgotten")
        with serving(shop, "next"):
            port.wait_for(lambda: port.state("thames") == "paid", "the vendor has not come again")
        assert port.posted("xero")[-1]["tries"] > 1
        assert worker.end(signal.SIGTERM) == 0


def test_where_no_worker_works_the_next_run_takes_in_what_came(port: Port) -> None:
    shop = port.shop
    with serving(shop):
        port.subscribe()
        shop.arsync("run")
        port.all_posted()
        assert shop.states() == {"accepted": 2}
        port.pay("harbor")
        port.all_posted()
    assert port.hints() == [(1, 0)]
    shop.arsync("run")
    assert shop.states() == {"delivered": 2}
    assert port.hints() == [(1, 1)]
