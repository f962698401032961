"""From Xero's records to arsync's; pure. What cannot be read raises `Unreadable` with the field's name."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from functools import lru_cache
from typing import Final, TypeVar

from arsync.domain.documents import (
    Allocation,
    Contact,
    ContactRole,
    CreditNote,
    CreditState,
    Customer,
    CustomerGroup,
    CustomerState,
    Invoice,
    InvoiceLine,
    InvoiceState,
    Payment,
    PaymentKind,
)
from arsync.domain.money import amount
from arsync.domain.postal import postal_address
from arsync_xero import wire
from arsync_xero.places import country_of

_State = TypeVar("_State", InvoiceState, CreditState)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STAMP: Final = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
#: Milliseconds have so many from 2001 to 2286: nearly every stamp is read without looking at its form any closer.
_DIGITS: Final = 13
_ZERO: Final = Decimal("0.00")
_RATES: Final = Context(prec=10)
_TERMS: Final = {
    "DAYSAFTERBILLDATE": "{} days after the invoice date",
    "DAYSAFTERBILLMONTH": "{} days after the end of the invoice's month",
    "OFCURRENTMONTH": "day {} of the invoice's month",
    "OFFOLLOWINGMONTH": "day {} of the month after the invoice's",
}
_ONE_MILLISECOND: Final = timedelta(milliseconds=1)

_INVOICE_STATES: Final = {
    "DRAFT": InvoiceState.DRAFT,
    "SUBMITTED": InvoiceState.DRAFT,
    "AUTHORISED": InvoiceState.OPEN,
    "PAID": InvoiceState.PAID,
    "VOIDED": InvoiceState.VOID,
    "DELETED": InvoiceState.DELETED,
}
_CREDIT_STATES: Final = {
    "DRAFT": CreditState.VOID,  # nobody may count on it yet
    "SUBMITTED": CreditState.VOID,
    "AUTHORISED": CreditState.ACTIVE,
    "PAID": CreditState.ACTIVE,  # wholly applied
    "VOIDED": CreditState.VOID,
    "DELETED": CreditState.DELETED,
}
_CUSTOMER_STATES: Final = {
    "ARCHIVED": CustomerState.ARCHIVED,
    "GDPRREQUEST": CustomerState.ARCHIVED,  # its erasure was asked for; its open invoices are still owed
}

#: what customers owe and pay; the same words with AP or SPEND are the company's own bills
SALES: Final = frozenset({"ACCREC", "ACCRECCREDIT"})
RECEIPTS: Final = frozenset({"ACCRECPAYMENT"})
OVERPAYMENTS: Final = frozenset({"RECEIVE-OVERPAYMENT", "AROVERPAYMENT"})
PREPAYMENTS: Final = frozenset({"RECEIVE-PREPAYMENT", "ARPREPAYMENT"})


class Unreadable(ValueError):
    """A field that cannot be read; the text names it and never holds its content."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")


def instant_of(stamp: str) -> datetime:
    """The instant of `/Date(1541176592690+0000)/` (the offset is decoration: the number is UTC) or of ISO 8601."""
    digits = stamp[6:-7]
    if len(digits) == _DIGITS and digits.isdecimal() and stamp.startswith("/Date(") and stamp.endswith("+0000)/"):
        return datetime.fromtimestamp(int(digits) / 1000, UTC)
    match = _STAMP.fullmatch(stamp)
    if match is not None:
        return _EPOCH + int(match[1]) * _ONE_MILLISECOND
    found = datetime.fromisoformat(stamp)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def updated_at(record: wire.Stamped) -> datetime:
    """When the source last changed the record."""
    stamp = record.updated_date_utc or record.updated_date_utc_string
    if not stamp:
        raise Unreadable("UpdatedDateUTC", "missing")
    try:
        return instant_of(stamp)
    except (ValueError, OverflowError):
        raise Unreadable("UpdatedDateUTC", "not a time") from None


