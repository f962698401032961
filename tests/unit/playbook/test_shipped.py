"""The playbooks that are shipped can be used as they are: they lint, thank, end, and say the same in every language."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from tests.unit.render.samples import SELLER

from arsync.domain.policy import Act, Playbook, Step, StepChannel, StepMode, Tone
from arsync.playbook.load import load
from arsync.playbook.preview import sample
from arsync.playbook.templates import locales
from arsync.render import render
from arsync.render.mail import words_of

FOLDER = Path(__file__).parents[3] / "playbooks"
NAMES = ("standard", "gentle", "firm", "high-value", "statement-only")
TODAY = date(2026, 11, 23)
#: What only a lawyer, a court or a contract may say: not a reminder that everybody gets.
NEVER = (
    "legal action", "court", "lawsuit", "prosecut", "credit rating", "credit bureau", "police", "penalt", "late fee",
    "interest", "Gericht", "Schufa", "SCHUFA", "Anzeige", "Strafe", "Mahngebühr", "Verzugszins", "Inkassokosten",
    "tribunal", "huissier", "pénalité", "intérêts", "poursuites", "Banque de France",
)  # fmt: skip


def playbook(name: str) -> Playbook:
    found, problems = load(FOLDER / f"{name}.yaml")
    assert problems == ()
    assert found is not None
    return found


STEPS = [(name, step, language) for name in NAMES for step in playbook(name).steps for language in ("en", "de", "fr")]


def ids(case: object) -> str:
    return case.id if isinstance(case, Step) else str(case)


def test_every_shipped_playbook_is_known_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_playbook_is_whole(name: str) -> None:
    found = playbook(name)
    assert found.name == name
    assert locales(found, FOLDER / "templates") == {"en", "de", "fr"}
    (thanks,) = [step for step in found.steps if step.act is Act.THANK_YOU]
    assert thanks.template == "thanks"
    finals = [step for step in found.steps if step.tone is Tone.FINAL]
    assert all(step.mode is StepMode.APPROVE for step in finals)  # a person reads what names consequences
    assert name == "standard" or found.end is not None
    assert re.search(
        r"(?m)^# .*Choose it where|^# Choose it|Choose it (where|for)", (FOLDER / f"{name}.yaml").read_text()
    )


def test_each_is_as_it_is_called() -> None:
    first = {name: playbook(name).steps[0] for name in NAMES}
    assert first["high-value"].channel is StepChannel.CALL  # a person calls first
    assert first["high-value"].offset < 0
    assert max(step.tone for step in playbook("gentle").steps) < Tone.FINAL
    assert {step.template for step in playbook("statement-only").steps} == {"statement", "thanks"}
    gaps = {name: playbook(name).gap for name in NAMES}
    assert gaps["firm"] < gaps["standard"] < gaps["gentle"] < gaps["statement-only"]


@pytest.mark.parametrize(("name", "step", "language"), STEPS, ids=ids)
def test_every_step_can_be_shown_in_every_language(name: str, step: Step, language: str) -> None:
    intent, letterhead = sample(step, SELLER, language, TODAY)
    message = render(intent, letterhead, FOLDER / "templates")
    seen = words_of(message.html)
    assert 10 < len(message.subject) <= 150
    for item in intent.demanded:
        assert item.number in message.text
        assert item.number in seen
    figures = set(re.findall(r"\d[\d.,’]*\d", message.text))
    assert figures <= set(re.findall(r"\d[\d.,’]*\d", seen))  # the plain twin carries the same numbers
    said = f"{message.subject} {message.text} {seen}".lower()
    assert [threat for threat in NEVER if threat.lower() in said] == []
    if step.act is Act.THANK_YOU:
        assert "IBAN" not in message.text  # nothing is asked for
        assert not re.search(r"overdue|überfällig|échu|late", said)


def test_a_sample_of_a_final_notice_names_only_what_it_demands() -> None:
    final = next(step for step in playbook("standard").steps if step.id == "final")
    intent, _ = sample(final, SELLER, "en", TODAY)
    assert intent.demanded and not intent.listed


def test_a_sample_of_a_courtesy_speaks_of_nothing_late() -> None:
    courtesy = playbook("standard").steps[0]
    intent, _ = sample(courtesy, SELLER, "en", TODAY)
    assert all(item.due_on is not None and item.due_on > TODAY for item in intent.demanded)
