"""QuickBooks Online as an arsync connector."""

from __future__ import annotations

from arsync_quickbooks.auth import Settings
from arsync_quickbooks.connector import Connector

__all__ = ["Connector", "Settings"]
