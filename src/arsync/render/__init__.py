"""Records become messages and notes. No database."""

from arsync.domain.chase import Rendered
from arsync.render.message import locales, render
from arsync.render.note import NOTE_LIMIT, customer_note, invoice_note, oldest_note

__all__ = ["NOTE_LIMIT", "Rendered", "customer_note", "invoice_note", "locales", "oldest_note", "render"]
