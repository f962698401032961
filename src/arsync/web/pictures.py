"""Pictures of figures as bars: where each begins and how long it is, in hundredths of the width. A template draws them
in SVG, as wide as the page is and with words of the page's size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_ALL: Final = Decimal(100)
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Value:
    """A figure of a bar, of which series it is, and how a person reads it."""

    series: str
    amount: Decimal
    said: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a picture: what it is of, its sum in words, and its bars, each a stack of values."""

    label: str
    said: str
    stacks: tuple[tuple[Value, ...], ...]
    begins: Decimal = _ZERO  # where its stacks begin: elsewhere than at zero in a bridge


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of one bar, in percent of the picture's width; `top` in pixels below the line's own."""

    series: str
    left: str
    width: str
    top: int
    said: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line as it is drawn, `top` pixels from the picture's upper edge."""

    label: str
    said: str
    top: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A whole picture: its legend as (series, name), its rows, its height in pixels, where zero is if not at the left
    edge, and what it shows in words."""

    title: str
    legend: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    height: int
    zero: str | None
    told: str


_LABEL: Final = 20  # pixels for the words above a bar
_BAR: Final = 14
_GAP: Final = 12


def drawn(title: str, legend: Iterable[tuple[str, str]], lines: Sequence[Line]) -> Picture:
    """The picture of these lines, all by one scale; values below zero go to the left of it."""
    ends = [_ZERO]
    for line in lines:
        for stack in line.stacks:
            at = line.begins
            for value in stack:
                at += value.amount
                ends.append(at)
        ends.append(line.begins)
    low, high = min(ends), max(ends)
    span = (high - low) or Decimal(1)
    rows, top = [], 0
    for line in lines:
        bars = [
            bar
            for number, stack in enumerate(line.stacks)
            for bar in _laid(stack, line.begins, low, span, _LABEL + number * (_BAR + 2))
        ]
        rows.append(Row(line.label, line.said, top, tuple(bars)))
        top += _LABEL + len(line.stacks) * (_BAR + 2) + _GAP
    told = "; ".join(f"{line.label}: {line.said}" for line in lines)
    zero = _percent(-low, span) if low < 0 else None
    return Picture(title, tuple(legend), tuple(rows), max(top - _GAP, 0), zero, told)


def _laid(stack: Sequence[Value], begins: Decimal, low: Decimal, span: Decimal, top: int) -> Iterable[Bar]:
    at = begins
    for value in stack:
        left = min(at, at + value.amount) - low
        at += value.amount
        if value.amount:
            yield Bar(value.series, _percent(left, span), _percent(abs(value.amount), span), top, value.said)


def _percent(part: Decimal, whole: Decimal) -> str:
    return f"{part * _ALL / whole:.3f}%"
