"""One night: sync, settle, plan, dispatch, write back; connection by connection, none stopped by another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

from structlog.contextvars import bound_contextvars

from arsync.connector import Clock, others_waiting
from arsync.domain.chase import Plan
from arsync.domain.states import Health, NoteState, WriteKind
from arsync.errors import ArsyncError, ConfigurationError, ConnectorError, Locked, RetryLater
from arsync.outbox.accept import Acceptance
from arsync.outbox.keeping import settle as settle_promises
from arsync.outbox.send import Post
from arsync.outbox.settle import Settled, settle
from arsync.outbox.writeback import Written, wait_for_unknown, write_back
from arsync.playbook.decide import Decided, decide
from arsync.playbook.going_live import Payer, leaves
from arsync.playbook.passes import considering
from arsync.store import (
    chases,
    connections,
    corrections,
    events,
    leases,
    letters,
    notes,
    verdicts,
)
from arsync.store.adoption import ADOPTED
from arsync.store.connections import Connection
from arsync.store.engine import Store
from arsync.store.messages import Message
from arsync.sync.pay_links import fetch as fetch_pay_links
from arsync.sync.recover import is_noted, is_open
from arsync.worker import own_reminders
from arsync.worker.dispatch import Desk, Dispatched, Intake, dispatch
from arsync.worker.hearing import AddressLists, hear_lists
from arsync.worker.pulling import UNASKED, update
from arsync.worker.tasks import follow_ups, tasks, unanswered

#: Held while only the first so many customers, of all companies together, are written to.
_FIRST: Final = {"first customers": "a run, while delivery.first_customers is set"}
_TERM: Final = timedelta(minutes=3)
#: A throttled connection is taken up once more after the others, if that is so many seconds away at most.
_TONIGHT: Final = 600.0
#: So far back messages are held against what was entered in the books since.
_LOOK_BACK: Final = timedelta(days=60)
_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Shift:
    """What one connection's night did."""

    connection: str
    synced: int = 0
    decided: Decided | None = None
    dispatched: Dispatched = field(default_factory=Dispatched)
    written: Written = field(default_factory=Written)
    errors: list[str] = field(default_factory=list)
    corrected: int = 0  # messages of which the books now tell that they asked for what was paid
    adopted: int = 0  # messages that the source's notes tell of and this database did not know: taken for sent


@dataclass(slots=True)
class Night:
    """What a run did, and what a person must look at today."""

    run_id: int
    settled: Settled
    shifts: list[Shift] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    acted: list[str] = field(default_factory=list)  # because of replies, as their playbooks say; and for our own people

    @property
    def accepted(self) -> int:
        """Messages that went out."""
        return sum(len(shift.dispatched.accepted) for shift in self.shifts)


def held_lock(store: Store, clock: Clock, those: Iterable[Connection], *, first: bool = False) -> leases.Lease:
    """The lock of everything that syncs, plans or sends for these companies, kept as long as this process works; Locked
    where another holds one of them. With `first` nobody else who asks for it works at the same time, whatever the
    company. Drop it when done."""
    names = {f"run {one.id}": one.name for one in those}
    lease = leases.Lease(store, clock, {**names, **(_FIRST if first else {})}, _TERM)
    lease.take()
    lease.keep()
    return lease


def preview(
    store: Store, desk: Intake, clock: Clock, *, today: date | None = None, chosen: set[Payer] | None = None
) -> Iterator[Plan]:
    """What a run would decide on the cache as it stands, today or on another day, chase by chase; saves nothing. Whom
    it would write to joins the `chosen` of the companies before it, who count among the first customers of all."""
    told = chosen if chosen is not None else set()
    with store.working() as work:  # a chase that a run would open is opened, and undone with the work
        chases.follow(work, desk.connection.id, now=clock.now())
        if desk.connection.health is Health.OK:
            on = today or desk.policy.today(clock.now())
            settle_promises(work, desk.connection.id, today=on, now=clock.now(), writes=False)
        for plan in considering(work, desk.connection, desk.policy, now=clock.now(), today=today, chosen=set(told)):
            if leaves(plan):
                told.add((desk.connection.id, plan.facts.payer_id))
            yield plan


