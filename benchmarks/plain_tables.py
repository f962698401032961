"""What both plain loaders need: a connection to the database, one to the source, and how values are kept."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

PAGE: Final = 1000
HOME: Final = "USD"  # the company's own currency
CONNECTION: Final = 1  # the one connection in the database
ISO2: Final = {"USA": "US", "GBR": "GB", "DEU": "DE", "FRA": "FR", "ESP": "ES", "ITA": "IT", "NLD": "NL",
                "AUS": "AU", "NZL": "NZ", "CAN": "CA"}  # fmt: skip

#: The tables, and their columns: all are filled.
WIDTHS: Final = {
    "customers": 17,
    "contacts": 7,
    "invoices": 20,
    "invoice_lines": 6,
    "payments": 13,
    "credit_notes": 12,
    "allocations": 7,
}

Rows = list[tuple[Any, ...]]
Fill = Callable[[Any, dict[str, Rows]], None]


def columns_of(connection: sqlite3.Connection, table: str) -> list[str]:
    """The names of the table's columns."""
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})").fetchall()]
    assert len(names) == WIDTHS[table], f"{table} has other columns by now"
    return names


class Tables:
    """The database, its pragmas as arsync's pull has them."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in (
            "journal_mode=WAL",
            "foreign_keys=ON",
            "synchronous=NORMAL",
            "cache_size=-8000",
            "temp_store=MEMORY",
        ):
            self._connection.execute(f"PRAGMA {pragma}")
        self._insert = {name: self._statement(name) for name in WIDTHS}

    def _statement(self, table: str) -> str:
        columns = ", ".join(columns_of(self._connection, table))
        # Pages meet at a time stamp, and share the records that carry it.
        return f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({', '.join('?' * WIDTHS[table])})"

    def save(self, page: Mapping[str, Rows]) -> None:
        """Stores a page in a transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        for table, rows in page.items():
            if rows:
                self._connection.executemany(self._insert[table], rows)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()


class Line:
    """One keep-alive connection with its headers."""

    def __init__(self, origin: str, headers: Mapping[str, str]) -> None:
        self._http = HTTPConnection(urlsplit(origin).netloc)
        self._headers = {"Accept": "application/json", "Accept-Encoding": "gzip", **headers}

    def ask(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The answer's body, unpacked; RuntimeError unless its status is 200."""
        self._http.request(method, target, body, {**self._headers, **(headers or {})})
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"HTTP {answer.status} for {target}")
        return zlib.decompress(content, 31) if answer.headers["Content-Encoding"] == "gzip" else content

    def close(self) -> None:
        """Ends the connection."""
        self._http.close()


def units(exact: Decimal) -> int:
    return int(exact.scaleb(4)) if exact else 0


_RATES: Final = Context(prec=10)


def rate_text(rate: Decimal | None) -> str | None:
    return None if rate is None or rate == 1 else str(rate)


def inverse(rate: Decimal | None) -> str | None:
    return None if rate is None or rate == 1 else str(_RATES.divide(Decimal(1), rate))


def instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(" ", "microseconds")[:26]


def history_start(today: date) -> date:
    """The first day of the history: 24 months back."""
    return date(today.year - 2, today.month, 1)


def no_rows() -> dict[str, Rows]:
    return {
        "customers": [],
        "contacts": [],
        "invoices": [],
        "invoice_lines": [],
        "payments": [],
        "credit_notes": [],
        "allocations": [],
    }
