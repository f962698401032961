"""An answer's records, each read alone: one that cannot be read is a value, and the rest of the page goes on."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from arsync.connector import Broken, Resource
from arsync.domain.documents import Record
from arsync.errors import Malformed
from arsync_xero import mapping, wire
from arsync_xero.mapping import Unreadable


class Row(NamedTuple):
    """One record on the wire. Both `record` and `broken` are None where it is not the customers' side of the books."""

    remote_id: str | None
    #: the time of its last change as Xero wrote it: equal stamps are the same state of the record
    stamp: str | None
    updated_at: datetime | None
    record: Record | None
    broken: Broken | None
    #: the sales invoices that this payment or credit touches, also where it does so no longer
    touches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A page of records, with the source's own time and count where it tells them."""

    rows: tuple[Row, ...]
    item_count: int | None
    page_size: int | None
    at: datetime | None
    #: what the rows were read from; they share its texts
    envelope: object = None


@dataclass(frozen=True, slots=True)
class Source:
    """One endpoint: how the SDK asks for it, and how its records are read."""

    resource: Resource
    #: the SDK's methods for a list and for a single record (none where lists take ids)
    list_method: str
    single_method: str | None
    #: attribute of the envelope, key of the id, key of the type
    list_name: str
    id_key: str
    type_key: str
    #: the types that are the customers' side; empty where there is but one
    ours: frozenset[str]
    identity: Callable[[Any], str | None]
    decode: Callable[[msgspec.Raw], Any]
    to_record: Callable[[Any, datetime], Record | None]
    touches: Callable[[Any], tuple[str, ...]]

    def read(self, body: bytes) -> Answer:
        """The answer with its records; Malformed where it has none of this endpoint's."""
        try:
            whole = wire.whole.decode(body)
            found = getattr(whole, self.list_name)
            if found is not msgspec.UNSET:
                return _answer(whole, [self._mapped(record) for record in found or ()])
        except (Unreadable, msgspec.DecodeError, UnicodeDecodeError):
            pass  # read one by one it shows which of them it is
        envelope = open_envelope(body)
        raws = getattr(envelope, self.list_name)
        if raws is msgspec.UNSET:
            raise Malformed(f"no list of {self.list_name} in the answer")
        return _answer(envelope, [self.row(raw) for raw in raws or ()])

    def row(self, raw: msgspec.Raw) -> Row:
        """One record, read or broken."""
        try:
            return self._mapped(self.decode(raw))
        except (Unreadable, msgspec.DecodeError) as error:  # both name the field and the type, never its content
            return self._broken(raw, str(error))

    def _mapped(self, record: Any) -> Row:
        updated = mapping.updated_at(record)
        mapped = self.to_record(record, updated)
        return Row(self.identity(record), record.updated_date_utc, updated, mapped, None, self.touches(record))

    def _broken(self, raw: msgspec.Raw, reason: str) -> Row:
        found = msgspec.json.decode(raw)
        fields: Mapping[str, Any] = found if isinstance(found, dict) else {}
        stamp = _dug(fields, "UpdatedDateUTC")
        try:
            updated = mapping.instant_of(stamp) if stamp else None
        except (ValueError, OverflowError):
            updated = None
        remote_id = _dug(fields, self.id_key)
        kind = _dug(fields, self.type_key)
        if self.ours and kind is not None and kind not in self.ours:
            return Row(remote_id, stamp, updated, None, None, ())
        own = self.resource is Resource.CUSTOMERS
        broken = Broken(
            resource=self.resource,
            remote_id=remote_id,
            customer_id=remote_id
            if own
            else _dug(fields, "Contact", "ContactID") or _dug(fields, "Invoice", "Contact", "ContactID"),
            reason=reason,
            raw=bytes(raw).decode("utf-8", "replace"),
        )
        invoice_id = _dug(fields, "Invoice", "InvoiceID")
        return Row(remote_id, stamp, updated, None, broken, (invoice_id,) if invoice_id else ())


