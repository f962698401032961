"""Writing through the QuickBooks API: notes (attachables) and sparse updates, as strict as the vendor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from arsync.sandbox.quickbooks_books import Books
from arsync.sandbox.quickbooks_records import Row, head
from arsync.sandbox.quickbooks_wire import (
    Refused,
    invalid_property,
    not_found,
    stale,
    unsupported_operation,
    unsupported_property,
)

NOTE_LENGTH = 2_000
_words = str.split

_EVERY = {"Id": "text", "SyncToken": "text", "MetaData": "object", "domain": "text", "sparse": "flag"}
_SALES_FORM = {
    "DocNumber": "text",
    "PrivateNote": "text",
    "CustomerMemo": "object",
    "DueDate": "date",
    "EmailStatus": "text",
    "PrintStatus": "text",
    "BillEmail": "object",
    "BillEmailCc": "object",
    "BillEmailBcc": "object",
    "CustomField": "list",
}
# What a client may change; the vendor knows more, the sandbox does not write it.
_WRITABLE: Mapping[str, Mapping[str, str]] = {
    "Invoice": _SALES_FORM,
    "CreditMemo": {name: kind for name, kind in _SALES_FORM.items() if name != "DueDate"},
    "Payment": {"PrivateNote": "text", "PaymentRefNum": "text"},
    "Customer": {
        "DisplayName": "text",
        "GivenName": "text",
        "FamilyName": "text",
        "CompanyName": "text",
        "Notes": "text",
        "Active": "flag",
        "PrimaryEmailAddr": "object",
        "PreferredDeliveryMethod": "text",
    },
    "Attachable": {
        "AttachableRef": "list",
        "Note": "text",
        "FileName": "text",
        "Category": "text",
        "ContentType": "text",
        "Tag": "text",
    },
}
# Known, but computed or fixed: the vendor takes them in a body and leaves them as they are.
_READ_ONLY: Mapping[str, Sequence[str]] = {
    "Invoice": _words(
        "Balance HomeBalance TotalAmt HomeTotalAmt LinkedTxn Line TxnTaxDetail CustomerRef CurrencyRef ExchangeRate "
        "TxnDate BillAddr ShipAddr SalesTermRef ApplyTaxAfterDiscount AllowIPNPayment AllowOnlinePayment "
        "AllowOnlineCreditCardPayment AllowOnlineACHPayment InvoiceLink DeliveryInfo"
    ),
    "CreditMemo": _words(
        "Balance RemainingCredit TotalAmt HomeTotalAmt Line TxnTaxDetail CustomerRef CurrencyRef TxnDate"
    ),
    "Payment": _words("TotalAmt UnappliedAmt ProcessPayment Line LinkedTxn CustomerRef CurrencyRef TxnDate"),
    "Customer": _words(
        "Balance BalanceWithJobs FullyQualifiedName BillAddr ShipAddr CurrencyRef Job ParentRef Level Taxable"
    ),
    "Attachable": _words("FileAccessUri TempDownloadUri Size"),
}


class Writer:
    """Creates notes and updates records; raises `Refused`."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def write(self, entity: str, body: Any, operation: str, now: datetime) -> tuple[Row, str]:
        """(the record, what was done to it): created, updated or deleted."""
        if entity not in _WRITABLE:
            raise unsupported_operation(entity.lower())
        if not isinstance(body, dict):
            raise invalid_property(entity, "the body is no object")
        self._check(entity, body)
        if operation in ("", "update", "create") and "Id" not in body:
            return self._create(entity, body, now), "created"
        row = self._books.rows[entity].get(str(body.get("Id")))
        if row is None or row.deleted:
            raise not_found()
        if body.get("SyncToken") != row.doc["SyncToken"]:
            raise stale()
        match operation:
            case "delete" if entity == "Attachable":
                self._books.delete(row, now)
                return row, "deleted"
            case "" | "update" if body.get("sparse") is True:
                return self._update(row, body, now), "updated"
        raise unsupported_operation(f"{entity.lower()}?operation={operation or 'full update'}")

    def _check(self, entity: str, body: Mapping[str, Any]) -> None:
        known = {**_EVERY, **_WRITABLE[entity]}
        for name, value in body.items():
            if name in known:
                _check_type(name, value, known[name])
            elif name not in _READ_ONLY[entity]:
                raise unsupported_property(name, entity, [*known, *_READ_ONLY[entity]])
        for name, most in (("Note", NOTE_LENGTH), ("Notes", NOTE_LENGTH), ("PrivateNote", 4_000)):
            if len(str(body.get(name, ""))) > most:
                raise Refused(
                    "2050",
                    "Invalid String length",
                    f"String length specified does not match the supported length. Max:{most}",
                    element=name,
                )

    def _create(self, entity: str, body: Mapping[str, Any], now: datetime) -> Row:
        if entity != "Attachable":
            raise unsupported_operation(f"{entity.lower()} (create)")
        if not body.get("Note") and not body.get("FileName"):
            raise Refused(
                "2020", "Required param missing, need to supply the required value for the API", "Note", element="Note"
            )
        references = [self._reference(item) for item in body.get("AttachableRef", [])]
        doc = {
            "AttachableRef": references,
            **{name: body[name] for name in ("Note", "FileName", "Category", "ContentType", "Tag") if name in body},
            **head(self._books.next_id("Attachable"), now),
        }
        return self._books.add(Row("Attachable", doc["Id"], doc, now, now))

    def _reference(self, item: Any) -> dict[str, Any]:
        if not isinstance(item, dict) or not isinstance(item.get("EntityRef"), dict):
            raise invalid_property("AttachableRef", "an EntityRef is needed")
        if unknown := set(item) - {"EntityRef", "IncludeOnSend", "LineInfo", "NoRefOnly", "CustomField", "Inactive"}:
            raise unsupported_property(sorted(unknown)[0], "AttachableRef", ["EntityRef", "IncludeOnSend"])
        reference = item["EntityRef"]
        if unknown := set(reference) - {"type", "value", "name"}:
            raise unsupported_property(sorted(unknown)[0], "ReferenceType", ["type", "value", "name"])
        names = {name.lower(): name for name in ("Invoice", "Customer", "Payment", "CreditMemo")}
        entity = names.get(str(reference.get("type", "")).lower())
        target = self._books.rows[entity].get(str(reference.get("value"))) if entity else None
        if entity is None or target is None or target.deleted:
            raise Refused(
                "2500",
                "Invalid Reference Id",
                f"Invalid Reference Id : {reference.get('type')} not found",
                element="EntityRef",
            )
        return {
            "EntityRef": {"value": target.id, "type": entity},
            "IncludeOnSend": item.get("IncludeOnSend", False) is True,
        }

    def _update(self, row: Row, body: Mapping[str, Any], now: datetime) -> Row:
        if (name := body.get("DisplayName")) and row.entity == "Customer":
            others = (other for other in self._books.live("Customer") if other.id != row.id)
            if any(other.doc["DisplayName"] == name for other in others):
                raise Refused("6240", "Duplicate Name Exists Error", "The name supplied already exists. : null")
        for field in _WRITABLE[row.entity]:
            if field in body:
                row.doc[field] = body[field]
        self._books.touch(row, now)
        return row


def _check_type(name: str, value: Any, kind: str) -> None:
    match kind:
        case "text":
            good = isinstance(value, str)
        case "flag":
            good = isinstance(value, bool)
        case "list":
            good = isinstance(value, list)
        case "object":
            good = isinstance(value, dict)
        case _:
            good = isinstance(value, str) and _is_date(value)
    if not good:
        raise invalid_property(name, f"no {kind}")


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
