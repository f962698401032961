"""A chase as its playbooks see it: each playbook plans the invoices that follow it, and one message comes of it.

All that is asked of the database is asked once for a connection, however many chases it has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from arsync.domain.behaviour import worst
from arsync.domain.chase import ChaseFacts, Intent, Item, Plan, Rule, Verdict
from arsync.domain.documents import InvoiceState
from arsync.domain.matching import UNRATED, Assigned, Billed, Subject
from arsync.domain.policy import ACCOUNT, Act, Playbook
from arsync.domain.record import record
from arsync.domain.states import ChaseState, Decision
from arsync.playbook import guards
from arsync.playbook.choose import Choice
from arsync.playbook.facts import Gathered, Policy
from arsync.playbook.paydays import PaymentDays, payment_days
from arsync.playbook.places import Place
from arsync.playbook.plan import months_statement, plan
from arsync.playbook.shelves import Shelf, Unreadable, Volume
from arsync.store import assignments, behaviour, customer_groups, playbooks, tags
from arsync.store.chases import Chase
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.playbooks import Pin


@record(frozen=True, slots=True)
class Part:
    """The invoices of a chase that follow one playbook."""

    facts: ChaseFacts
    policy: Policy  # on that playbook
    choice: Choice


@record(frozen=True, slots=True)
class Parted:
    """A chase in its parts; `pin` is what the chase as a whole runs on."""

    parts: tuple[Part, ...]
    shelf: Shelf
    pin: Pin


class Parting:
    """Which playbooks the chases of a connection follow on one day."""

    def __init__(
        self, work: Work, connection: Connection, policy: Policy, gathered: Gathered, today: date,
        shelves: Mapping[str, Shelf] | None = None, runs: PaymentDays | None = None,
    ) -> None:  # fmt: skip
        """`shelves` take the place of rulebooks that chases run on: what if they were accepted? `runs` are the payers'
        payment days where they are not to be looked up."""
        self._work = work
        self._connection = connection
        self._policy = policy
        self._gathered = gathered
        self._today = self._rated_on = today
        self._instead = shelves or {}
        self._rulebooks = playbooks.rulebooks(work)
        self._shelves: dict[str, Shelf] = {}
        self._tags = tags.of_connection(work, connection.id)
        self._payers: dict[str, Assigned] = {}
        self._invoices: dict[str, Assigned] = {}
        for one in assignments.standing(work, connection.id):
            said = Assigned(one.playbook, one.reason, one.author, policy.today(one.created_at), one.invoice_id)
            if one.invoice_id is None:
                self._payers[one.payer_id] = said
            else:
                self._invoices[one.invoice_id] = said
        self._policies: dict[str, Policy] = {}
        self._widened: dict[tuple[str, str], Shelf] = {}
        self._owed: tuple[int, Decimal, date | None] | None = None  # of the chase that was asked about last
        self._ratings: Mapping[str, str] | None = None
        self._runs = runs
        self._groups: Mapping[str, frozenset[str]] | None = None

    def go_on_with(self, gathered: Gathered) -> None:
        """Goes on with other chases of the same connection."""
        if self._gathered.few != gathered.few:
            self._ratings = self._runs = self._groups = None  # they are those payers' only
        self._gathered = gathered

    @property
    def policy(self) -> Policy:
        """The company's own."""
        return self._policy

    def turn_to(self, day: date) -> None:
        """Asked about another day from now on; ratings stay those of the first."""
        self._today, self._owed = day, None

    def part(self, chase: Chase, facts: ChaseFacts) -> Parted:
        """The chase by its playbooks."""
        shelf = self._shelf(chase)
        if self._tags:
            facts = self._with_autopay(facts)
        # A chase that has just become clear has no invoices, or those it thanks for: it is a part all the same.
        by_invoice = bool(facts.items) and self._asks_each(facts, shelf)
        whole = self._choice(chase, facts, shelf, None)
        shelf = self._with(shelf, whole)
        if not by_invoice:
            part, version = self._part(facts, shelf, whole)
            return Parted((part,), shelf, Pin(chase, shelf.id, whole.name, version, whole.why))
        of: defaultdict[str, list[Item]] = defaultdict(list)
        choices: dict[str, Choice] = {}
        for item in facts.items:
            choice = self._choice(chase, facts, shelf, item)
            shelf = self._with(shelf, choice)
            of[choice.name].append(item)
            before = choices.get(choice.name)
            if before is None or (choice.until is not None and (before.until is None or choice.until < before.until)):
                choices[choice.name] = choice
        parts = tuple(
            self._part(replace(facts, items=tuple(items)), shelf, choices[name])[0] for name, items in of.items()
        )
        version = shelf.versions.get(whole.name, "")
        return Parted(parts, shelf, Pin(chase, shelf.id, whole.name, version, whole.why))

    # --- the choice -----------------------------------------------------------------------------------------

    def _shelf(self, chase: Chase) -> Shelf:
        present = self._policy.shelf
        if chase.rulebook is None:
            return present
        if chase.rulebook in self._instead:
            return self._instead[chase.rulebook]
        known = self._shelves.get(chase.rulebook)
        if known is None:
            versions = self._rulebooks.get(chase.rulebook)
            known = present if versions is None else self._policy.shelves.shelf(self._work, versions, present)
            self._shelves[chase.rulebook] = known
        return known

    def _with(self, shelf: Shelf, choice: Choice) -> Shelf:
        """A playbook that was chosen by name, and that the chase's rulebook does not have, is taken as it is now."""
        if choice.name in shelf.volumes or (choice.name != self._policy.playbook.name and not choice.by_hand):
            return shelf
        key = shelf.id, choice.name
        if key not in self._widened:
            now = self._policy.shelf.volumes.get(choice.name) or self._policy.shelves.named(choice.name)
            self._widened[key] = shelf.with_present(choice.name, now) if isinstance(now, Volume) else shelf
        return self._widened[key]

    def _asks_each(self, facts: ChaseFacts, shelf: Shelf) -> bool:
        """Whether the invoices of the chase may follow several playbooks."""
        if shelf.chooser.by_invoice:
            return True
        if self._invoices and any(item.invoice_id in self._invoices for item in facts.items):
            return True
        named = self._tags if shelf.chooser.asks else {}
        groups = self._groups_for(shelf)
        return any(
            item.customer_id != facts.payer_id and (item.customer_id in named or item.customer_id in groups)
            for item in facts.items
        ) if named or groups else False  # fmt: skip

    def _choice(self, chase: Chase, facts: ChaseFacts, shelf: Shelf, item: Item | None) -> Choice:
        assigned = self._payers.get(facts.payer_id) if self._payers else None
        if item is not None and item.invoice_id in self._invoices:
            assigned = self._invoices[item.invoice_id]
        default = self._policy.playbook.name
        if assigned is not None:
            return Choice(assigned.playbook, str(assigned), by_hand=True)
        if item is not None and item.state is InvoiceState.PAID:
            asked = self._gathered.asked_by.get(item.invoice_id)
            if asked is not None and asked in shelf.volumes:
                return Choice(asked, "it had asked for what is paid now")
        if chase.state is ChaseState.CLEAR and chase.playbook is not None and chase.playbook in shelf.volumes:
            return Choice(chase.playbook, "it was chased by it")
        if not shelf.chooser.asks:
            return shelf.chooser.otherwise(default)
        return shelf.chooser.choose(self._subject(facts, item, shelf), default, self._today)

    def _subject(self, facts: ChaseFacts, item: Item | None, shelf: Shelf) -> Subject:
        payer_id = facts.payer_id
        payer, customer = (payer_id, payer_id) if item is None else (payer_id, item.customer_id or payer_id)
        none: frozenset[str] = frozenset()
        known, groups = self._tags, self._groups_for(shelf)
        if self._owed is None or self._owed[0] != facts.chase_id:
            still = [one for one in facts.items if one.state is InvoiceState.OPEN and one.balance.amount > 0]
            owed = sum((one.balance.amount for one in still), start=Decimal("0.00"))
            oldest = min((one.due_on for one in still if one.due_on is not None), default=None)
            self._owed = facts.chase_id, owed, oldest
        return Subject(
            connection=self._connection.name,
            currency=facts.currency,
            balance=self._owed[1],
            oldest_due=self._owed[2],
            groups=groups.get(payer, none) | groups.get(customer, none),
            tags=known.get(payer, none) | known.get(customer, none),
            country=self._gathered.place(payer_id).country or self._policy.country,
            language=facts.locale,
            rating=self._rating(payer_id) if shelf.chooser.rated else UNRATED,
            billed=None if item is None else _billed(item),
        )

    def _groups_for(self, shelf: Shelf) -> Mapping[str, frozenset[str]]:
        """The source's groups by customer, where any playbook asks for them."""
        if not shelf.chooser.grouped:
            return {}
        if self._groups is None:
            self._groups = customer_groups.of_customers(self._work, self._connection.id, self._gathered.few)
        return self._groups

    def _rating(self, payer_id: str) -> str:
        if self._ratings is None:
            few = self._gathered.few
            if few is None:
                every = behaviour.ratings(self._work, self._connection.id, self._rated_on)
            else:
                known = {one: behaviour.of_payer(self._work, self._connection.id, one, self._rated_on) for one in few}
                every = {one: worst(found) for one, found in known.items() if found}
            self._ratings = {one: rating.value for one, rating in every.items()}
        return self._ratings.get(payer_id, UNRATED)

    # --- the part -------------------------------------------------------------------------------------------

    def _part(self, facts: ChaseFacts, shelf: Shelf, choice: Choice) -> tuple[Part, str]:
        volume = shelf.volumes.get(choice.name)
        stop = None if choice.by_hand else shelf.broken
        if isinstance(volume, Unreadable):
            stop = volume
        if stop is not None:
            mend = f"a person must let its chases go on with the present one: arsync playbook accept {stop.name}"
            stopped = replace(facts, no_playbook=f"{stop}; {mend}")
            return Part(stopped, self._policy, choice), shelf.versions.get(choice.name, "")
        if not isinstance(volume, Volume):
            why = f"there is no playbook {choice.name!r} any more ({choice.why})"
            mend = "a person must put it back, or choose another: arsync playbook assign"
            return Part(replace(facts, no_playbook=f"{why}; {mend}"), self._policy, choice), ""
        policy = self._followed(volume)
        playbook = volume.playbook
        if playbook.nothing is not None:
            said = f"playbook {playbook.name} says never to chase: {playbook.nothing} ({choice.why})"
            facts = replace(facts, nothing=said)
        if policy.locales != facts.locales:
            facts = replace(facts, locales=policy.locales)
        if playbook.shape.waits_for_run:
            facts = self._with_payment_day(facts)
        return Part(facts, policy, choice), playbook.version

    def _followed(self, volume: Volume) -> Policy:
        """The company's policy on that playbook."""
        version = volume.playbook.version
        if version not in self._policies:
            self._policies[version] = replace(
                self._policy, playbook=volume.playbook, templates=volume.templates, locales=volume.locales
            )
        return self._policies[version]

    def _with_payment_day(self, facts: ChaseFacts) -> ChaseFacts:
        if self._runs is None:
            few, said = self._gathered.few, self._policy.payment_days
            self._runs = payment_days(self._work, self._connection.id, said, today=self._today, payers=few)
        runs = self._runs.of(facts.payer_id, facts.payer_name, facts.currency)
        return facts if runs is None else replace(facts, payment_day=runs)

    def _with_autopay(self, facts: ChaseFacts) -> ChaseFacts:
        none: frozenset[str] = frozenset()
        every = tags.AUTOPAY in self._tags.get(facts.payer_id, none)
        collected = frozenset(
            item.invoice_id for item in facts.items if every or tags.AUTOPAY in self._tags.get(item.customer_id, none)
        )
        return replace(facts, autopay=collected) if collected else facts


