"""`make bench`: arsync's backfill against the plain loader, in pairs, each side in a process of its own.

Exits with 1 where arsync takes more than its share of time or memory, or the two databases differ.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

from figures import Figures, Meter

#: the most that arsync may take of the plain loader's time, and the most memory beyond what its import takes
_TIMES: Final = 1.5
_MEGABYTES: Final = 75.0
#: seconds of latency, and how much faster pages in flight must be than one request at a time
_LATENCY: Final = 0.25
_GAIN: Final = 3.0
#: how much more memory the whole process may take for ten times the invoices
_GROWTH: Final = 1.1
#: invoices paid before the delta is measured
_CHANGED: Final = 100
_TABLES: Final = ("customers", "contacts", "invoices", "invoice_lines", "payments", "credit_notes", "allocations")
_NAME: Final = "bench"
#: The vendors' allowances would pace both sides; lifted this far, the budget's own work stays in.
_ALLOWANCES: Final = {
    "quickbooks": {"per_second": 10_000, "per_minute": 600_000, "app_per_minute": 600_000},
    "xero": {"per_minute": 600_000, "per_day": 10_000_000, "app_per_minute": 600_000},
}


@dataclass(frozen=True, slots=True)
class Order:
    """What one side is told."""

    side: str
    provider: str
    settings: str
    database: str
    api_url: str
    company: str
    token: str
    today: str
    pages: int = 2  # in flight, as the connectors have it by default


# --- one side, in its own process ---------------------------------------------------------------------------


def _arsync(order: Order) -> Figures:
    """The product's own path: settings, App, connector, backfill."""
    bootstrap = importlib.import_module("arsync.bootstrap")
    settings = importlib.import_module("arsync.settings")
    sync = importlib.import_module("arsync.sync.backfill")
    importlib.import_module(f"arsync_{order.provider}")
    meter = Meter()
    app = bootstrap.App(settings.load(Path(order.settings), environ={}))
    (connection,) = app.linked([_NAME])
    meter.start()
    loaded = sync.backfill(app.store, connection, app.connector(connection), app.clock)
    app.close()  # with the last of the write-ahead log folded in, as the baseline's is
    figures = meter.read()
    if loaded.quarantined or loaded.differences:
        raise RuntimeError(f"{loaded.quarantined} quarantined, differences: {loaded.differences}")
    return figures


def _delta(order: Order) -> Figures:
    """The nightly delta on a loaded database: its rows and statements are counted at the driver."""
    bootstrap = importlib.import_module("arsync.bootstrap")
    settings = importlib.import_module("arsync.settings")
    delta = importlib.import_module("arsync.sync.delta")
    event = importlib.import_module("sqlalchemy").event
    importlib.import_module(f"arsync_{order.provider}")
    meter = Meter()
    app = bootstrap.App(settings.load(Path(order.settings), environ={}))
    (connection,) = app.linked([_NAME])
    counted = {"rows": 0, "statements": 0}

    def told(_statement: str) -> None:
        counted["statements"] += 1

    @event.listens_for(app.store.engine, "connect")  # type: ignore[untyped-decorator]
    def connected(raw: Any, _record: Any) -> None:
        def row(_cursor: Any, values: tuple[Any, ...]) -> tuple[Any, ...]:
            counted["rows"] += 1
            return values

        raw.row_factory = row
        raw.set_trace_callback(told)

    app.store.close()  # connections made from here on are counted
    meter.start()
    delta.sync(app.store, connection, app.connector(connection), app.clock)
    figures = replace(meter.read(), **counted)
    app.close()
    return figures


def _baseline(order: Order) -> Figures:
    load: Callable[..., int] = getattr(importlib.import_module("baseline"), f"load_{order.provider}")
    meter = Meter()
    load(
        Path(order.database),
        api_url=order.api_url,
        company=order.company,
        token=order.token,
        today=date.fromisoformat(order.today),
    )
    return meter.read()


_SIDES: Final[Mapping[str, Callable[[Order], Figures]]] = {"arsync": _arsync, "baseline": _baseline}
_ALL_SIDES: Final[Mapping[str, Callable[[Order], Figures]]] = {**_SIDES, "delta": _delta}


# --- both sides, in pairs -------------------------------------------------------------------------------------


