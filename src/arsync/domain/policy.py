"""The playbook as a value: a chase policy and its steps."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Final

from arsync.domain.calendar import Blackout
from arsync.domain.documents import ContactRole
from arsync.domain.matching import Match
from arsync.domain.replies import Meaning


class StepChannel(StrEnum):
    """How a step reaches the payer."""

    EMAIL = "email"
    LETTER = "letter"  # printed, and posted by a person
    CALL = "call"  # a task for a person: ring them
    TASK = "task"  # a task for a person: whatever its text says


class Act(StrEnum):
    """What a step does."""

    REMIND = "remind"  # asks for what is overdue, or soon will be
    STATEMENT = "statement"  # all open items, as a document that goes with the message
    THANK_YOU = "thank-you"  # all that was chased is paid
    HANDOFF = "handoff"  # to an agency or a lawyer: a task with its evidence, never automatic


class Attach(StrEnum):
    """What goes with an e-mail."""

    STATEMENT = "statement"  # all that is open, as a PDF of ours
    INVOICES = "invoices"  # those that it demands, as the accounting system prints them


class Lacking(StrEnum):
    """What happens to an e-mail whose attachment cannot be had."""

    WAIT = "wait"  # it waits, and a person is told
    GO = "go"  # it goes without, and says so in its story


class Happening(StrEnum):
    """What may have happened to an invoice since the last step; a step can depend on it."""

    BOUNCED = "bounced"  # the last message came back
    REPLIED = "replied"  # the customer wrote back; known only where replies are read
    PROMISED = "promised"  # the customer named a day
    PROMISE_BROKEN = "promise_broken"  # the day passed without the money
    PART_PAID = "part_paid"  # some of it came in
    NO_ANSWER = "no_answer"  # a call: nobody picked up
    DISPUTED = "disputed"  # the customer contests it
    WRONG_NUMBER = "wrong_number"  # a call: the number is not theirs


class Anchor(StrEnum):
    """The day that a step's offset is counted from."""

    DUE_DATE = "due_date"
    INVOICE_DATE = "invoice_date"
    END_OF_MONTH = "end_of_month"  # the last day of the month in which it falls due

    def day(self, issued_on: date, due_on: date) -> date:
        """The anchor of an invoice of these days."""
        match self:
            case Anchor.DUE_DATE:
                return due_on
            case Anchor.INVOICE_DATE:
                return issued_on
            case Anchor.END_OF_MONTH:
                return due_on.replace(day=monthrange(due_on.year, due_on.month)[1])


class Group(StrEnum):
    """What one message is about."""

    PAYER = "payer"  # all that a payer owes in one currency, at the pace of its oldest overdue invoice
    INVOICE = "invoice"  # one invoice, at its own pace


class Tone(IntEnum):
    """How hard a step speaks; the order matters."""

    COURTESY = 0  # before anything is due
    FRIENDLY = 1
    FIRM = 2
    FINAL = 3  # names consequences; needs two milder messages not known to be undelivered


class StepMode(StrEnum):
    """Who lets a step go out."""

    AUTO = "auto"
    APPROVE = "approve"
    TASK = "task"


class Backlog(StrEnum):
    """What happens to invoices that were long overdue when the chase began, or was resumed."""

    SKIP = "skip"  # the step whose day is today or later
    AGE_STEP = "age_step"  # the step that fits their age, never a final one
    FIRST_STEP = "first_step"  # from the beginning of the ladder


class Reanchor(StrEnum):
    """Where the ladder goes on when its oldest invoice is paid."""

    FIT_AGE = "fit_age"  # at the step that fits the age of the next oldest, never one already sent for it
    RESTART = "restart"  # at the first step


class Observed(StrEnum):
    """Whose public holidays are no business days."""

    BOTH = "both"
    CUSTOMER = "customer"
    COMPANY = "company"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SendWindow:
    """When messages may leave, on the payer's business days; in the customer's local time where that is known and
    `by_customer`, else in the company's."""

    weekdays: frozenset[int]  # Monday is 0
    opens: time
    closes: time
    by_customer: bool = True
    holidays: Observed = Observed.BOTH
    blackouts: tuple[Blackout, ...] = ()


