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

from arsync.bootstrap import App, queue
from arsync.cli import digest, night
from arsync.cli.context import locked, opened
from arsync.domain.states import Health
from arsync.errors import ArsyncError, DatabaseUnusable, Locked, NotFound, Stopped
from arsync.logs import configure
from arsync.ops.metrics import CONTENT_TYPE, exposition
from arsync.ops.times import times_of
from arsync.store import connections, duties, leases
from arsync.store.connections import Connection
from arsync.worker import jobs, pulling
from arsync.worker.dispatch import may_leave
from arsync.worker.duty import Job, Kind, answer
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
#: The mailbox is not read again for a night where it was read so lately.
_JUST_NOW: Final = timedelta(minutes=5)
#: real seconds for which a night waits until another has read the mailbox
_PATIENCE: Final = 120.0
#: So often it is looked for what people are to be told of.
_ALERTS: Final = "*/5 * * * *"


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(worker)


def worker(context: typer.Context) -> None:
    """Does everything by the clock, until it is told to stop: deltas, nightly runs, dispatch in send windows, polls."""
    stopping = Stopping()
    with _told_by_signals(stopping), opened(context, stopping) as app:
        configure(app.settings.log.format, app.settings.log.level or "info")
        app.alarm.paths()  # what is wrong with them is said at once
        crew, pulse, bell = _Crew(), Pulse(app.clock), queue(app.settings, app.store)
        if bell is not None:
            crew.begin("queue", lambda: bell.serve(lambda name: _answer(app, stopping, crew, name), stopping))
            _log.info("worker_answers", extra={"queue": "procrastinate", "threads": app.settings.worker.threads})
        with _answering(app, crew, pulse):
            _serve(app, stopping, crew, pulse, bell)
        left = crew.wait(app.settings.worker.stop_seconds)
        if bell is not None:
            bell.close()
        if not left:
            _log.info("worker_stopped")
            return
        _log.warning("worker_left", extra={"jobs": left})
    sys.stderr.flush()
    os._exit(1)  # as a kill would: what was in flight is found by the next one


@contextmanager
def _told_by_signals(stopping: Stopping) -> Iterator[None]:
    """SIGTERM and SIGINT tell it to stop; said twice, they do what they usually do."""
    usual = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def tell(number: int, _frame: object) -> None:
        stopping.tell()
        signal.signal(number, signal.SIG_DFL)

    for number in usual:
        signal.signal(number, tell)
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


def _answering(app: App, crew: _Crew, pulse: Pulse) -> AbstractContextManager[object]:
    """Answers to who watches, where the settings say at which address."""
    listen = app.settings.worker.listen
    if listen is None:
        return nullcontext()

    def ready() -> None:
        with app.store.reading() as work:
            connections.installation(work)

    def metrics() -> str:
        return exposition(app.store, crew.atwork(), app.alarm.standing())

    return answering(listen, pulse, ready=ready, metrics=metrics, content_type=CONTENT_TYPE)


def _serve(app: App, stopping: Stopping, crew: _Crew, pulse: Pulse, bell: Bell | None = None) -> None:
    """While it has the lease of the one worker, begins what is due; else stands by."""
    told = False
    while not stopping.told:
        pulse.beat()
        lease = leases.Lease(app.store, app.clock, _LEASE, _TERM)
        try:
            lease.take()
        except (Locked, DatabaseUnusable) as error:
            if not told:
                _log.warning("worker_stands_by", extra={"reason": str(error)})
            told = True
            stopping.wait(_ASK)
            continue
        told = False
        lease.keep()
        try:
            _keep(app, stopping, crew, lease, pulse, bell)
        except (Locked, DatabaseUnusable) as error:
            _log.warning("worker_stands_by", extra={"reason": str(error)})
            stopping.wait(_ASK)
        finally:
            with suppress(ArsyncError):  # it ends by itself
                lease.drop()


def _keep(app: App, stopping: Stopping, crew: _Crew, lease: leases.Lease, pulse: Pulse, bell: Bell | None) -> None:
    settings = app.settings.worker
    jitter = timedelta(minutes=settings.jitter_minutes)
    # Who is written to first is counted over all companies: one after the other.
    threads = 1 if app.settings.delivery.first_customers is not None else settings.threads
    schedule = Schedule(
        app.store, app.clock, lambda: jobs_of(app, stopping), crew.start, SystemRandom(),
        Pace(jitter, settings.missed_after, threads), bell,
    )  # fmt: skip
    schedule.look()
    _log.info("worker_began", extra={"companies": len(app.linked()), "threads": threads})
    renewed = app.clock.now()
    while not stopping.told:
        stopping.wait(_LOOK)
        pulse.beat()
        try:
            if abs(app.clock.now() - renewed) > _TERM / 4:
                lease.renew()
                renewed = app.clock.now()
            if not stopping.told:
                schedule.look()
        except Locked:
            raise
        except ArsyncError as error:
            _log.error("schedule_failed", extra={"reason": str(error)})
            stopping.wait(_ASK)