@contextmanager
def _companies(providers: list[str], invoices: int) -> Iterator[tuple[Any, dict[str, dict[str, Any]]]]:
    """A sandbox with a company for each provider, no limits, and its clock a day past the last change."""
    from arsync.sandbox.launch import running_sandbox  # noqa: PLC0415 - not in the sides' own memory

    with running_sandbox() as sandbox:
        cards = {
            provider: sandbox.create_company(provider, invoices=invoices, customers=max(40, invoices // 50), seed=7)
            for provider in providers
        }
        sandbox.limits("quickbooks", second=None, minute=None, batch_minute=None)
        sandbox.limits("xero", minute=None, day=None, app_minute=None, concurrent=None)
        sandbox.advance(days=1)
        yield sandbox, cards


def _toml(provider: str, card: Mapping[str, Any], sandbox: Any, database: Path, key: str, pages: int) -> str:
    urls = {"api_url": getattr(sandbox, f"{provider}_api"), "token_url": getattr(sandbox, f"{provider}_token")}
    if provider == "xero":
        urls["connections_url"] = sandbox.xero_connections
    urls["authorize_url"] = f"{sandbox.url}/authorize"
    own = {"client_id": card["client_id"], "client_secret": card["client_secret"], **urls}
    own |= _ALLOWANCES[provider] | {"pages_in_flight": pages}
    sections = {"database": {"url": f"sqlite:///{database}"}, "vault": {"key": key}, provider: own}
    return "\n".join(
        f"[{name}]\n" + "\n".join(f"{field} = {json.dumps(value)}" for field, value in section.items())
        for name, section in sections.items()
    )


def _prepare(order: Order, sandbox: Any, card: Mapping[str, Any]) -> Order:
    """A fresh database at the latest schema with the company linked, and for the plain loader an access token."""
    from cryptography.fernet import Fernet  # noqa: PLC0415

    from arsync.connector import TokenPair  # noqa: PLC0415
    from arsync.store import connections, upgrade  # noqa: PLC0415
    from arsync.store.engine import Store  # noqa: PLC0415
    from arsync.store.vault import dump_pair  # noqa: PLC0415
    from arsync.vault import Vault  # noqa: PLC0415

    key = Fernet.generate_key().decode()
    database = Path(order.database)
    Path(order.settings).write_text(_toml(order.provider, card, sandbox, database, key, order.pages))
    now = datetime.fromisoformat(order.today).replace(tzinfo=UTC)
    token = _exchanged(order, sandbox, card)
    pair = TokenPair(token["access_token"], token["refresh_token"], expires_at=datetime(9999, 1, 1, tzinfo=UTC))
    store = Store(f"sqlite:///{database}")
    upgrade.upgrade(store)
    with store.working() as work:
        connections.found_installation(work, now=now)
        sealed = Vault(key.encode()).seal(dump_pair(pair))
        grant = connections.add_grant(work, provider=order.provider, sealed=sealed, now=now)
        connections.link(work, name=_NAME, provider=order.provider, external_id=card["id"], grant_id=grant, now=now)
        work.commit()
    store.close()
    return replace(order, token=token["access_token"])


def _exchanged(order: Order, sandbox: Any, card: Mapping[str, Any]) -> dict[str, str]:
    """A fresh pair of tokens: neither side pays for it."""
    import requests  # noqa: PLC0415

    answer = requests.post(
        getattr(sandbox, f"{order.provider}_token"),
        data={"grant_type": "refresh_token", "refresh_token": sandbox.grant(card["id"])["refresh_token"]},
        auth=(card["client_id"], card["client_secret"]),
        timeout=10,
    )
    found: dict[str, str] = answer.json()
    return found


def _run(order: Order) -> Figures:
    command = [sys.executable, str(Path(__file__).resolve()), "--side", json.dumps(asdict(order))]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return Figures(**json.loads(done.stdout))


def _differences(one: Path, other: Path) -> list[str]:
    """The tables that do not hold the same rows in both databases."""
    found = []
    with sqlite3.connect(one) as connection:
        connection.execute("ATTACH ? AS other", (str(other),))
        baseline = importlib.import_module("baseline")
        for table in _TABLES:
            columns = ", ".join(baseline.columns_of(connection, table))
            pair = (f"main.{table}", f"other.{table}")
            lacking = [
                connection.execute(
                    f"SELECT count(*) FROM (SELECT {columns} FROM {here} EXCEPT SELECT {columns} FROM {there})"
                ).fetchone()[0]
                for here, there in (pair, pair[::-1])
            ]
            if any(lacking):
                found.append(f"{table}: {lacking[0]} rows only arsync has, {lacking[1]} only the baseline")
    connection.close()
    return found


def _rows(database: Path) -> str:
    with sqlite3.connect(database) as connection:
        counts = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _TABLES}
    connection.close()
    return ", ".join(f"{count:,} {table}" for table, count in counts.items())


def _page_requests(sandbox: Any) -> int:
    """How many pages of records were asked for since the log was cleared."""
    asked = (f"{entry['query']} {entry['body'] or ''}" for entry in sandbox.requests())
    return sum(re.search(r"MAXRESULTS \d{3,}|pageSize=\d{3,}", text) is not None for text in asked)


def _order(
    side: str, provider: str, folder: Path, database: Path, sandbox: Any, card: Mapping[str, Any], pages: int = 2
) -> Order:
    return Order(
        side=side,
        provider=provider,
        settings=str(folder / f"{side}.toml"),
        database=str(database),
        api_url=getattr(sandbox, f"{provider}_api"),
        company=card["id"],
        token="",
        today=datetime.now(UTC).date().isoformat(),  # noqa: TID251 - arsync is on the machine's clock, too
        pages=pages,
    )


def _latency(sandbox: Any, provider: str, card: Mapping[str, Any]) -> list[str]:
    """With an ocean in between: pages in flight against one request at a time; what is slower than it may be."""
    walls: dict[int, float] = {}
    sandbox.rules(latency=_LATENCY)
    try:
        for pages in (1, 4):
            with tempfile.TemporaryDirectory(prefix="arsync-bench-") as name:
                folder = Path(name)
                order = _order("arsync", provider, folder, folder / "arsync.db", sandbox, card, pages)
                walls[pages] = _run(_prepare(order, sandbox, card)).wall
    finally:
        sandbox.rules(latency=0)
    gain = walls[1] / walls[4]
    print(f"  {_LATENCY * 1000:.0f} ms away: {walls[1]:.1f} s one at a time, {walls[4]:.1f} s with 4 in flight, "
          f"{gain:.1f} times as fast (at least {_GAIN})")  # fmt: skip
    return [] if gain >= _GAIN else [f"{provider}: {gain:.1f} times as fast with pages in flight, at least {_GAIN}"]


def _changes(sandbox: Any, provider: str, card: Mapping[str, Any], invoices: int) -> None:
    """A load, then a hundred changed invoices, then the delta: its figures, printed."""
    with tempfile.TemporaryDirectory(prefix="arsync-bench-") as name:
        folder = Path(name)
        order = _prepare(_order("arsync", provider, folder, folder / "arsync.db", sandbox, card), sandbox, card)
        _run(order)
        sandbox.advance(days=1)  # past the overlap with the load
        _run(replace(order, side="delta"))
        sandbox.advance(days=1)
        owing = [row["id"] for row in sandbox.truth(card["id"])["invoices"] if row["state"] == "open"]
        for invoice in owing[:_CHANGED]:
            sandbox.act(card["id"], "pay", invoice=invoice)
        sandbox.clear_requests()
        figures = _run(replace(order, side="delta"))
        asked = len([entry for entry in sandbox.requests() if entry["company"] == card["id"]])
    print(f"  {_CHANGED} changes in {invoices:,}: {asked} requests, {figures.cpu:.3f} s CPU, {figures.wall:.3f} s, "
          f"{figures.statements} statements, {figures.rows} rows read")  # fmt: skip


def _pair(
    sandbox: Any, provider: str, card: Mapping[str, Any], folder: Path, problems: list[str]
) -> dict[str, Figures]:
    """Both sides once, from fresh databases, which must be equal in the end."""
    figures: dict[str, Figures] = {}
    pages: dict[str, int] = {}
    databases: dict[str, Path] = {}
    for side in _SIDES:
        databases[side] = folder / f"{side}.db"
        order = _order(side, provider, folder, databases[side], sandbox, card)
        order = _prepare(order, sandbox, card)
        sandbox.clear_requests()
        figures[side] = _run(order)
        pages[side] = _page_requests(sandbox)
    problems += _differences(databases["arsync"], databases["baseline"])
    if pages["arsync"] < pages["baseline"]:  # it may fetch more: it asks once more for what changed meanwhile
        problems.append(f"pages fetched: {pages}")
    return figures


def _spread(values: list[float]) -> str:
    return f"{median(values):8.2f} {min(values):8.2f} {max(values):8.2f}"


def _report(provider: str, pairs: list[dict[str, Figures]]) -> list[str]:
    """Prints the table; returns what is over its limit."""
    over = []
    print(f"\n{provider}, {len(pairs)} pairs           median      min      max")
    for what in ("wall", "cpu"):
        for side in _SIDES:
            print(f"  {side:9} {what:4} [s]        {_spread([getattr(pair[side], what) for pair in pairs])}")
        ratios = [getattr(pair["arsync"], what) / getattr(pair["baseline"], what) for pair in pairs]
        print(f"  ratio     {what:4}            {_spread(ratios)}   (at most {_TIMES})")
        if median(ratios) > _TIMES:
            over.append(f"{provider}: {what} ratio {median(ratios):.2f}, at most {_TIMES}")
    for side in _SIDES:
        print(f"  {side:9} peak - import [MB]{_spread([pair[side].memory for pair in pairs])}", end="")
        print(f"   (at most {_MEGABYTES:.0f})" if side == "arsync" else "")
    print(f"  arsync    after import [MB] {_spread([pair['arsync'].imported for pair in pairs])}")
    highest = max(pair["arsync"].memory for pair in pairs)
    if highest >= _MEGABYTES:
        over.append(f"{provider}: {highest:.0f} MB beyond the import, at most {_MEGABYTES:.0f}")
    return over


def main() -> int:
    """Runs the pairs and prints the tables; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--invoices", type=int, default=20_000)
    parser.add_argument("--large", action="store_true", help="also a company ten times as large, one pair")
    parser.add_argument("--provider", choices=("quickbooks", "xero", "both"), default="both")
    parser.add_argument("--keep", type=Path, help="leave the last databases in this folder")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        order = Order(**json.loads(options.side))
        print(json.dumps(asdict(_ALL_SIDES[order.side](order))))
        return 0
    providers = ["quickbooks", "xero"] if options.provider == "both" else [options.provider]
    problems: list[str] = []
    print(f"{platform.system()} {platform.machine()}, {_cores()} cores, Python {platform.python_version()}, "
          f"SQLite {sqlite3.sqlite_version}; {options.invoices:,} invoices")  # fmt: skip
    memory: dict[str, Figures] = {}
    with _companies(providers, options.invoices) as (sandbox, cards):
        for provider in providers:
            problems += _measure(sandbox, provider, cards[provider], options.pairs, options.keep, memory)
            problems += _latency(sandbox, provider, cards[provider])
            _changes(sandbox, provider, cards[provider], options.invoices)
    if options.large:
        many = 10 * options.invoices
        for provider in providers:  # one after the other: the sandbox holds the company in memory
            with _companies([provider], many) as (sandbox, cards):
                print(f"\n{many:,} invoices:")
                small = memory[provider]
                problems += _measure(sandbox, provider, cards[provider], 1, None, memory, warm=False)
                problems += _growth(provider, small, memory[provider], many)
                _changes(sandbox, provider, cards[provider], many)
    for problem in dict.fromkeys(problems):
        print(f"FAILED {problem}", file=sys.stderr)
    return 1 if problems else 0


def _measure(
    sandbox: Any,
    provider: str,
    card: Mapping[str, Any],
    count: int,
    keep: Path | None,
    memory: dict[str, Figures],
    *,
    warm: bool = True,
) -> list[str]:
    """Runs and reports a provider's pairs; what is wrong with them. `memory` is given arsync's run of the highest
    peak."""
    wrong: list[str] = []
    pairs = []
    for number in range(count + warm):
        with tempfile.TemporaryDirectory(prefix="arsync-bench-") as name:
            pair = _pair(sandbox, provider, card, Path(name), wrong)
            if number == count + warm - 1:
                equal = "the databases differ" if wrong else "the same in both databases"
                print(f"\n{provider}: {_rows(Path(name) / 'arsync.db')}; {equal}")
                if keep:
                    shutil.copytree(name, keep / provider, dirs_exist_ok=True)
        if number or not warm:  # the first warms the sandbox and the disk up
            pairs.append(pair)
    memory[provider] = max((pair["arsync"] for pair in pairs), key=lambda one: one.peak)
    return [f"{provider}: {what}" for what in wrong] + _report(provider, pairs)


def _growth(provider: str, small: Figures, large: Figures, many: int) -> list[str]:
    """What ten times the invoices take of memory, and what is wrong with it."""
    grown, beyond = large.peak / small.peak, large.memory / small.memory
    print(f"  arsync    peak of the process: {large.peak:.0f} MB, {small.peak:.0f} MB at a tenth: {grown:.2f} times")
    print(f"  arsync    of which beyond the import: {large.memory:.0f} MB, {small.memory:.0f} MB: {beyond:.2f} times")
    return [] if grown <= _GROWTH else [f"{provider}: {grown:.2f} times the memory at {many:,}, at most {_GROWTH}"]


def _cores() -> int:
    import os  # noqa: PLC0415

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
