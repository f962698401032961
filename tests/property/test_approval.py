"""Whatever happens between a person's yes and the last gate: what leaves is what was seen, or it does not leave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.playbook.desk import Desk
from tests.integration.playbook.shop import Shop
from tests.integration.store.books import contact, customer, invoice, open_books
from tests.shortcuts import lay_database

from arsync.playbook.confirm import Confirmation
from arsync.store.engine import Store

#: What may happen to a customer with three open invoices while its message waits to be sent.
HAPPENS = ("paid", "part paid", "raised", "renamed", "another due day", "another invoice", "another address", "nothing")
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One shop for all examples; each has a customer of its own."""
    folder: Path = tmp_path_factory.mktemp("approvals")
    lay_database(folder / "shop.db")
    store = Store(f"sqlite:///{folder / 'shop.db'}")
    made = Shop(open_books(store), folder / "playbooks")
    made.write("standard")
    yield Desk(made)
    store.close()


def happen(desk: Desk, payer: str, what: str, which: str) -> None:
    due = date(2026, 8, 25)
    match what:
        case "paid":
            desk.pays(payer, which)
        case "part paid":
            desk.pays(payer, which, "1.00", left="99.00")
        case "raised":
            desk.shop.owes(payer, which, "250.00")
        case "renamed":
            desk.shop.books.keep(invoice(which, "100.00", customer=payer, due_on=due, number="other", minutes=60))
        case "another due day":
            desk.shop.books.keep(invoice(which, "100.00", customer=payer, due_on=date(2026, 8, 20), minutes=60))
        case "another invoice":
            desk.shop.owes(payer, f"{which}-more")
        case "another address":
            desk.shop.books.keep(customer(payer, contacts=[contact("Eve")], language="en", minutes=90))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    happens=st.lists(st.tuples(st.sampled_from(HAPPENS), st.integers(0, 2)), max_size=3),
    may_shrink=st.booleans(),
    edited=st.booleans(),
)
def test_an_approved_message_whose_facts_changed_never_goes_out(
    desk: Desk, happens: list[tuple[str, int]], may_shrink: bool, edited: bool
) -> None:
    number = next(_NUMBERS)
    payer, invoices = f"C{number}", [f"I{number}-{place}" for place in range(3)]
    for invoice_id in invoices:
        desk.shop.owes(payer, invoice_id)
    desk.night()
    if edited:
        desk.edit(desk.last(), "Dear Ada, as we said.")
    seen = desk.last()
    items, words = desk.items(seen), seen.rendered
    assert desk.approve(seen, may_shrink=may_shrink)
    (message,) = desk.claim()
    for what, place in happens:
        happen(desk, payer, what, invoices[place])
    changed = {what for what, _ in happens} - {"nothing"}

    answer, reason = desk.confirm(message)
    left = desk.pass_gate(message) is None
    assert left is (answer is Confirmation.HOLDS)
    if left:
        assert not changed, "only what was seen goes"
        assert (desk.items(desk.messages()[-1]), desk.last().rendered) == (items, words)
        return
    assert changed, reason
    again = desk.claim()
    if again:
        (smaller,) = again
        assert may_shrink
        assert not edited
        assert changed == {"paid"}
        paid = {invoices[place] for what, place in happens if what == "paid"}
        assert desk.items(smaller) == [one for one in items if one[0] not in paid]
        assert smaller.recipients == seen.recipients
        assert desk.confirm(smaller)[0] is Confirmation.HOLDS
    _settle(desk, payer, invoices)


def _settle(desk: Desk, payer: str, invoices: list[str]) -> None:
    """This customer is out of the way of the next example."""
    for invoice_id in [*invoices, *(f"{one}-more" for one in invoices)]:
        desk.shop.books.keep(invoice(invoice_id, "0.00", customer=payer, minutes=120))
    for message in desk.messages():
        if message.state.value in ("planned", "approved", "claimed"):
            desk.reject(message)
