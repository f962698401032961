"""`make bench-sending`: one worker's dispatch against a bare loop of the same requests and the same durable commits.

They take turns, so that both meet the same machine: after each batch of the worker's the bare loop does again what was
seen of it, each request with its headers and body and each durable commit with the very rows that it wrote, in the same
order, on a copy of the worker's database with the same durability. The sandbox stands in a process of its own. Exits
with 1 where the worker takes more than its share of wall time, or its memory grows from block to block.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import add
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import requests
from cryptography.fernet import Fernet
from sqlalchemy import event

from arsync.bootstrap import App
from arsync.connector import TokenPair
from arsync.playbook.decide import decide
from arsync.sandbox.launch import SandboxControl, running_sandbox
from arsync.settings import load
from arsync.store import connections, leases, reminders, upgrade, verdicts
from arsync.store.engine import Store, Work
from arsync.store.vault import dump_pair
from arsync.sync.backfill import backfill
from arsync.vault import Vault
from arsync.worker.dispatch import dispatch

#: the most that the worker may take of the bare loop's wall time, and how much more memory the last block may hold
_TIMES: Final = 1.5
_GROWTH: Final = 1.1
#: So many messages are told of, and measured for memory, together; the turns are those of a batch.
_BLOCK: Final = 1_000
#: Of a block: mails; seconds of the worker's wall and CPU, of the bare loop's; requests and commits of either.
_NOTHING: Final = (0.0,) * 7
#: a Tuesday, half past ten in New York
_MORNING: Final = datetime(2026, 6, 9, 14, 30, tzinfo=UTC)
_NAME: Final = "bench"


class _Morning:
    """It is always the same morning; only the machine's seconds pass, but for those of the bare loop."""

    paused = 0.0

    def now(self) -> datetime:
        return _MORNING

    def elapsed(self) -> float:
        return time.perf_counter() - self.paused

    def sleep(self, seconds: float) -> None:
        if seconds:
            raise RuntimeError(f"the worker waits for {seconds} s")


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    headers: dict[str, str]
    body: bytes | str | None


@dataclass(frozen=True, slots=True)
class _Commit:
    """What was written since the transaction began."""

    writes: tuple[tuple[str, Any], ...]  # statements with their values; a list of values: once for each


class _Witness:
    """Keeps every request and every durable commit in their order."""

    def __init__(self) -> None:
        self.seen: list[_Request | _Commit] = []
        self.mails = 0
        self._writes: list[tuple[str, Any]] = []
        self._waits = True

    def __call__(self, moment: str, what: str) -> None:
        if moment == "before" and what == "commit" and self._waits:
            self.seen.append(_Commit(tuple(self._writes)))
            self._writes.clear()

    def look(self, store: Store) -> None:
        """Sees what is written, and for which works the database waits for the disk; the others' are not durable."""
        working, note = store.working, self._note

        class Watched(sqlite3.Connection):
            def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
                note(sql, values)
                return super().execute(sql, values)

        def connecting(_dialect: Any, _record: Any, _given: Any, options: dict[str, Any]) -> None:
            options["factory"] = Watched

        def executing(_c: Any, _cursor: Any, sql: str, values: Any, _context: Any, many: bool) -> None:
            note(sql, list(values) if many else values)

        event.listen(store.engine, "do_connect", connecting)
        event.listen(store.engine, "before_cursor_execute", executing)
        store.close()  # what comes later opens new ones

        @contextmanager
        def seen(*, durable: bool = True) -> Iterator[Work]:
            self._writes.clear()
            with working(durable=durable) as work:
                self._waits = durable
                yield work
            self._waits = True

        store.__dict__["working"] = seen

    def _note(self, sql: str, values: Any) -> None:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            self._writes.append((sql, values))

    def listen(self, session: requests.Session) -> None:
        """Hears what leaves by that session."""
        adapter: Any = session.get_adapter("http://")
        send = adapter.send

        def heard(request: requests.PreparedRequest, **options: Any) -> requests.Response:
            self.seen.append(_Request(str(request.method), str(request.url), dict(request.headers), request.body))
            self.mails += str(request.url).endswith("/mail/send")
            answer: requests.Response = send(request, **options)
            return answer

        adapter.send = heard


