"""Letters from the pile to the post: whoever opens, prints or posts them has the source read again first.

What does not hold any more is never printed or posted: it comes back as the pull list, so that its paper is taken out.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from arsync.connector import Clock
from arsync.domain.chase import Rendered
from arsync.domain.people import TouchKind
from arsync.domain.states import MessageState
from arsync.errors import ArsyncError, ConnectorError
from arsync.outbox.accept import accept
from arsync.playbook.answers import NOBODYS
from arsync.playbook.confirm import Confirmation, confirm, written_again
from arsync.render.letter import letter_pdf, letter_values
from arsync.store import connections, events, gate, letters, messages, touches, verdicts
from arsync.store.engine import Store, Work
from arsync.store.letters import Letter
from arsync.store.messages import Message
from arsync.worker.dispatch import Desk, Dispatched, read_again

_log: Final = logging.getLogger(__name__)
_TERM: Final = timedelta(minutes=10)
_PLACE: Final = "the post"
#: What stands across a sheet that is only to be looked at.
_TRIAL: Final = "TRIAL – NOT TO BE POSTED"
#: How the reason of a letter begins that we failed on: a person must look.
FAILS: Final = "arsync failed on it"


@dataclass(slots=True)
class Checked:
    """What the source says of letters today."""

    holding: list[Letter] = field(default_factory=list)  # may go; posted, where that was asked for
    pulled: list[tuple[Letter, str]] = field(default_factory=list)  # must not go out; what is on paper is taken out
    later: list[tuple[Letter, str]] = field(default_factory=list)  # not now: they stay where they are
    failed: list[tuple[Letter, str]] = field(default_factory=list)  # we failed on these: a person must look

    def extend(self, other: Checked) -> None:
        """Adds what was found of other letters."""
        self.holding += other.holding
        self.pulled += other.pulled
        self.later += other.later
        self.failed += other.failed


def look(store: Store, desk: Desk, clock: Clock, those: Collection[Letter]) -> Checked:
    """Reads the payers of these letters again and says which still hold; they stay on the pile."""
    checked, claimed = _confirmed(store, desk, clock, those)
    _give_back(store, clock, claimed, "on the pile of letters: it still holds")
    return checked


@dataclass(slots=True)
class Composed:
    """Letters on paper: of each that holds what its sheet says, and all in one file."""

    sheets: list[dict[str, Any]]
    pdf: bytes


def compose(
    store: Store, desk: Desk, clock: Clock, those: Collection[Letter], *, author: str
) -> tuple[Checked, Composed]:
    """As `look`, and of those that hold what is to be printed, in their order; they are kept as printed by then. One
    that we fail on stays where it is, and the others are printed.

    Where messages are diverted no letter goes to a customer: its sheets are a trial, say so, and count as none.
    """
    checked, claimed = _confirmed(store, desk, clock, those)
    trial = desk.diverted_to is not None
    now = clock.now()
    try:
        sheets = [(letter, sheet) for letter in checked.holding if (sheet := _sheet(store, desk, letter, checked, now))]
        sheets, pdf = _typeset(sheets, desk.policy.seller.font, checked, mark=_TRIAL if trial else "")
        checked.holding = [letter for letter, _ in sheets]
        if not trial:
            with store.working() as work:
                letters.note_print(work, [letter.message.id for letter in checked.holding], author=author, now=now)
                for letter in checked.holding:
                    events.log(
                        work, "letter_printed", at=now, author=author, connection_id=desk.connection.id,
                        chase_id=letter.message.chase_id, message_id=letter.message.id, batch=letter.batch_id,
                        before=letter.prints,
                    )  # fmt: skip
                work.commit()
    finally:
        _give_back(store, clock, claimed, "on the pile of letters", checked.failed)
    return checked, Composed([sheet for _, sheet in sheets], pdf)


def _sheet(store: Store, desk: Desk, letter: Letter, checked: Checked, now: datetime) -> dict[str, Any] | None:
    """What the letter's sheet says; None where it says nothing any more, or where we fail on it."""
    try:
        with store.working() as work:
            company = connections.connection_by_id(work, desk.connection.id)
            intent, letterhead, own = written_again(work, company, desk.policy, letter.message, now=now)
            return letter_values(intent, letterhead, own.templates, _edited(letter.message))
    except NOBODYS:
        raise
    except Exception as error:  # noqa: BLE001 - one letter never stops the others
        if type(error) is LookupError:  # not one that a slip of ours raises
            checked.later.append((letter, f"it changed while it was looked at: {error}"))
        else:
            checked.failed.append((letter, _failure(letter, error)))
    return None


