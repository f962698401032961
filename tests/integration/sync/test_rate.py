"""Four processes at one organisation: counted at the sandbox, never more than allowed and hardly less."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.sync.mirror import Mirror

from arsync.sandbox.launch import SandboxControl
from arsync.store.engine import Store

_SPENDER = Path(__file__).with_name("spender.py")
_PROCESSES = 4


def spend(mirror: Mirror, url: str, *, per_minute: int, seconds: float | None) -> list[datetime]:
    """Lets four processes ask the company for so long, or until they would have to wait; when each request came.

    No request may have been refused.
    """
    sandbox = mirror.sandbox
    settings = mirror.settings() | {"per_minute": per_minute}
    if mirror.provider == "quickbooks":
        settings |= {"per_second": 1000, "app_per_minute": 10_000}
    order = {
        "provider": mirror.provider,
        "company": mirror.id,
        "settings": settings,
        "database": url,
        "grant": mirror.connection.grant_id,
        "clock_url": f"{sandbox.url}/_sandbox/clock",
        "from": sandbox.now().isoformat(),
        "seconds": seconds,
    }
    with mirror.counted() as asked:
        processes = [
            subprocess.Popen([sys.executable, str(_SPENDER), json.dumps(order)], stderr=subprocess.PIPE, text=True)
            for _ in range(_PROCESSES)
        ]
        said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * _PROCESSES, said
    assert {one["status"] for one in asked} == {200}, "not one was refused"
    return [datetime.fromisoformat(one["at"]) for one in asked]


def fullest(times: list[datetime]) -> int:
    """The most requests in any stretch of a minute."""
    times, first, most = sorted(times), 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - timedelta(seconds=60):
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.fixture
def limited(quiet: SandboxControl, provider: str, store: Store) -> Mirror:
    return Mirror.of(quiet, provider, store, invoices=50)


@pytest.mark.parametrize(
    ("provider", "database"),
    [pytest.param("xero", "sqlite", marks=pytest.mark.long), ("quickbooks", "postgresql")],
    indirect=["database"],
)
def test_four_processes_use_a_minute_to_its_end_and_not_beyond(limited: Mirror, store_url: str) -> None:
    sandbox = limited.sandbox
    sandbox.limits(limited.provider, minute=48)
    try:
        times = spend(limited, store_url, per_minute=48, seconds=None)
    finally:
        sandbox.limits(limited.provider, minute=None)
    assert len(times) == 48


@pytest.mark.long
def test_four_processes_keep_to_six_hundred_a_minute_for_three_minutes(limited: Mirror, store_url: str) -> None:
    sandbox = limited.sandbox
    sandbox.limits(limited.provider, minute=600)
    try:
        times = spend(limited, store_url, per_minute=600, seconds=180)
    finally:
        sandbox.limits(limited.provider, minute=None)
    assert fullest(times) <= 600
    start = min(times)
    middle = [at for at in times if timedelta(seconds=30) <= at - start < timedelta(seconds=150)]
    assert len(middle) >= 0.85 * 1200, f"{len(middle)} of 1200"
