"""The plain way to fill the same tables: what arsync's backfill is measured against.

One keep-alive connection, typed structs, `executemany`, one transaction a page. It trusts every record, keeps nothing
apart, resumes nowhere and knows no vendor but the sandbox. Amounts are exact here too.
"""

from __future__ import annotations

from plain_quickbooks import load_quickbooks
from plain_tables import columns_of
from plain_xero import load_xero

__all__ = ["columns_of", "load_quickbooks", "load_xero"]
