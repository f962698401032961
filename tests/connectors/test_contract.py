"""The connectors keep the contract, each against the sandbox."""

from __future__ import annotations

from tests.connectors.sandbox_source import QuickBooksBooks, XeroBooks

from arsync.testing.contract import ConnectorContract


class TestQuickBooks(ConnectorContract):
    source = QuickBooksBooks


class TestXero(ConnectorContract):
    source = XeroBooks
