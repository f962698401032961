"""A Xero small enough to read, for tests of the connector: real addresses, answered by `responses`.

Every request that reaches it is checked against Xero's own document where the material is at hand.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import requests
import responses
import yaml

from arsync.connector import Linked
from arsync.testing.ports import FixedClock, MemoryVault, UnlimitedBudget
from arsync_xero import Connector, Settings

API = "https://api.xero.com/api.xro/2.0"
TOKEN = "https://identity.xero.com/connect/token"
TENANT = "b2c885a9-4bb9-4a00-9b6e-6c2bf60b1a2b"
NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Json = dict[str, Any]


def xero_material(*parts: str) -> Path:
    """A file of Xero's own documents; the test is skipped where they are not at hand."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "material"
    path = Path(os.environ.get("ARSYNC_MATERIAL") or beside).joinpath("xero", *parts)
    if not path.exists():
        pytest.skip(f"Xero's documents are not here: {path} (set ARSYNC_MATERIAL)")
    return path


def documents_at_hand() -> bool:
    """Whether requests can be checked against Xero's document."""
    try:
        return xero_material("xero_strict.yaml").exists()
    except pytest.skip.Exception:
        return False


def example(name: str) -> bytes:
    """One of the answers printed in Xero's document."""
    return xero_material("examples", f"{name}.200.json").read_bytes()


@functools.cache
def strict_document() -> Json:
    """Xero's OpenAPI document with closed request bodies."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: Json = yaml.load(xero_material("xero_strict.yaml").read_text(), Loader=loader)
    for operations in document["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict):
                operation.pop("security", None)  # the validator knows no OAuth; tests look at the header themselves
    return document


@functools.cache
def _openapi() -> Any:
    from openapi_core import OpenAPI

    return OpenAPI.from_dict(strict_document())


def check_request(request: requests.PreparedRequest, *, base: str = API) -> None:
    """Raises where Xero's document does not know this request: path, parameters, headers or body."""
    from openapi_core.contrib.requests import RequestsOpenAPIRequest

    told = request.copy()
    assert told.url is not None
    assert told.url.startswith(base)
    told.url = API + told.url[len(base) :]
    _openapi().validate_request(RequestsOpenAPIRequest(told))
    # the validator lets unknown names in a query pass
    path = re.sub(r"/[0-9a-f-]{36}", "/{id}", urlsplit(told.url).path.removeprefix("/api.xro/2.0"))
    known = _parameters(path, (told.method or "").lower())
    unknown = set(parse_qs(urlsplit(told.url).query)) - known
    assert not unknown, f"Xero's document knows no {unknown} at {path}"


@functools.cache
def _parameters(path: str, method: str) -> frozenset[str]:
    document = strict_document()
    for pattern, operations in document["paths"].items():
        if re.sub(r"\{[A-Za-z]+\}", "{id}", pattern) == path:
            listed = [*operations.get("parameters", []), *operations[method].get("parameters", [])]
            resolved = [
                document["components"]["parameters"][one["$ref"].rsplit("/", 1)[1]] if "$ref" in one else one
                for one in listed
            ]
            return frozenset(one["name"] for one in resolved if one["in"] == "query")
    raise AssertionError(f"Xero's document has no {path}")


def stamp(instant: datetime) -> str:
    """`/Date(...)/` of an instant."""
    return f"/Date({(instant - EPOCH) // timedelta(milliseconds=1)}+0000)/"


def guid(number: int) -> str:
    """The id of a numbered record."""
    return f"00000000-0000-4000-8000-{number:012}"


def invoice(number: int, *, updated: datetime = NOW, **fields: Any) -> Json:
    """An open sales invoice of 100.00."""
    return {
        "Type": "ACCREC",
        "InvoiceID": guid(number),
        "InvoiceNumber": f"INV-{number:04}",
        "Contact": {"ContactID": guid(7_000), "Name": "Basket Case"},
        "DateString": "2026-07-01T00:00:00",
        "DueDateString": "2026-07-31T00:00:00",
        "Status": "AUTHORISED",
        "LineItems": [],
        "Total": 100.00,
        "AmountDue": 100.00,
        "CurrencyCode": "NZD",
        "UpdatedDateUTC": stamp(updated),
        **fields,
    }


def contact(number: int, *, updated: datetime = NOW, **fields: Any) -> Json:
    """An active contact."""
    return {
        "ContactID": guid(number),
        "ContactStatus": "ACTIVE",
        "Name": f"Customer {number}",
        "UpdatedDateUTC": stamp(updated),
        **fields,
    }


def payment(number: int, *, of: Json, amount: Any = 40.00, updated: datetime = NOW, **fields: Any) -> Json:
    """A payment on a sales invoice."""
    return {
        "PaymentID": guid(number),
        "PaymentType": "ACCRECPAYMENT",
        "Status": "AUTHORISED",
        "Date": "/Date(1787788800000+0000)/",
        "Amount": amount,
        "Invoice": {key: of[key] for key in ("Type", "InvoiceID", "Contact", "CurrencyCode")},
        "UpdatedDateUTC": stamp(updated),
        **fields,
    }


def credit(number: int, *, key: str, kind: str, updated: datetime = NOW, **fields: Any) -> Json:
    """A credit note, overpayment or prepayment of 50.00 with all of it left."""
    return {
        key: guid(number),
        "Type": kind,
        "Contact": {"ContactID": guid(7_000)},
        "Status": "AUTHORISED",
        "DateString": "2026-08-01T00:00:00",
        "Total": 50.00,
        "RemainingCredit": 50.00,
        "Allocations": [],
        "CurrencyCode": "NZD",
        "UpdatedDateUTC": stamp(updated),
        **fields,
    }


