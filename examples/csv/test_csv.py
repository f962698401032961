"""The connector of CSV files keeps the contract."""

from __future__ import annotations

from arsync.testing.contract import ConnectorContract
from csv_books import CsvBooks


class TestCsv(ConnectorContract):
    source = CsvBooks
