"""A folder of CSV files as an accounting system: the example of a connector that is all there is."""

from __future__ import annotations

from arsync_csv.connector import Connector, Settings

__all__ = ["Connector", "Settings"]
