"""Many small companies in one night: 1, 2 and 4 workers on one PostgreSQL; what the queue costs, and deciding.

    make bench-scale                             500 companies
    make bench-scale ARGS="--companies 100"

Each night sends one message for each company and writes its note. Worker, PostgreSQL and sandbox share this machine:
what counts is the CPU of each, and the ratios of one run. docs/scale.md carries the figures on.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import psycopg
from tests.acceptance.fleet import BY_THE_CLOCK, Fleet, a_fleet
from tests.acceptance.nights import write_playbook
from tests.acceptance.workers import working
from tests.integration.outbox.office import MORNING
from tests.postgres import running_server

from arsync.bootstrap import queue
from arsync.ops.times import times_of
from arsync.sandbox.launch import running_sandbox
from arsync.settings import load
from arsync.store.engine import Store
from arsync.store.upgrade import upgrade
from arsync.testing.ports import FixedClock
from arsync.worker.duty import Job, Kind
from arsync.worker.schedule import Schedule
from arsync.worker.stopping import Stopping

_TICK: Final = os.sysconf("SC_CLK_TCK")
#: of each night: how it is shared, and by how many
_NIGHTS: Final = (("embedded", 1), ("procrastinate", 1), ("procrastinate", 2), ("procrastinate", 4))
#: A customer of each company comes to be three days late on each of them.
_LATE: Final = tuple((day - 3, 1) for day in range(len(_NIGHTS)))


@dataclass(frozen=True, slots=True)
class Took:
    """One night of all companies."""

    queue: str
    workers: int
    wall: float
    worker_cpu: float
    postgres_cpu: float
    sandbox_cpu: float
    requests: int


def cpu_of(pid: int, *, children: bool = False) -> float:
    """Seconds of a process, and of those that it has, or had, begotten."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split() if children else []
    except OSError:
        return 0.0  # it has just ended: its parent has it in its account
    own = sum(map(int, fields[11:15] if children else fields[11:13])) / _TICK
    return own + sum(cpu_of(int(child), children=True) for child in tasks)


