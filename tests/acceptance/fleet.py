"""Many small companies of one installation on one PostgreSQL, and workers that are killed and stopped at random."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import psycopg
from tests.acceptance.nights import targets
from tests.acceptance.workers import Worker, working
from tests.integration.outbox.office import MORNING, VENDORS, Books, Office

from arsync.bootstrap import lay_queue
from arsync.domain.states import EFFECTIVE, Health, MessageState, NoteState
from arsync.sandbox.launch import SandboxControl
from arsync.store import connections, messages

#: Days after the first morning on which the customers of a company come to be late, and of how many invoices.
_LATE = ((-5, 1), (1, 2), (6, 1), (12, 6))
#: real seconds
_PATIENCE = 900.0
BY_THE_CLOCK = """\
[worker]
nightly = "30 10 * * *"
sync = "off"
dispatch = "off"
reconcile = "off"
poll = "off"
jitter_minutes = 0
threads = 4
stop_seconds = 20
queue = "{queue}"
"""


@dataclass
class Fleet:
    """An office of many companies on PostgreSQL, each with a night at half past ten in New York."""

    office: Office
    url: str
    consents: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)  # how workers ended
    longest: float = 0.0  # real seconds of a night

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.office.books]

    def ended(self, morning: datetime) -> set[str]:
        """The companies whose night of that morning is over."""
        query = "SELECT name FROM duties WHERE name LIKE 'nightly %%' AND due_at >= %s AND ended_at IS NOT NULL"
        with psycopg.connect(self.url) as database:
            return {name.split(" ", 1)[1] for (name,) in database.execute(query, [morning]).fetchall()}

    def told(self) -> dict[str, str]:
        """What went wrong in each company's last night."""
        query = "SELECT name, error FROM duties WHERE name LIKE 'nightly %' AND error IS NOT NULL"
        with psycopg.connect(self.url) as database:
            return dict(database.execute(query).fetchall())

    def consent_again(self) -> None:
        """A person connects again where a kill between QuickBooks' new token and our commit has ended the consent."""
        app = self.office.app()
        with app.store.reading() as work:
            lost = [one for one in connections.connections(work) if one.health is Health.REAUTHORISE]
        books = {one.name: one for one in self.office.books}
        for one in lost:
            self.consents += 1
            self.office.consent(app, books[one.name])
        app.close()

    def count(self, *, strikes: int) -> Counter[str]:
        """The promises, counted in the folder of letters and at the sandbox; the states of the messages."""
        app = self.office.app()
        try:
            with app.store.reading() as work:
                standing = {one.name: (one.health, one.health_reason) for one in connections.connections(work)}
                every = messages.in_states(work, list(MessageState))
                books = {one.id: one.external_id for one in connections.connections(work)}
                owed = Counter(
                    (kind, target, books[message.connection_id])
                    for message in every if message.state in EFFECTIVE
                    for kind, target in targets(message, messages.items(work, message.id))
                )  # fmt: skip
            assert {health for health, _ in standing.values()} == {Health.OK}, standing
            intents = {one.key: (one.chase_id, one.step_id, one.occurrence) for one in every}
            sent = Counter(intents[letter["key"]] for letter in self.office.sent())
            assert set(sent.values()) <= {1}, f"twice: {sent}"
            accepted = {
                (one.chase_id, one.step_id, one.occurrence)
                for one in every if one.channel == "email" and one.state in EFFECTIVE
            }  # fmt: skip
            assert accepted == set(sent), "what is known as sent is what went out"
            states = Counter(one.state.value for one in every if one.state is not MessageState.SUPERSEDED)
            assert states["unknown"] <= strikes
            written = Counter((note["target_type"], note["target_id"], note["company"]) for note in _notes(self.office))
            assert written == owed, (written - owed, owed - written)
            pending = [one.state for one in self.office.stored_notes(app) if one.state is not NoteState.WRITTEN]
            assert not pending
        finally:
            app.close()
        return states


def _notes(office: Office) -> list[dict[str, str]]:
    ours = {one.id for one in office.books}
    return [note for note in office.sandbox.notes() if note["company"] in ours]