def _typeset(
    sheets: list[tuple[Letter, dict[str, Any]]], font: str, checked: Checked, *, mark: str
) -> tuple[list[tuple[Letter, dict[str, Any]]], bytes]:
    """Those that can be typeset, in one file; empty where there are none."""
    try:
        return sheets, letter_pdf([sheet for _, sheet in sheets], font, mark) if sheets else b""
    except NOBODYS:
        raise
    except Exception:
        able = []
        for letter, sheet in sheets:
            try:
                letter_pdf([sheet], font, mark)
            except NOBODYS:
                raise
            except Exception as error:  # noqa: BLE001 - one letter never stops the others
                checked.failed.append((letter, _failure(letter, error)))
            else:
                able.append((letter, sheet))
        if len(able) == len(sheets):
            raise  # each for itself can be set: it is none of theirs
        return able, letter_pdf([sheet for _, sheet in able], font, mark) if able else b""


def _failure(letter: Letter, error: Exception) -> str:
    _log.error("letter_failed", exc_info=error, extra={"message_id": letter.message.id})
    said = f": {error}" if isinstance(error, ArsyncError) else ""
    return f"{FAILS} ({type(error).__name__}){said}"


def post(
    store: Store, desk: Desk, clock: Clock, those: Collection[Letter], *, on: date, author: str
) -> Checked:  # fmt: skip
    """As `look`, and those that hold are accepted as posted on that day, each through the last gate."""
    if desk.diverted_to is not None:
        why = f"delivery.redirect_to is set ({desk.diverted_to}): no letter goes to a customer"
        return Checked(later=[(letter, why) for letter in those])
    on_paper = [letter for letter in those if letter.is_dead or letter.lies]
    checked, _ = _confirmed(store, desk, clock, on_paper)
    for letter in those:
        if letter not in on_paper:
            why = "its paper was taken out of the pile: print it again" if letter.prints else "it was never printed"
            checked.later.append((letter, why))
    posted = []
    for letter in checked.holding:
        message = letter.message
        now = clock.now()
        assert message.claim_token is not None, "it was claimed"
        with store.working() as work:
            refusal = gate.pass_gate(
                work, message.id, token=message.claim_token, now=now, today=desk.policy.today(now), way_out=_PLACE
            )
            if refusal is None:
                how = replace(desk.acceptance(now), today=on, diverted_to=None)
                accept(
                    work, message, MessageState.SENDING, reference=f"L{letter.batch_id}",
                    reason=f"posted on {on}, says {author}", how=how, now=now, token=message.claim_token,
                )  # fmt: skip
                _log_posted(work, letter, on, author, now)
                work.commit()
        if refusal is None:
            posted.append(letter)
        else:
            _give_back(store, clock, [message], f"held at the gate: {refusal}")
            checked.later.append((letter, refusal))
    checked.holding = posted
    return checked


def keep_gone(store: Store, desk: Desk, clock: Clock, those: Collection[Letter], *, on: date, author: str) -> None:
    """Keeps these as posted on that day whatever the source says by now: a person says that they have left the house.

    A letter that had been withdrawn meanwhile counts as what a person did by hand: for gap, caps and ladder.
    """
    for letter in those:
        now = clock.now()
        with store.working() as work:
            if letter.is_dead:
                demanded = [item.invoice_id for item in messages.items(work, letter.message.id) if item.demanded]
                touches.keep_touch(
                    work, desk.connection.id, payer_id=letter.message.payer_id, kind=TouchKind.LETTER, made_on=on,
                    step_id=letter.message.step_id, invoice_ids=demanded, author=author, now=now,
                    comment=f"posted though withdrawn: {letter.message.reason}",
                )  # fmt: skip
                letters.take_out(work, [letter.message.id], author=author, now=now)
            else:
                _wait_no_more(work, letter.message.id, author=author, now=now)
                (message,) = letters.claim(work, [letter.message.id], term=_TERM, now=now) or (None,)
                if message is None:
                    continue  # it was posted meanwhile
                messages.move(
                    work, message.id, MessageState.CLAIMED, MessageState.SENDING, now=now, author=author,
                    reason=f"it has left the house, says {author}", token=message.claim_token, sending_at=now,
                    attempts=message.attempts + 1, way_out=_PLACE,
                )  # fmt: skip
                how = replace(desk.acceptance(now), today=on, diverted_to=None)
                accept(
                    work, message, MessageState.SENDING, reference=f"L{letter.batch_id}", now=now, how=how,
                    reason=f"posted on {on}, says {author}", token=message.claim_token,
                )  # fmt: skip
            _log_posted(work, letter, on, author, now)
            work.commit()


