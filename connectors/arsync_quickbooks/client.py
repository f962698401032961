"""QuickBooks Online by python-quickbooks: it builds the requests, `Transport` sends them, the bytes come back as sent.

The SDK's own reading is left out: it would turn amounts into floats, and errors into classes that do not say what to
do next.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import msgspec
import requests
from quickbooks.client import QuickBooks

from arsync.connector import Clock, Transport, pdf_in
from arsync.errors import Barred, Gone, Malformed, OutcomeUnknown, Reauthorise, Rejected, RetryLater, Stale
from arsync_quickbooks import wire

_THROTTLED: Final = "3001"
_NOT_FOUND: Final = "610"
_STALE: Final = "5010"
_NOT_ALLOWED: Final = frozenset({"3100", "3200", "3202"})
_OK: Final = 200
_REFUSED: Final = 403


class _Effects:
    """The transport for requests that change something."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def access_token(self) -> str:
        return self._transport.access_token

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        return self._transport.request(method, url, effect=True, **options)


class _Sdk(QuickBooks):  # type: ignore[misc] # the SDK has no types
    """The SDK's client over a session of ours; every request of it returns the answer itself."""

    def __init__(self, *, base_url: str, session: Transport | _Effects, company_id: str, minorversion: int) -> None:
        self.api_url_v3 = base_url
        self.session = session
        self.company_id = company_id
        self.minorversion = minorversion

    def make_request(
        self,
        request_type: str,
        url: str,
        request_body: Any = None,
        content_type: str = "application/json",
        params: dict[str, Any] | None = None,
        file_path: str | None = None,
        file_bytes: bytes | None = None,
        request_id: str | None = None,
    ) -> requests.Response:
        assert file_path is None and file_bytes is None, "notes have no files"
        query = {**(params or {}), "minorversion": self.minorversion}
        if request_id:
            query["requestid"] = request_id
        headers = {"Content-Type": content_type, "Accept": "application/json", "User-Agent": "arsync"}
        answer: requests.Response = self.process_request(
            request_type, url, headers=headers, params=query, data=request_body or None
        )
        return answer


@dataclass(frozen=True, slots=True)
class Found:
    """The records of one entity, not yet decoded, and the source's time when it answered."""

    raws: Sequence[msgspec.Raw]
    at: datetime


@dataclass(frozen=True, slots=True)
class FoundPage:
    """The records of one entity, and the source's time when it answered.

    `records` is None where not every one of them could be decoded; `raws` gives them undecoded, read anew.
    """

    records: Sequence[wire.Entity] | None
    raws: Callable[[], Sequence[msgspec.Raw]]
    at: datetime


