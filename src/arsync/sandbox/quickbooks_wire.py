"""Answers in the shapes that QuickBooks Online was recorded to send."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from arsync.sandbox.http import Answer, encode

PACIFIC = ZoneInfo("America/Los_Angeles")  # the vendor writes every company's time stamps in it


class Refused(Exception):
    """A request that QuickBooks refuses, with all that its fault body needs."""

    def __init__(
        self,
        code: str,
        message: str,
        detail: str,
        *,
        kind: str = "ValidationFault",
        status: int = 400,
        element: str = "",
    ) -> None:
        super().__init__(f"{code} {message}: {detail}")
        self.status = status
        self.kind = kind
        self.error = {"Message": message, "Detail": detail, "code": code, "element": element}

    def fault(self) -> dict[str, Any]:
        """The `Fault` object."""
        return {"Error": [self.error], "type": self.kind}

    def answer(self, now: datetime) -> Answer:
        """The fault as a whole answer."""
        return Answer.json({"Fault": self.fault(), "time": milliseconds(now)}, self.status)


def seconds(instant: datetime) -> str:
    """A MetaData time stamp, such as 2023-02-18T12:59:21-08:00."""
    return instant.astimezone(PACIFIC).isoformat(timespec="seconds")


def milliseconds(instant: datetime) -> str:
    """The `time` of an answer."""
    return instant.astimezone(PACIFIC).isoformat(timespec="milliseconds")


def not_found() -> Refused:
    """610, with HTTP 400."""
    return Refused(
        "610",
        "Object Not Found",
        "Object Not Found : Something you're trying to use has been made inactive. "
        "Check the fields with accounts, customers, items, vendors or employees.",
    )


def stale() -> Refused:
    """5010: somebody saved in between."""
    return Refused(
        "5010",
        "Stale Object Error",
        "Stale Object Error : You and Jane Doe were working on this at the same time. "
        "Jane Doe finished before you did, so your work was not saved.",
    )


def unsupported_property(name: str, entity: str, known: Iterable[str]) -> Refused:
    """2010: a property that the vendor does not know."""
    listed = ", ".join(f'"{field}"' for field in known)
    return Refused(
        "2010",
        "Request has invalid or unsupported property",
        f'Property Name:Unrecognized field "{name}" (class com.intuit.schema.finance.v3.{entity}), '
        f"not marked as ignorable (known properties: {listed})\n specified is unsupported or invalid",
    )


def invalid_property(name: str, reason: str) -> Refused:
    """2010: a property of the wrong type."""
    return Refused(
        "2010",
        "Request has invalid or unsupported property",
        f"Property Name:{name} specified is unsupported or invalid: {reason}",
    )


def unsupported_operation(path: str) -> Refused:
    """500 in the body, 400 on the wire."""
    return Refused(
        "500",
        "Unsupported Operation",
        f"Operation Could not find resource for relative : {path} is not supported.",
    )


def unauthorised(now: datetime, detail: str) -> Answer:
    """401: the one body with lower-case keys and an epoch time."""
    body: dict[str, Any] = {
        "warnings": None,
        "intuitObject": None,
        "fault": {
            "error": [
                {
                    "message": "message=AuthenticationFailed; errorCode=003200; statusCode=401",
                    "detail": detail,
                    "code": "3200",
                    "element": None,
                }
            ],
            "type": "AUTHENTICATION",
        },
        "report": None,
        "queryResponse": None,
        "batchItemResponse": [],
        "attachableResponse": [],
        "syncErrorResponse": None,
        "requestId": None,
        "time": int(now.astimezone(UTC).timestamp() * 1000),
        "status": None,
        "cdcresponse": [],
    }
    return Answer.json(body, 401, WWW_Authenticate='Bearer realm="Intuit", error="invalid_token"')


def wrong_realm() -> Refused:
    """403: the token is good, the company is another one."""
    return Refused(
        "3100",
        "message=ApplicationAuthorizationFailed; errorCode=003100; statusCode=403",
        "The application is not authorised for this company.",
        kind="AUTHORIZATION",
        status=403,
    )


def throttled(now: datetime, retry_after: int | None) -> Answer:
    """429; the vendor was never recorded to send Retry-After."""
    fault = {
        "Error": [
            {
                "Message": "message=ThrottleExceeded; errorCode=003001; statusCode=429",
                "Detail": "The request limit was reached.  Try again later",
                "code": "3001",
            }
        ],
        "type": "SERVICE",
    }
    answer = Answer.json({"Fault": fault, "time": milliseconds(now)}, 429)
    if retry_after is not None:
        answer.headers["Retry-After"] = str(retry_after)
    return answer


def broken(now: datetime, status: int) -> Answer:
    """A 500 from the application is JSON; the gateway's 502, 503 and 504 are HTML."""
    if status in (502, 503, 504):
        page = f"<html><head><title>{status}</title></head><body><h1>{status} Service Unavailable</h1></body></html>"
        return Answer(status, page.encode(), content_type="text/html")
    refusal = Refused(
        "10000",
        "An application error has occurred while processing your request",
        "System Failure Error: the sandbox was told to fail",
        kind="SystemFault",
        status=status,
    )
    return refusal.answer(now)


def query_response(entity: str, records: list[bytes], start: int) -> bytes:
    """A `QueryResponse` object around records that are JSON already; `{}` where there are none."""
    if not records:
        return b"{}"
    return b'{"%s":[%s],"startPosition":%d,"maxResults":%d}' % (
        entity.encode(),
        b",".join(records),
        start,
        len(records),
    )


def envelope(key: str, value: bytes, now: datetime) -> Answer:
    """`{key: value, "time": ...}` around JSON bytes."""
    return Answer(200, b'{"%s":%s,"time":%s}' % (key.encode(), value, encode(milliseconds(now))))
