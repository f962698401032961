"""Emulated Xero: the token endpoint, the connections, and the receivables of the Accounting API."""

from __future__ import annotations

import gc
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from arsync.sandbox.company import CompanyOrder, ControlError
from arsync.sandbox.http import Answer, Request
from arsync.sandbox.pdf import pdf_of
from arsync.sandbox.world import World
from arsync.sandbox.xero_company import TIMEZONES, XeroCompany, seeded_id
from arsync.sandbox.xero_grants import Grant, GrantError, Grants, opens
from arsync.sandbox.xero_history import read_history, write_history
from arsync.sandbox.xero_nouns import NOUNS, Noun, record_of
from arsync.sandbox.xero_render import Depth
from arsync.sandbox.xero_updating import update_invoice
from arsync.sandbox.xero_wire import (
    Refusal,
    encode,
    envelope,
    forbidden,
    is_guid,
    moment_stamp,
    not_found,
    too_many,
    unauthorised,
)

ACCOUNTING = "/api.xro/2.0/"
_LONGEST_KEY = 128
_REMAINING = {
    "minute": "X-MinLimit-Remaining",
    "day": "X-DayLimit-Remaining",
    "app_minute": "X-AppMinLimit-Remaining",
}


class XeroProvider:
    """All organisations of a sandbox behind one API."""

    name: ClassVar[str] = "xero"
    # What is unverified of the vendor; the first value is the one that asks most of a client.
    switches: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "xero.idempotency_window": ("300", "forever", "0"),
        "xero.payment_bumps_invoice": (True, False),
        "xero.deleted_payment_modified": (False, True),
        "xero.modified_since_inclusive": (False, True),
        "xero.merge_bumps_invoices": (False, True),
        "xero.note_bumps_record": (False, True),
        "xero.group_bumps_contact": (False, True),
        "xero.longest_note": (2500, 250),
        "xero.part_paid_expected_date": ("refused", "ignored", "taken"),
        "xero.expected_date_emptied": ("ignored", "taken"),
        "xero.largest_page": (1000, 100),
    }
    limits: ClassVar[Mapping[str, int | None]] = {
        "minute": 60,
        "day": 5_000,
        "app_minute": 10_000,
        "concurrent": 5,
    }

    def __init__(self, world: World) -> None:
        self.world = world
        self.grants = Grants()
        self.companies: dict[str, XeroCompany] = {}
        self._consents: dict[str, Grant] = {}
        self._answered: dict[tuple[str, str], tuple[datetime, bytes, Answer]] = {}
        self._left: dict[str, dict[str, int]] = {}

    # -- the sandbox around it -------------------------------------------------------------------

    def create_company(self, order: CompanyOrder) -> XeroCompany:
        """An organisation; under the consent of another (`grant_of`) where the order says so."""
        if order.id is not None and not is_guid(order.id):
            raise ControlError("the id of a Xero organisation is a GUID, or left out")
        place = len(self.companies) + 1
        rng = random.Random(f"organisation/{place}/{order.seed}/{order.name}")
        company_id = order.id or seeded_id(rng)
        consent = self._consents.get(order.grant_of or "")
        if order.grant_of is not None and consent is None:
            raise ControlError(f"no Xero organisation {order.grant_of} to share a consent with")
        if consent is None:
            secret = f"{rng.getrandbits(160):040x}"
            consent = self.grants.consent(f"{rng.getrandbits(128):032X}", secret, seeded_id(rng))
        company = XeroCompany(
            order,
            company_id=company_id,
            name=order.name or f"Sandbox Trading {place}",
            world=self.world,
            grants=self.grants,
            grant=consent,
        )
        self.companies[company_id] = company
        self._consents[company_id] = consent
        gc.freeze()  # a company is kept for good: without this each full collection looks at it again, 100 ms
        return company

    def place(self, request: Request) -> tuple[str | None, str]:
        """The organisation of the tenant header, and the resource in small letters."""
        tenant = request.header("xero-tenant-id").lower()
        parts = request.path.strip("/").split("/")
        match parts:
            case ["identity", "connect", "authorize"]:
                return None, "authorize"
            case ["connect", "token"]:
                return None, "token"
            case ["connect", "revocation"]:
                return None, "revoke"
            case ["api.xro", "2.0", noun, *rest]:
                resource = rest[-1] if len(rest) > 1 else noun
                return tenant if tenant in self.companies else None, resource.lower()
        return None, parts[0].lower()

    def limited(self, request: Request) -> bool:
        """Only the Accounting API counts calls."""
        return request.path.startswith(ACCOUNTING)

    def throttled(self, request: Request, problem: str, retry_after: int) -> Answer:
        """429, naming the limit that is full."""
        refusal = too_many(problem.replace("_", ""), retry_after)
        return self._refuse(request, refusal, full=problem)

    def expired(self, request: Request) -> Answer:
        """401 as for a token past its half hour."""
        now = self.world.now()
        return self._refuse(request, unauthorised(f"TokenExpired: token expired at {now:%m/%d/%Y %H:%M:%S}"))

    def broken(self, request: Request, status: int) -> Answer:
        """A failure of the vendor's own."""
        body = {"Title": "An error occurred", "Status": status, "Detail": "An error occurred in Xero."}
        return self._refuse(request, Refusal(status, encode(body)))

    # -- requests --------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        """Do it as Xero would."""
        if request.path in ("/connect/token", "/connect/revocation"):
            return self._identity(request)
        if request.path == "/identity/connect/authorize":
            return self.grants.authorize(
                request,
                lambda grant: {
                    key: self.companies[key].name for key, owner in self._consents.items() if owner is grant
                },
                lambda key: self.companies[key].connect(),
                self.world.redirects,
                self.world.now(),
            )
        try:
            grant, custom, scope = self._bearer(request)
            if request.path.lower().startswith("/connections"):
                return self._connections(request, grant)
            if not request.path.startswith(ACCOUNTING):
                raise not_found()
            company = self._organisation(request, grant, custom=custom)
            noun = request.path.removeprefix(ACCOUNTING).strip("/").partition("/")[0]
            if not opens(scope, noun, writing=request.method != "GET"):
                raise unauthorised("AuthorizationUnsuccessful")
            answer = self._accounting(request, company)
        except Refusal as refusal:
            return self._refuse(request, refusal)
        answer.headers |= self._limits_left(request)
        return answer

    def _refuse(self, request: Request, refusal: Refusal, *, full: str = "") -> Answer:
        headers = dict(refusal.headers) | (self._limits_left(request, full) if self.limited(request) else {})
        return Answer(refusal.status, refusal.body, headers, refusal.content_type)

    def _limits_left(self, request: Request, full: str = "") -> dict[str, str]:
        """The three headers on every answer; what this request was not counted against stands as it last did."""
        company = self.place(request)[0] or ""
        left = self._left.setdefault(company, {})
        left.update(request.remaining)
        if full in _REMAINING:
            left[full] = 0
        rules = self.world.limits.rules.get(self.name, {})
        return {
            header: str(left.get(window, rules[window]))
            for window, header in _REMAINING.items()
            if rules.get(window) is not None
        }

    def _bearer(self, request: Request) -> tuple[Grant, bool, str]:
        token = request.bearer()
        if not token:
            raise unauthorised("AuthenticationUnsuccessful")
        try:
            return self.grants.bearer(token, self.world.now())
        except GrantError as error:
            raise unauthorised(str(error)) from None

    def _organisation(self, request: Request, grant: Grant, *, custom: bool) -> XeroCompany:
        tenant = request.header("xero-tenant-id").lower()
        if not tenant and custom:
            tenant = grant.connections[0].tenant if grant.connections else ""
        company = self.companies.get(tenant)
        if company is None or not grant.sees(tenant):
            raise forbidden()
        return company

    def _identity(self, request: Request) -> Answer:
        if request.method != "POST":
            return Answer.json({"error": "invalid_request"}, 405)
        form, authorization = request.form(), request.header("authorization")
        try:
            if request.path == "/connect/revocation":
                self.grants.revoke(form, authorization)
                return Answer(200, b"", content_type="text/plain")
            return Answer.json(self.grants.token(form, authorization, self.world.now()), Cache_Control="no-store")
        except GrantError as error:
            return Answer.json({"error": str(error)}, 400)

    def _connections(self, request: Request, grant: Grant) -> Answer:
        parts = request.path.strip("/").split("/")
        if request.method == "GET" and len(parts) == 1:
            return Answer.json(
                [
                    {
                        "id": connection.id,
                        "authEventId": grant.id,
                        "tenantId": connection.tenant,
                        "tenantType": "ORGANISATION",
                        "tenantName": connection.tenant_name,
                        "createdDateUtc": connection.created.strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
                        "updatedDateUtc": connection.created.strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
                    }
                    for connection in grant.connections
                    if request.param("authEventId", grant.id) == grant.id
                ]
            )
        if request.method == "DELETE" and len(parts) == 2:
            kept = [connection for connection in grant.connections if connection.id != parts[1].lower()]
            if len(kept) == len(grant.connections):
                raise not_found()
            grant.connections[:] = kept
            return Answer(204, effect=True)
        raise not_found()

    def _accounting(self, request: Request, company: XeroCompany) -> Answer:
        parts = request.path.removeprefix(ACCOUNTING).strip("/").split("/")
        as_pdf = request.header("accept").startswith("application/pdf")
        if as_pdf and request.method == "GET" and len(parts) == 2 and parts[0] == "Invoices":
            return self._pdf(company, NOUNS["Invoices"], parts[1])
        if "json" not in request.header("accept"):
            # The vendor would answer XML, which no client of this sandbox wants.
            raise Refusal(406, b"This sandbox answers application/json only", "text/plain; charset=utf-8")
        if request.method in ("PUT", "POST"):
            return self._write(request, company, parts)
        if request.method != "GET":
            raise Refusal(405, b"The method is not offered here", "text/plain; charset=utf-8")
        now = self.world.now()
        match parts:
            case ["Organisation"]:
                return Answer(200, envelope(now, "Organisations", [encode(organisation_json(company))]))
            case ["InvoiceReminders", "Settings"]:
                return Answer(200, envelope(now, "InvoiceReminders", [encode({"Enabled": company.reminders})]))
            case [name] if name in NOUNS:
                listing = company.lists.read(NOUNS[name], request)
                return Answer(200, listing.body, served=listing.ids if name == "Invoices" else ())
            case [name, key] if name in NOUNS:
                noun = NOUNS[name]
                record = record_of(noun, company.books, key)
                if record is None:
                    raise not_found()
                body = noun.write(record, Depth.SINGLE, now.date())
                return Answer(200, envelope(now, name, [body]))
            case [name, key, "History"] if name in NOUNS:
                return Answer(200, read_history(NOUNS[name], company.books, key))
            case ["Invoices", key, "OnlineInvoice"]:
                return self._online_invoice(company, NOUNS["Invoices"], key)
        raise not_found()

    def _online_invoice(self, company: XeroCompany, noun: Noun, key: str) -> Answer:
        record = record_of(noun, company.books, key)
        if record is None or getattr(record, "type", "") != "ACCREC" or getattr(record, "status", "") == "DRAFT":
            raise not_found()
        url = f"https://in.xero.com/{record.id.replace('-', '')}"
        return Answer(200, envelope(self.world.now(), "OnlineInvoices", [encode({"OnlineInvoiceUrl": url})]))

    def _pdf(self, company: XeroCompany, noun: Noun, key: str) -> Answer:
        record = record_of(noun, company.books, key)
        if record is None:
            raise not_found()
        # A name as a careless client would write it to disk.
        headers = {"Content-Disposition": "attachment; filename=../../../invoice.pdf"}
        body = pdf_of(company.name, str(getattr(record, "number", "")), self.world.now())
        return Answer(200, body, headers, content_type="application/pdf")

    def _write(self, request: Request, company: XeroCompany, parts: list[str]) -> Answer:
        idempotency_key = request.header("idempotency-key") or None
        if idempotency_key is not None and len(idempotency_key) > _LONGEST_KEY:
            raise Refusal(400, encode({"Title": "Bad Request", "Status": 400, "Detail": "Idempotency-Key"}))
        match request.method, parts:
            case "PUT", [name, key, "History"] if name in NOUNS:
                return self._once(
                    request, company, idempotency_key, lambda: write_history(NOUNS[name], company.books, key, request)
                )
            case "POST", ["Invoices", key]:
                return self._once(
                    request, company, idempotency_key, lambda: update_invoice(company.books, key, request)
                )
        raise not_found()

    def _once(self, request: Request, company: XeroCompany, key: str | None, do: Any) -> Answer:
        """A key that was answered within the window gets the same answer again and nothing is written."""
        if key is None:
            body: bytes = do()
            return Answer(200, body, effect=True)
        now, mark = self.world.now(), f"{request.method} {request.path}\n".encode() + request.body
        window = str(self.world.switch("xero.idempotency_window"))
        known = self._answered.get((company.id, key))
        if known is not None and (window == "forever" or now - known[0] < timedelta(seconds=int(window))):
            if known[1] != mark:
                detail = "The idempotency key was used for another request"
                raise Refusal(400, encode({"Title": "Bad Request", "Status": 400, "Detail": detail}))
            return replace(known[2], headers=dict(known[2].headers), effect=False)
        answer = Answer(200, do(), effect=True, idempotency_key=key)
        self._answered[company.id, key] = (now, mark, replace(answer, headers={}))
        return answer


