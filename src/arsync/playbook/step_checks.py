"""What may be wrong with steps that can each be read: their order, their tones and what they depend on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from arsync.domain.policy import Act, Anchor, End, Group, Happening, Playbook, StepChannel, StepMode, Tone
from arsync.playbook.problems import Problems
from arsync.playbook.step_section import StepDraft

#: How many milder messages come before one that names consequences.
MILDER_BEFORE_FINAL: Final = 2
#: What only somebody who rang can know.
_OF_A_CALL: Final = frozenset({Happening.NO_ANSWER, Happening.WRONG_NUMBER})
_NOT_OF_THANKS: Final = ("offset", "anchor", "repeat", "when", "unless")


def check_steps(
    drafts: Sequence[StepDraft], group: Group, gap: int | None, end: End | None, problems: Problems
) -> None:
    """Notes every problem between steps, and of a step with the playbook around it."""
    _ids(drafts, end, problems)
    _offsets(drafts, problems)
    _tones(drafts, problems)
    _modes(drafts, problems)
    _thanks([draft for draft in drafts if draft.act is Act.THANK_YOU], problems)
    _handoffs([draft for draft in drafts if draft.is_on_ladder], problems)
    _statements([draft for draft in drafts if draft.act is Act.STATEMENT], group, problems)
    _repeats(drafts, gap, problems)
    _conditions(drafts, problems)
    _of_emails_only(drafts, problems)


def reads_replies(playbook: Playbook) -> list[str]:
    """The steps that depend on what a customer writes back."""
    return [step.id for step in playbook.steps if Happening.REPLIED in step.when | step.unless]


def _ids(drafts: Sequence[StepDraft], end: End | None, problems: Problems) -> None:
    seen: dict[str, int] = {}
    for draft in drafts:
        if draft.id is None:
            continue
        here = draft.section.line_of("id")
        if draft.id in seen:
            problems.add(here, f"the step id {draft.id!r} is used twice, first on line {seen[draft.id]}")
        elif end is not None and draft.id == end.id:
            problems.add(here, f"the step id {draft.id!r} is the name of the end as well")
        seen.setdefault(draft.id, here)


def _offsets(drafts: Sequence[StepDraft], problems: Problems) -> None:
    ladder = [draft for draft in drafts if draft.offset is not None and draft.is_on_ladder]
    for before, after in pairwise(ladder):
        assert before.offset is not None
        assert after.offset is not None
        if after.offset <= before.offset and before.anchor is after.anchor:
            problems.add(
                after.section.line_of("offset"),
                f"offsets must rise from step to step: {after.offset} does not come after {before.offset}",
            )
        if after.tone is Tone.COURTESY and before.tone not in (None, Tone.COURTESY):
            problems.add(after.section.line_of("tone"), "steps on or before the due date come before all others")


def _is_past_due(draft: StepDraft) -> bool:
    """Whether its offset can only mean a day past the due date."""
    if draft.offset is None:
        return True
    match draft.anchor:
        case Anchor.DUE_DATE | Anchor.INVOICE_DATE:
            return draft.offset > 0
        case Anchor.END_OF_MONTH:
            return draft.offset >= 0


def _tones(drafts: Sequence[StepDraft], problems: Problems) -> None:
    milder = 0
    for draft in drafts:
        if draft.act is Act.THANK_YOU:
            continue
        late = _is_past_due(draft)
        here = draft.section.line_of("tone")
        if draft.tone is not None and not late and draft.tone > Tone.COURTESY:
            # A sign written the wrong way round must not send a final notice before anything is due.
            written = draft.tone.name.lower()
            problems.add(here, f"on or before the due date only the tone courtesy is possible, not {written}")
        if draft.tone is Tone.COURTESY and late and draft.offset is not None and draft.anchor is Anchor.DUE_DATE:
            problems.add(here, "the tone courtesy is for steps on or before the due date: offset 0 or negative")
        if draft.tone is Tone.COURTESY and draft.anchor is Anchor.INVOICE_DATE:
            # How far back a restored installation must look for what it had sent is told by these offsets.
            problems.add(here, "before the due date days are counted from it: write anchor: due_date at this step")
        if draft.tone is Tone.FINAL and milder < MILDER_BEFORE_FINAL:
            problems.add(here, f"a final step must come after two milder ones past the due date; there are {milder}")
        milder += draft.is_on_ladder and draft.tone in (Tone.FRIENDLY, Tone.FIRM)


def _modes(drafts: Sequence[StepDraft], problems: Problems) -> None:
    for draft in drafts:
        if draft.channel is StepChannel.CALL:
            what = "a call"
        elif draft.act is Act.HANDOFF:
            what = "a handoff"
        elif draft.channel is StepChannel.TASK:
            what = "a task"
        else:
            continue
        if draft.mode not in (None, StepMode.TASK):
            problems.add(draft.section.line_of("mode"), f"{what} is a person's task: its mode is task, or left out")


def _thanks(thanks: Sequence[StepDraft], problems: Problems) -> None:
    for draft in thanks[1:]:
        problems.add(draft.section.line_of("act"), "there is one thank-you in a playbook")
    for draft in thanks:
        for key in _NOT_OF_THANKS:
            if draft.section.is_written(key):
                message = f"a thank-you has no {key}: it comes once, when what was chased is paid"
                problems.add(draft.section.line_of(key), message)
        if draft.tone not in (None, Tone.COURTESY):
            problems.add(draft.section.line_of("tone"), "a thank-you has the tone courtesy")


def _handoffs(ladder: Sequence[StepDraft], problems: Problems) -> None:
    for number, draft in enumerate(ladder):
        if draft.act is not Act.HANDOFF:
            continue
        if draft is not ladder[-1]:
            following = ladder[number + 1]
            problems.add(following.section.line, "after a handoff the ladder is over: no step comes after it")
        if draft.tone not in (None, Tone.FINAL):
            problems.add(draft.section.line_of("tone"), "a handoff has the tone final")
        if draft.channel not in (None, StepChannel.TASK):
            problems.add(draft.section.line_of("channel"), "a handoff is done by a person: its channel is task")


def _statements(statements: Sequence[StepDraft], group: Group, problems: Problems) -> None:
    for draft in statements:
        if group is Group.INVOICE:
            message = "a statement is about all that a payer owes: it has no place in a playbook with group: invoice"
            problems.add(draft.section.line_of("act"), message)
        if draft.channel not in (None, StepChannel.EMAIL, StepChannel.LETTER):
            problems.add(draft.section.line_of("channel"), "a statement is written: its channel is email or letter")


def _repeats(drafts: Sequence[StepDraft], gap: int | None, problems: Problems) -> None:
    ladder = [draft for draft in drafts if draft.is_on_ladder]
    following = {id(before): after for before, after in pairwise(ladder)}
    for draft in drafts:
        repeat, here = draft.repeat, draft.section.line_of("repeat")
        if not draft.section.is_written("repeat") or draft.act is Act.THANK_YOU:
            continue
        if draft.tone in (Tone.COURTESY, Tone.FINAL) or draft.act is Act.HANDOFF:
            problems.add(here, "only friendly and firm steps are repeated")
        if not draft.is_on_ladder:
            problems.add(here, "an answer to what has happened is given once: a step with `when` is not repeated")
        if repeat is None:
            continue
        if gap is not None and repeat.every < gap:
            problems.add(here, f"it is repeated every {repeat.every} days, and at least {gap} lie between two messages")
        if draft.offset is None:
            continue
        first = draft.offset + repeat.every
        if repeat.until is not None and repeat.until < first:
            problems.add(here, f"it is repeated on day {first} first, and that is after its end, day {repeat.until}")
        after = following.get(id(draft))
        if after is not None and after.offset is not None and after.anchor is draft.anchor and after.offset <= first:
            problems.add(here, f"it is never repeated: {after.id or 'the next step'} comes on day {after.offset}")


def _conditions(drafts: Sequence[StepDraft], problems: Problems) -> None:
    called = False
    for draft in drafts:
        if draft.act is Act.THANK_YOU:
            continue
        if draft.section.is_written("when") and draft.section.is_written("unless"):
            problems.add(draft.section.line_of("unless"), "a step has either `when` or `unless`: write two steps")
        if draft.section.is_written("when") and draft.tone is Tone.COURTESY:
            problems.add(draft.section.line_of("when"), "an answer to what has happened comes after the due date")
        if draft.section.is_written("when") and draft.act is Act.HANDOFF:
            problems.add(draft.section.line_of("when"), "a handoff is the end of the ladder: it has no `when`")
        for key, kinds in (("when", draft.when), ("unless", draft.unless)):
            if kinds & _OF_A_CALL and not called:
                names = " or ".join(sorted(kind.value for kind in kinds & _OF_A_CALL))
                problems.add(draft.section.line_of(key), f"{names}: no call comes before it, so nobody could say so")
        called |= draft.channel is StepChannel.CALL


def _of_emails_only(drafts: Sequence[StepDraft], problems: Problems) -> None:
    for draft in drafts:
        if draft.section.is_written("attach") and draft.channel not in (None, StepChannel.EMAIL):
            problems.add(draft.section.line_of("attach"), "only an email has attachments")
        if draft.section.is_written("cc") and draft.channel not in (None, StepChannel.EMAIL):
            problems.add(draft.section.line_of("cc"), "only an email has copies")
        if draft.section.is_written("instead") and draft.channel not in (None, StepChannel.EMAIL):
            problems.add(draft.section.line_of("instead"), "only an email has an instead")
        if draft.section.is_written("attach_missing") and not (draft.attach or draft.act is Act.STATEMENT):
            problems.add(draft.section.line_of("attach_missing"), "it attaches nothing that could be missing")