@contextmanager
def a_fleet(
    sandbox: SandboxControl,
    folder: Path,
    size: int,
    database: str,
    *,
    queue: str,
    playbook: Path,
    late: Sequence[tuple[int, int]] = _LATE,
) -> Iterator[Fleet]:
    """So many companies, connected and loaded, on the morning before their first night."""
    folder.mkdir(parents=True, exist_ok=True)
    sandbox.speed(0)
    sandbox.set_clock(MORNING - timedelta(days=1))
    for provider in VENDORS:
        sandbox.limits(provider, minute=None, second=None, batch_minute=None)
    books: list[Books] = []
    for number in range(size):
        provider = VENDORS[number % 2]
        shares = books[1].id if number > 1 and provider == "xero" else ""  # one consent for several organisations
        card = sandbox.create_company(
            provider, name=f"Company {number}", invoices=0, customers=1, timezone="America/New_York",
            **({"grant_of": shares} if shares else {}),
        )  # fmt: skip
        books.append(Books(sandbox, provider, f"company-{number:03}", card, shares))
    office = Office(
        sandbox,
        folder,
        books,
        playbook=str(playbook),
        database=database,
        more=BY_THE_CLOCK.format(queue=queue),
    )
    for one in books:
        for days, invoices in late:
            customer = one.customer(f"Buyer{days} of {one.name}", f"buyer{days}@{one.name}.example")
            for number in range(invoices):
                one.invoice(customer, f"{100 + number}.00", days_late=-days + number)
    try:
        app = office.load()
        lay_queue(app.settings, app.store)
        app.close()
        yield Fleet(office, database.replace("+psycopg", "", 1))
    finally:
        office.close()


def weather(
    fleet: Fleet, chance: Random, *, workers: int, nights: int, pause: tuple[float, float], most: int = 10_000
) -> int:
    """So many nights by so many workers, one of which is killed, stopped or suspended every now and then; how often
    one was struck. Each company's night of each day comes to its end."""
    office, strikes = fleet.office, 0
    office.sandbox.speed(60)
    with ExitStack() as stack:
        crew = {number: stack.enter_context(working(office, f"worker-{number}")) for number in range(workers)}
        for day in range(nights):
            morning = MORNING + timedelta(days=day)
            office.sandbox.set_clock(morning - timedelta(minutes=1))
            began = time.monotonic()
            quiet = day == nights - 1  # the calm after the storm
            next_strike = began + chance.uniform(*pause)
            while len(fleet.ended(morning)) < len(office.books):
                assert time.monotonic() - began < _PATIENCE, f"day {day}: {set(fleet.names) - fleet.ended(morning)}"
                gone = [worker.log.read_text()[-3000:] for worker in crew.values() if worker.process.poll() is not None]
                assert not gone, gone
                time.sleep(0.2)
                if not quiet and strikes < most and time.monotonic() >= next_strike:
                    strikes += _strike(fleet, crew, chance, stack)
                    next_strike = time.monotonic() + chance.uniform(*pause)
            fleet.longest = max(fleet.longest, time.monotonic() - began)
            fleet.errors.update(error for error in fleet.told().values())
            fleet.consent_again()
        for worker in crew.values():
            worker.go_on()
            worker.wait_until_it_works()
        for worker in crew.values():
            assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()[-3000:]
    said = "".join(path.read_text() for path in office.folder.glob("worker-*.log"))
    assert "Traceback" not in said, said[said.index("Traceback") - 500 :][:4000]
    return strikes


def _strike(fleet: Fleet, crew: dict[int, Worker], chance: Random, stack: ExitStack) -> int:
    """One of them is killed, told to stop, or suspended for a while; whoever is gone is started again."""
    number = chance.choice(sorted(crew))
    worker, how = crew[number], chance.choice(["killed", "stopped", "suspended", "suspended and killed"])
    if worker.suspended:
        worker.go_on()
        return 0
    fleet.ends[how] += 1
    if how.startswith("suspended"):
        worker.suspend()
        if how == "suspended":
            return 1
        time.sleep(0.5)
    worker.end(signal.SIGTERM if how == "stopped" else signal.SIGKILL)
    crew[number] = stack.enter_context(working(fleet.office, f"worker-{number}"))
    return 1