def invoice(record: wire.Invoice, updated: datetime) -> Invoice | None:
    """A sale, or None for anything else that Xero lists among invoices."""
    if record.type is not None and record.type not in SALES:
        return None
    inclusive = record.line_amount_types == "Inclusive"
    return Invoice(
        remote_id=_required(record.invoice_id, "InvoiceID"),
        number=_text(record.invoice_number) or "",
        customer_id=_customer(record.contact),
        state=_state(_INVOICE_STATES, record.status),
        currency=_currency(record.currency_code),
        total=_amount(record.total, "Total"),
        balance=_amount(record.amount_due, "AmountDue"),
        issued_on=_day(record.date_string, record.date, "Date"),
        due_on=_optional_day(record.due_date_string, record.due_date, "DueDate"),
        reference=_text(record.reference),
        email=None,
        lines=tuple([_line(line, inclusive) for line in record.line_items or ()]),
        updated_at=updated,
        version=_version(updated),
        exchange_rate=_rate(record.currency_rate),
        expected_on=expected_on(record),
        sent=record.sent_to_contact,
    )


def expected_on(record: wire.Invoice) -> date | None:
    """When the money is expected; nobody's debt depends on it: what cannot be read is not there."""
    text, stamp = record.expected_payment_date_string, record.expected_payment_date
    if text is None and stamp is None:
        return None
    try:
        return _optional_day(text, stamp, "ExpectedPaymentDate")
    except Unreadable:
        return None


def payment(record: wire.Payment, updated: datetime) -> Payment | None:
    """Money received on a sales invoice, always wholly applied; None for bills, refunds and the like."""
    if record.payment_type is not None and record.payment_type not in RECEIPTS:
        return None
    remote_id = _required(record.payment_id, "PaymentID")
    paid = _amount(record.amount, "Amount")
    received_on = _day(record.date_string, record.date, "Date")
    state = _state(_CREDIT_STATES, record.status)
    if record.invoice is None:
        raise Unreadable("Invoice", "missing")
    allocations: tuple[Allocation, ...] = ()
    if state is CreditState.ACTIVE:
        allocations = (Allocation(_required(record.invoice.invoice_id, "Invoice.InvoiceID"), paid, received_on),)
    contact = record.invoice.contact
    return Payment(
        remote_id=remote_id,
        kind=PaymentKind.PAYMENT,
        customer_id=contact.contact_id if contact is not None else None,
        state=state,
        currency=_currency(record.invoice.currency_code),
        amount=paid,
        unapplied=_ZERO,
        received_on=received_on,
        reference=_text(record.reference),
        allocations=allocations,
        updated_at=updated,
        version=_version(updated),
        exchange_rate=_rate(record.currency_rate),
    )


def overpayment(record: wire.Overpayment, updated: datetime) -> Payment | None:
    """What a customer paid beyond what was due."""
    if record.type is not None and record.type not in OVERPAYMENTS:
        return None
    return _advance(record, record.overpayment_id, "OverpaymentID", PaymentKind.OVERPAYMENT, updated)


def prepayment(record: wire.Prepayment, updated: datetime) -> Payment | None:
    """What a customer paid ahead."""
    if record.type is not None and record.type not in PREPAYMENTS:
        return None
    return _advance(record, record.prepayment_id, "PrepaymentID", PaymentKind.PREPAYMENT, updated)


def _advance(
    record: wire.Credit, remote_id: str | None, field: str, kind: PaymentKind, updated: datetime
) -> Payment | None:
    issued_on = _day(record.date_string, record.date, "Date")
    state = _state(_CREDIT_STATES, record.status)
    return Payment(
        remote_id=_required(remote_id, field),
        kind=kind,
        customer_id=_customer(record.contact),
        state=state,
        currency=_currency(record.currency_code),
        amount=_amount(record.total, "Total"),
        unapplied=_unapplied(record, state),
        received_on=issued_on,
        reference=_text(record.reference),
        allocations=_allocations(record, state, issued_on),
        updated_at=updated,
        version=_version(updated),
        exchange_rate=_rate(record.currency_rate),
    )


