"""`make bench-desk`: fifty people click through the desk of companies with 100,000 invoices while these are synced.

One person alone clicks first: what is told of the crowd stands beside that, of the same run. `arsync serve`, the runs
of arsync and the sandbox are processes of their own and share this machine with those who click. Exits with 1 where an
answer was an error, what somebody did was not kept, or a balance is not the source's.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Final

import busy_desk
from arsync.sandbox.launch import running_sandbox
from busy_desk import LATE, PASSWORD, SHARES, Desk
from clicking import KINDS, Person, Seen, Walk, crowd
from page_cost import Alone, addresses

_PATIENCE: Final = 60.0
#: How often who is alone sees each page.
_ROUNDS: Final = 20
#: Customers of each company that pay, and are billed, between two runs.
_CHANGES: Final = 20
_TICK: Final = os.sysconf("SC_CLK_TCK")
#: How a command that had nothing to complain of ends, and one that has something for a person to do.
_WELL: Final = (0, 1)


@dataclass
class Nights:
    """What arsync does beside the people: a company is loaded, then all of them are run again and again."""

    desk: Desk
    ran: list[tuple[str, float, int]] = field(default_factory=list)  # what, seconds, exit status
    faults: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Until it is over."""
        self.run("backfill", LATE[0])
        begin = 0
        while not self.over.is_set():
            busy_desk.disturb(self.desk, _CHANGES, begin)
            begin += 2 * _CHANGES
            self.run("run")

    def run(self, *command: str) -> None:
        """One command, as a program of its own."""
        began = time.perf_counter()
        done = subprocess.run(_arsync(self.desk, *command), capture_output=True, text=True, check=False, env=_clean())
        self.ran.append((" ".join(command), time.perf_counter() - began, done.returncode))
        said = done.stdout + done.stderr
        if done.returncode not in _WELL or "locked" in said or "Traceback" in said:
            self.faults.append(f"arsync {' '.join(command)} ended with {done.returncode}: {said[-500:]}")


def _arsync(desk: Desk, *command: str) -> list[str]:
    return [sys.executable, "-m", "arsync", "--config", str(desk.config), *command]


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ARSYNC_")}


@contextmanager
def served(desk: Desk) -> Iterator[tuple[int, int]]:
    """`arsync serve`: its port and its process."""
    log = desk.folder / "serve.log"
    with (
        log.open("wb") as stream,
        subprocess.Popen(_arsync(desk, "serve"), stdout=stream, stderr=stream, env=_clean()) as process,
    ):
        try:
            deadline = time.monotonic() + _PATIENCE
            while not (port := _port(log)):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(log.read_text(encoding="utf-8"))
                time.sleep(0.05)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def _port(log: Path) -> int:
    for line in log.read_text(encoding="utf-8").splitlines():
        told = json.loads(line) if line.startswith("{") and line.endswith("}") else {}
        if told.get("event") == "serve_began":
            return int(str(told["address"]).rpartition(":")[2])
    return 0


def _failed(log: Path) -> list[str]:
    """What the desk's own log says went wrong."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return [line[:2000] for line in lines if "failed" in line or "rror" in line]


def _cpu(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / _TICK


# --- one alone, and all of them -----------------------------------------------------------------------------------


def alone(port: int, rounds: int) -> Seen:
    """One person sees each kind of page so often, one after the other."""
    seen = Seen()
    person = Person(port, busy_desk.people(1)[0], seen)
    person.log_in(PASSWORD)
    walk = Walk(person, Random(1), list(SHARES))
    walk.learn()
    for number in range(rounds + 1):
        if number == 1:  # what is read once for all is not counted
            seen.took.clear()
        for kind in KINDS:
            walk.look(kind)
    person.close()
    return seen


def together(port: int, number: int, seconds: float, think: float) -> Seen:
    """All of them."""
    seen = Seen()
    crowd(
        port, busy_desk.people(number), PASSWORD, seen, seconds=seconds, think=think, seed=50,
        companies=lambda one: ["harbour", "tyne"] if one % 5 == 4 else list(SHARES),
    )  # fmt: skip
    return seen


# --- whether it is true -----------------------------------------------------------------------------------------------


def wrong_balances(desk: Desk, port: int, names: Sequence[str]) -> list[str]:
    """Where a company's aging is not what its own books say, once everything is synced."""
    person = Person(port, busy_desk.people(1)[0], seen := Seen())
    person.log_in(PASSWORD)
    found = list(seen.faults)
    for name in names:
        rows = csv.DictReader(
            io.StringIO(person.get("csv", f"/reports/aging.csv?company={name}").body.lstrip("\ufeff"))
        )
        told: dict[str, Decimal] = {}
        for row in rows:
            told[row["currency"]] = told.get(row["currency"], Decimal(0)) + Decimal(row["open"])
        owed = busy_desk.owed(desk, name)
        if {one: amount for one, amount in told.items() if amount} != owed:
            found.append(f"{name}: the desk says {told}, its books say {owed}")
    person.close()
    return found


