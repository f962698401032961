"""A sandbox of these tests' own (they move its clock), and installations in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.installation import MORNING, Installation

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
