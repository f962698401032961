"""No token, code or secret in any output, log, dump or file that is not the vault's."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from tests.acceptance.consenting import consenting, with_redirect
from tests.acceptance.installation import Installation

from arsync.vault import Vault

#: as the sandbox writes refresh tokens, access tokens and codes
_TOKEN = re.compile(r"\b(?:RT|AT)-\d{6,}-\d+|\bxrt-[\w-]{20,}|\bxat-[\w-]{20,}|\bcode-[\w-]{20,}")


@pytest.mark.parametrize("provider", ["quickbooks", pytest.param("xero", marks=pytest.mark.long)])
def test_no_token_is_in_any_output_of_a_life_with_troubles(
    empty: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, provider: str
) -> None:
    caplog.set_level(logging.DEBUG)
    harbor = empty.found("harbor", provider)
    empty.configure()
    with_redirect(empty, provider)
    said: list[str] = []

    def arsync(*arguments: str) -> None:
        said.append(empty.arsync(*arguments, status=None).said)

    secret = str(harbor.card["client_secret"])
    with consenting(monkeypatch, [harbor.id]) as person:
        arsync("connect", provider)
    assert any(_TOKEN.search(back) for back in person.backs), "the search finds what it looks for"
    arsync("backfill")
    said.append(empty.process("sync", status=None, ARSYNC_TRACEBACK="1").said)
    for fault in ("error", "truncate", "disconnect_after", "expired_token"):
        empty.sandbox.fault(fault, {"provider": provider, "resource": "token"})
        empty.sandbox.fault("expired_token", {"provider": provider})
        arsync("sync")
        empty.sandbox.clear_faults()
    arsync("connect", provider, "--refresh-token", "RT-000000001-1", "--external-id", harbor.id)
    empty.sandbox.advance(days=200)
    arsync("run")
    arsync("connections", "--json")
    arsync("connections")
    arsync("doctor", "--json")
    arsync("disconnect", "harbor", "--yes")

    # The browser of this test logs the addresses that it goes to; it has a thread of its own.
    logged = "\n".join(record.getMessage() for record in caplog.records if record.threadName == "MainThread")
    assert "POST" in logged
    kept = Vault(empty.key.read_bytes())
    everything = "\n".join([*said, logged, *person.pages, str(empty.everything()), _files(empty.folder)])
    assert _TOKEN.findall(everything) == []
    assert secret not in everything
    assert empty.key.read_text().strip() not in everything
    assert "client_secret" not in repr(kept)


def _files(folder: Path) -> str:
    """Every file of the installation but its settings and its key."""
    return "\n".join(
        path.read_bytes().decode("latin-1")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("arsync.toml", "arsync.key")
    )
