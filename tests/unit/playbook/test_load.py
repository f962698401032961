"""A playbook's mistakes are found all at once, each with its line; none is a traceback."""

from __future__ import annotations

import json
import shutil
from datetime import time
from decimal import Decimal
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from arsync.domain.policy import Backlog, Playbook, Reanchor, SendWindow, StepChannel, StepMode, Tone
from arsync.playbook import load as loader
from arsync.playbook import windows
from arsync.playbook.load import load
from arsync.playbook.problems import Problem
from arsync.playbook.schema import schema, schema_text
from arsync.playbook.step_section import STEP_KEYS
from arsync.playbook.templates import locales

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
GOOD = """\
name: plain
gap: 5
minimum: {EUR: 10.10, USD: "7"}
window:
  weekdays: [mon, tue]
  opens: 09:00
  closes: "17:30"
steps:
  - {id: hello, offset: -3, channel: email, tone: courtesy, template: hello}
  - id: friendly
    offset: +3
    channel: email
    tone: friendly
    template: friendly
  - id: firm
    offset: 14
    channel: call
    tone: firm
    template: friendly
  - id: final
    offset: 30
    channel: email
    tone: final
    template: friendly
    mode: approve
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    templates = tmp_path / "templates"
    templates.mkdir()
    for name in ("hello", "friendly"):
        (templates / f"{name}.en.html.j2").write_text("{% include '_foot.html.j2' %}<p>{{ payer }}</p>")
        (templates / f"{name}.en.txt.j2").write_text("Subject: About {{ payer }}\n\nHello")
    (templates / "_foot.html.j2").write_text("<hr>")
    return tmp_path


def read(folder: Path, text: str | bytes) -> tuple[Playbook | None, tuple[Problem, ...]]:
    path = folder / "plain.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path)


def problems(folder: Path, text: str | bytes) -> list[str]:
    playbook, found = read(folder, text)
    assert (playbook is None) == bool(found)
    return [str(problem) for problem in found]


def good(folder: Path, text: str = GOOD) -> Playbook:
    playbook, found = read(folder, text)
    assert found == ()
    assert playbook is not None
    return playbook


def test_a_good_playbook_is_read_as_written(folder: Path) -> None:
    playbook = good(folder)
    assert playbook.name == "plain"
    assert playbook.minimum == {"EUR": Decimal("10.10"), "USD": Decimal("7")}
    assert playbook.window == SendWindow(frozenset({0, 1}), time(9), time(17, 30))
    assert (playbook.backlog, playbook.reanchor) == (Backlog.AGE_STEP, Reanchor.FIT_AGE)
    assert [step.offset for step in playbook.steps] == [-3, 3, 14, 30]
    last = playbook.steps[3]
    assert (last.id, last.channel, last.tone, last.mode) == ("final", StepChannel.EMAIL, Tone.FINAL, StepMode.APPROVE)


def test_every_problem_is_reported_at_once_with_its_line(folder: Path) -> None:
    text = """\
name: Plain Text
gapp: 5
gap: none
minimum: {EUR: 1e3, EURO: 5, XXX: -1}
backlog: age-step
window: {weekdays: [mon, tusday], opens: 17:00, closes: 9:00}
steps:
  - {id: one, offset: 3, channel: emial, tone: friendly, template: frendly}
  - {id: one, offset: 3, channel: email, tone: frim, template: friendly}
  - {offset: 2.5, channel: email, tone: final, template: friendly, zzz: red}
  - four
