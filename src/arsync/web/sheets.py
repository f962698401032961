"""Reports that were made lately, kept in memory: another page of one, or its CSV, adds nothing up again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from arsync.report.catalogue import Choice, Report
from arsync.report.sheet import Office, Sheet
from arsync.store import events
from arsync.store.engine import Store

#: Sheets, and rows of all of them.
_SHEETS: Final = 32
_ROWS: Final = 100_000


class Sheets:
    """Each until the next sync of its company, or until anything else is written to the log of events: whatever a
    report is about is either read from the source or has its line there."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Sheet] = OrderedDict()
        self._lock = threading.Lock()

    def forget(self) -> None:
        """They are made anew when they are wanted next."""
        with self._lock:
            self._kept.clear()

    def of(self, store: Store, report: Report, office: Office, choice: Choice) -> Sheet:
        """The sheet of that company, day and choice."""
        one = office.connection
        # Before anything is read: what is written meanwhile makes it anew next time.
        with store.reading() as work:
            last = events.last(work)
        asked = (report.name, office.on, office.today, tuple(sorted(choice.numbers.items())), choice.by)
        key = (one.id, one.synced_at, one.health, one.health_reason, last, *asked)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        with store.reading() as work:
            sheet = report.make(work, [office], choice)
        with self._lock:
            self._kept[key] = sheet
            while len(self._kept) > _SHEETS or (
                len(self._kept) > 1 and sum(len(kept.rows) for kept in self._kept.values()) > _ROWS
            ):
                self._kept.popitem(last=False)
        return sheet
