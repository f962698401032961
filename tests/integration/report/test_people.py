"""What customers promised and contested, and what our people did; each test's docstring is its ledger."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import event
from tests.integration.report.conftest import named, office
from tests.integration.store.books import NOW, TODAY, Books, customer, invoice, open_books, payment

from arsync.domain.chase import Hold
from arsync.domain.money import Money
from arsync.domain.people import CallOutcome, DisputeCode, TouchKind
from arsync.domain.replies import MailKind
from arsync.domain.states import HoldKind, MessageState
from arsync.report import people
from arsync.report.outstanding import Level
from arsync.report.sheet import Office, Sheet
from arsync.store import approvals, holds, messages, promises, replies, touches
from arsync.store.planned import Approval

D = Decimal


def day(written: str) -> date:
    return date.fromisoformat(f"2026-{written}")


def at(written: str, hour: int = 12) -> datetime:
    return datetime(2026, int(written[:2]), int(written[3:]), hour, tzinfo=UTC)


def cells(sheet: Sheet, *names: str) -> list[tuple[str, ...]]:
    return [tuple(str(row[name]) for name in names) for row in named(sheet)]


# --- promises -------------------------------------------------------------------------------------------------------


def promise(books: Books, invoice_id: str, amount: str, until: str, *, payer: str = "C1", currency: str = "EUR") -> int:
    with books.store.working() as work:
        number = promises.give(
            work, books.id, payer_id=payer, invoice_id=invoice_id, amount=Money(D(amount), currency),
            promised_on=day(until), grace=0, until=day(until), reason="they called", author="mia", now=at("07-20"),
        )  # fmt: skip
        work.commit()
    return number


def settle(books: Books, on: date) -> None:
    with books.store.working() as work:
        promises.settle(work, books.id, today=on, now=NOW)
        work.commit()


def promised(books: Books, on: date = TODAY, days: int = 90, level: Level = Level.COMPANY) -> Sheet:
    with books.store.reading() as work:
        return people.promises(work, [office(books, on)], days, level)


def test_promises_that_fell_due_are_kept_or_broken_by_count_and_by_amount(books: Books) -> None:
    """
    I1 A  90.00 by 08-10: came       I2 A 10.00 by 08-12: did not      I3 B 100.00 by 08-20: did not
    I4 A  40.00 by 09-05: not due    I5 A 70.00 by 08-31: no run has looked since
    """
    books.keep(
        customer("A"), customer("B"), *(invoice(f"I{n}", customer="B" if n == 3 else "A") for n in range(1, 6)),
    )  # fmt: skip
    books.follow()
    for name, amount, until in (("I1", "90.00", "08-10"), ("I2", "10.00", "08-12"), ("I4", "40.00", "09-05")):
        promise(books, name, amount, until, payer="A")
    promise(books, "I3", "100.00", "08-20", payer="B")
    books.keep(
        payment("P1", "90.00", customer="A", on={"I1": "90.00"}), invoice("I1", "10.00", customer="A", minutes=1)
    )
    settle(books, day("08-25"))
    promise(books, "I5", "70.00", "08-31", payer="A")

    names = ("kept", "broken", "undecided", "kept %", "amount kept", "amount broken", "amount kept %")
    assert cells(promised(books), *names) == [("1", "2", "1", "33.3", "90.00", "110.00", "45.0")]
    assert cells(promised(books, day("08-12")), *names) == [("1", "1", "0", "50.0", "90.00", "10.00", "90.0")]
    assert cells(promised(books, day("08-12"), days=2), "kept", "broken") == [("0", "1")]
    assert cells(promised(books, level=Level.PAYER), "payer_id", "kept", "broken", "kept %") == [
        ("A", "1", "1", "50.0"),
        ("B", "0", "1", "0.0"),
    ]


def test_a_promise_that_was_taken_back_and_instalments_that_fell_with_their_plan_count_nowhere(books: Books) -> None:
    """
    plan of three: 08-10 did not come, so that 08-20 and 09-01 fell with it; I2 by 08-15, taken back
    """
    books.keep(customer("C1"), invoice("I1"), invoice("I2"))
    books.follow()
    with books.store.working() as work:
        promises.agree(
            work, books.id, payer_id="C1", invoice_ids=["I1"], grace=0, reason="they wrote", author="mia", now=NOW,
            instalments=[(day(on), day(on), Money(D("30.00"), "EUR")) for on in ("08-10", "08-20", "09-01")],
        )  # fmt: skip
        work.commit()
    number = promise(books, "I2", "5.00", "08-15")
    with books.store.working() as work:
        hold = Hold(HoldKind.PROMISE, "they called", "mia", "C1", "I2", TODAY, TODAY)
        placed = holds.place(work, books.id, hold, now=NOW, promise_id=number)
        lifted = holds.lift(work, placed, now=NOW)
        assert lifted is not None
        promises.withdraw(work, lifted, now=NOW)
        work.commit()
    settle(books, day("08-12"))
    assert cells(promised(books), "kept", "broken", "undecided", "amount broken") == [("0", "1", "0", "30.00")]


# --- disputes -------------------------------------------------------------------------------------------------------


def dispute(
    books: Books, invoice_id: str | None, since: str, *, code: DisputeCode | None = DisputeCode.PRICE,
    part: str | None = None, payer: str = "C1", until: str | None = None,
) -> int:  # fmt: skip
    amount = None if part is None else Money(D(part), "EUR")
    hold = Hold(HoldKind.DISPUTE, "as they say", "mia", payer, invoice_id, day(since), day(until) if until else None,
                amount, code)  # fmt: skip
    with books.store.working() as work:
        placed = holds.place(work, books.id, hold, now=at(since))
        work.commit()
    return placed


def lift(books: Books, hold_id: int, when: datetime) -> None:
    with books.store.working() as work:
        holds.lift(work, hold_id, now=when)
        work.commit()


def disputed(books: Books, on: date = TODAY, days: int = 30) -> Sheet:
    with books.store.reading() as work:
        return people.disputes(work, [office(books, on)], days)


COLUMNS = ("reason", "currency", "standing", "contested", "oldest", "new", "ended", "days to end")


def test_disputes_are_counted_by_reason_with_what_of_their_invoices_is_open(books: Books) -> None:
    """
    price     I1 100.00: 30.00 since 07-10; I2 50.00 left: all of it since 08-20
    quality   I3: since 08-05, lifted on 08-15; I1 again: 20.00 since 08-25
    no reason all of B (EUR 7.00 and USD 3.00), since 08-01
    other     I4, paid meanwhile, since 08-03; I2: since 06-01, until 06-30: long over
    """
    books.keep(
        customer("C1"), customer("B"), invoice("I1"), invoice("I2", "50.00"), invoice("I3"), invoice("I4", "0.00"),
        payment("P4", on={"I4": "100.00"}),
        invoice("I5", "7.00", customer="B"), invoice("I6", "3.00", customer="B", currency="USD"),
    )  # fmt: skip
    books.follow()
    dispute(books, "I1", "07-10", part="30.00")
    dispute(books, "I2", "08-20")
    lift(books, dispute(books, "I3", "08-05", code=DisputeCode.QUALITY), at("08-15"))
    dispute(books, "I1", "08-25", part="20.00", code=DisputeCode.QUALITY)
    dispute(books, None, "08-01", payer="B", code=None)
    dispute(books, "I4", "08-03", code=DisputeCode.OTHER)
    dispute(books, "I2", "06-01", code=DisputeCode.OTHER, until="06-30")
    assert cells(disputed(books), *COLUMNS) == [
        ("", "EUR", "1", "7.00", "31", "0", "0", "None"),
        ("", "USD", "1", "3.00", "31", "0", "0", "None"),
        ("other", "EUR", "1", "0.00", "29", "1", "0", "None"),
        ("price", "EUR", "2", "80.00", "53", "1", "0", "None"),
        ("quality", "EUR", "1", "20.00", "7", "2", "1", "10.0"),
    ]
    # before the payment, and before the second dispute about I1
    assert cells(disputed(books, day("08-10")), *COLUMNS)[2:] == [
        ("other", "EUR", "1", "100.00", "7", "1", "0", "None"),
        ("price", "EUR", "1", "30.00", "31", "0", "0", "None"),
        ("quality", "EUR", "1", "100.00", "5", "1", "0", "None"),
    ]


def test_an_invoice_is_contested_for_no_more_than_is_open_on_it(books: Books) -> None:
    """
    I1, 50.00 left: 40.00 and 30.00 contested for the same reason
    """
    books.keep(customer(), invoice("I1", "50.00"))
    books.follow()
    dispute(books, "I1", "08-05", part="40.00")
    dispute(books, "I1", "08-06", part="30.00")
    assert cells(disputed(books), "standing", "contested") == [("2", "50.00")]


def test_a_dispute_ends_on_the_companys_own_day(books: Books) -> None:
    """
    since 08-05, lifted on 08-14 at 23:00 UTC: 01:00 of 08-15 in Berlin
    """
    books.keep(customer(), invoice("I1"))
    books.follow()
    lift(books, dispute(books, "I1", "08-05"), at("08-14", 23))
    assert cells(disputed(books, day("08-14")), "standing", "ended") == [("1", "0")]
    assert cells(disputed(books, day("08-15")), "standing", "ended", "days to end") == [("0", "1", "10.0")]


# --- activity -------------------------------------------------------------------------------------------------------


def active(
    books: Books, on: date = TODAY, days: int = 7, *, timezone: str = "Europe/Berlin"
) -> dict[str, dict[str, int]]:
    """Who did what: the counts that are not nothing."""
    with books.store.reading() as work:
        sheet = people.collectors(work, [office(books, on, timezone=timezone)], days)
    fixed = {"connection", "on", "from", "who"}
    return {
        row["who"]: {name: count for name, count in row.items() if name not in fixed and count} for row in named(sheet)
    }


def test_what_each_of_us_did_is_counted_once_and_what_was_taken_back_is_not(books: Books) -> None:
    """
    mia   two calls of the list (a promise, nobody there), one more taken back; a visit, one taken back; a promise, a
          plan of two, a dispute, a comment, a reply
    kim   an approval
    """
    books.keep(customer(), invoice("I1"))
    books.follow()
    message = books.plan(state=MessageState.PLANNED)
    with books.store.working() as work:
        for outcome in (CallOutcome.PROMISED, CallOutcome.NO_ANSWER, CallOutcome.PAID):
            made = touches.keep_outcome(
                work, message, outcome, made_on=TODAY, comment="", author="mia", now=NOW
            )  # fmt: skip
        touches.undo_outcome(work, made, now=NOW)
        for _ in range(2):
            touched = touches.keep_touch(
                work, books.id, payer_id="C1", kind=TouchKind.VISIT, made_on=day("08-28"), step_id=None,
                invoice_ids=["I1"], comment="", author="mia", now=NOW,
            )  # fmt: skip
        touches.undo_touch(work, touched, now=NOW)
        promises.give(
            work, books.id, payer_id="C1", invoice_id="I1", amount=Money(D("5.00"), "EUR"), promised_on=TODAY, grace=0,
            until=TODAY, reason="", author="mia", now=NOW,
        )  # fmt: skip
        promises.agree(
            work, books.id, payer_id="C1", invoice_ids=["I1"], grace=0, reason="", author="mia", now=NOW,
            instalments=[(day(on), day(on), Money(D("30.00"), "EUR")) for on in ("09-10", "09-20")],
        )  # fmt: skip
        touches.keep_comment(
            work, books.id, payer_id="C1", invoice_id=None, text="x", follow_up=None, author="mia", now=NOW
        )
        reply = replies.keep(
            work,
            replies.Incoming(
                identity="r1", connection_id=books.id, payer_id="C1", message_id=None, kind=MailKind.PERSON, why="",
                origin="", sender="a@b.example", subject="", text="", meaning=None, confidence=None, phrases=(),
                waits=True,
            ),
            now=NOW,
        )  # fmt: skip
        replies.finish(work, reply, outcome="told", author="mia", now=NOW)
        yes = Approval("kim", NOW, None)
        assert approvals.approve(work, messages.get(work, message), yes, not_before=None, now=NOW)
        work.commit()
    dispute(books, "I1", "09-01")
    assert active(books) == {
        "mia": {"calls reached": 1, "calls not reached": 1, "by hand": 1, "promises": 2, "disputes": 1, "replies": 1,
                "comments": 1, "all": 8},
        "kim": {"approved": 1, "all": 1},
    }  # fmt: skip
    assert active(books, day("08-30")) == {"mia": {"by hand": 1, "all": 1}}
    assert active(books, days=1)["mia"].get("by hand") is None


def test_a_day_is_the_companys_own(books: Books) -> None:
    """
    a comment on 08-31 at 23:30 UTC: 09-01 in Berlin, 08-31 in New York
    """
    books.keep(customer(), invoice("I1"))
    with books.store.working() as work:
        touches.keep_comment(
            work, books.id, payer_id="C1", invoice_id=None, text="x", follow_up=None, author="mia",
            now=at("08-31", 23) + timedelta(minutes=30),
        )  # fmt: skip
        work.commit()
    assert "mia" in active(books, days=1)
    assert active(books, days=1, timezone="America/New_York") == {}
    assert "mia" in active(books, day("08-31"), days=1, timezone="America/New_York")


def test_each_takes_the_same_queries_whatever_there_is_and_sees_one_company(books: Books) -> None:
    other = open_books(books.store, "other")
    for one in (other, books):
        one.keep(customer(), *(invoice(f"I{n}") for n in range(60)))
        one.follow()
    promise(other, "I1", "9.00", "08-20")
    dispute(other, "I2", "08-20")
    asked: list[str] = []
    event.listen(books.store.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))

    def counted() -> int:
        asked.clear()
        with books.store.reading() as work:
            here: list[Office] = [office(books)]
            told.extend(len(make(work, here, 90).rows) for make in (people.promises, people.disputes))
            people.collectors(work, here, 90)
        return len([one for one in asked if one.startswith("SELECT")])

    told: list[int] = []
    counts = []
    for many in (1, 29):
        for n in range(many):
            promise(books, f"I{many - 1 + n}", "5.00", "08-20")
            dispute(books, f"I{many - 1 + n}", "08-20")
        counts.append(counted())
    assert counts[0] == counts[1] <= 17
    assert told == [1, 1, 1, 1]
