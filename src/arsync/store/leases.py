"""Leases: one worker at a time, and none stuck behind a dead one.

A lease ends by its time, or at once where its holder was a process of this very machine that is no more, or where the
clock has been set back by more than its term. That a *suspended* holder goes on believing in its lease is expected: the
last gate does not trust leases.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from arsync.domain.clock import Clock
from arsync.errors import Locked
from arsync.store import tables as t
from arsync.store.engine import Store, Work
from arsync.store.prepared import Prepared

_POLL: Final = 0.05
#: real seconds between two renewals
_BEAT: Final = 30.0
_log: Final = logging.getLogger(__name__)


_C: Final = t.leases.c
#: A token is of one lease alone.
_PROLONGED: Final = Prepared(update(t.leases).where(_C.token == bindparam("by")).returning(_C.name))


class Lease:
    """A name held for a time; `renew` it while working, or let it be `kept` for as long as this process runs.

    Several names are held all or none; each goes with what a person calls it.
    """

    def __init__(self, store: Store, clock: Clock, name: str | Mapping[str, str], term: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._names: Mapping[str, str] = {name: name} if isinstance(name, str) else name
        self._said = ", ".join(self._names.values())
        self._term = term
        self._token = secrets.token_hex(16)
        self._done = threading.Event()
        self._keeper: threading.Thread | None = None

    def take(self) -> None:
        """Locked where another living process holds it, or one of several: then none is taken."""
        with self._store.working() as work:
            for name in sorted(self._names):  # everywhere in this order: nobody waits for each other
                self._take_one(work, name)
            work.commit()

    def _take_one(self, work: Work, name: str) -> None:
        c = t.leases.c
        now = self._clock.now()
        values = {"token": self._token, "holder": holder(), "until": now + self._term}
        row = work.execute(select(c.token, c.holder, c.until).where(c.name == name).with_for_update()).one_or_none()
        if row is None:
            try:
                work.execute(insert(t.leases).values(name=name, **values))
            except IntegrityError:
                raise Locked(self._names[name]) from None
            return
        # A term no holder could have today was set while the clock stood ahead.
        holds = now < row.until <= now + 2 * self._term and not is_dead(row.holder)
        if row.token != self._token and holds:
            raise Locked(f"{self._names[name]}, held by {row.holder} until {row.until:%Y-%m-%d %H:%M:%S} UTC")
        work.execute(update(t.leases).where(c.name == name).values(**values))

    def renew(self) -> None:
        """Prolongs it; Locked where it was lost to another."""
        if not self._renewed():
            raise Locked(f"{self._said} was taken over by another process")

    def _renewed(self) -> bool:
        if not self._names:
            return True
        with self._store.working() as work:
            kept = _PROLONGED(work, by=self._token, until=self._clock.now() + self._term)
            work.commit()
        return len(kept) == len(self._names)

    def keep(self, every: float = _BEAT) -> None:
        """Renews it in a thread every so many real seconds until it is dropped or lost: one pull may take longer than
        the term. Who works under it asks `renew`, which says that it was lost."""

        def renew_until_done() -> None:
            while not self._done.wait(every):
                try:
                    if not self._renewed():
                        return
                except Exception as error:  # noqa: BLE001 - the next beat tries again, and the work itself asks
                    _log.warning("lease_not_renewed", extra={"reason": type(error).__name__})

        self._keeper = threading.Thread(target=renew_until_done, name=f"lease {self._said}", daemon=True)
        self._keeper.start()

    def drop(self) -> None:
        """Gives it back, if it is still ours."""
        self._done.set()
        if self._keeper is not None:
            self._keeper.join()
        c = t.leases.c
        with self._store.working() as work:
            work.execute(delete(t.leases).where(c.token == self._token))
            work.commit()


@contextmanager
def held(store: Store, clock: Clock, name: str, term: timedelta, *, patience: float = 0.0) -> Iterator[Lease]:
    """Holds the lease for the block; waits up to `patience` real seconds for it, then Locked."""
    lease = Lease(store, clock, name, term)
    deadline = clock.elapsed() + patience
    while True:
        try:
            lease.take()
            break
        except Locked:
            if clock.elapsed() >= deadline:
                raise
            clock.sleep(_POLL)
    try:
        yield lease
    finally:
        lease.drop()


def is_held(work: Work, name: str, *, now: datetime) -> bool:
    """Whether a process that may be living holds that lease."""
    row = work.execute(select(_C.holder, _C.until).where(_C.name == name)).one_or_none()
    return row is not None and now < row.until and not is_dead(row.holder)


def holder() -> str:
    """This process: machine boot, process namespace, process id and start; equal only for the same process."""
    return f"{_machine()} pid {os.getpid()} start {_started(os.getpid())}"


def is_dead(name: str) -> bool:
    """Whether that holder was a process of this machine and has ended; False where it cannot be told."""
    machine, _, rest = name.partition(" pid ")
    pid, _, start = rest.partition(" start ")
    if machine != _machine() or not pid.isdigit() or start in ("", "?"):
        return False
    now = _started(int(pid))
    return now is not None and now != start


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8]
        space = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        boot, space = "?", "?"
    return f"{os.uname().nodename} {boot} {space}"


def _started(pid: int) -> str | None:
    """The process's start in clock ticks since boot, "" where there is no such process, None where that is not told.

    A zombie counts as ended.
    """
    if not Path("/proc/self/stat").exists():
        return None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
