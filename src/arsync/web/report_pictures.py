"""Which picture belongs to a report: drawn from its sheet, one currency at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from arsync.domain.aging import AgingBucket
from arsync.domain.money import Money
from arsync.report.sheet import Sheet
from arsync.store.activity import Act
from arsync.web.look import Look
from arsync.web.pictures import Line, Picture, Value, drawn

Record = Mapping[str, Any]
_Draw = Callable[[Look, Sequence[Record], str], Picture | None]
#: So many payers, reasons or people stand in a picture; the table has all.
_MOST: Final = 12


def pictures(name: str, sheet: Sheet, look: Look) -> list[Picture]:
    """The pictures of that report, for each currency one; none where nothing can be seen by one."""
    records = sheet.records(sheet.rows)
    draw = _BY_PAYER.get(name) if records and "payer" in records[0] else _DRAWN.get(name)
    if draw is None or not records:
        return []
    by_currency = sorted(records, key=lambda one: one.get("currency") or "")
    found = [
        draw(look, list(those), currency)
        for currency, those in groupby(by_currency, lambda one: one.get("currency", ""))
    ]
    return sorted((one for one in found if one is not None and one.rows), key=lambda one: -one.height)


def _value(look: Look, series: str, name: str, amount: Decimal, currency: str) -> Value:
    return Value(series, amount, f"{name}: {look.money(Money(amount, currency))}")


def _highest(records: Sequence[Record], key: str) -> list[Record]:
    return sorted((one for one in records if one[key]), key=lambda one: -abs(one[key]))[:_MOST]


# --- what is owed -----------------------------------------------------------------------------------------------------

_AGES: Final = tuple((f"age{number}", one.value) for number, one in enumerate(AgingBucket))


def _aging(look: Look, records: Sequence[Record], currency: str) -> Picture:
    every = {name: sum((one[name] for one in records), start=Decimal(0)) for _, name in _AGES}
    lines = [_aged(look, "All", every, currency)]
    who = "customer" if "customer" in records[0] else "payer"
    lines += [_aged(look, one[who], one, currency) for one in _highest(records, "open")]
    return drawn(f"Open by age, {currency}: all, and who owes most", _named_ages(), _scaled(lines))


def _named_ages() -> list[tuple[str, str]]:
    return [(series, "not due" if name == AgingBucket.CURRENT else f"{name} days") for series, name in _AGES]


def _aged(look: Look, label: str, record: Mapping[str, Any], currency: str) -> Line:
    total = sum((record[name] for _, name in _AGES), start=Decimal(0))
    names = dict(_named_ages())
    values = tuple(_value(look, series, names[series], record[name], currency) for series, name in _AGES)
    return Line(label, look.money(Money(total, currency)), (values,))


def _scaled(lines: list[Line]) -> list[Line]:
    """The first line, of all, fills the width; the others have one scale of their own, so that they can be read."""
    first, *others = lines
    longest = max((sum(one.amount for one in line.stacks[0]) for line in others), default=Decimal(0))
    whole = sum((one.amount for one in first.stacks[0]), start=Decimal(0))
    if not longest or whole <= longest:
        return lines
    shrunk = tuple(Value(one.series, one.amount * longest / whole, one.said) for one in first.stacks[0])
    return [Line(first.label, first.said, (shrunk,)), *others]


def _exposure(look: Look, records: Sequence[Record], currency: str) -> Picture:
    lines = []
    for one in records[:_MOST]:
        overdue = min(one["overdue"], one["balance"])
        values = (
            _value(look, "age3", "overdue", overdue, currency),
            _value(look, "age0", "not overdue", one["balance"] - overdue, currency),
        )
        share = "" if one["share"] is None else f" · {look.percent(one['share'])}"
        lines.append(Line(one["payer"], f"{look.money(Money(one['balance'], currency))}{share}", (values,)))
    legend = [("age3", "overdue"), ("age0", "not overdue")]
    return drawn(f"Highest balances, {currency}, and their part of all", legend, lines)


_BRIDGE: Final = ("open before", "invoiced", "received", "credited", "otherwise", "open now")


def _changes(look: Look, records: Sequence[Record], currency: str) -> Picture:
    lines, at = [], Decimal(0)
    for one in records:
        what, amount = one["what"], one["amount"]
        if what not in _BRIDGE or amount is None:
            continue
        is_end = what.startswith("open")
        series = "age0" if is_end else "up" if amount > 0 else "down"
        said = look.money(Money(amount, currency))
        lines.append(Line(what, said, ((Value(series, amount, f"{what}: {said}"),),), Decimal(0) if is_end else at))
        at = amount if is_end else at + amount
    legend = [("age0", "open"), ("up", "more is owed"), ("down", "less is owed")]
    return drawn(f"From what was open to what is open, {currency}", legend, lines)


def _changes_by_payer(look: Look, records: Sequence[Record], currency: str) -> Picture:
    lines = []
    for one in _highest(records, "change"):
        said = look.money(Money(one["change"], currency))
        series = "up" if one["change"] > 0 else "down"
        lines.append(Line(one["payer"], said, ((Value(series, one["change"], said),),)))
    return drawn(f"Balances that moved most, {currency}", [("up", "owes more"), ("down", "owes less")], lines)


def _forecast(look: Look, records: Sequence[Record], currency: str) -> Picture:
    """Each week with anything in it, and its range below; what comes later or never is told in words, as it would
    dwarf the weeks."""
    lines, told = [], ""
    for one in records:
        expected, low, high = (look.money(Money(one[key], currency)) for key in ("expected", "p10", "p90"))
        said = f"{expected} ({low} to {high})"
        if one["to"] is None:
            told = f"; later or never: {said}"
        elif one["expected"] or one["p90"]:
            between = f"eight of ten times {low} to {high}"
            likely = (Value("none", one["p10"], low), Value("two", one["p90"] - one["p10"], between))
            lines.append(
                Line(f"until {look.day(one['to'])}", said, ((Value("one", one["expected"], expected),), likely))
            )
    legend = [("one", "expected"), ("two", "between what eight of ten times")]
    return drawn(f"Expected by week, {currency}{told}", legend, lines)


def _disputes(look: Look, records: Sequence[Record], currency: str) -> Picture:
    lines = []
    for one in _highest(records, "contested"):
        said = look.money(Money(one["contested"], currency))
        lines.append(Line(_words(one["reason"]) or "no reason given", said, ((Value("one", one["contested"], said),),)))
    return drawn(f"Contested by reason, {currency}", [("one", "contested")], lines)


# --- how long, how often ----------------------------------------------------------------------------------------------

_DSO: Final = (
    ("dso", "DSO, by the sales of the period", "one"), ("best", "at best, by the sales of the period", "two"),
    ("dso_back", "DSO, by counting back", "one"), ("best_back", "at best, by counting back", "two"),
)  # fmt: skip


def _dso(look: Look, records: Sequence[Record], currency: str) -> Picture:
    (one,) = records
    lines = [
        Line(label, look.days(one[key]), ((Value(series, one[key], look.days(one[key])),),))
        for key, label, series in _DSO
        if one[key] is not None
    ]
    legend = [("one", "as it is"), ("two", "if all paid on the day it is due")]
    return drawn(f"Days of sales outstanding, {currency}", legend, lines)


def _cei(look: Look, records: Sequence[Record], currency: str) -> Picture | None:
    (one,) = records
    if one["cei"] is None or one["cei"] < 0:
        return None
    said = look.percent(one["cei"])
    rest = max(Decimal(100) - one["cei"], Decimal(0))
    stack = (Value("one", one["cei"], f"collected: {said}"), Value("rest", rest, "of 100"))
    return drawn(f"Of what could be collected, {currency}", [("one", "collected")], [Line("collected", said, (stack,))])


def _days_to_pay(look: Look, records: Sequence[Record], currency: str) -> Picture:
    lines = []
    for one in sorted(records, key=lambda one: -one["received"])[:_MOST]:
        days, late = one["days_to_pay"], one["days_late"]
        told = [
            (series, what, value)
            for series, what, value in (("two", "after the invoice", days), ("one", "after the due date", late))
            if value is not None
        ]
        said = ", ".join(f"{look.days(value)} {what}" for _, what, value in told)
        stacks = tuple((Value(series, value, f"{look.days(value)} {what}"),) for series, what, value in told)
        lines.append(Line(one.get("payer") or "All payers", said, stacks))
    legend = [("two", "days after the invoice"), ("one", "days after its due date")]
    return drawn(f"When money came, {currency}", legend, lines)


def _promises(look: Look, records: Sequence[Record], currency: str) -> Picture:
    lines = []
    for one in records[:_MOST]:
        kinds = (("kept", "kept"), ("broken", "broken"), ("undecided", "undecided"))
        values = tuple(Value(series, Decimal(one[key]), f"{key}: {one[key]}") for key, series in kinds)
        kept = "" if one["kept_percent"] is None else f" · {look.percent(one['kept_percent'])} kept"
        said = ", ".join(f"{one[key]} {key}" for key, _ in kinds if one[key])
        lines.append(Line(one.get("payer") or "All payers", f"{said}{kept}", (values,)))
    legend = [("kept", "kept"), ("broken", "broken"), ("undecided", "undecided")]
    return drawn(f"What became of promises, {currency}", legend, lines)


def _steps(look: Look, records: Sequence[Record], currency: str) -> Picture:
    lines = []
    for one in records:
        paid, usual = one["of_these_percent"], one["baseline_percent"]
        if paid is None or usual is None:
            continue
        stacks = tuple(
            (Value(series, value, f"{what}: {look.percent(value)}"),)
            for series, what, value in (("one", "after the step", paid), ("two", "nobody had asked", usual))
        )
        said = f"{look.percent(paid)}, and {look.percent(usual)} unasked"
        lines.append(Line(f"{one['playbook']}, {one['step']}", said, stacks))
    legend = [("one", "paid after the step"), ("two", "paid of invoices as old that nobody had asked for")]
    return drawn(f"Paid in time, {currency}: invoices for which there are enough to compare with", legend, lines)


def _activity(look: Look, records: Sequence[Record], _currency: str) -> Picture:
    kinds = [(f"act{number}", act.value) for number, act in enumerate(Act)]
    lines = []
    for one in records[:_MOST]:
        values = tuple(
            Value(series, Decimal(one[_key(name)]), f"{name}: {look.number(one[_key(name)])}") for series, name in kinds
        )
        lines.append(Line(one["who"], look.number(one["all"]), (values,)))
    return drawn("What each of our people did", kinds, lines)


def _key(name: str) -> str:
    return name.replace(" ", "_")


def _words(reason: str) -> str:
    return reason.replace("_", " ")


_DRAWN: Final[Mapping[str, _Draw]] = {
    "aging": _aging, "exposure": _exposure, "changes": _changes, "forecast": _forecast, "dso": _dso, "cei": _cei,
    "days-to-pay": _days_to_pay, "promises": _promises, "disputes": _disputes, "steps": _steps, "activity": _activity,
}  # fmt: skip
#: The same where each row is of a payer.
_BY_PAYER: Final[Mapping[str, _Draw]] = {
    **{name: draw for name, draw in _DRAWN.items() if name != "forecast"}, "changes": _changes_by_payer,
}  # fmt: skip
