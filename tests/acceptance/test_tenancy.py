"""Two clients of one accountant whose books look alike: the same ids, numbers, customers and addresses.

Whatever is done for one, nothing of the other is in it; only amounts, names and bank details tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import typer
from tests.acceptance.clients import NORTH, OWN, SOUTH, alien, letters, notes
from tests.acceptance.installation import Installation

from arsync.cli.app import program


def test_each_company_is_written_to_and_noted_in_its_own_name_and_figures(firm: Installation) -> None:
    firm.arsync("run")
    mailed = letters(firm)
    assert set(mailed) == {NORTH, SOUTH}
    for name in (NORTH, SOUTH):
        assert alien(name, mailed[name]) == []
        assert OWN[name][0] in mailed[name]
        assert f"For {name.title()} Ltd, by law" in mailed[name]
        assert f"archive@{name}.example" in mailed[name]
        assert "answers+" in mailed[name]
        assert len(firm.books[name].notes()) == 1
        assert alien(name, notes(firm.books[name]).replace(firm.books[name].id, "")) == []


def test_what_a_person_says_of_one_company_holds_nothing_of_the_other(firm: Installation) -> None:
    firm.arsync("dispute", "INV-1", "--connection", NORTH, "--reason", "goods arrived damaged")
    firm.arsync("tag", "Acme Stores", "vip", "--connection", NORTH)
    firm.arsync("contact", "Acme Stores", "cfo@acme.example", "--role", "cc", "--connection", NORTH)
    firm.arsync("language", "Acme Stores", "de", "--connection", NORTH)
    before = firm.rows("SELECT version FROM chases WHERE connection_id = 2")
    firm.arsync("run")
    assert set(letters(firm)) == {SOUTH}
    assert "cfo@acme.example" not in letters(firm)[SOUTH]
    assert "overdue" in letters(firm)[SOUTH] or "due" in letters(firm)[SOUTH]
    assert before
    assert {company for (company,) in firm.rows("SELECT connection_id FROM customer_tags")} == {1}


def test_who_runs_one_company_touches_nothing_of_the_other(firm: Installation) -> None:
    def of_the_other() -> dict[str, list[tuple[object, ...]]]:
        tables = [
            name
            for (name,) in firm.rows(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%connection_id INTEGER%'"
            )
        ]
        return {name: firm.rows(f"SELECT * FROM {name} WHERE connection_id = 2") for name in tables}

    before = of_the_other()
    assert before["invoices"]
    firm.arsync("sync", NORTH)
    firm.arsync("run", NORTH)
    firm.arsync("reconcile", NORTH)
    assert of_the_other() == before
    assert set(letters(firm)) == {NORTH}
    assert firm.books[SOUTH].notes() == []


#: Every command that can be asked about one company, as it is asked about North. "INV-1" and "Acme Stores" are names at
#: both companies. A command that tells of all companies at once is not here; `{folder}` is the installation's.
ASKED: dict[str, tuple[str, ...]] = {
    "sync": (NORTH,),
    "plan": (NORTH, "--all"),
    "run": (NORTH,),
    "backfill": (NORTH,),
    "reconcile": (NORTH,),
    "recover": (NORTH, "--reason", "as a test"),
    "digest": (NORTH,),
    "today": ("--connection", NORTH),
    "approvals": ("--connection", NORTH),
    "approve": ("--all", "--connection", NORTH),
    "reject": ("--step", "firm", "--reason", "as a test", "--connection", NORTH),
    "outbox": ("--connection", NORTH),
    "hold": ("INV-1", "--reason", "as a test", "--connection", NORTH),
    "dispute": ("INV-1", "--reason", "as a test", "--connection", NORTH),
    "pause": ("INV-1", "--until", "2026-10-30", "--reason", "as a test", "--connection", NORTH),
    "exclude": ("INV-1", "--reason", "as a test", "--connection", NORTH),
    "handoff": ("Acme Stores", "--to", "Lex & Co", "--connection", NORTH),
    "holds": ("--connection", NORTH),
    "promise": ("INV-1", "--date", "2026-09-30", "--reason", "as a test", "--connection", NORTH),
    "promises": ("--all", "--connection", NORTH),
    "instalments": (
        "INV-1", "--number", "3", "--every", "month", "--first", "2026-10-01", "--reason", "as a test",
        "--connection", NORTH,
    ),
    "calls": ("--connection", NORTH),
    "touch": ("INV-1", "--kind", "call", "--connection", NORTH),
    "comment": ("INV-1", "--text", "as a test", "--connection", NORTH),
    "owner": ("Acme Stores", "--name", "Ann", "--email", "ann@north.example", "--connection", NORTH),
    "contact": ("Acme Stores", "cfo@acme.example", "--connection", NORTH),
    "explain": ("INV-1", "--connection", NORTH),
    "reminders": (NORTH,),
    "pdf": ("INV-1", "--to", "{folder}/one.pdf", "--connection", NORTH),
    "simulate": ("standard", "--from", "2026-09-01", "--to", "2026-09-15", "--connection", NORTH),
    "statement": ("Acme Stores", "--connection", NORTH),
    "tag": ("Acme Stores", "vip", "--connection", NORTH),
    "language": ("Acme Stores", "de", "--connection", NORTH),
    "playbook assign": ("Acme Stores", "standard", "--reason", "as a test", "--connection", NORTH),
    "playbook preview": ("friendly", "--customer", "Acme Stores", "--connection", NORTH),
    "replies list": ("--connection", NORTH),
    "settings show": ("--connection", NORTH),
}  # fmt: skip
#: They take a company's name as well, and are tested by themselves.
ELSEWHERE = frozenset({"disconnect", "trust", "import", "replies match", "user add", "user role"})


def _commands() -> Iterator[tuple[str, set[str]]]:
    """Every command that takes the name of a company, by an option or an argument."""

    def walk(command: object, name: str) -> Iterator[tuple[str, set[str]]]:
        for sub, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, f"{name} {sub}".strip())
        if not hasattr(command, "commands"):
            params = getattr(command, "params", [])
            yield (
                name,
                {str(param.name) for param in params} | {str(param.metavar or "").strip("[]") for param in params},
            )

    for name, names in walk(typer.main.get_command(program), ""):
        if names & {"connection", "CONNECTION"}:
            yield name, names


#: Every report is asked for in the same way.
ASKED |= {name: ("--connection", NORTH) for name, _ in _commands() if name.startswith("report ")}


def test_every_command_that_takes_a_company_is_asked_about_one() -> None:
    assert {name for name, _ in _commands()} == set(ASKED) | ELSEWHERE


def test_no_answer_about_one_company_names_the_other(firm: Installation, tmp_path: Path) -> None:
    text = firm.config.read_text(encoding="utf-8")
    firm.config.write_text(text.replace('mode = "auto"', 'mode = "approve"'), encoding="utf-8")
    firm.arsync("run")
    assert firm.rows("SELECT count(*) FROM messages WHERE state = 'planned'") == [(2,)]
    for name, arguments in ASKED.items():
        given = [one.format(folder=tmp_path) for one in arguments]
        ran = firm.arsync(*name.split(), *given, status=None)
        assert ran.status in (0, 1), ran.said
        assert ran.said.strip(), name
        assert alien(NORTH, ran.said.replace(str(tmp_path), "")) == [], f"{name}\n{ran.said}"
    assert firm.rows("SELECT state FROM messages WHERE connection_id = 2") == [("planned",)]


def test_a_plan_of_instalments_is_listed_for_its_company_alone(firm: Installation) -> None:
    plan = ("--number", "3", "--first", "2026-10-01", "--reason", "as a test")
    for name in (NORTH, SOUTH):
        firm.arsync("instalments", "INV-1", *plan, "--connection", name)
    told = firm.arsync("instalments", "--connection", NORTH).out
    assert "1,111.11" in told
    assert alien(NORTH, told) == []


def test_what_is_to_do_at_one_client_or_in_one_group_is_theirs_alone(firm: Installation) -> None:
    """Both have lost their consent, and each has a comment to look at today."""
    text = firm.config.read_text(encoding="utf-8")
    firm.config.write_text(
        text.replace('[connection.south]\ngroup = "clients"', '[connection.south]\ngroup = "others"')
        + '[group.others]\ncollecting_for_others = "on"\n'
    )
    for name in (NORTH, SOUTH):
        firm.arsync("comment", "INV-1", "--text", f"ring {name}", "--follow-up", "2026-09-15", "--connection", name)
        firm.execute(
            f"UPDATE connections SET health = 'partial', health_reason = '{name} is down' WHERE name = '{name}'"
        )
    assert firm.json("today")["tasks"] == ["north is partial: north is down", "south is partial: south is down"]
    for asked in (("today", "--connection", NORTH), ("today", "--group", "clients"), ("digest", "--group", "clients")):
        told = firm.arsync(*asked).out
        assert "north is down" in told
        assert "ring north" in told
        assert alien(NORTH, told) == [], asked
    assert alien(NORTH, firm.arsync("digest", NORTH).out) == []
    assert alien(NORTH, firm.arsync("run", NORTH, status=1).said) == []
    assert "no group nobodys is in the settings (there is: clients, others)" in (
        firm.arsync("today", "--group", "nobodys", status=2).err
    )


def test_the_page_of_one_client_keeps_nobody_elses_from_going(firm: Installation) -> None:
    text = firm.config.read_text(encoding="utf-8")
    firm.config.write_text(text.replace("[delivery]\n", '[delivery]\ndigest_to = "us@firm.example"\n'))
    for asked in (("digest", NORTH), ("digest", SOUTH), ("digest", "--group", "clients"), ("digest",)):
        assert "was sent to us@firm.example" in firm.arsync(*asked, "--send").out
        assert "has gone already" in firm.arsync(*asked, "--send").out
