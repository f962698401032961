"""A first load as one watches it: a bar for each kind of record, one for all, and how long it will still take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from statistics import median_high
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from arsync.connector import Resource
from arsync.sync.backfill import PAGE, Progress

#: A smaller part of the whole tells no pace.
_TELLING: Final = 0.02
#: requests that come after the pages (counts, what changed meanwhile), less those of pages that are on their way
_AFTER: Final = 8


class Shown(Progress):
    """The progress of one connection's load on a terminal, from the first question to the last note read back.

    `allowed` gives the seconds that so many requests take at least by the vendor's limits, `after` says how many the
    last stage takes; `beat` is called whenever something was stored.
    """

    def __init__(
        self,
        name: str,
        console: Console,
        *,
        allowed: Callable[[int], float],
        beat: Callable[[], None],
        quiet: bool,
        after: int = 0,
    ) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[count]}", justify="right"),
            TimeElapsedColumn(),
            _Left(table_column=Column(no_wrap=True)),
            console=console,
            disable=quiet or not console.is_terminal,
            expand=True,
        )
        self._name, self._allowed, self._beat = name, lambda requests: allowed(requests + after), beat
        self._rows: dict[Resource, TaskID] = {}
        self._all: TaskID | None = None
        self._stage: TaskID | None = None
        self._seen: dict[Resource, int] = {}
        self._of: dict[Resource, int | None] = {}
        self._pages: list[int] = []  # records of each page of this try, the last one of its kind left out
        self._before, self._since = 0, 0.0

    def __enter__(self) -> Shown:
        self._bars.start()
        self._begin("asking how much there is")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._end()
        self._bars.stop()

    def begun(self, seen: Mapping[Resource, int], of: Mapping[Resource, int | None]) -> None:
        """The bars stand there before the first page comes; a load that goes on begins where the earlier one ended."""
        self._end()
        self._seen, self._of = dict(seen), dict(of)
        self._before, self._since = sum(seen.values()), self._bars.get_time()
        for resource, total in of.items():
            if resource not in self._rows:
                self._rows[resource] = self._bars.add_task(
                    f"{self._name} {resource.replace('_', ' ')}", count="", ends=None
                )
            self._move(self._rows[resource], seen[resource], _reached(seen[resource], total))
        if self._all is None:
            self._all = self._bars.add_task(f"{self._name} all", total=None, count="", ends=None)
        self._tell()

    def stored(self, resource: Resource, seen: int, of: int | None) -> None:
        """Moves the bar of that kind, and the estimate."""
        self._beat()
        if of is None or seen < of:
            self._pages.append(seen - self._seen[resource])
        self._seen[resource], self._of[resource] = seen, of
        self._move(self._rows[resource], seen, _reached(seen, of))
        self._tell()

    def closing(self) -> None:
        """What comes after the last page takes its time, too."""
        if self._all is not None:
            self._bars.update(self._all, ends=None)
        self._begin("what changed meanwhile")

    def reading_back(self) -> None:
        """The last stage."""
        self._begin("notes of earlier messages")

    def _tell(self) -> None:
        if self._all is None:
            return
        done = sum(self._seen.values())
        total = whole(self._seen, self._of)
        left = None
        if total is not None:
            spent = self._bars.get_time() - self._since
            left = seconds_left(
                done - self._before, total - self._before, spent, self._allowed, page=page_size(self._pages)
            )
        self._move(self._all, done, total, None if left is None else self._bars.get_time() + left)

    def _move(self, row: TaskID, done: int, total: int | None, ends: float | None = None) -> None:
        count = f"{done:,}" if total is None else f"{done:,}/{total:,}"
        self._bars.update(row, completed=done, total=total, count=count, ends=ends)

    def _begin(self, stage: str) -> None:
        self._end()
        self._stage = self._bars.add_task(f"{self._name} {stage}", total=None, count="", ends=None)

    def _end(self) -> None:
        if self._stage is not None:
            self._bars.update(self._stage, total=1, completed=1)
            self._stage = None


class _Left(ProgressColumn):
    """How long it will still take, counted down while nothing is stored: a vendor's limit may leave a minute between
    two pages."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        ends: float | None = task.fields["ends"]
        return Text("" if ends is None else told_left(ends - task.get_time()))


def told_left(seconds: float) -> str:
    """In words; what takes longer than was told is no longer told in figures."""
    return f"about {timedelta(seconds=round(seconds))} left" if seconds >= 1 else "any moment now"


def whole(seen: Mapping[Resource, int], of: Mapping[Resource, int | None]) -> int | None:
    """How many records there will be in all, those made meanwhile with them; None where the source does not count."""
    totals = [_reached(seen[resource], total) for resource, total in of.items()]
    return None if None in totals else sum(total for total in totals if total is not None)


def page_size(came: Sequence[int]) -> int:
    """Records to a page by those that came: a source may give fewer than it is asked for. One page tells nothing yet:
    it may be the few records of a short walk."""
    return min(PAGE, max(1, median_high(came))) if len(came) > 1 else PAGE


def seconds_left(
    done: int, of: int, spent: float, allowed: Callable[[int], float], *, page: int = PAGE
) -> float | None:
    """By the pace since this try began, but not less than the vendor's limits allow; None while there is no pace."""
    requests = -(-(of - done) // page) + _AFTER
    limits = allowed(requests)
    if done <= 0 or done < _TELLING * of:
        return limits or None
    return max(spent / done * (of - done), limits)


def _reached(seen: int, of: int | None) -> int | None:
    """Records that were made since they were counted belong to the whole."""
    return None if of is None else max(seen, of)
