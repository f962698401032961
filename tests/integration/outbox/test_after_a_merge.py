"""Nights before and after two customers become one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from tests.integration.outbox.office import Office

from arsync.bootstrap import App
from arsync.domain.chase import Hold
from arsync.domain.states import HoldKind, MessageState
from arsync.store import connections, finding, holds, succession


def steps(office: Office, app: App) -> list[tuple[str, str]]:
    """Each message that went out or waits for approval: its step and whom it goes to."""
    out = [one for one in office.messages(app) if one.state in (MessageState.ACCEPTED, MessageState.PLANNED)]
    return [(one.step_id, one.recipients[0]) for one in out]


def test_a_customer_chased_under_one_name_is_not_chased_anew_under_another(
    open_office: Callable[..., Office], vendor: str
) -> None:
    """
    night 1       friendly goes to Acme, five days late
    day 2         Acme is merged into Bolt
    nights 2-30   firm waits for approval, to Bolt, the gap kept over the merge; explain tells of it
    """
    office = open_office(vendor)
    book = office.book(vendor)
    acme, bolt = book.customer("Acme Ltd"), book.customer("Bolt Ltd")
    invoice = book.invoice(acme, "100.00", days_late=5)
    office.begin_day()
    app = office.load()
    assert office.night(app).accepted == 1
    office.pass_time(days=1)
    book.act("merge", customer=acme, into=bolt)
    for _ in range(15):
        night = office.night(app)
        assert [shift.errors for shift in night.shifts] == [[]]
        office.pass_time(days=2)
    out = steps(office, app)
    assert [step for step, _ in out] == ["friendly", "firm"], "the chase goes on, and no step comes twice"
    assert "bolt" in out[1][1]
    first, second = (one.planned_on for one in office.messages(app) if one.step_id in ("friendly", "firm"))
    assert (second - first).days >= 5
    with app.store.reading() as work:
        (connection,) = connections.connections(work)
        found = next(iter(finding.find_invoices(work, invoice)))
        (change,) = succession.changes_of(work, connection.id, found.customer_id, invoice)
    assert (change.former, change.payer, change.how) == (acme, bolt, "joined")


def test_a_disputed_debt_stays_disputed_under_another_name(open_office: Callable[..., Office], vendor: str) -> None:
    office = open_office(vendor)
    book = office.book(vendor)
    acme, bolt = book.customer("Acme Ltd"), book.customer("Bolt Ltd")
    book.invoice(acme, "100.00", days_late=5)
    office.begin_day()
    app = office.load()
    with app.store.working() as work:
        (connection,) = connections.connections(work)
        disputed = Hold(HoldKind.DISPUTE, "broken", "ann", acme, None, date(2026, 6, 1), None)
        holds.place(work, connection.id, disputed, now=app.clock.now())
        work.commit()
    book.act("merge", customer=acme, into=bolt)
    for _ in range(4):
        assert office.night(app).accepted == 0
        office.pass_time(days=7)