def lost_acts(desk: Desk, seen: Seen, since: datetime) -> list[str]:
    """Where more or less was kept than people were told."""
    found = []
    with_app = desk.app()
    at = f"{since:%Y-%m-%d %H:%M:%S}+00:00"
    for kind, query in busy_desk.KEPT.items():
        with with_app.store.reading() as work:
            kept = int(work.connection.exec_driver_sql(query.format(since=at)).scalar_one())
        if kept != seen.done[kind]:
            found.append(f"{kind}: {seen.done[kind]} were answered, {kept} are kept")
    with_app.close()
    return found


# --- told -------------------------------------------------------------------------------------------------------------


def _tell(idle: Seen, busy: Seen) -> None:
    print("page                    alone: p50   p95 |  together:  n   p50   p95   p99 (ms) | p95 to p95")
    for kind in sorted(busy.took, key=lambda one: -len(busy.took[one])):
        those = busy.took[kind]
        before = idle.took.get(kind, [])
        told = f"{_ms(median(before)):>6} {_ms(_at(before, 95)):>5}" if before else "     -     -"
        ratio = f"{_at(those, 95) / _at(before, 95):.1f}" if before else ""
        print(
            f"{kind:<26} {told:>13} | {len(those):>12} {_ms(median(those)):>5} {_ms(_at(those, 95)):>5} "
            f"{_ms(_at(those, 99)):>5}      | {ratio:>6}"
        )


def _at(those: Sequence[float], percent: int) -> float:
    return quantiles(those, n=100, method="inclusive")[percent - 1] if len(those) > 1 else those[0]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def tell_costs(desk: Desk) -> list[str]:
    """What each page asks of the database, and what of that goes through a table."""
    app = desk.app()
    person = Alone(app, busy_desk.people(1)[0], PASSWORD)
    print("page                                            queries    rows  steps (1000)  CPU ms   kB")
    scans = []
    for kind, path in addresses(person).items():
        cost = person.cost(path, again=kind.endswith("again"))
        print(
            f"{kind:<46} {len(cost.statements):>8} {cost.rows:>7,} {cost.steps / 1000:>13,.0f} {cost.cpu * 1000:>7.1f} "
            f"{cost.size / 1024:>4.0f}"
        )
        # Reports read what they add up, as the handbook says; the review looks at every running chase.
        if not kind.startswith(("report ", "playbooks, changed")):
            scans += [f"{kind}: {line}" for line in person.scans(cost)]
    person.close()
    app.close()
    return scans


@contextmanager
def _database(folder: Path, *, postgresql: bool) -> Iterator[str]:
    if not postgresql:
        yield f"sqlite:///{folder / 'arsync.db'}"
        return
    from tests.postgres import running_server  # noqa: PLC0415

    with running_server() as server:
        yield server.url(server.fresh())


def main() -> int:
    """Prints the figures; 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--invoices", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=90, help="for which they click")
    parser.add_argument("--think", type=float, default=4, help="seconds between two clicks, on average")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="of one person alone")
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="arsync-desk-")))
        desk = Desk(
            folder, stack.enter_context(running_sandbox()),
            stack.enter_context(_database(folder, postgresql=options.postgresql)),
        )  # fmt: skip
        began = time.perf_counter()
        counts = busy_desk.make(desk, options.invoices, options.people)
        print(
            f"made in {time.perf_counter() - began:.0f} s: {', '.join(f'{n:,} {name}' for name, n in counts.items())}"
        )
        scans = tell_costs(desk)
        port, process = stack.enter_context(served(desk))
        idle = alone(port, options.rounds)
        since, cpu = datetime.now(UTC), _cpu(process)  # noqa: TID251 - the desk is on the machine's clock
        nights = Nights(desk)
        beside = threading.Thread(target=nights.work)
        beside.start()
        busy = together(port, options.people, options.seconds, options.think)
        cpu = _cpu(process) - cpu
        nights.over.set()
        beside.join()
        nights.run("sync")
        _tell(idle, busy)
        asked = sum(map(len, busy.took.values()))
        print(f"{asked:,} answers, {cpu:.1f} s of the server's CPU: {1000 * cpu / max(asked, 1):.0f} ms each")
        print("beside that: " + ", ".join(f"{what} {took:.1f} s" for what, took, _ in nights.ran))
        print(f"done: {dict(busy.done)}; overtaken by others: {dict(busy.overtaken)}")
        problems = [*idle.faults, *busy.faults, *nights.faults, *lost_acts(desk, busy, since)]
        problems += wrong_balances(desk, port, list(SHARES))
        problems += _failed(folder / "serve.log")
    for scan in scans:
        print(f"GOES THROUGH A TABLE: {scan}")
    for problem in problems[:50]:
        print(f"WRONG: {problem}")
    print(f"{len(problems)} wrong, {len(scans)} scans")
    return 1 if problems or scans else 0


if __name__ == "__main__":
    sys.exit(main())
