"""A message whose row cannot be read is named and set aside, and stops nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import insert, update
from tests.integration.outbox.office import Office

from arsync.bootstrap import App
from arsync.store import messages
from arsync.store import tables as t

Opened = Callable[..., Office]
NO_LISTS = ("One Ltd <one@one.example>", "", "7", '{"to": "one@one.example"}', '["one@one.example", 5]')


def three_owe(open_office: Opened, **more: str) -> Office:
    """One, Two and Three owe 900, 500 and 300, five days late."""
    office = open_office("quickbooks", channel="sendgrid", **more)
    for name, amount in (("One Ltd", "900.00"), ("Two Ltd", "500.00"), ("Three Ltd", "300.00")):
        office.books[0].invoice(office.books[0].customer(name), amount, days_late=5)
    return office


def spoil(app: App, message_id: int, **columns: str) -> None:
    """Somebody has edited the row by hand, or the disk has."""
    with app.store.working() as work:
        work.execute(update(t.messages).where(t.messages.c.id == message_id).values(**columns))
        work.commit()


def mailed(office: Office, app: App) -> list[str]:
    ours = {message.key for message in office.messages(app)}
    return sorted(address for mail in office.sent() if mail["key"] in ours for address in mail["to"])


@pytest.mark.parametrize("kept", NO_LISTS)
def test_a_message_whose_recipients_cannot_be_read_is_named_and_planned_anew(open_office: Opened, kept: str) -> None:
    """
    09:00 planned: One, Two, Three
    10:00 the row of One is spoilt
    10:30 the run names it, sets it aside, and writes to all three: to One by a new revision
    """
    office = three_owe(open_office)
    app = office.load()
    office.plan(app)
    spoil(app, 1, recipients=kept)
    (shift,) = (night := office.night(app)).shifts
    assert night.accepted == 3
    assert shift.errors == [
        "message 1 (friendly to One Ltd) is set aside: its recipients cannot be read; what is still to be said is "
        "planned anew"
    ]
    assert office.states(app) == ["superseded", "accepted", "accepted", "accepted"]
    assert mailed(office, app) == ["accounts@one.example", "accounts@three.example", "accounts@two.example"]
    assert office.night(app).shifts[0].errors == []


def test_one_that_is_spoilt_after_it_was_planned_goes_out_by_a_new_revision(open_office: Opened) -> None:
    """It stops no other of its batch, and nobody is written to twice."""
    office = three_owe(open_office)
    app = office.load()
    office.plan(app)
    spoil(app, 2, copies="[")
    done = office.dispatch(app)
    assert [(one.id, why) for one, why in done.withdrawn] == [(2, "its copies cannot be read")]
    assert office.states(app) == ["accepted", "superseded", "accepted", "accepted"]
    assert len(mailed(office, app)) == 3


@pytest.mark.parametrize("state", ["failed", "unknown", "accepted", "bounced", "presumed_sent"])
def test_one_that_left_or_was_refused_stops_no_later_night(open_office: Opened, state: str) -> None:
    """An address of somebody else is suppressed, so that the gate looks at everybody's."""
    office = three_owe(open_office)
    app = office.load()
    office.night(app)
    with app.store.working() as work:
        gone = {"address": "gone@other.example", "kind": "bounce", "source": "sendgrid", "reason": "no such user"}
        work.execute(insert(t.suppressions).values(**gone, since=app.clock.now()))
        work.commit()
    spoil(app, 1, recipients="nonsense", state=state)
    office.books[0].invoice(office.books[0].customer("Four Ltd"), "100.00", days_late=5)
    office.pass_time(days=1)
    night = office.night(app)
    assert (night.accepted, night.shifts[0].errors) == (1, [])
    with app.store.reading() as work:
        assert messages.get(work, 1).recipients == ()
