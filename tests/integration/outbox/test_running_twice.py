"""However often the worker runs, the result is that of running it once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text
from tests.integration.outbox.office import Office, clock_of, elsewhere

from arsync.cli.approving import approve_messages
from arsync.connector import TokenPair
from arsync.domain.states import MessageState
from arsync.errors import Locked, UsageError
from arsync.playbook import decide as decide_module
from arsync.store import connections, engine
from arsync.store.vault import dump_pair
from arsync.worker import jobs

Opened = Callable[..., Office]


def busy(open_office: Opened) -> Office:
    office = open_office("quickbooks", "xero")
    for books in office.books:
        for number, name in enumerate(("One Ltd", "Two Ltd")):
            customer = books.customer(name)
            books.invoice(customer, f"{number + 1}00.00", days_late=5)
            books.invoice(customer, f"{number + 1}50.00", days_late=4)
    return office


def test_a_second_run_the_same_day_sends_and_writes_nothing(open_office: Opened) -> None:
    office = busy(open_office)
    app = office.load()
    assert office.night(app).accepted == 4
    notes = sum(len(books.notes()) for books in office.books)
    assert notes == 8
    for hours in (0, 1, 5):
        office.pass_time(hours=hours)
        again = office.night(office.app())
        assert again.accepted == 0
        assert [shift.decided.planned for shift in again.shifts if shift.decided] == [0, 0]
    assert len(office.sent()) == 4
    assert sum(len(books.notes()) for books in office.books) == notes


def test_two_runs_at_once_one_is_locked_out(open_office: Opened) -> None:
    office = busy(open_office)
    office.load()
    other = office.app()
    refused: list[str] = []

    def meanwhile(moment: str, what: str) -> None:
        if moment == "before" and what != "commit" and not refused:
            with pytest.raises(Locked) as locked:
                office.night(other)
            refused.append(str(locked.value))

    night = office.night(office.app(meanwhile))
    assert "held by" in refused[0]
    assert night.accepted == 4
    assert len(office.sent()) == 4


def test_one_company_without_consent_does_not_stop_the_other(open_office: Opened) -> None:
    office = busy(open_office)
    app = office.load()
    with app.store.working() as work:
        quickbooks = connections.connection(work, "our-quickbooks")
        gone = app.vault.seal(dump_pair(TokenPair("", "RT-long-gone", app.clock.now())))
        connections.replace_tokens(work, quickbooks.grant_id, gone, now=app.clock.now())
        work.commit()
    night = office.night(office.app())
    assert night.accepted == 2
    assert [task for task in night.tasks if task.startswith("our-quickbooks is reauthorise: ")]


def test_a_fault_of_ours_in_one_company_does_not_stop_the_other(
    open_office: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = busy(open_office)
    app = office.load()
    original = decide_module.decide

    def decide(store: object, connection: connections.Connection, *rest: object, **more: object) -> object:
        if connection.provider == "quickbooks":
            raise ZeroDivisionError
        return original(store, connection, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs, "decide", decide)
    night = office.night(app)
    assert night.accepted == 2
    assert [shift.errors for shift in night.shifts] == [["unexpected: ZeroDivisionError"], []]


def test_outside_the_window_a_run_plans_and_says_when_it_will_send(open_office: Opened) -> None:
    """
    06-09 17:30 New York: planned; the window opens on 06-10 at 09:00
    06-10 09:30 sent
    """
    office = busy(open_office)
    app = office.load()
    office.pass_time(hours=7)
    night = office.night(app)
    assert night.accepted == 0
    assert [f"{shift.dispatched.opens_at:%m-%d %H:%M}" for shift in night.shifts] == ["06-10 09:00", "06-10 09:00"]
    assert set(office.states(app)) == {"approved"}
    office.pass_time(hours=16)
    assert office.night(app).accepted == 4
    assert len(office.sent()) == 4


def test_a_database_that_another_process_keeps_busy_is_a_lock_and_no_fault(
    open_office: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker suspended within a commit holds the database itself: the next run says so and ends."""
    office = busy(open_office)
    holding = office.load()
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0)
    with holding.store.working() as work:
        assert work.execute(text("SELECT 1")).scalar_one() == 1  # its transaction has begun
        with pytest.raises(Locked, match="another process"):
            office.night(office.app())
    assert office.night(holding).accepted == 4


def test_who_was_suspended_before_its_refresh_takes_the_token_that_another_fetched_meanwhile(
    open_office: Opened,
) -> None:
    """QuickBooks ended the old refresh token; that is no reason to ask a person for consent."""
    office = busy(open_office)
    office.load()
    office.regrant(office.app(), "quickbooks")
    other = office.app()
    fetched: list[str] = []

    def meanwhile(moment: str, what: str) -> None:
        if moment == "before" and what.endswith("tokens/bearer") and not fetched:
            office.pass_time(minutes=2)
            quickbooks, _ = other.linked()
            elsewhere(lambda: fetched.append(other.connector(quickbooks).company().external_id))

    night = office.night(office.app(meanwhile))
    assert fetched
    assert night.tasks == []
    assert night.accepted == 4


def test_a_refused_message_is_not_approved_beside_another_of_its_chase(open_office: Opened) -> None:
    """
    06-09 the message about 900.00 is refused for good
    06-10 that invoice is paid, another is late by now: it has a message of its own, which waits in the outbox
    """
    office = open_office("quickbooks", channel="sendgrid")
    books = office.books[0]
    customer = books.customer("One Ltd")
    books.invoice(customer, "900.00", days_late=5)
    app = office.load()
    office.sandbox.fault("error", {"provider": "sendgrid", "path_contains": "mail/send"}, status=400)
    office.night(app)
    (failed,) = office.messages(app)
    assert failed.state is MessageState.FAILED
    with app.store.working() as work:
        work.execute(text("UPDATE messages SET state = 'superseded' WHERE id = 1"))
        work.commit()
    office.plan(app)
    with app.store.working() as work:
        work.execute(text("UPDATE messages SET state = 'failed' WHERE id = 1"))
        work.commit()
    assert office.states(app) == ["failed", "approved"]
    with pytest.raises(UsageError, match="message 2 of the same chase is approved"):
        approve_messages(app, [failed.id], "Ann")
    assert office.states(app) == ["failed", "approved"]


# --- a company whose vendor asks to come back later -------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "sent", "waited"), [(400, 4, 400), (3600, 2, 0)])
def test_a_throttled_company_is_taken_up_again_when_the_others_are_done(
    open_office: Opened, seconds: int, sent: int, waited: int
) -> None:
    """Xero asks for that many seconds at its sync; QuickBooks' messages do not wait for it."""
    office = busy(open_office)
    app = office.load()
    before = clock_of(app).waited
    office.sandbox.fault("throttle", {"provider": "xero", "path_contains": "/Contacts"}, seconds=seconds)
    night = office.night(app)
    assert night.accepted == sent
    assert [shift.connection for shift in night.shifts] == ["our-quickbooks", "our-xero"]
    throttled = night.shifts[1]
    assert throttled.decided is not None, "planned all the same"
    assert bool(throttled.errors) is (sent == 2)
    assert clock_of(app).waited - before == pytest.approx(waited, abs=30)