def _billed(item: Item) -> Billed:
    return Billed(
        invoice_id=item.invoice_id, number=item.number, reference=item.reference, purchase_order=item.purchase_order,
        terms=item.terms, total=item.total.amount, customer_id=item.customer_id,
    )  # fmt: skip


# --- one plan of all parts ----------------------------------------------------------------------------------


def plan_parts(facts: ChaseFacts, parts: Sequence[Part], place: Place, today: date) -> tuple[Plan, Part]:
    """One plan for the chase, and the part whose message it is: of several that would speak today the one with the
    oldest demand does, and the others wait for the gap."""
    if facts.resend is not None and facts.resend.step_id == ACCOUNT:
        # A statement that a person wants is of all that is open, whatever playbooks the invoices follow.
        parts = [replace(parts[0], facts=replace(parts[0].facts, items=facts.items))]
    if len(parts) == 1:
        return _planned(parts[0], place, today), parts[0]
    answers = [(_planned(part, place, today), part) for part in _at_one_pace(parts)]
    if any(_is_late(part, today) for part in parts):
        answers = [(_without_thanks(answer), part) for answer, part in answers]
    speaking = [(answer.intent, answer, part) for answer, part in answers if answer.intent is not None]
    if not speaking:
        answer, part = answers[0]
        return _merged(facts, answers, answer, None), part
    again = facts.resend
    intent, first, part = min(
        speaking,
        key=lambda one: (
            again is None or one[0].step.id != again.step_id,
            one[0].step.id == ACCOUNT,  # the ladder goes before a month's statement
            _urgency(one[0], one[2]),
        ),
    )
    if intent.step.id == ACCOUNT:
        whole = _of_all(facts, answers, part, intent, place, today)
        if whole.intent is not None:
            return _merged(facts, [*answers, (whole, part)], whole, whole.intent), part
    waiting = [
        (answer if answer is first else _gives_way(answer, own, intent, part, place, today), own)
        for answer, own in answers
    ]
    return _merged(facts, waiting, first, intent), part


