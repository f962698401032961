"""A vendor request and its answer, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import msgspec

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(value: Any) -> bytes:
    """JSON bytes; Decimal becomes a JSON number with its digits."""
    return _encoder.encode(value)


@dataclass(slots=True)
class Request:
    """One request as a provider sees it: `path` starts after the provider's prefix (`/v3/...`, `/api.xro/...`)."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]  # keys in lower case
    body: bytes
    remaining: dict[str, int] = field(default_factory=dict)  # window ("minute", "day", ...) -> requests left

    @property
    def query(self) -> dict[str, list[str]]:
        """Query parameters, decoded, blanks kept."""
        return parse_qs(self.query_string, keep_blank_values=True)

    def param(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(name, [default])[0]

    def header(self, name: str, default: str = "") -> str:
        """A header by its name, in any case."""
        return self.headers.get(name.lower(), default)

    def form(self) -> dict[str, str]:
        """The body as a form, first value of each field."""
        return {name: values[0] for name, values in parse_qs(self.body.decode("latin-1")).items()}

    def bearer(self) -> str:
        """The bearer token, or an empty string."""
        kind, _, token = self.header("authorization").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""

    def json(self) -> Any:
        """The body as JSON; raises `ValueError` where it is none."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from None


@dataclass(slots=True)
class Answer:
    """What goes back on the wire, and what the request log says of it."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    effect: bool = False  # something was written by this request (a replay is no effect)
    idempotency_key: str | None = None
    served: Sequence[str] = ()  # ids of the invoices in a data page that was read

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Answer:
        """A JSON answer; header names are given with underscores."""
        return cls(status, encode(value), {name.replace("_", "-"): text for name, text in headers.items()})
