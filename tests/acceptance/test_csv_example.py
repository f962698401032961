"""The example connector from end to end, and anybody's invoices in the sandbox."""

from __future__ import annotations

import csv
import shutil
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from tests.acceptance.installation import MORNING, TODAY, Ran, arsync_here

from arsync.testing.ports import FixedClock

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "csv"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example as pip would install it, a folder of books, and an arsync.toml; it is ten in the morning."""
    metadata = tmp_path / "site" / "arsync_csv-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: arsync-csv\nVersion: 0.1.0\n")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    points = [f"{name} = {place}" for name, place in project["entry-points"]["arsync.connectors"].items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[arsync.connectors]", *points]))
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr("arsync.bootstrap.app.SystemClock", lambda: FixedClock(MORNING))
    shutil.copytree(EXAMPLE / "books", tmp_path / "books")
    (tmp_path / "arsync.toml").write_text(
        f'[csv]\nfolder = "{tmp_path / "books"}"\n[defaults]\nmode = "auto"\nbank_details.GBP = "Acme Bank 12-34-56"\n'
        'bank_details.EUR = "Acme Bank IBAN"\n[delivery]\nfrom = "Acme <accounts@acme.example>"\n'
        '[connection.acme]\nprovider = "csv"\nexternal_id = "acme"\n'
    )
    return tmp_path


def invoices(folder: Path, *rows: tuple[str, str, int, str]) -> None:
    """invoice, customer, days late, amount: all of it open."""
    with (folder / "books" / "acme" / "invoices.csv").open("w", newline="", encoding="utf-8") as file:
        sheet = csv.writer(file)
        sheet.writerow(["invoice", "customer", "number", "issued", "due", "currency", "total", "balance", "status"])
        for invoice, customer, late, amount in rows:
            due = TODAY - timedelta(days=late)
            sheet.writerow(
                [invoice, customer, f"INV-{invoice}", due - timedelta(days=30), due, "GBP", amount, amount, ""]
            )


def arsync(folder: Path, *arguments: str, status: int = 0) -> Ran:
    return arsync_here("--config", str(folder / "arsync.toml"), *arguments, status=status)


def test_invoices_in_a_file_are_chased_and_noted_in_a_file(installed: Path) -> None:
    """Due: 1 five days ago, 2 in a week. A reminder for 1; it is paid; nothing more."""
    invoices(installed, ("1", "C1", 5, "120.00"), ("2", "C1", -7, "80.50"), ("x", "C2", 5, "a lot"))
    arsync(installed, "connect", "csv", "--external-id", "acme")
    loaded = arsync(installed, "backfill", "acme", status=1)
    assert "1" in arsync(installed, "quarantine").said
    assert "quarantin" in loaded.said
    arsync(installed, "run", status=1)  # a person must look at x
    (letter,) = (installed / "outbox").glob("*.eml")
    assert "INV-1" in letter.read_text()
    notes = installed / "books" / "acme" / "notes.csv"
    (note,) = csv.reader(notes.read_text(encoding="utf-8").splitlines())
    assert note[1:3] == ["invoice", "1"]

    invoices(installed, ("2", "C1", -7, "80.50"), ("x", "C2", 5, "55.00"))
    arsync(installed, "run")
    assert len(list((installed / "outbox").glob("*.eml"))) == 2, "the mended one is chased, the one that is gone is not"
    assert len(notes.read_text(encoding="utf-8").splitlines()) == 2


def test_the_doctor_knows_the_connector(installed: Path) -> None:
    said = arsync(installed, "doctor", status=1).said
    assert "csv is configured" in said
