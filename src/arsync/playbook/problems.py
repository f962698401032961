"""What is wrong with a playbook, as values: all of it at once, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend; `line` counts from 1, `suggestion` is the nearest known name where there is one."""

    file: str
    line: int
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        hint = f" (did you mean {self.suggestion!r}?)" if self.suggestion else ""
        return f"{self.file}:{self.line}: {self.message}{hint}"


class Problems:
    """Collects the problems of one file, in the order in which they are found."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[Problem] = []

    def add(
        self, line: int, message: str, suggestion: str | None = None, *, file: str | None = None, once: bool = False
    ) -> None:
        """Notes a problem; `file` where it is not the playbook, `once` where it may be noted already."""
        problem = Problem(file or self.file, line, message, suggestion)
        if not (once and problem in self._found):
            self._found.append(problem)

    def __bool__(self) -> bool:
        return bool(self._found)

    def by_line(self) -> tuple[Problem, ...]:
        """All of them, the playbook's own first, then by file and line."""
        return tuple(sorted(self._found, key=lambda found: (found.file != self.file, found.file, found.line)))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like a misspelt one, else one that begins alike; None where none is near."""
    names, written = sorted(known), name.lower()
    near = get_close_matches(written, names, n=1, cutoff=0.6)
    alike = (one for one in names if len(written) > 1 and one[:2] == written[:2])
    return next(chain(near, alike), None)
