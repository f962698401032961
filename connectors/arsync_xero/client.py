"""Xero's API through its SDK, with the SDK's transport taken out.

The SDK names the operations, builds addresses, headers and bodies; its own HTTP client would retry writes, sleep for
hours and wait for ever, so a bridge to `Transport` stands in its place. Its models are not used for reading: one
unknown word in one record would lose the whole page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final

import msgspec
from xero_python.accounting import AccountingApi, HistoryRecord, HistoryRecords
from xero_python.api_client import ApiClient, Configuration
from xero_python.api_client.oauth2 import OAuth2Token

from arsync.connector import Clock, NoteTarget, TargetKind, Transport, pdf_in
from arsync.errors import Barred, Gone, Malformed, OutcomeUnknown, Reauthorise, Rejected
from arsync_xero import rows, wire
from arsync_xero.rows import Answer, Source

_REASON_LENGTH: Final = 300


class Client:
    """One organisation's endpoints; errors are arsync's, never the SDK's."""

    def __init__(self, *, transport: Transport, tenant_id: str, api_url: str, client_id: str, clock: Clock) -> None:
        self._transport = transport
        self._tenant = tenant_id
        self._clock = clock
        api = ApiClient(_configuration(client_id), oauth2_token_getter=self._token)
        api.rest_client = _Bridge(transport)
        api.user_agent = "arsync"
        self._accounting = AccountingApi(api, base_url=api_url.rstrip("/"))

    # --- lists ----------------------------------------------------------------------------------------

    def page(
        self,
        source: Source,
        *,
        number: int = 1,
        size: int,
        since: datetime | None = None,
        where: str | None = None,
        order: str = "UpdatedDateUTC ASC",
        **filters: Any,
    ) -> Callable[[], Answer]:
        """A page of the records changed since that instant (whole seconds), oldest change first: asked for now, read by
        what this gives."""
        options: dict[str, Any] = {"page": number, "page_size": size, "order": order, **filters}
        if since is not None:
            options["if_modified_since"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if where is not None:
            options["where"] = where
        return self._list(source, options)

    def by_ids(self, source: Source, remote_ids: Sequence[str], **filters: Any) -> Answer:
        """Those of these records that the source knows; about 50 ids fit into an address."""
        return self._list(source, {"i_ds": list(remote_ids), "page": 1, "page_size": len(remote_ids), **filters})()

    def single(self, source: Source, remote_id: str) -> Answer | None:
        """One record, or None where the source does not know it."""
        assert source.single_method is not None
        read = getattr(self._accounting, source.single_method)
        try:
            return self._asked(source, lambda: read(self._tenant, remote_id, _preload_content=False))()
        except Gone:
            return None

    def _list(self, source: Source, options: Mapping[str, Any]) -> Callable[[], Answer]:
        read = getattr(self._accounting, source.list_method)
        return self._asked(source, lambda: read(self._tenant, _preload_content=False, **options))

    def _asked(self, source: Source, call: Callable[[], _Answered]) -> Callable[[], Answer]:
        return partial(self._answer, source, self._transport.patiently(call))

    def _answer(self, source: Source, answered: _Answered) -> Answer:
        answer = source.read(answered.data)
        return answer if answer.at is not None else replace(answer, at=self._time(answered, None))

    # --- the company ------------------------------------------------------------------------------------

    def organisation(self) -> tuple[wire.Organisation, datetime]:
        """The company's own record, and the source's time."""
        answered = self._read(self._accounting.get_organisations)
        envelope = rows.open_envelope(answered.data)
        found = _records(envelope.organisations, wire.organisation)
        if not found:
            raise Malformed("no organisation in the answer")
        return found[0], self._time(answered, rows.source_time(envelope))

    def reminders(self) -> bool | None:
        """Whether Xero itself reminds customers; None where the answer does not tell."""
        envelope = rows.open_envelope(self._read(self._accounting.get_invoice_reminders).data)
        told = [one.enabled for one in _records(envelope.invoice_reminders, wire.invoice_reminder)]
        known = [enabled for enabled in told if enabled is not None]
        return any(known) if known else None

    def online_invoice(self, invoice_id: str) -> str | None:
        """The address of the invoice online, or None where it has none."""
        try:
            envelope = rows.open_envelope(self._read(self._accounting.get_online_invoice, invoice_id).data)
        except Gone:
            return None
        found = _records(envelope.online_invoices, wire.online_invoice)
        return (found[0].online_invoice_url or None) if found else None

    def pdf(self, invoice_id: str) -> bytes:
        """The invoice as Xero prints it, in memory: the SDK would write it to a path that the answer chooses."""
        return self._read(self._accounting.get_invoice_as_pdf, invoice_id).data

    # --- notes --------------------------------------------------------------------------------------------

    def history(self, target: NoteTarget) -> list[str]:
        """The texts in the history of a document or contact."""
        read = {
            TargetKind.INVOICE: self._accounting.get_invoice_history,
            TargetKind.CUSTOMER: self._accounting.get_contact_history,
        }[target.kind]
        envelope = rows.open_envelope(self._read(read, target.remote_id).data)
        if envelope.history_records is msgspec.UNSET:
            raise Malformed("no history in the answer")
        return [one.details for one in _records(envelope.history_records, wire.history_record) if one.details]

    def add_history(self, target: NoteTarget, text: str, key: str) -> None:
        """Adds a note to the history of a document or contact; sent once, whatever happens."""
        write = {
            TargetKind.INVOICE: self._accounting.create_invoice_history,
            TargetKind.CUSTOMER: self._accounting.create_contact_history,
        }[target.kind]
        body = HistoryRecords(history_records=[HistoryRecord(details=text)])
        try:
            answered = write(self._tenant, target.remote_id, body, idempotency_key=key, _preload_content=False)
        except Gone as error:
            raise Rejected(error.detail) from None
        try:
            written = _records(rows.open_envelope(answered.data).history_records, wire.history_record)
        except (Malformed, msgspec.DecodeError):
            raise OutcomeUnknown("the answer to the note cannot be read") from None
        if any(one.validation_errors for one in written):
            raise Rejected(_reason(answered.data, "the note was not accepted"))

    def set_on_invoice(self, invoice_id: str, fields: Mapping[str, Any], key: str) -> wire.Invoice:
        """Sets these fields of an invoice, sent once; the invoice as Xero then has it."""
        body = {"Invoices": [{"InvoiceID": invoice_id, **fields}]}
        try:
            answered = self._accounting.update_invoice(
                self._tenant, invoice_id, body, idempotency_key=key, _preload_content=False
            )
        except Gone as error:
            raise Rejected(error.detail) from None
        try:
            (found,) = _records(rows.open_envelope(answered.data).invoices, wire.invoice)
        except (Malformed, ValueError):
            raise OutcomeUnknown("the answer to the update cannot be read") from None
        if found.validation_errors:
            raise Rejected(_reason(answered.data, "the update was not accepted"))
        updated: wire.Invoice = found
        return updated

    # --- how it is asked ----------------------------------------------------------------------------------

    def _read(self, call: Callable[..., _Answered], *place: str) -> _Answered:
        return self._transport.patiently(lambda: call(self._tenant, *place, _preload_content=False))

    def _token(self) -> dict[str, Any]:
        # Without an end the SDK takes it as it is: refreshing is the transport's business.
        return {
            "access_token": self._transport.access_token,
            "scope": [],
            "expires_in": None,
            "token_type": "Bearer",
        }

    def _time(self, answered: _Answered, told: datetime | None) -> datetime:
        if told is not None:
            return told
        try:
            return parsedate_to_datetime(answered.headers.get("Date", ""))
        except (ValueError, TypeError):
            return self._clock.now()


class _Answered:
    """An answer as the SDK expects it of its own HTTP client in raw mode."""

    __slots__ = ("data", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.status = status
        self.headers = headers
        self.data = data

    def getheaders(self) -> Mapping[str, str]:
        return self.headers


class _Bridge:
    """Stands where the SDK has its HTTP client; raises arsync's errors, which the SDK lets pass."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def GET(self, url: str, **options: Any) -> _Answered:  # noqa: N802 - the SDK's name
        return self._send("GET", url, **options)

    def PUT(self, url: str, **options: Any) -> _Answered:  # noqa: N802 - the SDK's name
        return self._send("PUT", url, **options)

    def POST(self, url: str, **options: Any) -> _Answered:  # noqa: N802 - the SDK's name
        return self._send("POST", url, **options)

    def _send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query_params: Sequence[tuple[str, Any]] | None = None,
        body: Any = None,
        **ignored: Any,
    ) -> _Answered:
        sent = dict(headers or {})
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = json.dumps(body, ensure_ascii=False).encode()
        as_pdf = sent.get("Accept") == "application/pdf"
        answer = self._transport.request(
            method, url, effect=method != "GET", headers=sent, params=list(query_params or ()), data=data, stream=as_pdf
        )
        if as_pdf and answer.status_code == 200:
            return _Answered(200, answer.headers, pdf_in(answer))
        if 200 <= answer.status_code < 300:
            return _Answered(answer.status_code, answer.headers, answer.content)
        reason = _reason(answer.content, f"HTTP {answer.status_code}")
        if answer.status_code == 403:
            # What may be read and not written says nothing of the consent as a whole; the next read does.
            raise Reauthorise(reason) if method == "GET" else Barred(reason)
        if answer.status_code == 404:
            raise Gone(reason)
        raise Rejected(reason)


def _configuration(client_id: str) -> Any:
    """The SDK copies its first configuration, token included, into every later one: each gets its own token."""
    configuration = Configuration()
    configuration.oauth2_token = OAuth2Token(client_id=client_id)
    return configuration


def _records(found: wire.Records, decoder: msgspec.json.Decoder[Any]) -> list[Any]:
    """Those that can be read; what is asked here lives without the others."""
    readable = []
    for raw in found or ():
        try:
            readable.append(decoder.decode(raw))
        except msgspec.DecodeError:
            continue
    return readable


def _reason(body: bytes, otherwise: str) -> str:
    """The vendor's own words on why it refused."""
    try:
        refusal = wire.refusal.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return otherwise
    errors = [error.message for element in refusal.elements or () for error in element.validation_errors or ()]
    told = "; ".join(message for message in errors if message)
    told = (
        told or refusal.detail or refusal.lower_detail or refusal.message or refusal.title or refusal.lower_title or ""
    )
    return f"{otherwise}: {told}"[:_REASON_LENGTH] if told else otherwise
