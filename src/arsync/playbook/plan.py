"""The first pass of the planner: one chase on one day. Pure: the same facts give the same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from arsync.domain.calendar import Calendar
from arsync.domain.chase import ChaseFacts, Intent, Item, Plan, Rule, Verdict
from arsync.domain.money import Money
from arsync.domain.policy import Playbook, Step, StepChannel, StepMode, Tone
from arsync.domain.states import Decision
from arsync.playbook import guards, step_guards
from arsync.playbook.guards import Answer, hold, wait
from arsync.playbook.ladder import MILDER_NEEDED, Ladder, Rung
from arsync.playbook.step_guards import Ground


def plan(facts: ChaseFacts, playbook: Playbook, calendar: Calendar, today: date) -> Plan:
    """A verdict for every invoice of the chase and at most one intent; what to do is for others.

    `facts.history` must not hold the very message that is being confirmed; `calendar` is the payer's, with the
    weekdays of the playbook's window.
    """
    again_on = calendar.next_open(today + timedelta(days=1))
    if stop := guards.of_the_chase(facts, today):
        return Plan(facts, tuple(stop.about(item) for item in facts.items), again_on=again_on)
    verdicts, intent = _invoices(facts, playbook, calendar, today)
    return Plan(facts, tuple(verdicts[item.invoice_id] for item in facts.items), intent, again_on)


def _invoices(
    facts: ChaseFacts, playbook: Playbook, calendar: Calendar, today: date
) -> tuple[Mapping[str, Verdict], Intent | None]:
    verdicts: dict[str, Verdict] = {}
    overdue: list[Item] = []
    upcoming: list[Item] = []
    for item in facts.items:
        if stop := guards.of_the_invoice(facts, item, today):
            verdicts[item.invoice_id] = stop.about(item)
        elif item.due_on is not None and item.due_on < today:
            overdue.append(item)
        else:
            upcoming.append(item)
    ladder = Ladder(facts, playbook, today)
    # An invoice at the end of its ladder waits for a person; those behind it are still chased.
    ended = {item.invoice_id: answer for item in overdue if (answer := _ended(ladder, item, today))}
    chased = [item for item in overdue if item.invoice_id not in ended]
    for item in overdue:
        if item.invoice_id in ended:
            verdicts[item.invoice_id] = _above_end(facts, overdue, today, ended[item.invoice_id]).about(item)
    rung = ladder.late_rung(chased) if overdue else ladder.early_rung(upcoming)
    courted = {item.invoice_id for item in rung.demanded} if rung and not overdue else set()
    for item in upcoming:
        if item.invoice_id not in courted:
            verdicts[item.invoice_id] = _upcoming(ladder, item, calendar, early=not overdue).about(item)
    if rung is None:
        return verdicts, None
    subjects = chased if overdue else rung.demanded
    ground = Ground(facts, playbook, calendar, today, ladder, rung, subjects, upcoming if overdue else ())
    if stop := step_guards.of_the_step(ground):
        verdicts.update({item.invoice_id: stop.about(item, rung.step.id) for item in subjects})
        return verdicts, None
    intent = _intent(ground)
    verdicts.update({verdict.invoice_id: verdict for verdict in _acts(ground, intent)})
    return verdicts, intent


def _ended(ladder: Ladder, item: Item, today: date) -> Answer | None:
    """Why an overdue invoice cannot go on by itself."""
    step = ladder.next_step(item)
    if step is None:
        last = ladder.last_step(item)
        done = (
            f"the last step, {last.id}, has been taken"
            if last
            else "it is past every step it could enter the ladder at"
        )
        return hold(Rule.LADDER_DONE, f"{item.number} over {item.balance}, due {item.due_on}: {done}; a person decides")
    had = ladder.milder(item)
    if step.tone is Tone.FINAL and had < MILDER_NEEDED and ladder.day(item, step) <= today:
        reason = (
            f"{step.id} needs {MILDER_NEEDED} milder messages about {item.number} not known to be undelivered, "
            f"there are {had}; a person must settle them or decide"
        )
        return hold(Rule.MILDER_FIRST, reason)
    return None


def _above_end(facts: ChaseFacts, overdue: Sequence[Item], today: date, end: Answer) -> Answer:
    """The guards asked before the end of the ladder; those about a next step have nothing to say here."""
    return (
        step_guards.covered(facts, overdue)
        or step_guards.live_message(facts, today)
        or step_guards.failed_message(facts, today)
        or step_guards.unknown_message(facts, today)
        or end
    )


def _upcoming(ladder: Ladder, item: Item, calendar: Calendar, *, early: bool) -> Answer:
    day = calendar.next_open(ladder.first_word(item, early=early))
    return wait(Rule.NOT_DUE, f"{item.number} is due on {item.due_on}: not overdue", day)


def _intent(ground: Ground) -> Intent:
    facts, rung = ground.facts, ground.rung
    recipients = facts.recipients
    if rung.step.channel is StepChannel.EMAIL:
        recipients = tuple(contact for contact in recipients if contact.email)
    return Intent(
        step=rung.step,
        occurrence=ground.ladder.occurrence(rung.step),
        mode=mode_of(rung.step, facts),
        demanded=rung.demanded,
        listed=rung.listed,
        unapplied=facts.unapplied,
        recipients=recipients,
    )


def mode_of(step: Step, facts: ChaseFacts) -> StepMode:
    """Who lets the step go out: a call is a person's; until replies are read, nothing firm goes out by itself."""
    mode = step.mode or facts.connection.mode
    if step.is_task or mode is StepMode.TASK:
        return StepMode.TASK
    if step.tone >= Tone.FIRM and not facts.connection.replies_read:
        return StepMode.APPROVE
    return mode