def jobs_of(app: App, stopping: Stopping) -> Iterator[Job]:
    """What there is to do by the clock, as the settings have it."""
    settings = app.settings.worker
    home = app.settings.defaults.timezone or "UTC"
    if settings.poll != "off":
        yield Job(Kind.POLL, None, times_of(settings.poll, home), lambda: hear(app))
    yield Job(Kind.ALERTS, None, times_of(_ALERTS, home), lambda: tell_alerts(app))
    if settings.digest != "off" and app.settings.delivery.digest != "off":
        yield Job(Kind.DIGEST, None, times_of(settings.digest, home), lambda: mail_digest(app))
    for company in app.linked():
        yield from _jobs_of(app, stopping, company)


def job_of(app: App, stopping: Stopping, name: str) -> Job | None:
    """The company's job of that name; None where the company or the settings do not have it any more."""
    try:
        (company,) = app.linked([name.partition(" ")[2]])
    except NotFound:
        return None
    if company.health is Health.DISCONNECTED:
        return None
    return next((job for job in _jobs_of(app, stopping, company) if job.name == name), None)


def _jobs_of(app: App, stopping: Stopping, company: Connection) -> Iterator[Job]:
    settings, zone, name = app.settings.worker, app.timezone(company), company.name
    works: dict[Kind, tuple[str, Callable[[], None]]] = {
        Kind.NIGHT: (settings.nightly, lambda: have_night(app, name, stopping)),
        Kind.DISPATCH: (settings.dispatch, lambda: work_for(app, name, stopping, only_if_due=True)),
        Kind.SYNC: (settings.sync, lambda: sync(app, name)),
        Kind.RECONCILE: (settings.reconcile, lambda: reconcile(app, name)),
    }
    for kind, (crontab, work) in works.items():
        if crontab != "off":
            yield Job(kind, name, times_of(crontab, zone), work, company.id)


# --- the jobs: what `arsync run` and its kin do, for one company ----------------------------------------------------


def have_night(app: App, name: str, stopping: Stopping) -> None:
    """The nightly run of one company; an outside watch is told where it came through, and nobody else's is on."""
    work_for(app, name, stopping)
    with app.store.reading() as work:
        others = duties.standing(work).keys() - {f"{Kind.NIGHT} {name}"}
    if not any(other.startswith(f"{Kind.NIGHT} ") for other in others):
        app.alarm.ping()


def tell_alerts(app: App) -> None:
    """What our own people are to be told of."""
    if wrong := app.alarm.tell():
        raise ArsyncError("; ".join(wrong))


def work_for(app: App, name: str, stopping: Stopping, *, only_if_due: bool = False) -> None:
    """One run for one company: what `arsync run` does for it. `only_if_due`: where something may leave now."""
    (company,) = app.linked([name])
    desk = app.desk(company)
    if only_if_due and not may_leave(app.store, desk, app.clock):
        return
    heard = poll(app, unless=_JUST_NOW)
    done = jobs.run(app.store, [desk], app.clock, go_on=stopping.check)
    (shift,) = done.shifts
    sent = shift.dispatched
    told: dict[str, object] = {
        "run": done.run_id, "changed": shift.synced, "sent": len(sent.accepted),
        "withdrawn": len(sent.withdrawn),
        "postponed": len(sent.postponed), "failed": len(sent.failed), "unknown": len(sent.unknown),
        "notes": shift.written.written + shift.written.found, "tasks": len(done.tasks),
    }  # fmt: skip
    _log.info("run_ended", extra=told)
    if wrong := [*shift.errors, *heard]:
        raise ArsyncError("; ".join(wrong))


def sync(app: App, name: str) -> None:
    """The delta of one company."""
    (company,) = app.linked([name])
    with locked(app, [company]):
        changed = pulling.update(app.store, app.intake(company), app.clock)
    _log.info("synced", extra={"changed": changed})


def reconcile(app: App, name: str) -> None:
    """The complete comparison of one company."""
    (company,) = app.linked([name])
    with locked(app, [company]):
        found = pulling.reconcile(app.store, app.intake(company), app.clock)
    told = {"compared": sum(found.compared.values()), "missed": len(found.missed)}
    _log.info("reconciled", extra=told)


def poll(app: App, *, unless: timedelta | None = None) -> list[str]:
    """Reads the mailbox and acts on what came; why it could not be read. Not where it was read just now."""
    try:
        with leases.held(app.store, app.clock, "inbox", timedelta(minutes=10), patience=_PATIENCE):
            if unless is not None and app.polled_within(unless):
                return []
            acted, unread = night.read_inbox(app)
    except Stopped:
        raise
    except Locked:
        return ["the inbox could not be read: another has been reading it for too long"]
    for line in acted:
        _log.info("reply_acted_on", extra={"what": line})
    return [unread] if unread is not None else []


def hear(app: App) -> None:
    """Reads the mailbox, and the mail provider's lists where that was not done today."""
    lists = app.mailroom.lists if app.settings.sendgrid.suppression_lookup else None
    if wrong := poll(app) + jobs.hear(app.store, lists, app.clock):
        raise ArsyncError("; ".join(wrong))


def mail_digest(app: App) -> None:
    """The page of the day, on the data as the deltas of the day have them."""
    page = digest.of_the_day(app, pull=False)
    if page is not None and page.failed:
        raise ArsyncError(page.told)
    if page is not None:
        _log.info("digest", extra={"what": page.told})
