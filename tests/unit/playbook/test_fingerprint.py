"""Equal fingerprints, equal message: whatever a reader would see differs in the fingerprint."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from arsync.domain.chase import Intent, Item, Rendered
from arsync.domain.documents import Contact, ContactRole, InvoiceLine
from arsync.domain.money import Money
from arsync.domain.people import Owner
from arsync.domain.seen import written
from arsync.playbook.plan import plan
from arsync.testing.builders import WORKDAYS, a_playbook, an_item, day, some_facts

CHAIRS = InvoiceLine(description="Two chairs", quantity=Decimal(2), amount=Decimal("90.00"))
CHANGES = {
    "its number": {"number": "INV-9"},
    "what is due": {"balance": Money(Decimal("80.00"), "EUR")},
    "its due date": {"due_on": day("06-29")},
    "the customer's reference": {"reference": "PO 7"},
    "what it was for": {"lines": (CHAIRS,)},
    "who was billed": {"customer_name": "Harbour Tools, Dock 2"},
    "where it can be paid": {"pay_link": "https://pay.example/INV-1"},
}


def an_intent() -> Intent:
    intent = plan(some_facts(an_item("INV-1", "06-30", "90.00")), a_playbook(), WORKDAYS, day("07-03")).intent
    assert intent is not None
    return intent


def said(intent: Intent, item: Item) -> str:
    return replace(intent, demanded=(item,)).fingerprint("1", "en")


def test_the_same_again_is_the_same_message() -> None:
    assert an_intent().fingerprint("1", "en") == an_intent().fingerprint("1", "en")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_a_reader_sees_of_an_invoice_differs_in_the_fingerprint(change: dict[str, object]) -> None:
    intent = an_intent()
    (item,) = intent.demanded
    assert said(intent, item) != said(intent, replace(item, **change))  # type: ignore[arg-type]


def test_of_two_descriptions_the_other_one_is_another_message() -> None:
    intent = an_intent()
    (item,) = intent.demanded
    stools = replace(CHAIRS, description="Two stools")
    assert said(intent, replace(item, lines=(CHAIRS,))) != said(intent, replace(item, lines=(stools,)))


def test_another_address_of_the_one_who_signs_is_another_message() -> None:
    owned = replace(an_intent(), owner=Owner("Ann", "ann@harbour.example"))
    moved = replace(owned, owner=Owner("Ann", "ann@new.example"))
    assert owned.fingerprint("1", "en") != moved.fingerprint("1", "en")


def test_another_telephone_number_of_a_reader_is_another_message() -> None:
    intent = an_intent()
    (ada,) = intent.recipients
    moved = replace(intent, recipients=(replace(ada, phone="+44 20 7946 0001"),))
    assert intent.fingerprint("1", "en") != moved.fingerprint("1", "en")


def test_another_copy_is_another_message_and_asks_for_another_approval() -> None:
    books = Contact("Books", "books@harbour.example", None, ContactRole.CC)
    plain, copied = an_intent(), replace(an_intent(), copies=(books,))
    words = Rendered("Subject", "text", "html")
    assert plain.fingerprint("1", "en") != copied.fingerprint("1", "en")
    assert written(plain, ["a@b.example"], words) != written(copied, ["a@b.example"], words)
