"""The worker: everything by the clock, until it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import timedelta
from secrets import SystemRandom
from typing import Final

import typer

from arsync.bootstrap import App, Present, queue
from arsync.cli.context import State, opened
from arsync.cli.timetable import called_for, job_of, jobs_of
from arsync.errors import ArsyncError, DatabaseUnusable, Locked
from arsync.logs import configure
from arsync.ops.metrics import CONTENT_TYPE, exposition
from arsync.settings import load
from arsync.store import connections, leases
from arsync.worker.duty import answer
from arsync.worker.health import Pulse, answering
from arsync.worker.schedule import Bell, Pace, Schedule
from arsync.worker.stopping import Stopping

_log: Final = logging.getLogger(__name__)
#: One worker decides what is due; another one stands by.
_LEASE: Final = "worker"
_TERM: Final = timedelta(minutes=3)
#: real seconds: between two looks at the clock, between two questions after the lease
_LOOK: Final = 1.0
_ASK: Final = 5.0


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(worker)


def worker(context: typer.Context) -> None:
    """Does everything by the clock, until it is told to stop: deltas, nightly runs, dispatch in send windows, polls."""
    told = _Told()
    stopping = told.stopping
    with told.by_signals(), opened(context, stopping) as app:
        _log_as(app)
        app.alarm.paths()  # what is wrong with them is said at once
        state: State = context.obj
        present = Present(app, lambda: load(state.config))
        crew, pulse, bell = _Crew(), Pulse(app.clock), queue(app.settings, app.store)
        if bell is not None:
            crew.begin("queue", lambda: bell.serve(lambda name: _answer(present.app, stopping, crew, name), stopping))
            _log.info("worker_answers", extra={"queue": "procrastinate", "threads": app.settings.worker.threads})
        with _answering(present, crew, pulse):
            _serve(present, told, crew, pulse, bell)
        left = crew.wait(present.app.settings.worker.stop_seconds)
        if bell is not None:
            bell.close()
        if not left:
            _log.info("worker_stopped")
            return
        _log.warning("worker_left", extra={"jobs": left})
    sys.stderr.flush()
    os._exit(1)  # as a kill would: what was in flight is found by the next one


def _log_as(app: App) -> None:
    configure(app.settings.log.format, app.settings.log.level or "info")


class _Told:
    """What this process was told by signals."""

    def __init__(self) -> None:
        self.stopping = Stopping()
        self._again = False

    def to_read_again(self) -> bool:
        """Whether the settings are to be read again, since it was asked last."""
        again, self._again = self._again, False
        return again

    @contextmanager
    def by_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT tell it to stop; said twice, they do what they usually do. SIGHUP tells it to read the
        settings again; to a worker in a terminal it says that this is gone, and is as SIGTERM."""
        stopped_by = [signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if sys.stderr.isatty() else [])]
        usual = {number: signal.getsignal(number) for number in {*stopped_by, signal.SIGHUP}}

        def tell(number: int, _frame: object) -> None:
            self.stopping.tell()
            signal.signal(number, signal.SIG_DFL)

        def tell_again(_number: int, _frame: object) -> None:
            self._again = True

        for number in usual:
            signal.signal(number, tell if number in stopped_by else tell_again)
        try:
            yield
        finally:
            for number, handler in usual.items():
                signal.signal(number, handler)


