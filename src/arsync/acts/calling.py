"""What came of a call of the list. What the customer said is kept with the outcome, in one commit: a promise, what it
contests, or that it has paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from arsync.acts.days import last_day, past, to_come
from arsync.acts.holding import contested_part, put
from arsync.acts.lifting import end_with
from arsync.acts.noting import note
from arsync.acts.promising import give, promised_part
from arsync.acts.whom import Whom
from arsync.bootstrap import App
from arsync.domain.chase import Hold
from arsync.domain.money import total
from arsync.domain.people import REACHED, CallOutcome, DisputeCode
from arsync.domain.policy import StepChannel
from arsync.domain.states import HoldKind
from arsync.errors import NotFound, UsageError
from arsync.store import chases, connections, events, finding, holds, messages, touches
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.messages import Message


@dataclass(frozen=True, slots=True)
class Said:
    """How a call went, as a person says."""

    outcome: CallOutcome
    day: date | None = None  # that they named: of the money
    amount: str | None = None  # how much they promised or contest; None: all
    code: DisputeCode | None = None
    numbers: Sequence[str] = ()  # of the invoices that they spoke of; none: all in the call
    grace: int = 2
    on: date | None = None  # when the call was; None: today
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """What the customer said on the phone, as it is kept."""

    said: str
    invoice_id: str | None  # the one that it is about
    more: tuple[str, ...] = ()
    told: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept of a call: the number of its outcome, what they said, and the day of the call."""

    number: int
    fact: Fact
    on: date


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the list, the invoices that it is about, and what its report says."""

    message: Message
    company: Connection
    named: Sequence[Whom]
    comment: str
    who: str


def keep(app: App, message_id: int, said: Said, *, who: str) -> Kept:
    """Keeps how a call of the list went, with what follows from it. NotFound where it is not on the list; UsageError
    where it was answered already, or something lacks or does not go together."""
    if said.outcome is CallOutcome.PROMISED and said.day is None:
        raise UsageError("which day did they name? Without one it is not a promise that could be kept", field="day")
    with app.store.working() as work:
        message = messages.find(work, message_id)
        if message is None or message.channel != StepChannel.CALL or not messages.is_call(work, message_id):
            raise NotFound(f"call {message_id} on the list")
        company = connections.connection_by_id(work, message.connection_id)
        chases.lock_payers(work, company.id, [message.payer_id])  # who else keeps an outcome of it waits
        _not_answered(work, message)
        now, called_on = app.clock.now(), past(app, company, said.on)
        spoken = Call(message, company, _spoken_of(work, message, company, said.numbers), said.comment, who)
        number = touches.keep_outcome(
            work, message_id, said.outcome, made_on=called_on, comment=said.comment, author=who, now=now
        )
        fact = _fact(app, work, spoken, number, said)
        note(
            app, work, company, message.payer_id, fact.invoice_id, by=who, now=now,
            what=f"Call {message_id} ({message.step_id}) made: {fact.said}, said",
            more=(f"Called on: {called_on}", *fact.more, *((said.comment,) if said.comment else ())),
        )  # fmt: skip
        events.log(
            work, "call_made", at=now, author=who, connection_id=company.id, chase_id=message.chase_id,
            message_id=message_id, outcome=said.outcome.value, day=called_on, comment=said.comment, number=number,
        )  # fmt: skip
        work.commit()
    return Kept(number, fact, called_on)


def _fact(app: App, work: Work, spoken: Call, number: int, said: Said) -> Fact:
    match said.outcome:
        case CallOutcome.PROMISED if said.day is not None:
            return _promised(app, work, spoken, number, said.amount, said.day, said.grace)
        case CallOutcome.DISPUTED:
            return _disputed(app, work, spoken, number, said.amount, said.code)
        case CallOutcome.PAID:
            return _paid(app, work, spoken, number, said.day, said.grace)
        case _:
            return Fact(_words(said.outcome), None)


def _not_answered(work: Work, message: Message) -> None:
    for one in touches.outcomes(work, message.connection_id, message.payer_id):
        if one.message_id == message.id and one.outcome in REACHED:
            raise UsageError(
                f"call {message.id} was answered on {one.made_on}: {_words(one.outcome)}, kept by {one.author}; "
                f"if that is wrong: arsync undo call {one.id}"
            )


def _spoken_of(work: Work, message: Message, company: Connection, written: Sequence[str]) -> list[Whom]:
    """The invoices of the call that they spoke of, as far as anything is open on them; all where none is written."""
    asked = [item.invoice_id for item in messages.items(work, message.id) if item.demanded]
    found = finding.invoices_of(work, company.id, asked)
    if written:
        numbers = {one.number for one in found}
        if strange := [number for number in written if number not in numbers]:
            raise UsageError(f"{strange[0]}: the call is about {', '.join(sorted(numbers))}")
        found = [one for one in found if one.number in written]
    return [
        Whom(one.connection_id, one.payer_id, one, f"invoice {one.number} of {one.customer}")
        for one in found
        if one.balance and one.payer_id == message.payer_id
    ]


def _only(named: Sequence[Whom]) -> str | None:
    return named[0].invoice_id if len(named) == 1 else None


def _numbers(named: Sequence[Whom]) -> str:
    return ", ".join(one.invoice.number for one in named if one.invoice)


def _words(outcome: CallOutcome) -> str:
    return outcome.replace("_", " ")


def _how(spoken: Call) -> str:
    return f"by phone, call {spoken.message.id}{f': {spoken.comment}' if spoken.comment else ''}"


# --- what they said -----------------------------------------------------------------------------------------------


def _promised(
    app: App, work: Work, spoken: Call, call_id: int, amount: str | None, day: date, grace: int
) -> Fact:  # fmt: skip
    if not spoken.named:
        raise UsageError("nothing of what the call was about is open any more")
    owed = total((one.invoice.balance for one in spoken.named if one.invoice), spoken.message.currency)
    promised = promised_part(owed, amount)
    given = give(
        app, work, spoken.company, spoken.named, promised, day, grace, reason=_how(spoken), who=spoken.who,
        call_id=call_id,
    )  # fmt: skip
    return Fact(
        f"promised {promised} by {day} for {_numbers(spoken.named)}", _only(spoken.named),
        (f"In time until: {given.until}",), f"; it is in time until {given.until}{given.told}",
    )  # fmt: skip


def _disputed(
    app: App, work: Work, spoken: Call, call_id: int, amount: str | None, code: DisputeCode | None
) -> Fact:  # fmt: skip
    if not spoken.comment.strip():
        raise UsageError("what do they contest? It is shown wherever it stops something", field="comment")
    if not spoken.named:
        raise UsageError("nothing of what the call was about is open any more")
    if amount is not None and len(spoken.named) > 1:
        raise UsageError(f"of which is that amount? Name one: {_numbers(spoken.named)}", field="amount")
    part = None
    for one in spoken.named:
        assert one.invoice is not None
        part = contested_part(one.invoice, amount) if amount else None
        _hold(app, work, spoken, Hold(
            HoldKind.DISPUTE, spoken.comment, spoken.who, one.payer_id, one.invoice_id, app.today(spoken.company), None,
            part, code,
        ), one, call_id)  # fmt: skip
    about = f"{part} of {_numbers(spoken.named)}" if part else _numbers(spoken.named)
    kind = f" ({_words_of(code)})" if code else ""
    return Fact(f"contested {about}{kind}", _only(spoken.named), told="; that is not asked for until somebody lifts it")


def _paid(app: App, work: Work, spoken: Call, call_id: int, day: date | None, grace: int) -> Fact:
    """They say that it is paid: nothing is asked for until the money would have come."""
    today = app.today(spoken.company)
    waits_for = max(today, day or today)
    to_come(waits_for, today, field="day")
    until = last_day(app, spoken.company, waits_for, grace)
    told = f" on {day}" if day else ""
    why = f"they say that it is paid{told}: {_how(spoken)}"
    for one in spoken.named:
        placed = Hold(HoldKind.PAUSE, why, spoken.who, one.payer_id, one.invoice_id, today, until)
        _hold(app, work, spoken, placed, one, call_id)
    if not spoken.named:
        return Fact(f"paid{told}", None)
    return Fact(
        f"paid{told}, {_numbers(spoken.named)}", _only(spoken.named), (f"Not chased until: {until}",),
        f"; it is not chased until {until}, and then only if the money has not come",
    )  # fmt: skip


def _hold(app: App, work: Work, spoken: Call, placed: Hold, one: Whom, call_id: int) -> None:
    """The call's own note tells of it."""
    put(
        app, work, spoken.company, placed, what=one.what, now=app.clock.now(), noted=False, call_id=call_id
    )  # fmt: skip


