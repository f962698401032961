"""How good the forecast is: made again on past days, beside plain guesses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from arsync.domain.backtest import (
    LEAST,
    SEGMENTS,
    WITHIN,
    Method,
    Score,
    Trial,
    calibration,
    forecast_days,
    score,
    trials,
)
from arsync.domain.forecast import Bill
from arsync.report.sheet import Cell, Column, Sheet, Unit


class Parted(StrEnum):
    """What a row is of."""

    SEGMENT = "segment"
    CHANCE = "chance"


_METHODS: Final = (
    Column("ledger"), Column("of"), Column("method"), Column("n", Unit.COUNT), Column("error", Unit.DAYS),
    Column("median", Unit.DAYS), Column("bias", Unit.DAYS), Column("paid", Unit.COUNT),
    Column("error of paid", Unit.DAYS), Column("late right %", Unit.PERCENT), Column("in range %", Unit.PERCENT),
    Column("Brier"),
)  # fmt: skip
_CHANCES: Final = (
    Column("ledger"), Column("told"), Column("n", Unit.COUNT), Column("mean told %", Unit.PERCENT),
    Column("paid %", Unit.PERCENT),
)  # fmt: skip


def evaluation(ledgers: Sequence[tuple[str, Sequence[Bill], date]], every: int, horizon: int, parted: Parted) -> Sheet:
    """Each ledger (its name, its invoices, the last day of which it tells) by itself: a row for each method and
    segment, or for each tenth of the forecast's chances."""
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    for name, bills, last in ledgers:
        days = forecast_days(bills, last, every, horizon)
        those = list(trials(bills, days, horizon))
        notes += [f"{name}: {note}" for note in _notes(those, days, horizon)]
        rows += _chances(name, those) if parted is Parted.CHANCE else _methods(name, those, horizon)
    title = f"forecast evaluated: up to {horizon} days ahead, a forecast every {every} days"
    return Sheet(title, _CHANCES if parted is Parted.CHANCE else _METHODS, tuple(rows), notes=tuple(notes))


def _methods(name: str, those: Sequence[Trial], horizon: int) -> Iterator[tuple[Cell, ...]]:
    for segment, belongs in SEGMENTS.items():
        part = [one for one in those if belongs(one)]
        if part:
            for method in Method:
                yield (name, segment, method, *_told(score(part, method, horizon)))


def _told(one: Score) -> tuple[Cell, ...]:
    return (
        one.count, _decimal(one.error), one.middle, _decimal(one.bias), one.paid, _decimal(one.error_paid),
        _percent(one.late), _percent(one.covered), _decimal(one.brier, 4),
    )  # fmt: skip


def _chances(name: str, those: Sequence[Trial]) -> Iterator[tuple[Cell, ...]]:
    for one in calibration(those):
        yield name, f"{one.low}-{one.high} %", one.count, _percent(one.told), _percent(one.came)


def _notes(those: Sequence[Trial], days: Sequence[date], horizon: int) -> Iterator[str]:
    if not those:
        yield (
            f"nothing to judge: the later half of the ledger needs open invoices on a day with {horizon} days after "
            f"it, and {LEAST} paid before it"
        )
        return
    made = sorted({one.on for one in those})
    yield f"{len(made)} forecasts from {made[0]} to {made[-1]}, of {len(those)} open invoices together"
    near, plain = (score(those, method, horizon).error for method in (Method.FORECAST, Method.RECENT))
    if near is not None and plain is not None:
        verdict = "nearer than" if near < plain else "no nearer than"
        yield f"the forecast is {verdict} the recent median: {_decimal(near)} and {_decimal(plain)} days"
    for segment, belongs in SEGMENTS.items():
        part = [one for one in those if belongs(one)]
        near, *others = (score(part, method, horizon).error for method in Method)
        best = min((error for error in others if error is not None), default=None)
        if near is not None and best is not None and near > best:
            yield f"it does not help here: {segment}, {_decimal(near)} days, a plain guess {_decimal(best)}"
    near, *others = (score(those, method, horizon).error_paid for method in Method)
    best = min((error for error in others if error is not None), default=None)
    if near is not None and best is not None and near > best:
        yield (
            f"of those that were paid within {horizon} days a plain guess was nearer ({_decimal(best)} days, the "
            f"forecast {_decimal(near)}): the forecast reckons with those that are not paid"
        )
    brier = score(those, Method.FORECAST, horizon).brier
    share = Fraction(sum(one.days <= WITHIN for one in those), len(those))
    if brier is not None and brier >= share * (1 - share):
        yield "its chances are no better than telling each invoice the same"


def _decimal(value: Fraction | None, places: int = 2) -> Decimal | None:
    return None if value is None else Decimal(round(value * 10**places)).scaleb(-places)


def _percent(share: Fraction | None) -> Decimal | None:
    return None if share is None else Decimal(round(share * 1000)).scaleb(-1)
