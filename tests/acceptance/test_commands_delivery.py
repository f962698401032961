"""How messages leave, from the command line to the mail provider; and what never leaves: secrets."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.acceptance.installation import API_KEY, Installation

from arsync.bootstrap import App
from arsync.settings import load

ME = "me@seller.example"
ARCHIVE = "archive@seller.example"


def mailed(shop: Installation) -> list[dict[str, Any]]:
    """What the emulated SendGrid took from this installation."""
    keys = {row[0] for row in shop.rows("SELECT key FROM messages")}
    return [mail for mail in shop.sandbox.messages() if mail["custom_args"].get("message_id") in keys]


def test_messages_go_out_by_sendgrid_once_with_everything_a_debtor_needs(shop: Installation) -> None:
    shop.configure(delivery='channel = "sendgrid"')
    told = shop.json("run")
    accepted = [key for one in told["connections"] for key in one["accepted"]]
    mails = {mail["custom_args"]["message_id"]: mail for mail in mailed(shop)}
    assert sorted(mails) == sorted(accepted)
    assert len(mailed(shop)) == 3
    (acme,) = [mail for mail in mails.values() if mail["to"] == ["accounts@acmestores.example"]]
    assert acme["from"] == "accounts@seller.example"
    for part in ("H-1", "H-2", "$500.00", "$300.00", "$800.00", "Harbor Bank 4417"):
        assert part in acme["text"]
        assert part in acme["html"]
    assert "T-1" not in acme["text"]
    references = dict(shop.rows("SELECT key, reference FROM messages"))
    assert references == {key: mail["id"] for key, mail in mails.items()}

    shop.arsync("run")
    assert len(mailed(shop)) == 3
    assert shop.letters() == []


def by_channel(shop: Installation, channel: str) -> list[dict[str, str]]:
    """Each message as it left: to, bcc, whom it was meant for, its text."""
    if channel == "sendgrid":
        return [
            {
                "to": ",".join(mail["to"]),
                "bcc": ",".join(mail["bcc"]),
                "meant": mail["headers"].get("X-Arsync-Original-To", ""),
                "text": mail["text"],
            }
            for mail in mailed(shop)
        ]
    left = []
    for mail in shop.letters():
        body = mail.get_body(("plain",))
        assert body is not None
        addresses = {name: ",".join(one.addr_spec for one in mail[name].addresses) if mail[name] else "" for name in
                     ("To", "Bcc")}  # fmt: skip
        left.append(
            {
                "to": addresses["To"],
                "bcc": addresses["Bcc"],
                "meant": mail["X-Arsync-Original-To"] or "",
                "text": body.get_content(),
            }
        )
    return left


@pytest.mark.parametrize("channel", ["file", "sendgrid"])
def test_redirect_to_sends_every_message_to_one_address_and_says_for_whom_it_was(
    shop: Installation, channel: str
) -> None:
    shop.configure(delivery=f'channel = "{channel}"\nredirect_to = "{ME}"')
    assert f"every message goes to {ME}" in shop.arsync("doctor").out
    shop.arsync("run")
    left = by_channel(shop, channel)
    assert [mail["to"] for mail in left] == [ME] * 3
    assert {mail["bcc"] for mail in left} == {""}
    meant = " ".join(mail["meant"] for mail in left)
    for name in ("acmestores", "birchcafe", "cedarbooks"):
        assert f"accounts@{name}.example" in meant
    assert f"accepted, taken by {channel} for {ME} instead of the customer" in shop.arsync("explain", "H-1").out


@pytest.mark.parametrize("channel", ["file", "sendgrid"])
def test_bcc_sends_a_blind_copy_of_every_message(shop: Installation, channel: str) -> None:
    shop.configure(delivery=f'channel = "{channel}"\nbcc = "{ARCHIVE}"')
    shop.arsync("run")
    left = by_channel(shop, channel)
    assert {mail["to"] for mail in left} == {
        f"accounts@{name}.example" for name in ("acmestores", "birchcafe", "cedarbooks")
    }
    assert [mail["bcc"] for mail in left] == [ARCHIVE] * 3
    assert f"accepted, taken by {channel}\n" in shop.arsync("explain", "H-1").out


def test_a_wrong_api_key_is_told_and_every_message_waits_for_the_right_one(shop: Installation) -> None:
    wrong = "SG.wrong-key-of-ours"
    shop.configure(delivery='channel = "sendgrid"')
    right = shop.config.read_text()
    shop.config.write_text(right.replace(API_KEY, wrong))
    for _ in range(6):  # more often than a message is tried
        told = shop.arsync("run", status=1)
        assert "SendGrid answered 401" in told.out
        assert "postponed: " not in told.out, "what stops them all is told once"
        assert wrong not in told.said
        assert shop.states() == {"approved": 3}
    assert mailed(shop) == []

    shop.config.write_text(right)
    shop.arsync("run")
    assert shop.states() == {"accepted": 3}
    assert len(mailed(shop)) == 3


def test_what_only_a_person_can_do_is_counted_by_the_run(shop: Installation) -> None:
    shop.configure(mode="task")
    assert "3 calls and tasks wait for a person: arsync calls" in shop.arsync("run").out
    assert len(shop.json("calls")) == 3


def test_a_lost_answer_is_a_task_for_a_person_and_is_never_sent_again(shop: Installation) -> None:
    shop.configure(delivery='channel = "sendgrid"')
    shop.sandbox.fault("disconnect_after", {"provider": "sendgrid", "path_contains": "mail/send"})
    told = shop.arsync("run", status=1)
    assert "nobody knows whether it went out" in told.out
    assert "(whoever knows: arsync resolve " in told.out
    assert shop.states() == {"accepted": 2, "unknown": 1}
    assert len(mailed(shop)) == 3, "the effect had happened"
    shop.arsync("run", status=1)
    assert len(mailed(shop)) == 3


# --- secrets ------------------------------------------------------------------------------------------------------


@pytest.fixture
def everything_logged() -> Iterator[list[str]]:
    """Every line that any library logs at any level, as a handler of the operator's would see it."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    root, handler = logging.getLogger(), Keep()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(handler)
    root.setLevel(level)


