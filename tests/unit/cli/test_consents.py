"""What `arsync connections` says of a consent: on 2026-09-01, of one given on 2026-06-01."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from arsync.cli.consents import as_json, cells
from arsync.store.grants import Grant

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)


def day(month: int, of_month: int) -> datetime:
    return datetime(2026, month, of_month, 12, tzinfo=UTC)


GIVEN = day(6, 1)


def grant(
    *,
    given: datetime | None = GIVEN,
    idle: datetime | None = None,
    hard: datetime | None = None,
    ended: datetime | None = None,
) -> Grant:
    return Grant(1, "quickbooks", given, day(8, 31), idle, hard, ended, None, has_tokens=True)


@pytest.mark.parametrize(
    ("known", "said", "left"),
    [
        (grant(idle=day(9, 11)), "2026-09-11 if unused (10 days)", 10),
        (grant(idle=day(9, 11), hard=day(12, 1)), "2026-09-11 if unused (10 days), 2026-12-01 at the latest", 10),
        (grant(idle=day(8, 20), hard=day(12, 1)), "expired 2026-08-20, unused", 0),
        (grant(idle=day(9, 11), hard=day(8, 1)), "expired 2026-08-01", 0),
        (grant(idle=day(8, 20), ended=day(8, 25)), "ended 2026-08-25", None),
        (grant(), "not known yet, or never", None),
    ],
)
def test_an_end_that_is_past_is_said_as_past(known: Grant, said: str, left: int | None) -> None:
    assert cells(known, NOW) == ("92 days old", "2026-08-31 12:00 UTC", said)
    assert as_json(known, NOW)["days_left"] == left


def test_the_age_of_a_token_from_elsewhere_is_unknown() -> None:
    assert cells(grant(given=None), NOW)[0] == "age unknown"
