"""A Xero client for tests that holds every exchange against the vendor's own documents."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
import requests
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse
from tests.conftest import material

from arsync.sandbox.launch import SandboxControl

GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_ERROR_KEYS = {"ErrorNumber", "Type", "Message", "Elements"}
_DATE = re.compile(r"/Date\((-?\d+)(\+0000)?\)/")


@cache
def document(name: str) -> dict[str, Any]:
    """One of the vendor's OpenAPI documents as a dictionary, without its OAuth: openapi-core cannot check that."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: dict[str, Any] = yaml.load((material() / "xero" / name).read_bytes(), Loader=loader)
    for path in loaded["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict):
                operation.pop("security", None)
    return loaded


@cache
def recorded(name: str) -> Any:
    """One of the vendor's recorded answers."""
    return json.loads((material() / "xero" / name).read_text())


@cache
def checker(name: str, server: str) -> OpenAPI:
    """The document as a validator of exchanges with a server."""
    moved = {**document(name), "servers": [{"url": server}]}
    return OpenAPI.from_dict(moved, config=Config(spec_validator_cls=None))


@dataclass(slots=True)
class Xero:
    """Speaks to one organisation; every request and answer is checked before a test sees it."""

    sandbox: SandboxControl
    card: dict[str, Any]
    tenant: str = ""
    token: str = ""
    refresh_token: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.tenant = self.tenant or self.card["id"]
        if not self.token:
            self.sign_in()

    def sign_in(self, refresh_token: str = "") -> requests.Response:
        """Trade a refresh token (the card's, unless said) for a pair and use it."""
        answer = self.ask_token(
            grant_type="refresh_token", refresh_token=refresh_token or self.refresh_token or self.card["refresh_token"]
        )
        if answer.status_code == 200:
            self.token, self.refresh_token = answer.json()["access_token"], answer.json()["refresh_token"]
        return answer

    def ask_token(self, **form: str) -> requests.Response:
        """One request to the token endpoint with the client in the form."""
        client = {"client_id": self.card["client_id"], "client_secret": self.card["client_secret"]}
        return self.session.post(self.sandbox.xero_token, data=client | form, timeout=30)

    def get(
        self, path: str, *, headers: Mapping[str, str] | None = None, lax: bool = False, **query: Any
    ) -> requests.Response:
        """Read; `lax` where the request itself is meant to break the document."""
        return self.send(requests.Request("GET", self._url(path), params=query), headers=headers, lax=lax)

    def put(self, path: str, body: Any, *, key: str | None = None, lax: bool = False) -> requests.Response:
        """Write, with an idempotency key where one is given."""
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key is not None else {})
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return self.send(requests.Request("PUT", self._url(path), data=data), headers=headers, lax=lax)

    def note(self, path: str, text: str, *, key: str | None = None, lax: bool = False) -> requests.Response:
        """Write one history note."""
        return self.put(f"{path}/History", {"HistoryRecords": [{"Details": text}]}, key=key, lax=lax)

    def records(self, noun: str, **query: Any) -> list[dict[str, Any]]:
        """The records of one list answer."""
        found: list[dict[str, Any]] = self.get(noun, **query).json()[noun]
        return found

    def one(self, noun: str, record_id: str) -> dict[str, Any]:
        """One record by its id."""
        (found,) = self.get(f"{noun}/{record_id}").json()[noun]
        return dict(found)

    def send(
        self, request: requests.Request, *, headers: Mapping[str, str] | None = None, lax: bool = False
    ) -> requests.Response:
        """Send one request and check both sides of the exchange."""
        request.headers = {
            "Accept": "application/json",
            "xero-tenant-id": self.tenant,
            "Authorization": f"Bearer {self.token}",
            **(headers or {}),
        }
        prepared = self.session.prepare_request(request)
        answer = self.session.send(prepared, timeout=30)
        self._check(prepared, answer, lax=lax)
        return answer

    def _url(self, path: str) -> str:
        return f"{self.sandbox.xero_api}/{path}"

    def _check(self, prepared: requests.PreparedRequest, answer: requests.Response, *, lax: bool) -> None:
        strict = checker("xero_strict.yaml", self.sandbox.xero_api)
        asked = RequestsOpenAPIRequest(prepared)
        if not lax:
            strict.validate_request(asked)
        match answer.status_code:
            case 404:  # the document knows no plain text; the recorded answer does
                assert answer.headers["Content-Type"].startswith("text/plain")
                assert answer.text == recorded("errors.json")[6]["body"]
            case 406 | 414:
                assert answer.headers["Content-Type"].startswith("text/plain")
            case 400:
                body = answer.json()
                assert set(body) <= _ERROR_KEYS or set(body) == {"Title", "Status", "Detail"}
                if prepared.method == "PUT" and "Type" in body:
                    strict.validate_response(asked, RequestsOpenAPIResponse(answer))
            case status:
                assert status < 400 or status in (401, 403, 429, 503), answer.text
                strict.validate_response(asked, RequestsOpenAPIResponse(answer))
        limits = {"X-MinLimit-Remaining", "X-DayLimit-Remaining", "X-AppMinLimit-Remaining"}
        assert limits <= set(answer.headers), "the limits stand on every answer"


def stamp(text: str) -> int:
    """Milliseconds of a `/Date(...)/`."""
    match = _DATE.fullmatch(text)
    assert match, text
    return int(match[1])