def _company(sandbox: SandboxControl, messages: int) -> dict[str, Any]:
    """A QuickBooks company in which so many customers owe one invoice each, five days late."""
    sandbox.speed(0)
    sandbox.set_clock(_MORNING - timedelta(days=1))
    sandbox.limits("quickbooks", minute=None, second=None, batch_minute=None)
    sandbox.limits("sendgrid", second=None)
    card = sandbox.create_company(
        "quickbooks", name="Harbour Tools", invoices=0, customers=1, timezone="America/New_York"
    )
    day = _MORNING.date()
    for number in range(messages):
        made = sandbox.act(card["id"], "new_customer", name=f"Customer {number:05}", email=f"c{number}@payer.example")
        dates = {"date": str(day - timedelta(days=35)), "due_date": str(day - timedelta(days=5))}
        sandbox.act(card["id"], "new_invoice", customer=made["customer"], amount=f"{100 + number % 900}.00", **dates)
    sandbox.set_clock(_MORNING)
    return card


def _settings(folder: Path, sandbox: SandboxControl, card: dict[str, Any], key: str) -> Path:
    sections: dict[str, dict[str, Any]] = {
        "database": {"url": f"sqlite:///{folder / 'arsync.db'}"},
        "vault": {"key": key},
        "defaults": {
            "company_name": "Harbour Tools", "timezone": "America/New_York", "country": "US", "mode": "auto",
            "reply_to": "credit@harbour.example",
        },
        "delivery": {"channel": "sendgrid", "from": "Harbour Tools <credit@harbour.example>"},
        "sendgrid": {"api_key": "SG.sandbox", "host": sandbox.sendgrid_host},
        "safety": {"max_messages_per_run": 1_000_000, "breaker_factor": 1000},
        "quickbooks": {
            "client_id": card["client_id"], "client_secret": card["client_secret"],
            "api_url": sandbox.quickbooks_api, "token_url": sandbox.quickbooks_token,
            "authorize_url": f"{sandbox.url}/authorize",
            "per_second": 10_000, "per_minute": 600_000, "app_per_minute": 600_000,
        },
        f"connection.{_NAME}": {"provider": "quickbooks", "external_id": card["id"]},
    }  # fmt: skip
    path = folder / "arsync.toml"
    text = "\n".join(
        f"[{name}]\n" + "\n".join(f"{field} = {json.dumps(value)}" for field, value in section.items())
        for name, section in sections.items()
    )
    path.write_text(text + '\n[defaults.bank_details]\nUSD = "Bank of Harbour, 12345678"\n', encoding="utf-8")
    return path


def _installed(folder: Path, sandbox: SandboxControl, card: dict[str, Any], witness: _Witness) -> App:
    """The company linked and loaded."""
    key = Fernet.generate_key().decode()
    path = _settings(folder, sandbox, card, key)
    store = Store(f"sqlite:///{folder / 'arsync.db'}")
    upgrade.upgrade(store)
    with store.working() as work:
        connections.found_installation(work, now=_MORNING)
        pair = TokenPair("", card["refresh_token"], datetime(2000, 1, 1, tzinfo=UTC))
        sealed = Vault(key.encode()).seal(dump_pair(pair))
        grant = connections.add_grant(work, provider="quickbooks", sealed=sealed, now=_MORNING)
        linked = connections.link(
            work, name=_NAME, provider="quickbooks", external_id=card["id"], grant_id=grant, now=_MORNING
        )
        reminders.answer(work, linked.id, reminds=False, author="bench", now=_MORNING)
        work.commit()
    store.close()
    app = App(load(path, environ={}), observe=witness)
    app.__dict__["clock"] = _Morning()
    witness.listen(app._session)
    witness.look(app.store)
    (connection,) = app.linked([_NAME])
    backfill(app.store, connection, app.connector(connection), app.clock)
    return app


def _planned(app: App) -> int:
    (connection,) = app.linked([_NAME])
    with app.store.working() as work:
        run_id = verdicts.begin_run(work, "run", now=_MORNING)
        work.commit()
    decide(app.store, connection, app.policy(connection), now=_MORNING, run_id=run_id)
    return run_id


class _BareLoop:
    """The same requests and the same durable commits, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(folder / "bare.db", isolation_level=None)
        with closing(sqlite3.connect(folder / "arsync.db")) as worker:
            worker.backup(self._database)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
            self._database.execute(f"PRAGMA {pragma}")
        self._session = requests.Session()
        self._session.trust_env = False

    def again(self, seen: list[_Request | _Commit]) -> tuple[float, float]:
        """Seconds that it took: of the wall, and of this process's CPU."""
        began, busy = time.perf_counter(), time.process_time()
        database, session = self._database, self._session
        for one in seen:
            if isinstance(one, _Commit):
                database.execute("BEGIN IMMEDIATE")
                for sql, values in one.writes:
                    if isinstance(values, list) and values and isinstance(values[0], tuple):
                        database.executemany(sql, values)
                    else:
                        database.execute(sql, values).fetchall()
                database.execute("COMMIT")
                continue
            answer = session.request(one.method, one.url, headers=one.headers, data=one.body, timeout=60)
            answer.raise_for_status()
        return time.perf_counter() - began, time.process_time() - busy

    def agrees(self, original: Path) -> bool:
        """Whether it has kept what the worker has of its messages, its notes and its story."""
        self._database.execute("ATTACH ? AS worker", (str(original),))
        kept = [
            [
                self._database.execute(f"SELECT * FROM {side}{name} ORDER BY id").fetchall()
                for side in ("main.", "worker.")
            ]
            for name in ("messages", "notes", "events")
        ]
        self._database.execute("DETACH worker")
        return all(own == theirs for own, theirs in kept)

    def close(self) -> None:
        """Lets go of the database and the line."""
        self._database.close()
        self._session.close()