def _acts(ground: Ground, intent: Intent) -> list[Verdict]:
    """The verdicts of a day on which something happens."""
    rule, follow_up = _rule(intent.mode), _follow_up(ground)
    # A person must act first where nothing leaves by itself.
    next_on = follow_up if intent.mode is StepMode.AUTO else None
    step, in_all = intent.step.id, intent.at_stake
    demanded = {item.invoice_id for item in intent.demanded}
    listed = {item.invoice_id for item in intent.listed}
    verdicts = []
    for item in ground.chased:
        if item.invoice_id in demanded:
            reason = _act_reason(ground, intent, item, in_all)
            verdicts.append(Verdict(item.invoice_id, Decision.ACT, rule, reason, next_on, step))
        elif item.invoice_id in listed:
            verdicts.append(_listed(ground, item, follow_up).about(item, step))
        else:
            verdicts.append(_left_out(ground, item, follow_up).about(item, step))
    return verdicts


def _rule(mode: StepMode) -> Rule:
    match mode:
        case StepMode.AUTO:
            return Rule.SEND
        case StepMode.APPROVE:
            return Rule.APPROVE
        case StepMode.TASK:
            return Rule.TASK


def _act_reason(ground: Ground, intent: Intent, item: Item, in_all: Money) -> str:
    others = len(intent.demanded) - 1
    together = f", together with {others} more, {in_all} in all" if others else ""
    credit = f"; {intent.unapplied} not yet allocated is named" if intent.unapplied else ""
    what = f"{intent.step.id} for {item.number}: {item.balance}, due {item.due_on}{together}{credit}"
    match intent.mode:
        case StepMode.AUTO:
            return f"{what}; goes out to {', '.join(contact.email or contact.name for contact in intent.recipients)}"
        case StepMode.TASK:
            return f"{what}; a task for a person"
        case StepMode.APPROVE:
            facts = ground.facts
            unread = (intent.step.mode or facts.connection.mode) is StepMode.AUTO and not facts.connection.replies_read
            return f"{what}; goes out when a person approves it" + (
                ", for nobody reads the replies yet" if unread else ""
            )


def _listed(ground: Ground, item: Item, follow_up: date) -> Answer:
    had = ground.ladder.last_step(item)
    why = (
        f"was in {had.id} already"
        if had and had.offset >= ground.rung.step.offset
        else "is younger than the step demands"
    )
    reason = f"{item.number}, due {item.due_on}, {why}: named in {ground.rung.step.id}, not demanded"
    return wait(Rule.LISTED, reason, follow_up)


def _left_out(ground: Ground, item: Item, follow_up: date) -> Answer:
    """A final notice names nothing but what it demands."""
    step = ground.rung.step
    reason = f"{item.number}, due {item.due_on}, is not ready for {step.id} and is left out of it"
    return wait(Rule.NOT_DUE, reason, follow_up)


def _follow_up(ground: Ground) -> date:
    """When the chase is looked at again after today's step."""
    after_gap = ground.today + timedelta(days=ground.playbook.gap)
    later = _step_after(ground.rung, ground.playbook)
    day = ground.ladder.day(ground.rung.anchor, later) if later else after_gap
    return ground.calendar.next_open(max(day, after_gap))


def _step_after(rung: Rung, playbook: Playbook) -> Step | None:
    place = playbook.position(rung.step.id) + 1
    return playbook.steps[place] if place < len(playbook.steps) else None