def tokens(shop: Installation) -> set[str]:
    """The token pairs as they are now, opened with the key."""
    app = App(load(shop.config, environ={}))
    try:
        pairs = [json.loads(app.vault.open(sealed)) for (sealed,) in shop.rows("SELECT sealed FROM grants")]
    finally:
        app.close()
    return {pair[kind] for pair in pairs for kind in ("access", "refresh")}


@pytest.mark.parametrize(
    "faults",
    [
        ("expired_token", "disconnect_after"),
        pytest.param(("expired_token", "truncate"), marks=pytest.mark.long),
        pytest.param(("error", "throttle"), marks=pytest.mark.long),
        pytest.param(("disconnect_before", "disconnect_after"), marks=pytest.mark.long),
    ],
)
def test_no_secret_is_printed_logged_or_stored_in_clear_whatever_goes_wrong(
    shop: Installation, everything_logged: list[str], faults: tuple[str, str]
) -> None:
    shop.configure(delivery='channel = "sendgrid"')
    said = [shop.connect("harbor", token="wrong-refresh-token-of-ours", status=1).said]
    secrets = tokens(shop) | {API_KEY, shop.key.read_text().strip(), "wrong-refresh-token-of-ours"}
    for one in shop.books.values():
        secrets |= {one.card["refresh_token"], one.card["client_secret"]}

    for provider in ("quickbooks", "xero", "sendgrid"):
        for number, fault in enumerate(faults):
            shop.sandbox.fault(fault, {"provider": provider}, skip=1 + 2 * number)
    shop.sandbox.advance(4000)  # access tokens end: they are renewed under the faults
    for command in ("sync", "run", "run", "backfill", "doctor", "connections", "approve", "quarantine", "holds"):
        said.append(shop.arsync(command, status=None).said)
        secrets |= tokens(shop)
    shop.sandbox.clear_faults()
    said += [shop.arsync("explain", invoice).said for invoice in ("H-1", "T-1")]

    assert len(secrets) > 8
    assert all(secrets)
    places = {
        "the output": "\n".join(said),
        "the log": "\n".join(everything_logged),
        "the database": "\n".join(
            path.read_bytes().decode("latin-1") for path in shop.folder.glob("arsync.db*") if path.is_file()
        ),
        "the letters": "\n".join(mail["text"] for mail in mailed(shop)),
        "the notes": "\n".join(note["text"] for one in shop.books.values() for note in one.notes()),
    }
    for place, text in places.items():
        assert text or place in ("the letters", "the notes")
        for secret in secrets:
            assert secret not in text, f"{secret[:6]}... in {place}"
        assert not re.search(r"Bearer [A-Za-z0-9]", text), place