class _Crew:
    """A thread for each job at work."""

    def __init__(self) -> None:
        self._atwork: set[str] = set()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Does it in a thread of its own."""
        self.begin(name, lambda: self.do(name, work))

    def begin(self, name: str, work: Callable[[], None]) -> None:
        """Does it in a thread of its own; it is no job, and waited for as one."""
        thread = threading.Thread(target=work, name=name, daemon=True)
        with self._lock:
            self._threads = {one for one in self._threads if one.is_alive()} | {thread}
            thread.start()

    def do(self, name: str, work: Callable[[], None]) -> None:
        """Does it here."""
        with self._lock:
            self._atwork.add(name)
        try:
            work()
        finally:
            with self._lock:
                self._atwork.discard(name)

    def atwork(self) -> list[str]:
        """The names of the jobs that are being done."""
        with self._lock:
            return sorted(self._atwork)

    def wait(self, seconds: float) -> list[str]:
        """Waits so many real seconds in all; who has not ended by then."""
        over = threading.Event()
        timer = threading.Timer(seconds, over.set)
        timer.start()
        with self._lock:
            begun = list(self._threads)
        for thread in begun:
            while thread.is_alive() and not over.is_set():
                thread.join(0.1)
        timer.cancel()
        return self.atwork()


def _answer(app: App, stopping: Stopping, crew: _Crew, name: str) -> None:
    """Does what is rung for; where the database is away, it is rung for again."""
    try:
        crew.do(name, lambda: answer(app.store, app.clock, name, lambda: job_of(app, stopping, name)))
    except ArsyncError as error:
        _log.error("answer_failed", extra={"name": name, "reason": str(error)})


def _answering(present: Present, crew: _Crew, pulse: Pulse) -> AbstractContextManager[object]:
    """Answers to who watches, where the settings say at which address."""
    listen = present.app.settings.worker.listen
    if listen is None:
        return nullcontext()

    def ready() -> None:
        with present.app.store.reading() as work:
            connections.installation(work)

    def metrics() -> str:
        return exposition(present.app.store, crew.atwork(), present.app.alarm.standing())

    return answering(listen, pulse, ready=ready, metrics=metrics, content_type=CONTENT_TYPE)


def _serve(present: Present, told: _Told, crew: _Crew, pulse: Pulse, bell: Bell | None = None) -> None:
    """While it has the lease of the one worker, begins what is due; else stands by."""
    stopping, stands_by = told.stopping, False
    while not stopping.told:
        pulse.beat()
        _read_again(present, told)
        lease = leases.Lease(present.app.store, present.app.clock, _LEASE, _TERM)
        try:
            lease.take()
        except (Locked, DatabaseUnusable) as error:
            if not stands_by:
                _log.warning("worker_stands_by", extra={"reason": str(error)})
            stands_by = True
            stopping.wait(_ASK)
            continue
        stands_by = False
        lease.keep()
        try:
            _keep(present, told, crew, lease, pulse, bell)
        except (Locked, DatabaseUnusable) as error:
            _log.warning("worker_stands_by", extra={"reason": str(error)})
            stopping.wait(_ASK)
        finally:
            with suppress(ArsyncError):  # it ends by itself
                lease.drop()


def _read_again(present: Present, told: _Told) -> bool:
    """Takes other settings where it was told to; whether there are others."""
    if not told.to_read_again() or not present.renew():
        return False
    _log_as(present.app)
    return True


def _keep(present: Present, told: _Told, crew: _Crew, lease: leases.Lease, pulse: Pulse, bell: Bell | None) -> None:
    stopping, clock = told.stopping, present.app.clock
    schedule = Schedule(
        present.app.store, clock, lambda: jobs_of(present.app, stopping), crew.start, SystemRandom(),
        _pace(present.app), bell, lambda: called_for(present.app),
    )  # fmt: skip
    schedule.look()
    _log.info("worker_began", extra={"companies": len(present.app.linked()), "threads": schedule.pace.threads})
    renewed = clock.now()
    while not stopping.told:
        stopping.wait(_LOOK)
        pulse.beat()
        try:
            if abs(clock.now() - renewed) > _TERM / 4:
                lease.renew()
                renewed = clock.now()
            if _read_again(present, told):
                schedule.renew(_pace(present.app))
            if not stopping.told:
                schedule.look()
        except Locked:
            raise
        except ArsyncError as error:
            _log.error("schedule_failed", extra={"reason": str(error)})
            stopping.wait(_ASK)


def _pace(app: App) -> Pace:
    settings = app.settings.worker
    # Who is written to first is counted over all companies: one after the other.
    threads = 1 if app.settings.delivery.first_customers is not None else settings.threads
    return Pace(timedelta(minutes=settings.jitter_minutes), settings.missed_after, threads)
