"""What is forgotten when it is old, and what never is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.integration.store.books import NOW, TODAY, Books, customer, invoice

from arsync.domain.chase import Rule, Verdict
from arsync.domain.replies import MailKind, Meaning
from arsync.domain.states import Decision
from arsync.ops.retention import forget, forgettable
from arsync.store import messages, replies, verdicts
from arsync.store.replies import Incoming
from arsync.store.retention import FORGOTTEN
from arsync.testing.ports import FixedClock

DAYS = {"words_days": 100, "replies_days": 100, "verdicts_days": 100, "runs_days": 100}


def later(days: int) -> FixedClock:
    return FixedClock(NOW + timedelta(days=days))


def pay(books: Books, *invoices: str) -> None:
    books.keep(*(invoice(one, "0.00", customer=f"C{one[1:]}", minutes=9) for one in invoices))


def words(books: Books) -> list[object]:
    return [said for (said,) in books.rows("SELECT text FROM message_words ORDER BY message_id")]


def test_words_go_when_they_are_old_and_nothing_they_were_about_is_open(books: Books) -> None:
    """
    09-01   C1, C2, C3, C4 are written to; C4's message waits for approval
            I1 and I4 are paid, I2 is not; I3 is paid in November
    12-09   99 days: nothing
    12-11   the words to C1: I2 is open, of C4 nobody knows what becomes
    """
    numbers = ("1", "2", "3", "4")
    books.keep(*(customer(f"C{one}") for one in numbers))
    books.keep(*(invoice(f"I{one}", customer=f"C{one}") for one in numbers))
    books.follow()
    for one in numbers:
        books.plan(f"C{one}", invoices=(f"I{one}",))
    with books.store.working() as work:
        work.execute(text("UPDATE messages SET state = 'accepted', accepted_at = planned_at WHERE id < 4"))
        work.execute(text("UPDATE messages SET state = 'planned' WHERE id = 4"))
        work.commit()
    pay(books, "I1", "I4")
    assert forget(books.store, DAYS, later(99))["words_days"] == 0
    clock = later(101)
    assert forgettable(books.store, DAYS, clock)["words_days"] == 1
    assert words(books) == ["Dear Ada"] * 4, "who only asks changes nothing"
    assert forget(books.store, DAYS, clock)["words_days"] == 1
    assert words(books) == [FORGOTTEN, *["Dear Ada"] * 3]
    assert forget(books.store, DAYS, clock)["words_days"] == 0, "once"
    kept = books.message(1)
    assert (kept.recipients, kept.html, kept.amount) == (("Ada <ada@example.com>",), "", books.message(2).amount)
    with books.store.reading() as work:
        assert [one.invoice_id for one in messages.items(work, 1)] == ["I1", "I-young"]
    pay(books, "I3")
    assert forget(books.store, {"words_days": 100}, clock) == {"words_days": 1}


def test_a_mail_that_waits_is_never_too_old(books: Books) -> None:
    def came(identity: str, *, waits: bool) -> int:
        mail = Incoming(
            identity=identity, connection_id=books.id, payer_id="C1", message_id=None, kind=MailKind.PERSON,
            why="as told", origin="INBOX", sender="ada@example.com", subject="Re: your invoice",
            text="We pay on Friday",
            meaning=Meaning.PROMISE, confidence=90, phrases=("we pay on",), waits=waits,
        )  # fmt: skip
        return replies.keep(work, mail, now=NOW)

    with books.store.working() as work:
        for identity in ("waits", "done"):
            came(identity, waits=True)
        came("filed", waits=False)
        assert replies.finish(work, 2, outcome="noted", author="ann", now=NOW + timedelta(days=50))
        work.commit()
    assert forget(books.store, DAYS, later(101))["replies_days"] == 1
    with books.store.reading() as work:
        assert [one.text for one in replies.every(work)] == ["We pay on Friday", "We pay on Friday", FORGOTTEN]
    assert forget(books.store, DAYS, later(151))["replies_days"] == 1
    with books.store.reading() as work:
        waiting, done, filed = replies.every(work)
        assert all(replies.is_known(work, one) for one in ("waits", "done", "filed")), "none is taken in again"
    assert (waiting.text, done.text, filed.phrases) == ("We pay on Friday", FORGOTTEN, ())
    assert (done.outcome, done.meaning, done.sender) == ("noted", Meaning.PROMISE, "ada@example.com")


def test_past_verdicts_go_with_their_runs_and_what_stands_stays(books: Books) -> None:
    """
    09-01   run 1: I1 and I2 wait
    09-02   run 2: both hold; run 3 changes nothing
    09-03   run 4: I1 is paid, I2 acts
    12-13   of I1 nothing, of I2 everything is kept; run 3 goes, and the runs that named I2 stay
    """
    books.keep(customer(), invoice("I1"), invoice("I2"))
    books.follow()
    chase = books.chase().id

    def run(day: int, **said: Decision) -> None:
        today, now = TODAY + timedelta(days=day), NOW + timedelta(days=day)
        with books.store.working() as work:
            number = verdicts.begin_run(work, "run", now=now)
            answers = [(chase, Verdict(one, how, Rule.SEND, how.value, None)) for one, how in said.items()]
            verdicts.record(work, books.id, answers, run_id=number, today=today)
            work.commit()

    run(0, I1=Decision.WAIT, I2=Decision.WAIT)
    run(1, I1=Decision.HOLD, I2=Decision.HOLD)
    run(1, I1=Decision.HOLD, I2=Decision.HOLD)
    run(2, I2=Decision.ACT)
    books.keep(invoice("I1", "0.00", minutes=9))
    assert forget(books.store, DAYS, later(100)) == {**dict.fromkeys(DAYS, 0)}
    assert forget(books.store, DAYS, later(103)) == {**dict.fromkeys(DAYS, 0), "verdicts_days": 2, "runs_days": 1}
    with books.store.reading() as work:
        assert verdicts.of_invoice(work, books.id, "I1") == []
        told = [one.decision for one in verdicts.of_invoice(work, books.id, "I2")]
    assert told == [Decision.WAIT, Decision.HOLD, Decision.ACT]
    assert books.rows("SELECT id FROM runs ORDER BY id") == [(1,), (2,), (4,)]


def test_forgetting_goes_on_where_it_was_interrupted(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arsync.ops.retention._AT_ONCE", 3)
    with books.store.working() as work:
        for _ in range(10):
            verdicts.begin_run(work, "run", now=NOW)
        work.commit()
    calls = 0

    def third() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        forget(books.store, {"runs_days": 90}, later(91), go_on=third)
    assert books.rows("SELECT count(*) FROM runs") == [(4,)]
    assert forget(books.store, {"runs_days": 90}, later(91)) == {"runs_days": 4}
    assert books.rows("SELECT count(*) FROM events WHERE kind = 'data_forgotten'") == [(4,)]
