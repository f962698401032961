"""Holds every exchange between a test and a sandbox against the vendors' own documents."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from tests.quickbooks_fields import QuickBooksFields, whole
from tests.shapes import Shapes, outline

from arsync.sandbox.recording import Exchange

_NAIVE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_TAKEN_BACK = ', "ExpectedPaymentDateString": ""'
_ERROR_KEYS = ({"ErrorNumber", "Type", "Message", "Elements"}, {"Title", "Status", "Detail"})

#: What no document describes, so that nothing can be held against it: the whole list, each with its reason.
NO_DOCUMENT = {
    ("xero", "token"): "the token endpoint",
    ("xero", "revoke"): "the token endpoint",
    ("xero", "authorize"): "the consent page, which people see",
    ("sendgrid", "messages"): "the e-mail activity feed",
}
NO_ANSWER = {
    ("xero", 400, "GET"): "400 is there for writes only; its keys are held against the recorded errors",
    ("xero", 404, "*"): "the document's 404 is no plain text; the recorded one is",
    ("xero", 406, "*"): "XML is not offered by the sandbox",
    ("xero", 414, "*"): "an address too long is refused in front of the vendor's program",
    ("xero", 500, "*"): "a fault on demand",
    ("xero", 502, "*"): "a fault on demand",
    ("sendgrid", 200, "POST"): "sandbox_mode only checks the mail",
    ("sendgrid", 502, "*"): "a fault on demand",
}
BY_HAND = "a test's own request that was refused: breaking the document is its purpose"
NAIVE = "a time without a zone: the vendor's manual takes it, the document does not; arsync never sends it"
EMPTIED = "a day that is taken back: a developer found the field for it (xero-node issue 476), no document has it"
SPOILT = "a record that the test corrupted is left out; the others of its page are not"
SILENT = "a fault before the effect: nothing was answered"


class Broken(AssertionError):
    """An exchange is not as the vendor's document has it."""


class Document:
    """One OpenAPI document, as a judge of exchanges."""

    def __init__(self, file: Path, origin: str) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        content: dict[str, Any] = yaml.load(file.read_bytes(), Loader=loader)
        for path in content["paths"].values():
            for operation in path.values():
                if isinstance(operation, dict):
                    operation.pop("security", None)  # openapi-core cannot check it; `authorized` is looked at instead
        content.pop("security", None)
        content["servers"] = [{"url": origin}]
        self._content = content
        self._origin = origin
        self.shapes = Shapes(content)
        self._judge = OpenAPI.from_dict(content, config=Config(spec_validator_cls=None))
        self._templates = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", template)), template)
            for template in sorted(content["paths"], key=lambda template: template.count("{"))
        ]

    def template(self, path: str) -> str:
        """The path of the document that a path is; the path itself where there is none."""
        return next((template for pattern, template in self._templates if pattern.fullmatch(path)), path)

    def queries(self, template: str, method: str) -> set[str]:
        """The names of the query parameters that an operation takes."""
        path = self._content["paths"].get(template, {})
        listed = [*path.get("parameters", ()), *path.get(method.lower(), {}).get("parameters", ())]
        resolved = [self._resolve(parameter) for parameter in listed]
        return {parameter["name"] for parameter in resolved if parameter["in"] == "query"}

    def check_request(self, exchange: Exchange, path: str) -> None:
        """Raises `OpenAPIError`."""
        self._judge.validate_request(self._request(exchange, path))

    def check_answer(self, exchange: Exchange, path: str, body: bytes) -> None:
        """Raises `OpenAPIError`; `body` in place of the exchange's own."""
        assert exchange.status is not None
        kind = exchange.answer_type.partition(";")[0]
        answer = MockResponse(body, exchange.status, exchange.answer_headers, kind)
        self._judge.validate_response(self._request(exchange, path), answer)

    def _request(self, exchange: Exchange, path: str) -> MockRequest:
        pairs: dict[str, list[str]] = {}
        for name, value in parse_qsl(exchange.query, keep_blank_values=True):
            pairs.setdefault(name, []).append(value)
        kind = exchange.headers.get("content-type", "").partition(";")[0]
        return MockRequest(
            self._origin,
            exchange.method,
            urlsplit(self._origin).path + path,
            args=pairs,
            headers=exchange.headers,
            data=exchange.body.encode(),
            content_type=kind,
        )

    def _resolve(self, parameter: dict[str, Any]) -> dict[str, Any]:
        while reference := parameter.get("$ref"):
            found: Any = self._content
            for name in reference.removeprefix("#/").split("/"):
                found = found[name]
            parameter = found
        return parameter


