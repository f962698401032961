"""After a first connect, a restore or a copy: what stands in the source as sent is known before anything goes out.

Each note ends with a marker that names the installation. A note that this database does not know is a message that went
out without it: it is adopted as sent, on its day, at its step. How much is read is bounded: first a look at a few
invoices that would bear notes; only where one does, everything that may have been chased.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from arsync.connector import Clock, Connector, FoundNote, NoteTarget, ReadsNotes, TargetKind, in_bulk
from arsync.domain.states import Health
from arsync.render.note_reading import Told, read
from arsync.store import adoption, chases, connections, events, reading_back, suspicion
from arsync.store.adoption import Sent
from arsync.store.connections import Connection
from arsync.store.engine import Store
from arsync.store.reading_back import ALL, CURSOR
from arsync.store.suspicion import Suspicion, Trouble

#: So many invoices are looked at first: at Xero a request each.
LOOK: Final = 10
#: So many at a time in a complete reading, each batch kept before the next; all where the source has one list.
_BATCH: Final = 50
#: Notes older than this change no decision: gaps are days, ladders are weeks.
_HORIZON: Final = timedelta(days=200)
#: Another installation that has written since then is taken to be alive.
_ALIVE: Final = timedelta(days=30)
#: Of a batch that is about to go out so many messages are checked against the source.
CANARIES: Final = 3


@dataclass(slots=True)
class Recovered:
    """What was read back."""

    targets: int = 0  # documents whose notes were read
    adopted: int = 0  # messages taken for sent
    complete: bool = False  # all that may have been chased, not only a look
    foreign: set[str] = field(default_factory=set)


def declare(store: Store, connection: Connection, clock: Clock, *, author: str, reason: str) -> None:
    """A person says that this database was restored, copied or made anew: nothing goes out until all is read back."""
    with store.working() as work:
        reading_back.begin(work, connection.id, reason, now=clock.now())
        events.log(work, "recovery_declared", at=clock.now(), author=author, connection_id=connection.id, reason=reason)
        work.commit()


def is_open(store: Store, connection: Connection) -> bool:
    """Whether notes in the source are still to be read back, or all of the connection is."""
    with store.reading() as work:
        health = connections.connection_by_id(work, connection.id).health
        return health is Health.RECOVERING or not connections.cursor(work, connection.id, CURSOR).done


def recover(store: Store, connection: Connection, connector: Connector, clock: Clock, until: date) -> Recovered | None:
    """Reads back what is still to be read of a connection that has just been pulled, on the invoices that are due by
    that day; None where nothing is.

    Raises what the connector raises; the connection is `recovering` until this has come through. What was read stays.
    It is a pull in bulk.
    """
    with in_bulk():
        return _recover(store, connection, connector, clock, until)


def _recover(store: Store, connection: Connection, connector: Connector, clock: Clock, until: date) -> Recovered | None:
    with store.reading() as work:
        cursor = connections.cursor(work, connection.id, CURSOR)
        health = connections.connection_by_id(work, connection.id).health
    if cursor.done:
        return None
    if not isinstance(connector, ReadsNotes):
        _finish(store, connection, clock, Recovered())
        return None
    with store.working() as work:
        chases.follow(work, connection.id, now=clock.now())
        due = adoption.chased(work, connection.id, until)
        if health is Health.OK:
            said = "the notes in the source have not all been read back"
            connections.set_health(work, connection.id, Health.RECOVERING, said)
        work.commit()
    found = Recovered()
    if cursor.position is None and not _look(store, connection, connector, clock, _spread(due), found):
        _finish(store, connection, clock, found)
        return found
    found.complete = True
    # By id, which stays: what is paid or comes due between two tries moves no other past the position.
    last = (cursor.position or "").removeprefix(ALL)
    waiting = sorted(one for one in due if one > last)
    at_a_time = len(waiting) if _lists(connector) else _BATCH
    for start in range(0, len(waiting), at_a_time or 1):
        batch = waiting[start : start + at_a_time]
        unknown = _unknown(store, connection, connector, clock, _invoices(batch), clock.now() - _HORIZON)
        found.targets += len(batch)
        _adopt(store, connection, clock, unknown, found)
        with store.working() as work:
            seen = cursor.seen + start + len(batch)
            position = f"{ALL}{batch[-1]}"
            connections.move_cursor(
                work, connection.id, CURSOR, position=position, done=False, seen=seen, now=clock.now()
            )
            work.commit()
    _finish(store, connection, clock, found)
    return found


def is_behind(
    store: Store,
    connection: Connection,
    connector: Connector,
    clock: Clock,
    invoice_ids: Iterable[str],
    *,
    unheard: Iterable[str] = (),
) -> str | None:
    """Right before something goes out: whether the source holds notes on these invoices that we do not know, and why
    nothing may go out then. What they tell is adopted, so that they stop nothing again wherever they stand. One request
    at QuickBooks, one for each invoice at Xero: `CANARIES` of them, and all `unheard`: each of a payer to whom nothing
    went out from here, so that the first look need not have met what another installation told it."""
    if not isinstance(connector, ReadsNotes):
        return None
    chosen = list(dict.fromkeys([*list(dict.fromkeys(invoice_ids))[:CANARIES], *unheard]))
    with store.reading() as work:
        newest = adoption.newest_note(work, connection.id)
    oldest = clock.now() - _HORIZON
    since = oldest if newest is None else max(oldest, newest - timedelta(days=1))
    return _ring(store, connection, connector, clock, _invoices(chosen), since)


def is_noted(
    store: Store, connection: Connection, connector: Connector, clock: Clock, waiting: Iterable[NoteTarget]
) -> str | None:
    """As `is_behind`, at the targets of notes that wait since before this run, oldest first: the database that was lost
    may have written them. One request at QuickBooks, one for each target at Xero, fifty at most."""
    if not isinstance(connector, ReadsNotes):
        return None
    chosen = list(dict.fromkeys(waiting))[:_BATCH]
    return _ring(store, connection, connector, clock, chosen, clock.now() - _HORIZON) if chosen else None


def _ring(
    store: Store,
    connection: Connection,
    connector: ReadsNotes,
    clock: Clock,
    targets: list[NoteTarget],
    since: datetime,
) -> str | None:
    unknown = _unknown(store, connection, connector, clock, targets, since)
    if not unknown:
        return None
    count = len(unknown)
    stand = "1 note of a message that this database does not know stands" if count == 1 else (
        f"{count} notes of messages that this database does not know stand"
    )  # fmt: skip
    reason = f"{stand} in the source; read back before anything else goes out"
    with store.working() as work:
        reading_back.begin(work, connection.id, reason, now=clock.now())
        events.log(work, "recovery_noticed", at=clock.now(), connection_id=connection.id, reason=reason)
        work.commit()
    _adopt(store, connection, clock, unknown, Recovered())
    return reason


def first_look(connector: Connector) -> int:
    """How many requests a first connect takes to see whether notes stand there already."""
    if not isinstance(connector, ReadsNotes):
        return 0
    return 1 if _lists(connector) else LOOK


def _lists(connector: ReadsNotes) -> bool:
    """Whether one answer has the notes of every target, customers included."""
    return bool(getattr(connector, "lists_notes", False))


def _spread(due: list[str]) -> list[str]:
    """A few of them over the whole range of ages: an arsync that was here has left its notes on most."""
    if len(due) <= LOOK:
        return due
    return [due[place * (len(due) - 1) // (LOOK - 1)] for place in range(LOOK)]


def _look(
    store: Store, connection: Connection, connector: ReadsNotes, clock: Clock, chosen: list[str], found: Recovered
) -> bool:
    """Whether an arsync has been here whose messages are not known."""
    found.targets += len(chosen)
    return bool(chosen) and bool(
        _untold(store, clock, connector.notes(_invoices(chosen), since=clock.now() - _HORIZON))
    )


def _invoices(remote_ids: Iterable[str]) -> list[NoteTarget]:
    return [NoteTarget(TargetKind.INVOICE, one) for one in remote_ids]


def _unknown(
    store: Store,
    connection: Connection,
    connector: ReadsNotes,
    clock: Clock,
    targets: list[NoteTarget],
    since: datetime,
) -> list[tuple[Told, FoundNote]]:
    """What these tell, and what the notes on their customers tell where a message had many invoices."""
    unknown = _untold(store, clock, connector.notes(targets, since=since))
    if not _lists(connector) and any("see the note on the customer" in note.text for _, note in unknown):
        invoice_ids = [one.remote_id for one in targets if one.kind is TargetKind.INVOICE]
        with store.reading() as work:
            payers = adoption.payers(work, connection.id, invoice_ids)
        customers = [NoteTarget(TargetKind.CUSTOMER, payer) for payer in payers]
        unknown += _untold(store, clock, connector.notes(customers, since=since))
    return unknown


def _untold(store: Store, clock: Clock, notes: Iterable[FoundNote]) -> list[tuple[Told, FoundNote]]:
    told = [(what, note) for note in notes if (what := read(note.text)) is not None]
    markers = [what.marker for what, _ in told]
    with store.working() as work:
        known = adoption.known_markers(work, markers)
        if adoption.found(work, markers, now=clock.now()):
            work.commit()
    return [(what, note) for what, note in told if what.marker not in known]


def _adopt(
    store: Store, connection: Connection, clock: Clock, unknown: list[tuple[Told, FoundNote]], found: Recovered
) -> None:
    now = clock.now()
    messages: dict[str, list[tuple[Told, FoundNote]]] = {}
    for what, note in unknown:
        mates = messages.setdefault(what.message_key or what.marker, [])
        if all(one.marker != what.marker for one, _ in mates):
            mates.append((what, note))
    with store.working() as work:
        own = connections.installation(work).key
        believed = suspicion.known_installations(work, connection.id)
        for mates in messages.values():
            first = mates[0][0]
            sent = Sent(
                key=first.message_key,
                step_id=first.step_id,
                playbook=first.playbook,
                channel=first.channel,
                sent_on=first.sent_on,
                notes=tuple((what.marker, note.target, note.text) for what, note in mates),
                numbers=tuple(number for what, _ in mates for number in what.numbers),
                is_cut=any(what.is_cut for what, _ in mates),
            )
            found.adopted += adoption.adopt(work, connection.id, sent, now=now) is not None
            alive = first.sent_on >= (now - _ALIVE).date()
            if alive and first.installation != own and first.installation not in believed:
                found.foreign.add(first.installation)
        if found.foreign:
            names = ", ".join(sorted(found.foreign))
            said = (
                f"another arsync ({names}) wrote notes here in the last {_ALIVE.days} days: two installations on one "
                "company chase its customers twice"
            )
            suspicion.raise_(work, connection.id, Suspicion(Trouble.FOREIGN, said), now=now)
            suspicion.remember_foreign(work, connection.id, found.foreign, now=now)
        work.commit()


def _finish(store: Store, connection: Connection, clock: Clock, found: Recovered) -> None:
    with store.working() as work:
        now = clock.now()
        connections.move_cursor(work, connection.id, CURSOR, position=None, done=True, seen=found.targets, now=now)
        if connections.connection_by_id(work, connection.id).health in (Health.OK, Health.RECOVERING):
            connections.set_health(work, connection.id, Health.OK, "complete")
            suspicion.mark(work, connection.id)
        if found.complete:
            events.log(
                work, "notes_read_back", at=now, connection_id=connection.id, targets=found.targets,
                adopted=found.adopted,
            )  # fmt: skip
        work.commit()
