"""Messages leave in the customer's own hours: the plan, the claim and the last look agree on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.integration.outbox.office import Office

from arsync.errors import ConfigurationError
from arsync.store import verdicts
from arsync.sync.refresh import refresh
from arsync.worker import dispatch as dispatching

Opened = Callable[..., Office]


def test_each_customer_is_written_to_in_its_own_hours(open_office: Opened, vendor: str) -> None:
    """
    06-09 10:30 in New York is 07:30 in Los Angeles: the one in Albany is written to
    06-09 12:05 in New York: the one in Fresno
    """
    office = open_office(vendor)
    for name, region in (("Albany Ltd", "NY"), ("Fresno Ltd", "CA")):
        customer = office.books[0].act(
            "new_customer", name=name, email=f"{name[:6]}@example.com", country="US", region=region
        )
        office.books[0].invoice(str(customer["customer"]), "100.00", days_late=5)
    app = office.load()
    (shift,) = office.night(app).shifts
    assert [mail["to"] for mail in office.sent()] == [["Albany@example.com"]]
    assert f"{shift.dispatched.opens_at:%m-%d %H:%M %Z}" == "06-09 12:00 EDT"
    office.pass_time(hours=1, minutes=35)
    (shift,) = office.night(app).shifts
    assert (shift.dispatched.opens_at, len(office.sent())) == (None, 2)


def test_a_window_that_closes_while_the_books_are_read_is_closed(
    open_office: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    06-09 16:58 planned and claimed
    06-09 17:03 read again: nothing leaves
    06-10 09:30 it leaves
    """
    office = open_office("quickbooks")
    customer = office.books[0].customer("Aldgate Ltd")
    office.books[0].invoice(customer, "100.00", days_late=5)
    app = office.load()
    office.pass_time(hours=6, minutes=28)
    office.plan(app)

    def slow(*arguments: Any, **more: Any) -> Any:
        office.pass_time(minutes=5)
        return refresh(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(dispatching, "refresh", slow)
        done = office.dispatch(app)
    assert [reason for _message, reason in done.postponed] == ["the send window opens on 2026-06-10 at 09:00 EDT"]
    assert office.states(app) == ["approved"]
    assert office.sent() == []
    office.pass_time(hours=16, minutes=27)
    assert office.night(app).accepted == 1


def test_on_a_day_on_which_the_company_is_closed_nothing_is_planned(open_office: Opened) -> None:
    """
    06-09 and 06-10 stocktaking
    06-11 friendly
    """
    office = open_office("quickbooks", defaults='closed = ["06-09..06-10 stocktaking"]')
    customer = office.books[0].customer("Aldgate Ltd")
    invoice = office.books[0].invoice(customer, "100.00", days_late=5)
    app = office.load()
    (shift,) = office.night(app).shifts
    (linked,) = app.linked()
    with app.store.reading() as work:
        (verdict,) = verdicts.of_invoice(work, linked.id, str(invoice))
    assert verdict.reason == "friendly waits for the next business day, 2026-06-11 (stocktaking)"
    assert f"{verdict.next_on}" == "2026-06-11"
    assert f"{shift.dispatched.opens_at:%m-%d %H:%M}" == "06-11 09:00"
    office.pass_time(days=1)
    assert office.night(app).accepted == 0
    office.pass_time(days=1)
    assert office.night(app).accepted == 1


def test_a_company_that_is_closed_all_year_is_told_at_once(open_office: Opened) -> None:
    office = open_office("quickbooks", defaults='closed = ["01-01..12-31 retired"]')
    with pytest.raises(
        ConfigurationError, match=r"closed, beside playbook standard: blackouts \(retired\) leave no day"
    ):
        office.load()
