"""One job to be done by the clock, and how it is done: the same by whom it was told, and wherever."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from structlog.contextvars import bound_contextvars

from arsync.domain.clock import Clock
from arsync.errors import ArsyncError, Locked, Stopped
from arsync.ops.times import Moments
from arsync.store import duties
from arsync.store.engine import Store

_log: Final = logging.getLogger(__name__)


class Kind(StrEnum):
    """What is done by the clock; of those due at once the first begins first."""

    NIGHT = "nightly"  # sync, plan, dispatch, write back
    DISPATCH = "dispatch"  # the same, where something may leave now
    DIGEST = "digest"
    ALERTS = "alerts"
    POSTS = "posts"  # what the mail provider posted
    POLL = "poll"  # the mailbox, and the mail provider's lists
    LOOK = "look"  # a delta, because the vendor told of a change
    SYNC = "sync"
    RECONCILE = "reconcile"
    BACKUP = "backup"
    PRUNE = "prune"


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to do by the clock; `company` is None where it is the whole installation's."""

    kind: Kind
    company: str | None
    times: Moments
    work: Callable[[], None]
    connection_id: int | None = None

    @property
    def name(self) -> str:
        """What it is called; the same from one start to the next."""
        return self.kind if self.company is None else f"{self.kind} {self.company}"


def do(job: Job) -> str | None:
    """Does it; what went wrong, or None. Each line of the log that is said meanwhile carries one id. Raises Stopped and
    Locked where it is to be done another time."""
    whose = {} if job.company is None else {"connection": job.company}
    with bound_contextvars(job=job.kind.value, job_id=secrets.token_hex(4), **whose):
        try:
            job.work()
        except Stopped:
            raise
        except Locked as locked:
            _log.info("job_postponed", extra={"reason": str(locked)})
            raise
        except ArsyncError as failure:
            said = failure.detail if type(failure) is ArsyncError else str(failure)
            _log.error("job_failed", extra={"reason": said})
            return said
        except Exception as failure:  # noqa: BLE001 - a fault of ours, too
            _log.exception("job_failed")
            return f"unexpected: {type(failure).__name__}"
    return None


def answer(store: Store, clock: Clock, name: str, job: Callable[[], Job | None]) -> None:
    """Does what was called for under that name, unless it was done or another does it; `job` says what it is, None
    where there is no such thing any more. Whoever is told twice, or too late, does nothing."""
    begun = clock.now()
    with store.working() as work:
        if not duties.take(work, name, now=begun):
            return
        work.commit()
    error: str | None = None
    try:
        if (known := job()) is not None:
            error = do(known)
    except (Stopped, Locked):
        with store.working() as work:
            duties.leave(work, name, begun=begun)
            work.commit()
        return
    with store.working() as work:
        duties.end(work, name, begun=begun, error=error, now=clock.now())
        work.commit()
