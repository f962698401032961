"""The control API under `/_sandbox/`: how a test, the demo or a benchmark drives the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from arsync.sandbox.company import CompanyOrder, ControlError
from arsync.sandbox.http import Answer, Request
from arsync.sandbox.inbound_form import CONTENT_TYPE, inbound_form
from arsync.sandbox.world import World


class Control:
    """Answers control requests; a wrong one is a 400 with an `error` that says what is wrong."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._answers = 0
        self._routes: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "clock"): lambda _: self._clock(),
            ("POST", "clock"): self._set_clock,
            ("GET", "companies"): lambda _: [company.card() for company in world.companies.values()],
            ("POST", "companies"): lambda request: self.create_company(_object(request)),
            ("GET", "requests"): self._requests,
            ("POST", "requests/clear"): lambda _: world.requests.clear(),
            ("GET", "messages"): lambda _: world.messages,
            ("GET", "notes"): lambda _: [note for company in world.companies.values() for note in company.notes()],
            ("GET", "faults"): lambda _: [
                {"match": dict(order.match), "fault": order.fault, "seen": order.seen, "hits": order.hits}
                for order in world.faults.orders
            ],
            ("POST", "faults"): lambda request: world.faults.add(_object(request)),
            ("DELETE", "faults"): lambda _: world.faults.orders.clear(),
            ("POST", "rules"): self._rules,
            ("GET", "switches"): lambda _: world.switches(),
            ("POST", "switches"): self._switches,
            ("GET", "limits"): lambda _: world.limits.rules,
            ("POST", "limits"): self._limits,
            ("POST", "keys"): self._keys,
            ("POST", "mailboxes"): self._mailboxes,
            ("POST", "webhooks/sendgrid"): lambda _: self._sendgrid().behind.webhook(),
            ("GET", "hooks"): lambda _: {**world.postman.state(), "public_key": self._sendgrid().behind.public_key},
            ("POST", "hooks"): self._hooks,
            ("POST", "answers"): self._answer,
            ("GET", "redirects"): lambda _: sorted(world.redirects),
            ("POST", "redirects"): lambda request: world.redirects.add(str(_object(request)["add"])),
        }

    def handle(self, request: Request) -> Answer:
        """Route one request; the answer is JSON."""
        path = request.path.strip("/")
        try:
            if route := self._routes.get((request.method, path)):
                return Answer.json(route(request))
            match path.split("/"):
                case ["companies", company_id, verb]:
                    return Answer.json(self._company(request, company_id, verb))
            return Answer.json({"error": f"no control {request.method} {path}"}, 404)
        except (ControlError, ValueError, KeyError, TypeError) as error:
            return Answer.json({"error": f"{type(error).__name__}: {error}"}, 400)

    def create_company(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Create a company from its order as JSON and return its card."""
        try:
            order = msgspec.convert(dict(wish), CompanyOrder, strict=False)
        except msgspec.ValidationError as error:
            raise ControlError(str(error)) from None
        if unknown := set(wish) - set(CompanyOrder.__slots__):
            raise ControlError(f"unknown company keys: {', '.join(sorted(unknown))}")
        provider = self.world.providers.get(order.provider)
        if provider is None:
            raise ControlError(f"no provider {order.provider}")
        if order.id in self.world.companies:
            raise ControlError(f"company {order.id} exists")
        company = provider.create_company(order)
        self.world.companies[company.id] = company
        return company.card()

    def _company(self, request: Request, company_id: str, verb: str) -> Any:
        company = self.world.company(company_id)
        match request.method, verb:
            case "GET", "truth":
                return company.truth()
            case "GET", "notes":
                return company.notes()
            case "POST", "grant":
                return company.grant()
            case "POST", "act":
                fields = dict(_object(request))
                do = str(fields.pop("do", ""))
                touched = company.act(do, fields)
                self.world.postman.changed(company.provider, company_id, do, [touched])
                if do in ("corrupt", "restore"):
                    self._spoil(company_id, set(map(str, touched.values())), spoilt=do == "corrupt")
                return touched
            case "POST", "live":
                ledger = company.live(self.world.today())
                self.world.postman.changed(company.provider, company_id, "live", ledger)
                return ledger
        raise ControlError(f"no control {request.method} companies/{company_id}/{verb}")

    def _spoil(self, company_id: str, ids: set[str], *, spoilt: bool) -> None:
        known = self.world.spoilt.setdefault(company_id, set())
        known.update(ids) if spoilt else known.difference_update(ids)

    def _clock(self) -> dict[str, Any]:
        now = self.world.clock.now()
        return {"now": now.isoformat(timespec="microseconds"), "speed": self.world.clock.speed}

    def _set_clock(self, request: Request) -> dict[str, Any]:
        clock = self.world.clock
        for name, value in _object(request).items():
            match name:
                case "advance":
                    clock.advance(float(value))
                case "set":
                    clock.set(datetime.fromisoformat(str(value)))
                case "speed":
                    clock.run_at(float(value))
                case _:
                    raise ControlError("the clock takes advance, set, speed")
        return self._clock()

    def _requests(self, request: Request) -> list[dict[str, Any]]:
        since = int(request.param("since", "0"))
        return [entry for entry in self.world.requests if entry["n"] > since]

    def _rules(self, request: Request) -> None:
        for name, value in _object(request).items():
            match name:
                case "edit_after_page":
                    self.world.edit_after_page = int(value)
                    self.world.forget_served()
                case "latency":
                    self.world.latency = float(value)
                case "post_copies":
                    self.world.postman.copies = max(1, int(value))
                case "post_backwards":
                    self.world.postman.backwards = bool(value)
                case _:
                    raise ControlError(
                        "rules are edit_after_page (invoices), latency (seconds), post_copies and post_backwards"
                    )

    def _switches(self, request: Request) -> dict[str, Any]:
        self.world.set_switches(_object(request))
        return self.world.switches()

    def _limits(self, request: Request) -> dict[str, Any]:
        for provider, rules in _object(request).items():
            if provider not in self.world.providers or not isinstance(rules, dict):
                raise ControlError("limits are given per provider: {provider: {minute: 500, second: null}}")
            self.world.limits.change(provider, rules)
        return {provider: dict(rules) for provider, rules in self.world.limits.rules.items()}

    def _keys(self, request: Request) -> None:
        self._sendgrid().add_key(str(_object(request)["sendgrid"]))

    def _mailboxes(self, request: Request) -> None:
        for address, does in _object(request).items():
            self._sendgrid().behind.set(address, str(does))

    def _hooks(self, request: Request) -> None:
        for name, address in _object(request).items():
            self.world.postman.register(name, str(address.get("url") or ""), str(address.get("key") or ""))

    def _answer(self, request: Request) -> None:
        """Somebody answers a mail."""
        self._answers += 1
        body = inbound_form(_object(request), self._answers, self.world.now())
        address = self.world.postman.addresses.get("inbound")
        if address is None:
            raise ControlError("nobody has said where answers go: POST hooks")
        signature = self._sendgrid().behind.headers(body) if address.key else {}
        self.world.postman.post("inbound", body, {"Content-Type": CONTENT_TYPE, **signature})

    def _sendgrid(self) -> Any:
        return self.world.providers["sendgrid"]


def _object(request: Request) -> dict[str, Any]:
    value = request.json()
    if not isinstance(value, dict):
        raise ControlError("the body is a JSON object")
    return value