@cache
def _document(file: Path, origin: str) -> Document:
    """A document is read once for the process."""
    return Document(file, origin)


@dataclass(slots=True)
class Referee:
    """Judges exchanges; of those that are alike to the document's rules it checks one."""

    material: Path
    #: (provider, what became of it): exchanges
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _passed: set[Hashable] = field(default_factory=set)
    _quickbooks: QuickBooksFields | None = None

    def judge(self, exchange: Exchange) -> list[str]:
        """What is wrong with one exchange, in words; nothing where it is as documented."""
        self.counts[exchange.provider, "seen"] += 1
        match exchange.provider:
            case "quickbooks":
                if self._quickbooks is None:
                    self._quickbooks = QuickBooksFields(self.material / "quickbooks")
                found = self._quickbooks.problems(exchange)
            case "xero" if exchange.path.lower().startswith("/connections"):
                path = exchange.path[:12].title() + exchange.path[12:]
                found = self._hold(exchange, self._document("xero/xero-identity.yaml", "https://api.xero.com"), path)
            case "xero":
                document = self._document("xero/xero_strict.yaml", "https://api.xero.com/api.xro/2.0")
                found = self._hold(exchange, document, exchange.path.removeprefix("/api.xro/2.0"))
            case "sendgrid" if exchange.path.startswith(("/v3/suppression/", "/v3/asm/")):
                document = self._document("sendgrid/tsg_suppressions_v3.yaml", "https://api.sendgrid.com")
                found = self._hold(exchange, document, exchange.path)
            case _:
                document = self._document("sendgrid/sg_strict.yaml", "https://api.sendgrid.com")
                found = self._hold(exchange, document, exchange.path)
        query = f"?{unquote(exchange.query)}" if exchange.query else ""
        place = f"{exchange.provider} {exchange.method} {exchange.path}{query} -> {exchange.status}"
        return [f"{place[:300]}: {problem}" for problem in found]

    def _document(self, name: str, origin: str) -> Document:
        return _document(self.material / name, origin)

    def _hold(self, exchange: Exchange, document: Document, path: str) -> list[str]:
        provider = exchange.provider
        if reason := NO_DOCUMENT.get((provider, exchange.resource.partition("/")[0])):
            self.counts[provider, reason] += 1
            return []
        template = document.template(path)
        operation = (provider, exchange.method, template)
        found: list[str] = []
        by_hand = not exchange.headers.get("user-agent", "").startswith("arsync")
        if by_hand and exchange.status is not None and 400 <= exchange.status < 500:
            self.counts[provider, BY_HAND] += 1
        else:
            if by_hand and _NAIVE.fullmatch(exchange.headers.get("if-modified-since", "")):
                self.counts[provider, NAIVE] += 1
                headers = {name: value for name, value in exchange.headers.items() if name != "if-modified-since"}
                exchange = msgspec.structs.replace(exchange, headers=headers)
            if provider == "xero" and _TAKEN_BACK in exchange.body:
                self.counts[provider, EMPTIED] += 1
                exchange = msgspec.structs.replace(exchange, body=exchange.body.replace(_TAKEN_BACK, ""))
            found += self._request(exchange, document, path, operation)
        if exchange.status is None:
            self.counts[provider, SILENT] += 1
        else:
            found += self._answer(exchange, document, path, operation)
        return found

    def _request(self, exchange: Exchange, document: Document, path: str, operation: tuple[str, str, str]) -> list[str]:
        found = [] if exchange.authorized else ["the request carries no credential"]
        pairs = parse_qsl(exchange.query, keep_blank_values=True)
        if unknown := {name for name, _ in pairs} - document.queries(operation[2], exchange.method):
            found.append(f"the operation takes no {', '.join(sorted(unknown))}")
        try:
            body = msgspec.json.decode(exchange.body) if exchange.body else None
        except msgspec.DecodeError as error:
            return [*found, f"the request is not JSON: {error}"]
        of = document.shapes.of
        asked = frozenset((name, frozenset(map(of, value.split(",")))) for name, value in pairs)
        headers = frozenset((name, of(value)) for name, value in exchange.headers.items())
        shape = (*operation, asked, headers, of(body))
        if shape not in self._passed:
            try:
                document.check_request(exchange, path)
            except OpenAPIError as error:
                found.append(f"request: {_words(error)}")
            else:
                self._passed.add(shape)
                self.counts[exchange.provider, "kinds of request"] += 1
        return found

    def _answer(self, exchange: Exchange, document: Document, path: str, operation: tuple[str, str, str]) -> list[str]:
        provider, status = exchange.provider, exchange.status
        if provider == "sendgrid" and _refused_list(exchange):
            self.counts[provider, "the document of the lists has no refusals"] += 1
            return _refusal(exchange)
        for method in (exchange.method, "*"):
            if reason := NO_ANSWER.get((provider, status or 0, method)):
                self.counts[provider, reason] += 1
                return _refusal(exchange)
        if exchange.answer_type.startswith("application/pdf"):
            return [] if exchange.answer.startswith("%PDF-") else ["the answer is no PDF"]
        of = document.shapes.of
        fresh: set[Hashable] = set()
        if exchange.spoilt:
            self.counts[provider, SPOILT] += 1
        try:
            body: Any = None
            if exchange.answer.startswith("{"):
                parts = msgspec.json.decode(exchange.answer, type=dict[str, msgspec.Raw])
                body = {
                    name: self._unlike((*operation, status, name), bytes(raw), of, fresh, exchange.spoilt)
                    for name, raw in parts.items()
                }
            elif exchange.answer:
                body = msgspec.json.decode(exchange.answer)
        except msgspec.DecodeError as error:
            return [f"the answer is not JSON: {error}"]
        shape = (*operation, status, exchange.answer_type, of(body))
        if shape in self._passed:
            self._passed |= fresh
            return []
        try:
            document.check_answer(exchange, path, msgspec.json.encode(body) if body is not None else b"")
        except OpenAPIError as error:
            return [f"answer: {_words(error)}"]
        self._passed |= {shape, *fresh}
        self.counts[provider, "kinds of answer"] += 1
        return []

    def _unlike(
        self,
        place: tuple[Hashable, ...],
        raw: bytes,
        of: Callable[[Any], Hashable],
        fresh: set[Hashable],
        spoilt: Collection[str],
    ) -> Any:
        """A part of an answer; of a page of records those that are unlike all that passed, or one to stand for them."""
        if not raw.startswith(b"["):
            return msgspec.json.decode(raw)
        if spoilt:
            return whole(msgspec.json.decode(raw), spoilt)
        outlines = {outline(bytes(record)): record for record in msgspec.json.decode(raw, type=list[msgspec.Raw])}
        unlike = {
            line: msgspec.json.decode(record) for line, record in outlines.items() if (*place, line) not in self._passed
        }
        kinds = {(*place, of(record)): record for record in unlike.values()}
        new = {kind: record for kind, record in kinds.items() if kind not in self._passed}
        fresh |= set(new) | {(*place, line) for line in unlike}
        return list(new.values()) or [msgspec.json.decode(record) for record in list(outlines.values())[:1]]


def _refused_list(exchange: Exchange) -> bool:
    return exchange.path.startswith(("/v3/suppression/", "/v3/asm/")) and (exchange.status or 0) >= 400


def _refusal(exchange: Exchange) -> list[str]:
    """What can be told of an answer without a schema."""
    if exchange.provider != "xero" or exchange.status not in (400, 404):
        return []
    if exchange.status == 404:
        return [] if exchange.answer_type.startswith("text/plain") else ["a 404 is plain text"]
    try:
        keys = set(msgspec.json.decode(exchange.answer))
    except msgspec.DecodeError as error:
        return [f"the answer is not JSON: {error}"]
    return [] if any(keys <= known for known in _ERROR_KEYS) else [f"a 400 of unknown keys {sorted(keys)}"]


def _words(error: BaseException) -> str:
    """What openapi-core found, with the schema errors below it."""
    words, below = [str(error)], error.__cause__
    while below is not None:
        words.append(str(below))
        words += [
            f"{'/'.join(map(str, one.absolute_path))}: {one.message}" for one in getattr(below, "schema_errors", ())
        ]
        below = below.__cause__
    return "; ".join(dict.fromkeys(word[:300] for word in words))
