"""From QuickBooks' records to arsync's: one at a time, so that one bad record costs one record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import msgspec

from arsync.connector import Broken
from arsync.domain.documents import (
    Allocation,
    CreditNote,
    CreditState,
    Deleted,
    Invoice,
    InvoiceLine,
    InvoiceState,
    Payment,
    PaymentKind,
    Record,
    Resource,
)
from arsync_quickbooks import wire
from arsync_quickbooks.fields import (
    Home,
    Unreadable,
    amount_of,
    currency_of,
    date_of,
    day_of,
    id_of,
    name_of,
    rate_of,
    required,
    text_of,
    tombstone,
    updated_at,
    value_of,
)
from arsync_quickbooks.people import customer_of, sent_to

_NOTHING: Final = Decimal(0)
_VOIDED: Final = "Voided"
#: The custom fields that hold what the customer calls it; QuickBooks Online has no field of its own for that.
_PURCHASE_ORDER: Final = re.compile(r"p\.? ?o\.?\b|purchase order|(your|customer|client)\W+order", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"(your|customer|client)\W+ref", re.IGNORECASE)


# --- pages ------------------------------------------------------------------------------------------------


def read(resource: Resource, raws: Iterable[msgspec.Raw], home: Home) -> list[Record | Broken]:
    """The records of a page in its order, each read or broken; a tombstone comes as `Deleted`."""
    decode, record_of = _READING[resource]
    items: list[Record | Broken] = []
    for raw in raws:
        try:
            items.append(record_of(decode(raw), home))
        except (msgspec.MsgspecError, ValueError, OverflowError) as error:
            items.append(_broken(resource, bytes(raw), error))
    return items


def read_page(
    resource: Resource, found: Iterable[Any] | None, raws: Callable[[], Iterable[msgspec.Raw]], home: Home
) -> list[Record | Broken]:
    """The same from records decoded all at once, which costs less; one by one where they could not be, or where one
    of them cannot be mapped."""
    if found is not None:
        record_of = _READING[resource][1]
        try:
            return [record_of(one, home) for one in found]
        except (ValueError, OverflowError):
            pass
    return read(resource, raws(), home)


def _broken(resource: Resource, raw: bytes, error: Exception) -> Broken:
    known = _loosely(raw)
    remote_id = _dug(known.get("Id"))
    customer = known.get("CustomerRef")
    customer_id = _dug(customer.get("value") if isinstance(customer, dict) else customer)
    # Other errors than these two quote what they could not read.
    told = isinstance(error, Unreadable | msgspec.MsgspecError)
    return Broken(
        resource=resource,
        remote_id=remote_id,
        customer_id=remote_id if resource is Resource.CUSTOMERS else customer_id,
        reason=str(error) if told else f"not readable ({type(error).__name__})",
        raw=raw.decode("utf-8", "replace"),
    )


def _loosely(raw: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _dug(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


# --- records ----------------------------------------------------------------------------------------------


def _invoice(found: wire.Invoice, home: Home) -> Invoice | Deleted:
    if found.status == "Deleted":
        return tombstone(Resource.INVOICES, found)
    total = amount_of(found.total_amt, "TotalAmt")
    balance = amount_of(found.balance, "Balance")
    order, reference = _customers_own(found) if found.custom_field else (None, None)
    email, copies = sent_to(found)
    return Invoice(
        remote_id=id_of(found),
        number=text_of(found.doc_number) or "",
        customer_id=required(value_of(found.customer_ref), "CustomerRef"),
        state=_invoice_state(found, total, balance),
        currency=currency_of(found.currency_ref, home),
        total=total,
        balance=balance,
        issued_on=date_of(found.txn_date, "TxnDate"),
        due_on=day_of(found.due_date, "DueDate") if found.due_date else None,
        reference=reference,
        email=email,
        lines=tuple(
            [
                _line(line)
                for line in found.line or ()
                if line.detail_type != "SubTotalLineDetail" and (line.amount is not None or line.description)
            ]
        ),
        updated_at=updated_at(found),
        version=text_of(found.sync_token) or "",
        purchase_order=text_of(found.po_number) or order,
        terms=name_of(found.sales_term_ref),
        copies=copies,
        exchange_rate=rate_of(found.exchange_rate),
    )


def _invoice_state(found: wire.Invoice, total: Decimal, balance: Decimal) -> InvoiceState:
    if _is_void(found.private_note, total or balance):
        return InvoiceState.VOID
    return InvoiceState.OPEN if balance > 0 else InvoiceState.PAID


def _is_void(note: str | None, worth: Decimal) -> bool:
    """QuickBooks has no status for it: nothing is left, and the note begins with the word (or is only it)."""
    return note is not None and note.startswith(_VOIDED) and (not worth or note.strip() == _VOIDED)


def _line(line: wire.Line) -> InvoiceLine:
    item, description, quantity = line.sales_item_line_detail, line.description, None
    worth = amount_of(line.amount, "Line.Amount") if line.amount else _NOTHING
    if isinstance(item, wire.SalesItem):
        quantity = item.qty
        if not description and isinstance(item.item_ref, wire.NamedRef):
            description = item.item_ref.name
    elif line.detail_type == "DiscountLineDetail":
        worth = -worth  # told as a positive number
    return InvoiceLine(description or "", quantity, worth)


def _customers_own(found: wire.Invoice) -> tuple[str | None, str | None]:
    """What the customer calls it, by custom fields: purchase order and other reference."""
    order = reference = None
    for custom in found.custom_field or ():
        if custom.string_value and custom.name:
            is_order, is_reference = _meaning(custom.name)
            if is_order:
                order = order or text_of(custom.string_value)
            elif is_reference:
                reference = reference or text_of(custom.string_value)
    return order, reference


@lru_cache(maxsize=256)
def _meaning(name: str) -> tuple[bool, bool]:
    return bool(_PURCHASE_ORDER.match(name)), bool(_REFERENCE.match(name))


def _payment(found: wire.Payment, home: Home) -> Payment | Deleted:
    if found.status == "Deleted":
        return tombstone(Resource.PAYMENTS, found)
    total = amount_of(found.total_amt, "TotalAmt")
    received_on = date_of(found.txn_date, "TxnDate")
    allocations = _allocations(found.line or (), received_on)
    if found.unapplied_amt is None:
        unapplied = max(_NOTHING, total - sum((part.amount for part in allocations), _NOTHING))
    else:
        unapplied = amount_of(found.unapplied_amt, "UnappliedAmt")
    return Payment(
        remote_id=id_of(found),
        kind=PaymentKind.PAYMENT,
        customer_id=value_of(found.customer_ref),
        state=CreditState.VOID if _is_void(found.private_note, total) else CreditState.ACTIVE,
        currency=currency_of(found.currency_ref, home),
        amount=total,
        unapplied=unapplied,
        received_on=received_on,
        reference=text_of(found.payment_ref_num),
        allocations=allocations,
        updated_at=updated_at(found),
        version=text_of(found.sync_token) or "",
        exchange_rate=rate_of(found.exchange_rate),
    )


def _allocations(lines: Iterable[wire.Line], on: date) -> tuple[Allocation, ...]:
    """What each line put on an invoice; where credit was used with the money, the credit's part is in it."""
    parts = []
    for line in lines:
        for linked in line.linked_txn or ():
            if linked.txn_type == "Invoice" and linked.txn_id is not None:
                parts.append(Allocation(str(linked.txn_id), amount_of(line.amount, "Line.Amount"), on))
                break  # one amount is put on one invoice
    return tuple(parts)


