"""What each payer owes, kept in memory from one sync to the next: a page of customers asks nothing of the ledger."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from arsync.bootstrap import App
from arsync.store import standing
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.standing import Standing


@dataclass(frozen=True, slots=True)
class _Of:
    """The figures of one company, and what they are of."""

    synced_at: datetime | None
    today: date
    standings: tuple[Standing, ...]


class Figures:
    """Reads a company's figures once for each of its syncs and days, of all that are wanted in one go."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._kept: dict[int, _Of] = {}
        self._lock = threading.Lock()

    def of(self, work: Work, companies: Sequence[Connection]) -> list[Standing]:
        """Every payer's standing at these companies, as of each one's last sync."""
        days = {one.id: self._app.today(one) for one in companies}
        with self._lock:
            wanted = [one for one in companies if not self._is_fresh(one, days[one.id])]
            for day in sorted({days[one.id] for one in wanted}):  # three at most on this earth
                self._read(work, [one for one in wanted if days[one.id] == day], day)
            return [each for one in companies for each in self._kept[one.id].standings]

    def forget(self, companies: Collection[int]) -> None:
        """They are read anew when they are wanted next."""
        with self._lock:
            for one in companies:
                self._kept.pop(one, None)

    def _is_fresh(self, company: Connection, today: date) -> bool:
        kept = self._kept.get(company.id)
        return kept is not None and (kept.synced_at, kept.today) == (company.synced_at, today)

    def _read(self, work: Work, companies: Sequence[Connection], day: date) -> None:
        found: dict[int, list[Standing]] = {one.id: [] for one in companies}
        for each in standing.standings(work, list(found), day):
            found[each.connection_id].append(each)
        for one in companies:
            self._kept[one.id] = _Of(one.synced_at, day, tuple(found[one.id]))
