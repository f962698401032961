"""What there is to do by the clock, as the settings have it: the jobs of a worker, each what a command does as well."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from arsync.acts.locking import locked
from arsync.bootstrap import App
from arsync.cli import digest, night
from arsync.domain.states import Health
from arsync.errors import ArsyncError, Locked, NotFound, Stopped
from arsync.ops import archives
from arsync.ops.retention import forget
from arsync.ops.times import WhenCalled, times_of
from arsync.store import duties, hints, leases, posts
from arsync.store.connections import Connection
from arsync.worker import jobs, pulling
from arsync.worker.dispatch import may_leave
from arsync.worker.duty import Job, Kind
from arsync.worker.stopping import Stopping

_log: Final = logging.getLogger(__name__)
#: The mailbox is not read again for a night where it was read so lately.
_JUST_NOW: Final = timedelta(minutes=5)
#: real seconds for which a night waits until another has read the mailbox
_PATIENCE: Final = 120.0
#: So often it is looked for what people are to be told of.
_ALERTS: Final = "*/5 * * * *"


def jobs_of(app: App, stopping: Stopping) -> Iterator[Job]:
    """What there is to do by the clock, as the settings have it."""
    settings = app.settings.worker
    home = app.settings.defaults.timezone or "UTC"
    if settings.poll != "off":
        yield Job(Kind.POLL, None, times_of(settings.poll, home), lambda: hear(app))
    yield Job(Kind.POSTS, None, WhenCalled(), lambda: take_posts(app, stopping))
    yield Job(Kind.ALERTS, None, times_of(_ALERTS, home), lambda: tell_alerts(app))
    if settings.digest != "off" and app.settings.delivery.digest != "off":
        yield Job(Kind.DIGEST, None, times_of(settings.digest, home), lambda: mail_digest(app))
    if settings.backup != "off":
        yield Job(Kind.BACKUP, None, times_of(settings.backup, home), lambda: back_up(app))
    if settings.prune != "off":
        yield Job(Kind.PRUNE, None, times_of(settings.prune, home), lambda: prune(app, stopping))
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
    yield Job(Kind.LOOK, name, WhenCalled(), lambda: look(app, name), company.id)


def called_for(app: App) -> list[str]:
    """The names of the jobs that are called for by what others have told or posted."""
    with app.store.reading() as work:
        told = [f"{Kind.LOOK} {name}" for name in hints.open_since(work)]
        return [*told, *([str(Kind.POSTS)] if posts.is_due(work, now=app.clock.now()) else [])]


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
    take_posts(app, stopping)  # before planning, as what the mailbox holds
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


def look(app: App, name: str) -> None:
    """The delta of a company of which its vendor told that something changed; nothing where somebody has looked."""
    with app.store.reading() as work:
        told = hints.open_since(work).get(name)
    if told is not None:
        sync(app, name)


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


def take_posts(app: App, stopping: Stopping) -> None:
    """Takes in what the mail provider posted, and acts on the answers among it."""
    acted, failed = night.take_posts(app, go_on=stopping.check)
    for line in acted:
        _log.info("reply_acted_on", extra={"what": line})
    if failed:
        raise ArsyncError("; ".join(failed))


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


def back_up(app: App) -> None:
    """An archive of the whole database, and the oldest ones away."""
    path = app.settings.backup_folder / archives.name_for(app.clock.now())
    whole = archives.back_up(app.store, path, app.clock)
    gone = archives.drop_older(path.parent, app.settings.worker.keep_backups)
    _log.info("backed_up", extra={"file": path.name, "rows": whole.rows, "removed": len(gone)})


def prune(app: App, stopping: Stopping) -> None:
    """What the settings do not want kept for ever is forgotten."""
    gone = forget(app.store, app.settings.retention.said(), app.clock, go_on=stopping.check)
    _log.info("pruned", extra={kind.removesuffix("_days"): count for kind, count in gone.items()})
