"""The `window` of a playbook file, and whether it ever opens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

import yaml

from arsync.domain.calendar import Blackout, Calendar, blackout
from arsync.domain.policy import Observed, SendWindow
from arsync.playbook.nodes import Section, line
from arsync.playbook.problems import Problems

KEYS: Final = ("weekdays", "opens", "closes", "timezone", "holidays", "blackout")
REQUIRED: Final = ("weekdays", "opens", "closes")
BLACKOUT_KEYS: Final = ("from", "to", "why")
BLACKOUT_REQUIRED: Final = ("from", "to")
DAY: Final = r"([0-9]{4}-)?[0-9]{2}-[0-9]{2}"
WEEKDAYS: Final = {name: day for day, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}
ZONES: Final = {"customer": True, "company": False}
HOLIDAYS: Final = {observed.value: observed for observed in Observed}
_LONGEST_WHY: Final = 80
_LATEST: Final = date(9990, 1, 1)
#: In so many years every date falls on every weekday, leap years included.
_ALL_YEARS: Final = range(2000, 2028)


def read_window(root: Section, problems: Problems) -> SendWindow | None:
    """The window of a playbook, or None with every problem noted."""
    node = root.mapping("window")
    if node is None:
        return None
    section = Section(node, "window", problems, known=KEYS, required=REQUIRED)
    days: list[int | None] = [
        section.one_of("weekdays", entry, WEEKDAYS) for entry in section.listing("weekdays") or ()
    ]
    opens, closes = section.clock_time("opens"), section.clock_time("closes")
    if opens is not None and closes is not None and opens >= closes:
        when = "when" if opens == closes else "before"
        problems.add(
            section.line_of("closes"),
            f"window: it closes at {closes:%H:%M}, {when} it opens at {opens:%H:%M}: nothing could ever go out",
        )
    blackouts = tuple(_blackouts(section, problems))
    by_customer, observed = section.choice("timezone", ZONES), section.choice("holidays", HOLIDAYS)
    if opens is None or closes is None or not days:
        return None
    weekdays = frozenset(day for day in days if day is not None)
    if weekdays and (never := never_opens(weekdays, blackouts)):
        problems.add(section.line_of("blackout"), f"window: {never}")
    return SendWindow(weekdays, opens, closes, by_customer is not False, observed or Observed.BOTH, blackouts)


def _blackouts(window: Section, problems: Problems) -> Iterator[Blackout]:
    for number, node in enumerate(window.listing("blackout") or (), start=1):
        name = f"blackout {number}"
        if not isinstance(node, yaml.MappingNode):
            problems.add(line(node), f"{name} must be a mapping of keys: {', '.join(BLACKOUT_KEYS)}")
            continue
        section = Section(node, name, problems, known=BLACKOUT_KEYS, required=BLACKOUT_REQUIRED)
        begins, ends = _written(section, "from"), _written(section, "to")
        why = section.text("why", _LONGEST_WHY) or ""
        if begins is None or ends is None:
            continue
        try:
            yield blackout(begins, ends, why)
        except ValueError as error:
            problems.add(section.line_of("to"), f"{name}: {error}")


def _written(section: Section, key: str) -> str | None:
    """A day as it was written; YAML takes 2026-12-20 for a date and 12-20 for text. None where nothing was."""
    node = section.node(key)
    return None if node is None else str(node.value)


def never_opens(weekdays: frozenset[int], blackouts: Sequence[Blackout]) -> str | None:
    """Why there is a year without any day on which something could go out; None where there is none."""
    calendar = Calendar(weekdays, frozenset(), tuple(blackouts))
    once = (span.begins for span in blackouts if not span.yearly and span.begins < _LATEST)
    for day in sorted({*(date(year, 1, 1) for year in _ALL_YEARS if blackouts), *once}):
        if not any(calendar.is_open(day + timedelta(days=ahead)) for ahead in range(366)):
            why = ", ".join(dict.fromkeys(span.why for span in blackouts if span.why))
            return f"blackouts{f' ({why})' if why else ''} leave no day of a whole year on which anything could go out"
    return None


def content(window: SendWindow) -> list[object]:
    """All that the window says, for the playbook's version."""
    return [
        sorted(window.weekdays),
        f"{window.opens:%H:%M}",
        f"{window.closes:%H:%M}",
        window.by_customer,
        window.holidays,
        [[span.begins.isoformat(), span.ends.isoformat(), span.why, span.yearly] for span in window.blackouts],
    ]