def run(
    store: Store,
    desks: Sequence[Desk],
    clock: Clock,
    *,
    told: Callable[[str], None] = lambda _line: None,
    go_on: Callable[[], None] = lambda: None,
) -> Night:
    """Sync, plan, dispatch and write back every connection once. Running it again the same day repeats nothing.

    `go_on` is called between steps, and may raise Stopped.
    """
    first = any(desk.policy.rollout.first is not None for desk in desks)
    lock = held_lock(store, clock, [desk.connection for desk in desks], first=first)

    def beat() -> None:
        go_on()
        lock.renew()

    try:
        return _run(store, desks, clock, beat, told)
    finally:
        lock.drop()


def _run(
    store: Store, desks: Sequence[Desk], clock: Clock, beat: Callable[[], None], told: Callable[[str], None]
) -> Night:
    with store.working() as work:
        run_id, before = verdicts.begin_run(work, "run", now=clock.now()), events.last(work)
        work.commit()
    with bound_contextvars(run=run_id):
        night = _through(store, desks, clock, beat, told, run_id)
    with store.reading() as work:
        for desk, shift in zip(desks, night.shifts, strict=True):
            shift.adopted = events.count(work, desk.connection.id, ADOPTED, after=before)
    return night


def _through(
    store: Store,
    desks: Sequence[Desk],
    clock: Clock,
    beat: Callable[[], None],
    told: Callable[[str], None],
    run_id: int,
) -> Night:
    by_connection = {desk.connection.id: desk for desk in desks}

    def way_out(message: Message) -> tuple[Post, Acceptance]:
        desk = by_connection[message.connection_id]
        # If it went out, then on that day.
        return desk.post, desk.acceptance(message.sending_at or clock.now())

    deaf = hear(store, next((desk.lists for desk in desks if desk.lists is not None), None), clock)
    night = Night(run_id, settle(store, clock, way_out, list(by_connection)))
    later: list[tuple[Desk, Shift, datetime]] = []
    for desk in desks:
        told(f"{desk.connection.name}: sync")
        shift = Shift(desk.connection.name)
        shift.errors += deaf
        deaf = []
        night.shifts.append(shift)
        with _apart(shift):
            with others_waiting(desk is not desks[-1]):
                until = _pull_one(store, desk, clock, beat, shift)
            if until is None:
                _work_one(store, desk, clock, beat, shift, run_id, told)
            else:
                later.append((desk, shift, until))
    for desk, shift, until in later:
        with _apart(shift):
            wait = max(0.0, (until - clock.now()).total_seconds())
            if wait <= _TONIGHT:
                told(f"{shift.connection}: sync, once more")
                clock.sleep(wait)
                shift.errors[:] = [error for error in shift.errors if not error.startswith("sync: ")]
                _pull_one(store, desk, clock, beat, shift)
            _work_one(store, desk, clock, beat, shift, run_id, told)
    mornings = [(desk.connection, desk.policy.today(clock.now())) for desk in desks]
    reminding = own_reminders.must_end(store, [(desk.connection, desk.policy) for desk in desks])
    night.tasks = (
        tasks(store, _only(store, by_connection))
        + unanswered(store, mornings)
        + reminding
        + follow_ups(store, mornings)
    )
    with store.working() as work:
        summary = {
            "accepted": night.accepted,
            "connections": {shift.connection: shift.errors or "ok" for shift in night.shifts},
        }
        verdicts.end_run(work, run_id, summary, now=clock.now())
        work.commit()
    return night


def _only(store: Store, ids: Collection[int]) -> Collection[int] | None:
    """None where these are all the companies that are worked for: then what else there is is told, too."""
    with store.reading() as work:
        every = {one.id for one in connections.connections(work) if one.health is not Health.DISCONNECTED}
    return None if every <= set(ids) else ids


@contextmanager
def _apart(shift: Shift) -> Iterator[None]:
    """What fails within one connection never stops the others."""
    try:
        yield
    except (Locked, ConfigurationError):
        raise
    except ArsyncError as error:
        shift.errors.append(str(error))
    except Exception as error:  # noqa: BLE001 - also a fault of ours
        _log.exception("shift_failed", extra={"connection": shift.connection})
        shift.errors.append(f"unexpected: {type(error).__name__}")


def hear(store: Store, lists: AddressLists | None, clock: Clock) -> list[str]:
    """Hears what the mail provider's lists tell of addresses, unless another does right now; why they could not be
    read."""
    if lists is None:
        return []
    lease = leases.Lease(store, clock, "lists", _TERM)
    try:
        lease.take()
    except Locked:
        return []
    try:
        hear_lists(store, lists, clock)
    except ConnectorError as error:
        return [f"suppressions: {error}"]
    finally:
        lease.drop()
    return []