def _of_all(
    facts: ChaseFacts, answers: Sequence[tuple[Plan, Part]], first: Part, intent: Intent, place: Place, today: date
) -> Plan:
    """A month's statement as of all that is open, whatever playbooks it follows, but for what is never chased."""
    chasing = {
        item.invoice_id
        for _, one in answers
        if one.facts.no_playbook is None and one.facts.nothing is None
        for item in one.facts.items
    }
    items = tuple(item for item in facts.items if item.invoice_id in chasing)
    whole = replace(first.facts, items=items)
    calendar = first.policy.calendar(place)
    answer = months_statement(whole, first.policy.playbook, calendar, today, intent.occurrence)
    until = min((one.choice.until for _, one in answers if one.choice.until is not None), default=None)
    return answer if until is None else _until(answer, until)


def _at_one_pace(parts: Sequence[Part]) -> list[Part]:
    """The same parts under the longest gap and the lowest caps of them all: they are one payer's."""
    chasing = [one.policy.playbook for one in parts if one.facts.no_playbook is None and one.facts.nothing is None]
    gap = max((playbook.gap for playbook in chasing), default=1)
    week = min((playbook.caps.week for playbook in chasing if playbook.caps.week is not None), default=None)
    month = min((playbook.caps.month for playbook in chasing if playbook.caps.month is not None), default=None)

    def paced(playbook: Playbook) -> Playbook:
        return replace(playbook, gap=gap, caps=replace(playbook.caps, week=week, month=month))

    return [replace(one, policy=replace(one.policy, playbook=paced(one.policy.playbook))) for one in parts]


