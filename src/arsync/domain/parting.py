"""An open invoice in parts: what was promised of it and when, what is held, and what is paid as usual."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from arsync.domain.forecast import Expectation, Held, Promised
from arsync.domain.survival import SURE

#: A payer's own promises are weighed with so many of the company's.
_WORTH: Final = 2


@dataclass(frozen=True, slots=True)
class Promise:
    """What is promised for some invoices; `paid_before` and `paid`: what lay on them when it was given, and lies on
    them now. Amounts in ten-thousandths."""

    payer: str
    currency: str
    units: int
    promised_on: date
    until: date
    kept: bool
    plan: int | None
    invoices: tuple[str, ...]
    paid_before: int
    paid: int


def outstanding(promises: Iterable[Promise], on: date) -> list[tuple[Promise, int]]:
    """The promises that stand at the end of that day, by their days, and what is still to come of each: of several
    about the same invoices the earlier has the first money. What is past its grace is broken, also where nobody has
    said so yet."""
    reached: dict[tuple[int | None, tuple[str, ...]], int] = {}
    found = []
    for one in sorted(promises, key=lambda promise: promise.promised_on):
        same = (one.plan, one.invoices)
        needed = max(one.paid_before, reached.get(same, one.paid_before)) + one.units
        if one.kept:
            reached[same] = needed
        elif one.until > on:
            reached[same] = needed
            missing = min(needed - one.paid, one.units)
            if missing > 0:
                found.append((one, missing))
    return found


def laid(
    standing: Iterable[tuple[Promise, int]], open_: dict[str, tuple[str, int]]
) -> dict[str, list[tuple[Promise, int]]]:
    """What is promised, laid on the invoices it is about (id -> currency and what is open), in the order in which
    `open_` has them."""
    left = {invoice: units for invoice, (_, units) in open_.items()}
    place = {invoice: number for number, invoice in enumerate(open_)}
    parts: defaultdict[str, list[tuple[Promise, int]]] = defaultdict(list)
    for one, missing in standing:
        still = missing
        for invoice in sorted((name for name in one.invoices if name in place), key=place.__getitem__):
            part = min(still, left[invoice])
            if part > 0 and open_[invoice][0] == one.currency:
                parts[invoice].append((one, part))
                left[invoice] -= part
                still -= part
    return parts


def kept_chances(counts: dict[str, tuple[int, int]]) -> dict[str | None, int]:
    """The chance that a promise of each payer is kept, from how many were kept and broken: drawn to that of the
    company, which is under None, and is drawn to one half."""
    every = sum(kept for kept, _ in counts.values())
    of = every + sum(broken for _, broken in counts.values())
    company = (every + 1) * SURE // (of + 2)
    chances: dict[str | None, int] = {None: company}
    for payer, (kept, broken) in counts.items():
        chances[payer] = (kept * SURE + _WORTH * company) // (kept + broken + _WORTH)
    return chances


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an open invoice, what is expected of it, and why."""

    units: int
    expected: Expectation
    why: str


def parts(
    units: int, usual: Expectation, why: str, promised: Sequence[tuple[Promise, int, int]], on: date,
    disputed: tuple[int, int | None] | None, held: tuple[str, int | None] | None,
) -> list[Part]:  # fmt: skip
    """What is open, in parts that add up to it: each promise with its part and the chance that it is kept; then what is
    `disputed` (how much, and in how many days that ends); the rest, which may be `held` (why, and for how long)."""
    found = []
    for one, part, kept in promised:
        day = max((one.promised_on - on).days, 1)
        grace = max((one.until - on).days, day)
        found.append(Part(part, Promised(day, grace, kept, usual), "instalment" if one.plan is not None else "promise"))
        units -= part
    if held is not None:
        return [*found, Part(units, Held(usual, held[1]), held[0])] if units else found
    if disputed is not None and (part := min(disputed[0], units)):
        found.append(Part(part, Held(usual, disputed[1]), "disputed"))
        units -= part
    return [*found, Part(units, usual, why)] if units else found