@dataclass(frozen=True, slots=True)
class Repeat:
    """A step is taken again `every` so many days after the last time, `times` more or `until` that many days after its
    anchor; whichever is given."""

    every: int
    times: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Caps:
    """The most messages to one payer in 7 and in 30 days, and to all payers of a company in one day; None: no cap."""

    week: int | None = None
    month: int | None = None
    mailbox: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """What a person is asked to do when the ladder is done."""

    id: str
    says: str


#: What arsync sends, unless a person is to do it.
_SENT: Final = (StepChannel.EMAIL, StepChannel.LETTER)


@dataclass(frozen=True, slots=True)
class Step:
    """One act of a playbook; due when `today >= anchor + offset`."""

    id: str
    offset: int  # days relative to the anchor; negative is before it
    channel: StepChannel
    tone: Tone
    template: str
    mode: StepMode | None  # None: the connection's
    anchor: Anchor = Anchor.DUE_DATE
    act: Act = Act.REMIND
    repeat: Repeat | None = None
    #: beside the ladder: taken once where one of these has happened since the ladder's last step
    when: frozenset[Happening] = frozenset()
    #: on the ladder: left out where one of these has happened since the ladder's last step
    unless: frozenset[Happening] = frozenset()
    #: moved to so many business days before the payer's payment run, where that is known and at hand
    before_payment_run: int | None = None
    attach: frozenset[Attach] = frozenset()
    lacking: Lacking = Lacking.WAIT
    #: whose e-mail addresses, the first kind that has any; none said, or none of them has: those who get the invoices
    to: tuple[ContactRole, ...] = ()
    #: who gets a copy of its e-mail beside those whose role is `cc`
    cc: tuple[ContactRole, ...] = ()
    #: what it is where an e-mail would reach nobody; None: it waits until a person enters an address
    instead: StepChannel | None = None
    #: what it says then; None: the same
    instead_template: str | None = None
    #: how its message leaves; what a person is to do is on the task list
    way: StepChannel = field(init=False, repr=False, compare=False)
    #: whether only a person can do it, whatever the mode says
    is_task: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_person = self.act is Act.HANDOFF or self.mode is StepMode.TASK
        way = StepChannel.TASK if by_person and self.channel in _SENT else self.channel
        object.__setattr__(self, "way", way)
        object.__setattr__(self, "is_task", way in (StepChannel.CALL, StepChannel.TASK))

    @property
    def templates(self) -> tuple[str, ...]:
        """All whose words it may take."""
        return (self.template,) if self.instead_template is None else (self.template, self.instead_template)

    def in_place_of_mail(self, way: StepChannel) -> Step:
        """The step as it is taken by that way where an e-mail would reach nobody: in its own words, if it has some."""
        return replace(self, channel=way, template=self.instead_template or self.template)

    @property
    def attached(self) -> tuple[Attach, ...]:
        """What goes with its e-mail, in that order."""
        if self.way is not StepChannel.EMAIL:
            return ()
        own = self.attach | ({Attach.STATEMENT} if self.act is Act.STATEMENT else frozenset())
        return tuple(one for one in Attach if one in own)