def postmaster(fleet: Fleet) -> int:
    """PostgreSQL's first process."""
    with psycopg.connect(fleet.url) as database:
        row = database.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        return int(Path(f"/proc/{row[0]}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])


def night(fleet: Fleet, day: int, how: str, workers: int) -> Took:
    """One night of all companies by so many workers, which have begun before it."""
    office = fleet.office
    office.configure(more=BY_THE_CLOCK.format(queue=how))
    morning = MORNING + timedelta(days=day)
    office.sandbox.set_clock(morning - timedelta(minutes=10))
    with ExitStack() as stack:
        crew = [stack.enter_context(working(office, f"{how}-{workers}-{number}")) for number in range(workers)]
        for worker in crew:
            worker.wait_until_it_works()
        crew[0].wait_for("worker_began") if workers == 1 else time.sleep(2)
        server, before = postmaster(fleet), office.sandbox.requests()[-1]["n"]
        marks = sum(cpu_of(one.process.pid) for one in crew), cpu_of(server, children=True), cpu_of(office.sandbox.pid)
        office.sandbox.set_clock(morning)
        began = time.perf_counter()
        while len(fleet.ended(morning)) < len(office.books):
            time.sleep(0.2)
        wall = time.perf_counter() - began
        now = sum(cpu_of(one.process.pid) for one in crew), cpu_of(server, children=True), cpu_of(office.sandbox.pid)
        worked, served, played = (end - mark for end, mark in zip(now, marks, strict=True))
        requests = office.sandbox.requests()[-1]["n"] - before
    took = Took(how, workers, wall, worked, served, played, requests)
    assert not fleet.told(), fleet.told()
    assert len(office.sent()) == (day + 1) * len(office.books), "one message for each company"
    return took


def ringing(fleet: Fleet, rings: int) -> tuple[float, float, float]:
    """Seconds of a ring, seconds and CPU of its answer by one worker, where there is nothing to do."""
    settings = load(fleet.office.config, environ={})
    store = Store(settings.database_url)
    bell = queue(settings, store)
    assert bell is not None
    times = times_of("0 2 * * *", "UTC")
    began = time.perf_counter()
    for number in range(rings):
        bell.ring(Job(Kind.NIGHT, f"c{number}", times, lambda: None))
    rung = time.perf_counter() - began
    stopping, heard = Stopping(), list[str]()

    def hear(name: str) -> None:
        heard.append(name)
        if len(heard) == rings:
            stopping.tell()

    cpu, began = time.process_time(), time.perf_counter()
    thread = threading.Thread(target=bell.serve, args=(hear, stopping))
    thread.start()
    thread.join()
    answered = time.perf_counter() - began, time.process_time() - cpu
    bell.close()
    store.close()
    return rung / rings, answered[0] / rings, answered[1] / rings


def deciding(companies: int) -> tuple[float, float]:
    """CPU of taking up four jobs of each of so many companies, as once a minute, and of one look at the clock."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/arsync.db")
        upgrade(store)
        clock = FixedClock(datetime(2026, 3, 2, 12, tzinfo=UTC))
        kinds = {
            Kind.NIGHT: "0 2 * * *",
            Kind.DISPATCH: "0 * * * *",
            Kind.RECONCILE: "0 4 * * sun",
            Kind.SYNC: "0 6 * * *",
        }

        def jobs() -> list[Job]:
            return [
                Job(kind, f"c{number}", times_of(crontab, "Europe/London"), lambda: None)
                for number in range(companies) for kind, crontab in kinds.items() if kind is not Kind.SYNC
            ]  # fmt: skip

        schedule = Schedule(store, clock, jobs, lambda _name, _work: None, random.Random(1))
        schedule.look()
        clock.advance(60)
        marks = [time.process_time()]
        for _ in range(2):
            schedule.look()
            marks.append(time.process_time())
        store.close()
    return marks[1] - marks[0], marks[2] - marks[1]


def main() -> int:
    """Prints the figures; 1 where a company costs its worker half as much again by the queue."""
    parser = argparse.ArgumentParser(description="Many small companies in one night.")
    parser.add_argument("--companies", type=int, default=500)
    parser.add_argument("--rings", type=int, default=1000)
    options = parser.parse_args()
    say = sys.stdout.write
    with tempfile.TemporaryDirectory() as name, running_server() as server, running_sandbox() as sandbox:
        folder = Path(name)
        database = server.fresh()
        store = Store(server.url(database))
        upgrade(store)
        store.close()
        playbook = write_playbook(folder / "playbook")
        lines = playbook.read_text(encoding="utf-8").splitlines(keepends=True)
        # Without what is said before the due date each company has one message a night.
        playbook.write_text("".join(line for line in lines if "id: courtesy" not in line), encoding="utf-8")
        began = time.perf_counter()
        with a_fleet(
            sandbox, folder / "office", options.companies, server.url(database), queue="procrastinate",
            playbook=playbook, late=_LATE,
        ) as fleet:  # fmt: skip
            sandbox.speed(1)
            say(f"{options.companies} companies connected and loaded in {time.perf_counter() - began:.0f} s\n")
            say("queue          workers  seconds  per second  CPU of each company (ms)      requests\n")
            say("                                             worker PostgreSQL sandbox\n")
            every = []
            for day, (how, workers) in enumerate(_NIGHTS):
                took = night(fleet, day, how, workers)
                every.append(took)
                each = [
                    1000 * cpu / options.companies for cpu in (took.worker_cpu, took.postgres_cpu, took.sandbox_cpu)
                ]
                say(f"{how:<14} {workers:>7} {took.wall:>8.1f} {options.companies / took.wall:>11.2f}"
                    f" {each[0]:>7.0f} {each[1]:>10.0f} {each[2]:>7.0f}"
                    f" {took.requests / options.companies:>12.1f}\n")  # fmt: skip
                sys.stdout.flush()
            with psycopg.connect(fleet.url) as connection:
                size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
                tables = "SELECT sum(n_live_tup) FROM pg_stat_user_tables WHERE schemaname = 'public'"
                connection.execute("ANALYZE")
                rows = connection.execute(tables).fetchone()
            assert size and rows
            say(f"database: {size[0] / 2**20:.0f} MB, {rows[0]} rows, after {len(every)} nights\n")
            ring, answer, cpu = ringing(fleet, options.rings)
            say(f"the queue, each: {1000 * ring:.1f} ms to ring, {1000 * answer:.1f} ms to answer, ")
            say(f"{1000 * cpu:.1f} ms of it CPU of the worker\n")
    for companies in (1_000, 10_000):
        take, look = deciding(companies)
        say(f"deciding for {companies}: {take:.2f} s CPU each minute, {1000 * look:.1f} ms each second\n")
    one, four = every[1], every[3]
    say(f"four workers against one: {one.wall / four.wall:.2f} times as fast; "
        f"one with the queue against none: {every[0].wall / one.wall:.2f}\n")  # fmt: skip
    return 0 if one.worker_cpu <= 1.5 * every[0].worker_cpu else 1


if __name__ == "__main__":
    sys.exit(main())
