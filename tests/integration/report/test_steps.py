"""What followed on each step; each test's docstring is its ledger."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import event, text
from tests.integration.report.conftest import named, office
from tests.integration.store.books import (
    FIRM,
    FRIENDLY,
    NOW,
    TODAY,
    Books,
    credit,
    customer,
    invoice,
    open_books,
    payment,
)

from arsync.domain.documents import Allocation, CreditState, Payment
from arsync.domain.people import CallOutcome, TouchKind
from arsync.domain.policy import Step, StepChannel, Tone
from arsync.domain.states import MessageState
from arsync.report import steps
from arsync.store import touches

D = Decimal
CALL = Step("call", 21, StepChannel.CALL, Tone.FIRM, "call", None)


def day(written: str) -> date:
    return date.fromisoformat(f"2026-{written}")


def money(name: str, invoice_id: str, amount: str, on: str, **more: Any) -> Payment:
    return payment(name, amount, on={invoice_id: amount}, received_on=day(on), **more)


def sent(
    books: Books, step: Step, on: str, *invoices: str, amount: str = "100.00", state: str = "accepted",
    occurrence: int = 1,
) -> int:  # fmt: skip
    """A message that went out on that day, demanding that amount of each."""
    number = books.plan(step=step, invoices=invoices, amount=amount, state=MessageState.PLANNED, occurrence=occurrence)
    with books.store.working() as work:
        work.execute(
            text("UPDATE messages SET state = :state, sent_on = :on, channel = :way WHERE id = :id"),
            {"state": state, "on": on and day(on).isoformat(), "id": number, "way": step.channel.value},
        )
        work.commit()
    return number


def told(books: Books, *names: str, on: date = TODAY, days: int = 365, within: int = 14) -> list[tuple[str, ...]]:
    with books.store.reading() as work:
        sheet = steps.steps(work, [office(books, on)], days, within)
    return [tuple(str(row[name]) for name in ("step", *names)) for row in named(sheet)]


def test_what_was_paid_within_the_days_counts_by_invoice_and_by_amount(books: Books) -> None:
    """
    08-05 friendly, I1 to I5 of 100.00:
    I1 paid 08-05   I2 paid 08-19, the last day   I3 paid 08-20, too late   I4 40.00 on 08-10, the rest open
    I5 90.00 on 08-10 and 10.00 of credit on 08-15: cleared by credit, not paid
    08-25 firm, I3: its days are not over
    """
    books.keep(
        customer(), *(invoice(f"I{n}") for n in range(1, 6)),
    )  # fmt: skip
    books.follow()
    sent(books, FRIENDLY, "08-05", "I1", "I2", "I3", "I4", "I5")
    sent(books, FIRM, "08-25", "I3")
    books.keep(
        money("P1", "I1", "100.00", "08-05"), money("P2", "I2", "100.00", "08-19"),
        money("P3", "I3", "100.00", "08-20"),
        money("P4", "I4", "40.00", "08-10"), money("P5", "I5", "90.00", "08-10"),
        credit("N5", "10.00", on={"I5": "10.00"}), money("P6", "I4", "60.00", "08-11", state=CreditState.VOID),
        *(invoice(f"I{n}", "0.00", minutes=1) for n in (1, 2, 3, 5)), invoice("I4", "60.00", minutes=1),
    )  # fmt: skip
    names = ("currency", "asked", "paid", "paid %", "demanded", "received", "received %")
    assert told(books, *names) == [("friendly", "EUR", "5", "2", "40.0", "500.00", "330.00", "66.0")]
    assert told(books, "asked", "paid", within=15) == [("friendly", "5", "3")]
    assert told(books, "asked", "paid", within=7) == [("firm", "1", "0"), ("friendly", "5", "1")]
    assert told(books, "asked", within=14, days=10) == []


def test_what_did_not_reach_the_customer_asked_for_nothing(books: Books) -> None:
    """
    07-05 friendly, a trial that went to ourselves; 07-10 friendly bounced
    07-25 a call stands on the list, 07-28 nobody, 08-01 they were reached
    """
    books.keep(customer(), invoice("I1"))
    books.follow()
    trial = sent(books, FRIENDLY, "07-05", "I1")
    with books.store.working() as work:
        work.execute(text("UPDATE messages SET diverted_to = 'us@here.example' WHERE id = :id"), {"id": trial})
        work.commit()
    sent(books, FRIENDLY, "07-10", "I1", state="bounced", occurrence=2)
    assert told(books, "asked") == []
    call = sent(books, CALL, "07-25", "I1")
    with books.store.working() as work:
        for on, outcome in (("07-28", CallOutcome.NO_ANSWER), ("08-01", CallOutcome.PAID)):
            touches.keep_outcome(work, call, outcome, made_on=day(on), comment="", author="mia", now=NOW)
        work.commit()
    books.keep(money("P1", "I1", "100.00", "08-15"), invoice("I1", "0.00", minutes=1))
    assert told(books, "asked", "paid") == [("call", "1", "1")]
    assert told(books, "asked", "paid", within=13) == [("call", "1", "0")]


def test_the_baseline_is_of_invoices_of_the_same_age_that_nobody_had_asked_for(books: Books) -> None:
    """
    All due 07-31. Asked for on 08-03, at age 3: A0 to A3; one of them paid on 08-10.
    Not asked for: U0 to U4 paid on 08-10, U5 to U19 open; V0 to V9 paid before age 3; W0 to W9 asked for by hand on
    08-02.
    """
    open_ = [f"{row}{n}" for row, count in (("A", 4), ("U", 20), ("V", 10), ("W", 10)) for n in range(count)]
    books.keep(customer(), *(invoice(name) for name in open_))
    books.follow()
    sent(books, FRIENDLY, "08-03", "A0", "A1", "A2", "A3")
    with books.store.working() as work:
        touches.keep_touch(
            work, books.id, payer_id="C1", kind=TouchKind.CALL, made_on=day("08-02"), step_id=None,
            invoice_ids=[f"W{n}" for n in range(10)], comment="", author="mia", now=NOW,
        )  # fmt: skip
        work.commit()
    paid = {"A0": "08-10", **{f"U{n}": "08-10" for n in range(5)}, **{f"V{n}": "08-02" for n in range(10)}}
    for name, on in paid.items():
        books.keep(money(f"P{name}", name, "100.00", on), invoice(name, "0.00", minutes=1))
    names = ("asked", "paid %", "alike", "of these %", "baseline %")
    assert told(books, *names) == [("friendly", "4", "25.0", "4", "25.0", "25.0")]
    assert told(books, *names, within=5) == [("friendly", "4", "0.0", "4", "0.0", "0.0")]


def test_money_with_credit_in_one_payment_is_money_and_a_payment_without_money_is_credit(books: Books) -> None:
    """
    08-05 friendly, I1 and I2 of 100.00; on 08-10 P1 of 60.00 puts 100.00 on I1, P2 of 0.00 100.00 on I2 (QuickBooks)
    """
    books.keep(customer(), invoice("I1"), invoice("I2"))
    books.follow()
    sent(books, FRIENDLY, "08-05", "I1", "I2")
    for name, target, amount in (("P1", "I1", "60.00"), ("P2", "I2", "0.00")):
        made = payment(name, amount, unapplied=D("0.00"), received_on=day("08-10"),
                       allocations=(Allocation(target, D("100.00"), day("08-10")),))  # fmt: skip
        books.keep(made, invoice(target, "0.00", minutes=1))
    assert told(books, "asked", "paid", "received") == [("friendly", "2", "1", "60.00")]


def test_it_takes_the_same_queries_for_many_as_for_one_and_sees_one_company(books: Books) -> None:
    asked: list[str] = []
    event.listen(books.store.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
    other = open_books(books.store, "other")
    other.keep(customer(), invoice("I1", "0.00"), money("P1", "I1", "100.00", "08-06"))
    counts = []
    for occurrence, many in enumerate((1, 40), start=1):
        names = [f"I{n}" for n in range(many)]
        books.keep(customer(), *(invoice(name, minutes=occurrence) for name in names))
        books.follow()
        sent(books, FRIENDLY, "08-05", *names, occurrence=occurrence)
        asked.clear()
        assert told(books, "paid")[0] == ("friendly", "0")
        counts.append(len([one for one in asked if one.startswith("SELECT")]))
    assert counts == [6, 6]
    assert told(other, "asked") == []
