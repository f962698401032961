"""What a playbook would have done: the cached past replayed day by day with the planner of every night.

Each day sees what was so on that day, as far as the cache remembers (`store.past` says what it does not): later
payments are not there yet, and holds stand on the days on which they stood. Messages that would have gone out are
history from the next day on. Beyond the past it is taken that

- arsync was connected on the first day: nobody had been written to, and what was overdue then is backlog;
- customers pay as they did, whatever they are sent: nobody knows what another message would have moved;
- the data came through every night, the source reminded nobody by itself, and every message was delivered;
- a person approved, called or let go on the same day whatever waited for one;
- no call's outcome and no broken promise is known: they answer messages that would not have been sent.

Chases follow the playbooks that every night would choose for them, where there are several (`choosing`).

A chase is planned on the days on which something of it changes, and on the day that its verdicts name: in between the
same facts give the same verdicts. Inside the gap nothing can go out, and it is not planned at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from arsync.domain.behaviour import LOOKED_BACK
from arsync.domain.calendar import Calendar
from arsync.domain.chase import Budget, ChaseFacts, ConnectionFacts, Intent, Item, PastMessage, Plan, Rule
from arsync.domain.money import Money
from arsync.domain.payday import PayDay, habit
from arsync.domain.policy import Act, Playbook, StepMode, Tone
from arsync.domain.states import Decision, Health, MessageState
from arsync.playbook.account import next_day
from arsync.playbook.admit import admit
from arsync.playbook.choosing import Following
from arsync.playbook.facts import Policy, language, recipients
from arsync.playbook.parts import plan_parts
from arsync.playbook.past_account import HoldsByPlace, PastAccount, what_came
from arsync.playbook.places import Place
from arsync.playbook.plan import plan
from arsync.playbook.simulated import ANYWAY, Simulation, Touch, Touched
from arsync.playbook.thanks import thanks_within
from arsync.store.past import Past, PastInvoice

_ONE_DAY: Final = timedelta(days=1)
_NOTHING: Final = Decimal("0.00")
#: Answers that name no day, and yet may be others as invoices grow older: what a step demands grows with their age.
_AGEING: Final = frozenset(
    {Rule.BELOW_MINIMUM, Rule.COVERED, Rule.NO_RECIPIENT, Rule.NO_TEMPLATE, Rule.NO_PAY_DETAILS, Rule.UNPLANNABLE}
)
#: Stops that nobody need look into.
_ORDINARY: Final = frozenset(
    {Rule.NOT_OWED, Rule.HOLD, Rule.DO_NOTHING, Rule.AUTOPAY, Rule.BELOW_MINIMUM, Rule.COVERED}
)
#: What is usual: the mean of so many days that sent something, once there are at least so many.
_USUAL_OF: Final = 10
_USUAL_FROM: Final = 5
#: No breaker looks at so few.
_FEW: Final = 20


def simulate(
    past: Past,
    policy: Policy,
    *,
    connection_id: int = 0,
    name: str = "",
    every_day: bool = False,
    following: Following | None = None,
) -> Simulation:
    """Replays the past with the policy's playbook, or with those that `following` chooses. With `every_day` every chase
    is planned on every day: the same answer, later."""
    return _Replay(past, policy, connection_id, name, every_day, following).run()


class _Replay:
    """A playbook's years, day by day."""

    def __init__(
        self, past: Past, policy: Policy, connection_id: int, name: str, every_day: bool, following: Following | None
    ) -> None:
        self._past, self._policy, self._following = past, policy, following
        playbooks = [policy.playbook] if following is None else following.playbooks
        self._playbooks = [one for one in playbooks if one.nothing is None]
        self._every_day = every_day
        self._runs = any(one.shape.waits_for_run for one in self._playbooks)
        self._conditional = any(one.shape.conditional for one in self._playbooks)
        # Another playbook may come to be followed before the gap of the last has ended: its own may be shorter.
        self._gap = min((one.gap for one in self._playbooks), default=1)
        self._thanked_within = timedelta(days=max(map(thanks_within, self._playbooks), default=0))
        self._connection = ConnectionFacts(
            connection_id=connection_id,
            name=name,
            stopped=None,
            health=Health.OK,
            health_reason="",
            stale=False,
            source_reminds=False,
            mode=policy.mode,
            replies_read=policy.replies_read,
            banked_through=None,
            pay_currencies=frozenset(policy.seller.bank_details),
        )
        self._accounts: list[PastAccount] = []
        self._agenda: defaultdict[date, set[int]] = defaultdict(set)  # who is planned
        self._news: defaultdict[date, set[int]] = defaultdict(set)  # of whom something is written down, and no more
        self._heard: defaultdict[str, list[tuple[str, date]]] = defaultdict(list)  # by payer: currency and day
        self._siblings: defaultdict[str, list[int]] = defaultdict(list)
        self._chases = 0
        self._spoken_by: dict[int, str] = {}  # by chase: whose message went out last
        self._touches: list[Touch] = []
        self._held: defaultdict[str, set[int]] = defaultdict(set)
        self._volumes: list[int] = []
        self._unusual: list[date] = []
        self._planned = 0
        self._lay_out()

    def run(self) -> Simulation:
        """All the days."""
        day = self._past.first
        while day <= self._past.last and self._playbooks:
            asked = self._agenda.pop(day, set())
            everybody = sorted(asked | self._news.pop(day, set()))
            self._pass(day, range(len(self._accounts)) if self._every_day else everybody, asked)
            day += _ONE_DAY
        return Simulation(
            playbook=self._policy.playbook.name,
            version=self._policy.playbook.version,
            first=self._past.first,
            last=self._past.last,
            steps=self._steps(),
            touches=tuple(self._touches),
            held={rule: len(chases) for rule, chases in sorted(self._held.items())},
            unusual=tuple(self._unusual),
            planned=self._planned,
        )

    def _steps(self) -> tuple[str, ...]:
        """The policy's own playbook's, then those of others that anything went out by."""
        own = dict.fromkeys(step.id for step in self._policy.playbook.steps)
        return tuple(own | dict.fromkeys(touch.step_id for touch in self._touches))

    # --- what is to happen ------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        past = self._past
        by_name: dict[tuple[str, str], list[PastInvoice]] = defaultdict(list)
        for invoice in past.invoices:
            by_name[invoice.payer_id, invoice.item.balance.currency].append(invoice)
        ahead: dict[tuple[str, str], list[tuple[date, PastInvoice | None, Decimal]]] = defaultdict(list)
        for name, invoices in by_name.items():
            for invoice in invoices:
                ahead[name] += [(on, invoice, left) for on, left in what_came(invoice, past.first)]
        for one in past.loose:
            if (one.payer_id, one.currency) in by_name:
                ahead[one.payer_id, one.currency].append((max(one.on, past.first), None, one.amount))
        placed = HoldsByPlace(past.holds)
        for payer_id, currency in sorted(by_name):
            payer, invoices = past.payers.get(payer_id), by_name[payer_id, currency]
            place = Place(payer.country, payer.region) if payer else Place()
            usable = recipients(payer.contacts if payer else (), ())
            account = PastAccount(
                payer_id=payer_id,
                currency=currency,
                payer=payer,
                contacts=usable if any(one.email for one in usable) else (),
                place=place,
                ways=((self._policy.playbook, self._policy.calendar(place)),),
                thanked_within=self._thanked_within,
                invoices={one.item.invoice_id: one for one in invoices},
                ahead=sorted(ahead[payer_id, currency], key=lambda event: event[0], reverse=True),
                on_payer=placed.of_payer(payer_id),
                autopay=past.autopay.intersection(one.item.invoice_id for one in invoices),
            )
            account.on_invoice = placed.of_invoices(account.invoices)
            place_of = len(self._accounts)
            self._accounts.append(account)
            self._siblings[payer_id].append(place_of)
            days = set()
            for on, changed, _ in account.ahead:
                looked = on if changed is None else self._matters_on(account, changed, on)
                days.add(looked)
                if looked != on:
                    self._news[on].add(place_of)
            for hold in (*account.on_payer, *(one for those in account.on_invoice.values() for one in those)):
                days |= {hold.begins, *([hold.until + _ONE_DAY] if hold.until else [])}
            if self._runs:
                days |= {
                    turn
                    for known_on, on in past.received.get((payer_id, currency), ())
                    for turn in (known_on, on + LOOKED_BACK + _ONE_DAY)
                }
            for on in days:
                self._look(place_of, max(on, past.first))

    def _matters_on(self, account: PastAccount, invoice: PastInvoice, on: date) -> date:
        """When something that happens to an invoice can first change an answer: one that is written matters when its
        first step comes or when it is overdue, but for an address that nobody knew before."""
        item = invoice.item
        if on != item.issued_on or on == self._past.first or item.due_on is None or not account.contacts:
            return on
        if self._following is not None:
            return on  # what is open may decide which playbook is followed
        days = [item.due_on + _ONE_DAY]
        playbook = self._policy.playbook
        for place in playbook.shape.early:
            step = playbook.steps[place]
            days.append(step.anchor.day(item.issued_on, item.due_on) + timedelta(days=step.offset))
        return max(on, min(day for day in days if day >= on or day == days[0]))

    def _look(self, place: int, on: date | None) -> None:
        if on is not None and on <= self._past.last and not self._every_day:
            self._agenda[on].add(place)

    # --- one day ----------------------------------------------------------------------------------------------------

    def _pass(self, day: date, places: Iterable[int], asked: Container[int]) -> None:
        acting: list[tuple[int, Plan]] = []
        for place in places:
            account = self._accounts[place]
            account.turn_to(day)
            if account.opens(day):
                self._chases += 1
                account.chase_id = self._chases
            if not account.open and not account.paid:
                continue
            free = account.free_on <= day
            if not self._every_day and not (free and place in asked):
                if not free:
                    self._look(place, account.free_on)
                continue
            answer = self._plan(account, day)
            self._planned += 1
            for verdict in answer.verdicts:
                if free and verdict.decision is Decision.HOLD and verdict.rule not in _ORDINARY:
                    self._held[verdict.rule.value].add(place)
            if answer.intent is None:
                self._look(place, self._again(account, answer, day))
            else:
                acting.append((place, answer))
        if acting:
            self._let_out(day, acting)

    def _plan(self, account: PastAccount, day: date) -> Plan:
        facts = self._facts(account, day)
        try:
            if self._following is None:
                ((playbook, calendar),) = account.ways
                return plan(facts, playbook, calendar, day)
            return self._plan_as_chosen(self._following, account, facts, day)
        except Exception:  # noqa: BLE001 - one chase never stops the others
            # As in every night: it is held for a person, and never stops the others.
            self._held[Rule.UNPLANNABLE.value].add(self._accounts.index(account))
            return Plan(facts, ())

    def _plan_as_chosen(self, following: Following, account: PastAccount, facts: ChaseFacts, day: date) -> Plan:
        chosen = following.follow(facts, account.followed, day)
        policies = [part.policy for part in chosen.parts]
        account.ways = tuple((one.playbook, one.calendar(account.place)) for one in policies)
        turns = [part.choice.until for part in chosen.parts if part.choice.until is not None]
        account.followed, account.until = chosen.name, min(turns, default=None)
        answer, part = plan_parts(facts, chosen.parts, account.place, day)
        if answer.intent is not None:
            self._spoken_by[account.chase_id] = part.policy.playbook.name
        return answer

    def _facts(self, account: PastAccount, day: date) -> ChaseFacts:
        items = account.items(day, parts_matter=self._conditional)
        payer = account.payer
        heard = self._heard.get(account.payer_id, ())
        return ChaseFacts(
            connection=self._connection,
            chase_id=account.chase_id,
            payer_id=account.payer_id,
            payer_name=account.payer_name,
            currency=account.currency,
            recipients=account.contacts or recipients(payer.contacts if payer else (), account.open.values()),
            locales=self._policy.locales,
            locale=language(payer.language if payer else None, self._policy),
            items=items,
            unapplied=Money(account.unapplied, account.currency),
            quarantined=(),
            balance_mismatch=None,
            holds=account.holds(day),
            history=account.history,
            opened_on=account.opened_on,
            elsewhere=tuple([on for currency, on in heard if currency != account.currency]),
            payment_day=self._payment_day(account, day) if self._runs else None,
            autopay=account.autopay,
        )

    def _payment_day(self, account: PastAccount, day: date) -> PayDay | None:
        said = self._policy.payment_days
        by_hand = said.get(account.payer_id) or said.get(account.payer_name.casefold())
        if by_hand is not None:
            return by_hand
        received = self._past.received.get((account.payer_id, account.currency), ())
        return habit(on for known_on, on in received if known_on <= day and on >= day - LOOKED_BACK)

    def _again(self, account: PastAccount, answer: Plan, day: date) -> date | None:
        """The day on which the chase has another answer, should nothing happen until then."""
        days = [verdict.next_on for verdict in answer.verdicts if verdict.next_on is not None]
        if not answer.verdicts or any(one.next_on is None and one.rule in _AGEING for one in answer.verdicts):
            for playbook, calendar in account.ways:
                days += _ages(account.open.values(), playbook, calendar, day)
        if account.until is not None:
            days.append(account.until)
        for playbook, calendar in account.ways:
            if (statement_on := next_day(answer.facts, playbook, calendar, day)) is not None:
                days.append(statement_on)
        if account.paid and any(playbook.shape.thanks is not None for playbook, _ in account.ways):
            days.append(day + _ONE_DAY)  # a thank-you that has to wait says so nowhere
        if self._conditional and (on := account.forgets_on(day)) is not None:
            days.append(on)
        return min((on for on in days if on > day), default=None)

    # --- what goes out ----------------------------------------------------------------------------------------------

    def _let_out(self, day: date, acting: Sequence[tuple[int, Plan]]) -> None:
        answers = [answer for _, answer in acting]
        recent = self._volumes[-_USUAL_OF:]
        usual = Decimal(sum(recent)) / len(recent) if len(recent) >= _USUAL_FROM else None
        policy = self._policy
        owing = None
        if usual is not None and len(answers) > _FEW:
            owing = len({account.payer_id for account in self._accounts if account.open})
        budget = Budget(
            policy.max_per_run, usual, policy.breaker_factor, open_customers=owing, breaker_share=policy.breaker_share
        )
        admitted = admit(answers, budget, 0)
        if any(verdict.rule is Rule.BREAKER for answer in admitted for verdict in answer.verdicts):
            self._unusual.append(day)  # a person looks, and lets them go
            admitted = admit(answers, Budget(policy.max_per_run, None, policy.breaker_factor), 0)
        by_themselves = 0
        for (place, _), answer in zip(acting, admitted, strict=True):
            account = self._accounts[place]
            if answer.intent is None:
                self._look(place, self._again(account, answer, day))
                continue
            self._touch(account, answer.intent, day)
            by_themselves += answer.intent.mode is StepMode.AUTO
            for sibling in self._siblings[account.payer_id]:
                self._look(sibling, account.free_on if sibling == place else day + _ONE_DAY)
        if by_themselves:
            self._volumes.append(by_themselves)

    def _touch(self, account: PastAccount, intent: Intent, day: date) -> None:
        names = [item.invoice_id for item in intent.demanded]
        sent = PastMessage(
            intent.step.id, intent.occurrence, MessageState.ACCEPTED, day, frozenset(names),
            told=not intent.step.is_task,
        )  # fmt: skip
        account.history = (*account.history, sent)
        if self._following is None:
            ((playbook, calendar),) = account.ways
            account.free_on = calendar.next_open(day + timedelta(days=playbook.gap))
        else:
            account.free_on = day + timedelta(days=self._gap)
            self._following.note(intent, self._spoken_by[account.chase_id])
        account.asked_on |= dict.fromkeys(names, day)
        self._heard[account.payer_id].append((account.currency, day))
        thanks = intent.step.act is Act.THANK_YOU
        self._touches.append(
            Touch(
                on=day,
                payer_id=account.payer_id,
                payer=account.payer_name,
                step_id=intent.step.id,
                channel=intent.step.way,
                mode=intent.mode,
                tone=intent.step.tone,
                thanks=thanks,
                amount=intent.at_stake,
                demanded=tuple(_touched(account.invoices[name], day) for name in sorted(names)),
            )
        )


def _ages(items: Iterable[Item], playbook: Playbook, calendar: Calendar, day: date) -> list[date]:
    """The days after this one on which some invoice reaches a step."""
    found = []
    for item in items:
        if item.due_on is None:
            continue
        overdue = item.due_on + _ONE_DAY
        found.append(overdue)
        for step in playbook.steps:
            if step.act is Act.THANK_YOU:
                continue
            reached = step.anchor.day(item.issued_on, item.due_on) + timedelta(days=step.offset)
            if step.tone is not Tone.COURTESY:
                reached = max(reached, overdue)
            if reached > day - timedelta(days=60):
                found += [reached, calendar.next_open(reached)]
    return [on for on in found if on > day]


def _touched(invoice: PastInvoice, day: date) -> Touched:
    cleared = invoice.cleared_on
    anyway = cleared is not None and invoice.paid_on is not None and day < cleared <= day + ANYWAY
    return Touched(invoice.item.invoice_id, invoice.item.number, cleared, anyway)
