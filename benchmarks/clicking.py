"""People at a desk: each logs in, looks about, and now and then does something, with time to think in between."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from random import Random
from typing import Final
from urllib.parse import urlencode

_FORM: Final = re.compile(r'<form method="post" action="([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)
_FIELD: Final = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_LINK: Final = re.compile(r'href="([^"]+)"')
_PATIENCE: Final = 120.0
#: Seconds for which a line is kept that nobody uses: the desk lets go after five.
_KEPT: Final = 4.0
#: Answers that tell a person something, and no fault: another was faster.
_OVERTAKEN: Final = frozenset({404, 409, 422})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, and after how long."""

    status: int
    to: str
    body: str
    seconds: float

    def form(self, action: str) -> tuple[str, dict[str, str]] | None:
        """The first form that goes to an address like that: where to, and what it holds unseen."""
        for where, inner in _FORM.findall(self.body):
            if re.search(action, where):
                return where, {name: unescape(value) for name, value in _FIELD.findall(inner)}
        return None

    def links(self, like: str) -> list[str]:
        """The addresses that it leads to which begin so."""
        return sorted({unescape(one) for one in _LINK.findall(self.body) if re.match(like, one)})


@dataclass
class Seen:
    """What all of them saw: seconds by kind of page, and what went wrong."""

    took: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    done: Counter[str] = field(default_factory=Counter)  # acts that came through, by kind
    overtaken: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, answer: Answer, *, act: bool) -> None:
        """One answer."""
        with self._lock:
            self.took[kind].append(answer.seconds)
            overtaken = answer.status in _OVERTAKEN or "told=changed" in answer.to
            if act and answer.status == 303 and not overtaken:
                self.done[kind] += 1
            elif act and overtaken:
                self.overtaken[kind] += 1
            elif answer.status not in (200, 303):
                self.faults.append(f"{kind}: {answer.status} {' '.join(answer.body.split())[-200:]}")

    def fail(self, kind: str, error: Exception) -> None:
        """No answer."""
        with self._lock:
            self.faults.append(f"{kind}: {type(error).__name__}: {error}")