def organisation_json(company: XeroCompany) -> dict[str, Any]:
    """The organisation's own record."""
    order = company.order
    version = {"US": "US", "GB": "UK", "AU": "AU", "NZ": "NZ"}.get(order.country, "GLOBAL")
    return {
        "Name": company.name,
        "LegalName": company.name,
        "PaysTax": True,
        "Version": version,
        "OrganisationType": "COMPANY",
        "BaseCurrency": company.books.currency,
        "CountryCode": order.country,
        "IsDemoCompany": False,
        "OrganisationStatus": "ACTIVE",
        "FinancialYearEndDay": 31,
        "FinancialYearEndMonth": 3,
        "SalesTaxBasis": "ACCRUALS",
        "SalesTaxPeriod": "QUARTERLY",
        "DefaultSalesTax": "Tax Exclusive",
        "DefaultPurchasesTax": "Tax Exclusive",
        "CreatedDateUTC": moment_stamp(company.created),
        "OrganisationEntityType": "COMPANY",
        "Timezone": TIMEZONES.get(order.timezone, "UTC"),
        "ShortCode": f"!{company.id[:5]}",
        "OrganisationID": company.id,
        "Edition": "BUSINESS",
        "Class": "STANDARD",
        "Addresses": [],
        "Phones": [],
        "ExternalLinks": [],
        "PaymentTerms": {},
    }
