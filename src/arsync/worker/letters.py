"""Letters from the pile to the post: whoever opens, prints or posts them has the source read again first.

What does not hold any more is never printed or posted: it comes back as the pull list, so that its paper is taken out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from arsync.connector import Clock
from arsync.domain.chase import Rendered
from arsync.domain.people import TouchKind
from arsync.domain.states import MessageState
from arsync.errors import ConnectorError
from arsync.outbox.accept import accept
from arsync.playbook.confirm import Confirmation, confirm, written_again
from arsync.render.letter import letter_values
from arsync.store import connections, events, letters, messages, touches, verdicts
from arsync.store.engine import Store, Work
from arsync.store.letters import Letter
from arsync.store.messages import Message
from arsync.worker.dispatch import Desk, Dispatched, read_again

_TERM: Final = timedelta(minutes=10)
_PLACE: Final = "the post"


@dataclass(slots=True)
class Checked:
    """What the source says of letters today."""

    holding: list[Letter] = field(default_factory=list)  # may go; posted, where that was asked for
    pulled: list[tuple[Letter, str]] = field(default_factory=list)  # must not go out; what is on paper is taken out
    later: list[tuple[Letter, str]] = field(default_factory=list)  # not now: they stay where they are

    def extend(self, other: Checked) -> None:
        """Adds what was found of other letters."""
        self.holding += other.holding
        self.pulled += other.pulled
        self.later += other.later


def look(store: Store, desk: Desk, clock: Clock, those: Collection[Letter]) -> Checked:
    """Reads the payers of these letters again and says which still hold; they stay on the pile."""
    checked, claimed = _confirmed(store, desk, clock, those)
    _give_back(store, clock, claimed, "on the pile of letters: it still holds")
    return checked


def compose(
    store: Store, desk: Desk, clock: Clock, those: Collection[Letter], *, author: str
) -> tuple[Checked, list[dict[str, Any]]]:
    """As `look`, and of those that hold what is to be printed, in their order; they are kept as printed by then."""
    checked, claimed = _confirmed(store, desk, clock, those)
    sheets: list[dict[str, Any]] = []
    printed: list[Letter] = []
    now = clock.now()
    try:
        with store.working() as work:
            company = connections.connection_by_id(work, desk.connection.id)
            for letter in checked.holding:
                try:
                    intent, letterhead, own = written_again(work, company, desk.policy, letter.message, now=now)
                    sheets.append(letter_values(intent, letterhead, own.templates, _edited(letter.message)))
                    printed.append(letter)
                except (LookupError, ValueError) as error:
                    checked.later.append((letter, f"it changed while it was looked at: {error}"))
            ids = [letter.message.id for letter in printed]
            letters.note_print(work, ids, author=author, now=now)
            for letter in printed:
                events.log(
                    work, "letter_printed", at=now, author=author, connection_id=desk.connection.id,
                    chase_id=letter.message.chase_id, message_id=letter.message.id, batch=letter.batch_id,
                    before=letter.prints,
                )  # fmt: skip
            work.commit()
    finally:
        _give_back(store, clock, claimed, "on the pile of letters")
    checked.holding = printed
    return checked, sheets


def post(
    store: Store, desk: Desk, clock: Clock, those: Collection[Letter], *, on: date, author: str
) -> Checked:  # fmt: skip
    """As `look`, and those that hold are accepted as posted on that day, each through the last gate."""
    unprinted = [(letter, "it was never printed") for letter in those if not letter.is_dead and not letter.prints]
    checked, _ = _confirmed(store, desk, clock, [letter for letter in those if letter.is_dead or letter.prints])
    checked.later += unprinted
    posted = []
    for letter in checked.holding:
        message = letter.message
        now = clock.now()
        assert message.claim_token is not None, "it was claimed"
        with store.working() as work:
            refusal = messages.pass_gate(
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
    checked = Checked(pulled=[(letter, letter.message.reason) for letter in those if letter.is_dead])
    waiting = {letter.message.id: letter for letter in those if letter.message.state is MessageState.APPROVED}
    for letter in those:
        if not letter.is_dead and letter.message.id not in waiting:
            checked.later.append((letter, f"it is {letter.message.state}"))
    if not waiting:
        return checked, []
    now = clock.now()
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
        answer, reason = confirm(
            store, company, desk.policy, message, now=clock.now(), run_id=run_id, printed=bool(letter.prints)
        )
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


def _edited(message: Message) -> Rendered | None:
    return message.rendered if message.edited_by else None


def _give_back(store: Store, clock: Clock, claimed: Collection[Message], reason: str) -> None:
    with store.working() as work:
        for message in claimed:
            messages.move(
                work, message.id, MessageState.CLAIMED, MessageState.APPROVED, reason=reason, now=clock.now(),
                token=message.claim_token, claim_token=None, claimed_until=None,
            )  # fmt: skip
        work.commit()


def _log_posted(work: Any, letter: Letter, on: date, author: str, now: Any) -> None:
    events.log(
        work, "letter_posted", at=now, author=author, connection_id=letter.message.connection_id,
        chase_id=letter.message.chase_id, message_id=letter.message.id, day=on, batch=letter.batch_id,
    )  # fmt: skip
