"""What the fields of QuickBooks' records hold; one that a record cannot be without is named where it is missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

from arsync.domain.documents import Deleted, Resource
from arsync.domain.money import amount
from arsync_quickbooks import wire

#: Tells the company's own currency, for records of a company that knows only one.
Home = Callable[[], str]

#: The time of a tombstone that does not tell its own.
BEFORE_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Unreadable(ValueError):
    """A record lacks what it cannot be without; the text names the field and no content."""


def id_of(found: wire.Entity) -> str:
    """The record's id."""
    return str(found.id) if found.id else required(text_of(found.id), "Id")


def text_of(value: str | int | None) -> str | None:
    """A text or number as text; None for nothing."""
    if isinstance(value, str):
        return value or None
    return None if value is None else str(value)


def required(value: str | None, field: str) -> str:
    """The text; Unreadable, with the field's name, where there is none."""
    if value is None:
        raise Unreadable(f"{field} is missing")
    return value


def value_of(ref: wire.Ref | str | None) -> str | None:
    """The id that a reference names."""
    return text_of(ref.value) if isinstance(ref, wire.Ref) else None


def amount_of(value: Decimal | None, field: str) -> Decimal:
    """The amount, exactly; Unreadable where it is missing or cannot be kept."""
    if value is None:
        raise Unreadable(f"{field} is missing")
    if not value:
        return value  # most balances
    try:
        return amount(value)
    except (ValueError, ArithmeticError):
        raise Unreadable(f"{field} is no amount that can be kept exactly") from None


def currency_of(ref: wire.Ref | str | None, home: Home) -> str:
    """The currency that a record names, else the company's own."""
    return value_of(ref) or home()


def date_of(text: str | None, field: str) -> date:
    """The day of a field that must have one."""
    return day_of(required(text, field), field)


@lru_cache(maxsize=4096)
def day_of(text: str, field: str) -> date:
    """The day of a text; Unreadable where it is none."""
    try:
        return date.fromisoformat(text[:10])  # a zone or a time may follow
    except ValueError:
        raise Unreadable(f"{field} is no date") from None


def updated_at(found: wire.Entity) -> datetime:
    """When the record was last changed, in UTC."""
    meta = found.meta_data
    if not isinstance(meta, wire.MetaData) or meta.last_updated_time is None:
        raise Unreadable("MetaData.LastUpdatedTime is missing")
    instant = meta.last_updated_time
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def name_of(ref: wire.NamedRef | str | None) -> str | None:
    """The name that a reference shows."""
    return ref.name or None if isinstance(ref, wire.NamedRef) else None


def rate_of(rate: Decimal | None) -> Decimal | None:
    """Of a document in another currency: QuickBooks, too, counts home units for one of it."""
    if rate is None:
        return None
    return rate if rate.is_finite() and rate > 0 and rate != 1 else None


def tombstone(resource: Resource, found: wire.Entity) -> Deleted:
    """A record that is gone, as of when QuickBooks says so."""
    told = isinstance(found.meta_data, wire.MetaData) and found.meta_data.last_updated_time
    return Deleted(resource=resource, remote_id=id_of(found), updated_at=updated_at(found) if told else BEFORE_ALL)
