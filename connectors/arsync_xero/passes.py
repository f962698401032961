"""The walks of a pull, and what its cursors hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec

from arsync.connector import Place, Resource
from arsync.errors import Stale
from arsync_xero.rows import CONTACTS, CREDIT_NOTES, INVOICES, OVERPAYMENTS, PAYMENTS, PREPAYMENTS, Source

#: a delta begins this much before the source's time at the start of the one before
OVERLAP: Final = timedelta(minutes=5)
SALES: Final = 'Type=="ACCREC"'
OPEN: Final = f"{SALES} AND AmountDue>0"
EVERYBODY: Final = {"include_archived": "true"}


@dataclass(frozen=True, slots=True)
class Pass:
    """One walk of a backfill."""

    source: Source
    where: str | None
    filters: dict[str, Any]


class BackfillCursor(msgspec.Struct, frozen=True):
    """Which pass, and where in it; a pass beyond the last one is the end."""

    step: int = 0
    place: Place = Place()


class _DeltaCursor(msgspec.Struct, frozen=True):
    since: datetime


def passes_of(resource: Resource, since: date) -> tuple[Pass, ...]:
    """The walks of a backfill: no two of them meet the same record.

    Payments in Xero are always wholly applied, so their day decides; the other credits have no filter to trust for
    what is left of them, and are all read.
    """
    day = f"DateTime({since.year},{since.month:02},{since.day:02})"
    match resource:
        case Resource.CUSTOMERS:
            return (Pass(CONTACTS, None, EVERYBODY),)
        case Resource.INVOICES:
            return (
                Pass(INVOICES, f"{OPEN} AND Date<{day}", {"statuses": ["AUTHORISED"]}),
                Pass(INVOICES, f"{SALES} AND Date>={day}", {}),
            )
        case Resource.PAYMENTS:
            return (
                Pass(PAYMENTS, f"Date>={day}", {}),
                Pass(OVERPAYMENTS, None, {}),
                Pass(PREPAYMENTS, None, {}),
            )
        case Resource.CREDIT_NOTES:
            return (Pass(CREDIT_NOTES, None, {}),)


def backfill_cursor(text: str | None) -> BackfillCursor:
    """The place in a load's cursor; the start where it holds none."""
    if text is None:
        return BackfillCursor()
    try:
        return msgspec.json.decode(text, type=BackfillCursor)
    except msgspec.DecodeError:
        return BackfillCursor()  # reading all once more loses nothing


def delta_cursor(at: datetime) -> str:
    """The cursor of a delta that begins the overlap before then."""
    return msgspec.json.encode(_DeltaCursor((at - OVERLAP).astimezone(UTC))).decode()


def since_of(cursor: str) -> datetime:
    """When a delta begins; Stale where its cursor cannot be read."""
    try:
        found = msgspec.json.decode(cursor, type=_DeltaCursor).since
    except msgspec.DecodeError:
        raise Stale("the cursor of the delta cannot be read") from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