_ID_KEYS = {
    "Invoices": "InvoiceID",
    "Contacts": "ContactID",
    "Payments": "PaymentID",
    "CreditNotes": "CreditNoteID",
    "Overpayments": "OverpaymentID",
    "Prepayments": "PrepaymentID",
}


class StandIn:
    """Lists of records, sorted and paged as Xero does; `after_page` is called after each page of a list."""

    def __init__(self) -> None:
        self.records: dict[str, list[Json]] = {name: [] for name in _ID_KEYS}
        self.requests: list[requests.PreparedRequest] = []
        self.after_page: Callable[[str, list[Json]], None] | None = None
        self.now = NOW
        self.inclusive = True
        self.with_pagination = True
        self.largest_page = 1000
        self.first_page_only = False
        self.checked = documents_at_hand()

    def asked(self, name: str) -> list[dict[str, str]]:
        """The queries of the requests for a list, oldest first."""
        found = []
        for request in self.requests:
            address = urlsplit(request.url or "")
            if isinstance(address.path, str) and address.path.endswith(f"/{name}"):
                found.append({key: values[0] for key, values in parse_qs(str(address.query)).items()})
        return found

    def touch(self, name: str, record: Json, at: datetime, **fields: Any) -> None:
        """An edit: new fields and a new time of change."""
        record.update(fields)
        record["UpdatedDateUTC"] = stamp(at)
        assert record in self.records[name]

    def answer(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        """What Xero says; a callback of `responses`."""
        self.requests.append(request)
        if self.checked:
            check_request(request)
        address = urlsplit(str(request.url))
        parts = address.path.removeprefix("/api.xro/2.0/").split("/")
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        name = parts[0]
        if len(parts) == 2:
            found = [one for one in self.records[name] if one[_ID_KEYS[name]] == parts[1]]
            return self._envelope(name, found, None) if found else (404, {}, b"The resource cannot be found")
        rows = [one for one in self.records[name] if self._wanted(name, one, query)]
        since = request.headers.get("If-Modified-Since")
        if since is not None:
            rows = [one for one in rows if self._changed(one, datetime.fromisoformat(since))]
        by_id = query.get("order", "").startswith(_ID_KEYS[name])
        rows.sort(key=lambda one: (0 if by_id else _milliseconds(one), one[_ID_KEYS[name]]))
        number, size = 1 if self.first_page_only else int(query["page"]), min(int(query["pageSize"]), self.largest_page)
        page = rows[(number - 1) * size : number * size]
        pagination = {"page": number, "pageSize": size, "pageCount": -(-len(rows) // size), "itemCount": len(rows)}
        answer = self._envelope(name, page, pagination if self.with_pagination else None)
        if self.after_page is not None:
            self.after_page(name, page)
        return answer

    def _wanted(self, name: str, record: Json, query: dict[str, str]) -> bool:
        if "IDs" in query and record[_ID_KEYS[name]] not in query["IDs"].split(","):
            return False
        if "Statuses" in query and record["Status"] not in query["Statuses"].split(","):
            return False
        if "ContactIDs" in query and record["Contact"]["ContactID"] not in query["ContactIDs"].split(","):
            return False
        where = query.get("where", "")
        if "AmountDue>0" in where and not record["AmountDue"] > 0:
            return False
        day = re.search(r"Date(<|>=)DateTime\((\d+),(\d+),(\d+)\)", where)
        if day is not None and name == "Invoices":
            border = "-".join(day.group(2, 3, 4))
            return bool((record["DateString"][:10] < border) == (day[1] == "<"))
        return True

    def _changed(self, record: Json, since: datetime) -> bool:
        border = (since - EPOCH) // timedelta(milliseconds=1)
        return _milliseconds(record) >= border if self.inclusive else _milliseconds(record) > border + 999

    def _envelope(self, name: str, rows: list[Json], pagination: Json | None) -> tuple[int, dict[str, str], bytes]:
        body: Json = {"Status": "OK", "DateTimeUTC": stamp(self.now), name: rows}
        if pagination is not None:
            body["pagination"] = pagination
        return 200, {"Content-Type": "application/json"}, msgspec.json.encode(body)


def _milliseconds(record: Json) -> int:
    return int(re.findall(r"-?\d+", record["UpdatedDateUTC"])[0])


@contextmanager
def xero_standing_in() -> Iterator[tuple[responses.RequestsMock, StandIn]]:
    """Xero's lists behind its real address for the length of the block."""
    stand_in = StandIn()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        lists = re.compile(re.escape(API) + f"/({'|'.join(_ID_KEYS)})" + r"(/[0-9a-f-]{36})?(\?.*)?$")
        mock.add_callback(responses.GET, lists, callback=stand_in.answer)
        yield mock, stand_in


def connector(
    *, clock: FixedClock | None = None, vault: MemoryVault | None = None, session: requests.Session | None = None
) -> Connector:
    """A connector of the stand-in's organisation."""
    return Connector(
        settings=Settings.model_validate({"client_id": "client", "client_secret": "s3cret"}),
        linked=Linked(TENANT),
        vault=vault or MemoryVault.with_access(),
        budget=UnlimitedBudget(),
        clock=clock or FixedClock(NOW),
        session=session or requests.Session(),
    )
