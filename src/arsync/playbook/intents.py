"""What a step that nothing stops means to do, and the verdicts of the day on which it happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from arsync.domain.chase import ChaseFacts, Intent, Item, Rule, Verdict
from arsync.domain.documents import Contact, ContactRole
from arsync.domain.policy import Happening, Step, StepChannel, StepMode, Tone
from arsync.domain.states import Decision
from arsync.playbook import step_guards
from arsync.playbook.step_guards import Ground


def intent_of(ground: Ground) -> Intent:
    facts, rung = ground.facts, ground.rung
    recipients = facts.recipients
    step = step_guards.reached(rung.step, facts)
    mode = mode_of(step, facts)
    if mode is StepMode.TASK:
        step = replace(step, mode=StepMode.TASK)  # whoever says so: a person does it
    copies: tuple[Contact, ...] = ()
    if step.way is StepChannel.EMAIL:
        recipients = step_guards.written_to(step, facts)
        copies = step_guards.copied_to(step, facts, recipients)
    posted = step.way is StepChannel.LETTER
    return Intent(
        step=step,
        occurrence=ground.ladder.history.occurrence(rung.step),
        mode=mode,
        demanded=rung.demanded,
        listed=rung.listed,
        unapplied=facts.unapplied,
        recipients=recipients,
        address=facts.address if posted else None,
        country=facts.country if posted else None,
        copies=copies,
    )


def mode_of(step: Step, facts: ChaseFacts) -> StepMode:
    """Who lets the step go out: a call is a person's; until replies are read, nothing firm goes out by itself."""
    mode = step.mode or facts.connection.mode
    if step.is_task or mode is StepMode.TASK:
        return StepMode.TASK
    unread = step.tone >= Tone.FIRM or Happening.REPLIED in step.unless
    if unread and not facts.connection.replies_read:
        return StepMode.APPROVE
    return mode


def acts(ground: Ground, intent: Intent) -> list[Verdict]:
    """The verdicts of a day on which something happens."""
    rule, follow_up = rule_of(intent.mode), _follow_up(ground)
    # A person must act first where nothing leaves by itself.
    next_on = follow_up if intent.mode is StepMode.AUTO else None
    step, what = intent.step.id, what_happens(ground, intent)
    demanded = {item.invoice_id for item in intent.demanded}
    listed = {item.invoice_id for item in intent.listed}
    verdicts = []
    for item in ground.chased:
        if item.invoice_id in demanded:
            reason = f"{step} for {item.number}: {item.balance!s}, due {item.due_on!s}{what}"
            verdicts.append(Verdict(item.invoice_id, Decision.ACT, rule, reason, next_on, step))
        elif item.invoice_id in listed:
            reason = _listed(ground, item)
            verdicts.append(Verdict(item.invoice_id, Decision.WAIT, Rule.LISTED, reason, follow_up, step))
        else:
            reason = _left_out(ground, item)
            verdicts.append(Verdict(item.invoice_id, Decision.WAIT, Rule.NOT_DUE, reason, follow_up, step))
    return verdicts


def rule_of(mode: StepMode) -> Rule:
    match mode:
        case StepMode.AUTO:
            return Rule.SEND
        case StepMode.APPROVE:
            return Rule.APPROVE
        case StepMode.TASK:
            return Rule.TASK


def what_happens(ground: Ground, intent: Intent) -> str:
    """What the reason of each invoice in a message ends with."""
    others = len(intent.demanded) - 1
    together = f", together with {others} more, {intent.at_stake} in all" if others else ""
    credit = f"; {intent.unapplied} not yet allocated is named" if intent.unapplied else ""
    match intent.mode:
        case StepMode.AUTO if intent.step.way is StepChannel.LETTER:
            return f"{together}{credit}; a letter to be printed and posted"
        case StepMode.AUTO:
            to = ", ".join([contact.email or contact.name for contact in intent.recipients])
            return f"{together}{credit}; goes out to {to}{_copies(ground.facts, intent)}"
        case StepMode.TASK:
            return f"{together}{credit}; a task for a person"
        case StepMode.APPROVE:
            facts = ground.facts
            unread = (intent.step.mode or facts.connection.mode) is StepMode.AUTO and not facts.connection.replies_read
            nobody = ", for nobody reads the replies yet" if unread else ""
            return f"{together}{credit}; goes out when a person approves it{nobody}{_copies(facts, intent)}"


def _copies(facts: ChaseFacts, intent: Intent) -> str:
    """Who gets a copy of an e-mail, and who would and cannot; empty where nobody is to."""
    if intent.step.way is not StepChannel.EMAIL:
        return ""
    to = ", ".join([contact.email or "" for contact in intent.copies])
    gone = "; ".join(told for role, told in facts.shunned if role is ContactRole.CC or role in intent.step.cc)
    return (f", with a copy to {to}" if to else "") + (f"; no copy to {gone}" if gone else "")


def _listed(ground: Ground, item: Item) -> str:
    had = ground.ladder.last_step(item)
    why = (
        f"was in {had.id} already"
        if had and had.offset >= ground.rung.step.offset
        else "is younger than the step demands"
    )
    return f"{item.number}, due {item.due_on!s}, {why}: named in {ground.rung.step.id}, not demanded"


def _left_out(ground: Ground, item: Item) -> str:
    """A final notice names nothing but what it demands."""
    return f"{item.number}, due {item.due_on!s}, is not ready for {ground.rung.step.id} and is left out of it"


def _follow_up(ground: Ground) -> date:
    """When the chase is looked at again after today's step."""
    after_gap = ground.today + timedelta(days=ground.playbook.gap)
    place = ground.playbook.shape.following[ground.playbook.position(ground.rung.step.id)]
    later = None if place is None else ground.playbook.steps[place]
    day = ground.ladder.day(ground.rung.anchor, later) if later else after_gap
    if (repeat := ground.rung.step.repeat) is not None:
        day = min(day, ground.today + timedelta(days=repeat.every)) if later else after_gap
    return ground.calendar.next_open(max(day, after_gap))
