"""QuickBooks Online, API version 3, and Intuit's token endpoint, as far as arsync needs them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from arsync.sandbox.company import CompanyOrder, ControlError
from arsync.sandbox.http import Answer, Request, encode
from arsync.sandbox.pdf import pdf_of
from arsync.sandbox.quickbooks_company import QuickBooksCompany
from arsync.sandbox.quickbooks_tokens import Tokens
from arsync.sandbox.quickbooks_wire import (
    Refused,
    broken,
    envelope,
    invalid_property,
    milliseconds,
    not_found,
    throttled,
    unauthorised,
    unsupported_operation,
    wrong_realm,
)
from arsync.sandbox.world import World

REQUEST_ID_WINDOW = timedelta(minutes=5)
REQUEST_ID_LENGTH = 50
BATCH_SIZE = 30
_ENTITY = {
    name.lower(): name
    for name in (
        "Invoice",
        "Payment",
        "CreditMemo",
        "Customer",
        "Attachable",
        "CompanyInfo",
        "Preferences",
        "CustomerType",
    )
}


class QuickBooksProvider:
    """The vendor: routes a request to its company, with its token, throttle and fault shapes."""

    name: ClassVar[str] = "quickbooks"
    switches: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "quickbooks.requestid_window": ("300", "forever"),
        "quickbooks.payment_bumps_invoice": (True, False),
        "quickbooks.cdc_cap": ("total", "per_entity"),
        "quickbooks.retry_after_on_429": (False, True),
        "quickbooks.id_order": ("numeric", "text"),
        "quickbooks.merge_bumps_documents": (False, True),
        "quickbooks.merged_customer": ("inactive", "deleted"),
        "quickbooks.foreign_balance": ("foreign", "home"),
        "quickbooks.old_refresh_token": ("dies", "24h"),
    }
    limits: ClassVar[Mapping[str, int | None]] = {"second": 10, "minute": 500, "batch_minute": 40}

    def __init__(self, world: World) -> None:
        self._world = world
        self._companies: dict[str, QuickBooksCompany] = {}
        self._tokens = Tokens()
        self._replies: dict[tuple[str, str], tuple[datetime, Answer]] = {}

    def create_company(self, order: CompanyOrder) -> QuickBooksCompany:
        """A realm with its story."""
        realm = order.id or f"93414529{len(self._companies) + 1:08d}"
        if not realm.isdigit():
            raise ControlError("a QuickBooks company id has digits only")
        company = QuickBooksCompany(self._world, self._tokens, realm, order)
        self._companies[realm] = company
        return company

    def place(self, request: Request) -> tuple[str | None, str]:
        """(realm, resource in lower case)."""
        match request.path.strip("/").split("/"):
            case ["v3", "company", realm, resource, *_]:
                return realm, resource.lower()
            case [*_, "revoke"]:
                return None, "revoke"
            case ["connect", "oauth2"]:
                return None, "authorize"
            case ["oauth2", *_]:
                return None, "token"
        return None, ""

    def limited(self, request: Request) -> bool:
        """Token requests are free, and people are not counted."""
        return self.place(request)[1] not in ("token", "revoke", "authorize")

    def throttled(self, request: Request, problem: str, retry_after: int) -> Answer:
        """429; Retry-After only where the switch says so."""
        told = self._world.switch("quickbooks.retry_after_on_429")
        return self._signed(throttled(self._world.now(), retry_after if told else None))

    def expired(self, request: Request) -> Answer:
        """401."""
        return self._signed(unauthorised(self._world.now(), "Token expired: AB01MASKED"))

    def broken(self, request: Request, status: int) -> Answer:
        """An error of the vendor's own."""
        return self._signed(broken(self._world.now(), status))

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        now = self._world.now()
        realm, resource = self.place(request)
        if resource == "authorize":
            names = {company.id: company.name for company in self._companies.values()}
            return self._tokens.authorize(request, names, self._world.redirects, now)
        if resource in ("token", "revoke"):
            if request.method != "POST":
                return Answer.json({"error": "invalid_request"}, 405)
            if resource == "revoke":
                return self._tokens.revoke(request)
            dies = self._world.switch("quickbooks.old_refresh_token") == "dies"
            return self._tokens.answer(request, now, old_one_dies=dies)
        try:
            owner = self._tokens.realm_of(request.bearer(), now)
            if owner is None:
                return self._signed(unauthorised(now, f"Token expired or revoked: {request.bearer()[:4]}MASKED"))
            company = self._companies.get(realm or "")
            if company is None or owner != realm:
                raise wrong_realm()
            return self._signed(self._in_company(company, resource, request))
        except Refused as refusal:
            return self._signed(refusal.answer(now))

    def _signed(self, answer: Answer) -> Answer:
        answer.headers.setdefault("intuit_tid", f"1-sandbox-{len(self._world.requests):08x}")
        return answer

    def _in_company(self, company: QuickBooksCompany, resource: str, request: Request) -> Answer:
        rest = request.path.strip("/").split("/")[4:]
        match request.method, resource:
            case (("GET" | "POST"), "query"):
                return self._query(company, request)
            case "GET", "cdc":
                cap_in_total = self._world.switch("quickbooks.cdc_cap") == "total"
                entities, since = request.param("entities"), request.param("changedSince")
                changes = company.reader.changes(entities, since, cap_in_total=cap_in_total)
                return envelope("CDCResponse", changes, self._world.now())
            case "POST", "batch":
                return self._batch(company, request)
            case "GET", "invoice" if len(rest) == 2 and rest[1] == "pdf":
                return self._pdf(company, rest[0])
            case "GET", _ if resource in _ENTITY and len(rest) <= 1:
                link = request.param("include") == "invoiceLink"
                return self._read(company, _ENTITY[resource], rest[0] if rest else "", link=link)
            case "POST", _ if resource in _ENTITY and not rest:
                return self._write(company, _ENTITY[resource], request)
        raise unsupported_operation(request.path)

    def _query(self, company: QuickBooksCompany, request: Request) -> Answer:
        text = request.param("query")
        if request.method == "POST":
            if request.header("content-type").partition(";")[0] not in ("application/text", "text/plain"):
                raise invalid_property("Content-Type", "a query is posted as application/text")
            text = request.body.decode("utf-8", "replace")
        response, served = company.reader.query(text)
        answer = envelope("QueryResponse", response, self._world.now())
        answer.served = served
        return answer

    def _pdf(self, company: QuickBooksCompany, record_id: str) -> Answer:
        row = company.books.rows["Invoice"].get(record_id)
        if row is None or row.deleted:
            raise not_found()
        body = pdf_of(company.name, row.doc["DocNumber"], self._world.now())
        return Answer(200, body, content_type="application/pdf")

    def _read(self, company: QuickBooksCompany, entity: str, record_id: str, *, link: bool = False) -> Answer:
        if entity == "Preferences" and not record_id:
            record_id = "1"
        if entity == "CompanyInfo" and record_id == company.id:
            record_id = "1"
        if not record_id.isdigit():
            raise Refused(
                "2030", "Invalid ID", f"Id should be a valid number. Supplied value:{record_id}", element="Id"
            )
        row = company.books.rows[entity].get(record_id)
        if row is None or row.deleted:
            raise not_found()
        body = row.json()
        online = row.doc.get("AllowOnlineCreditCardPayment") or row.doc.get("AllowOnlineACHPayment")
        if link and entity == "Invoice" and online and row.doc.get("BillEmail"):
            url = f"https://connect.intuit.com/portal/app/CommerceNetwork/view/scs-v1-{company.id}{row.id}"
            body = encode({**row.doc, "InvoiceLink": url})
        return envelope(entity, body, self._world.now())

    def _write(self, company: QuickBooksCompany, entity: str, request: Request) -> Answer:
        key = request.param("requestid") or None
        if key is not None and len(key) > REQUEST_ID_LENGTH:
            raise invalid_property("requestid", f"at most {REQUEST_ID_LENGTH} characters")
        now = self._world.now()
        if key is not None and (reply := self._replies.get((company.id, key))):
            forever = self._world.switch("quickbooks.requestid_window") == "forever"
            if forever or now - reply[0] <= REQUEST_ID_WINDOW:
                return Answer(200, reply[1].body, idempotency_key=key)
        try:
            body = request.json()
        except ValueError as error:
            raise invalid_property(entity, str(error)) from None
        answer = envelope(entity, self._change(company, entity, body, request.param("operation"), key), now)
        answer.effect, answer.idempotency_key = True, key
        if key is not None:
            self._replies[company.id, key] = (now, answer)
        return answer

    def _change(self, company: QuickBooksCompany, entity: str, body: Any, operation: str, key: str | None) -> bytes:
        row, done = company.writer.write(entity, body, operation, company.now())
        if done == "created" and key is not None:
            company.keys[row.id] = key
        if done == "deleted":
            return encode({"Id": row.id, "domain": "QBO", "status": "Deleted"})
        return row.json()

    def _batch(self, company: QuickBooksCompany, request: Request) -> Answer:
        try:
            items = request.json()["BatchItemRequest"]
        except (ValueError, KeyError, TypeError):
            raise invalid_property("BatchItemRequest", "the body has no list of items") from None
        if not isinstance(items, list) or not 0 < len(items) <= BATCH_SIZE:
            raise invalid_property("BatchItemRequest", f"1 to {BATCH_SIZE} items")
        answers, effect, served = [], False, []
        for item in items:
            number = encode(item.get("bId"))
            try:
                if "Query" in item:
                    response, ids = company.reader.query(str(item["Query"]))
                    served += ids
                    part = b'"QueryResponse":%s' % response
                else:
                    entity = next(name for name in _ENTITY.values() if name in item)
                    operation = str(item.get("operation", ""))
                    record = self._change(company, entity, item[entity], operation, None)
                    effect = True
                    part = b'"%s":%s' % (entity.encode(), record)
            except Refused as refusal:
                part = b'"Fault":%s' % encode(refusal.fault())
            except StopIteration:
                part = b'"Fault":%s' % encode(unsupported_operation("batch").fault())
            answers.append(b'{%s,"bId":%s}' % (part, number))
        time = encode(milliseconds(self._world.now()))
        body = b'{"BatchItemResponse":[%s],"time":%s}' % (b",".join(answers), time)
        return Answer(200, body, effect=effect, served=served)
