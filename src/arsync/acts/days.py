"""Days as a company counts them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from arsync.bootstrap import App
from arsync.errors import UsageError
from arsync.playbook.calendars import public_holidays
from arsync.playbook.places import Place
from arsync.store.connections import Connection

_WEEKEND: Final = 5
_FARTHEST: Final = timedelta(days=3653)


def past(app: App, company: Connection, on: date | None) -> date:
    """The day on which something was done, today where it was not said; UsageError where it is still to come."""
    today = app.today(company)
    day = on or today
    if day > today:
        raise UsageError(f"{day} is still to come; today is {today}", field="day")
    return day


def to_come(day: date, today: date, *, field: str) -> None:
    """UsageError, about that field, where a day that is named for money has passed, or is too far ahead to be meant."""
    if day < today:
        raise UsageError(f"{day} has passed; today is {today}", field=field)
    if day > today + _FARTHEST:
        raise UsageError(f"{day} is more than ten years ahead; today is {today}", field=field)


def last_day(app: App, company: Connection, day: date, grace: int) -> date:
    """The day and so many business days of the company's place."""
    settings = app.settings.company(company.name)
    closed = public_holidays(Place(settings.country or company.country, settings.region))
    while grace:
        day += timedelta(days=1)
        grace -= day.weekday() < _WEEKEND and day not in closed
    return day