def credit_note(record: wire.CreditNote, updated: datetime) -> CreditNote | None:
    """A credit given to a customer, or None for one received from a supplier."""
    if record.type is not None and record.type not in SALES:
        return None
    issued_on = _day(record.date_string, record.date, "Date")
    state = _state(_CREDIT_STATES, record.status)
    return CreditNote(
        remote_id=_required(record.credit_note_id, "CreditNoteID"),
        number=_text(record.credit_note_number) or "",
        customer_id=_customer(record.contact),
        state=state,
        currency=_currency(record.currency_code),
        total=_amount(record.total, "Total"),
        unapplied=_unapplied(record, state),
        issued_on=issued_on,
        allocations=_allocations(record, state, issued_on),
        updated_at=updated,
        version=_version(updated),
        exchange_rate=_rate(record.currency_rate),
    )


def customer(record: wire.Contact, updated: datetime) -> Customer:
    """A contact with its people; a merged one names its survivor."""
    merged_into = record.merged_to_contact_id or None
    state = CustomerState.MERGED if merged_into else _CUSTOMER_STATES.get(record.contact_status or "")
    receivable = record.balances.accounts_receivable if record.balances is not None else None
    outstanding = receivable.outstanding if receivable is not None else None
    currency = _text(record.default_currency)
    name = _text(record.name) or _full_name(record.first_name, record.last_name)
    return Customer(
        remote_id=_required(record.contact_id, "ContactID"),
        name=_required(name, "Name"),
        state=state or CustomerState.ACTIVE,
        parent_id=None,
        merged_into=merged_into,
        currency=currency.upper() if currency else None,
        country=_country(record.addresses or ()),
        language=None,
        contacts=_contacts(record),
        balance=None if outstanding is None else _amount(outstanding, "Balances.AccountsReceivable.Outstanding"),
        updated_at=updated,
        version=_version(updated),
        region=_region(record.addresses or ()),
        terms=_terms(record.payment_terms.sales if record.payment_terms is not None else None),
        address=next((found for one in _ranked(record.addresses or ()) if (found := _postal(one, name or ""))), None),
        groups=tuple(
            CustomerGroup(group.contact_group_id, _text(group.name))
            for group in record.contact_groups or ()
            if group.contact_group_id and group.status != "DELETED"
        ),
    )


def _postal(one: wire.Address, name: str) -> str | None:
    every = (one.attention_to, one.address_line1, one.address_line2, one.address_line3, one.address_line4)
    if not any(_text(line) for line in every[1:]):
        return None
    return postal_address(
        map(_text, every),
        city=_text(one.city),
        region=_text(one.region),
        code=_text(one.postal_code),
        country=country_of(one.country),
        name=name,
    )


def _contacts(record: wire.Contact) -> tuple[Contact, ...]:
    people: list[Contact] = []
    email, phone = _text(record.email_address), _phone(record.phones or ())
    if email or phone:
        name = _full_name(record.first_name, record.last_name) or _text(record.name) or ""
        people.append(Contact(name, email, phone, ContactRole.PRIMARY))
    for person in record.contact_persons or ():
        role = ContactRole.BILLING if person.include_in_emails else ContactRole.OTHER
        name = _full_name(person.first_name, person.last_name) or ""
        email = _text(person.email_address)
        if name or email:
            people.append(Contact(name, email, None, role))
    return tuple(people)


def _phone(phones: list[wire.Phone] | tuple[()]) -> str | None:
    by_kind = {phone.phone_type: phone for phone in reversed(phones) if _text(phone.phone_number)}
    for kind in ("DEFAULT", "MOBILE", "DDI", "OFFICE"):
        phone = by_kind.get(kind)
        if phone is not None:
            country = (_text(phone.phone_country_code) or "").lstrip("+")
            parts = (f"+{country}" if country else None, _text(phone.phone_area_code), _text(phone.phone_number))
            return " ".join(part for part in parts if part)
    return None


def _country(addresses: list[wire.Address] | tuple[()]) -> str | None:
    return next((found for address in _ranked(addresses) if (found := country_of(address.country))), None)


def _region(addresses: list[wire.Address] | tuple[()]) -> str | None:
    return next((found for address in _ranked(addresses) if (found := _text(address.region))), None)


def _ranked(addresses: list[wire.Address] | tuple[()]) -> list[wire.Address]:
    """Bills go to the postal address, so it comes first."""
    return sorted(addresses, key=lambda address: address.address_type != "POBOX")


