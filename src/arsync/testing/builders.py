"""Facts of a chase in one line each, and a diary of what the planner does with them day by day; no database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Final

from arsync.domain.calendar import Calendar
from arsync.domain.chase import ChaseFacts, ConnectionFacts, Hold, Item, PastMessage, Plan, Verdict
from arsync.domain.documents import Contact, ContactRole, InvoiceState
from arsync.domain.money import Money
from arsync.domain.policy import Backlog, Playbook, Reanchor, SendWindow, Step, StepChannel, StepMode, Tone
from arsync.domain.states import Health, HoldKind, MessageState
from arsync.playbook.plan import plan

#: The year that `day` puts a month and day in; 1 June 2026 is a Monday.
YEAR: Final = 2026
EVERY_DAY: Final = Calendar(frozenset(range(7)), frozenset())
WORKDAYS: Final = Calendar(frozenset(range(5)), frozenset())
ADA: Final = Contact("Ada Park", "ada@park.example", "+44 20 7946 0000", ContactRole.BILLING)


def day(written: str) -> date:
    """The date of `06-30`, in `YEAR`; a full ISO date is taken as it is."""
    return date.fromisoformat(written if len(written) == 10 else f"{YEAR}-{written}")


def money(written: str, currency: str = "EUR") -> Money:
    """An amount as written."""
    return Money(Decimal(written), currency)


def an_item(
    number: str = "INV-1",
    due: str | None = "06-30",
    balance: str = "100.00",
    *,
    total: str | None = None,
    currency: str = "EUR",
    state: InvoiceState = InvoiceState.OPEN,
    issued: str | None = None,
) -> Item:
    """An open invoice; issued 30 days before it is due, its total its balance, unless told otherwise."""
    due_on = day(due) if due else None
    return Item(
        invoice_id=number,
        number=number,
        customer_name="Park & Sons",
        state=state,
        total=money(total or balance, currency),
        balance=money(balance, currency),
        issued_on=day(issued) if issued else (due_on or day("06-01")) - timedelta(days=30),
        due_on=due_on,
        reference="PO-77",
        email=None,
    )


def a_connection(
    *,
    stopped: str | None = None,
    health: Health = Health.OK,
    stale: bool = False,
    source_reminds: bool | None = False,
    mode: StepMode = StepMode.AUTO,
    replies_read: bool = True,
    banked_through: str | None = None,
    pay_currencies: Collection[str] = ("EUR",),
) -> ConnectionFacts:
    """A healthy connection that sends by itself."""
    return ConnectionFacts(
        connection_id=1,
        name="acme",
        stopped=stopped,
        health=health,
        health_reason="as the test says",
        stale=stale,
        source_reminds=source_reminds,
        mode=mode,
        replies_read=replies_read,
        banked_through=day(banked_through) if banked_through else None,
        pay_currencies=frozenset(pay_currencies),
    )


def some_facts(
    *items: Item,
    connection: ConnectionFacts | None = None,
    chase_id: int = 1,
    currency: str = "EUR",
    recipients: Sequence[Contact] = (ADA,),
    locale: str = "en",
    unapplied: str = "0.00",
    quarantined: Sequence[str] = (),
    balance_mismatch: str | None = None,
    holds: Sequence[Hold] = (),
    history: Sequence[PastMessage] = (),
    opened: str = "01-01",
) -> ChaseFacts:
    """The chase of Park & Sons, opened long before anything fell due."""
    return ChaseFacts(
        connection=connection or a_connection(),
        chase_id=chase_id,
        payer_id="park",
        payer_name="Park & Sons",
        currency=currency,
        recipients=tuple(recipients),
        locales=frozenset({"en"}),
        locale=locale,
        items=items,
        unapplied=money(unapplied, currency),
        quarantined=tuple(quarantined),
        balance_mismatch=balance_mismatch,
        holds=tuple(holds),
        history=tuple(history),
        opened_on=day(opened),
    )


def past(
    step_id: str,
    on: str,
    *numbers: str,
    state: MessageState = MessageState.ACCEPTED,
    occurrence: int = 1,
) -> PastMessage:
    """A message of the chase that demanded those invoices (INV-1 unless named)."""
    return PastMessage(step_id, occurrence, state, day(on), frozenset(numbers or ("INV-1",)))


def a_hold(
    kind: HoldKind = HoldKind.DISPUTE,
    *,
    invoice: str | None = None,
    begins: str = "01-01",
    until: str | None = None,
    connection_wide: bool = False,
) -> Hold:
    """A stop on one invoice, or on the payer."""
    payer = None if connection_wide else "park"
    return Hold(kind, "the goods came broken", "kim", payer, invoice, day(begins), day(until) if until else None)


def a_step(
    step_id: str,
    offset: int,
    tone: Tone | None = None,
    *,
    channel: StepChannel = StepChannel.EMAIL,
    mode: StepMode | None = None,
) -> Step:
    """A step; courtesy up to the due date, friendly after it, unless told otherwise."""
    spoken = tone if tone is not None else (Tone.COURTESY if offset <= 0 else Tone.FRIENDLY)
    return Step(step_id, offset, channel, spoken, step_id, mode)


STANDARD_STEPS: Final = (
    a_step("courtesy", -3),
    a_step("friendly", 3),
    a_step("firm", 14, Tone.FIRM),
    a_step("call", 21, Tone.FIRM, channel=StepChannel.CALL, mode=StepMode.TASK),
    a_step("final", 30, Tone.FINAL),
)


def a_playbook(
    *steps: Step,
    gap: int = 5,
    minimum: Mapping[str, str] | None = None,
    backlog: Backlog = Backlog.AGE_STEP,
    reanchor: Reanchor = Reanchor.FIT_AGE,
) -> Playbook:
    """The standard ladder (courtesy -3, friendly 3, firm 14, call 21, final 30), or the steps given."""
    return Playbook(
        name="test",
        version="test-1",
        gap=gap,
        minimum={currency: Decimal(least) for currency, least in (minimum or {}).items()},
        backlog=backlog,
        reanchor=reanchor,
        window=SendWindow(frozenset(range(5)), time(9), time(17)),
        steps=steps or STANDARD_STEPS,
    )


Event = Callable[[ChaseFacts], ChaseFacts]


def pays(number: str, balance: str = "0.00") -> Event:
    """The invoice is paid, or paid down to a balance."""

    def event(facts: ChaseFacts) -> ChaseFacts:
        return _with_item(facts, number, money(balance, facts.currency))

    return event


def reverses(number: str, balance: str) -> Event:
    """A payment is reversed: the invoice is open again."""
    return pays(number, balance)


def _with_item(facts: ChaseFacts, number: str, balance: Money) -> ChaseFacts:
    state = InvoiceState.OPEN if balance else InvoiceState.PAID
    items = (replace(it, balance=balance, state=state) if it.number == number else it for it in facts.items)
    return replace(facts, items=tuple(items))


def holds(hold: Hold) -> Event:
    """A person stops something."""
    return lambda facts: replace(facts, holds=(*facts.holds, hold))


def lifts_all() -> Event:
    """A person lifts every hold."""
    return lambda facts: replace(facts, holds=())


def settles(state: MessageState) -> Event:
    """What became of the last message is learnt."""
    return lambda facts: replace(facts, history=(*facts.history[:-1], replace(facts.history[-1], state=state)))


@dataclass(frozen=True, slots=True)
class Entry:
    """What the planner said on one day."""

    day: date
    plan: Plan

    def __str__(self) -> str:
        intent = self.plan.intent
        if intent is None:
            return f"{self.day:%m-%d} nothing"
        return f"{self.day:%m-%d} {intent.step.id} {' '.join(sorted(item.number for item in intent.demanded))}"


def keep_diary(
    facts: ChaseFacts,
    playbook: Playbook,
    first: str,
    last: str,
    *,
    calendar: Calendar = EVERY_DAY,
    events: Mapping[str, Event] | None = None,
    outage: Iterable[date] = (),
    outcome: MessageState = MessageState.ACCEPTED,
) -> list[Entry]:
    """Plans every day from first to last; each intent becomes a message in that state. An outage's days are not run."""
    happenings = {day(written): event for written, event in (events or {}).items()}
    asleep = frozenset(outage)
    entries = []
    today = day(first)
    while today <= day(last):
        if event := happenings.get(today):
            facts = event(facts)
        if today not in asleep:
            planned = plan(facts, playbook, calendar, today)
            entries.append(Entry(today, planned))
            facts = after(facts, planned, today, outcome)
        today += timedelta(days=1)
    return entries


def after(facts: ChaseFacts, planned: Plan, today: date, outcome: MessageState = MessageState.ACCEPTED) -> ChaseFacts:
    """The facts once the plan's intent, if it has one, has become a message in that state."""
    if planned.intent is None:
        return facts
    intent = planned.intent
    ids = frozenset(item.invoice_id for item in intent.demanded)
    to = frozenset(contact.email for contact in intent.recipients if contact.email)
    message = PastMessage(intent.step.id, intent.occurrence, outcome, today, ids, to=to, told=not intent.step.is_task)
    return replace(facts, history=(*facts.history, message))


def acts(entries: Iterable[Entry]) -> list[str]:
    """The days on which something went out, as `07-03 friendly INV-1`."""
    return [str(entry) for entry in entries if entry.plan.intent]


def verdict_of(planned: Plan, number: str = "INV-1") -> Verdict:
    """The verdict for one invoice."""
    return next(verdict for verdict in planned.verdicts if verdict.invoice_id == number)
