"""From approved to accepted: claim, read the payers afresh, confirm, pass the gate, send. Then write back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from arsync.connector import Clock, Connector
from arsync.domain.garbage import undisturbed
from arsync.domain.policy import StepChannel
from arsync.domain.states import MessageState
from arsync.errors import ConnectorError, DatabaseUnusable, Locked, Reauthorise, RetryLater
from arsync.outbox.accept import Acceptance
from arsync.outbox.send import Beforehand, Post, Sent, draw_up, send
from arsync.playbook.answers import NOBODYS
from arsync.playbook.confirm import Confirmation, Standing, confirm, confirm_all
from arsync.playbook.facts import Policy
from arsync.playbook.places import Place
from arsync.store import claims, connections, messages, threads
from arsync.store.connections import Connection
from arsync.store.engine import Store
from arsync.store.messages import Message, Waiting
from arsync.sync.recover import is_behind
from arsync.sync.refresh import refresh
from arsync.worker import enclosures
from arsync.worker.hearing import AddressLists
from arsync.worker.openings import closed, next_opening

_log: Final = logging.getLogger(__name__)
_TERM: Final = timedelta(minutes=10)
#: So many payers are read afresh in one go: few calls, and little time between the reading and the sending.
_BATCH: Final = 40
#: A message goes out so many seconds after its payer was read; else it is read again.
_FRESH: Final = 120.0
#: New objects, less those that are gone, between two searches for garbage: those of some batches.
_YOUNG: Final = 20_000
#: Between two batches, and after so many seconds, a worker asks whether it still has its lease: each time is a commit.
_BEAT: Final = 10.0
#: So many messages in a row without an answer, and the channel is taken to be down: no more are risked.
_SILENT: Final = 2


@dataclass(frozen=True, slots=True)
class Intake:
    """What pulling one connection needs: nothing that leads out."""

    connection: Connection
    connector: Connector
    policy: Policy


@dataclass(frozen=True, slots=True)
class Desk(Intake):
    """Everything that one connection's night needs."""

    post: Post
    writes: bool
    diverted_to: str | None = None
    marks_sent: bool = False
    lists: AddressLists | None = None  # the mail provider's, of addresses that it does not write to

    def acceptance(self, now: datetime, installation: str | None = None) -> Acceptance:
        """How a message is accepted today."""
        return Acceptance(self.policy.today(now), self.writes, self.diverted_to, self.marks_sent, installation)


@dataclass(frozen=True, slots=True)
class _Looked:
    """A message that held when its batch was looked at, and what was asked of it with the batch."""

    standing: Standing
    beforehand: Beforehand
    installation: str


@dataclass(slots=True)
class Dispatched:
    """What a dispatch did; each list holds messages, without their words, with the reason."""

    accepted: list[Message] = field(default_factory=list)
    withdrawn: list[tuple[Message, str]] = field(default_factory=list)  # the facts changed
    postponed: list[tuple[Message, str]] = field(default_factory=list)  # tried again later
    failed: list[tuple[Message, str]] = field(default_factory=list)
    unknown: list[tuple[Message, str]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)  # payers whom the source would not show
    waiting: set[int] = field(default_factory=set)  # put back until the circumstances change; not claimed again
    opens_at: datetime | None = None  # the first opening, where a message's send window is closed now
    closed: int = 0  # messages whose customers' send window is closed now
    leaving: int = 0  # messages whose customers' send window is open now
    night: bool = False  # nothing may leave, and the company's own send window is closed as well
    error: str | None = None  # the source could not be read: nothing more was sent

    def note(self, message: Message, sent: Sent, reason: str) -> None:
        """Files one outcome."""
        message = message.unworded
        match sent:
            case Sent.ACCEPTED:
                self.accepted.append(message)
            case Sent.FAILED:
                self.failed.append((message, reason))
            case Sent.UNKNOWN:
                self.unknown.append((message, reason))
            case Sent.REFUSED | Sent.RETRY | Sent.LATER | Sent.LOST:
                self.postponed.append((message, reason))


