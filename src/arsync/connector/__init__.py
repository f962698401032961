"""The connector contract, and how a connector speaks HTTP.

A connector package imports from here, from `arsync.domain` and from `arsync.errors`; nothing else of arsync.
"""

from __future__ import annotations

from arsync.connector.allowance import Limits
from arsync.connector.budget import in_bulk, is_bulk, others_waiting
from arsync.connector.consent import AppConsent, Consent, Consenting, Reachable
from arsync.connector.contract import (
    MARKED,
    Broken,
    Company,
    Connector,
    ConnectorFactory,
    FoundNote,
    InvoiceFact,
    KeepsFacts,
    Linked,
    NoteDraft,
    NoteTarget,
    OffersPayLinks,
    Page,
    PrintsInvoices,
    RateBudget,
    ReadsNotes,
    TargetKind,
    TokenPair,
    TokenVault,
)
from arsync.connector.flights import Flights
from arsync.connector.numbered import Answer, Numbered, Place
from arsync.connector.oauth import GrantEnded, Lifetimes, TokenEndpoint, consent_address
from arsync.connector.patience import patiently, pause_of
from arsync.connector.tokens import Tokens
from arsync.connector.transport import Transport, pdf_in
from arsync.connector.webhooks import Changed, Gathering, ReadsWebhooks
from arsync.domain.clock import Clock
from arsync.domain.documents import Resource

__all__ = [
    "MARKED",
    "Answer",
    "AppConsent",
    "Broken",
    "Changed",
    "Clock",
    "Company",
    "Connector",
    "ConnectorFactory",
    "Consent",
    "Consenting",
    "Flights",
    "FoundNote",
    "Gathering",
    "GrantEnded",
    "InvoiceFact",
    "KeepsFacts",
    "Lifetimes",
    "Limits",
    "Linked",
    "NoteDraft",
    "NoteTarget",
    "Numbered",
    "OffersPayLinks",
    "Page",
    "Place",
    "PrintsInvoices",
    "RateBudget",
    "Reachable",
    "ReadsNotes",
    "ReadsWebhooks",
    "Resource",
    "TargetKind",
    "TokenEndpoint",
    "TokenPair",
    "TokenVault",
    "Tokens",
    "Transport",
    "consent_address",
    "in_bulk",
    "is_bulk",
    "others_waiting",
    "patiently",
    "pause_of",
    "pdf_in",
]
