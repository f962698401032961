"""The documents say what the program does: every command, key and state of it, and nothing that is not there.

Tables that come from the code stand between `<!-- from the code: NAME -->` and `<!-- end -->`. After a change of states
or rules they are written anew by `python tests/unit/test_docs.py`.
"""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import BaseModel

from arsync.cli.app import program
from arsync.domain import chase, people, states
from arsync.domain import replies as answers
from arsync.playbook import limits_section, match_section, scenarios, step_section, windows
from arsync.playbook import load as playbook
from arsync.sandbox.faults import FaultKind
from arsync.sandbox.server import build_world
from arsync.settings.model import KEYS as SETTINGS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def sections(text: str, level: int) -> dict[str, str]:
    """The text below each heading of that level, up to the next heading of that level or a higher one."""
    found: dict[str, str] = {}
    title = None
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        heading = None if fenced else re.match(r"(#+) (.*)", line)
        if heading and len(heading[1]) <= level:
            title = heading[2].strip().strip("`") if len(heading[1]) == level else None
            if title is not None:
                found[title] = ""
        elif title is not None:
            found[title] += line + "\n"
    return found


def in_code(text: str) -> set[str]:
    """What stands between single backticks."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text)))


# --- commands ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Command:
    name: str
    options: frozenset[str] = frozenset()
    most_arguments: float = 0
    subcommands: Mapping[str, Command] = field(default_factory=dict)


def _command(found: Any, name: str) -> Command:
    options = [param for param in found.params if param.param_type_name == "option"]
    arguments = [param for param in found.params if param.param_type_name == "argument"]
    return Command(
        name=name,
        options=frozenset(written for param in options for written in param.opts) | {"--help"},
        most_arguments=sum(float("inf") if param.nargs == -1 else param.nargs for param in arguments),
        subcommands={
            sub: _command(command, f"{name} {sub}") for sub, command in getattr(found, "commands", {}).items()
        },
    )


ARSYNC = _command(typer.main.get_command(program), "arsync")


def leaves(command: Command) -> Iterator[Command]:
    for sub in command.subcommands.values():
        yield from leaves(sub)
    if not command.subcommands:
        yield command


COMMANDS = {command.name: command for command in leaves(ARSYNC)}


def named_options(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def test_every_command_has_a_section_and_no_section_a_command_that_is_not_there() -> None:
    written = {title for title in sections(read(DOCS / "commands.md"), 3) if title.startswith("arsync ")}
    assert written == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_stands_in_its_section(name: str) -> None:
    text = sections(read(DOCS / "commands.md"), 3)[name]
    table = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    assert named_options(table) == COMMANDS[name].options - {"--help"}


def test_the_options_before_a_command_and_the_exit_statuses_are_documented() -> None:
    before = sections(read(DOCS / "commands.md"), 2)
    assert ARSYNC.options <= named_options(before["Before every command"])
    assert [line.split("|")[1].strip() for line in before["Exit status"].splitlines() if re.match(r"\| *\d", line)] == [
        "0", "1", "2", "3",
    ]  # fmt: skip


def mentioned(text: str) -> Iterator[str]:
    """Each `arsync ...` of a page: typed at a prompt in a block, run by cron, or named between backticks."""
    for block in re.findall(r"(?ms)^```\w*\n(.*?)^```", text):
        for line in block.splitlines():
            for part in re.split(r"&&|\|\||;", line.removeprefix("$ ")) if line.startswith("$ ") else ():
                if re.match(r"\s*(\S*/)?arsync\s", part):
                    yield part.strip()
            cron = re.search(r"\S+/bin/(arsync run)", line)
            if cron and not line.startswith("$"):
                yield cron[1]
    yield from (code for code in in_code(text) if re.match(r"arsync [a-z-]", code))


FLAGS = ("--all", "--json", "--help", "--version", "--yes", "--paste", "--new", "--drop-old")


def wrong_with(line: str) -> str | None:
    """Why that command line could not be given."""
    words = [word for word in shlex.split(line)[1:] if word not in ("...", "…") and ">>" not in word]
    command = ARSYNC
    arguments = 0
    while words:
        word = words.pop(0).partition("=")[0]
        if word.startswith("--"):
            if word not in command.options | ARSYNC.options:
                return f"{command.name} has no {word}"
            if words and word not in FLAGS and not words[0].startswith("--"):
                words.pop(0)
        elif word in command.subcommands and arguments == 0:
            command = command.subcommands[word]
        elif "|" in word and all(each in command.subcommands for each in word.split("|")):
            return None  # several at once: they are there
        else:
            arguments += 1
    if command is ARSYNC and arguments:
        return "there is no such command"
    return f"{command.name} takes fewer arguments" if arguments > command.most_arguments else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_only_commands_and_options_that_are_there(page: Path) -> None:
    wrong = {line: why for line in mentioned(read(page)) if (why := wrong_with(line))}
    assert not wrong


def test_the_readme_shows_the_way_from_the_demo_to_the_nightly_run() -> None:
    shown = {" ".join(line.split()[1:2]) for line in mentioned(read(ROOT / "README.md"))}
    assert {"init", "db", "connect", "backfill", "doctor", "plan", "playbook", "approve", "run", "stop"} <= shown


def test_make_targets_that_the_pages_name_are_there() -> None:
    targets = set(re.findall(r"(?m)^([a-z][a-z-]*):", read(ROOT / "Makefile")))
    named = {target for page in PAGES for target in re.findall(r"`make ([a-z-]+)", read(page))}
    assert named
    assert named <= targets


# --- settings ---------------------------------------------------------------------------------------------------


def settings_rows() -> dict[str, str]:
    """Each key that docs/settings.md documents, with its row."""
    rows = [line for line in read(DOCS / "settings.md").splitlines() if re.match(r"\| `[a-z]", line)]
    return {re.match(r"\| `([^`]+)`", row)[1]: row for row in rows}  # type: ignore[index]


def connector_keys() -> dict[str, bool]:
    found = {}
    for entry in entry_points(group="arsync.connectors"):
        model: type[BaseModel] = import_module(entry.module).Settings
        for name, option in model.model_fields.items():
            found[f"{entry.name}.{name}"] = "SecretStr" in str(option.annotation)
    return found


def settings_keys() -> dict[str, bool]:
    """Every key with whether it is a secret; what a company may say stands once, where it is said for the most."""
    own = {".".join(place): secret for place, secret in SETTINGS.items()}
    wider = (("connection.<name>", "group.<name>"), ("connection.<name>", "defaults"), ("group.<name>", "defaults"))
    repeated = {key for key in own for here, there in wider if key.replace(here, there) in own.keys() - {key}}
    return {key: secret for key, secret in own.items() if key not in repeated} | connector_keys()


def variable(key: str) -> str:
    return "ARSYNC_" + key.replace(".", "__").upper()


def test_every_setting_is_documented_and_no_other() -> None:
    assert set(settings_rows()) == set(settings_keys())


@pytest.mark.parametrize(("key", "secret"), settings_keys().items(), ids=settings_keys())
def test_a_setting_stands_beside_its_variable(key: str, secret: bool) -> None:
    row = in_code(settings_rows()[key])
    assert any(code.startswith(variable(key)) for code in row)
    assert (f"{variable(key)}_FILE" in row) is secret


# --- playbooks --------------------------------------------------------------------------------------------------

PLAYBOOK_KEYS = {
    "The playbook": playbook.KEYS,
    "match": match_section.MATCH_KEYS,
    "match: invoice": match_section.INVOICE_KEYS,
    "window": windows.KEYS,
    "window: blackout": windows.BLACKOUT_KEYS,
    "caps": limits_section.CAP_KEYS,
    "A step": step_section.STEP_KEYS,
    "repeat": step_section.REPEAT_KEYS,
    "end": limits_section.END_KEYS,
    "Scenarios: the file": scenarios.FILE_KEYS,
    "Scenarios: company": scenarios.COMPANY_KEYS,
    "Scenarios: a scenario": scenarios.SCENARIO_KEYS,
    "Scenarios: customer": scenarios.CUSTOMER_KEYS,
    "Scenarios: invoice": scenarios.INVOICE_KEYS,
    "Scenarios: happens": tuple(scenarios.What),
    "Scenarios: expect": scenarios.EXPECT_KEYS,
    "Scenarios: why_not": scenarios.WHY_KEYS,
}


@pytest.mark.parametrize("part", PLAYBOOK_KEYS)
def test_every_key_of_a_playbook_is_documented_and_no_other(part: str) -> None:
    cells = re.findall(r"(?m)^\| (`[a-z_]+`(?:, `[a-z_]+`)*) ", sections(read(DOCS / "playbooks.md"), 3)[part])
    rows = [key for cell in cells for key in re.findall(r"[a-z_]+", cell)]
    assert sorted(rows) == sorted(PLAYBOOK_KEYS[part])


@pytest.mark.parametrize(
    "words",
    [
        *(step_section.CHANNELS, step_section.TONES, step_section.MODES, step_section.ACTS, step_section.ANCHORS),
        *(step_section.HAPPENINGS, playbook.BACKLOGS, playbook.REANCHORS, playbook.GROUPS),
        *(windows.ZONES, windows.HOLIDAYS),
    ],
)
def test_every_word_that_a_key_may_have_is_documented(words: Iterable[str]) -> None:
    assert set(words) <= in_code(read(DOCS / "playbooks.md"))


# --- states -----------------------------------------------------------------------------------------------------


def reasons(kind: type[StrEnum]) -> dict[str, str]:
    """The comment behind each word of an enumeration."""
    source = inspect.getsource(kind)
    said = dict(re.findall(r'(?m)^    [A-Z_]+ = "(\w+)"(?:  # (.*))?$', source))
    assert set(said) == {str(word.value) for word in kind}, f"{kind.__name__} in another form"
    return said


def arrows(moves: Mapping[StrEnum, frozenset[StrEnum]], word: StrEnum) -> str:
    return ", ".join(f"`{other}`" for other in type(word) if other in moves[word]) or "the end"


def table(kind: type[StrEnum], moves: Mapping[Any, frozenset[Any]] | None = None) -> str:
    head = ["", "means", *(["goes on to"] if moves else [])]
    lines = [head, ["---"] * len(head)]
    for word, said in reasons(kind).items():
        lines.append([f"`{word}`", said, *([arrows(moves, kind(word))] if moves else [])])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


TABLES = {
    "messages": table(states.MessageState, states.MESSAGE_ARROWS),
    "notes": table(states.NoteState, states.NOTE_ARROWS),
    "chases": table(states.ChaseState),
    "hold kinds": table(states.HoldKind),
    "holds": table(states.HoldState),
    "promises": table(states.PromiseState),
    "plans": table(states.PlanState),
    "dispute codes": table(people.DisputeCode),
    "call outcomes": table(people.CallOutcome),
    "health": table(states.Health),
    "decisions": table(states.Decision),
    "rules": table(chase.Rule),
}
ANSWERED = {
    "mail kinds": table(answers.MailKind),
    "meanings": table(answers.Meaning),
    "replies": table(answers.ReplyState),
}
#: The page that each table stands on.
PAGE_OF = {**dict.fromkeys(TABLES, "lifecycle.md"), **dict.fromkeys(ANSWERED, "replies.md")}
_TABLE = r"(?s)(<!-- from the code: {} -->\n).*?(\n<!-- end -->)"


@pytest.mark.parametrize("name", PAGE_OF)
def test_the_tables_of_the_lifecycle_are_those_of_the_code(name: str) -> None:
    found = re.search(_TABLE.format(name), read(DOCS / PAGE_OF[name]))
    assert found, f"no table `{name}`"
    rows = {**TABLES, **ANSWERED}[name]
    assert found[0] == f"{found[1]}{rows}{found[2]}", "write it anew: python tests/unit/test_docs.py"


def drawn(text: str) -> set[tuple[str, str]]:
    """The arrows of a drawing whose lines read `a -> b`, `a -> b -> c`, with `|` between states of one place."""
    found = set()
    for line in text.splitlines():
        places = [re.findall(r"[a-z_]+", place) for place in line.partition("  (")[0].split("->")]
        for here, there in pairwise(places):
            found |= {(one, other) for one in here for other in there}
    return found


@pytest.mark.parametrize(("title", "moves"), [("Messages", states.MESSAGE_ARROWS), ("Notes", states.NOTE_ARROWS)])
def test_the_drawn_arrows_are_those_of_the_code(title: str, moves: Mapping[StrEnum, frozenset[StrEnum]]) -> None:
    drawing = re.search(r"(?ms)^```\n(.*?)^```", sections(read(DOCS / "lifecycle.md"), 2)[title])
    assert drawing
    assert drawn(drawing[1]) == {(str(here), str(there)) for here, others in moves.items() for there in others}


# --- the sandbox ------------------------------------------------------------------------------------------------


def test_every_switch_and_every_fault_of_the_sandbox_is_documented() -> None:
    written = in_code(read(DOCS / "sandbox.md"))
    assert {name for name in written if re.fullmatch(r"(quickbooks|xero|sendgrid)\.\w+", name)} == set(
        build_world().switches()
    )
    assert {kind.value for kind in FaultKind} <= written


# --- failures of others -----------------------------------------------------------------------------------------


def test_every_failure_of_others_is_kept_away_by_tests_that_are_there() -> None:
    rows = re.findall(r"(?m)^\| (\d+) \| [^|]+ \| (.+) \|$", read(DOCS / "lessons.md"))
    assert [int(number) for number, _ in rows] == list(range(1, 26))
    for number, proofs in rows:
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", proofs)
        assert named, f"failure {number} has no test"
        for file, name in named:
            assert f"def {name}(" in read(ROOT / "tests" / file), f"failure {number}: {file}::{name}"


# --- threats ----------------------------------------------------------------------------------------------------


def test_every_threat_is_stopped_by_something_that_a_test_shows() -> None:
    rows = re.findall(
        r"(?m)^\| (\d+) \| [^|]+ \| [^|]+ \| (.+) \|$", sections(read(DOCS / "security.md"), 2)["Threats"]
    )
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= 20
    for number, proofs in rows:
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", proofs)
        assert named, f"threat {number} has no test"
        for file, name in named:
            assert f"def {name}(" in read(ROOT / "tests" / file), f"threat {number}: {file}::{name}"


# --- links ------------------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    titles = re.findall(r"(?m)^#+ (.*)$", re.sub(r"(?ms)^```.*?^```", "", text))
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_leads_nowhere(page: Path) -> None:
    text = re.sub(r"(?ms)^```.*?^```", "", read(page))
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = (page.parent / target).resolve() if target else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(read(there))):
            broken.append(link)
    assert not broken


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached:
            continue
        reached.add(page)
        if page.is_dir():
            ahead += page.glob("*.md")
        elif page.suffix == ".md":
            for link in re.findall(r"\]\(([^)#\s]+)", read(page)):
                there = (page.parent / link).resolve()
                ahead += [there] if there.exists() else []
    assert set(PAGES) <= reached


def _write_tables() -> None:
    for name, rows in {**TABLES, **ANSWERED}.items():
        path = DOCS / PAGE_OF[name]
        text = read(path)
        found = re.search(_TABLE.format(name), text)
        assert found, f"no table `{name}`"
        path.write_text(text.replace(found[0], f"{found[1]}{rows}{found[2]}"), encoding="utf-8")


if __name__ == "__main__":
    _write_tables()