"""
    assert problems(folder, text) == [
        "plain.yaml:1: the playbook: name must be a short name of lower-case letters, digits and hyphens, "
        "not 'Plain Text'",
        "plain.yaml:2: the playbook has no key 'gapp' (did you mean 'gap'?)",
        "plain.yaml:3: the playbook: gap must be a whole number from 1 to 365, not 'none'",
        "plain.yaml:4: minimum: EUR must be an amount such as 10.00, with at most 4 decimals",
        "plain.yaml:4: minimum: 'EURO' is no ISO 4217 currency (did you mean 'EUR'?)",
        "plain.yaml:4: minimum: 'XXX' is no ISO 4217 currency",
        "plain.yaml:4: minimum: XXX must be an amount such as 10.00, with at most 4 decimals",
        "plain.yaml:5: the playbook: backlog must be one of skip, age_step, first_step, not 'age-step' "
        "(did you mean 'age_step'?)",
        "plain.yaml:6: window: weekdays must be one of mon, tue, wed, thu, fri, sat, sun, not 'tusday' "
        "(did you mean 'tue'?)",
        "plain.yaml:6: window: it closes at 09:00, before it opens at 17:00: nothing could ever go out",
        "plain.yaml:8: step 1: channel must be one of email, letter, call, task, not 'emial' (did you mean 'email'?)",
        "plain.yaml:8: there is no template 'frendly' in templates/ (did you mean 'friendly'?)",
        "plain.yaml:9: step 2: tone must be one of courtesy, friendly, firm, final, not 'frim' (did you mean 'firm'?)",
        "plain.yaml:9: the step id 'one' is used twice, first on line 8",
        "plain.yaml:9: offsets must rise from step to step: 3 does not come after 3",
        "plain.yaml:10: step 3 has no key 'zzz'",
        "plain.yaml:10: step 3 needs the key 'id'",
        "plain.yaml:10: step 3: offset must be a whole number from -365 to 3650, not '2.5'",
        "plain.yaml:10: a final step must come after two milder ones past the due date; there are 1",
        "plain.yaml:11: step 4 must be a mapping of keys: " + ", ".join(STEP_KEYS),
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("gap: 5", "gap: 5\ngap: 9", "plain.yaml:3: the playbook: 'gap' is written twice, first on line 2"),
        ("gap: 5", "gap: 0", "plain.yaml:2: the playbook: gap must be a whole number from 1 to 365, not '0'"),
        ("gap: 5", "gap:", "plain.yaml:2: the playbook: gap is empty"),
        ("gap: 5\n", "", "plain.yaml:1: the playbook needs the key 'gap'"),
        ("gap: 5", "gap: [5]", "plain.yaml:2: the playbook: gap must be a single value, not a list or mapping"),
        ("gap: 5", "? [a, b]\n: 5\ngap: 5", "plain.yaml:2: the playbook: a key must be a single name"),
        ("[mon, tue]", "[]", "plain.yaml:5: window: weekdays must be a list with at least one entry, not a list"),
        ("[mon, tue]", "mon", "plain.yaml:5: window: weekdays must be a list with at least one entry, not 'mon'"),
        (
            "opens: 09:00",
            "opens: 25:00",
            "plain.yaml:6: window: opens must be a time of day such as 09:00",
        ),
        (
            "opens: 09:00",
            "opens: 17:30",
            "plain.yaml:7: window: it closes at 17:30, when it opens at 17:30: nothing could ever go out",
        ),
        ("EUR: 10.10", "EUR: .inf", "plain.yaml:3: minimum: EUR must be an amount"),
        ("EUR: 10.10", "EUR: 9999999999999999", "plain.yaml:3: minimum: EUR: not an amount"),
        ("EUR: 10.10", "eur: 10.10", "plain.yaml:3: minimum: 'eur' is no ISO 4217 currency (did you mean 'EUR'?)"),
        ("EUR: 10.10", "DEM: 10.10", "plain.yaml:3: minimum: 'DEM' is no ISO 4217 currency"),
        ("minimum: {", "minimum: 5 #{", "plain.yaml:3: the playbook: minimum must be a mapping of keys, not '5'"),
        ("id: friendly", "id: 7", "plain.yaml:10: step 2: id must be a short name"),
        ("id: friendly", "id: no", "plain.yaml:10: step 2: id must be a short name"),
        ("template: friendly", "template: ../secret", "plain.yaml:14: step 2: template must be a short name"),
        ("offset: +3", "offset: 99999999999", "plain.yaml:11: step 2: offset must be a whole number"),
        ("offset: 30", "offset: 3", "plain.yaml:21: offsets must rise from step to step: 3 does not come after 14"),
        ("offset: +3", "offset: -1", "plain.yaml:13: on or before the due date only the tone courtesy is possible"),
        ("tone: friendly", "tone: courtesy", "plain.yaml:13: the tone courtesy is for steps on or before the due"),
        ("    tone: firm\n", "    tone: firm\n    mode: auto\n", "plain.yaml:19: a call is a person's task"),
        ("steps:", "steps: 4\nother:", "plain.yaml:8: the playbook: steps must be a list"),
        ("name: plain", "name: &n plain", "plain.yaml:1: anchors and aliases are not used in playbooks"),
        ("gap: 5", "gap: 5\n  bad: [", "plain.yaml:3: not YAML: "),
        ("gap: 5", "gap: \x07", "plain.yaml:2: not YAML: special characters are not allowed"),
        ("name: plain", "name: !!python/object/apply:os.system [id]", "plain.yaml:1: the playbook: name must be"),
        ("name: plain", "a: b\n---\nname: plain", "plain.yaml:2: not YAML: but found another document"),
    ],
)
def test_one_mistake_is_named_with_its_line(folder: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    found = problems(folder, GOOD.replace(old, new, 1))
    assert any(problem.startswith(expected) for problem in found), found


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"# nothing\n",
        b"just text",
        b"- a\n- b",
        b"\xff\xfe\x00",
        b"a: " + b"[" * 5000,
        b"x" * 300_000,
        b"%YAML 9\n---\na",
    ],
)
def test_what_is_no_playbook_at_all_is_a_problem_too(folder: Path, text: bytes) -> None:
    assert len(problems(folder, text)) == 1


def test_an_alias_bomb_is_refused_before_it_unfolds(folder: Path) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert problems(folder, bomb) == [
        "plain.yaml:1: anchors and aliases are not used in playbooks: write it out",
    ]


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    playbook, found = load(tmp_path / "none.yaml")
    assert playbook is None
    assert [str(problem) for problem in found] == ["none.yaml:1: cannot be read: No such file or directory"]


# --- templates -------------------------------------------------------------------------------------------


def test_every_template_must_be_there_in_every_locale_that_one_of_them_has(folder: Path) -> None:
    (folder / "templates/hello.de.txt.j2").write_text("Subject: Hallo")
    assert problems(folder, GOOD) == [
        "plain.yaml:9: template 'hello' has no file templates/hello.de.html.j2",
        "plain.yaml:14: template 'friendly' has no file templates/friendly.de.html.j2",
        "plain.yaml:14: template 'friendly' has no file templates/friendly.de.txt.j2",
    ]


def test_locales_of_templates_that_the_playbook_does_not_use_are_nobodys_business(folder: Path) -> None:
    (folder / "templates/other.fi.txt.j2").write_text("Subject: Hei")
    playbook = good(folder)
    assert locales(playbook, folder / "templates") == {"en"}


def test_a_locale_is_there_when_every_template_has_it_as_html_and_as_text(folder: Path) -> None:
    playbook = good(folder)
    for name in ("hello", "friendly"):
        (folder / f"templates/{name}.de.txt.j2").write_text("Subject: Hallo")
        assert locales(playbook, folder / "templates") == {"en"}
        (folder / f"templates/{name}.de.html.j2").write_text("Hallo")
    assert locales(playbook, folder / "templates") == {"en", "de"}


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("hello.en.txt.j2", "Hello\n", "templates/hello.en.txt.j2:1: the first line must be the subject"),
        ("hello.en.txt.j2", "Subject:  \n", "templates/hello.en.txt.j2:1: the first line must be the subject"),
        ("hello.en.html.j2", "a\n{% if %}", "templates/hello.en.html.j2:2: not a template: "),
        ("hello.en.html.j2", "{% include 'gone.j2' %}", "templates/hello.en.html.j2:1: refers to 'gone.j2'"),
        (
            "hello.en.html.j2",
            "{% include '../plain.yaml' %}",
            "templates/hello.en.html.j2:1: refers to '../",
        ),
        ("hello.en.html.j2", b"\xff", "templates/hello.en.html.j2:1: cannot be read"),
    ],
)
def test_a_template_that_cannot_be_used_is_named(folder: Path, file: str, text: str | bytes, expected: str) -> None:
    (folder / "templates" / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    found = problems(folder, GOOD)
    assert len(found) == 1
    assert found[0].startswith(expected)


# --- the version -----------------------------------------------------------------------------------------


def test_comments_and_layout_do_not_make_a_new_version(folder: Path) -> None:
    before = good(folder).version
    assert good(folder, "# new\n" + GOOD.replace("EUR: 10.10", 'EUR: "10.1000"')).version == before


@pytest.mark.parametrize(
    ("old", "new"), [("gap: 5", "gap: 6"), ("offset: 30", "offset: 31"), ("17:30", "17:31"), ("10.10", "10.11")]
)
def test_whatever_shapes_a_message_makes_a_new_version(folder: Path, old: str, new: str) -> None:
    assert good(folder).version != good(folder, GOOD.replace(old, new)).version


@pytest.mark.parametrize("file", ["hello.en.txt.j2", "friendly.en.html.j2", "_foot.html.j2"])
def test_a_changed_template_makes_a_new_version_and_so_does_a_part_it_includes(folder: Path, file: str) -> None:
    before = good(folder).version
    path = folder / "templates" / file
    path.write_text(path.read_text() + "!")
    assert good(folder).version != before


def test_a_part_chosen_while_rendering_counts_whichever_it_is(folder: Path) -> None:
    (folder / "templates/hello.en.html.j2").write_text("{% include '_words.' ~ locale ~ '.j2' %}")
    (folder / "templates/_words.en.j2").write_text("one")
    before = good(folder).version
    (folder / "templates/_words.en.j2").write_text("two")
    assert good(folder).version != before


def test_the_version_does_not_depend_on_where_the_files_are(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    here = good(folder).version
    elsewhere = tmp_path_factory.mktemp("copy")
    shutil.copytree(folder / "templates", elsewhere / "templates")
    assert good(elsewhere).version == here


# --- the schema and the shipped playbook -----------------------------------------------------------------


def test_the_shipped_schema_is_the_codes() -> None:
    """Regenerate: python -c 'from arsync.playbook.step_section import STEP_KEYS
    from arsync.playbook.schema import schema_text; print(schema_text(), end="")'."""
    assert (PLAYBOOKS / "playbook.schema.json").read_text() == schema_text()