class Person:
    """Somebody with a browser."""

    def __init__(self, port: int, name: str, seen: Seen) -> None:
        self.name = name
        self._seen = seen
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        self._used = 0.0
        self._cookie = ""

    def get(self, kind: str, path: str) -> Answer:
        """A page."""
        return self._asked(kind, "GET", path, None)

    def send(self, kind: str, path: str, fields: dict[str, str]) -> Answer:
        """A form."""
        return self._asked(kind, "POST", path, urlencode(fields))

    def log_in(self, password: str) -> bool:
        """Whether that person is let in."""
        page = self.get("log-in page", "/login")
        form = page.form("/login")
        if form is None:
            return False
        answer = self.send("log-in", form[0], {**form[1], "name": self.name, "password": password})
        return answer.status == 303

    def close(self) -> None:
        """Goes home."""
        self._line.close()

    def _asked(self, kind: str, method: str, path: str, body: str | None) -> Answer:
        headers = {"Cookie": self._cookie, "Connection": "keep-alive"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        began = time.perf_counter()
        if began - self._used > _KEPT:
            self._line.close()  # as a browser does, which sees that the other side has let go
        try:
            self._line.request(method, path, body, headers)
            came = self._line.getresponse()
            text = came.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            self._line.close()
            self._seen.fail(kind, error)
            return Answer(0, "", "", time.perf_counter() - began)
        finally:
            self._used = time.perf_counter()
        for one in came.headers.get_all("Set-Cookie") or ():
            self._cookie = one.partition(";")[0]
        answer = Answer(came.status, came.headers.get("Location", ""), text, time.perf_counter() - began)
        self._seen.note(kind, answer, act=method == "POST")
        if came.status == 303 and answer.to.startswith("/login") and kind != "log-in":
            self._seen.fail(kind, RuntimeError("the session is gone"))
        return answer


@dataclass
class Walk:
    """What one person does: a page after another, drawn by weight from what stands on the pages seen before."""

    person: Person
    chance: Random
    companies: Sequence[str]
    customers: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    last_day: str = ""

    def look(self, kind: str) -> None:
        """One click."""
        getattr(self, f"_{kind}")()

    def learn(self) -> None:
        """Sees a customer list and a message list, so that there is something to click on."""
        self._customers()
        self._messages()

    def _today(self) -> None:
        self.person.get("today", "/")

    def _customers(self) -> None:
        asked = {
            "company": self.chance.choice(("", *self.companies)),
            "show": self.chance.choice(("late", "open", "all")),
            "sort": self.chance.choice(("overdue", "open", "oldest", "name")), "page": str(self.chance.randint(1, 6)),
        }  # fmt: skip
        if self.chance.random() < 0.3:
            asked = {"q": self.chance.choice(("optics", "bakery", "river", "crown", "joinery", "zephyr"))}
        page = self.person.get("customers", f"/customers?{urlencode(asked)}")
        self.customers = page.links("/customers/[^?]+$") or self.customers

    def _customer(self) -> str | None:
        if not self.customers:
            return None
        path = self.chance.choice(self.customers)
        page = self.person.get("customer", path)
        self.messages = page.links(r"/messages/\d+$") or self.messages
        return page.body

    def _approvals(self) -> Answer:
        page = self.person.get("approvals", "/approvals")
        waiting = page.links(r"/approvals\?(.*&)?message=\d+")
        return self.person.get("approvals", self.chance.choice(waiting)) if waiting else page

    def _step(self) -> None:
        self.person.get("approvals of a step", f"/approvals?step={self.chance.choice(('friendly', 'firm'))}")

    def _messages(self) -> None:
        asked = {"state": self.chance.choice(("", "", "delivered", "accepted", "planned", "unknown"))}
        if self.chance.random() < 0.4:
            asked["before"] = str(self.chance.randint(100, 20_000))
        if self.chance.random() < 0.2:
            asked["customer"] = self.chance.choice(("river", "crown", "bakery"))
        page = self.person.get("messages", f"/messages?{urlencode(asked)}")
        self.messages = page.links(r"/messages/\d+$") or self.messages

    def _message(self) -> None:
        if self.messages:
            path = self.chance.choice(self.messages)
            page = self.person.get("message", path)
            if f"{path}/body" in page.body:
                self.person.get("message body", f"{path}/body")

    def _calls(self) -> Answer:
        return self.person.get("calls", "/calls")

    def _call(self) -> Answer | None:
        forms = [where for where, _ in _FORM.findall(self._calls().body) if re.fullmatch(r"/calls/\d+/open", where)]
        if not forms:
            return None
        return self.person.get("call", self.chance.choice(forms).removesuffix("/open"))

    def _statement(self) -> None:
        if self.customers:
            self.person.get("statement", self.chance.choice(self.customers).replace("/customers/", "/statements/", 1))

    def _report(self) -> None:
        name = self.chance.choice(("aging", "exposure", "dso", "cei", "days-to-pay", "promises", "activity"))
        self.person.get(f"report {name}", f"/reports/{name}?company={self.chance.choice(self.companies)}")

    def _audit(self) -> None:
        self.person.get("log", self.chance.choice(("/audit", "/audit?people=no", "/audit?author=person01")))

    def _playbooks(self) -> None:
        self.person.get("playbooks", self.chance.choice(("/playbooks", "/playbooks/standard")))

    def _connections(self) -> None:
        self.person.get("companies", "/connections")

    def _replies(self) -> None:
        self.person.get("replies", "/replies")

    def _letters(self) -> None:
        self.person.get("letters", "/letters")

    # --- what is done --------------------------------------------------------------------------------------------

    def _approve(self) -> None:
        form = self._approvals().form(r"/messages/\d+/approve")
        if form is not None:
            self.person.send("approve", form[0], form[1])

    def _hold(self) -> None:
        self._of_customer("hold", {"kind": "pause", "reason": "they are moving house", "until": self._day(20)})

    def _promise(self) -> None:
        self._of_customer("promise", {"day": self._day(9), "grace": "2", "reason": "said on the telephone"})

    def _of_customer(self, kind: str, said: dict[str, str]) -> None:
        body = self._customer()
        form = Answer(200, "", body or "", 0.0).form(f"/{kind}$")
        if form is not None:
            self.person.send(kind, form[0], {**form[1], **said})

    def _call_outcome(self) -> None:
        page = self._call()
        opened = page.form(r"/calls/\d+/open$") if page is not None else None
        if page is not None and opened is not None:
            self.person.send("open a call", opened[0], opened[1])
        if page is not None and (form := page.form(r"/calls/\d+$")) is not None:
            self.person.send("call outcome", form[0], {**form[1], "outcome": "no_answer", "comment": "rang twice"})

    def _day(self, ahead: int) -> str:
        return str((datetime.now(UTC) + timedelta(days=ahead)).date())  # noqa: TID251 - by the desk's own clock


#: Of a hundred clicks so many are of each kind; the last ones do something.
LOOKS: Final = {
    "today": 13, "customers": 13, "customer": 22, "approvals": 7, "step": 2, "messages": 8, "message": 7, "calls": 3,
    "call": 3, "statement": 3, "report": 4, "audit": 3, "playbooks": 1, "connections": 2,
    "replies": 2, "letters": 1,
}  # fmt: skip
ACTS: Final = {"approve": 4, "hold": 2, "promise": 1, "call_outcome": 2}
#: Each kind of page that one looks at, in the order in which one person alone looks at them.
KINDS: Final = tuple(LOOKS)


def crowd(
    port: int, names: Sequence[str], password: str, seen: Seen, *, seconds: float, think: float, seed: int,
    companies: Callable[[int], Sequence[str]],
) -> None:  # fmt: skip
    """All of them at once, until the time is over. Between two clicks each thinks for a time drawn from an exponential
    distribution with that mean; the clock runs from when the last has come in."""
    everybody = threading.Barrier(len(names))

    def lives(number: int) -> None:
        chance = Random(seed * 1000 + number)
        person = Person(port, names[number], seen)
        try:
            let_in = person.log_in(password)
            everybody.wait(_PATIENCE)
            if not let_in:
                raise RuntimeError(f"{names[number]} is not let in")
            walk = Walk(person, chance, companies(number))
            until = time.perf_counter() + seconds
            time.sleep(chance.expovariate(1 / think))
            walk.learn()
            weights = LOOKS if number % 10 == 9 else {**LOOKS, **ACTS}
            while time.perf_counter() < until:
                time.sleep(chance.expovariate(1 / think))
                (kind,) = chance.choices(list(weights), list(weights.values()))
                walk.look(kind)
        except Exception as error:  # noqa: BLE001 - whatever it was is told at the end
            seen.fail(names[number], error)
        finally:
            person.close()

    threads = [threading.Thread(target=lives, args=(number,)) for number in range(len(names))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