def _terms(agreed: wire.PaymentTerm | None) -> str | None:
    """What Xero's four kinds of terms say, in words."""
    if agreed is None or agreed.day is None:
        return None
    words = _TERMS.get(agreed.type or "")
    return words.format(agreed.day) if words else None


@lru_cache(maxsize=1024)
def _rate(rate: Decimal | None) -> Decimal | None:
    """Home units for one of the document's currency: Xero counts the other way round."""
    if rate is None or not rate.is_finite() or rate <= 0 or rate == 1:
        return None
    return _RATES.divide(Decimal(1), rate)


def _line(line: wire.Line, inclusive: bool) -> InvoiceLine:
    price = line.line_amount if line.line_amount is not None else _ZERO  # a line of text only has none
    if inclusive and line.tax_amount is not None:
        price -= line.tax_amount
    quantity = line.quantity if line.quantity is not None and line.quantity.is_finite() else None
    return InvoiceLine(_text(line.description) or "", quantity, _amount(price, "LineItems.LineAmount"))


def _unapplied(record: wire.Credit, state: CreditState) -> Decimal:
    return _amount(record.remaining_credit, "RemainingCredit") if state is CreditState.ACTIVE else _ZERO


def _allocations(record: wire.Credit, state: CreditState, issued_on: date) -> tuple[Allocation, ...]:
    if state is not CreditState.ACTIVE or not record.allocations:
        return ()
    return tuple(
        Allocation(
            invoice_id=_required(part.invoice.invoice_id if part.invoice else None, "Allocations.Invoice.InvoiceID"),
            amount=_amount(part.amount, "Allocations.Amount"),
            allocated_on=_optional_day(part.date_string, part.date, "Allocations.Date") or issued_on,
        )
        for part in record.allocations
        if not part.is_deleted
    )


def _version(updated: datetime) -> str:
    """Xero counts no versions: the millisecond of the last change serves."""
    since = updated - _EPOCH
    return str((since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000)


def _required(text: str | None, field: str) -> str:
    if not text:
        raise Unreadable(field, "missing")
    return text


def _customer(contact: wire.ContactReference | None) -> str:
    return _required(contact.contact_id if contact is not None else None, "Contact.ContactID")


def _currency(code: str | None) -> str:
    if not code:
        raise Unreadable("CurrencyCode", "missing")
    if len(code) != 3:
        raise Unreadable("CurrencyCode", "not an ISO 4217 code")
    return code.upper()


def _state(states: dict[str, _State], status: str | None) -> _State:
    # An unknown state is not guessed: whether the document counts would be a guess too.
    state = states.get(status or "")
    if state is None:
        raise Unreadable("Status", "unknown" if status else "missing")
    return state


def _amount(value: Decimal | None, field: str) -> Decimal:
    if value is None:
        raise Unreadable(field, "missing")
    try:
        return amount(value)
    except (ValueError, ArithmeticError):
        raise Unreadable(field, "not an amount that can be kept without loss") from None


def _day(text: str | None, stamp: str | None, field: str) -> date:
    found = _optional_day(text, stamp, field)
    if found is None:
        raise Unreadable(field, "missing")
    return found


@lru_cache(maxsize=4096)  # the days of a few years
def _optional_day(text: str | None, stamp: str | None, field: str) -> date | None:
    """The day as the company's calendar has it; Xero's `/Date()/` of a day is that day's midnight in UTC."""
    try:
        if text:
            found = date.fromisoformat(text[:10])
        elif stamp:
            found = instant_of(stamp).date()
        else:
            return None
    except (ValueError, OverflowError):
        raise Unreadable(field, "not a date") from None
    return found if found.year > 1 else None  # 0001-01-01 is .NET's "no date"


def _text(value: str | int | None) -> str | None:
    if value is None or value == "":
        return None
    return (value if isinstance(value, str) else str(value)).strip() or None


def _full_name(first: str | int | None, last: str | int | None) -> str | None:
    return " ".join(part for part in (_text(first), _text(last)) if part) or None
