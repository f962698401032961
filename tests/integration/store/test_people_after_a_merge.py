"""What people said goes with a customer to the survivor; what was contested in part stays contested in part."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from tests.integration.store.books import NOW, TODAY, Books, a_hold, customer, invoice

from arsync.domain.documents import Contact, ContactRole, CustomerState
from arsync.domain.money import Money
from arsync.domain.people import TouchKind
from arsync.store import holds, ledger, own_contacts, touches

TOM = Contact("Tom", "tom@a.example", None, ContactRole.BILLING)


def two_payers(books: Books) -> None:
    books.keep(customer("A"), customer("B"), invoice("I1", customer="A"), invoice("I2", customer="B"))
    books.follow()


def touch(books: Books, *about: str) -> None:
    with books.store.working() as work:
        touches.keep_touch(
            work, books.id, payer_id="A", kind=TouchKind.CALL, made_on=TODAY, step_id="firm", invoice_ids=about,
            comment="", author="mia", now=NOW,
        )  # fmt: skip
        work.commit()


def heard(books: Books, payer: str) -> list[str]:
    with books.store.reading() as work:
        alone = ledger.read(work, books.id, payer).history[payer, "EUR"]
        assert alone == ledger.read(work, books.id).history[payer, "EUR"]
    return [past.step_id for past in alone]


def test_touches_comments_and_people_are_the_survivors(books: Books) -> None:
    two_payers(books)
    touch(books, "I1")
    with books.store.working() as work:
        own_contacts.put(work, books.id, "A", TOM, author="mia", now=NOW)
        own_contacts.put(work, books.id, "B", replace(TOM, name="Thomas"), author="mia", now=NOW)
        own_contacts.put(work, books.id, "A", replace(TOM, email="ann@a.example"), author="mia", now=NOW)
        touches.keep_comment(
            work, books.id, payer_id="A", invoice_id=None, text="ask", follow_up=TODAY, author="mia", now=NOW
        )
        work.commit()
    books.keep(customer("A", state=CustomerState.MERGED, merged_into="B", minutes=1))
    assert heard(books, "B") == ["firm"]
    with books.store.reading() as work:
        people = own_contacts.of_customers(work, books.id)
        (comment,) = touches.due_comments(work, books.id, today=TODAY)
    assert comment.payer_id == "B"
    assert sorted((one.name, one.email) for one in people["B"]) == [
        ("Thomas", "tom@a.example"), ("Tom", "ann@a.example"),
    ]  # fmt: skip


def test_the_people_of_a_branch_are_not_those_of_its_head(books: Books) -> None:
    two_payers(books)
    with books.store.working() as work:
        own_contacts.put(work, books.id, "A", TOM, author="mia", now=NOW)
        work.commit()
    books.keep(customer("A", parent_id="B", minutes=1))
    with books.store.reading() as work:
        assert list(own_contacts.of_customers(work, books.id)) == ["A"]


def test_a_touch_counts_for_whoever_pays_for_its_invoices_now(books: Books) -> None:
    two_payers(books)
    touch(books, "I1")
    assert (heard(books, "A"), heard(books, "B")) == (["firm"], [])
    books.keep(invoice("I3", customer="A"))
    books.keep(invoice("I1", customer="B", minutes=1))
    assert (heard(books, "A"), heard(books, "B")) == (["firm"], ["firm"])


def test_a_dispute_of_a_part_stays_one_and_lets_the_rest_through_the_gate(books: Books) -> None:
    two_payers(books)
    part = replace(a_hold(payer="A", invoice="I1"), part=Money(Decimal("40.00"), "EUR"))
    with books.store.working() as work:
        holds.place(work, books.id, part, now=NOW)
        work.commit()
    books.keep(customer("A", state=CustomerState.MERGED, merged_into="B", minutes=1))
    with books.store.reading() as work:
        (placed,) = holds.active(work, books.id)
    assert placed.hold == replace(part, payer_id="B")
    books.follow()
    books.plan("B", invoices=("I1",))
    (claimed,) = books.claim()
    assert books.confirm(claimed)
    assert books.pass_gate(claimed) is None


def test_a_dispute_of_a_part_that_comes_after_the_last_look_stops_the_message(books: Books) -> None:
    two_payers(books)
    books.plan("A", invoices=("I1",))
    (claimed,) = books.claim()
    assert books.confirm(claimed)
    part = replace(a_hold(payer="A", invoice="I1"), part=Money(Decimal("40.00"), "EUR"))
    with books.store.working() as work:
        holds.place(work, books.id, part, now=NOW)
        work.commit()
    assert books.pass_gate(claimed) is not None, "it asks for the whole"
