"""What happens after the plan and before the first byte decides: nobody is chased for what they do not owe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.outbox.office import MORNING, TODAY, Books, Office

from arsync.bootstrap import App
from arsync.domain.chase import Hold
from arsync.domain.states import HoldKind
from arsync.outbox import send as sending
from arsync.store import connections, holds
from arsync.store.engine import Work
from arsync.sync.refresh import refresh
from arsync.worker import dispatch as dispatching
from arsync.worker import pulling

Opened = Callable[..., Office]


def one_overdue(open_office: Opened, vendor: str) -> tuple[Office, Books, str, str]:
    """Aldgate owes 900.00, five days late."""
    office = open_office(vendor)
    books = office.books[0]
    customer = books.customer("Aldgate Ltd")
    return office, books, customer, books.invoice(customer, "900.00", days_late=5)


EVENTS: dict[str, Callable[[Books, str, str], object]] = {
    "paid": lambda books, _customer, invoice: books.act("pay", invoice=invoice),
    "unapplied receipt": lambda books, customer, _: books.act("pay_unapplied", customer=customer, amount="900.00"),
    "more than owed, unapplied": lambda books, customer, _: books.act(
        "pay_unapplied", customer=customer, amount="1000.00"
    ),
    "credit note, not allocated": lambda books, customer, _: books.act(
        "credit_note", customer=customer, amount="900.00"
    ),
    "credit note, allocated": lambda books, customer, invoice: books.act(
        "credit_note", customer=customer, amount="900.00", apply_to=invoice
    ),
    "voided": lambda books, _customer, invoice: books.act("void", invoice=invoice),
    "deleted": lambda books, _customer, invoice: books.act("delete", invoice=invoice),
    "due later": lambda books, _customer, invoice: books.act(
        "edit", invoice=invoice, due_date=(TODAY + timedelta(days=20)).isoformat()
    ),
}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_what_is_not_owed_any_more_is_not_chased(
    open_office: Opened, vendor: str, event: Callable[[Books, str, str], object]
) -> None:
    """
    06-09 10:30 planned: friendly, 900.00
    06-09 10:40 the event
    06-09 10:41 dispatch: nothing leaves
    06-10       nothing leaves
    """
    office, books, customer, invoice = one_overdue(open_office, vendor)
    app = office.load()
    office.plan(app)
    assert office.states(app) == ["approved"]
    office.pass_time(minutes=10)
    event(books, customer, invoice)
    office.pass_time(minutes=1)

    done = office.dispatch(app)

    assert [reason for _, reason in done.withdrawn], "the reason is told"
    assert not done.accepted
    assert office.states(app) == ["superseded"]
    assert "act" not in standing(app), "the verdict that stands is not the plan's any more"
    office.pass_time(days=1)
    assert office.night(app).accepted == 0
    assert office.sent() == []
    assert books.notes() == []


def standing(app: App) -> list[str]:
    """The decisions that stand."""
    with app.store.reading() as work:
        return list(work.execute(text("SELECT decision FROM verdicts WHERE last_run IS NULL")).scalars())


@pytest.mark.parametrize("switch", [True, False], ids=["payments touch invoices", "payments touch no invoice"])
def test_a_payment_is_seen_whether_or_not_it_touches_its_invoice(
    open_office: Opened, vendor: str, switch: bool
) -> None:
    office, books, _, invoice = one_overdue(open_office, vendor)
    office.sandbox.switches({f"{vendor}.payment_bumps_invoice": switch})
    app = office.load()
    office.plan(app)
    office.pass_time(minutes=10)
    books.act("pay", invoice=invoice)
    assert not office.dispatch(app).accepted
    assert office.sent() == []


def test_a_part_payment_makes_a_new_revision_with_the_new_amount(open_office: Opened, vendor: str) -> None:
    office, books, _, invoice = one_overdue(open_office, vendor)
    app = office.load()
    office.plan(app)
    office.pass_time(minutes=10)
    books.act("pay", invoice=invoice, amount="250.00")

    office.dispatch(app)

    first, second = office.messages(app)
    assert (first.state.value, first.revision, str(first.amount)) == ("superseded", 1, "900.00")
    assert (second.state.value, second.revision, str(second.amount)) == ("accepted", 2, "650.00")
    (letter,) = office.sent()
    assert letter["key"] == second.key
    assert "$650.00" in letter["text"]


def test_a_new_address_gets_the_new_revision(open_office: Opened, vendor: str) -> None:
    office, books, customer, _ = one_overdue(open_office, vendor)
    app = office.load()
    office.plan(app)
    office.pass_time(minutes=10)
    books.act("edit_customer", customer=customer, email="new.clerk@aldgate.example")

    office.dispatch(app)

    assert office.states(app) == ["superseded", "accepted"]
    (letter,) = office.sent()
    assert letter["to"] == ["new.clerk@aldgate.example"]


def test_a_new_invoice_of_the_payer_is_named_before_the_message_leaves(open_office: Opened, vendor: str) -> None:
    office, books, customer, _ = one_overdue(open_office, vendor)
    app = office.load()
    office.plan(app)
    office.pass_time(minutes=10)
    books.invoice(customer, "77.00", days_late=4)

    office.dispatch(app)

    assert [message.amount for message in office.messages(app)] == [900, 977]
    assert len(office.sent()) == 1


# --- between the confirmation and the gate -----------------------------------------------------------------------


def a_hold(kind: HoldKind, *, on_invoice: bool) -> Callable[[Work, int, str, str], Any]:
    def place(work: Work, connection_id: int, customer: str, invoice: str) -> None:
        one = Hold(kind, "they rang", "Ann", customer, invoice if on_invoice else None, begins=TODAY, until=None)
        holds.place(work, connection_id, one, now=MORNING)
        work.commit()

    return place


def a_stop(work: Work, _connection: int, _customer: str, _invoice: str) -> None:
    connections.press_stop(work, author="Ann", reason="wait", now=MORNING)
    work.commit()


INTERVENTIONS = {
    "pause of the payer": a_hold(HoldKind.PAUSE, on_invoice=False),
    "dispute of the invoice": a_hold(HoldKind.DISPUTE, on_invoice=True),
    "stop": a_stop,
}


def intervening(
    monkeypatch: pytest.MonkeyPatch, app: App, intervene: Callable[[Work, int, str, str], Any], *names: str
) -> None:
    """Somebody acts right after the message was confirmed and before it asks at the gate."""
    original = sending.send

    def send(*given: Any) -> Any:
        (connection,) = app.linked()
        with app.store.working() as work:
            intervene(work, connection.id, *names)
        return original(*given)

    monkeypatch.setattr(dispatching, "send", send)


@pytest.mark.parametrize("intervene", INTERVENTIONS.values(), ids=INTERVENTIONS)
def test_the_last_gate_obeys_what_was_said_after_the_confirmation(
    open_office: Opened, monkeypatch: pytest.MonkeyPatch, intervene: Callable[[Work, int, str, str], Any]
) -> None:
    office, _books, customer, invoice = one_overdue(open_office, "quickbooks")
    app = office.load()
    office.plan(app)
    intervening(monkeypatch, app, intervene, customer, invoice)

    done = office.dispatch(app)

    # It was looked at once more, alone: what stops all leaves it waiting, what is about it withdraws it.
    assert [message.state for message in office.messages(app)] == ["approved" if intervene is a_stop else "superseded"]
    assert len(done.postponed) + len(done.withdrawn) == 1
    monkeypatch.undo()
    office.pass_time(minutes=5)
    assert office.night(app).accepted == 0
    assert office.sent() == []


def test_after_the_stop_is_released_the_message_goes_out_once(
    open_office: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, _, customer, invoice = one_overdue(open_office, "quickbooks")
    app = office.load()
    office.plan(app)
    intervening(monkeypatch, app, a_stop, customer, invoice)
    office.dispatch(app)
    monkeypatch.undo()
    office.pass_time(minutes=5)
    with app.store.working() as work:
        connections.release_stop(work)
        work.commit()
    assert office.night(app).accepted == 1
    assert len(office.sent()) == 1


def test_a_change_that_another_process_stores_after_the_confirmation_closes_the_gate(
    open_office: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A webhook's delta may come at any moment: the payer's chase has another version then."""
    office, books, customer, invoice = one_overdue(open_office, "quickbooks")
    app = office.load()
    office.plan(app)
    other = office.app()

    original = sending.send

    def send(*given: Any) -> Any:
        books.act("pay", invoice=invoice)
        (connection,) = other.linked()
        refresh(other.store, connection, other.connector(connection), {customer}, other.clock)
        return original(*given)

    monkeypatch.setattr(dispatching, "send", send)
    done = office.dispatch(app)
    # The gate says no, and the look after it says why.
    assert [reason for _, reason in done.withdrawn] == ["nothing is owed any more"]
    assert office.sent() == []


def test_what_goes_out_the_day_after_says_that_days_count_and_so_do_we(open_office: Callable[..., Office]) -> None:
    office = open_office("quickbooks")
    books = office.books[0]
    books.invoice(books.customer("Aldgate Ltd"), "900.00", days_late=5)
    app = office.load()
    office.plan(app)
    office.pass_time(days=1)
    for linked in app.linked():
        pulling.update(app.store, app.desk(linked), app.clock)
    office.dispatch(app)
    (message,), (sent,) = office.messages(app), office.sent()
    assert "6 days late" in " ".join(message.text.split())
    assert sent["text"].split() == message.text.split()