@undisturbed(_YOUNG)
def dispatch(
    store: Store, desk: Desk, clock: Clock, *, run_id: int, beat: Callable[[], None], but: Collection[int] = ()
) -> Dispatched:
    """Sends what is approved to those whose send window is open, `but` these messages; `beat` is called now and again
    and may raise Locked. Verdicts that change on the way are kept as the run's."""
    approved, posted = _approved(store, desk)
    shut, opens_at = closed(store, desk.connection.id, desk.policy, approved, clock.now())
    leaving = len(approved) - len(shut)
    night = opens_at is not None and not leaving and next_opening(desk.policy, Place(), clock.now()) is not None
    done = Dispatched(
        waiting=set(but) | shut | posted, opens_at=opens_at, closed=len(shut), leaving=leaving, night=night
    )
    if leaving:
        try:
            for channel in desk.post.channels.values():
                channel.prepare()
        except RetryLater as error:
            done.error = str(error)
            return done
    most = _BATCH
    # A message may be superseded by a new revision right before it goes out, which is claimed in its turn.
    for _ in range(2 * (leaving // _BATCH + 2) + leaving + _BATCH.bit_length()):
        beat()
        beaten = clock.elapsed()
        with store.working() as work:
            _token, batch = claims.claim(
                work, desk.connection.id, limit=most, term=_TERM, now=clock.now(), but=done.waiting
            )
            work.commit()
        if not batch:
            break
        with _held_for_another(store, batch, clock):
            silent, read_at = 0, clock.elapsed()  # what is read is as old as the beginning of its reading
            fresh = read_again(store, desk, batch, clock, done)
            took = clock.elapsed() - read_at
            if fresh and took > _FRESH:
                if len(batch) > 1:  # fewer at a time, down to one payer alone
                    most = len(batch) // 2
                    _put_back(store, fresh, f"to be read again: the reading of {len(batch)} took {took:.0f} s", clock)
                    continue
                _too_old(store, fresh[0], took, clock, done)  # the others may be told sooner
                continue
            standing = _looked_at(store, desk, fresh, clock) if fresh else {}
            for place, message in enumerate(fresh):
                clock.sleep(0)  # a worker that was told to stop stops here, between two effects
                if clock.elapsed() - beaten > _BEAT:  # also where the worker was suspended
                    beat()
                    beaten = clock.elapsed()
                if place and clock.elapsed() - read_at > _FRESH:
                    # Attachments took their time: what was read is no longer right before what is sent.
                    _put_back(store, fresh[place:], "to be read again: the last reading is too old", clock)
                    break
                looked = standing.get(message.id)
                upcoming = _upcoming(desk, clock, fresh[place + 1 : place + 2], standing)
                sent = _dispatch_one(store, desk, message, clock, done, run_id, read_at, looked, beat, upcoming)
                silent = silent + 1 if sent is Sent.UNKNOWN else 0
                if sent is Sent.LATER or silent == _SILENT:
                    # What holds for one message holds for all: the channel is closed, full, slow or down.
                    done.error = (done.postponed if sent is Sent.LATER else done.unknown)[-1][1]
                    _put_back(store, fresh[place + 1 :], done.error, clock)
                    break
        if done.error is not None:
            break
    return done


@contextmanager
def _held_for_another(store: Store, batch: list[Message], clock: Clock) -> Iterator[None]:
    """Whoever works for this connection next finds what was not begun as it was, where this worker is to end."""
    try:
        yield
    except Locked as told:
        with suppress(Locked, DatabaseUnusable):
            _put_back(store, batch, f"not begun: {told}", clock)
        raise


def may_leave(store: Store, desk: Desk, clock: Clock) -> bool:
    """Whether anything is approved for somebody whose send window is open; asks nobody but the database."""
    approved, _posted = _approved(store, desk)
    return len(approved) > len(closed(store, desk.connection.id, desk.policy, approved, clock.now())[0])


def _approved(store: Store, desk: Desk) -> tuple[list[Waiting], frozenset[int]]:
    """What is approved and goes by itself, and the ids of letters: those go when a person posts them."""
    with store.reading() as work:
        every = messages.approved(work, desk.connection.id)
    posted = frozenset(message.id for message in every if message.channel == StepChannel.LETTER)
    return [message for message in every if message.id not in posted], posted


def _refreshed(store: Store, desk: Desk, batch: list[Message], clock: Clock, done: Dispatched) -> list[Message]:
    """Those of the messages whose payers could be read again; the others go back."""
    payers = {message.payer_id for message in batch}
    try:
        refresh(store, desk.connection, desk.connector, payers, clock)
    except ConnectorError as error:
        alone = len(payers) > 1 and not isinstance(error, RetryLater | Reauthorise)
        if alone:  # one payer whom the source will not show never stops the others
            single = [[message for message in batch if message.payer_id == payer] for payer in sorted(payers)]
            kept = {message.id for part in single for message in _refreshed(store, desk, part, clock, done)}
            return [message for message in batch if message.id in kept]
        reason = f"the source could not be read again: {error}"
        _put_back(store, batch, reason, clock)
        done.postponed += [(message.unworded, reason) for message in batch]
        if isinstance(error, RetryLater | Reauthorise):
            done.error = str(error)  # nobody can be read
        else:
            done.waiting |= {message.id for message in batch}  # this payer only: the others go on
            done.unread.append(reason)
        return []
    return batch


def read_again(store: Store, desk: Desk, batch: list[Message], clock: Clock, done: Dispatched) -> list[Message]:
    """Those of the claimed messages whose payers have just been read from the source; the others go back, and `done`
    says why."""
    return _known(store, desk, _refreshed(store, desk, batch, clock, done), clock, done)


def _known(store: Store, desk: Desk, batch: list[Message], clock: Clock, done: Dispatched) -> list[Message]:
    """The messages, unless the source holds notes that this database does not know: then none of them, and they wait
    until those are read back."""
    with store.reading() as work:
        found = messages.oldest_items(work, [message.id for message in batch])
        oldest = {message.id: found[message.id].invoice_id for message in batch if message.id in found}
        heard = messages.heard(work, {message.chase_id for message in batch})
        unheard = [oldest[one.id] for one in batch if one.id in oldest and one.chase_id not in heard]
    try:
        asked = (store, desk.connection, desk.connector, clock, list(oldest.values()))
        behind = is_behind(*asked, unheard=unheard) if oldest else None
    except ConnectorError as error:
        behind = f"the notes in the source could not be read: {error}"
    if behind is None:
        return batch
    _put_back(store, batch, behind, clock)
    done.postponed += [(message.unworded, behind) for message in batch]
    done.error = behind
    return []


def _looked_at(store: Store, desk: Desk, batch: list[Message], clock: Clock) -> dict[int, _Looked]:
    """Those of the messages that hold as things stand, by id."""
    with store.reading() as work:
        connection = connections.connection_by_id(work, desk.connection.id)
    standing = confirm_all(store, connection, desk.policy, batch, now=clock.now())
    with store.reading() as work:
        thread = threads.before_each(work, [one.message for one in standing.values()])
        items = messages.items_of_each(work, standing)
        own = connections.installation(work).key
    return {one: _Looked(held, Beforehand(thread[one], items[one]), own) for one, held in standing.items()}


def _confirmed(
    store: Store, desk: Desk, message: Message, clock: Clock, done: Dispatched, run_id: int, looked: _Looked | None
) -> tuple[Message, Beforehand | None] | None:
    """The message as it is to go out, and what was asked of it beforehand; None where it does not go, and `done` says
    why. What its batch was told of it counts for the gate to judge, unless the day or the hour is another: then it is
    looked at alone."""
    now = clock.now()
    if looked is not None and looked.standing.is_of(now, desk.policy.today(now)):
        return looked.standing.message, looked.beforehand
    with store.reading() as work:
        connection = connections.connection_by_id(work, desk.connection.id)
    answer, reason = confirm(store, connection, desk.policy, message, now=now, run_id=run_id)
    if answer is not Confirmation.HOLDS:
        filed = done.withdrawn if answer is Confirmation.WITHDRAWN else done.postponed
        filed.append((message.unworded, reason))
        if answer is Confirmation.NOT_NOW:
            done.waiting.add(message.id)
        return None
    with store.reading() as work:
        as_of_today = messages.get(work, message.id)  # the claim stays the one of before: the gate asks for it
    return replace(message, subject=as_of_today.subject, text=as_of_today.text, html=as_of_today.html), None


def _upcoming(
    desk: Desk, clock: Clock, after: Sequence[Message], standing: Mapping[int, _Looked]
) -> Callable[[], None] | None:
    """What can be done for the next message beforehand, if it held with its batch and nothing goes with it."""
    looked = standing.get(after[0].id) if after else None
    if looked is None or looked.standing.message.attached:
        return None
    return partial(draw_up, looked.standing.message, desk.post, clock, looked.beforehand.thread)


def _dispatch_one(
    store: Store, desk: Desk, claimed: Message, clock: Clock, done: Dispatched, run_id: int, read_at: float,
    looked: _Looked | None, beat: Callable[[], None], upcoming: Callable[[], None] | None,
) -> Sent | None:  # fmt: skip
    confirmed = _confirmed(store, desk, claimed, clock, done, run_id, looked)
    if confirmed is None:
        return None
    begun, today = clock.elapsed(), desk.policy.today(clock.now())
    files = _enclosed(store, desk, confirmed[0], clock, done, read_at)
    if files is None:
        return None
    # Where that took long, the hour, the day, the approval and what people said are looked at once more.
    slow = clock.elapsed() - begun > _BEAT
    if slow:
        beat()
    if slow or desk.policy.today(clock.now()) != today:
        confirmed = _confirmed(store, desk, claimed, clock, done, run_id, None)
        if confirmed is None:
            return None
    message, beforehand = confirmed
    how = desk.acceptance(clock.now(), looked.installation if looked is not None else None)
    sent, reason = send(store, message, desk.post, clock, how, files.attachments, files.without, beforehand, upcoming)
    if sent is Sent.CHANGED:  # what goes with it may be another by now, too
        return _dispatch_one(store, desk, claimed, clock, done, run_id, read_at, None, beat, upcoming)
    done.note(message, sent, reason)
    return sent


def _enclosed(
    store: Store, desk: Desk, message: Message, clock: Clock, done: Dispatched, read_at: float
) -> enclosures.Enclosures | None:
    """What goes with it; None where it has to wait, as it was: nothing has left, and nothing of it is kept."""
    try:
        files = enclosures.fetch(store, desk.connector, desk.policy, message, clock)
    except (RetryLater, Reauthorise, enclosures.Missing) as error:
        reason = f"{enclosures.WAITS}: {error}"
    except NOBODYS:
        raise
    except Exception as error:  # noqa: BLE001 - one message never stops the others
        _log.exception("enclosing_failed", extra={"message_id": message.id})
        reason = f"{enclosures.WAITS}: arsync failed on it ({type(error).__name__})"
    else:
        # Where that took long the payer is read again: what changed raises the chase's version, and the gate says no.
        again_at = clock.elapsed()
        if again_at - read_at <= _FRESH:
            return files
        if not _refreshed(store, desk, [message], clock, done):
            return None
        took = clock.elapsed() - again_at
        if took <= _FRESH:
            return files
        _too_old(store, message, took, clock, done)
        return None
    _put_back(store, [message], reason, clock)
    done.postponed.append((message.unworded, reason))
    done.waiting.add(message.id)
    return None


def _too_old(store: Store, message: Message, took: float, clock: Clock, done: Dispatched) -> None:
    """A payer alone took too long to be read: it may have paid meanwhile, and waits for the next run."""
    reason = f"reading its payer again took {took:.0f} s, {_FRESH:.0f} are too old"
    _put_back(store, [message], reason, clock)
    done.postponed.append((message.unworded, reason))
    done.waiting.add(message.id)
    done.unread.append(reason)


def _put_back(store: Store, batch: list[Message], reason: str, clock: Clock) -> None:
    with store.working() as work:
        for message in batch:
            messages.move(
                work, message.id, MessageState.CLAIMED, MessageState.APPROVED, reason=reason, now=clock.now(),
                token=message.claim_token, claim_token=None, claimed_until=None,
            )  # fmt: skip
        work.commit()
