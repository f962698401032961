"""How payers pay, read from the cache: all of them by two queries, or one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import event
from tests.integration.store.books import NOW, TODAY, Books, credit, customer, invoice, payment

from arsync.domain import payday
from arsync.domain.behaviour import Behaviour, Rating
from arsync.domain.chase import Hold
from arsync.domain.documents import CreditState, InvoiceState, Record
from arsync.domain.states import HoldKind
from arsync.playbook.paydays import payment_days
from arsync.store import behaviour, holds


def paid(number: int, on: str, *, who: str = "C1", currency: str = "EUR") -> list[Record]:
    """An invoice of 100.00 due on 31 July, and the payment that settled it."""
    name = f"{who}-{currency}-{number}"
    came = payment(
        f"P-{name}", on={name: "100.00"}, customer=who, currency=currency, received_on=date.fromisoformat(on)
    )
    return [invoice(name, "0.00", customer=who, currency=currency), came]


def test_all_payers_are_read_by_two_queries_in_the_order_of_their_ids(books: Books) -> None:
    books.keep(
        customer("head"), customer("branch", parent_id="head"), customer("other"), customer("idle"),
        *paid(1, "2026-08-10", who="head"), *paid(2, "2026-08-10", who="branch"), *paid(3, "2026-08-10", who="head"),
        *paid(4, "2026-07-31", who="head", currency="USD"), *paid(5, "2026-07-31", who="other"),
        invoice("X", customer="stranger"),
    )  # fmt: skip
    asked: list[str] = []
    event.listen(books.store.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
    with books.store.reading() as work:
        found = dict(behaviour.every(work, books.id, TODAY))
    assert len([statement for statement in asked if statement.startswith("SELECT")]) == 2
    assert list(found) == ["head", "other", "stranger"]
    assert [(one.currency, one.paid, one.days_late) for one in found["head"]] == [
        ("EUR", 3, Decimal("10.0")),
        ("USD", 1, Decimal("0.0")),
    ]
    with books.store.reading() as work:
        assert behaviour.ratings(work, books.id, TODAY) == {
            "head": Rating.C,
            "other": Rating.NEW,
            "stranger": Rating.NEW,
        }
        for payer_id, told in found.items():
            assert behaviour.of_payer(work, books.id, payer_id, TODAY) == told
        assert behaviour.of_payer(work, books.id, "idle", TODAY) == ()


def one(books: Books) -> Behaviour:
    with books.store.reading() as work:
        (found,) = behaviour.of_payer(work, books.id, "C1", TODAY)
        return found


def test_a_voided_payment_counts_for_nothing(books: Books) -> None:
    books.keep(customer("C1"), *paid(1, "2026-08-10"), *paid(2, "2026-08-20"))
    assert one(books).paid == 2
    taken_back = payment(
        "P-C1-EUR-2", on={"C1-EUR-2": "100.00"}, received_on=date(2026, 8, 20), state=CreditState.VOID, minutes=1
    )
    books.keep(invoice("C1-EUR-2", "100.00", minutes=1), taken_back)
    told = one(books)
    assert (told.paid, told.days_late) == (1, Decimal("10.0"))


def test_credit_used_along_with_money_is_not_taken_for_money(books: Books) -> None:
    # QuickBooks tells a payment of 30.00 and a credit of 70.00 as one line of 100.00
    books.keep(
        customer("C1"), invoice("I1", "0.00"), payment("P1", "30.00", on={"I1": "100.00"}, unapplied=Decimal("0.00")),
        invoice("I2", "0.00"),
        payment("P2", "70.00", on={"I2": "70.00"}, unapplied=Decimal("0.00"), received_on=date(2026, 7, 31)),
        credit("N1", "30.00", on={"I2": "30.00"}),
        # nothing but credit
        invoice("I3", "0.00"), payment("P3", "0.00", on={"I3": "100.00"}, unapplied=Decimal("0.00")),
    )  # fmt: skip
    told = one(books)
    assert (told.paid, told.late) == (2, 1)
    assert told.days_late == Decimal("4.5")  # 15 days x 30.00 of 100.00


def test_drafts_voids_and_invoices_without_a_due_date_are_left_out(books: Books) -> None:
    books.keep(
        customer("C1"), *paid(1, "2026-08-10"), *paid(2, "2026-08-10"), *paid(3, "2026-08-10"),
        invoice("V", state=InvoiceState.VOID), invoice("D", state=InvoiceState.DRAFT), invoice("U", due_on=None),
    )  # fmt: skip
    assert len(one(books).reasons) == 2


def test_a_disputed_invoice_is_not_held_against_the_payer_while_the_dispute_stands(books: Books) -> None:
    books.keep(
        customer("C1"), *paid(1, "2026-07-31"), *paid(2, "2026-07-31"), *paid(3, "2026-07-31"),
        invoice("I9", issued_on=date(2026, 1, 1), due_on=date(2026, 1, 31)),
    )  # fmt: skip
    assert one(books).rating is Rating.D
    with books.store.working() as work:
        placed = holds.place(work, books.id, Hold(HoldKind.DISPUTE, "broken", "kim", "C1", "I9", TODAY, None), now=NOW)
        work.commit()
    assert one(books).rating is Rating.A
    with books.store.working() as work:
        holds.lift(work, placed, now=NOW)
        work.commit()
    assert one(books).rating is Rating.D


def test_payment_days_come_from_habit_and_a_persons_word_wins(books: Books) -> None:
    fridays = ["2026-06-05", "2026-06-12", "2026-06-26", "2026-07-10", "2026-07-24", "2026-08-07"]
    books.keep(
        customer("C1"), customer("C2", name="Birch Café"),
        *(record for n, on in enumerate(fridays) for who in ("C1", "C2") for record in paid(n, on, who=who)),
    )  # fmt: skip
    friday, month_end = payday.read("friday"), payday.read("end of month")
    with books.store.reading() as work:
        for only in (None, ["C1"]):
            known = payment_days(work, books.id, {"birch café": month_end}, today=TODAY, payers=only)
            assert known.of("C1", "Customer C1", "EUR") == friday
            assert known.of("C1", "Customer C1", "USD") is None
            assert known.of("C2", "BIRCH CAFÉ", "EUR") == month_end
