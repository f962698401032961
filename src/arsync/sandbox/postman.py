"""What the vendors post by themselves: webhooks of what changed, what became of mail, and answers to it. Signed as they
sign, and posted again until it is taken; doubled and backwards where the rules say so."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import requests

from arsync.sandbox.company import ControlError

#: What can be posted: `sendgrid` are events of mail, `inbound` answers.
NAMES: Final = ("quickbooks", "xero", "sendgrid", "inbound")
#: machine seconds: so long an answer is waited for, and then between two tries
_PATIENCE: Final = 5.0
_AGAIN: Final = 0.5
_MOST_TRIES: Final = 600
#: so long posts are gathered that go out backwards
_GATHERED: Final = 0.5
_QUICKBOOKS: Final = {"invoice": "invoice", "payment": "payment", "credit": "creditmemo", "customer": "customer"}
#: Xero tells of no payments: one that is put on an invoice changes the invoice.
_XERO: Final = {"invoice": "INVOICE", "credit": "CREDITNOTE", "customer": "CONTACT"}
_JSON: Final = {"Content-Type": "application/json"}
_INTUIT_SIGNATURE: Final = "intuit-signature"
_XERO_SIGNATURE: Final = "x-xero-signature"
_DONE: Final = {"new_invoice": "created", "new_customer": "created", "delete": "deleted", "delete_payment": "deleted"}


@dataclass(slots=True)
class Address:
    """Where one kind of post goes. Xero sends nothing before its tries were answered rightly."""

    url: str
    key: str = ""
    holds: str = "ready"


@dataclass(slots=True, eq=False)
class _Letter:
    name: str
    body: bytes
    headers: Mapping[str, str]
    signed_as: str = ""  # the header of a signature by the address's key
    key: str | None = None  # instead of the address's own
    settled: Callable[[int | None], None] | None = None  # of a try of the address: told what was answered
    tries: int = 0
    due: float = 0.0


@dataclass(slots=True)
class Postman:
    """Posts in a thread of its own; `log` has one entry for each post that came to an end."""

    now: Callable[[], datetime]
    addresses: dict[str, Address] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    copies: int = 1
    backwards: bool = False
    _waiting: list[_Letter] = field(default_factory=list)
    _lock: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _number: int = 0
    _flying: int = 0

    def register(self, name: str, url: str, key: str = "") -> None:
        """From here on that kind of post goes there, signed by that key."""
        if name not in NAMES:
            raise ControlError(f"hooks are for {', '.join(NAMES)}")
        if not url:
            self.addresses.pop(name, None)
            return
        self.addresses[name] = address = Address(url, key)
        if name == "xero":
            address.holds = "tried"
            self._try_out(address)

    def state(self) -> dict[str, Any]:
        """The addresses, what waits, and what came to an end."""
        with self._lock:
            waiting = len(self._waiting) + self._flying
        return {
            "addresses": {name: {"url": one.url, "state": one.holds} for name, one in self.addresses.items()},
            "waiting": waiting,
            "log": list(self.log),
        }

    # --- what is posted --------------------------------------------------------------------------------------

    def changed(self, provider: str, company: str, do: str, touched: Iterable[Mapping[str, Any]]) -> None:
        """Somebody has changed these records of a company."""
        address = self.addresses.get(provider)
        records = [(word, str(one[word])) for one in touched for word in _QUICKBOOKS if word in one]
        if address is None or not records:
            return
        if provider == "quickbooks":
            self._post(_Letter("quickbooks", self._cloud_events(company, do, records), _JSON, _INTUIT_SIGNATURE))
        elif any(word in _XERO for word, _ in records):
            self._post(_Letter("xero", self._xero_events(company, do, records), _JSON, _XERO_SIGNATURE))

    def post(self, name: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Posts what is signed already, as often as the rules say, until it is taken."""
        self._post(_Letter(name, body, headers))

    def _post(self, letter: _Letter) -> None:
        with self._lock:
            count = 1 if letter.settled is not None else self.copies
            letter.due = time.monotonic()
            if self.backwards:  # whatever waits goes after it
                letter.due += _GATHERED
                for one in self._waiting:
                    one.due = letter.due
            self._waiting += [replace(letter) for _ in range(count)]
            if self._thread is None:
                self._thread = threading.Thread(target=self._carry, name="postman", daemon=True)
                self._thread.start()
            self._lock.notify()

    def _next_id(self) -> str:
        self._number += 1
        return str(uuid5(NAMESPACE_URL, f"sandbox/{id(self):x}/{self._number}"))

    def _cloud_events(self, company: str, do: str, records: Iterable[tuple[str, str]]) -> bytes:
        stamp = f"{self.now():%Y-%m-%dT%H:%M:%S.%f}000Z"
        events = [
            {
                "specversion": "1.0",
                "id": self._next_id(),
                "source": "intuit.sandbox",
                "type": f"qbo.{_QUICKBOOKS[word]}.{_DONE.get(do, 'updated')}.v1",
                "datacontenttype": "application/json",
                "time": stamp,
                "intuitentityid": record_id,
                "intuitaccountid": company,
                "data": {},
            }
            for word, record_id in records
        ]
        return json.dumps(events).encode()

    def _xero_events(self, company: str, do: str, records: Iterable[tuple[str, str]]) -> bytes:
        stamp = f"{self.now():%Y-%m-%dT%H:%M:%S.%f}"[:-3]
        events = [
            {
                "resourceUrl": f"https://api.xero.com/api.xro/2.0/{_XERO[word].title()}s/{record_id}",
                "resourceId": record_id,
                "eventDateUtc": stamp,
                "eventType": "CREATE" if _DONE.get(do) == "created" else "UPDATE",
                "eventCategory": _XERO[word],
                "tenantId": company,
                "tenantType": "ORGANISATION",
            }
            for word, record_id in records
            if word in _XERO
        ]
        first, self._number = self._number + 1, self._number + len(events)
        post = {"events": events, "firstEventSequence": first, "lastEventSequence": self._number}
        return json.dumps({**post, "entropy": self._next_id()}).encode()

    def _try_out(self, address: Address) -> None:
        """Xero's intent to receive: rightly signed it must be answered 200, wrongly 401."""
        answers: dict[int, int | None] = {}

        def settle(wanted: int) -> Callable[[int | None], None]:
            def told(status: int | None) -> None:
                answers[wanted] = status
                if len(answers) == 2:
                    address.holds = "ready" if answers == {200: 200, 401: 401} else f"failed: {answers}"

            return told

        for wanted, key in ((401, "not the key"), (200, address.key)):
            post = {"events": [], "firstEventSequence": 0, "lastEventSequence": 0, "entropy": self._next_id()}
            body = json.dumps(post).encode()
            self._post(_Letter("xero", body, _JSON, _XERO_SIGNATURE, key, settle(wanted)))

    # --- how it goes out --------------------------------------------------------------------------------------

    def _carry(self) -> None:
        session = requests.Session()
        session.trust_env = False
        while True:
            with self._lock:
                while (letter := self._take()) is None:
                    self._lock.wait(0.05)
            status, spent = self._deliver(session, letter)
            letter.tries, letter.due = letter.tries + 1, time.monotonic() + _AGAIN
            if letter.settled is not None:
                letter.settled(status)
            with self._lock:
                self._flying = 0
                if letter.settled is None and self._comes_again(letter, status):
                    self._waiting.append(letter)
                else:
                    ended = {"name": letter.name, "status": status, "tries": letter.tries, "ms": round(spent)}
                    self.log.append(ended)

    def _take(self) -> _Letter | None:
        """The next one that may go: the first of those that wait, or the last."""
        now = time.monotonic()
        due = [
            one for one in self._waiting
            if one.due <= now and (one.settled or getattr(self.addresses.get(one.name), "holds", "") == "ready")
        ]  # fmt: skip
        if not due:
            return None
        letter = due[-1 if self.backwards else 0]
        self._waiting.remove(letter)
        self._flying = 1
        return letter

    def _deliver(self, session: requests.Session, letter: _Letter) -> tuple[int | None, float]:
        began = time.monotonic()
        address = self.addresses.get(letter.name)
        try:
            if address is None:
                return None, 0.0
            headers = dict(letter.headers)
            if letter.signed_as:
                headers[letter.signed_as] = signed(letter.body, address.key if letter.key is None else letter.key)
            answer = session.post(
                address.url, data=letter.body, headers=headers, timeout=_PATIENCE, allow_redirects=False
            )
            status: int | None = answer.status_code
        except requests.RequestException:
            status = None
        return status, (time.monotonic() - began) * 1000

    @staticmethod
    def _comes_again(letter: _Letter, status: int | None) -> bool:
        """SendGrid drops an answer that was refused; everything else comes again."""
        if status is not None and 200 <= status < 300:
            return False
        refused = letter.name == "inbound" and status is not None and status < 500
        return not refused and letter.tries < _MOST_TRIES


def signed(body: bytes, key: str) -> str:
    """As Intuit and Xero sign."""
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()
