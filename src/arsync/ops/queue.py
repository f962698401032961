"""The queue, where the settings have one: its package, its tables, who answers it, and what waits for too long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from arsync.domain.clock import Clock
from arsync.errors import ConfigurationError
from arsync.ops.finding import Finding, fail, ok, warn
from arsync.settings import Settings
from arsync.store import duties, leases, queue_schema
from arsync.store.duties import Duty
from arsync.store.engine import Store, Work

#: A worker says every ten seconds that it lives.
_SILENCE: Final = timedelta(seconds=30)
#: What nobody has begun for so long waits for too long, and what has not ended by then hangs.
_WAIT: Final = timedelta(minutes=15)
_LONG: Final = timedelta(hours=6)


def examine_queue(settings: Settings, clock: Clock, store: Store, work: Work) -> Iterator[Finding]:
    """That it can be rung, that somebody answers, and that what is rung for gets done."""
    if settings.worker.queue == "embedded":
        return
    try:
        tables = queue_schema.package_tables()
    except ConfigurationError as error:
        said, _, mend = error.detail.rpartition(": ")
        yield fail("queue", said, mend)
        return
    if not queue_schema.is_laid(store, tables):
        what = "its tables are of another version" if queue_schema.are_any(store) else "it has no tables here yet"
        yield fail("queue", what, "stop the workers, and run `arsync db upgrade`")
        return
    crowd, now = queue_schema.crowd(store, _SILENCE), clock.now()
    standing = sorted(duties.standing(work).values(), key=lambda one: one.due_at)
    if crowd.living:
        answer = "1 worker answers" if crowd.living == 1 else f"{crowd.living} workers answer"
        yield from _told(standing, answer, now, decided=leases.is_held(work, "worker", now=now))
    else:
        last = "" if crowd.heard_at is None else f"; one was heard of last at {_utc(crowd.heard_at)}"
        yield warn("queue", f"no worker answers{last}", "start `arsync worker`")
    for duty in standing:
        if duty.begun_at is not None and now - duty.begun_at > _LONG:
            said = f"{duty.name} was begun at {_utc(duty.begun_at)} and has not ended"
            yield warn("queue", said, "look at its worker's log; started anew, another worker does it")


def _told(standing: list[Duty], answer: str, now: datetime, *, decided: bool) -> Iterator[Finding]:
    waiting = [one for one in standing if one.begun_at is None]
    if not decided:
        yield warn("queue", f"{answer}, and none decides what is due", "look at a worker's log, at `worker_stands_by`")
    if waiting and now - waiting[0].due_at > _WAIT:
        first = waiting[0]
        jobs = "1 job waits" if len(waiting) == 1 else f"{len(waiting)} jobs wait"
        said = f"{answer}, and {jobs}, first {first.name}, due at {_utc(first.due_at)}"
        yield warn("queue", said, "start more workers, or give them more `worker.threads`")
    elif decided:
        yield ok("queue", answer)


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
