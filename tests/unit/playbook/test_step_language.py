"""What a step may say beside its day: anchor, act, repeat, what it depends on; and what bounds a playbook."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from arsync.domain.policy import Act, Anchor, Attach, Caps, End, Group, Happening, Repeat, StepChannel
from arsync.domain.replies import Meaning
from arsync.playbook.load import load
from arsync.playbook.schema import schema
from arsync.playbook.step_checks import reads_replies

WHOLE = """\
name: whole
gap: 5
group: payer
anchor: end_of_month
caps: {week: 2, month: 6, mailbox: 200}
window: {weekdays: [mon], opens: "09:00", closes: "17:00"}
steps:
  - {id: courtesy, offset: -3, anchor: due_date, channel: email, tone: courtesy, template: plain}
  - id: friendly
    offset: 3
    channel: email
    tone: friendly
    template: plain
    repeat: {every: 7, times: 2}
  - {id: statement, act: statement, offset: 30, channel: email, tone: firm, template: plain}
  - {id: call, offset: 40, channel: call, tone: firm, template: plain}
  - {id: missed-you, when: no_answer, offset: 1, channel: email, tone: firm, template: plain}
  - {id: as-agreed, when: [promise_broken, part_paid], offset: 1, channel: email, tone: firm, template: plain}
  - {id: letter, unless: replied, offset: 50, channel: letter, tone: firm, template: plain}
  - {id: handoff, act: handoff, offset: 60, channel: task, tone: final, template: plain}
  - {id: thanks, act: thank-you, channel: email, tone: courtesy, template: plain}
end: {id: decide, mode: task, says: Ask the owner whether to write it off.}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "templates").mkdir()
    for kind, text in (("txt", "Subject: hello\n"), ("html", "<p>hello</p>")):
        (tmp_path / "templates" / f"plain.en.{kind}.j2").write_text(text)
    return tmp_path


def problems(folder: Path, text: str) -> list[str]:
    (folder / "whole.yaml").write_text(text)
    _, found = load(folder / "whole.yaml")
    return [str(problem) for problem in found]


def version(folder: Path, text: str) -> str:
    (folder / "whole.yaml").write_text(text)
    playbook, found = load(folder / "whole.yaml")
    assert playbook is not None, [str(problem) for problem in found]
    return playbook.version


def test_a_playbook_says_all_of_it(folder: Path) -> None:
    assert problems(folder, WHOLE) == []
    playbook, _ = load(folder / "whole.yaml")
    assert playbook is not None
    assert (playbook.group, playbook.caps) == (Group.PAYER, Caps(2, 6, 200))
    assert playbook.end == End("decide", "Ask the owner whether to write it off.")
    steps = {step.id: step for step in playbook.steps}
    assert (steps["courtesy"].anchor, steps["friendly"].anchor) == (Anchor.DUE_DATE, Anchor.END_OF_MONTH)
    assert steps["friendly"].repeat == Repeat(7, times=2)
    assert steps["as-agreed"].when == {Happening.PROMISE_BROKEN, Happening.PART_PAID}
    assert steps["letter"].unless == {Happening.REPLIED}
    assert [steps[name].act for name in ("statement", "handoff", "thanks")] == [
        Act.STATEMENT, Act.HANDOFF, Act.THANK_YOU,
    ]  # fmt: skip
    tasks = {step.id for step in playbook.steps if step.is_task}
    assert tasks == {"call", "handoff"}, "what only a person can do"
    assert (steps["statement"].way, steps["statement"].attached) == (StepChannel.EMAIL, (Attach.STATEMENT,))
    assert reads_replies(playbook) == ["letter"]


def test_the_schema_takes_it_too() -> None:
    jsonschema.validate(json.loads(json.dumps(yaml.safe_load(WHOLE))), schema())


