"""`make bench-planning`: a night's planning against a plain loop over the same rows, in pairs.

Each side has a process of its own. Also what planning takes of memory, and a year simulated.

Exits with 1 where planning takes more than its share of time or memory.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Final

import holidays.countries  # noqa: F401 - what is imported on the way would count as planning

import open_ledger
import plain_steps
import year_of_invoices
from arsync.playbook.decide import decide
from arsync.playbook.passes import consider, considering
from arsync.playbook.simulate import simulate
from arsync.store import past, verdicts
from figures import Figures, Meter

#: the most that planning may take of the plain loop's time, and how much more memory ten times the payers may take
_TIMES: Final = 3.0
_GROWTH: Final = 1.5
#: the most that a year's simulation may take of one day's plan of as many open invoices
_DAYS: Final = 40.0
#: what `safety.max_messages_per_run` is where nobody says
_CAP: Final = 200


@dataclass(frozen=True, slots=True)
class Order:
    """What one process is told."""

    side: str
    database: str
    day: str  # first | quiet
    cap: int | None = None  # safety.max_messages_per_run; None: far more than there are chases


def _plan(order: Order) -> Figures:
    """Every chase evaluated, one page of payers after the other: what `arsync plan` does."""
    now = open_ledger.FIRST if order.day == "first" else open_ledger.QUIET
    meter = Meter()
    store, linked = open_ledger.opened(Path(order.database))
    policy = open_ledger.policy()
    if order.cap is not None:
        policy = replace(policy, max_per_run=order.cap)
    meter.start()
    with store.reading() as work:
        told = sum(len(plan.verdicts) for plan in considering(work, linked, policy, now=now))
    figures = meter.read(rows=told)
    store.close()
    return figures


def _night(order: Order) -> Figures:
    """The same, and written down as every night does: on a quiet day there is nothing to write."""
    meter = Meter()
    store, linked = open_ledger.opened(Path(order.database))
    policy = open_ledger.policy()
    with store.working() as work:
        run_id = verdicts.begin_run(work, "run", now=open_ledger.QUIET)
        work.commit()
    meter.start()
    decided = decide(store, linked, policy, now=open_ledger.QUIET, run_id=run_id)
    figures = meter.read(rows=decided.changed)
    store.close()
    return figures


def _plain(order: Order, *, with_verdicts: bool = False) -> Figures:
    meter = Meter()
    today = (open_ledger.FIRST if order.day == "first" else open_ledger.QUIET).date()
    steps = plain_steps.choose(Path(order.database), 1, today, with_verdicts=with_verdicts)
    return meter.read(rows=steps.total())


def _plain_night(order: Order) -> Figures:
    return _plain(order, with_verdicts=True)


def _year(order: Order) -> Figures:
    meter = Meter()
    store, linked = open_ledger.opened(Path(order.database))
    policy = open_ledger.policy()
    meter.start()
    with store.reading() as work:
        known = past.read(
            work, linked.id, first=year_of_invoices.FIRST_DAY, last=year_of_invoices.LAST_DAY, local=policy.today
        )
    replayed = simulate(known, policy, connection_id=linked.id, name=linked.name)
    figures = meter.read(rows=len(replayed.touches))
    store.close()
    return figures


_SIDES: Final[Mapping[str, Callable[[Order], Figures]]] = {
    "plan": _plan, "night": _night, "plain": _plain, "plain_night": _plain_night, "year": _year,
}  # fmt: skip


def _run(side: str, database: Path, day: str = "quiet", cap: int | None = None) -> Figures:
    order = json.dumps(asdict(Order(side, str(database), day, cap)))
    command = [sys.executable, str(Path(__file__).resolve()), "--side", order]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return Figures(**json.loads(done.stdout))


# --- the comparisons ------------------------------------------------------------------------------------------------


def _pairs(what: str, ours: str, plain: str, database: Path, day: str, pairs: int, cap: int | None = None) -> list[str]:
    """Both sides in turn; what is over its share."""
    walls, cpus, mine = [], [], []
    for _ in range(pairs):
        own, other = _run(ours, database, day, cap), _run(plain, database, day)
        walls.append(own.wall / other.wall)
        cpus.append(own.cpu / other.cpu)
        mine.append((own, other))
    own, other = mine[-1]
    print(f"{what}: wall {_spread(walls)}, CPU {_spread(cpus)} times the plain loop (at most {_TIMES:g}); "
          f"{own.cpu:.1f} s against {other.cpu:.1f} s of CPU, peak {own.memory:.0f} MB more than imported")  # fmt: skip
    if what.startswith("a quiet night") and own.rows:
        return [f"{what}: {own.rows} verdicts were written, and nothing had happened"]
    return [
        f"{what}: {median(ratios):.2f} times the plain loop's {name}, at most {_TIMES:g}"
        for name, ratios in (("wall time", walls), ("CPU time", cpus))
        if median(ratios) > _TIMES
    ]


def _spread(ratios: list[float]) -> str:
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _memory(large: Path, small: Path, payers: int) -> list[str]:
    much, little = _run("night", large), _run("night", small)
    growth = much.memory / little.memory
    print(f"memory of a quiet night: {much.memory:.0f} MB with {payers:,} payers, {little.memory:.0f} MB with "
          f"{payers // 10:,}: {growth:.2f} times (at most {_GROWTH:g})")  # fmt: skip
    return [] if growth <= _GROWTH else [f"{growth:.2f} times the memory for ten times the payers, at most {_GROWTH:g}"]


def _simulated(folder: Path, invoices: int) -> list[str]:
    year, day = folder / "year.db", folder / "day.db"
    still_open = year_of_invoices.make(year, invoices)
    open_ledger.make(day, invoices // 10)
    replayed, planned = _run("year", year), _run("plan", day, "first")
    own = _run("plan", year, "first")
    days = replayed.cpu / planned.cpu
    print(f"a year of {invoices:,} invoices simulated: {replayed.wall:.1f} s, {replayed.cpu:.1f} s of CPU, "
          f"{replayed.rows:,} touches; {days:.1f} times one day's plan of as many open invoices "
          f"(at most {_DAYS:g}), {replayed.cpu / own.cpu:.1f} times that of the {still_open:,} still open")  # fmt: skip
    return [] if days <= _DAYS else [f"a year takes {days:.1f} days' plans, at most {_DAYS:g}"]


def _quiet(first: Path, quiet: Path) -> None:
    """The day after: every message of the first day has gone out, and the verdicts of that evening stand."""
    shutil.copy(first, quiet)
    store, linked = open_ledger.opened(quiet)
    policy = open_ledger.policy()
    with store.working() as work:
        plans = consider(work, linked, policy, now=open_ledger.FIRST)
        open_ledger.deliver(work, linked.id, plans, open_ledger.FIRST.date(), policy)
        run_id = verdicts.begin_run(work, "run", now=open_ledger.FIRST)
        work.commit()
    decide(store, linked, policy, now=open_ledger.FIRST, run_id=run_id)
    store.close()


def main() -> int:
    """Runs the comparisons, or one side of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payers", type=int, default=20_000, help="with ten open invoices each")
    parser.add_argument("--invoices", type=int, default=20_000, help="of the year that is simulated")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.side:
        order = Order(**json.loads(told.side))
        print(json.dumps(asdict(_SIDES[order.side](order))))
        return 0
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="arsync-bench-") as name:
        folder = Path(name)
        first, quiet, small = folder / "first.db", folder / "quiet.db", folder / "small.db"
        print(f"planning {told.payers * 10:,} open invoices of {told.payers:,} payers")
        open_ledger.make(first, told.payers)
        open_ledger.make(folder / "few.db", told.payers // 10)
        _quiet(first, quiet)
        _quiet(folder / "few.db", small)
        problems += _pairs("a first day", "plan", "plain", first, "first", told.pairs)
        capped = f"a first day that may send {_CAP}"
        problems += _pairs(capped, "plan", "plain", first, "first", told.pairs, _CAP)
        problems += _pairs("a quiet day", "plan", "plain", quiet, "quiet", told.pairs)
        problems += _pairs("a quiet night, written down", "night", "plain_night", quiet, "quiet", told.pairs)
        problems += _memory(quiet, small, told.payers)
        problems += _simulated(folder, told.invoices)
    for problem in problems:
        print(f"OVER THE LIMIT: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
