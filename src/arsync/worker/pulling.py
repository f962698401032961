"""What is pulled of connections: whole, as a delta, compared; each in its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final, TypeVar

from arsync.connector import Clock, in_bulk, others_waiting
from arsync.domain.states import Health
from arsync.errors import ConnectorError, NotCovered, Reauthorise, RetryLater, Stale
from arsync.store import connections, hints
from arsync.store.engine import Store
from arsync.sync import reconcile as truth
from arsync.sync.backfill import Loaded, Progress, backfill
from arsync.sync.delta import sync
from arsync.sync.reconcile import Reconciled
from arsync.sync.recover import Recovered, recover
from arsync.worker.dispatch import Intake

T = TypeVar("T")
#: So many days before an invoice is due an older playbook may have written about it, whatever today's says.
_EARLY: Final = 14
#: Without consent the vendor is not asked at all, run after run, until a person has connected again.
UNASKED: Final = (Health.REAUTHORISE, Health.DISCONNECTED)


def in_turn(every: Sequence[T], pull: Callable[[T], int]) -> Iterator[tuple[T, int | ConnectorError]]:
    """What `pull` says of each company. Whose vendor asks to be waited for has its turn once more when the others have
    had theirs: they are never kept waiting by it."""
    later = []
    for one in every:
        with others_waiting(one is not every[-1]):
            said = _tried(pull, one)
        if isinstance(said, RetryLater) and one is not every[-1]:
            later.append(one)
        else:
            yield one, said
    for one in later:
        yield one, _tried(pull, one)


def _tried(pull: Callable[[T], int], one: T) -> int | ConnectorError:
    try:
        return pull(one)
    except ConnectorError as error:
        return error


def load(
    store: Store, desk: Intake, clock: Clock, *, since: date | None = None, progress: Progress | None = None
) -> Loaded:
    """The one-off backfill of a connection; `since` is the first day of its history."""
    _check_consent(store, desk)
    loaded = backfill(store, desk.connection, desk.connector, clock, since=since, progress=progress)
    if progress is not None:
        progress.reading_back()
    read_back(store, desk, clock)
    return loaded


def update(store: Store, desk: Intake, clock: Clock) -> int:
    """The delta of a connection, or a backfill where none came through or its cursor is too old: records written."""
    written = pull(store, desk, clock)
    read_back(store, desk, clock)
    return written


def pull(store: Store, desk: Intake, clock: Clock) -> int:
    """As `update`, without what is then read back of notes. What the vendor told of until now is seen."""
    _check_consent(store, desk)
    with store.reading() as work:
        told = hints.told(work, desk.connection.id)
    written = _pull(store, desk, clock)
    if told:
        with store.working() as work:
            hints.seen(work, desk.connection.id, told, now=clock.now())
            work.commit()
    return written


def _pull(store: Store, desk: Intake, clock: Clock) -> int:
    with store.reading() as work:
        loaded = connections.cursor(work, desk.connection.id, "backfill").done
    if loaded:
        try:
            with in_bulk():
                return sync(store, desk.connection, desk.connector, clock).written
        except Stale:
            pass  # the source has forgotten; load it whole
    return backfill(store, desk.connection, desk.connector, clock).stored


def read_back(store: Store, desk: Intake, clock: Clock) -> Recovered | None:
    """What the source knows of messages and this database does not, where that is still to be read; else None."""
    first = min((step.offset for step in desk.policy.shelf.steps), default=0)
    until = desk.policy.today(clock.now()) + timedelta(days=max(_EARLY, -first))
    return recover(store, desk.connection, desk.connector, clock, until)


def reconcile(store: Store, desk: Intake, clock: Clock) -> Reconciled:
    """Compares the open items of source and cache completely and repairs the cache; raises as `update` does."""
    update(store, desk, clock)
    with store.reading() as work:
        connection = connections.connection_by_id(work, desk.connection.id)
    return truth.reconcile(store, connection, desk.connector, clock)


def _check_consent(store: Store, desk: Intake) -> None:
    """Reauthorise, without asking the vendor, where a person must connect first."""
    with store.reading() as work:
        known = connections.connection_by_id(work, desk.connection.id)
    if known.health in UNASKED:
        kind = NotCovered if known.health_reason.startswith(_said_of(NotCovered)) else Reauthorise
        raise kind(known.health_reason.removeprefix(_said_of(kind)))


def _said_of(kind: type[Reauthorise]) -> str:
    """How its sentence begins where a detail follows."""
    return str(kind()).rstrip(".") + ": "
