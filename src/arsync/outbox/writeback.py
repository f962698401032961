"""Notes into the source: exactly one for each message and target.

A lost answer makes a note `unknown`. It is written again only after two readings of the source without its marker,
the first later than the vendor could still be working on the lost request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from arsync.connector import Connector, InvoiceFact, KeepsFacts, NoteDraft, Resource
from arsync.domain.clock import Clock
from arsync.domain.documents import Invoice, InvoiceState
from arsync.domain.states import NoteState, WriteKind
from arsync.errors import ArsyncError, Barred, ConnectorError, Reauthorise, Refused, Rejected, RetryLater, Stopped
from arsync.outbox import facts
from arsync.session import before_first_byte
from arsync.store import notes
from arsync.store.engine import Store
from arsync.store.notes import Note

_TERM: Final = timedelta(minutes=5)
#: No request of a note begins later than this after its claim, in real seconds: whoever takes the note over after the
#: claim's term finds all there will ever be in the source.
FIRST_BYTE: Final = 100.0
#: QuickBooks gives up on a request after 120 s; a reading is worth something only later than that.
READABLE_AFTER: Final = timedelta(seconds=150)
#: between the two readings
_BETWEEN: Final = timedelta(seconds=30)
#: After so many refusals a note is a task for a person.
TRIES: Final = 5
_BACKOFF: Final = timedelta(minutes=5)
#: So many writes in a row that we are not let do, and the rest is left to the next run.
_BARRED: Final = 3
#: A throttled source is waited for this long before the rest is left to the next run.
_PATIENCE: Final = 120.0


@dataclass(slots=True)
class Written:
    """What was written back."""

    written: int = 0
    found: int = 0  # were there already: only the answer had been lost
    postponed: int = 0
    failed: int = 0
    unknown: int = 0
    unread: int = 0  # the source could not be read for them: waiting would not help
    barred: set[int] = field(default_factory=set)  # not let do: they wait for a person to mend the consent
    errors: list[str] = field(default_factory=list)  # what a person should read today


def write_back(
    store: Store, connection_id: int, connector: Connector, clock: Clock, *, beat: Callable[[], None]
) -> Written:
    """Writes every note that is due, and settles those whose answer was lost; `beat` is called between two notes."""
    result = Written()
    _question_abandoned(store, connection_id, clock)
    settle_unknown(store, connection_id, connector, clock, result)
    while True:
        beat()
        deadline = clock.elapsed() + FIRST_BYTE  # counted from before the claim's commit: never too late
        with store.working() as work:
            note = notes.claim(work, connection_id, term=_TERM, now=clock.now(), but=result.barred)
            work.commit()
        if note is None:
            break
        if not _write(store, connector, note, deadline, clock, result):
            break
    with store.reading() as work:
        result.unknown = len(notes.in_states(work, (NoteState.UNKNOWN,), connection_id))
    return result


def wait_for_unknown(
    store: Store, connection_id: int, connector: Connector, clock: Clock, result: Written, *, beat: Callable[[], None]
) -> None:
    """Waits out the few minutes after which a lost note can be told from a written one, and settles it."""
    for _ in range(3):
        settle_unknown(store, connection_id, connector, clock, result)  # it may be there already
        with store.reading() as work:
            open_questions = notes.in_states(work, (NoteState.UNKNOWN,), connection_id)
        result.unknown = len(open_questions)
        if not open_questions or result.unread:
            return
        now = clock.now()
        ready = max(_next_reading(note) for note in open_questions)
        clock.sleep(max(0.0, (ready - now).total_seconds()) + 1.0)
        again = write_back(store, connection_id, connector, clock, beat=beat)
        result.written += again.written
        result.found += again.found
        result.postponed += again.postponed
        result.failed += again.failed
        result.unknown, result.unread = again.unknown, again.unread
        result.errors += [error for error in again.errors if error not in result.errors]


def _next_reading(note: Note) -> datetime:
    assert note.tried_at is not None, "an unknown note was tried"
    return note.tried_at + READABLE_AFTER if note.absent_at is None else note.absent_at + _BETWEEN


def _question_abandoned(store: Store, connection_id: int, clock: Clock) -> None:
    """A worker died over these: they may have been written."""
    with store.reading() as work:
        abandoned = notes.abandoned(work, connection_id, now=clock.now())
    if not abandoned:
        return
    with store.working() as work:
        now = clock.now()
        for note in abandoned:
            assert note.tried_at is not None, "a claimed note was tried"
            latest = min(now, note.tried_at + timedelta(seconds=FIRST_BYTE))
            notes.move(
                work, note, NoteState.CLAIMED, NoteState.UNKNOWN, reason="its worker was gone", now=now,
                tried_at=latest,
            )  # fmt: skip
        work.commit()


def settle_unknown(store: Store, connection_id: int, connector: Connector, clock: Clock, result: Written) -> None:
    """Reads the source for each lost note: found, or absent twice (the first time late enough) and to be written."""
    with store.reading() as work:
        open_questions = notes.in_states(work, (NoteState.UNKNOWN,), connection_id)
    for note in open_questions:
        assert note.tried_at is not None
        now = clock.now()
        if note.absent_at is not None and now < _next_reading(note):
            continue
        try:
            remote_id = _found(connector, note)
        except ConnectorError:
            result.unread += 1  # still unknown; the next run reads again
            continue
        with store.working() as work:
            if remote_id is not None:
                result.found += notes.move(
                    work, note, NoteState.UNKNOWN, NoteState.WRITTEN, reason="found in the source", now=now,
                    written_at=now, remote_id=remote_id,
                )  # fmt: skip
            elif now - note.tried_at < READABLE_AFTER:
                pass  # too early to tell
            elif note.absent_at is None and note.kind is WriteKind.NOTE:
                notes.seen_absent(work, note, now=now)
            else:
                notes.move(
                    work, note, NoteState.UNKNOWN, NoteState.PENDING, reason="not found in the source", now=now,
                    claim_token=None, claimed_until=None, not_before=None,
                )  # fmt: skip
            work.commit()


def _write(store: Store, connector: Connector, note: Note, deadline: float, clock: Clock, result: Written) -> bool:
    """Writes one claimed note, beginning no request after the deadline; False where the source wants to be left alone
    for longer."""
    begun = False

    def in_time() -> None:
        nonlocal begun
        if clock.elapsed() > deadline:
            raise Refused("the worker was suspended before it wrote")
        begun = True

    go_on = True
    try:
        if (kept := _kept(store, connector, note)) is not None:
            _leave(store, note, kept, clock)
            return True
        with before_first_byte(in_time, of_each=True):
            remote_id = _put(connector, note)
    except Stopped as error:
        if begun:
            _lose(store, note, error, clock)
        else:
            _postpone(store, note, error, 0.0, clock)
        raise
    except RetryLater as error:
        _postpone(store, note, error, error.after, clock)
        result.postponed += 1
        go_on = error.after <= _PATIENCE and result.postponed <= TRIES
        if go_on:
            clock.sleep(error.after)
    except Reauthorise as error:
        _postpone(store, note, error, 0.0, clock)
        result.postponed += 1
        result.errors.append(f"write-back: {error}")
        go_on = False
    except Barred as error:
        _postpone(store, note, error, 0.0, clock)
        result.barred.add(note.id)
        result.errors.append(f"write-back: {_what(note)}: {error}")
        go_on = len(result.barred) < _BARRED
    except Rejected as error:
        _refuse(store, note, error, clock)
        result.failed += 1
        if note.kind is WriteKind.EXPECTED_ON:
            result.errors.append(f"write-back: {_what(note)} is refused: {error}")
    except Exception as error:  # noqa: BLE001 - one note never stops the others; what it did is read in the source
        _lose(store, note, error, clock)
    else:
        with store.working() as work:
            now = clock.now()
            result.written += notes.move(
                work, note, NoteState.CLAIMED, NoteState.WRITTEN, reason="written", now=now, written_at=now,
                remote_id=remote_id,
            )  # fmt: skip
            work.commit()
    return go_on


def _put(connector: Connector, note: Note) -> str | None:
    if note.kind is WriteKind.NOTE:
        return connector.write_note(NoteDraft(target=note.target, text=note.text, marker=note.marker, key=note.key))
    if not isinstance(connector, KeepsFacts) or note.kind not in connector.facts:
        raise Rejected(f"{connector.provider} has no place for it")
    connector.write_fact(InvoiceFact(note.kind, note.target.remote_id, facts.day_of(note), note.key))
    return None


def _kept(store: Store, connector: Connector, note: Note) -> str | None:
    """Why a fact that is for the place of one of ours is not written: somebody else's stands there or it does itself,
    or nothing is open any more. None where it is to be written."""
    if not facts.takes_place(note):
        return None
    with store.reading() as work:
        ours = facts.ours(work, note)
    invoice = _read(connector, note)
    if invoice is None or invoice.state is not InvoiceState.OPEN or not invoice.balance:
        return "nothing is open on the invoice any more"
    there = invoice.expected_on
    if there == facts.day_of(note):
        return "it stands there already"
    return None if there in ours else f"what stands there is not by us and stays: {there or 'no day'}"


def _found(connector: Connector, note: Note) -> str | None:
    """What the source has of it: the note's id, or the invoice's where the fact stands on it."""
    if note.kind is WriteKind.NOTE:
        return connector.find_note(note.target, note.marker)
    invoice = _read(connector, note)
    return invoice.remote_id if invoice is not None and _stands_on(invoice, note) else None


def _read(connector: Connector, fact: Note) -> Invoice | None:
    """The invoice that a fact is about, as it now is in the source."""
    wanted = fact.target.remote_id
    pages = connector.records(Resource.INVOICES, [wanted])
    found = (one for page in pages for one in page.records if isinstance(one, Invoice) and one.remote_id == wanted)
    return next(found, None)


def _stands_on(invoice: Invoice, note: Note) -> bool:
    return invoice.sent is True if note.kind is WriteKind.SENT else invoice.expected_on == facts.day_of(note)


def _what(note: Note) -> str:
    return "a note" if note.kind is WriteKind.NOTE else note.text


def _postpone(store: Store, note: Note, error: ArsyncError, after: float, clock: Clock) -> None:
    """Nothing was done: the note goes back and keeps its try, not to be claimed for so many seconds."""
    with store.working() as work:
        now = clock.now()
        notes.move(
            work, note, NoteState.CLAIMED, NoteState.PENDING, reason=str(error), now=now, claim_token=None,
            claimed_until=None, not_before=now + timedelta(seconds=after), attempts=note.attempts - 1,
        )  # fmt: skip
        work.commit()


def _leave(store: Store, note: Note, reason: str, clock: Clock) -> None:
    with store.working() as work:
        notes.move(work, note, NoteState.CLAIMED, NoteState.SUPERSEDED, reason=reason, now=clock.now())
        work.commit()


def _refuse(store: Store, note: Note, error: ConnectorError, clock: Clock) -> None:
    with store.working() as work:
        now = clock.now()
        if (
            notes.move(work, note, NoteState.CLAIMED, NoteState.FAILED, reason=str(error), now=now)
            and note.kind is WriteKind.NOTE  # a fact is no promise of ours to keep: what is refused stays so
            and note.attempts < TRIES
        ):
            notes.move(
                work, note, NoteState.FAILED, NoteState.PENDING, reason=f"to be tried again: {error}", now=now,
                claim_token=None, claimed_until=None, not_before=now + _BACKOFF * 2 ** (note.attempts - 1),
            )  # fmt: skip
        work.commit()


def _lose(store: Store, note: Note, error: Exception, clock: Clock) -> None:
    said = str(error) if isinstance(error, ConnectorError | Refused) else type(error).__name__
    with store.working() as work:
        now = clock.now()  # the request left later than the claim: the vendor may work on it from here on
        notes.move(work, note, NoteState.CLAIMED, NoteState.UNKNOWN, reason=said, now=now, tried_at=now)
        work.commit()
