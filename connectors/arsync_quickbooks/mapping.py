"""From QuickBooks' records to arsync's: one at a time, so that one bad record costs one record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import msgspec
from babel import Locale
from babel.core import get_global

from arsync.connector import Broken
from arsync.domain.documents import (
    Allocation,
    Contact,
    ContactRole,
    CreditNote,
    CreditState,
    Customer,
    CustomerState,
    Deleted,
    Invoice,
    InvoiceLine,
    InvoiceState,
    Payment,
    PaymentKind,
    Record,
    Resource,
)
from arsync.domain.money import amount
from arsync_quickbooks import wire

#: Tells the company's own currency, for records of a company that knows only one.
Home = Callable[[], str]

_NOTHING: Final = Decimal(0)
#: The time of a tombstone that does not tell its own.
BEFORE_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VOIDED: Final = "Voided"
#: The custom fields that hold what the customer calls it; QuickBooks Online has no field of its own for that.
_PURCHASE_ORDER: Final = re.compile(r"p\.? ?o\.?\b|purchase order|(your|customer|client)\W+order", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"(your|customer|client)\W+ref", re.IGNORECASE)
_SEPARATOR: Final = re.compile(r'[,;](?=(?:[^"]*"[^"]*")*[^"]*$)')  # but not inside quotes
_IS_LIST: Final = re.compile("[,;<]")
_IN_BRACKETS: Final = re.compile(r"<([^<>]*)>\s*$")


class Unreadable(ValueError):
    """A record lacks what it cannot be without; the text names the field and no content."""


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
        return _tombstone(Resource.INVOICES, found)
    total = _amount(found.total_amt, "TotalAmt")
    balance = _amount(found.balance, "Balance")
    order, reference = _customers_own(found) if found.custom_field else (None, None)
    email, copies = _sent_to(found)
    return Invoice(
        remote_id=_id(found),
        number=_text(found.doc_number) or "",
        customer_id=_required(_value(found.customer_ref), "CustomerRef"),
        state=_invoice_state(found, total, balance),
        currency=_currency(found.currency_ref, home),
        total=total,
        balance=balance,
        issued_on=_date(found.txn_date, "TxnDate"),
        due_on=_day(found.due_date, "DueDate") if found.due_date else None,
        reference=reference,
        email=email,
        lines=tuple(
            [
                _line(line)
                for line in found.line or ()
                if line.detail_type != "SubTotalLineDetail" and (line.amount is not None or line.description)
            ]
        ),
        updated_at=_updated_at(found),
        version=_text(found.sync_token) or "",
        purchase_order=_text(found.po_number) or order,
        terms=_named(found.sales_term_ref),
        copies=copies,
        exchange_rate=_rate(found.exchange_rate),
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
    worth = _amount(line.amount, "Line.Amount") if line.amount else _NOTHING
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
                order = order or _text(custom.string_value)
            elif is_reference:
                reference = reference or _text(custom.string_value)
    return order, reference


@lru_cache(maxsize=256)
def _meaning(name: str) -> tuple[bool, bool]:
    return bool(_PURCHASE_ORDER.match(name)), bool(_REFERENCE.match(name))


def _sent_to(found: wire.Invoice) -> tuple[str | None, tuple[str, ...]]:
    """The address that the invoice was sent to, and the others, each once."""
    billed = found.bill_email
    if found.bill_email_cc is None and isinstance(billed, wire.Email):
        address = billed.address
        if not address or not _IS_LIST.search(address):
            return (address.strip() or None if address else None), ()
    every = _addresses(billed)
    others = dict.fromkeys(every[1:] + _addresses(found.bill_email_cc))
    first = every[0] if every else None
    return first, tuple(other for other in others if other != first)


def _payment(found: wire.Payment, home: Home) -> Payment | Deleted:
    if found.status == "Deleted":
        return _tombstone(Resource.PAYMENTS, found)
    total = _amount(found.total_amt, "TotalAmt")
    received_on = _date(found.txn_date, "TxnDate")
    allocations = _allocations(found.line or (), received_on)
    if found.unapplied_amt is None:
        unapplied = max(_NOTHING, total - sum((part.amount for part in allocations), _NOTHING))
    else:
        unapplied = _amount(found.unapplied_amt, "UnappliedAmt")
    return Payment(
        remote_id=_id(found),
        kind=PaymentKind.PAYMENT,
        customer_id=_value(found.customer_ref),
        state=CreditState.VOID if _is_void(found.private_note, total) else CreditState.ACTIVE,
        currency=_currency(found.currency_ref, home),
        amount=total,
        unapplied=unapplied,
        received_on=received_on,
        reference=_text(found.payment_ref_num),
        allocations=allocations,
        updated_at=_updated_at(found),
        version=_text(found.sync_token) or "",
        exchange_rate=_rate(found.exchange_rate),
    )


def _allocations(lines: Iterable[wire.Line], on: date) -> tuple[Allocation, ...]:
    """What each line put on an invoice; where credit was used with the money, the credit's part is in it."""
    parts = []
    for line in lines:
        for linked in line.linked_txn or ():
            if linked.txn_type == "Invoice" and linked.txn_id is not None:
                parts.append(Allocation(str(linked.txn_id), _amount(line.amount, "Line.Amount"), on))
                break  # one amount is put on one invoice
    return tuple(parts)


