"""Promises and instalments, kept or broken as the ledger says. A test reads as a ledger: 09-01 is today."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from tests.integration.store.books import NOW, TODAY, Books, customer, invoice, payment

from arsync.domain.chase import Hold
from arsync.domain.documents import CreditState, CustomerState
from arsync.domain.money import Money
from arsync.domain.states import HoldKind
from arsync.store import events, holds, promises


def eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def day(written: str) -> date:
    return date.fromisoformat(f"2026-{written}")


def owing(books: Books, **balances: str) -> None:
    """A owes these."""
    books.keep(customer("A"))
    for name, balance in balances.items():
        books.keep(invoice(name, customer="A", total=Decimal(balance), balance=balance))
    books.follow()


def paid(books: Books, name: str, left: str, minutes: float, /, receipt: str, total: str, **on: str) -> None:
    """What came, and what is left of the invoice."""
    whole = sum((Decimal(part) for part in on.values()), start=Decimal(0))
    books.keep(payment(receipt, str(whole), on=on, customer="A", minutes=minutes))
    books.keep(invoice(name, customer="A", total=Decimal(total), balance=left, minutes=minutes))


def promise(books: Books, amount: str, on: str, *, of: str | None = "I1", until: str | None = None) -> int:
    """The number of the hold that stands for it."""
    last = day(until or on)
    with books.store.working() as work:
        number = promises.give(
            work, books.id, payer_id="A", invoice_id=of, amount=eur(amount), promised_on=day(on), grace=0, until=last,
            reason="they called", author="mia", now=NOW,
        )  # fmt: skip
        hold = Hold(HoldKind.PROMISE, "they called", "mia", "A", of, TODAY, last)
        hold_id = holds.place(work, books.id, hold, now=NOW, promise_id=number)
        work.commit()
    return hold_id


def agree(books: Books, *parts: tuple[str, str], of: tuple[str, ...] = ("I1",)) -> int:
    with books.store.working() as work:
        plan_id = promises.agree(
            work, books.id, payer_id="A", invoice_ids=of, grace=0, reason="they wrote", author="mia", now=NOW,
            instalments=[(day(on), day(on), eur(amount)) for on, amount in parts],
        )  # fmt: skip
        for one in of:
            hold = Hold(HoldKind.PLAN, "they wrote", "mia", "A", one, TODAY, day(parts[-1][0]))
            holds.place(work, books.id, hold, now=NOW, plan_id=plan_id)
        work.commit()
    return plan_id


def settled(books: Books, on: str) -> list[str]:
    """What that day's asking answers."""
    with books.store.working() as work:
        answers = promises.settle(work, books.id, today=day(on), now=NOW + (day(on) - TODAY))
        work.commit()
    return [f"{one.promise.promised_on:%m-%d} {one.promise.state}" for one in answers]


def stopped(books: Books) -> int:
    with books.store.reading() as work:
        return len(holds.active(work, books.id))


def test_a_promise_is_kept_by_what_was_allocated_since(books: Books) -> None:
    """
    100.00 open of 150.00; 50.00 came before. 100.00 promised for 09-08
    09-04 60.00 comes  => nothing yet
    09-08 40.00 comes  => kept, and its hold is lifted
    """
    books.keep(customer("A"), invoice("I1", customer="A", total=Decimal("150.00"), balance="100.00"))
    books.keep(payment("P0", "50.00", on={"I1": "50.00"}, customer="A"))
    books.follow()
    promise(books, "100.00", "09-08")
    paid(books, "I1", "40.00", 1, receipt="P1", total="150.00", I1="60.00")
    assert settled(books, "09-04") == []
    assert stopped(books) == 1
    paid(books, "I1", "0.00", 2, receipt="P2", total="150.00", I1="40.00")
    assert settled(books, "09-08") == ["09-08 kept"]
    assert stopped(books) == 0
    assert settled(books, "09-09") == [], "asked again it answers nothing"


def test_a_promise_is_broken_the_day_after_its_grace_and_the_chase_wakes(books: Books) -> None:
    """100.00 promised for 09-08, in time until 09-10; 99.99 comes."""
    owing(books, I1="100.00")
    promise(books, "100.00", "09-08", until="09-10")
    version = books.chase("A").version
    paid(books, "I1", "0.01", 1, receipt="P1", total="100.00", I1="99.99")
    assert settled(books, "09-10") == []
    assert settled(books, "09-11") == ["09-08 broken"]
    assert stopped(books) == 0
    assert books.chase("A").version > version
    with books.store.reading() as work:
        (told,) = events.of_kind(work, books.id, "promise_broken")
        assert set(promises.broken(work, books.id)) == {"I1"}
    assert told.data["reason"] == "of 100.00 EUR 99.99 EUR came by 2026-09-10"
    paid(books, "I1", "0.00", 2, receipt="P2", total="100.00", I1="0.01")
    with books.store.reading() as work:
        assert promises.broken(work, books.id) == {}, "what is paid in the end is no reason to speak harder"


def test_of_two_promises_the_earlier_has_the_first_money(books: Books) -> None:
    """200.00: half for 09-05, half for 09-12. 100.00 comes on 09-04 => the second still stops it."""
    owing(books, I1="200.00")
    promise(books, "100.00", "09-12")
    promise(books, "100.00", "09-05")
    paid(books, "I1", "100.00", 1, receipt="P1", total="200.00", I1="100.00")
    assert settled(books, "09-05") == ["09-05 kept"]
    assert stopped(books) == 1
    assert settled(books, "09-13") == ["09-12 broken"]


