"""A sandbox of these tests' own (they move its clock), and offices in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.outbox.office import VENDORS, Office

from arsync.sandbox.launch import SandboxControl, running_sandbox


@pytest.fixture(scope="session")
def town() -> Iterator[SandboxControl]:
    """One sandbox process for the session."""
    with running_sandbox() as control:
        yield control


@pytest.fixture
def quiet_town(town: SandboxControl) -> Iterator[SandboxControl]:
    """Its faults and switches are put back afterwards."""
    switches = town.switches()
    yield town
    town.clear_faults()
    town.switches(switches)


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    """Each test runs against either accounting system."""
    return str(request.param)


@pytest.fixture
def open_office(quiet_town: SandboxControl, tmp_path: Path) -> Iterator[Callable[..., Office]]:
    """Opens an office with one company (or more) at these vendors."""
    opened: list[Office] = []

    def at(*providers: str, **more: Any) -> Office:
        folder = tmp_path / f"office{len(opened)}"
        opened.append(Office.opened(quiet_town, folder, providers, **more))
        return opened[-1]

    yield at
    for office in opened:
        office.close()