def _answer(envelope: wire.Envelope | wire.Whole, found: Sequence[Row]) -> Answer:
    paging = envelope.pagination or wire.Pagination()
    return Answer(tuple(found), paging.item_count, paging.page_size, source_time(envelope), envelope)


def open_envelope(body: bytes) -> wire.Envelope:
    """The answer with its records unread; Malformed where it is not one of Xero's."""
    try:
        return wire.envelope.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Malformed("the answer is not one of Xero's JSON documents") from None


def source_time(envelope: wire.Envelope | wire.Whole) -> datetime | None:
    """Xero's own time when it answered."""
    try:
        return mapping.instant_of(envelope.date_time_utc) if envelope.date_time_utc else None
    except (ValueError, OverflowError):
        return None


def _dug(fields: Mapping[str, Any], *path: str) -> str | None:
    found: Any = fields
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) and found else None


def _nothing(record: Any) -> tuple[str, ...]:
    return ()


def _paid_invoice(record: wire.Payment) -> tuple[str, ...]:
    of = record.invoice
    return (of.invoice_id,) if of is not None and of.invoice_id and of.type in (None, "ACCREC") else ()


def _credited_invoices(record: wire.Credit) -> tuple[str, ...]:
    parts = record.allocations or ()
    return tuple([part.invoice.invoice_id for part in parts if part.invoice is not None and part.invoice.invoice_id])


INVOICES: Final = Source(
    resource=Resource.INVOICES,
    list_method="get_invoices",
    single_method=None,
    list_name="invoices",
    id_key="InvoiceID",
    type_key="Type",
    ours=mapping.SALES,
    identity=operator.attrgetter("invoice_id"),
    decode=wire.invoice.decode,
    to_record=mapping.invoice,
    touches=_nothing,
)
CONTACTS: Final = Source(
    resource=Resource.CUSTOMERS,
    list_method="get_contacts",
    single_method=None,
    list_name="contacts",
    id_key="ContactID",
    type_key="Type",
    ours=frozenset(),
    identity=operator.attrgetter("contact_id"),
    decode=wire.contact.decode,
    to_record=mapping.customer,
    touches=_nothing,
)
PAYMENTS: Final = Source(
    resource=Resource.PAYMENTS,
    list_method="get_payments",
    single_method="get_payment",
    list_name="payments",
    id_key="PaymentID",
    type_key="PaymentType",
    ours=mapping.RECEIPTS,
    identity=operator.attrgetter("payment_id"),
    decode=wire.payment.decode,
    to_record=mapping.payment,
    touches=_paid_invoice,
)
OVERPAYMENTS: Final = Source(
    resource=Resource.PAYMENTS,
    list_method="get_overpayments",
    single_method="get_overpayment",
    list_name="overpayments",
    id_key="OverpaymentID",
    type_key="Type",
    ours=mapping.OVERPAYMENTS,
    identity=operator.attrgetter("overpayment_id"),
    decode=wire.overpayment.decode,
    to_record=mapping.overpayment,
    touches=_credited_invoices,
)
PREPAYMENTS: Final = Source(
    resource=Resource.PAYMENTS,
    list_method="get_prepayments",
    single_method="get_prepayment",
    list_name="prepayments",
    id_key="PrepaymentID",
    type_key="Type",
    ours=mapping.PREPAYMENTS,
    identity=operator.attrgetter("prepayment_id"),
    decode=wire.prepayment.decode,
    to_record=mapping.prepayment,
    touches=_credited_invoices,
)
CREDIT_NOTES: Final = Source(
    resource=Resource.CREDIT_NOTES,
    list_method="get_credit_notes",
    single_method="get_credit_note",
    list_name="credit_notes",
    id_key="CreditNoteID",
    type_key="Type",
    ours=mapping.SALES,
    identity=operator.attrgetter("credit_note_id"),
    decode=wire.credit_note.decode,
    to_record=mapping.credit_note,
    touches=_credited_invoices,
)
#: money and credits: what must be read before the invoices it reduces
MONEY: Final = (PAYMENTS, OVERPAYMENTS, PREPAYMENTS, CREDIT_NOTES)
