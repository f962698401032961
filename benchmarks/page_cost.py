"""What a page costs: statements, rows that came of them, what the database did for it, and CPU; one person alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from statistics import median
from typing import Any, Final

from sqlalchemy import event
from starlette.testclient import TestClient

from arsync.bootstrap import App
from arsync.report.catalogue import REPORTS
from arsync.store import prepared
from arsync.store.engine import Store
from arsync.web.app import create

_TIMES: Final = 5
#: SQLite tells of its machine's steps by the hundred.
_STEPS: Final = 100
#: Tables that grow with the years: a page that goes through one of them is told.
_LEDGER: Final = (
    "customers|invoices|invoice_lines|payments|credit_notes|allocations|messages|message_words|message_items|notes|"
    "events|provider_events|verdicts|chases|corrections|replies|comments|touches|promises|call_outcomes|holds"
)


@dataclass
class Cost:
    """Of one page, as it is asked for once more."""

    statements: list[tuple[str, Any]] = field(default_factory=list)  # with their values
    rows: int = 0
    steps: int = 0  # of SQLite's machine; none of PostgreSQL's, which tells of none
    cpu: float = 0.0
    size: int = 0


class _Heard:
    """SQLite's driver, of which is kept what it is asked."""

    def __init__(self, raw: Any, cost: Cost) -> None:
        self._raw = raw
        self._cost = cost

    def execute(self, statement: str, values: Any) -> Any:
        """Asks it."""
        self._cost.statements.append((statement, values))
        return self._raw.execute(statement, values)


class Counter:
    """Counts what is asked of a database, by whichever way."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cost = Cost()

    @contextmanager
    def counting(self) -> Iterator[Cost]:
        """What is asked within; nobody else may ask meanwhile."""
        self._cost = cost = Cost()
        engine, whole = self._store.engine, prepared._Lite.run
        fetched = engine.dialect.name == "sqlite"

        def asked(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
            cost.statements.append((statement, values))

        def answered(_connection: Any, cursor: Any, *_: Any) -> None:
            cost.rows += max(cursor.rowcount, 0) if not fetched else 0

        def run(self: Any, raw: Any, values: dict[str, Any]) -> list[Any]:
            return whole(self, _Heard(raw, cost), values)

        def connected(raw: Any, _record: Any) -> None:
            def row(_cursor: Any, values: tuple[Any, ...]) -> tuple[Any, ...]:
                self._cost.rows += 1
                return values

            def stepped() -> int:
                self._cost.steps += _STEPS
                return 0

            raw.row_factory = row
            raw.set_progress_handler(stepped, _STEPS)

        listeners: list[tuple[str, Callable[..., Any]]] = [
            ("before_cursor_execute", asked),
            ("after_cursor_execute", answered),
        ]
        if fetched:
            self._store.close()  # connections that are made from here on are counted
            listeners.append(("connect", connected))
        for name, listener in listeners:
            event.listen(engine, name, listener)
        prepared._Lite.run = run  # type: ignore[method-assign]
        try:
            yield cost
        finally:
            prepared._Lite.run = whole  # type: ignore[method-assign]
            for name, listener in listeners:
                event.remove(engine, name, listener)
            self._store.close()


class Alone:
    """One person at the desk, in this process."""

    def __init__(self, app: App, name: str, password: str) -> None:
        self.app = app
        self._site = create(app)
        self._cpu = 0.0
        self._client = TestClient(self._measured, base_url="http://localhost", raise_server_exceptions=True)
        token = self._token("/login")
        self._client.post("/login", data={"token": token, "name": name, "password": password})

    async def _measured(self, scope: Any, receive: Any, send: Any) -> None:
        before = time.process_time()
        await self._site(scope, receive, send)
        self._cpu = time.process_time() - before

    def _token(self, path: str) -> str:
        found = re.search(r'name="token" value="([^"]+)"', self._client.get(path).text)
        assert found is not None
        return found[1]

    def get(self, path: str) -> str:
        """A page; RuntimeError where it is none."""
        answer = self._client.get(path, follow_redirects=False)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[-300:]}")
        return answer.text

    def _forget(self, again: bool) -> None:
        if not again:
            self._site.state.site.sheets.forget()

    def cost(self, path: str, *, again: bool = False) -> Cost:
        """What that page costs the second time; its CPU is the middle one of several, counted by nobody. Reports are
        made anew each time but where they are looked at `again`."""
        text = self.get(path)
        self._forget(again)
        with Counter(self.app.store).counting() as cost:
            self.get(path)
        cpus = []
        for _ in range(_TIMES):
            self._forget(again)
            self.get(path)
            cpus.append(self._cpu)
        cost.cpu, cost.size = median(cpus), len(text)
        return cost

    def scans(self, cost: Cost) -> list[str]:
        """What of a page's statements goes through a table that grows, as SQLite plans it."""
        if self.app.store.engine.dialect.name != "sqlite":
            return []
        whole = re.compile(rf"SCAN ({_LEDGER})\b(?! USING INDEX ix_corrections_open)|AUTOMATIC")
        found = []
        with self.app.store.reading() as work:
            for statement, values in cost.statements:
                if re.match(r"\s*(SELECT|WITH)", statement):
                    plan = work.driver.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
                    told = " ".join(statement.split())[-250:]
                    found += [f"{line[3]}: {told}" for line in plan if whole.search(line[3])]
        return found

    def close(self) -> None:
        """Goes home."""
        self._client.close()


def addresses(person: Alone) -> dict[str, str]:
    """One page of each kind, by what there is."""
    late = person.get("/customers")
    customer = _first(late, r'href="(/customers/[^"?]+)"')
    asked = {
        "today": "/", "customers": "/customers", "customers, all by name": "/customers?show=all&sort=name&page=3",
        "customers, searched": "/customers?q=river", "customer": customer,
        "statement": customer.replace("/customers/", "/statements/", 1),
        "approvals": "/approvals", "approvals of a step": "/approvals?step=friendly",
        "messages": "/messages", "messages, older": "/messages?before=5000",
        "messages of a state": "/messages?state=delivered", "messages of a rare state": "/messages?state=unknown",
        "messages of a customer": "/messages?customer=river", "messages of a step": "/messages?step=final",
        "message": _first(person.get("/messages?state=delivered"), r'href="(/messages/\d+)"'),
        "calls": "/calls", "call": _first(person.get("/calls"), r'action="(/calls/\d+)/open"'),
        "log": "/audit", "log, all": "/audit?people=no", "log of somebody": "/audit?author=nobody-at-all",
        "playbooks": "/playbooks", "playbook": "/playbooks/standard", "playbooks, changed": "/review",
        "companies": "/connections", "company": "/connections/harbour", "reports": "/reports",
        "replies": "/replies", "letters": "/letters",
    }  # fmt: skip
    asked |= {f"report {name}": f"/reports/{name}?company=harbour" for name in REPORTS}
    return asked | {
        "report changes by payer": "/reports/changes?company=harbour&by=payer",
        "report aging, again": "/reports/aging?company=harbour&page=2&sort=-open",
        "report steps, again": "/reports/steps?company=harbour",
    }


def _first(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"nothing on the page leads to {pattern}")
    return unescape(found[1])