def test_schema_and_loader_know_the_same_keys() -> None:
    properties = schema()["properties"]
    assert tuple(properties) == loader.KEYS
    assert tuple(properties["window"]["properties"]) == windows.KEYS
    assert tuple(properties["steps"]["items"]["properties"]) == STEP_KEYS


@pytest.mark.parametrize("text", [GOOD, (PLAYBOOKS / "standard.yaml").read_text()], ids=["good", "standard"])
def test_what_the_loader_takes_the_schema_takes(text: str) -> None:
    jsonschema.validate(json.loads(json.dumps(yaml.safe_load(text))), schema())


def test_the_standard_playbook_is_the_one_described() -> None:
    playbook, found = load(PLAYBOOKS / "standard.yaml")
    assert [str(problem) for problem in found] == []
    assert playbook is not None
    assert [(step.id, step.offset, step.channel, step.tone) for step in playbook.steps] == [
        ("courtesy", -3, StepChannel.EMAIL, Tone.COURTESY),
        ("friendly", 3, StepChannel.EMAIL, Tone.FRIENDLY),
        ("firm", 14, StepChannel.EMAIL, Tone.FIRM),
        ("call", 21, StepChannel.CALL, Tone.FIRM),
        ("final", 30, StepChannel.EMAIL, Tone.FINAL),
        ("thanks", 0, StepChannel.EMAIL, Tone.COURTESY),
    ]
    assert (playbook.gap, sorted(playbook.window.weekdays)) == (5, [0, 1, 2, 3, 4])
    assert "en" in locales(playbook, PLAYBOOKS / "templates")
