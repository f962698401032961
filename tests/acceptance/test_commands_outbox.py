"""A person at the outbox: the queue, the words, yes and no, evidence, once more."""

from __future__ import annotations

import sys

import pytest
from tests.acceptance.installation import Installation, days_ago


@pytest.fixture
def waiting(shop: Installation) -> Installation:
    """Three messages wait for a person: to Acme (H-1, H-2), Birch (H-3) and Cedar (T-1)."""
    shop.configure(mode="approve", delivery="undo_minutes = 0")
    shop.arsync("run")
    assert shop.states() == {"planned": 3}
    return shop


def message_to(shop: Installation, payer: str) -> str:
    (found,) = [
        one["id"] for one in shop.json("outbox", "--customer", payer)["messages"] if one["state"] != "superseded"
    ]
    return str(found)


def shown_reason(shop: Installation, message: str) -> str:
    waiting = [one["message"] for one in shop.json("approvals")]
    (found,) = [one["reason"] for one in waiting if str(one["id"]) == message]
    return str(found)


def test_second_thoughts_are_told_of_one_and_of_several(waiting: Installation) -> None:
    waiting.configure(mode="approve", delivery="undo_minutes = 30")
    acme, birch, cedar = (message_to(waiting, name) for name in ("Acme Stores", "Birch Cafe", "Cedar Books"))
    one = waiting.arsync("approve", acme, "--author", "Ann").out
    assert "1 message approved; it goes out at the next run, after 30 minutes in which arsync unapprove takes it" in one
    assert "unapprove takes them back" in waiting.arsync("approve", birch, cedar).out
    waiting.arsync("unapprove", acme, "--author", "Ann")
    assert shown_reason(waiting, acme) == "Ann took back the approval"


def test_the_queue_is_read_answered_and_sent(waiting: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Birch gets a person's own words, Acme its message as it was seen, Cedar nothing; the story of each tells why."""
    acme, birch, cedar = (message_to(waiting, name) for name in ("Acme Stores", "Birch Cafe", "Cedar Books"))
    shown = waiting.arsync("approvals", acme).out
    for part in ("To: ", "accounts@acmestores.example", "Subject: ", "H-1", "$800.00"):
        assert part in shown
    words = r"Subject: As we spoke\n\nDear Birch,\nH-3.\n"
    script = f"import sys,pathlib; pathlib.Path(sys.argv[1]).write_text('{words}')"
    monkeypatch.setenv("EDITOR", f'{sys.executable} -c "{script}"')
    monkeypatch.delenv("VISUAL", raising=False)
    assert "As we spoke" in waiting.arsync("edit", birch, "--author", "Kim").out
    assert "1 message rejected" in waiting.arsync("reject", cedar, "--reason", "they called", "--author", "Ann").out
    waiting.arsync("approve", acme, birch, "--author", "Ann")
    waiting.arsync("unapprove", acme, "--author", "Kim")
    assert "Kim took back the approval of Ann" in shown_reason(waiting, acme)
    waiting.arsync("approve", "--step", "friendly", "--author", "Ann")
    assert "nothing of the step frendly waits" in waiting.arsync("approve", "--step", "frendly").out
    waiting.arsync("run")
    assert waiting.states() == {"accepted": 2, "cancelled": 1}
    assert {str(mail["Subject"]) for mail in waiting.letters()} >= {"As we spoke"}

    story = waiting.arsync("outbox", acme).out
    for line in ("approved by Ann", "approval taken back by Kim", "message accepted by arsync", "H-2", "written"):
        assert line in story
    assert [line for line in story.splitlines() if line.startswith("note on")] == [
        "note on invoice H-2: written", "note on invoice H-1: written",
    ]  # fmt: skip
    assert "rejected by Ann: they called" in waiting.arsync("outbox", "--state", "cancelled").out
    waiting.arsync("run")
    assert waiting.states() == {"accepted": 2, "cancelled": 1}, "what was rejected is not planned again"
    assert "rejected" in waiting.arsync("explain", "T-1").out
    once = waiting.arsync("resend", acme, "--reason", "they lost it", "--author", "Ann").out
    assert "friendly for the 2nd time, a message of its own" in once
    assert waiting.states()["planned"] == 1


@pytest.mark.long
def test_a_person_is_evidence_of_what_nobody_knew(shop: Installation) -> None:
    """SendGrid's answers are lost: of Acme's message a person knows that it came, of Birch's that it did not."""
    shop.configure(delivery='channel = "sendgrid"')
    shop.sandbox.fault("disconnect_after", {"provider": "sendgrid", "path_contains": "mail/send"}, times=2)
    shop.arsync("run", status=1)
    lost = [str(one["id"]) for one in shop.json("outbox", "--state", "unknown")["messages"]]
    assert len(lost) == 2
    assert "nothing to settle" not in shop.arsync("resolve", lost[0], "sent", "--reason", "they answered it").out
    told = shop.arsync("resolve", lost[1], "not-sent", "--reason", "not in their inbox", "--author", "Ann").out
    assert f"arsync approve {lost[1]}" in told
    assert shop.states()["failed"] == 1
    assert "is failed" in shop.arsync("resolve", lost[1], "sent", "--reason", "x", status=2).err
    shop.arsync("reject", lost[1], "--reason", "it is too late")
    shop.arsync("run")
    assert "unknown" not in shop.states()
    assert shop.rows("SELECT count(*) FROM notes WHERE message_id = ? AND state = 'written'", lost[0]) != [(0,)]


def test_what_was_asked_for_though_it_had_been_paid_is_told_until_somebody_answers_for_it(shop: Installation) -> None:
    """
    09-15 friendly to Cedar for T-1
    09-16 the books tell of its payment of 09-12: a task, until Ann has said sorry; the story of T-1 has it all
    """
    thames = shop.books["thames"]
    shop.arsync("run")
    (invoice,) = [one["id"] for one in thames.sandbox.truth(thames.id)["invoices"] if one["number"] == "T-1"]
    thames.sandbox.advance(days=1)
    thames.act("pay", invoice=invoice, amount="700.00", date=days_ago(3))
    thames.sandbox.advance(60)
    told = shop.arsync("run", status=1).out
    message = message_to(shop, "Cedar Books")
    assert "thames: 1 message had asked for what was paid before: arsync corrections" in told
    assert f"arsync corrections {message} --done" in told
    assert [one["number"] for one in shop.json("corrections")] == ["T-1"]
    had = f"message {message} of 2026-09-15 had asked for T-1"
    assert f"{had}, which had been paid on 2026-09-12, as the books told then" in shop.arsync("explain", "T-1").out
    shop.arsync("corrections", message, "--done", "--author", "Ann")
    assert "arsync corrections" not in shop.arsync("run").out
    for story in (shop.arsync("explain", "T-1").out, shop.arsync("explain", "--customer", "Cedar Books").out):
        assert f"{had} though it was paid; answered for by Ann" in story