def test_money_on_no_invoice_keeps_a_promise_on_its_last_day_and_only_one(books: Books) -> None:
    owing(books, I1="100.00", I2="100.00")
    promise(books, "100.00", "09-05", of="I1")
    promise(books, "100.00", "09-05", of="I2")
    books.keep(payment("P1", "120.00", customer="A"))
    assert settled(books, "09-04") == []
    assert sorted(settled(books, "09-06")) == ["09-05 broken", "09-05 kept"]


def test_a_promise_for_all_is_about_what_was_open_then(books: Books) -> None:
    """I3 comes later and is paid: that is not what was promised."""
    owing(books, I1="100.00", I2="100.00")
    promise(books, "150.00", "09-05", of=None)
    books.keep(invoice("I3", customer="A", total=Decimal("150.00"), balance="150.00"))
    paid(books, "I3", "0.00", 1, receipt="P1", total="150.00", I3="150.00")
    assert settled(books, "09-04") == []
    assert settled(books, "09-06") == ["09-05 broken"]


def test_the_money_of_the_survivor_keeps_no_promise_of_the_absorbed(books: Books) -> None:
    owing(books, I1="100.00")
    books.keep(customer("B"), invoice("I9", customer="B", total=Decimal("500.00"), balance="500.00"))
    promise(books, "100.00", "09-05", of=None)
    books.keep(customer("A", state=CustomerState.MERGED, merged_into="B", minutes=1))
    books.keep(payment("P1", "500.00", on={"I9": "500.00"}, customer="B", minutes=2))
    assert settled(books, "09-04") == []
    with books.store.reading() as work:
        (one,) = promises.of_payer(work, books.id, "B")
        assert [placed.hold.payer_id for placed in holds.active(work, books.id)] == ["B"]
    assert one.state == "open"


def test_nothing_owed_any_more_keeps_every_promise(books: Books) -> None:
    owing(books, I1="100.00")
    promise(books, "50.00", "09-20")
    paid(books, "I1", "0.00", 1, receipt="P1", total="100.00", I1="100.00")
    assert settled(books, "09-02") == ["09-20 kept"]


def test_instalments_are_tracked_one_after_the_other(books: Books) -> None:
    """
    300.00 by 09-05, 09-12, 09-19
    09-05 100.00 comes            => the first is kept, and it stays stopped
    09-12 50.00 comes, too little => broken on 09-13: the last falls with it, the chase goes on
    """
    owing(books, I1="300.00")
    plan_id = agree(books, ("09-05", "100.00"), ("09-12", "100.00"), ("09-19", "100.00"))
    paid(books, "I1", "200.00", 1, receipt="P1", total="300.00", I1="100.00")
    assert settled(books, "09-05") == ["09-05 kept"]
    assert stopped(books) == 1
    paid(books, "I1", "150.00", 2, receipt="P2", total="300.00", I1="50.00")
    assert settled(books, "09-12") == []
    assert settled(books, "09-13") == ["09-12 broken"]
    assert stopped(books) == 0
    with books.store.reading() as work:
        plan = promises.plan_of(work, plan_id)
        assert set(promises.broken(work, books.id)) == {"I1"}
    assert (plan.state, [one.state for one in plan.instalments]) == ("broken", ["kept", "broken", "withdrawn"])


def test_a_plan_that_is_paid_ahead_ends_at_once(books: Books) -> None:
    owing(books, I1="200.00", I2="100.00")
    plan_id = agree(books, ("09-05", "150.00"), ("09-12", "150.00"), of=("I1", "I2"))
    assert stopped(books) == 2
    paid(books, "I1", "0.00", 1, receipt="P1", total="200.00", I1="200.00")
    paid(books, "I2", "0.00", 2, receipt="P2", total="100.00", I2="100.00")
    assert settled(books, "09-02") == ["09-05 kept", "09-12 kept"]
    assert stopped(books) == 0
    with books.store.reading() as work:
        assert promises.plan_of(work, plan_id).state == "paid"


def test_a_payment_that_is_taken_back_is_missed_at_the_next_instalment(books: Books) -> None:
    owing(books, I1="200.00")
    agree(books, ("09-05", "100.00"), ("09-12", "100.00"))
    paid(books, "I1", "100.00", 1, receipt="P1", total="200.00", I1="100.00")
    assert settled(books, "09-05") == ["09-05 kept"]
    books.keep(payment("P1", "100.00", customer="A", minutes=2, state=CreditState.VOID, unapplied=Decimal(0)))
    paid(books, "I1", "100.00", 3, receipt="P2", total="200.00", I1="100.00")
    assert settled(books, "09-13") == ["09-12 broken"]


@pytest.mark.parametrize("of_plan", [False, True])
def test_a_lifted_hold_takes_its_promise_or_plan_back(books: Books, of_plan: bool) -> None:
    owing(books, I1="100.00", I2="100.00")
    if of_plan:
        agree(books, ("09-05", "200.00"), of=("I1", "I2"))
        hold_id = 1
    else:
        hold_id = promise(books, "100.00", "09-05")
    with books.store.working() as work:
        lifted = holds.lift(work, hold_id, now=NOW)
        assert lifted is not None
        others = promises.withdraw(work, lifted, now=NOW)
        work.commit()
    assert len(others) == of_plan
    assert stopped(books) == 0
    assert settled(books, "09-30") == []
    assert TODAY + timedelta(days=29) == day("09-30")