#: The name of a statement of account that is no step of the ladder; no step of a playbook can be called so.
ACCOUNT: Final = "account_statement"
#: The name of an apology for what had been paid; no step of a playbook can be called so either.
APOLOGY: Final = "apology_for_paid"
#: Messages of these go beside the ladder: they ask for nothing, and nothing that was in them was demanded.
ASKS_NOTHING: Final = (ACCOUNT, APOLOGY)
#: What a person sends where the playbook says nothing of statements; its template is the shipped one.
ON_REQUEST: Final = Step(
    id=ACCOUNT, offset=0, channel=StepChannel.EMAIL, tone=Tone.FRIENDLY, template="account", mode=None,
    act=Act.STATEMENT,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements of account that go out beside the ladder."""

    step: Step  # how each goes; its id is ACCOUNT
    business_day: int | None = None  # of each month; None: only when a person sends one


@dataclass(frozen=True, slots=True)
class OnReply:
    """What is done because of a reply before a person has read it, beyond the pause."""

    acts: Mapping[Meaning, int | None]  # for so many days nothing goes out; None: the promise is recorded
    confidence: int = 85  # percent; what the rules are less sure of is a person's


@dataclass(frozen=True, slots=True)
class Shape:
    """The steps of a playbook by what they are for; each by its place."""

    places: Mapping[str, int]
    early: tuple[int, ...]  # courtesy: on or before the due date, while nothing is overdue
    late: tuple[int, ...]  # the ladder of what is overdue
    asides: tuple[int, ...]  # answers to what has happened, beside the ladder
    thanks: int | None
    conditional: bool  # something depends on what has happened
    #: of each step that is reckoned from the due date: so many days after it; None of the others
    after_due: tuple[int | None, ...]
    waits_for_run: bool  # some step is moved to before the payer's payment run
    finals: frozenset[int]  # the steps that need milder ones before them
    dispensable: tuple[int, ...]  # the last ones of the ladder, each of which may be left out
    #: the ladder's first step at each place or behind it, also behind the last; None where there is none
    late_from: tuple[int | None, ...]
    #: of each step the one that comes after it, before the due date or past it; None of the last
    following: tuple[int | None, ...]
    #: the latest place of the ladder that leaves room for the milder ones before a final notice
    last_entry: int | None
    _fitting: dict[int, int] = field(default_factory=dict, compare=False, repr=False)

    def fitting(self, days: int) -> int | None:
        """The last step of the ladder whose own day has come for what is so many days past due, else the first; None
        where some step is not reckoned from the due date, or there is none."""
        known = self._fitting.get(days)
        if known is None and self.late:
            offsets = {place: self.after_due[place] for place in self.late}
            if None in offsets.values():
                return None
            come = [place for place, after in offsets.items() if after is not None and after <= days]
            known = self._fitting[days] = max(come, default=self.late[0])
        return known


#: How many milder messages an invoice was demanded in, not known to be undelivered, before a final notice names it.
MILDER_NEEDED: Final = 2


def _shape(steps: tuple[Step, ...]) -> Shape:
    places = range(len(steps))
    thanks = [place for place in places if steps[place].act is Act.THANK_YOU]
    ladder = [place for place in places if place not in thanks and not steps[place].when]
    late = tuple(place for place in ladder if steps[place].tone is not Tone.COURTESY)
    return Shape(
        places={step.id: place for place, step in enumerate(steps)},
        early=tuple(place for place in ladder if steps[place].tone is Tone.COURTESY),
        late=late,
        asides=tuple(place for place in places if steps[place].when and place not in thanks),
        thanks=thanks[0] if thanks else None,
        conditional=any(step.when or step.unless for step in steps),
        after_due=tuple(step.offset if step.anchor is Anchor.DUE_DATE else None for step in steps),
        waits_for_run=any(step.before_payment_run is not None for step in steps),
        finals=frozenset(place for place in places if steps[place].tone is Tone.FINAL),
        dispensable=tuple(place for place in late if all(steps[one].unless for one in late if one >= place)),
        late_from=tuple(min((one for one in late if one >= place), default=None) for place in range(len(steps) + 2)),
        following=tuple(min((one for one in ladder if one > place), default=None) for place in places),
        last_entry=_last_entry(steps, late),
    )


def _last_entry(steps: tuple[Step, ...], late: tuple[int, ...]) -> int | None:
    for position, place in enumerate(late):
        if steps[place].tone is Tone.FINAL:
            return late[max(0, position - MILDER_NEEDED)] if position else late[-1]
    return late[-1] if late else None


@dataclass(frozen=True, slots=True)
class Playbook:
    """A chase policy, known by the hash of its content."""

    name: str
    version: str  # hash over the YAML and every template it uses
    gap: int  # least days between two messages to one payer
    minimum: Mapping[str, Decimal]  # currency -> least overdue amount that is chased; absent: anything above zero
    backlog: Backlog
    reanchor: Reanchor
    window: SendWindow
    steps: tuple[Step, ...]  # none where it says to do nothing
    group: Group = Group.PAYER
    caps: Caps = Caps()
    end: End | None = None
    match: Match | None = None  # which chases it is for; None: those that it is assigned to, or the settings' own
    nothing: str | None = None  # why whoever it is for is never chased
    statements: Statements | None = None  # None: only when a person sends one, by the shipped template
    apology: Step | None = None  # for what was asked for though it had been paid; None: a person's task only
    on_reply: OnReply | None = None  # None: a reply pauses, and a person reads it
    shape: Shape = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _shape(self.steps))

    @property
    def account_step(self) -> Step:
        """How a statement of account goes, of which no step says anything."""
        return ON_REQUEST if self.statements is None else self.statements.step

    def position(self, step_id: str) -> int:
        """The step's place in the ladder; KeyError where the playbook has no such step."""
        return self.shape.places[step_id]