def _credit_note(found: wire.CreditMemo, home: Home) -> CreditNote | Deleted:
    """A credit memo; which invoices took it, QuickBooks tells in the payments alone."""
    if found.status == "Deleted":
        return tombstone(Resource.CREDIT_NOTES, found)
    total = amount_of(found.total_amt, "TotalAmt")
    left = [part for part in (found.remaining_credit, found.balance) if part is not None]
    if not left:
        raise Unreadable("RemainingCredit is missing")
    return CreditNote(
        remote_id=id_of(found),
        number=text_of(found.doc_number) or "",
        customer_id=required(value_of(found.customer_ref), "CustomerRef"),
        state=CreditState.VOID if _is_void(found.private_note, total) else CreditState.ACTIVE,
        currency=currency_of(found.currency_ref, home),
        total=total,
        unapplied=amount_of(max(left), "RemainingCredit"),
        issued_on=date_of(found.txn_date, "TxnDate"),
        allocations=(),
        updated_at=updated_at(found),
        version=text_of(found.sync_token) or "",
        exchange_rate=rate_of(found.exchange_rate),
    )


#: how a record of that resource is decoded, and how it is mapped
_READING: Final[dict[Resource, tuple[Callable[[msgspec.Raw], Any], Callable[[Any, Home], Record]]]] = {
    Resource.CUSTOMERS: (wire.CUSTOMER.decode, customer_of),
    Resource.INVOICES: (wire.INVOICE.decode, _invoice),
    Resource.PAYMENTS: (wire.PAYMENT.decode, _payment),
    Resource.CREDIT_NOTES: (wire.CREDIT_MEMO.decode, _credit_note),
}