def _credit_note(found: wire.CreditMemo, home: Home) -> CreditNote | Deleted:
    """A credit memo; which invoices took it, QuickBooks tells in the payments alone."""
    if found.status == "Deleted":
        return _tombstone(Resource.CREDIT_NOTES, found)
    total = _amount(found.total_amt, "TotalAmt")
    left = [part for part in (found.remaining_credit, found.balance) if part is not None]
    if not left:
        raise Unreadable("RemainingCredit is missing")
    return CreditNote(
        remote_id=_id(found),
        number=_text(found.doc_number) or "",
        customer_id=_required(_value(found.customer_ref), "CustomerRef"),
        state=CreditState.VOID if _is_void(found.private_note, total) else CreditState.ACTIVE,
        currency=_currency(found.currency_ref, home),
        total=total,
        unapplied=_amount(max(left), "RemainingCredit"),
        issued_on=_date(found.txn_date, "TxnDate"),
        allocations=(),
        updated_at=_updated_at(found),
        version=_text(found.sync_token) or "",
        exchange_rate=_rate(found.exchange_rate),
    )


def _customer(found: wire.Customer, home: Home) -> Customer | Deleted:
    if found.status == "Deleted":
        return _tombstone(Resource.CUSTOMERS, found)
    remote_id = _id(found)
    name = found.display_name or found.fully_qualified_name or found.company_name or ""
    address = found.bill_addr
    return Customer(
        remote_id=remote_id,
        name=name,
        state=CustomerState.ARCHIVED if found.active is False else CustomerState.ACTIVE,
        # The debt of a sub-customer stands on the sub-customer; who pays is the one above.
        parent_id=_value(found.parent_ref),
        merged_into=None,
        currency=_value(found.currency_ref),
        country=country_code(address.country) if isinstance(address, wire.Address) else None,
        language=None,
        contacts=_contacts(found, name),
        balance=_owed(found, home),
        updated_at=_updated_at(found),
        version=_text(found.sync_token) or "",
        region=_text(address.country_sub_division_code) if isinstance(address, wire.Address) else None,
        terms=_named(found.sales_term_ref),
    )


def _owed(found: wire.Customer, home: Home) -> Decimal | None:
    """A customer in another currency than the company's own owes nothing, or it is not known what: whether QuickBooks
    converts the balance is not documented, and nothing is nothing in either."""
    if found.balance is None:
        return None
    owed, currency = _amount(found.balance, "Balance"), _value(found.currency_ref)
    return owed if owed <= 0 or currency is None or currency == home() else None


def _contacts(found: wire.Customer, name: str) -> tuple[Contact, ...]:
    """The customer's address; where it is a list, the others are sent the invoices too."""
    person = " ".join(part for part in (found.given_name, found.family_name) if part) or name
    phone = _phone(found.primary_phone) or _phone(found.mobile)
    addresses = _addresses(found.primary_email_addr)
    if not addresses:
        return (Contact(name=person, email=None, phone=phone, role=ContactRole.PRIMARY),) if phone else ()
    first, *others = addresses
    return (
        Contact(name=person, email=first, phone=phone, role=ContactRole.PRIMARY),
        *(Contact(name=person, email=other, phone=None, role=ContactRole.BILLING) for other in others),
    )


