"""Everything a running sandbox holds, shared by the vendors and the control API."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from arsync.sandbox.authorize import REDIRECT
from arsync.sandbox.clock import SandboxClock
from arsync.sandbox.company import Company, ControlError, Provider
from arsync.sandbox.faults import Faults, Limits
from arsync.sandbox.http import Answer
from arsync.sandbox.postman import Postman
from arsync.sandbox.recording import Recorder


@dataclass(slots=True)
class World:
    """One sandbox. `lock` is held while a vendor request or a control request is worked on."""

    clock: SandboxClock = field(default_factory=SandboxClock)
    lock: threading.RLock = field(default_factory=threading.RLock)
    faults: Faults = field(default_factory=Faults)
    limits: Limits = field(default_factory=Limits)
    providers: dict[str, Provider] = field(default_factory=dict)
    companies: dict[str, Company] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    edit_after_page: int = 0
    latency: float = 0.0  # machine seconds added to each vendor answer
    redirects: set[str] = field(default_factory=lambda: {REDIRECT})  # registered with every app
    recorder: Recorder | None = None
    spoilt: dict[str, set[str]] = field(default_factory=dict)  # company -> ids that `corrupt` touched and not `restore`
    postman: Postman = field(init=False)
    _switches: dict[str, Any] = field(default_factory=dict)
    _choices: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    _served: dict[str, list[str]] = field(default_factory=dict)
    _request_number: int = 0

    def __post_init__(self) -> None:
        self.postman = Postman(self.now)

    def add_provider(self, provider: Provider) -> None:
        """Mount a vendor with its switches and limits at their defaults."""
        self.providers[provider.name] = provider
        for name, choices in provider.switches.items():
            self._choices[name] = tuple(choices)
            self._switches[name] = choices[0]
        self.limits.change(provider.name, provider.limits)

    def now(self) -> datetime:
        """Aware UTC."""
        return self.clock.now()

    def today(self) -> date:
        """The UTC date."""
        return self.clock.now().date()

    def switch(self, name: str) -> Any:
        """The value in force of a switch such as `quickbooks.payment_bumps_invoice`."""
        return self._switches[name]

    def switches(self) -> dict[str, Any]:
        """Every switch with its value in force."""
        return dict(self._switches)

    def set_switches(self, values: Mapping[str, Any]) -> None:
        """Set some switches; an unknown name or value is refused and nothing is set."""
        for name, value in values.items():
            if name not in self._choices:
                raise ControlError(f"unknown switch {name}; there are {', '.join(sorted(self._choices))}")
            if not any(
                value is choice or (value == choice and type(value) is type(choice)) for choice in self._choices[name]
            ):
                raise ControlError(f"{name} is one of {', '.join(map(repr, self._choices[name]))}")
        self._switches.update(values)

    def company(self, company_id: str) -> Company:
        """A company by id; raises `ControlError`."""
        try:
            return self.companies[company_id]
        except KeyError:
            raise ControlError(f"no company {company_id}") from None

    def log(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Number a request and keep it."""
        self._request_number += 1
        entry["n"] = self._request_number
        self.requests.append(entry)
        return entry

    def page_served(self, company_id: str | None, answer: Answer) -> None:
        """Where the rule is on, edit some already served invoices of the company, as people do during a long read."""
        if not self.edit_after_page or not answer.served or company_id not in self.companies:
            return
        assert company_id is not None
        served = self._served.setdefault(company_id, [])
        served.extend(answer.served)
        pick = random.Random(len(served))
        self.companies[company_id].edit_served(pick.sample(served, min(self.edit_after_page, len(served))))

    def forget_served(self) -> None:
        """Start the rule `edit_after_page` afresh."""
        self._served.clear()