def _is_late(part: Part, today: date) -> bool:
    """Whether anything that is chased by it is overdue."""
    return any(
        item.due_on is not None and item.due_on < today and guards.of_the_invoice(part.facts, item, today) is None
        for item in part.facts.items
    )


def _without_thanks(answer: Plan) -> Plan:
    """Nobody is thanked while anything is overdue, whichever playbook it follows."""
    intent = answer.intent
    if intent is None or intent.step.act is not Act.THANK_YOU:
        return answer
    paid = {item.invoice_id for item in intent.demanded}
    return replace(answer, intent=None, verdicts=tuple(one for one in answer.verdicts if one.invoice_id not in paid))


def _planned(part: Part, place: Place, today: date) -> Plan:
    calendar = part.policy.calendar(place)
    answer = plan(part.facts, part.policy.playbook, calendar, today)
    until = part.choice.until
    return answer if until is None else _until(answer, until)


def _until(answer: Plan, until: date) -> Plan:
    return replace(answer, verdicts=tuple(_looked_at(verdict, until) for verdict in answer.verdicts))


def _looked_at(verdict: Verdict, until: date) -> Verdict:
    """A playbook by age is another on that day: nobody waits longer than till then to look again."""
    if verdict.rule is Rule.DO_NOTHING:
        return replace(verdict, next_on=until)
    if verdict.decision is Decision.HOLD or verdict.next_on is None or verdict.next_on <= until:
        return verdict
    return replace(verdict, next_on=until)


def _urgency(intent: Intent, part: Part) -> tuple[date, Decimal, str]:
    oldest = min((item.due_on for item in intent.demanded if item.due_on is not None), default=date.max)
    stake = sum((item.balance.amount for item in intent.demanded), start=Decimal(0))
    return oldest, -stake, part.policy.playbook.name


def _gives_way(answer: Plan, own: Part, intent: Intent, first: Part, place: Place, today: date) -> Plan:
    if answer.intent is None:
        return answer
    gap = own.policy.playbook.gap
    day = own.policy.calendar(place).next_open(today + timedelta(days=gap))
    reason = (
        f"{intent.step.id} of playbook {first.policy.playbook.name} goes to the same payer first; "
        f"at least {gap} days lie between two messages"
    )
    verdicts = tuple(
        replace(verdict, decision=Decision.WAIT, rule=Rule.GAP, reason=reason, next_on=day)
        if verdict.decision is Decision.ACT or verdict.rule is Rule.LISTED
        else verdict
        for verdict in answer.verdicts
    )
    return replace(answer, verdicts=verdicts, intent=None)


def _merged(facts: ChaseFacts, answers: Sequence[tuple[Plan, Part]], first: Plan, intent: Intent | None) -> Plan:
    said = {verdict.invoice_id: verdict for answer, _part in answers for verdict in answer.verdicts}
    verdicts = tuple(said[item.invoice_id] for item in facts.items if item.invoice_id in said)
    return replace(first, facts=facts, verdicts=verdicts, intent=intent)
