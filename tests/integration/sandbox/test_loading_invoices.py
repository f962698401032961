"""Anybody's invoices, as a company in the sandbox."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import material

from arsync.sandbox.invoice_file import FileError, Form, Problem, Written, read
from arsync.sandbox.launch import SandboxControl
from arsync.sandbox.load import load, main

LINES = """\
Invoice No,Client,Date,Amount,Paid,Cur
A-1,Möbel Huber,31.01.2026,"1.234,50",,EUR
A-2,Möbel Huber,15.02.2026,"99,90","99,90",EUR
A-3,Smith,15.02.2026,"10,00","4,00",
A-4,Smith,30.02.2026,"10,00",,
A-1,Smith,15.02.2026,"10,00",,
A-6,Smith,15.02.2026,ten,,
A-7,Smith,15.02.2026,"-5,00",,
,Smith,15.02.2026,"10,00",,
A-9,Möbel Huber,15.02.2026,"7,00","9,00",
"""
FORM = Form(
    {
        "number": "Invoice No",
        "customer": "Client",
        "issued": "Date",
        "total": "Amount",
        "paid": "Paid",
        "currency": "Cur",
    },
    dates="%d.%m.%Y",
    decimal=",",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "offene posten.csv"
    path.write_text(LINES, encoding="utf-8")
    return path


def test_each_line_is_an_invoice_or_a_problem_with_its_number(file: Path) -> None:
    found = list(read(file, FORM))
    first = found[0]
    assert isinstance(first, Written)
    assert (first.number, first.total, str(first.due), first.currency) == (
        "A-1",
        Decimal("1234.50"),
        "2026-03-02",
        "EUR",
    )
    assert [str(one) for one in found if isinstance(one, Problem)] == [
        "line 5: issued is no day like %d.%m.%Y: '30.02.2026'",
        "line 6: number A-1 stands on line 2 already",
        "line 7: total is no amount with two places: 'ten'",
        "line 8: a total of -5.00: nothing to owe",
        "line 9: no number",
    ]


def test_the_example_connectors_file_is_read_as_it_is() -> None:
    path = Path(__file__).resolve().parents[3] / "examples" / "csv" / "books" / "acme" / "invoices.csv"
    found = [one for one in read(path, Form({})) if isinstance(one, Written)]
    assert [(one.number, one.total, one.paid) for one in found][2:4] == [
        ("INV-003", Decimal("1999.99"), Decimal("1000.00")),
        ("INV-004", Decimal("45.00"), Decimal("45.00")),
    ]
    assert len(found) == 5


def test_a_file_without_its_columns_is_refused_as_a_whole(file: Path) -> None:
    with pytest.raises(FileError, match=r"no column number, issued, total; it has Invoice No, Client"):
        list(read(file, Form({})))
    with pytest.raises(FileError, match="cannot be read"):
        list(read(file.with_name("none.csv"), FORM))


@pytest.mark.parametrize("provider", ["quickbooks", "xero"])
def test_the_invoices_are_in_the_company(sandbox: SandboxControl, file: Path, provider: str) -> None:
    done = load(sandbox, provider, file, FORM, name="Huber", currency="USD")
    truth = sandbox.truth(done.card["id"])
    books = {row["number"]: (row["total"], row["balance"], row["currency"]) for row in truth["invoices"]}
    assert books == {
        "A-1": ("1234.50", "1234.50", "EUR"),
        "A-2": ("99.90", "0.00", "EUR"),
        "A-3": ("10.00", "6.00", "USD"),
        "A-9": ("7.00", "0.00", "USD"),
    }
    assert (done.invoices, len(done.problems)) == (4, 5)
    assert sum(Decimal(row["unapplied"]) for row in truth["payments"]) == 2
    assert {row["name"] for row in truth["customers"]} == {"Möbel Huber", "Smith", "Möbel Huber (USD)"}


def test_a_real_ledger_is_loaded_from_the_command_line(
    sandbox: SandboxControl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first hundred fines of an Italian municipality; two of them are made illegible."""
    with (material() / "ledgers" / "ledger.csv").open(encoding="utf-8", newline="") as source:
        rows: list[dict[str, Any]] = list(islice(csv.DictReader(source), 100))
    rows[10]["created"], rows[20]["amount_final"] = "once", ""
    path = tmp_path / "fines.csv"
    with path.open("w", encoding="utf-8", newline="") as sheet:
        writer = csv.DictWriter(sheet, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    columns = ("number=case_id", "customer=case_id", "issued=created", "total=amount_final", "paid=paid_total",
               "paid_on=last_payment")  # fmt: skip
    arguments = [str(path), "--as", "xero", "--url", sandbox.url, "--currency", "EUR", "--terms", "60"]
    assert main([*arguments, *(part for pair in columns for part in ("--column", pair))]) == 0
    said = capsys.readouterr()
    assert "line 12: issued is no day" in said.err
    assert "line 22: total is no amount" in said.err
    assert "98 invoices loaded, 2 lines left out" in said.err
    truth = sandbox.truth(json.loads(said.out)["id"])
    good = [row for row in rows if row not in (rows[10], rows[20])]
    assert sum(Decimal(row["total"]) for row in truth["invoices"]) == sum(Decimal(row["amount_final"]) for row in good)
    assert len(truth["invoices"]) == 98


def test_the_command_line_says_what_is_wrong(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(file), "--as", "xero"]) == 2
    assert "has no column number" in capsys.readouterr().err
    named = [part for what, name in FORM.columns.items() for part in ("--column", f"{what}={name}")]
    assert main([str(file), "--as", "xero", "--url", "http://127.0.0.1:9", *named]) == 2
    assert "127.0.0.1" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(file), "--as", "xero", "--column", "colour=red"])
    assert "colour=red" in capsys.readouterr().err