def _tombstone(resource: Resource, found: wire.Entity) -> Deleted:
    told = isinstance(found.meta_data, wire.MetaData) and found.meta_data.last_updated_time
    return Deleted(resource=resource, remote_id=_id(found), updated_at=_updated_at(found) if told else BEFORE_ALL)


#: how a record of that resource is decoded, and how it is mapped
_READING: Final[dict[Resource, tuple[Callable[[msgspec.Raw], Any], Callable[[Any, Home], Record]]]] = {
    Resource.CUSTOMERS: (wire.CUSTOMER.decode, _customer),
    Resource.INVOICES: (wire.INVOICE.decode, _invoice),
    Resource.PAYMENTS: (wire.PAYMENT.decode, _payment),
    Resource.CREDIT_NOTES: (wire.CREDIT_MEMO.decode, _credit_note),
}


# --- fields -----------------------------------------------------------------------------------------------


def _id(found: wire.Entity) -> str:
    return str(found.id) if found.id else _required(_text(found.id), "Id")


def _text(value: str | int | None) -> str | None:
    if isinstance(value, str):
        return value or None
    return None if value is None else str(value)


def _required(value: str | None, field: str) -> str:
    if value is None:
        raise Unreadable(f"{field} is missing")
    return value


def _value(ref: wire.Ref | str | None) -> str | None:
    return _text(ref.value) if isinstance(ref, wire.Ref) else None


def _amount(value: Decimal | None, field: str) -> Decimal:
    if value is None:
        raise Unreadable(f"{field} is missing")
    if not value:
        return value  # most balances
    try:
        return amount(value)
    except (ValueError, ArithmeticError):
        raise Unreadable(f"{field} is no amount that can be kept exactly") from None


def _currency(ref: wire.Ref | str | None, home: Home) -> str:
    return _value(ref) or home()


def _date(text: str | None, field: str) -> date:
    return _day(_required(text, field), field)


@lru_cache(maxsize=4096)
def _day(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text[:10])  # a zone or a time may follow
    except ValueError:
        raise Unreadable(f"{field} is no date") from None


def _updated_at(found: wire.Entity) -> datetime:
    meta = found.meta_data
    if not isinstance(meta, wire.MetaData) or meta.last_updated_time is None:
        raise Unreadable("MetaData.LastUpdatedTime is missing")
    instant = meta.last_updated_time
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _addresses(email: wire.Email | str | None) -> list[str]:
    """The addresses of a list with commas or semicolons, each bare: `"Doe, Jane" <jane@x.example>` is one."""
    text = email.address if isinstance(email, wire.Email) else email
    found = [bare for part in _SEPARATOR.split(text) if (bare := _bare(part))] if text else []
    return list(dict.fromkeys(found))


def _bare(part: str) -> str:
    inside = _IN_BRACKETS.search(part)
    return (inside[1] if inside else part).strip()


def _named(ref: wire.NamedRef | str | None) -> str | None:
    return ref.name or None if isinstance(ref, wire.NamedRef) else None


def _rate(rate: Decimal | None) -> Decimal | None:
    """Of a document in another currency: QuickBooks, too, counts home units for one of it."""
    if rate is None:
        return None
    return rate if rate.is_finite() and rate > 0 and rate != 1 else None


def _phone(phone: wire.Phone | str | None) -> str | None:
    return _text(phone.free_form_number) if isinstance(phone, wire.Phone) else None


@lru_cache(maxsize=512)
def country_code(text: str | None) -> str | None:
    """ISO 3166-1 alpha-2 of a code of two or three letters or an English name; None where it is neither."""
    name = (text or "").strip()
    if len(name) in (2, 3) and name.isascii() and name.isalpha():
        code = name.upper()
        codes: list[str] = get_global("territory_aliases").get(code) or [code]
        return codes[0] if len(codes) == 1 and codes[0] in get_global("territory_currencies") else None
    return _country_names().get(name.casefold())


@lru_cache(maxsize=1)
def _country_names() -> dict[str, str]:
    return {
        name.casefold(): code for code, name in Locale("en").territories.items() if len(code) == 2 and code.isalpha()
    }
