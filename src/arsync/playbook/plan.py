"""The first pass of the planner: one chase on one day. Pure: the same facts give the same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from arsync.domain.calendar import Calendar
from arsync.domain.chase import ChaseFacts, Intent, Item, Plan, Resend, Rule, Verdict, by_age
from arsync.domain.documents import InvoiceState
from arsync.domain.money import Money
from arsync.domain.policy import ACCOUNT, MILDER_NEEDED, Group, Playbook, StepMode, Tone
from arsync.domain.states import Decision
from arsync.playbook import account, guards, step_guards
from arsync.playbook.guards import Answer, hold, wait
from arsync.playbook.intents import acts, intent_of, rule_of, what_happens
from arsync.playbook.ladder import Ladder, Rung
from arsync.playbook.step_guards import Ground
from arsync.playbook.thanks import thanks_rung

_ONE_DAY: Final = timedelta(days=1)


def plan(facts: ChaseFacts, playbook: Playbook, calendar: Calendar, today: date) -> Plan:
    """A verdict for every invoice of the chase and at most one intent; what to do is for others. One that is paid and
    says when (`paid_on`) is there to be thanked for: it has a verdict only on the day of the thank-you.

    `facts.history` must not hold the very message that is being confirmed; `calendar` is the payer's, with the
    weekdays of the playbook's window. A verdict's `next_on` is the day on which it changes if nothing else does.
    """
    again_on = calendar.next_open(today + timedelta(days=1))
    room, mailbox = step_guards.room(facts, playbook, today), playbook.caps.mailbox
    if stop := guards.of_the_chase(facts, today):
        stopped = [stop.about(item) for item in facts.items if not _is_thanked_for(item)]
        return Plan(facts, tuple(stopped), None, again_on, room, mailbox, playbook.name)
    of_today = _Day(facts, playbook, calendar, today)
    verdicts, intent = of_today.apologise() or of_today.decide()
    if facts.resend is not None:
        verdicts, intent = of_today.once_more(facts.resend, intent)
    elif intent is None and (day := account.due_day(facts, playbook, calendar, today)) is not None:
        verdicts, intent = of_today.account(account.occurrence(of_today.ladder, playbook, day), asked=False)
    return Plan(
        facts,
        tuple([verdicts[item.invoice_id] for item in facts.items if item.invoice_id in verdicts]),
        intent,
        again_on,
        room,
        mailbox,
        playbook.name,
    )


def months_statement(facts: ChaseFacts, playbook: Playbook, calendar: Calendar, today: date, occurrence: int) -> Plan:
    """The day's answer where this month's statement of account is what goes."""
    of_today = _Day(facts, playbook, calendar, today)
    verdicts, intent = of_today.account(occurrence, asked=False)
    said = tuple([verdicts[item.invoice_id] for item in facts.items if item.invoice_id in verdicts])
    again_on = calendar.next_open(today + timedelta(days=1))
    room, mailbox = step_guards.room(facts, playbook, today), playbook.caps.mailbox
    return Plan(facts, said, intent, again_on, room, mailbox, playbook.name)


def _is_thanked_for(item: Item) -> bool:
    return item.paid_on is not None and item.state is InvoiceState.PAID


class _Day:
    """One chase on one day: its invoices sorted into what is overdue, what is to come and what is stopped."""

    def __init__(self, facts: ChaseFacts, playbook: Playbook, calendar: Calendar, today: date) -> None:
        self.facts, self.playbook, self.calendar, self.today = facts, playbook, calendar, today
        self.verdicts: dict[str, Verdict] = {}
        self.paid: list[Item] = []
        self.ladder = Ladder(facts, playbook, calendar, today)
        # Nearly every invoice on nearly every night: none of the guards has anything to say.
        plain = facts.items if guards.nothing_is_said_of(facts) else ()
        overdue, upcoming, others = guards.plainly_owed(plain, today)
        for item in others if plain else facts.items:
            if _is_thanked_for(item):
                self.paid.append(item)  # here to be thanked for: else there is nothing to say of it any more
            elif stop := guards.of_the_invoice(facts, item, today):
                self.verdicts[item.invoice_id] = stop.about(item)
            elif item.due_on is not None and item.due_on < today:
                overdue.append(item)
            else:
                upcoming.append(item)
        self.overdue, self.upcoming = by_age(overdue), by_age(upcoming)
        #: the first day on which a hold of the chase begins or ends (what it covers joins or leaves), or a statement of
        #: account may come
        edges = _edge(facts, today), account.next_day(facts, playbook, calendar, today)
        self.edge = min((day for day in edges if day is not None), default=None)

    def decide(self) -> tuple[Mapping[str, Verdict], Intent | None]:
        overdue, upcoming, ladder = self.overdue, self.upcoming, self.ladder
        # An invoice at the end of its ladder waits for a person; those behind it are still chased.
        last = ladder.before_the_end(overdue)
        ended = {item.invoice_id: answer for item in last if (answer := self._ended(item)) is not None}
        chased = [item for item in overdue if item.invoice_id not in ended] if ended else overdue
        if ended:
            above = _above_end(self.facts, overdue, self.today)
            for item in overdue:
                if item.invoice_id in ended:
                    self._say(item, above or ended[item.invoice_id], self._end_id())
        if self.playbook.group is Group.INVOICE:
            return self.verdicts, self._by_invoice(chased)
        rung = ladder.late_rung(chased, upcoming) if overdue else None
        thanks = None if overdue else self._thanks()
        if thanks is not None and (intent := self._thank(thanks)) is not None:
            self._to_come(upcoming)
            return self.verdicts, intent
        if not overdue:
            rung = ladder.early_rung(upcoming)
        self._to_come(upcoming, but=rung.demanded if rung and not overdue else ())
        if rung is None:
            return self.verdicts, None
        return self.verdicts, self._step(rung, chased if overdue else rung.demanded, upcoming if overdue else ())

    def once_more(self, asked: Resend, usual: Intent | None) -> tuple[Mapping[str, Verdict], Intent | None]:
        """The same day, where a person wants a step once more: it goes before the usual one, or a guard says why not.
        Once nothing of it is owed, or its playbook has no such step, nobody wants it any more."""
        if asked.step_id == ACCOUNT:
            return self._account_before(usual, asked.occurrence)
        place = self.playbook.shape.places.get(asked.step_id)
        if place is None:
            return self.verdicts, usual
        step = self.playbook.steps[place]
        owed = self.upcoming if step.tone is Tone.COURTESY and not self.overdue else self.overdue
        demanded = tuple(
            item
            for item in owed
            if item.invoice_id in asked.invoice_ids
            and (step.tone is not Tone.FINAL or self.ladder.milder(item) >= MILDER_NEEDED)
        )
        if not demanded:
            return self.verdicts, usual
        rung = Rung(step, demanded[0], self.today, demanded, ())
        ground = Ground(self.facts, self.playbook, self.calendar, self.today, self.ladder, rung, demanded, ())
        if stop := step_guards.of_once_more(ground):
            concerned = {item.invoice_id: item for item in (*demanded, *(usual.demanded if usual else ()))}
            for item in concerned.values():
                self._say(item, stop, step.id)
            return self.verdicts, None
        intent = replace(intent_of(ground), occurrence=asked.occurrence)
        if usual is not None:
            day = self.calendar.next_open(self.today + timedelta(days=self.playbook.gap))
            reason = f"{step.id} goes first, which a person wants once more"
            for item in (*usual.demanded, *usual.listed):
                self._say(item, wait(Rule.GAP, reason, day), usual.step.id)
        for verdict in acts(ground, intent):
            said = replace(verdict, reason=f"{verdict.reason}; once more, as a person wants it")
            self.verdicts[verdict.invoice_id] = said
        return self.verdicts, intent

    def _account_before(self, usual: Intent | None, occurrence: int) -> tuple[Mapping[str, Verdict], Intent | None]:
        """The same day with the statement that a person wants; what would have gone waits, be it about what is paid."""
        if not self.overdue and not self.upcoming:
            return self.verdicts, usual
        if usual is not None:
            day = self.calendar.next_open(self.today + timedelta(days=self.playbook.gap))
            reason = "a statement of account goes first, as a person wants it"
            for item in (*usual.demanded, *usual.listed):
                self._say(item, wait(Rule.GAP, reason, day), usual.step.id)
        return self.account(occurrence, asked=True)

    def _thanks(self) -> Rung | None:
        """A word of thanks for what is paid, but for that of which we are sorry."""
        paid: Sequence[Item] = self.paid
        if paid and self.playbook.apology is not None:
            sorry = self.facts.wrongly | account.apologised_for(self.facts)
            paid = [item for item in paid if item.invoice_id not in sorry]
        return thanks_rung(self.facts, self.playbook, paid, self.today)

    def apologise(self) -> tuple[Mapping[str, Verdict], Intent | None] | None:
        """The same day with an apology, which goes first; None where there is none to say, or it has to wait."""
        step, items = self.playbook.apology, account.to_apologise_for(self.facts, self.playbook, self.paid, self.today)
        if step is None or not items:
            return None
        rung = Rung(step, items[0], self.today, items, ())
        ground = Ground(self.facts, self.playbook, self.calendar, self.today, self.ladder, rung, items, ())
        if account.stops_apology(ground) is not None:
            return None
        _verdicts, usual = self.decide()
        if usual is not None:
            day = self.calendar.next_open(self.today + timedelta(days=self.playbook.gap))
            for item in (*usual.demanded, *usual.listed):
                self._say(item, wait(Rule.GAP, "an apology for what had been paid goes first", day), usual.step.id)
        intent = replace(intent_of(ground), unapplied=Money(Decimal("0.00"), self.facts.currency))
        for item in items:
            reason = f"an apology for {item.number}: it was asked for, and had been paid before that"
            self._say(item, Answer(Decision.ACT, rule_of(intent.mode), reason, None), step.id)
        return self.verdicts, intent

    def account(self, occurrence: int, *, asked: bool) -> tuple[Mapping[str, Verdict], Intent | None]:
        """The same day with a statement of account: of all that is open and that nothing stops, due or not."""
        items = (*self.overdue, *self.upcoming)
        if not items:
            return self.verdicts, None
        step = self.playbook.account_step
        rung = Rung(step, items[0], self.today, items, ())
        ground = Ground(self.facts, self.playbook, self.calendar, self.today, self.ladder, rung, items, ())
        if stop := account.stops(ground, asked=asked):
            if asked or stop.rule in (Rule.NO_RECIPIENT, Rule.UNDELIVERED):  # never silence
                for item in items:
                    self._say(item, stop, step.id)
            return self.verdicts, None
        intent = replace(intent_of(ground), occurrence=occurrence)
        day = self.calendar.next_open(self.today + timedelta(days=self.playbook.gap))
        why = "a statement of account, as a person wants it" if asked else "this month's statement of account"
        what = f"{why}{what_happens(ground, intent)}"
        for item in items:
            reason = f"{item.number}: {item.balance} open, due {item.due_on}; {what}"
            next_on = day if intent.mode is StepMode.AUTO else None
            self._say(item, Answer(Decision.ACT, rule_of(intent.mode), reason, next_on), step.id)
        return self.verdicts, intent

    def _say(self, item: Item, answer: Answer, step_id: str | None = None, *days: date | None) -> None:
        """Puts the answer on the invoice; a wait is looked at again when anything of these comes first."""
        name, next_on = item.invoice_id, self._sooner(answer.next_on, *days)
        self.verdicts[name] = Verdict(name, answer.decision, answer.rule, answer.reason, next_on, step_id)

    def _sooner(self, next_on: date | None, *days: date | None) -> date | None:
        """The first of the days, of whatever is to be looked at again at all."""
        if next_on is not None:
            for day in (*days, self.edge):
                if day is not None and day < next_on:
                    next_on = day
        return next_on

    def _not_overdue(self, item: Item, day: date) -> None:
        edge, name = self.edge, item.invoice_id
        next_on = day if edge is None or day <= edge else edge
        reason = f"{item.number} is due on {item.due_on}: not overdue"
        self.verdicts[name] = Verdict(name, Decision.WAIT, Rule.NOT_DUE, reason, next_on)

    def _end_id(self) -> str | None:
        return self.playbook.end.id if self.playbook.end else None

    def _ended(self, item: Item) -> Answer | None:
        """Why an overdue invoice cannot go on by itself."""
        step = self.ladder.next_step(item)
        if step is not None and step.tone is not Tone.FINAL:
            return None
        if step is None:
            last = self.ladder.last_step(item)
            done = (
                f"the last step, {last.id}, has been taken"
                if last and last.tone is not Tone.COURTESY
                else "it is past every step it could enter the ladder at"
            )
            end = self.playbook.end
            todo = f"a person decides: {end.says}" if end else "a person decides"
            reason = f"{item.number} over {item.balance}, due {item.due_on}: {done}; {todo}"
            return hold(Rule.LADDER_DONE, reason)
        if (had := self.ladder.milder(item)) >= MILDER_NEEDED:
            return None
        day = self.ladder.next_day(item)
        if day is None or day > self.today:
            return None
        reason = (
            f"{step.id} needs {MILDER_NEEDED} milder messages about {item.number} not known to be undelivered, "
            f"there are {had}; {self._unsaid(item)}a person must settle them or decide"
        )
        return hold(Rule.MILDER_FIRST, reason)

    def _unsaid(self, item: Item) -> str:
        """The calls and tasks about an invoice of which nobody has said that they were done, with a semicolon."""
        waiting = [past.step_id for past in self.facts.history if not past.told and item.invoice_id in past.invoice_ids]
        if not waiting:
            return ""
        return f"{' and '.join(dict.fromkeys(waiting))} counts once somebody says that it reached them; "

    def _ends_on(self, item: Item) -> date | None:
        """The day on which an invoice's ladder ends for want of milder messages, should nothing else happen."""
        step = self.ladder.next_step(item)
        if step is None or step.tone is not Tone.FINAL or self.ladder.milder(item) >= MILDER_NEEDED:
            return None
        return self.ladder.next_day(item)

    def _to_come(self, upcoming: Sequence[Item], but: Sequence[Item] = ()) -> None:
        """What is not overdue waits until it is, or for a step before that."""
        if not upcoming:
            return
        courted = {item.invoice_id for item in but}
        first = self._first_overdue()
        for item in upcoming:
            if item.invoice_id in courted:
                continue
            assert item.due_on is not None
            day = item.due_on + _ONE_DAY
            if not self.overdue:
                # Once anything is overdue, steps before the due date are over.
                early = self.ladder.next_early(item)
                day = min(day, first, early) if early else min(day, first)
            self._not_overdue(item, day)

    def _step(self, rung: Rung, subjects: Sequence[Item], upcoming: Sequence[Item]) -> Intent | None:
        """The verdicts about a step and those it is about, and the intent where nothing stops it."""
        ground = Ground(self.facts, self.playbook, self.calendar, self.today, self.ladder, rung, subjects, upcoming)
        if stop := step_guards.of_the_step(ground):
            early = None if self.overdue or not subjects else self._first_overdue()
            finals = bool(self.overdue) and self.ladder.has_final
            # What falls overdue next may have an answer waiting for it, which then goes first.
            asides = bool(self.playbook.shape.asides)
            answering = (item.due_on for item in upcoming if item.due_on and asides and self.ladder.has_answer(item))
            first = next(answering, None)
            answered = first + _ONE_DAY if first is not None else None
            ends = self.ladder.runs_out_on(rung.anchor) if self.overdue else None
            next_on = self._sooner(stop.next_on, rung.until, early, answered, ends)
            for item in subjects:
                name = item.invoice_id
                self.verdicts[name] = Verdict(name, stop.decision, stop.rule, stop.reason, next_on, rung.step.id)
            for item in self.ladder.before_the_end(subjects) if finals else ():
                self._say(item, stop, rung.step.id, next_on, self._ends_on(item))
            for item in subjects if self.overdue and self.playbook.shape.dispensable else ():
                self._say(
                    item, stop, rung.step.id, self.verdicts[item.invoice_id].next_on, self.ladder.runs_out_on(item)
                )
            return None
        intent = intent_of(ground)
        self.verdicts.update({verdict.invoice_id: verdict for verdict in acts(ground, intent)})
        return intent

    def _first_overdue(self) -> date:
        """When the first of what is to come is overdue: it comes by age."""
        due_on = self.upcoming[0].due_on
        assert due_on is not None
        return due_on + _ONE_DAY

    def _thank(self, rung: Rung) -> Intent | None:
        """The thank-you, where nothing stops it; what is paid is told so in any case."""
        ground = Ground(self.facts, self.playbook, self.calendar, self.today, self.ladder, rung, rung.demanded, ())
        if step_guards.of_the_thanks(ground) is not None:
            return None
        intent = intent_of(ground)
        rule = rule_of(intent.mode)
        for item in rung.demanded:
            reason = f"{rung.step.id} for {item.number}, paid on {item.paid_on}: nothing is owed for it any more"
            self.verdicts[item.invoice_id] = Verdict(item.invoice_id, Decision.ACT, rule, reason, None, rung.step.id)
        return intent

    def _by_invoice(self, chased: Sequence[Item]) -> Intent | None:
        """Each invoice at its own pace, yet one message at a time: the one that has waited longest goes first."""
        standing: list[tuple[Rung, Item]] = []
        resting: list[Item] = []
        for item in (*chased, *self.upcoming):
            late = item.due_on is not None and item.due_on < self.today
            rung = self.ladder.late_rung([item]) if late else self.ladder.early_rung([item])
            if rung is None:
                resting.append(item)
            else:
                standing.append((rung, item))
        self._alone(resting)
        free: list[tuple[Rung, Item]] = []
        for rung, item in standing:
            ground = self._ground_of(rung, item)
            if stop := step_guards.of_the_step(ground):
                self._say(item, stop, rung.step.id, rung.until, *self._turns(item))
            else:
                free.append((rung, item))
        if not free:
            thanks = None if self.overdue else self._thanks()
            return self._thank(thanks) if thanks is not None else None
        rung, first = min(free, key=lambda one: one[0].day)
        intent = intent_of(self._ground_of(rung, first))
        for verdict in acts(self._ground_of(rung, first), intent):
            self.verdicts[verdict.invoice_id] = verdict
        after_gap = self.calendar.next_open(self.today + timedelta(days=self.playbook.gap))
        for other, item in free:
            if item is not first:
                reason = (
                    f"{rung.step.id} for {first.number} goes first; "
                    f"at least {self.playbook.gap} days lie between two messages"
                )
                self._say(item, wait(Rule.GAP, reason, after_gap), other.step.id)
        return intent

    def _ground_of(self, rung: Rung, item: Item) -> Ground:
        return Ground(self.facts, self.playbook, self.calendar, self.today, self.ladder, rung, (item,), ())

    def _turns(self, item: Item) -> tuple[date | None, ...]:
        """When an invoice falls overdue, or its ladder ends."""
        if item.due_on is None or item.due_on >= self.today:
            return (item.due_on + _ONE_DAY if item.due_on else None,)
        return self._ends_on(item), self.ladder.runs_out_on(item)

    def _alone(self, items: Sequence[Item]) -> None:
        for item in items:
            assert item.due_on is not None
            early = self.ladder.next_early(item)
            day = min(item.due_on + _ONE_DAY, early) if early else item.due_on + _ONE_DAY
            self._not_overdue(item, day)


def _edge(facts: ChaseFacts, today: date) -> date | None:
    days = [day for one in facts.holds for day in (one.begins, one.until and one.until + _ONE_DAY) if day]
    return min((day for day in days if day > today), default=None)


def _above_end(facts: ChaseFacts, overdue: Sequence[Item], today: date) -> Answer | None:
    """The guards asked before the end of the ladder; those about a next step have nothing to say here."""
    return (
        step_guards.covered(facts, overdue)
        or step_guards.live_message(facts, today)
        or step_guards.failed_message(facts, today)
        or step_guards.unknown_message(facts, today)
    )
