"""What an examination found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Final

from arsync.errors import ArsyncError

#: So many names, and things that are well with one subject, are told each.
_FEW: Final = 5


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"  # as it should be
    WARN = "warn"  # works; somebody should know
    FAIL = "fail"  # does not work until somebody acts


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `mend` says what to do, where something is to be done."""

    level: Level
    subject: str
    detail: str
    mend: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """For `--json`: the fields by their names."""
        return {name: None if value is None else str(value) for name, value in asdict(self).items()}


def ok(subject: str, detail: str) -> Finding:
    """As it should be."""
    return Finding(Level.OK, subject, detail)


def warn(subject: str, detail: str, mend: str | None = None) -> Finding:
    """Works, but somebody should know."""
    return Finding(Level.WARN, subject, detail, mend)


def fail(subject: str, detail: str, mend: str) -> Finding:
    """Does not work until somebody does `mend`."""
    return Finding(Level.FAIL, subject, detail, mend)


def folded(findings: Sequence[Finding]) -> list[Finding]:
    """The same for reading: of what is well with one subject more than a few times, the first and how many more."""
    well = Counter(one.subject for one in findings if one.level is Level.OK)
    told: list[Finding] = []
    seen: set[str] = set()
    for one in findings:
        many = well[one.subject] if one.level is Level.OK else 0
        if many <= _FEW:
            told.append(one)
        elif one.subject not in seen:
            seen.add(one.subject)
            told.append(replace(one, detail=f"{one.detail}; and as well {many - 1} more"))
    return told


def some(names: Sequence[str]) -> str:
    """All of the names, or the first of many."""
    return f"{', '.join(names[:_FEW])} and {len(names) - _FEW} more" if len(names) > _FEW else ", ".join(names)


def exit_status(findings: Iterable[Finding]) -> int:
    """1 where anything failed, else 0."""
    return int(any(finding.level is Level.FAIL for finding in findings))


def sentences(error: ArsyncError) -> list[str]:
    """The problems of an error one by one; the first line of several only counts them."""
    first, *others = [line.strip() for line in (error.detail or str(error)).splitlines()]
    return others if others and first.endswith(" problems") else [first, *others]
