"""Every recorded answer in the vendors' material is decoded: its envelope, and each record by itself.

What is fixed here is how many there are and what is made of them. A file that is added, a record that cannot be read
any more, or one that can be read since, fails until this ledger says so.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from tests.conftest import material

from arsync.connector import Broken, Resource
from arsync.domain.documents import Deleted, Record
from arsync.errors import ConnectorError, Reauthorise, Rejected, RetryLater
from arsync_quickbooks import client as quickbooks_client
from arsync_quickbooks import mapping as quickbooks_mapping
from arsync_quickbooks import wire as quickbooks_wire
from arsync_xero import client as xero_client
from arsync_xero import rows as xero_rows
from arsync_xero import wire as xero_wire

#: what became of a record, or of an answer without records
Ledger = Counter[str]

_QUICKBOOKS: Final = {
    "Customer": Resource.CUSTOMERS,
    "Invoice": Resource.INVOICES,
    "Payment": Resource.PAYMENTS,
    "CreditMemo": Resource.CREDIT_NOTES,
}
_XERO: Final = {
    "Invoices": xero_rows.INVOICES,
    "Contacts": xero_rows.CONTACTS,
    "Payments": xero_rows.PAYMENTS,
    "CreditNotes": xero_rows.CREDIT_NOTES,
    "Overpayments": xero_rows.OVERPAYMENTS,
    "Prepayments": xero_rows.PREPAYMENTS,
}
#: lists of which a connector wants something, with their decoders
_XERO_OTHERS: Final[dict[str, tuple[str, msgspec.json.Decoder[Any]]]] = {
    "HistoryRecords": ("history_records", xero_wire.history_record),
    "Organisations": ("organisations", xero_wire.organisation),
    "InvoiceReminders": ("invoice_reminders", xero_wire.invoice_reminder),
}


def _told(where: str, item: Record | Broken | None, ledger: Ledger) -> None:
    match item:
        case Broken():
            ledger[f"broken: {where} {item.remote_id or 'without id'}: {item.reason}"] += 1
        case Deleted():
            ledger["deleted"] += 1
        case None:
            ledger["not ours"] += 1
        case _:
            ledger["read"] += 1


# --- QuickBooks ---------------------------------------------------------------------------------------------------


def _quickbooks_answers(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((folder / "derived").glob("*.json")):
        yield path.name, path.read_bytes()
    recorded = json.loads((folder / "sandbox_records.json").read_text())
    for entity, records in recorded.items():
        yield f"sandbox_records: {entity}", json.dumps({"QueryResponse": {entity: records}}).encode()
    for number, fault in enumerate(json.loads((folder / "faults.json").read_text()), start=1):
        yield f"faults: {number} ({fault['status']})", json.dumps(fault["body"]).encode()


def _read_quickbooks(name: str, body: bytes, ledger: Ledger) -> None:
    whole = msgspec.json.decode(body)
    blocks: list[Any] = []
    if "QueryResponse" in whole:
        blocks = [quickbooks_wire.QUERY.decode(body).query_response]
    elif "CDCResponse" in whole:
        changes = quickbooks_wire.CHANGES.decode(body).changes or ()
        blocks = [block for one in changes for block in one.query_response or () if block]
    elif entity := next((entity for entity in _QUICKBOOKS if entity in whole), None):
        single = msgspec.json.encode({"QueryResponse": {entity: [whole[entity]]}})
        blocks = [quickbooks_wire.QUERY.decode(single).query_response]
    else:
        ledger[f"refusal: {_class(quickbooks_client._refusal(400, body))}"] += 1
        return
    for block in blocks:
        for entity, resource in _QUICKBOOKS.items():
            for item in quickbooks_mapping.read(resource, quickbooks_client._of(block, entity), lambda: "USD"):
                _told(f"{name} {entity}", item, ledger)


def _class(error: ConnectorError) -> str:
    assert isinstance(error, Rejected | RetryLater | Reauthorise)
    assert error.detail, "a refusal says why"
    return type(error).__name__


# --- Xero ---------------------------------------------------------------------------------------------------------


def _xero_answers(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((folder / "examples").glob("*.json")):
        if not path.name.endswith(".request.json"):
            yield path.name, path.read_bytes()
    for name in ("invoice", "contactgroups"):
        for part, body in json.loads((folder / f"{name}.json").read_text()).items():
            yield f"{name}: {part}", json.dumps(body).encode()
    for number, error in enumerate(json.loads((folder / "errors.json").read_text()), start=1):
        body = error["body"]
        yield f"errors: {number} ({error['status']})", (body if isinstance(body, str) else json.dumps(body)).encode()


def _read_xero(name: str, body: bytes, ledger: Ledger) -> None:
    try:
        whole = msgspec.json.decode(body)
    except msgspec.DecodeError:
        whole = None
    whole = whole if isinstance(whole, dict) else {}
    found = [key for key in (*_XERO, *_XERO_OTHERS) if isinstance(whole.get(key), list)]
    for key in found:
        if key in _XERO:
            for row in _XERO[key].read(body).rows:
                _told(f"{name} {key}", row.broken or row.record, ledger)
        else:
            attribute, decoder = _XERO_OTHERS[key]
            raws = getattr(xero_rows.open_envelope(body), attribute)
            ledger["read"] += len([decoder.decode(raw) for raw in raws])
    if not found and "ProviderName" in whole:
        xero_rows.open_envelope(body)
        ledger["envelope only"] += 1
    elif not found and ("CISSetting" in whole or "CISSettings" in whole):
        ledger["never asked for"] += 1
    elif not found:
        reason = xero_client._reason(body, "refused")
        ledger["refusal: " + ("in its words" if reason != "refused" else "without words")] += 1


# --- the ledgers ----------------------------------------------------------------------------------------------------


def test_every_recorded_answer_of_quickbooks_is_decoded() -> None:
    """36 records, none of them broken; 17 faults, of which four say that we are too fast."""
    folder = material() / "quickbooks"
    ledger, answers = Ledger(), list(_quickbooks_answers(folder))
    for name, body in answers:
        _read_quickbooks(name, body, ledger)
    # qbo_fields.json is a list of fields; the other two hold several answers each
    assert (len(list(folder.rglob("*.json"))), len(answers)) == (24, 37)
    assert dict(ledger) == {"read": 30, "deleted": 6, "refusal: Rejected": 13, "refusal: RetryLater": 4}


def test_every_recorded_answer_of_xero_is_decoded() -> None:
    """59 records, none of them broken, a fifth on the suppliers' side; 13 refusals, of which four are no JSON or say
    nothing of why."""
    folder = material() / "xero"
    ledger, answers = Ledger(), list(_xero_answers(folder))
    for name, body in answers:
        _read_xero(name, body, ledger)
    assert (len(list(folder.rglob("*.json"))), len(answers)) == (95, 79)
    assert dict(ledger) == {
        "read": 47,
        "not ours": 12,
        "envelope only": 21,
        "never asked for": 2,
        "refusal: in its words": 9,
        "refusal: without words": 4,
    }


def test_a_record_that_cannot_be_read_stands_in_the_ledger_by_name() -> None:
    """The ledgers above would not be equal to it."""
    ledger = Ledger()
    _read_quickbooks("made up", b'{"Invoice": {"Id": "7", "Balance": "plenty"}}', ledger)
    (entry,) = ledger
    assert entry.startswith("broken: made up Invoice 7: ")
    _read_xero("made up", b'{"Invoices": [{"InvoiceID": "x", "Type": "ACCREC", "AmountDue": []}]}', ledger)
    assert len(ledger) == 2
