"""A sandbox of these tests' own (they move its clock), and installations in it."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.clients import NORTH, SOUTH, configure
from tests.acceptance.harbour import Harbour
from tests.acceptance.installation import MORNING, Installation
from tests.acceptance.nights import FILE, Night, Nursery, write_playbook
from tests.postgres import Server

from arsync.sandbox.launch import SandboxControl, running_sandbox


@pytest.fixture(scope="session")
def town() -> Iterator[SandboxControl]:
    """One sandbox process for the session; a minute of its clock is a second."""
    with running_sandbox() as control:
        for provider in ("quickbooks", "xero"):
            control.limits(provider, minute=None, second=None, batch_minute=None)
        control.speed(60)
        yield control


@pytest.fixture
def quiet_town(town: SandboxControl) -> Iterator[SandboxControl]:
    """It is ten in the morning; faults are withdrawn afterwards."""
    town.set_clock(MORNING)
    yield town
    town.clear_faults()


@pytest.fixture
def empty(quiet_town: SandboxControl, tmp_path: Path) -> Installation:
    """A folder without anything, and a sandbox without companies of its own."""
    return Installation(quiet_town, tmp_path)


@pytest.fixture
def installation(empty: Installation) -> Installation:
    """One QuickBooks and one Xero company of a hundred invoices, connected and loaded, messages by themselves."""
    empty.found("harbor", "quickbooks", invoices=100, seed=7)
    empty.found("thames", "xero", invoices=100, seed=11)
    empty.configure()
    empty.load()
    return empty


@pytest.fixture
def firm(empty: Installation) -> Installation:
    """North: Acme Stores owes INV-1, 1,111.11. South: another Acme Stores owes another INV-1, 2,345.67."""
    amounts = {NORTH: "1111.11", SOUTH: "2345.67"}
    for name, amount in amounts.items():
        books = empty.found(name, "quickbooks")
        books.invoice(books.customer("Acme Stores", email="ap@acme.example"), amount, days_late=5, number="INV-1")
    configure(empty)
    empty.load()
    ids = empty.rows("SELECT remote_id, customer_id, number FROM invoices")
    assert len(ids) == 2
    assert len(set(ids)) == 1, "their books look alike"
    return empty


@pytest.fixture
def shop(empty: Installation) -> Installation:
    """Harbor: Acme owes H-1 and H-2, Birch H-3. Thames: Cedar owes T-1. Each is ready for its first reminder."""
    harbor, thames = empty.found("harbor", "quickbooks"), empty.found("thames", "xero")
    acme = harbor.customer("Acme Stores")
    harbor.invoice(acme, "500.00", days_late=5, number="H-1")
    harbor.invoice(acme, "300.00", days_late=8, number="H-2")
    harbor.invoice(harbor.customer("Birch Cafe"), "250.00", days_late=5, number="H-3")
    thames.invoice(thames.customer("Cedar Books"), "700.00", days_late=5, number="T-1")
    empty.configure()
    empty.load()
    return empty


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What all storms came to: how many were struck how often, and the states of their messages."""
    told = [
        Counter(dict(report.user_properties))
        for report in terminalreporter.getreports("passed")
        if "test_thousands_of_storms" in report.nodeid and report.when == "call"
    ]
    if told:
        total = sum(told, Counter[str]())
        came_to = ", ".join(f"{number} {what}" for what, number in sorted(total.items()))
        terminalreporter.write_line(f"{len(told)} storms: {came_to}")


# --- whole nights in processes of their own ------------------------------------------------------------------------


@pytest.fixture(scope="session")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_playbook(tmp_path_factory.mktemp("playbook"))


@pytest.fixture(scope="session")
def nursery(playbook: Path) -> Iterator[Nursery]:
    with Nursery.open(playbook) as one:
        yield one


@pytest.fixture(scope="session")
def another_nursery(playbook: Path) -> Iterator[Nursery]:
    """For a second night while the first stands still."""
    with Nursery.open(playbook) as one:
        yield one


@pytest.fixture(scope="session")
def eve(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Path:
    """The database on the eve of the first night."""
    folder = tmp_path_factory.mktemp("eve")
    with Night.prepared(folder / "office", FILE, nursery) as night:
        for name in ("arsync.db", "arsync.key"):
            shutil.copyfile(folder / "office" / name, folder / name)
        nursery.warm_up(night)
    return folder


@pytest.fixture(scope="session")
def harbour(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, nursery: Nursery, eve: Path,
    postgres: Server, migrated_postgres: str,
) -> Harbour:  # fmt: skip
    folder = tmp_path_factory.mktemp("evening") / "office"
    template = postgres.fresh(migrated_postgres)
    with Night.prepared(folder, FILE, nursery, database=postgres.url(template)):
        pass
    return Harbour(
        nursery, lambda: request.getfixturevalue("another_nursery"), eve, postgres, template, key=folder
    )  # fmt: skip
