"""A folder of CSV files as the books behind the connector: what the conformance suite needs to know of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, Self

import pytest
import requests

from arsync import connector as contract
from arsync.connector import Linked, NoteTarget
from arsync.domain.documents import InvoiceState
from arsync.testing.contract import Ability, Bill, Fault, Source
from arsync.testing.ports import NOON, FixedClock, MemoryVault, UnlimitedBudget
from arsync_csv import Connector, Settings

_NO_LINE = "files are not on a line"


class CsvBooks(Source):
    """Acme's folder. Every act writes the files anew, as an export of an accounting program does."""

    page_size = 100
    cannot: ClassVar = {
        **dict.fromkeys(Fault, _NO_LINE),
        Ability.REQUESTS: _NO_LINE,
        Ability.TOKENS: "files need no consent",
        Ability.CREDITS: "there is no file of credit notes",
        Ability.FORGETTING: "a cursor knows every row",
    }

    def __init__(self, folder: Path, *, invoices: int) -> None:
        self.folder = folder
        self.tables: dict[str, list[dict[str, str]]] = {"customers": [], "invoices": [], "payments": []}
        self.saved: dict[str, str] = {}
        self._write("company", [dict(name="Acme", currency="GBP", country="GB", timezone="Europe/London")])
        for number in range(max(4, invoices // 20)):
            self._customer(f"Customer {number}")
        for number in range(invoices):
            issued = self.today - timedelta(days=number * 300 // max(1, invoices))
            self._invoice(f"C{1 + number % 4}", Decimal(number + 10), issued, issued + timedelta(days=30))
            if number % 3 == 0:
                self._payment(str(number + 1), Decimal(number + 10))
        self._save()

    @classmethod
    @contextmanager
    def opened(cls, request: pytest.FixtureRequest, *, invoices: int) -> Iterator[Self]:
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        folder = factory.mktemp("csv") / "acme"
        folder.mkdir()
        yield cls(folder, invoices=invoices)

    def connector(self) -> contract.Connector:
        return Connector(
            settings=Settings(folder=self.folder.parent),
            linked=Linked(self.external_id),
            vault=MemoryVault.with_access(),
            budget=UnlimitedBudget(),
            clock=FixedClock(),
            session=requests.Session(),
        )

    @property
    def external_id(self) -> str:
        return self.folder.name

    @property
    def today(self) -> date:
        return NOON.date()

    def bills(self) -> Collection[Bill]:
        return [
            Bill(
                remote_id=row["invoice"],
                customer_id=row["customer"],
                currency=row["currency"],
                total=Decimal(row["total"]),
                balance=Decimal(row["balance"]),
                issued_on=date.fromisoformat(row["issued"]),
                due_on=date.fromisoformat(row["due"]),
                state=InvoiceState(row["status"]),
            )
            for row in self.tables["invoices"]
            if row["invoice"] not in self.saved
        ]

    # --- what people do --------------------------------------------------------------------------------

    def new_customer(self, name: str) -> str:
        return self._saved(self._customer(name))

    def new_invoice(self, customer_id: str, amount: Decimal, *, issued_on: date, due_on: date) -> str:
        return self._saved(self._invoice(customer_id, amount, issued_on, due_on))

    def pay(self, invoice_id: str, amount: Decimal) -> str:
        return self._saved(self._payment(invoice_id, amount))

    def pay_on_account(self, customer_id: str, amount: Decimal) -> str:
        return self._saved(self._money(customer_id, "", amount))

    def edit(self, invoice_id: str, *, due_on: date) -> None:
        self._row(invoice_id)["due"] = str(due_on)
        self._save()

    def void(self, invoice_id: str) -> None:
        self._row(invoice_id).update(status="void", balance="0.00")
        self._save()

    def delete(self, invoice_id: str) -> None:
        self.tables["invoices"].remove(self._row(invoice_id))
        self._save()

    def break_invoice(self, invoice_id: str) -> None:
        row = self._row(invoice_id)
        self.saved[invoice_id], row["balance"] = row["balance"], "plenty"
        self._save()

    def mend_invoice(self, invoice_id: str) -> None:
        self._row(invoice_id)["balance"] = self.saved.pop(invoice_id)
        self._save()

    def notes(self, target: NoteTarget) -> list[str]:
        path = self.folder / "notes.csv"
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines())) if path.exists() else []
        return [row[4] for row in rows if row[1:3] == [target.kind, target.remote_id]]

    # --- the files -----------------------------------------------------------------------------------------

    def _row(self, invoice_id: str) -> dict[str, str]:
        return next(row for row in self.tables["invoices"] if row["invoice"] == invoice_id)

    def _customer(self, name: str) -> str:
        customer = f"C{len(self.tables['customers']) + 1}"
        self.tables["customers"].append(dict(customer=customer, name=name, email=f"{customer}@customer.example"))
        return customer

    def _invoice(self, customer: str, amount: Decimal, issued: date, due: date) -> str:
        rows = self.tables["invoices"]
        invoice = str(1 + max((int(row["invoice"]) for row in rows), default=0))
        days = dict(issued=str(issued), due=str(due))
        money = dict(currency="GBP", total=str(amount), balance=str(amount), status="open")
        rows.append(dict(invoice=invoice, customer=customer, number=f"INV-{invoice}", **days, **money))
        return invoice

    def _payment(self, invoice_id: str, amount: Decimal) -> str:
        row = self._row(invoice_id)
        left = Decimal(row["balance"]) - amount
        row.update(balance=str(left), status="open" if left else "paid")
        return self._money(row["customer"], invoice_id, amount)

    def _money(self, customer: str, invoice: str, amount: Decimal) -> str:
        payment = f"P{len(self.tables['payments']) + 1}"
        money = dict(received=str(self.today), currency="GBP", amount=str(amount))
        self.tables["payments"].append(dict(payment=payment, customer=customer, invoice=invoice, **money))
        return payment

    def _saved(self, remote_id: str) -> str:
        self._save()
        return remote_id

    def _save(self) -> None:
        for name, rows in self.tables.items():
            self._write(name, rows)

    def _write(self, name: str, rows: list[dict[str, str]]) -> None:
        """Beside it first, then in its place: nobody reads half of it."""
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS[name], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        fresh = self.folder / f"{name}.new"
        fresh.write_text(text.getvalue(), encoding="utf-8")
        fresh.replace(self.folder / f"{name}.csv")


_COLUMNS = {
    "company": ("name", "currency", "country", "timezone"),
    "customers": ("customer", "name", "email"),
    "invoices": ("invoice", "customer", "number", "issued", "due", "currency", "total", "balance", "status"),
    "payments": ("payment", "customer", "invoice", "received", "currency", "amount"),
}
