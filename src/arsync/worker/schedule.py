"""When each job is due: by its crontab, on its company's clock, and a little later by chance. What was missed is made
up once, and told. What a job does is not known here."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from arsync.domain.clock import Clock
from arsync.errors import ArsyncError, Locked, Stopped
from arsync.store import duties, events
from arsync.store.engine import Store
from arsync.worker.duty import Job, Kind, do
from arsync.worker.ration import Ration

_log: Final = logging.getLogger(__name__)
#: Whoever finds the company taken comes again so much later.
_AGAIN: Final = timedelta(minutes=1)
#: So often the companies are asked for: one may have been linked or disconnected.
_RECRUITING: Final = timedelta(minutes=1)
#: So soon it is seen that others have ended what they were called for.
_SOON: Final = timedelta(seconds=2)
#: So often what is called for of a company is begun at once; after that once in each quarter of an hour, so that a
#: busy day leaves the night enough of what a vendor allows.
_CALLS: Final = 10
_EACH: Final = timedelta(minutes=15)
#: More missed moments than these are not counted.
_COUNTED: Final = 400


_ORDER: Final = {kind: place for place, kind in enumerate(Kind)}
#: Their last moment is kept: what was missed while nobody worked is made up.
_KEPT: Final = (Kind.NIGHT, Kind.DIGEST, Kind.RECONCILE, Kind.BACKUP, Kind.PRUNE)
#: That one of these did not begin in time is an event.
_TOLD: Final = {Kind.NIGHT: "run_missed", Kind.BACKUP: "backup_missed"}
#: Due at once where a worker begins.
_AT_ONCE: Final = (Kind.SYNC, Kind.POLL, Kind.ALERTS)
#: A night does these, too.
_IN_A_NIGHT: Final = (Kind.LOOK, Kind.SYNC, Kind.DISPATCH)


class Chance(Protocol):
    """Where jitter comes from."""

    def uniform(self, low: float, high: float) -> float:
        """A number between them."""
        ...


class Bell(Protocol):
    """A way to tell other processes that there is something to do. Whoever hears it looks into our tables: what it
    loses is told again, what it tells twice is done once."""

    def ring(self, job: Job) -> None:
        """Somebody shall do it; nothing where somebody was told so and has not begun."""
        ...

    def waiting(self) -> Collection[str]:
        """The names of the jobs of which somebody living was told, and which are not answered."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How the moments of a schedule are kept."""

    jitter: timedelta = timedelta()  # at most so much later than its moment each begins
    missed_after: timedelta = timedelta(hours=2)  # what begins still later counts as missed
    threads: int = 8  # so many companies at once


@dataclass(slots=True)
class _Slot:
    job: Job
    due: datetime  # by its crontab
    at: datetime  # a little later
    begun: datetime | None = None
    told: datetime | None = None  # the moment of which it was told that it was missed
    ration: Ration | None = None  # of what is done when called
    failed_at: datetime | None = None


