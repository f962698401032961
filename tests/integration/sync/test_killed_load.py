"""A load of a large company that is killed goes on where it was: pages are counted at the sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.sync.mirror import Mirror

from arsync.sandbox.launch import SandboxControl
from arsync.store.engine import Store

_LOADER = Path(__file__).with_name("loader.py")
_LIFTED = {
    "quickbooks": {"per_second": 10_000, "per_minute": 600_000, "app_per_minute": 600_000},
    "xero": {"per_minute": 600_000, "per_day": 10_000_000, "app_per_minute": 600_000},
}


def started(mirror: Mirror) -> subprocess.Popen[bytes]:
    order = {
        "provider": mirror.provider,
        "company": mirror.id,
        "settings": mirror.settings() | _LIFTED[mirror.provider],
        "database": mirror.store.url,
        "grant": mirror.connection.grant_id,
        "clock_url": f"{mirror.sandbox.url}/_sandbox/clock",
    }
    return subprocess.Popen([sys.executable, str(_LOADER), json.dumps(order)])


def is_page(entry: dict[str, Any]) -> bool:
    """Whether that was a page of the load itself: they alone come in the order of ids."""
    return "ORDERBY Id" in str(entry["body"]) or "ID+ASC" in entry["query"] or "ID%20ASC" in entry["query"]


@pytest.mark.long
@pytest.mark.parametrize("after", [1, 5, 12, 20, 29, 38])
def test_a_load_killed_after_any_page_fetches_less_than_a_tenth_again(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store], after: int
) -> None:
    mirror = Mirror.of(quiet, provider, make_store(), invoices=22_000, customers=400)
    with mirror.counted() as asked:
        assert started(mirror).wait(300) == 0
    whole = sum(map(is_page, asked))
    assert whole > 40
    mirror.link(make_store())
    quiet.clear_requests()
    with mirror.counted() as asked:
        process = started(mirror)
        while sum(is_page(one) for one in quiet.requests() if one["company"] == mirror.id) < after:
            assert process.poll() is None
        process.kill()
        process.wait()
        assert started(mirror).wait(300) == 0
    assert sum(map(is_page, asked)) < 1.1 * whole
    assert mirror.differences() == []