class Books:
    """One company's books at QuickBooks Online; reads wait out throttling, writes are sent once."""

    def __init__(self, *, transport: Transport, base_url: str, realm: str, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        # A version below 75 is ignored by Intuit since August 2025.
        self._reads = _Sdk(base_url=base_url, session=transport, company_id=realm, minorversion=75)
        self._writes = _Sdk(base_url=base_url, session=_Effects(transport), company_id=realm, minorversion=75)

    def find(self, entity: str, conditions: Sequence[str] = (), ending: str = "") -> Found:
        """The records of an entity under all those conditions; `ending` holds the order and the page."""
        rows, at = self._query(f"SELECT * FROM {entity}{_where(conditions)} {ending}".rstrip())  # noqa: S608 - no SQL
        return Found(raws=_of(rows, entity), at=at)

    def page(self, entity: str, conditions: Sequence[str], ending: str) -> Callable[[], FoundPage]:
        """The same for a page of records that are to be mapped: asked for now, decoded by what this gives."""
        answer = self._ask(f"SELECT * FROM {entity}{_where(conditions)} {ending}")  # noqa: S608 - no SQL
        return partial(self._found_page, entity, answer)

    def _found_page(self, entity: str, answer: requests.Response) -> FoundPage:
        try:
            envelope = wire.RECORDS.decode(answer.content)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            envelope = wire.RecordsAnswer()  # one of them cannot be, or nothing can: the other way tells which
        if envelope.query_response is None or envelope.fault != wire.NO_FAULT:
            rows, at = self._opened(answer)
            return FoundPage(None, lambda: _of(rows, entity), at)
        records: Sequence[wire.Entity] | None = getattr(envelope.query_response, _FIELD[entity])
        at = self._time(answer, envelope.time)
        return FoundPage(records or (), lambda: _of(self._opened(answer)[0], entity), at)

    def together(
        self, *queries: tuple[str, Sequence[str], str], dispensable: Collection[str] = ()
    ) -> tuple[Found, ...]:
        """What `find` gives for several queries (entity, conditions, ending), thirty at most, by one request. A
        dispensable entity that is refused comes as none."""
        items = [
            {"bId": str(number), "Query": f"SELECT * FROM {entity}{_where(conditions)} {ending}".rstrip()}  # noqa: S608
            for number, (entity, conditions, ending) in enumerate(queries)
        ]
        body = msgspec.json.encode({"BatchItemRequest": items}).decode()
        spared = {str(number) for number, (entity, _, _) in enumerate(queries) if entity in dispensable}

        def once() -> tuple[wire.BatchAnswer, requests.Response]:
            answer: requests.Response = self._reads.batch_operation(body)
            if answer.status_code != _OK:
                raise _refusal(answer.status_code, answer.content)
            envelope = _decoded(wire.BATCH, answer)
            for item in envelope.items or ():
                if item.fault != wire.NO_FAULT:  # a throttled one is asked for again, with the others
                    refusal = _refusal(answer.status_code, bytes(item.fault))
                    if not (isinstance(refusal, Rejected) and str(item.b_id) in spared):
                        raise refusal
            return envelope, answer

        envelope, answer = self._transport.patiently(once)
        rows = {str(item.b_id): item.query_response for item in envelope.items or ()}
        at = self._time(answer, envelope.time)
        found = []
        for number, (entity, _, _) in enumerate(queries):
            told = rows.get(str(number))
            if told is None and str(number) in spared:
                told = wire.Rows()
            if told is None:
                raise Malformed("a batch without the answer to one of its queries")
            found.append(Found(raws=_of(told, entity), at=at))
        return tuple(found)

    def count(self, entity: str, conditions: Sequence[str] = ()) -> tuple[int, datetime]:
        """How many records stand under those conditions, and the source's time."""
        rows, at = self._query(f"SELECT COUNT(*) FROM {entity}{_where(conditions)}")  # noqa: S608 - no SQL
        try:
            return int(rows.total_count if rows.total_count is not None else ""), at
        except ValueError:
            raise Malformed("a count without totalCount") from None

    def changes(
        self, entities: Collection[str], since: datetime
    ) -> tuple[Mapping[str, Sequence[msgspec.Raw]], datetime]:
        """What changed in those entities (change data capture), and the source's time."""
        answer = self._read(lambda: self._reads.change_data_capture(",".join(entities), since.isoformat()))
        envelope = _decoded(wire.CHANGES, answer)
        if envelope.changes is None:
            raise Malformed("changes without CDCResponse")
        found: dict[str, list[msgspec.Raw]] = {entity: [] for entity in entities}
        for part in (part for block in envelope.changes for part in block.query_response or () if part):
            if part.fault != wire.NO_FAULT:
                raise _refusal(answer.status_code, bytes(part.fault))
            for entity in entities:
                found[entity] += _of(part, entity)
        return found, self._time(answer, envelope.time)

    def create(self, entity: str, body: Mapping[str, object], *, key: str) -> wire.Attachable:
        """Creates the object once; the same key within QuickBooks' memory gives the same object again."""
        answer: requests.Response = self._writes.create_object(
            entity, msgspec.json.encode(body).decode(), request_id=key
        )
        if answer.status_code != _OK:
            raise _of_a_write(_refusal(answer.status_code, answer.content))
        try:
            told = wire.CREATED_NOTE.decode(answer.content)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise OutcomeUnknown("the answer cannot be read") from None
        if told.fault != wire.NO_FAULT:
            raise _of_a_write(_refusal(answer.status_code, bytes(told.fault)))
        if told.attachable is None or told.attachable.id is None:
            raise OutcomeUnknown("the answer does not name what was created")
        return told.attachable

    def single(self, entity: str, remote_id: str, **options: str) -> bytes:
        """One record by its id, as QuickBooks sent it; Gone where there is none."""
        path = f"{self._reads.api_url_v3}/company/{self._reads.company_id}/{entity.lower()}/{quote(remote_id, safe='')}"

        def once() -> requests.Response:
            answer = self._reads.make_request("GET", path, params=dict(options))
            if answer.status_code != _OK:
                raise _of_one(answer)
            return answer

        return self._transport.patiently(once).content

    def pdf(self, entity: str, remote_id: str) -> bytes:
        """One record as QuickBooks prints it; Gone where there is none."""
        path = f"{self._reads.api_url_v3}/company/{self._reads.company_id}/{entity.lower()}"
        headers = {"Accept": "application/pdf", "User-Agent": "arsync"}

        def once() -> bytes:
            answer = self._transport.request(
                "GET", f"{path}/{quote(remote_id, safe='')}/pdf", headers=headers, stream=True
            )
            if answer.status_code != _OK:
                raise _of_one(answer)
            return pdf_in(answer)

        return self._transport.patiently(once)

    def update(self, entity: str, body: Mapping[str, object], *, key: str) -> None:
        """A sparse update, sent once; Stale where the record has changed since its SyncToken was read."""
        sparse = msgspec.json.encode({**body, "sparse": True}).decode()
        answer: requests.Response = self._writes.update_object(entity, sparse, request_id=key)
        if answer.status_code != _OK:
            code, message = _fault(answer.content)
            if code == _STALE:
                raise Stale(f"{code} {message}")
            raise _of_a_write(_refusal(answer.status_code, answer.content))

    def _query(self, text: str) -> tuple[wire.Rows, datetime]:
        return self._opened(self._ask(text))

    def _ask(self, text: str) -> requests.Response:
        return self._read(lambda: self._reads.query(text))

    def _opened(self, answer: requests.Response) -> tuple[wire.Rows, datetime]:
        envelope = _decoded(wire.QUERY, answer)
        if envelope.query_response is None:
            raise Malformed("a query answer without QueryResponse")
        return envelope.query_response, self._time(answer, envelope.time)

    def _read(self, ask: Any) -> requests.Response:
        def once() -> requests.Response:
            answer: requests.Response = ask()
            if answer.status_code != _OK:
                raise _refusal(answer.status_code, answer.content)
            return answer

        return self._transport.patiently(once)

    def _time(self, answer: requests.Response, told: str | int | None) -> datetime:
        try:
            if isinstance(told, int):
                return datetime.fromtimestamp(told / 1000, UTC)
            if told:
                instant = datetime.fromisoformat(told)
                return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
            return parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
        except (KeyError, TypeError, ValueError, OverflowError):
            return self._clock.now()


_FIELD: Final = {
    "Customer": "customer",
    "Invoice": "invoice",
    "Payment": "payment",
    "CreditMemo": "credit_memo",
    "Attachable": "attachable",
    "CompanyInfo": "company_info",
    "Preferences": "preferences",
    "CustomerType": "customer_type",
}


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _of(rows: wire.Rows, entity: str) -> Sequence[msgspec.Raw]:
    raws: wire.Raws | None = getattr(rows, _FIELD[entity])
    return raws or ()


def _decoded(kind: msgspec.json.Decoder[Any], answer: requests.Response) -> Any:
    try:
        envelope = kind.decode(answer.content)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Malformed(f"no envelope in an answer of {len(answer.content)} bytes") from None
    if envelope.fault != wire.NO_FAULT:
        raise _refusal(answer.status_code, bytes(envelope.fault))
    return envelope


def _refusal(status: int, body: bytes) -> Rejected | RetryLater | Reauthorise:
    """What a fault means for the worker. Its Detail is left out: it quotes tokens, names and contents."""
    code, message = _fault(body)
    if code == _THROTTLED:
        return RetryLater("the vendor throttles")
    text = " ".join(part for part in (f"HTTP {status}", code, message) if part)
    if status == _REFUSED and code in _NOT_ALLOWED:
        return Reauthorise(text)
    return Rejected(text)


def _of_one(answer: requests.Response) -> Gone | Rejected | RetryLater | Reauthorise:
    code, message = _fault(answer.content)
    return Gone(f"{code} {message}") if code == _NOT_FOUND else _refusal(answer.status_code, answer.content)


def _of_a_write(refusal: Rejected | RetryLater | Reauthorise) -> Rejected | RetryLater:
    """What may be read and not written says nothing of the consent as a whole; the next read does."""
    return Barred(refusal.detail) if isinstance(refusal, Reauthorise) else refusal


def _fault(body: bytes) -> tuple[str, str]:
    """Code and message of the first error, in either of the two shapes QuickBooks has."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "", ""
    fault = (found.get("Fault") or found.get("fault") or found) if isinstance(found, dict) else {}
    errors = (fault.get("Error") or fault.get("error")) if isinstance(fault, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return "", ""
    message = first.get("Message") or first.get("message") or ""
    return str(first.get("code") or "")[:20], str(message)[:160]
