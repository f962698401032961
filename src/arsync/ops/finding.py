"""What an examination found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum

from arsync.errors import ArsyncError


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


def exit_status(findings: Iterable[Finding]) -> int:
    """1 where anything failed, else 0."""
    return int(any(finding.level is Level.FAIL for finding in findings))


def sentences(error: ArsyncError) -> list[str]:
    """The problems of an error one by one; the first line of several only counts them."""
    first, *others = [line.strip() for line in (error.detail or str(error)).splitlines()]
    return others if others and first.endswith(" problems") else [first, *others]
