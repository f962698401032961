"""Companies in a sandbox without throttles, each with a cache of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.sync.mirror import Mirror
from tests.shortcuts import lay_database

from arsync.sandbox.launch import SandboxControl, running_sandbox
from arsync.store.engine import Store

_LIMITS = {"quickbooks": ("second", "minute", "batch_minute"), "xero": ("minute", "day", "app_minute", "concurrent")}


@pytest.fixture(params=["quickbooks", "xero"])
def provider(request: pytest.FixtureRequest) -> str:
    """Each test runs against both vendors."""
    return str(request.param)


@pytest.fixture(scope="session")
def unthrottled() -> Iterator[SandboxControl]:
    """A sandbox of our own, without throttles: these tests move its clock by years."""
    with running_sandbox() as sandbox:
        for vendor, windows in _LIMITS.items():
            sandbox.limits(vendor, **dict.fromkeys(windows))
        yield sandbox


@pytest.fixture
def quiet(unthrottled: SandboxControl) -> Iterator[SandboxControl]:
    """That sandbox; its rules, faults and switches are put back afterwards, its clock goes on."""
    switches = unthrottled.switches()
    yield unthrottled
    unthrottled.clear_faults()
    unthrottled.rules(edit_after_page=0, latency=0)
    unthrottled.switches(switches)


@pytest.fixture
def make_store(tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens one more empty SQLite database."""
    opened: list[Store] = []

    def make() -> Store:
        path = tmp_path / f"{len(opened)}.db"
        lay_database(path)
        opened.append(Store(f"sqlite:///{path}"))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the vendors' pages: what goes on between pages is the same, and a company of several is soon read."""
    for module in ("quickbooks.paging", "quickbooks.pull", "xero.paging", "xero.connector"):
        monkeypatch.setattr(f"arsync_{module}.PAGE_SIZE", 100)


@pytest.fixture
def mirror(quiet: SandboxControl, provider: str, make_store: Callable[[], Store]) -> Mirror:
    """A small company, loaded."""
    one = Mirror.of(quiet, provider, make_store())
    one.backfill()
    return one