def _words_of(code: DisputeCode) -> str:
    return code.replace("_", " ")


# --- taken back ---------------------------------------------------------------------------------------------------


def take_back(app: App, work: Work, number: int, who: str, now: datetime) -> tuple[Connection, str, str | None, str]:
    """Takes back how a call went, with what was kept of it: of whom and what that was; NotFound where it does not
    stand."""
    spoken = touches.undo_outcome(work, number, now=now)
    if spoken is None:
        answers = (one for linked in connections.connections(work) for one in touches.outcomes(work, linked.id))
        meant = [f"arsync undo call {one.id}" for one in answers if one.message_id == number]
        instead = f"; of call {number} of the list: {meant[-1]}" if meant else ""
        raise NotFound(f"outcome {number} of a call that stands{instead}")
    company = connections.connection_by_id(work, spoken.connection_id)
    lifted = holds.lift_with(work, company.id, call_id=number, now=now)
    for one in lifted:
        end_with(app, work, one, now)
        events.log(work, "hold_lifted", at=now, author=who, connection_id=company.id, hold=one.id)
    comment = f": {spoken.comment}" if spoken.comment else ""
    said = f"{_words(spoken.outcome)} on {spoken.made_on}, by {spoken.author}{comment}"
    with_it = f", and with it {', '.join(f'hold {one.id} ({one.hold.kind})' for one in lifted)}" if lifted else ""
    single = {one.hold.invoice_id for one in lifted}
    return company, spoken.payer_id, single.pop() if len(single) == 1 else None, f"{said}{with_it}"