MISTAKES = [
    ("{every: 7, times: 2}", "{every: 7}", 14, "step 2: a repeat needs an end: times (how often more) or until"),
    ("{every: 7, times: 2}", "{every: 7, times: 2, until: 9}", 14, "step 2: a repeat has one end"),
    ("{every: 7, times: 2}", "{every: 3, times: 2}", 14, "it is repeated every 3 days, and at least 5 lie between"),
    ("{every: 7, times: 2}", "{every: 7, until: 9}", 14, "it is repeated on day 10 first, and that is after its end"),
    ("{every: 7, times: 2}", "{every: 27, times: 2}", 14, "it is never repeated: statement comes on day 30"),
    ("{every: 7, times: 2}", "{evry: 7, times: 2}", 14, "step 2: repeat has no key 'evry' (did you mean 'every'?)"),
    ("when: no_answer", "when: no_anser", 17, "step 5: when must be one of bounced, replied"),
    ("when: no_answer", "when: []", 17, "step 5: when must be a list with at least one entry"),
    ("when: no_answer", "when: no_answer, unless: replied", 17, "a step has either `when` or `unless`"),
    ("when: no_answer", "when: no_answer, repeat: {every: 5, times: 1}", 17, "an answer to what has happened is given"),
    ("channel: call", "channel: email", 17, "no_answer: no call comes before it, so nobody could say so"),
    ("act: thank-you", "act: thank-you, offset: 3", 21, "a thank-you has no offset: it comes once"),
    ("anchor: due_date, ", "anchor: invoice_date, ", 8, "before the due date days are counted from it"),
    ("act: thank-you", "act: thank-yuo", 21, "step 9: act must be one of remind, statement, thank-you, handoff"),
    ("act: thank-you, ", "", 21, "step 9 needs the key 'offset'"),
    ("offset: 60", "offset: 45", 20, "offsets must rise from step to step: 45 does not come after 50"),
    ("channel: task, tone: final", "channel: email, tone: final", 20, "a handoff is done by a person"),
    ("offset: 50", "act: handoff, offset: 50", 20, "after a handoff the ladder is over"),
    ("group: payer", "group: invoice", 15, "a statement is about all that a payer owes"),
    ("group: payer", "group: invoices", 3, "the playbook: group must be one of payer, invoice"),
    ("anchor: end_of_month", "anchor: month_end", 4, "the playbook: anchor must be one of due_date, invoice_date"),
    ("{week: 2, month: 6", "{week: 2, month: 1", 5, "caps: 1 in a month are fewer than 2 in a week"),
    ("{week: 2, month: 6", "{week: 0, month: 6", 5, "caps: week must be a whole number from 1"),
    ("mode: task, says", "mode: auto, says", 22, "end: mode must be one of task"),
    ("id: decide", "id: thanks", 21, "the step id 'thanks' is the name of the end as well"),
    (", says: Ask the owner whether to write it off.", "", 22, "end needs the key 'says'"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[f"{one[2]}-{one[3][:40]}" for one in MISTAKES])
def test_one_mistake_is_named_with_its_line(folder: Path, mistake: tuple[str, str, int, str]) -> None:
    old, new, line, expected = mistake
    assert old in WHOLE
    found = problems(folder, WHOLE.replace(old, new, 1))
    assert any(problem.startswith(f"whole.yaml:{line}: {expected}") for problem in found), found


def test_all_of_it_is_in_the_version(folder: Path) -> None:
    """Whatever changes a message's day, kind or bounds makes another playbook."""
    changes = [
        ("group: payer", "group: payer"), ("anchor: end_of_month", "anchor: invoice_date"), ("week: 2", "week: 1"),
        ("times: 2", "times: 1"), ("when: no_answer", "when: wrong_number"), ("unless: replied", "unless: promised"),
        ("channel: email, tone: firm, template: plain}\n  - {id: call", "channel: letter, tone: firm, template: plain}"
         "\n  - {id: call"), ("write it off", "sue"),
    ]  # fmt: skip
    versions = [version(folder, WHOLE.replace(old, new, 1)) for old, new in changes]
    assert versions[0] == version(folder, WHOLE)
    assert len(set(versions)) == len(changes)


def test_a_playbook_says_who_lets_out_what_its_steps_send_and_a_step_says_it_better(folder: Path) -> None:
    text = WHOLE.replace("gap: 5\n", "gap: 5\nmode: approve\n").replace(
        "tone: courtesy,", "tone: courtesy, mode: auto,", 1
    )
    (folder / "whole.yaml").write_text(text)
    playbook, found = load(folder / "whole.yaml")
    assert playbook is not None, found
    modes = {step.id: step.mode for step in playbook.steps}
    assert (modes["courtesy"], modes["friendly"], modes["letter"]) == ("auto", "approve", "approve")
    assert (modes["call"], modes["handoff"]) == (None, None), "a call and a task are a person's in any case"
    assert version(folder, WHOLE) != playbook.version


def test_what_is_done_of_replies_is_read_and_what_only_a_person_can_judge_is_no_key(folder: Path) -> None:
    said = "on_reply: {confidence: 90, promise: record, says_paid: hold 5 days, payment_run: hold 1 day}\n"
    (folder / "whole.yaml").write_text(WHOLE + said)
    playbook, found = load(folder / "whole.yaml")
    assert not found
    assert playbook is not None
    assert playbook.on_reply is not None
    assert playbook.on_reply.acts == {Meaning.PROMISE: None, Meaning.SAYS_PAID: 5, Meaning.PAYMENT_RUN: 1}
    jsonschema.validate(yaml.safe_load(WHOLE + said), schema())
    assert version(folder, WHOLE + said) != version(folder, WHOLE)
    for wrong, told in (
        ("dispute: record", "has no key 'dispute'"), ("says_paid: record", "must be hold N days"),
        ("promise: hold 90 days", "must be record, or hold N days"), ("confidence: 20", "whole number from 70 to 95"),
        ("confidence: 80", "needs one of promise, says_paid, payment_run"),
    ):  # fmt: skip
        assert any(told in one for one in problems(folder, f"{WHOLE}on_reply: {{{wrong}}}\n")), wrong
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(yaml.safe_load(f"{WHOLE}on_reply: {{{wrong}}}\n"), schema())


def test_what_goes_beside_the_ladder_is_read_and_its_templates_are_looked_for(folder: Path) -> None:
    said = "statements: {business_day: 2, template: plain, instead: task}\napology: {template: plain, mode: approve}\n"
    (folder / "whole.yaml").write_text(WHOLE + said)
    playbook, found = load(folder / "whole.yaml")
    assert not found
    assert playbook is not None
    assert playbook.statements is not None
    assert (playbook.statements.business_day, playbook.statements.step.instead) == (2, StepChannel.TASK)
    assert playbook.apology is not None
    assert version(folder, WHOLE + said) != version(folder, WHOLE)
    jsonschema.validate(yaml.safe_load(WHOLE + said), schema())
    assert any("no template 'missing'" in one for one in problems(folder, WHOLE + "apology: {template: missing}\n"))


def test_a_copy_is_an_emails_and_shapes_the_version(folder: Path) -> None:
    copied = WHOLE.replace("tone: friendly", "cc: [escalation, billing]\n    tone: friendly")
    assert version(folder, copied) != version(folder, WHOLE)
    jsonschema.validate(yaml.safe_load(copied), schema())
    letter = WHOLE.replace("channel: letter, tone: firm", "channel: letter, cc: other, tone: firm")
    assert any("only an email has copies" in one for one in problems(folder, letter))


def test_a_call_instead_of_an_email_has_a_script_of_its_own(folder: Path) -> None:
    """What a letter or a task says may be the mail's words; nobody reads those aloud."""
    for kind, text in (("txt", "Subject: call them\n"), ("html", "<p>call them</p>")):
        (folder / "templates" / f"script.en.{kind}.j2").write_text(text)
    by_letter = WHOLE.replace("tone: friendly", "instead: letter\n    tone: friendly")
    assert problems(folder, by_letter) == []
    mute = by_letter.replace("instead: letter", "instead: call")
    assert [one.partition(": ")[2] for one in problems(folder, mute)] == [
        "a call instead of an e-mail needs its script: instead_template, the name of a template such as call"
    ]
    scripted = mute.replace("instead: call", "instead: call\n    instead_template: script")
    (folder / "whole.yaml").write_text(scripted)
    playbook, found = load(folder / "whole.yaml")
    assert not found
    assert playbook is not None
    assert [one.instead_template for one in playbook.steps if one.id == "friendly"] == ["script"]
    jsonschema.validate(yaml.safe_load(scripted), schema())
    assert version(folder, scripted.replace("instead: call", "instead: letter")) != version(folder, by_letter)
    (folder / "templates" / "script.en.txt.j2").write_text("Subject: ring them\n")
    assert version(folder, scripted) != playbook.version, "its words shape the version, as all others"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("instead_template: plain", "instead_template is what `instead` says: write instead as well"),
        ("instead: call\n    instead_template: scirpt", "there is no template 'scirpt' in templates/"),
    ],
)
def test_words_for_another_way_belong_to_one(folder: Path, written: str, told: str) -> None:
    assert any(
        told in one for one in problems(folder, WHOLE.replace("tone: friendly", f"{written}\n    tone: friendly"))
    )


def test_only_an_email_can_be_something_else_instead(folder: Path) -> None:
    letter = WHOLE.replace("channel: letter, tone: firm", "channel: letter, instead: task, tone: firm")
    assert any("only an email has an instead" in one for one in problems(folder, letter))


def test_a_statement_read_aloud_has_its_own_words(folder: Path) -> None:
    for kind, text in (("txt", "Subject: call them\n"), ("html", "<p>call them</p>")):
        (folder / "templates" / f"script.en.{kind}.j2").write_text(text)
    mute = WHOLE + "statements: {business_day: 2, template: plain, instead: call}\n"
    assert any(
        "a call instead of an e-mail needs its script: instead_template" in one for one in problems(folder, mute)
    )
    scripted = mute.replace("call}", "call, instead_template: script}")
    (folder / "whole.yaml").write_text(scripted)
    playbook, found = load(folder / "whole.yaml")
    assert not found
    assert playbook is not None and playbook.statements is not None
    assert playbook.statements.step.instead_template == "script"
    jsonschema.validate(yaml.safe_load(scripted), schema())