def _resident() -> float:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmRSS:"))


@dataclass
class _Race:
    """The worker is stopped after each batch of messages, and the bare loop does the same again."""

    witness: _Witness
    bare: _BareLoop
    clock: _Morning
    turns: list[tuple[float, float]] = field(default_factory=list)  # seconds: the worker's, the bare loop's
    memory: list[float] = field(default_factory=list)
    sent: int = 0
    _block: tuple[float, ...] = _NOTHING

    def start(self) -> None:
        self.witness.seen.clear()
        self.witness.mails = 0
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def beat(self) -> None:
        """What the worker calls before each batch."""
        if self.witness.mails:
            self.compare()

    def compare(self) -> None:
        """The end of a turn."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        seen = list(self.witness.seen)
        loop, busy = self.bare.again(seen)
        self.clock.paused += loop
        self.turns.append((wall, loop))
        commits = sum(isinstance(one, _Commit) for one in seen)
        new = (self.witness.mails, wall, cpu, loop, busy, len(seen) - commits, commits)
        self._block = tuple(map(add, self._block, new))
        self.sent += self.witness.mails
        if self._block[0] >= _BLOCK:
            self.tell()
        self.start()

    def tell(self) -> None:
        """The end of a block."""
        if not self._block[0]:
            return
        _, wall, cpu, loop, busy, asked, commits = self._block
        self.memory.append(_resident())
        print(
            f"  {self.sent:6,} sent: {wall:5.1f} s ({cpu:.1f} s CPU), bare loop {loop:5.1f} s "
            f"({busy:.1f} s CPU): {wall / loop:.2f}, CPU {cpu / busy:.2f}; "
            f"{asked:,.0f} requests, {commits:,.0f} commits; {self.memory[-1]:.0f} MB",
            flush=True,
        )
        self._block = _NOTHING


def main() -> int:
    """Prints the figures; 1 where they are not good enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    options = parser.parse_args()
    witness = _Witness()
    with tempfile.TemporaryDirectory(prefix="arsync-bench-") as name, running_sandbox() as sandbox:
        folder = Path(name)
        card = _company(sandbox, options.messages)
        app = _installed(folder, sandbox, card, witness)
        clock: Any = app.clock
        (connection,) = app.linked([_NAME])
        run_id = _planned(app)
        desk = app.desk(connection)
        race = _Race(witness, _BareLoop(folder), clock)
        race.start()
        with leases.held(app.store, app.clock, _NAME, timedelta(minutes=15)) as lease:

            def beat() -> None:
                lease.renew()
                race.beat()

            done = dispatch(app.store, desk, app.clock, run_id=run_id, beat=beat)
        race.beat()
        race.tell()
        mails = len(sandbox.messages())
        app.close()
        agrees = race.bare.agrees(folder / "arsync.db")
        race.bare.close()
    accepted = len(done.accepted)
    if accepted != options.messages or mails != 2 * accepted or done.error or not agrees:
        raise RuntimeError(f"{accepted} of {options.messages} accepted, {mails} mails of both: {done.error}, {agrees=}")
    ours, bare = (sum(side) for side in zip(*race.turns, strict=True))
    ratios = [one / other for one, other in race.turns]
    low, middle, high = quantiles(ratios, n=4)
    growth = race.memory[-1] / race.memory[min(1, len(race.memory) - 1)]
    print(
        f"{accepted:,} messages: {ours:.1f} s against {bare:.1f} s, {ours / bare:.2f} times (limit {_TIMES}; of "
        f"{len(ratios)} turns the middle one {middle:.2f}, half of them {low:.2f} to {high:.2f}); memory {growth:.2f} "
        f"times from the second block to the last (limit {_GROWTH})"
    )
    return int(ours / bare > _TIMES or growth > _GROWTH)


if __name__ == "__main__":
    sys.exit(main())