def _pull_one(store: Store, desk: Desk, clock: Clock, beat: Callable[[], None], shift: Shift) -> datetime | None:
    """Syncs a connection. Where its vendor asks to come back later: when. What else fails is the shift's error, and
    planning goes on: its verdicts say why nothing goes out."""
    beat()
    try:
        shift.synced = update(store, desk, clock)
    except RetryLater as error:
        shift.errors.append(f"sync: {error}")
        return clock.now() + timedelta(seconds=error.after)
    except ConnectorError as error:
        shift.errors.append(f"sync: {error}")
    return None


def _work_one(
    store: Store,
    desk: Desk,
    clock: Clock,
    beat: Callable[[], None],
    shift: Shift,
    run_id: int,
    told: Callable[[str], None],
) -> None:
    beat()
    told(f"{shift.connection}: plan")
    with store.reading() as work:
        now_known = connections.connection_by_id(work, desk.connection.id)
    fresh = replace(desk, connection=now_known)
    if fresh.policy.pay_links:
        _ask_for_pay_links(store, fresh, clock)
        beat()
    _settle_promises(store, fresh, clock)
    _look_back(store, fresh, clock, shift)
    shift.decided = decide(store, fresh.connection, fresh.policy, now=clock.now(), run_id=run_id)
    shift.errors += shift.decided.set_aside
    if now_known.health in UNASKED:
        return  # nothing could be read again or written: not even asked
    writes = desk.writes and not is_open(store, desk.connection)
    if writes:
        try:
            behind = _noted(store, desk, clock)
        except ConnectorError as error:
            behind, writes = None, False
            shift.errors.append(f"write-back: the notes in the source could not be read: {error}")
        if behind is not None:
            shift.errors.append(f"write-back: {behind}")
            return
        beat()
    told(f"{shift.connection}: dispatch")
    try:
        shift.dispatched = dispatch(store, fresh, clock, run_id=run_id, beat=beat, but=shift.decided.waiting)
    finally:
        for channel in set(fresh.post.channels.values()):
            shift.errors += channel.finish()
    shift.errors += shift.dispatched.unread
    if shift.dispatched.error:
        shift.errors.append(f"dispatch: {shift.dispatched.error}")
    with store.working() as work:
        letters.gather(work, desk.connection.id, now=clock.now(), run_id=run_id)
        work.commit()
    told(f"{shift.connection}: write back")
    if writes and not is_open(store, desk.connection):  # what is pending may stand in the source already
        shift.written = write_back(store, desk.connection.id, desk.connector, clock, beat=beat)
        wait_for_unknown(store, desk.connection.id, desk.connector, clock, shift.written, beat=beat)
        shift.errors += shift.written.errors


def _settle_promises(store: Store, desk: Desk, clock: Clock) -> None:
    """What was promised and came lets its invoices go, and so does what did not come; only on data that came whole:
    a payment that was not pulled yet would make a liar of who has paid."""
    if desk.connection.health is not Health.OK:
        return
    now = clock.now()
    with store.working() as work:
        settle_promises(work, desk.connection.id, today=desk.policy.today(now), now=now, writes=desk.writes)
        work.commit()


def _look_back(store: Store, desk: Desk, clock: Clock, shift: Shift) -> None:
    """What was sent lately for what the books now tell was paid by then."""
    now = clock.now()
    with store.working() as work:
        found = corrections.look(work, desk.connection.id, since=desk.policy.today(now) - _LOOK_BACK, now=now)
        work.commit()
    shift.corrected = len({one.message_id for one in found})


def _noted(store: Store, desk: Desk, clock: Clock) -> str | None:
    """Why nothing may be written or sent, by the notes that wait since before this run; None where nothing is amiss."""
    with store.reading() as work:
        pending = notes.in_states(work, (NoteState.PENDING,), desk.connection.id)
    waiting = [note.target for note in pending if note.kind is WriteKind.NOTE]
    return is_noted(store, desk.connection, desk.connector, clock, waiting)


def _ask_for_pay_links(store: Store, desk: Desk, clock: Clock) -> None:
    """Of the invoices that this run's messages would name, before the messages are written."""
    intents = (answer.intent for answer in preview(store, desk, clock))
    named = [item.invoice_id for intent in intents if intent for item in (*intent.demanded, *intent.listed)]
    fetch_pay_links(store, desk.connection.id, desk.connector, named, clock)
