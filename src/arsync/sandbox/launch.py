"""Start a sandbox process and drive it through its control API."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import requests


class SandboxControl:
    """A client of the control API; raises `RuntimeError` with the sandbox's own words where it refuses."""

    def __init__(self, url: str, pid: int = 0) -> None:
        self.url = url
        self.pid = pid
        self.moves = 0  # how often this client has moved the clock
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands between

    @property
    def quickbooks_api(self) -> str:
        """Base for `/company/{realm}/...`."""
        return f"{self.url}/quickbooks/v3"

    @property
    def quickbooks_token(self) -> str:
        """The QuickBooks token endpoint."""
        return f"{self.url}/quickbooks/oauth2/v1/tokens/bearer"

    @property
    def xero_api(self) -> str:
        """Base for `/Invoices` and the other accounting resources."""
        return f"{self.url}/xero/api.xro/2.0"

    @property
    def xero_connections(self) -> str:
        """The Xero connections endpoint."""
        return f"{self.url}/xero/connections"

    @property
    def xero_token(self) -> str:
        """The Xero token endpoint."""
        return f"{self.url}/xero/connect/token"

    @property
    def quickbooks_authorize(self) -> str:
        """Intuit's consent page."""
        return f"{self.url}/quickbooks/connect/oauth2"

    @property
    def xero_authorize(self) -> str:
        """Xero's consent page."""
        return f"{self.url}/xero/identity/connect/authorize"

    @property
    def sendgrid_host(self) -> str:
        """The host to give to a SendGrid client."""
        return f"{self.url}/sendgrid"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One control request; the decoded answer."""
        answer = self._session.request(
            method, f"{self.url}/_sandbox/{path}", data=None if body is None else msgspec.json.encode(body), timeout=120
        )
        if answer.status_code != 200:
            raise RuntimeError(f"sandbox refused {method} {path}: {answer.text}")
        return msgspec.json.decode(answer.content)

    def now(self) -> datetime:
        """The sandbox's time, aware UTC."""
        return datetime.fromisoformat(self.call("GET", "clock")["now"])

    def advance(self, seconds: float = 0, *, days: float = 0) -> datetime:
        """Move the clock ahead; the new time."""
        self.moves += 1
        return datetime.fromisoformat(self.call("POST", "clock", {"advance": seconds + days * 86_400})["now"])

    def set_clock(self, instant: datetime) -> datetime:
        """Set the clock to an aware instant."""
        self.moves += 1
        return datetime.fromisoformat(self.call("POST", "clock", {"set": instant.isoformat()})["now"])

    def speed(self, factor: float) -> None:
        """Sandbox seconds per machine second from here on."""
        self.moves += 1
        self.call("POST", "clock", {"speed": factor})

    def create_company(self, provider: str, **order: Any) -> dict[str, Any]:
        """Create a company; its card with ids and the first refresh token."""
        card: dict[str, Any] = self.call("POST", "companies", {"provider": provider, **order})
        return card

    def grant(self, company: str) -> dict[str, Any]:
        """Consent anew: a card with a fresh refresh token."""
        card: dict[str, Any] = self.call("POST", f"companies/{company}/grant", {})
        return card

    def act(self, company: str, do: str, **fields: Any) -> dict[str, Any]:
        """Do what a person in the company would do; ids touched."""
        touched: dict[str, Any] = self.call("POST", f"companies/{company}/act", {"do": do, **fields})
        return touched

    def live(self, company: str, *, days: float = 0) -> list[dict[str, Any]]:
        """Advance the clock by so many days (none by default), then let customers behave up to now; the ledger."""
        if days:
            self.advance(days=days)
        ledger: list[dict[str, Any]] = self.call("POST", f"companies/{company}/live", {})
        return ledger

    def truth(self, company: str) -> dict[str, Any]:
        """The company's complete state."""
        state: dict[str, Any] = self.call("GET", f"companies/{company}/truth")
        return state

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """The vendor requests after number `since`."""
        log: list[dict[str, Any]] = self.call("GET", f"requests?since={since}")
        return log

    def clear_requests(self) -> None:
        """Forget the request log; numbers go on."""
        self.call("POST", "requests/clear", {})

    def messages(self) -> list[dict[str, Any]]:
        """Every mail that SendGrid accepted."""
        accepted: list[dict[str, Any]] = self.call("GET", "messages")
        return accepted

    def mailbox(self, address: str, does: str) -> None:
        """What that mailbox does from here on: deliver, bounce, block, spam_report, invalid, unsubscribe."""
        self.call("POST", "mailboxes", {address: does})

    def sendgrid_webhook(self) -> dict[str, str]:
        """What SendGrid would post now: body, signature, timestamp and public_key."""
        post: dict[str, str] = self.call("POST", "webhooks/sendgrid", {})
        return post

    def hooks(self, **addresses: Mapping[str, str] | None) -> dict[str, Any]:
        """Says where `quickbooks`, `xero`, `sendgrid` (events) and `inbound` (answers) post to, `url` and `key`, or
        with None that they shall not any more. The addresses, how many posts wait, those that came to an end, and
        SendGrid's public key."""
        self.call("POST", "hooks", {name: dict(one or {}) for name, one in addresses.items()})
        state: dict[str, Any] = self.call("GET", "hooks")
        return state

    def answer(self, *, sender: str, to: str, text: str, **more: str) -> None:
        """Somebody answers a mail; more are `subject`, `message_id` and `answers`, the mail that it names."""
        self.call("POST", "answers", {"from": sender, "to": to, "text": text, **more})

    def notes(self) -> list[dict[str, Any]]:
        """Every note in every company."""
        written: list[dict[str, Any]] = self.call("GET", "notes")
        return written

    def fault(self, fault: str, match: Mapping[str, str] | None = None, **options: Any) -> None:
        """Order a fault; options are status, times, skip, every, seconds."""
        self.call("POST", "faults", {"fault": fault, "match": dict(match or {}), **options})

    def clear_faults(self) -> None:
        """Withdraw every fault."""
        self.call("DELETE", "faults")

    def rules(self, **rules: float) -> None:
        """Set `edit_after_page` (invoices), `latency` (machine seconds), `post_copies` or `post_backwards`."""
        self.call("POST", "rules", rules)

    def switches(self, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Set some switches; all of them as they stand."""
        state: dict[str, Any] = self.call("POST", "switches", dict(values or {}))
        return state

    def limits(self, provider: str, **windows: int | None) -> None:
        """Set limits of a provider: second, minute, day, app_minute, batch_minute, concurrent; None lifts one."""
        self.call("POST", "limits", {provider: windows})

    def register_redirect(self, address: str) -> None:
        """Puts an address into the list of those to which the consent pages send the browser back."""
        self.call("POST", "redirects", {"add": address})

    def close(self) -> None:
        """Close the connection to the sandbox."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def running_sandbox(*, port: int = 0, scenario: Path | None = None) -> Iterator[SandboxControl]:
    """A sandbox in its own process for the length of the block; it is always ended."""
    command = [sys.executable, "-m", "arsync.sandbox", "--port", str(port)]
    if scenario is not None:
        command += ["--scenario", str(scenario)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own module
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the sandbox ended with status {process.wait()} before it was ready")
            ready = msgspec.json.decode(line)
            with SandboxControl(ready["url"], ready["pid"]) as control:
                yield control
        finally:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
