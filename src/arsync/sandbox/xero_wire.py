"""Xero's shapes on the wire: dates, envelopes and refusals, as recorded from the vendor."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec

PROVIDER_NAME = "arsync sandbox"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL = EPOCH.toordinal()
NOT_FOUND_TEXT = "The resource you're looking for cannot be found"

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(value: object) -> bytes:
    """JSON bytes; a Decimal becomes a JSON number with the digits it has."""
    return _encoder.encode(value)


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, the precision of every Xero time stamp."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def moment_stamp(moment: datetime) -> str:
    """`/Date(1541176592690+0000)/` for a moment in UTC."""
    return f"/Date({milliseconds(moment)}+0000)/"


def moment_text(moment: datetime) -> str:
    """`2018-11-02T16:36:32Z`, the twin of a moment's stamp."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day_stamp(day: date) -> str:
    """`/Date(1539993600000+0000)/`: midnight UTC of a calendar day."""
    return f"/Date({(day.toordinal() - EPOCH_ORDINAL) * 86_400_000}+0000)/"


def day_text(day: date) -> str:
    """`2018-10-20T00:00:00`, the twin of a day's stamp."""
    return f"{day.isoformat()}T00:00:00"


def new_id() -> str:
    """A fresh identifier in the vendor's form."""
    return str(uuid.uuid4())


def is_guid(text: str) -> bool:
    """Whether the text is an identifier in the vendor's form."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def envelope(now: datetime, noun: str, records: Sequence[bytes], pagination: dict[str, int] | None = None) -> bytes:
    """One answer around records that are already JSON, so that a page of a thousand costs a join."""
    head = {
        "Id": new_id(),
        "Status": "OK",
        "ProviderName": PROVIDER_NAME,
        "DateTimeUTC": f"/Date({milliseconds(now)})/",
    }
    parts = [encode(head)[:-1]]
    if pagination is not None:
        parts.append(b',"pagination":' + encode(pagination))
    parts.append(b',"' + noun.encode() + b'":[' + b",".join(records) + b"]}")
    return b"".join(parts)


@dataclass(slots=True)
class Refusal(Exception):
    """The vendor refuses the request, with this status, body and headers."""

    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


def unauthorised(detail: str) -> Refusal:
    """401 with capital keys: no, unknown or expired access token."""
    body = {"Title": "Unauthorized", "Status": 401, "Detail": detail, "Instance": new_id()}
    return Refusal(401, encode(body), headers=(("WWW-Authenticate", 'OAuth Realm="api.xero.com"'),))


def forbidden() -> Refusal:
    """403 with lower-case keys: the tenant header names nothing this token may see."""
    body = {
        "title": "Forbidden",
        "status": 403,
        "detail": "AuthenticationUnsuccessful",
        "instance": new_id(),
    }
    return Refusal(403, encode(body))


def not_found() -> Refusal:
    """404 as plain text, as recorded."""
    return Refusal(404, NOT_FOUND_TEXT.encode(), content_type="text/plain; charset=utf-8")


def bad_query(message: str) -> Refusal:
    """400 for a filter, an order or a parameter the vendor does not understand."""
    body = {"ErrorNumber": 16, "Type": "QueryParseException", "Message": message}
    return Refusal(400, encode(body))


def invalid(messages: Iterable[str], element: dict[str, object] | None = None) -> Refusal:
    """400 for a body the vendor refuses; every message stands in the element's ValidationErrors."""
    listed = [{"Message": message} for message in messages]
    body = {
        "ErrorNumber": 10,
        "Type": "ValidationException",
        "Message": "A validation exception occurred",
        "Elements": [{**(element or {}), "ValidationErrors": listed}],
    }
    return Refusal(400, encode(body))


def too_many(problem: str, retry_after: int) -> Refusal:
    """429 for the named limit (`minute`, `day`, `appminute`, `concurrent`), seconds to wait in its header."""
    return Refusal(
        429,
        encode({"Title": "Too Many Requests", "Status": 429, "Detail": f"The {problem} limit was reached."}),
        headers=(("Retry-After", str(retry_after)), ("X-Rate-Limit-Problem", problem)),
    )


def number(value: Decimal) -> Decimal:
    """An amount as Xero prints it: a JSON number with two decimal places."""
    return value.quantize(Decimal("0.01"))
