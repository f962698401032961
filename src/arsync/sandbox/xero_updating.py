"""Updates of an invoice, and what Xero refuses to change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from arsync.sandbox.http import Request
from arsync.sandbox.xero_books import Books
from arsync.sandbox.xero_records import Invoice, Status
from arsync.sandbox.xero_render import Depth, invoice_json
from arsync.sandbox.xero_wire import envelope, invalid, not_found

_CHANGEABLE = frozenset({"InvoiceID", "ExpectedPaymentDate", "ExpectedPaymentDateString", "SentToContact"})


def update_invoice(books: Books, key: str, request: Request) -> bytes:
    """Change one invoice by a body that names only what changes; 400 with Xero's reasons where it may not."""
    invoice = books.invoices.get(key.lower())
    if invoice is None:
        raise not_found()
    fields = _fields(request, invoice)
    changes: list[Callable[[], None]] = []
    reasons: list[str] = []
    if books.locked_until is not None and invoice.issued <= books.locked_until:
        reasons.append("The document cannot be edited as it is dated before the period lock date")
    if "SentToContact" in fields:
        changes.append(_sent(invoice, fields["SentToContact"], reasons))
    if "ExpectedPaymentDate" in fields:
        changes.append(_expected(books, invoice, fields["ExpectedPaymentDate"], reasons))
    if fields.get("ExpectedPaymentDateString") == "":
        changes.append(_unexpected(books, invoice, reasons))
    if reasons:
        raise invalid(reasons, {"InvoiceID": invoice.id})
    for change in changes:
        change()
    books.touch(invoice)
    return envelope(books.now(), "Invoices", [invoice_json(invoice, Depth.SINGLE)])


def _fields(request: Request, invoice: Invoice) -> dict[str, Any]:
    try:
        body = request.json()
    except ValueError:
        raise invalid(["The request body is not JSON"]) from None
    listed = body.get("Invoices") if isinstance(body, dict) and set(body) == {"Invoices"} else None
    if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], dict):
        raise invalid(["The body is one object with Invoices, a list of one invoice"])
    fields: dict[str, Any] = listed[0]
    if unknown := set(fields) - _CHANGEABLE:
        raise invalid([f"This sandbox does not change '{name}'" for name in sorted(unknown)])
    if str(fields.get("InvoiceID", invoice.id)).lower() != invoice.id:
        raise invalid(["The InvoiceID in the body is another than in the address"])
    return fields


def _sent(invoice: Invoice, value: Any, reasons: list[str]) -> Callable[[], None]:
    if not isinstance(value, bool):
        raise invalid(["SentToContact is true or false"])
    if invoice.status is not Status.AUTHORISED:
        reasons.append("SentToContact can only be set on an invoice that is AUTHORISED")

    def change() -> None:
        invoice.sent = value

    return change


def _expected(books: Books, invoice: Invoice, value: Any, reasons: list[str]) -> Callable[[], None]:
    try:
        day = date.fromisoformat(value)
    except (TypeError, ValueError):
        raise invalid(["ExpectedPaymentDate is not a date"]) from None
    taken = _taken(books, invoice, reasons)

    def change() -> None:
        if taken:
            invoice.expected_payment = day

    return change


def _unexpected(books: Books, invoice: Invoice, reasons: list[str]) -> Callable[[], None]:
    taken = _taken(books, invoice, reasons) and books.switch("xero.expected_date_emptied") == "taken"

    def change() -> None:
        if taken:
            invoice.expected_payment = None

    return change


def _taken(books: Books, invoice: Invoice, reasons: list[str]) -> bool:
    """Whether a change of the date stands afterwards; a refusal joins the reasons."""
    if invoice.type != "ACCREC" or invoice.status not in (Status.DRAFT, Status.SUBMITTED, Status.AUTHORISED):
        reasons.append("Invoice not of valid status for modification")
    taken = "taken"
    if invoice.paid or invoice.credited:
        taken = str(books.switch("xero.part_paid_expected_date"))
        if taken == "refused":
            reasons.append("ExpectedPaymentDate cannot be changed on an invoice with payments")
    return taken == "taken"
