"""Xero: invoices, contacts, payments and credits in; history notes out."""

from arsync_xero.auth import Settings
from arsync_xero.connector import Connector

__all__ = ["Connector", "Settings"]