@dataclass(slots=True)
class Schedule:
    """Begins what is due, never two jobs of one company at once; each by `start`, which runs it in a thread, or where
    there is a `bell` by whoever hears it. What is the whole installation's is done here.

    `jobs` tells what there is to do, and is asked again now and then; `called` names those of them that are called for
    right now, until they have been done. `look` is called again and again, by one thread.
    """

    store: Store
    clock: Clock
    jobs: Callable[[], Iterable[Job]]
    start: Callable[[str, Callable[[], None]], None]
    chance: Chance
    pace: Pace = Pace()
    bell: Bell | None = None
    called: Callable[[], Collection[str]] = tuple
    _slots: dict[str, _Slot] = field(default_factory=dict)
    _asked: datetime | None = None
    _looked: datetime | None = None
    _listened: datetime | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def renew(self, pace: Pace) -> None:
        """The settings are others: what there is to do is asked for at the next look, and done at this pace."""
        self.pace, self._asked = pace, None

    def look(self) -> None:
        """Begins whatever is due and may begin."""
        now = self.clock.now()
        self._recruit(now)
        if self._looked is not None and now < self._looked:
            self._set_back(now)
        self._looked = now
        if self.bell is not None and (self._listened is None or abs(now - self._listened) >= self._patience()):
            self._listened = now
            self._listen(self.bell, now)
        self._hear_calls(now)
        with self._lock:
            due = [slot for slot in self._slots.values() if slot.begun is None and slot.at <= now]
        for slot in sorted(due, key=lambda one: (_ORDER[one.job.kind], one.at)):
            self._tell_if_missed(slot, now)
            with self._lock:
                if slot.at > now or not self._has_room(slot.job):
                    continue
                slot.begun = now
                self._leave_to(slot, now)
            try:
                self._begin(slot, now)
            except BaseException:
                with self._lock:
                    slot.begun = None  # it did not begin
                raise

    def _hear_calls(self, now: datetime) -> None:
        """What is called for is due, as far as its ration goes; what has just failed, a little later."""
        for name in self.called():
            with self._lock:
                slot = self._slots.get(name)
                if slot is None or slot.begun is not None or slot.at <= now:
                    continue
                if slot.failed_at is not None and abs(now - slot.failed_at) < _AGAIN:
                    continue
                slot.ration = slot.ration or Ration(_CALLS, _EACH)
                if slot.job.company is None or slot.ration.take(now):
                    slot.due = slot.at = now

    def _patience(self) -> timedelta:
        """How long it may take until it is seen what others have ended."""
        with self._lock:
            called = any(slot.begun is not None and slot.job.kind is Kind.LOOK for slot in self._slots.values())
        return _SOON if called else _AGAIN

    def _has_room(self, job: Job) -> bool:
        """What is the whole installation's never waits for a company, and what others do not for us."""
        if self.bell is not None:
            return True
        served = [one.job.company for one in self._slots.values() if one.begun is not None and one.job.company]
        return job.company is None or (job.company not in served and len(served) < self.pace.threads)

    def atwork(self) -> list[str]:
        """The names of the jobs that have begun and not ended."""
        with self._lock:
            return [name for name, slot in self._slots.items() if slot.begun is not None]

    def _recruit(self, now: datetime) -> None:
        if self._asked is not None and abs(now - self._asked) < _RECRUITING:
            return
        self._asked = now
        there = {job.name: job for job in self.jobs()}
        with self.store.working() as work:
            kept = duties.every(work)
            fresh = [name for name, job in there.items() if job.kind in _KEPT and name not in kept]
            for name in fresh:  # from now on none of its moments is forgotten
                duties.begin(work, name, due=now, now=now)
                duties.end(work, name, begun=now, error=None, now=now)
            if fresh:
                work.commit()
        with self._lock:
            for name in [name for name, slot in self._slots.items() if name not in there and slot.begun is None]:
                del self._slots[name]
            for name, job in there.items():
                slot = self._slots.get(name)
                if slot is None:
                    due = _first(job, kept.get(name), now)
                    self._slots[name] = _Slot(job, due, self._later(due))
                    continue
                moved, slot.job = slot.job.times.said != job.times.said, job
                if moved and slot.begun is None and slot.due > now:  # the company has told its timezone since
                    self._postpone(slot, job.times.after(now))

    def _set_back(self, now: datetime) -> None:
        """The clock stood ahead: no moment between now and then is left out."""
        with self._lock:
            for slot in self._slots.values():
                if slot.begun is None and slot.due > (due := slot.job.times.after(now)):
                    self._postpone(slot, due)

    def _later(self, due: datetime) -> datetime:
        return due + timedelta(seconds=self.chance.uniform(0.0, self.pace.jitter.total_seconds()))

    def _leave_to(self, slot: _Slot, now: datetime) -> None:
        """What a night does as well is not done once more after it."""
        if slot.job.kind is Kind.NIGHT:
            for one in self._slots.values():
                if one.job.company == slot.job.company and one.job.kind in _IN_A_NIGHT and one.begun is None:
                    self._postpone(one, one.job.times.after(now))

    def _postpone(self, slot: _Slot, due: datetime) -> None:
        slot.due, slot.at = due, self._later(due)

    def _tell_if_missed(self, slot: _Slot, now: datetime) -> None:
        """A nightly run or a backup that did not begin in time is an event, once for each time."""
        patience, what = self.pace.jitter + self.pace.missed_after, _TOLD.get(slot.job.kind)
        if what is None or now - slot.due <= patience or slot.told == slot.due:
            return
        slot.told, count, moment = slot.due, 1, slot.job.times.after(slot.due)
        while moment < now - patience and count < _COUNTED:
            count, moment = count + 1, slot.job.times.after(moment)
        due = slot.due.isoformat(timespec="minutes")
        whose = {} if slot.job.company is None else {"connection": slot.job.company}
        _log.warning(what, extra={**whose, "due": due, "runs": count})
        with self.store.working() as work:
            events.log(work, what, at=now, connection_id=slot.job.connection_id, due=due, runs=count)
            work.commit()

    def _begin(self, slot: _Slot, now: datetime) -> None:
        if self.bell is not None and slot.job.company is not None:
            with self.store.working() as work:
                duties.call(work, slot.job.name, due=slot.due)
                work.commit()
            self.bell.ring(slot.job)
            return
        if slot.job.kind in _KEPT:
            with self.store.working() as work:
                duties.begin(work, slot.job.name, due=slot.due, now=now)
                work.commit()
        self.start(slot.job.name, lambda: self._work(slot))

    def _listen(self, bell: Bell, now: datetime) -> None:
        """Whatever others have ended is due at its next moment; of what nobody was told, or who was told is gone,
        somebody is told again."""
        told = bell.waiting()  # before it is asked what has not ended: that comes first
        with self._lock:
            called = [slot for slot in self._slots.values() if slot.begun is not None and slot.job.company is not None]
        with self.store.reading() as work:
            standing = duties.standing(work)
            ended = duties.named(work, [slot.job.name for slot in called if slot.job.name not in standing])
        for slot in called:
            duty = standing.get(slot.job.name)
            if duty is None:
                with self._lock:
                    if slot.job.name in ended:
                        slot.begun = ended[slot.job.name].begun_at  # what was due until then, it has done
                        slot.failed_at = now if ended[slot.job.name].error else None
                    self._close(slot, now)
                continue
            if duty.begun_at is None:
                self._tell_if_missed(slot, now)
            if slot.job.name not in told:
                with self.store.working() as work:
                    duties.leave(work, slot.job.name)
                    work.commit()
                bell.ring(slot.job)

    def _work(self, slot: _Slot) -> None:
        """In a thread of its own: what goes wrong in one job never stops another."""
        try:
            error = do(slot.job)
        except Stopped:
            return  # it is due again where a worker begins
        except Locked:
            with self._lock:
                slot.begun, slot.at = None, self.clock.now() + _AGAIN
            return
        self._end(slot, error)

    def _end(self, slot: _Slot, error: str | None) -> None:
        now = self.clock.now()
        slot.failed_at = None if error is None else now
        try:
            if slot.job.kind in _KEPT:
                assert slot.begun is not None
                with self.store.working() as work:
                    duties.end(work, slot.job.name, begun=slot.begun, error=error, now=now)
                    work.commit()
        except ArsyncError as failure:
            _log.error("job_not_kept", extra={"reason": str(failure)})
        finally:
            with self._lock:
                self._close(slot, now)

    def _close(self, slot: _Slot, now: datetime) -> None:
        """It is due again at its next moment. Of what is kept no moment is left out: one that came meanwhile is now."""
        assert slot.begun is not None
        self._postpone(slot, slot.job.times.after(min(slot.begun, now) if slot.job.kind in _KEPT else now))
        slot.begun = None


def _first(job: Job, last: duties.Duty | None, now: datetime) -> datetime:
    """When the job is due first where a worker begins: what was begun and not ended, again."""
    if job.kind in _AT_ONCE:
        return now
    if job.kind not in _KEPT or last is None:
        return job.times.after(now)
    following = job.times.after(min(last.until, now))  # the clock may have been ahead
    return following if last.ended_at is not None else min(last.due_at, following)
