"""The commands: a table, JSON, CSV, whose companies, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.integration.store.books import customer, invoice, open_books, payment
from tests.shortcuts import lay_database
from typer.main import get_command

from arsync.cli.app import program, run
from arsync.store.engine import Store


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Path]:
    """An accountant's three companies, two of them in a group."""
    (tmp_path / "arsync.toml").write_text(
        '[group.north]\n[connection.alpha]\ngroup = "north"\nprovider = "xero"\nexternal_id = "alpha"\n'
        '[connection.beta]\ngroup = "north"\nprovider = "xero"\nexternal_id = "beta"\n',
        encoding="utf-8",
    )
    lay_database(tmp_path / "arsync.db")
    store = Store(f"sqlite:///{tmp_path}/arsync.db")
    for name in ("alpha", "beta", "gamma"):
        open_books(store, name, provider="xero").keep(
            customer(name="=HYPERLINK(1)\n| forged"), invoice("I1", "1234.50", due_on=date(2026, 8, 1)),
            payment("P1", "34.50", received_on=date(2026, 8, 20)),
        )  # fmt: skip
    store.close()
    yield tmp_path


@pytest.fixture
def ask(firm: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """Runs `arsync report ...`: its status, output and errors."""

    def asked(*words: str) -> tuple[int, str, str]:
        status = run(["--config", str(firm / "arsync.toml"), "report", *words])
        said = capfd.readouterr()
        return status, said.out, said.err

    return asked


DAY = ("--as-of", "2026-09-01")


def test_a_report_is_a_table_with_its_day_and_a_name_forges_no_row(ask: Any) -> None:
    status, out, _ = ask("aging", *DAY, "--connection", "alpha")
    assert status == 0
    headline, columns, row, total, *_ = out.splitlines()
    assert headline == "aging on 2026-09-01"
    assert columns.split()[:3] == ["connection", "payer", "currency"]
    assert "=HYPERLINK(1) | forged" in row
    assert row.split()[-4:] == ["34.50", "1,200.00", "1", "31"]
    assert total.split()[:2] == ["alpha", "EUR"]


def test_json_has_every_value_as_text_or_number_with_totals_apart(ask: Any) -> None:
    status, out, _ = ask("aging", *DAY, "--json")
    told = json.loads(out)
    assert status == 0
    assert [row["connection"] for row in told["rows"]] == ["alpha", "beta", "gamma"]
    assert told["rows"][0] | {"payer": ""} == {
        "connection": "alpha", "on": "2026-09-01", "payer": "", "payer_id": "C1", "currency": "EUR", "current": "0.00",
        "1-30": "0.00", "31-60": "1234.50", "61-90": "0.00", "90+": "0.00", "open": "1234.50", "unapplied": "34.50",
        "balance": "1200.00", "invoices": 1, "oldest": 31,
    }  # fmt: skip
    assert [row["connection"] for row in told["totals"]] == ["alpha", "beta", "gamma"]


def test_csv_is_read_by_spreadsheets_and_runs_no_formula(ask: Any) -> None:
    status, out, _ = ask("aging", *DAY, "--csv", "--by", "customer", "--connection", "beta")
    assert status == 0
    (row,) = csv.DictReader(io.StringIO(out))
    assert (row["customer"], row["open"], row["balance"]) == ("'=HYPERLINK(1) | forged", "1234.50", "1200.00")
    _, out, _ = ask("aging", "--as-of", "2026-08-25", "--csv", "--connection", "beta")
    assert [row["on"] for row in csv.DictReader(io.StringIO(out))] == ["2026-08-25"]


def test_only_the_companies_asked_for_are_told_of(ask: Any) -> None:
    def named(*words: str) -> list[str]:
        return [row["connection"] for row in json.loads(ask("exposure", *DAY, "--json", *words)[1])["rows"]]

    assert named() == ["alpha", "beta", "gamma"]
    assert named("--group", "north") == ["alpha", "beta"]
    assert named("--connection", "gamma", "--connection", "alpha") == ["gamma", "alpha"]
    assert named("--connection", "gamma", "--group", "north") == []


@pytest.mark.parametrize(
    ("name", "rows", "keys"),
    [
        ("aging", 3, {"payer_id", "1-30", "unapplied"}),
        ("exposure", 3, {"rank", "share", "running"}),
        ("dso", 3, {"not_due", "dso", "best", "add", "dso_back", "best_back", "add_back"}),
        ("cei", 3, {"from", "begin", "end", "cei"}),
        ("days-to-pay", 0, {"received", "days_to_pay", "days_late"}),
        ("promises", 0, {"kept_percent", "amount_kept_percent", "undecided"}),
        ("disputes", 0, {"reason", "contested", "days_to_end"}),
        ("activity", 0, {"who", "calls_reached", "all"}),
        ("steps", 0, {"paid_percent", "of_these_percent", "baseline_percent"}),
        ("forecast", 42, {"week", "from", "to", "expected", "p10", "p50", "p90"}),
        ("changes", 18, {"since", "what", "count", "amount"}),
    ],
)
def test_every_report_is_told_in_each_of_the_three_ways(ask: Any, name: str, rows: int, keys: set[str]) -> None:
    status, out, _ = ask(name, *DAY, "--json")
    told = json.loads(out)
    assert (status, told["report"], len(told["rows"])) == (0, name, rows)
    status, out, _ = ask(name, *DAY, "--csv")
    read = csv.DictReader(io.StringIO(out))
    assert keys | {"connection", "on"} <= set(read.fieldnames or ())
    assert status == 0
    assert [row["connection"] for row in read] == [row["connection"] for row in told["rows"]]
    status, out, _ = ask(name, *DAY)
    assert (status, out.splitlines()[0]) == (0, told["title"])


def test_every_report_is_tested_in_each_of_the_three_ways() -> None:
    (marked,) = test_every_report_is_told_in_each_of_the_three_ways.pytestmark
    group: Any = get_command(program)
    assert set(group.commands["report"].commands) == {name for name, *_ in marked.args[1]}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("aging", "--connection", "delta"), "connection 'delta' (there are: alpha, beta, gamma)"),
        (("aging", "--group", "south"), "there is no group 'south' in the settings (there are: north)"),
        (("aging", "--as-of", "2199-01-01"), "--as-of 2199-01-01 is still to come"),
        (("aging", "--json", "--csv"), "--json or --csv, not both"),
    ],
)
def test_what_cannot_be_told_is_refused(ask: Any, words: tuple[str, ...], why: str) -> None:
    status, out, err = ask(*words)
    assert (status, out) == (2, "")
    assert why in err