def _wait_no_more(work: Work, message_id: int, *, author: str, now: datetime) -> None:
    """A letter whose approval was taken back, or that another worker has not let go, left the house all the same."""
    state = messages.get(work, message_id).state
    if state in (MessageState.PLANNED, MessageState.CLAIMED):
        messages.move(
            work, message_id, state, MessageState.APPROVED, reason=f"it has left the house, says {author}", now=now,
            author=author, claim_token=None, claimed_until=None,
        )  # fmt: skip


def to_pull(store: Store) -> list[Letter]:
    """The letters whose paper must be taken out of the pile, as the last reading told."""
    with store.reading() as work:
        return [letter for letter in letters.on_the_pile(work) if letter.to_be_pulled]


def _confirmed(store: Store, desk: Desk, clock: Clock, those: Collection[Letter]) -> tuple[Checked, list[Message]]:
    """What holds, with fresh claims on it."""
    checked, now = Checked(), clock.now()
    waiting = _waiting(those, checked, now)
    if not waiting:
        return checked, []
    with store.working() as work:
        run_id = verdicts.begin_run(work, "letters", now=now)
        batch = letters.claim(work, waiting, term=_TERM, now=now)
        work.commit()
    done = Dispatched()
    fresh = read_again(store, desk, batch, clock, done)
    claimed = []
    for message in fresh:
        letter = waiting[message.id]
        with store.reading() as work:
            company = connections.connection_by_id(work, desk.connection.id)
        try:
            answer, reason = confirm(
                store, company, desk.policy, message, now=clock.now(), run_id=run_id, printed=letter.lies
            )
        except NOBODYS:
            raise
        except Exception as error:  # noqa: BLE001 - one letter never stops the others
            checked.failed.append((letter, _failure(letter, error)))
            _give_back(store, clock, [message], "", checked.failed)
            continue
        if answer is Confirmation.HOLDS:
            claimed.append(message)
            checked.holding.append(replace(letter, message=message))
        elif answer is Confirmation.WITHDRAWN:
            checked.pulled.append((letter, reason))
        else:
            checked.later.append((letter, reason))
    checked.later += [(waiting[message.id], reason) for message, reason in done.postponed]
    if done.error and not fresh:
        raise ConnectorError(done.error)
    return checked, claimed


def _waiting(those: Collection[Letter], checked: Checked, now: datetime) -> dict[int, Letter]:
    """Those that the source is to be asked about; of the others it is known already."""
    waiting: dict[int, Letter] = {}
    for letter in those:
        message = letter.message
        if letter.is_dead or letter.wrong_paper:
            checked.pulled.append((letter, letter.wrong_paper or message.reason))
        elif message.state is not MessageState.APPROVED:
            checked.later.append((letter, f"it is {message.state}"))
        elif message.not_before is not None and message.not_before > now:
            until = f"until {message.not_before:%Y-%m-%d %H:%M} UTC"
            checked.later.append((letter, f"{until} its approval can be taken back (arsync unapprove {message.id})"))
        else:
            waiting[message.id] = letter
    return waiting


def _edited(message: Message) -> Rendered | None:
    return message.rendered if message.edited_by else None


def _give_back(
    store: Store, clock: Clock, claimed: Collection[Message], reason: str, failed: Collection[tuple[Letter, str]] = ()
) -> None:
    why = {letter.message.id: told for letter, told in failed}
    with store.working() as work:
        for message in claimed:
            messages.move(
                work, message.id, MessageState.CLAIMED, MessageState.APPROVED, reason=why.get(message.id, reason),
                now=clock.now(), token=message.claim_token, claim_token=None, claimed_until=None,
            )  # fmt: skip
        work.commit()


def _log_posted(work: Any, letter: Letter, on: date, author: str, now: Any) -> None:
    events.log(
        work, "letter_posted", at=now, author=author, connection_id=letter.message.connection_id,
        chase_id=letter.message.chase_id, message_id=letter.message.id, day=on, batch=letter.batch_id,
    )  # fmt: skip
