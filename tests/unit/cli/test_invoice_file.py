"""A file of invoices for the forecast: its columns, its days, and what is wrong with it, by line."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from arsync.cli.app import run
from arsync.cli.invoice_file import InvoiceFile, read
from arsync.domain.forecast import Bill
from arsync.errors import UsageError

MATERIAL = Path(os.environ.get("ARSYNC_MATERIAL", Path(__file__).resolve().parents[4] / "shared/material"))
DAYS = "%Y-%m-%d"


def written(folder: Path, text: str, **how: Any) -> InvoiceFile:
    file = folder / "invoices.csv"
    file.write_text(text, encoding="utf-8")
    return read(file, **{"named": {}, "days": DAYS, "terms": None, **how})


def test_a_line_is_an_invoice(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        "customer,issued,due,paid,ended\n"
        "Ada,2026-01-01,2026-01-31,2026-02-05,\n"
        "Bob,2026-01-02,2026-02-01,,\n"
        "\n"
        "Cem,2026-01-03,2026-02-02,,2026-03-01\n"
        "Dee,2026-01-04,2026-02-03,2025-12-24,\n",
    )
    assert found.bills == [
        Bill("Ada", date(2026, 1, 1), date(2026, 1, 31), date(2026, 2, 5), True),
        Bill("Bob", date(2026, 1, 2), date(2026, 2, 1), None, False),
        Bill("Cem", date(2026, 1, 3), date(2026, 2, 2), date(2026, 3, 1), False),
        Bill("Dee", date(2026, 1, 4), date(2026, 2, 3), date(2026, 1, 4), True),
    ]
    assert (found.last, found.problems) == (date(2026, 3, 1), [])


def test_columns_go_by_other_names_and_days_by_other_ways(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        "countryCode;customerID;InvoiceDate;DueDate;SettledDate;InvoiceAmount\n391;X-1;1/2/2013;2/1/2013;1/15/2013;1,2\n",
        days="%m/%d/%Y",
    )
    assert found.bills == [Bill("X-1", date(2013, 1, 2), date(2013, 2, 1), date(2013, 1, 15), True)]
    named = {"customer": "who", "paid": "came"}
    found = written(tmp_path, "who,date,came\nAda,2026-01-01,\n", named=named, terms=14)
    assert found.bills == [Bill("Ada", date(2026, 1, 1), date(2026, 1, 15), None, False)]


def test_what_was_received_in_part_is_open(tmp_path: Path) -> None:
    text = "customer,issued,due,paid,amount,received\n"
    text += "".join(f'Ada,2026-01-01,2026-01-31,2026-02-05,"1,000.00",{part}\n' for part in ("999.99", "1000", ""))
    assert [one.paid for one in written(tmp_path, text).bills] == [False, True, True]


def test_each_wrong_line_is_named_and_left_out(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        "customer,issued,due,paid,amount,received\n"
        "Ada,2026-01-01,2026-01-31,,,\n"
        ",2026-01-01,2026-01-31,,,\n"
        "Ada,,2026-01-31,,,\n"
        "Ada,2026-01-01,,,,\n"
        "Ada,1/2/2026,2026-01-31,,,\n"
        "Ada,2026-01-01,2026-01-31,2026-01-31,ten,1\n"
        "Ada\n",
    )
    assert len(found.bills) == 1
    assert found.problems == [
        "line 3: no customer",
        "line 4: no issued",
        "line 5: no due; --terms DAYS tells it where none is written",
        "line 6: issued: '1/2/2026' is no day written as %Y-%m-%d (--days tells another way)",
        "line 7: amount: 'ten' is no amount",
        "line 8: no issued",
    ]


@pytest.mark.parametrize(
    ("text", "how", "why"),
    [
        ("customer,issued,paid\n", {}, "line 1: no column due among customer, issued, paid; --column due=NAME"),
        ("customer,issued,paid\n", {"terms": 3}, "no invoice in it"),
        ("customer,issued,paid\n", {"named": {"due": "Due"}}, "no column 'Due'; there are customer, issued, paid"),
        ("a,issued,paid\nx,yesterday,\n", {"named": {"customer": "a"}, "terms": 3}, "'yesterday' is no day"),
        ("", {}, "no column customer, issued, paid, due"),
    ],
)
def test_what_is_no_table_of_invoices_is_refused(tmp_path: Path, text: str, how: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError) as refused:
        written(tmp_path, text, **how)
    assert why in str(refused.value.detail or refused.value)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for name, content in (("none.csv", None), ("latin.csv", "käse".encode("latin-1"))):
        file = tmp_path / name
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(UsageError):
            read(file, named={}, days=DAYS, terms=None)


def test_the_command_judges_a_file_without_any_company(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A payer each, an invoice a day for 300 days, paid ten days late; one line is wrong."""
    lines = ["customer,issued,due,paid", "Ada,2026-01-01,nonsense,"]
    for number in range(300):
        day = [date.fromordinal(date(2025, 1, 1).toordinal() + number + more) for more in (0, 30, 40)]
        lines.append(",".join((f"C{number % 5}", *map(str, day))))
    file = tmp_path / "invoices.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    assert run(["forecast", "evaluate", "--csv", str(file), "--json"]) == 0
    said = capfd.readouterr()
    assert '"error": "0.00"' in said.out
    assert "line 2: due: 'nonsense'" in said.err
    assert "left out: 1 of 301 lines" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["harbour", "--csv", "x.csv"],
        ["--terms", "30"],
        ["--column", "paid=came"],
        ["--csv", "x.csv", "--column", "paid"],
        ["--csv", "x.csv", "--column", "price=came"],
        ["--csv", "no-such-file.csv"],
    ],
)
def test_what_does_not_go_together_is_refused(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["forecast", "evaluate", *words]) == 2
    assert capfd.readouterr().out == ""


@pytest.mark.skipif(not (MATERIAL / "ledgers").is_dir(), reason="no material: set ARSYNC_MATERIAL")
def test_ten_thousand_real_cases_run_through_it() -> None:
    found = read(
        MATERIAL / "ledgers/ledger.csv", days=DAYS, terms=60,
        named={
            "customer": "case_id", "issued": "sent", "paid": "last_payment", "ended": "credit_collection",
            "amount": "amount_final", "received": "paid_total",
        },
    )  # fmt: skip
    assert (len(found.bills), len(found.problems)) == (6570, 3430)
    assert {problem.partition(": ")[2] for problem in found.problems} == {"no issued"}
    assert sum(bill.paid for bill in found.bills) == 953
