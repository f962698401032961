"""`arsync worker`, the real process: deltas and nights by the clock, a graceful end, and an end that is not."""

from __future__ import annotations

import signal
import socket
import time
from datetime import UTC, datetime

import pytest
import requests
from tests.acceptance.installation import Installation
from tests.acceptance.workers import PATIENCE, working

#: Sandbox time: a minute is a second. A night each twenty minutes, a delta each five.
_BUSY = '[worker]\nnightly = "*/20 * * * *"\nsync = "*/5 * * * *"\njitter_minutes = 0\n'
_NINE_PAST_TEN = datetime(2026, 9, 15, 14, 9, tzinfo=UTC)


@pytest.fixture
def shop_by_the_clock(shop: Installation) -> Installation:
    """Nothing is due yet but the first delta; at 14:20 UTC comes the first night."""
    shop.configure(more=_BUSY)
    shop.sandbox.set_clock(_NINE_PAST_TEN)
    return shop


def test_a_worker_pulls_and_has_its_nights_by_the_clock_and_ends_when_it_is_told(
    shop_by_the_clock: Installation,
) -> None:
    shop = shop_by_the_clock
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    shop.configure(more=f'{_BUSY}listen = "{address}"\n')
    with working(shop) as worker:
        worker.wait_for("worker_began", companies=2)
        for place in ("healthz", "readyz"):
            assert requests.get(f"http://{address}/{place}", timeout=5).text == "ok"
        for company in ("harbor", "thames"):
            worker.wait_for("synced", connection=company)
            worker.wait_for("run_ended", connection=company)
        measured = requests.get(f"http://{address}/metrics", timeout=5).text
        assert 'arsync_messages{state="accepted"} 3\n' in measured
        assert worker.end(signal.SIGTERM) == 0
        assert worker.lines("worker_stopped")
        nights = worker.lines("run_ended")
        assert {line["connection"]: line["sent"] for line in nights[:2]} == {"harbor": 2, "thames": 1}
        assert all(line["run"] for line in nights)
    assert len(shop.letters()) == 3
    assert shop.rows("SELECT count(*) FROM leases") == [(0,)]
    assert shop.rows("SELECT name FROM duties WHERE ended_at IS NULL") == []
    shop.arsync("run")
    assert len(shop.letters()) == 3


def test_a_worker_that_is_killed_is_taken_up_by_the_next_and_nothing_is_doubled(
    shop_by_the_clock: Installation,
) -> None:
    shop = shop_by_the_clock
    with working(shop) as worker:
        deadline = time.monotonic() + PATIENCE
        while not shop.letters() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert worker.end(signal.SIGKILL) == -signal.SIGKILL
    with working(shop, "second") as worker:
        worker.wait_for("worker_began")
        assert not worker.lines("worker_stands_by"), "the lease of a dead worker is free at once"
        for company in ("harbor", "thames"):
            worker.wait_for("run_ended", connection=company, times=2)
        assert worker.end(signal.SIGINT) == 0
    shop.arsync("run")
    addressees = [str(letter["To"]) for letter in shop.letters()]
    assert len(addressees) == len(set(addressees)) == 3
    written = [note["target_id"] for one in shop.books.values() for note in one.notes()]
    assert len(written) == len(set(written)) == 4


def test_a_company_that_hangs_delays_no_other_and_does_not_keep_the_worker_from_ending(
    shop_by_the_clock: Installation,
) -> None:
    shop = shop_by_the_clock
    shop.configure(more=f"{_BUSY}stop_seconds = 1\n")
    shop.sandbox.fault("timeout_before", {"provider": "quickbooks"}, times=None, seconds=120)
    with working(shop) as worker:
        worker.wait_for("run_ended", connection="thames", times=2)
        assert all(line["connection"] == "thames" for line in worker.lines("run_ended"))
        assert worker.end(signal.SIGTERM) == 1
        (left,) = worker.lines("worker_left")
        assert len(left["jobs"]) == 1
        assert left["jobs"][0].endswith(" harbor")
    shop.sandbox.clear_faults()
    with working(shop, "second") as worker:
        worker.wait_for("run_ended", connection="harbor", sent=2)
        assert worker.end(signal.SIGTERM) == 0
    assert len(shop.letters()) == 3


def test_a_second_worker_stands_by_until_the_first_is_gone(shop_by_the_clock: Installation) -> None:
    shop = shop_by_the_clock
    with working(shop) as first:
        first.wait_for("worker_began")
        with working(shop, "second") as second:
            second.wait_for("worker_stands_by")
            assert first.end(signal.SIGTERM) == 0
            second.wait_for("worker_began")
            assert second.end(signal.SIGTERM) == 0


def test_a_worker_takes_other_settings_when_it_is_told_and_goes_on_with_its_own_where_they_are_wrong(
    shop_by_the_clock: Installation,
) -> None:
    """Nights are off the clock of this test until the settings bring one; a slip after that ends nothing."""
    shop = shop_by_the_clock
    shop.configure(more=_BUSY.replace("*/20 * * * *", "0 3 * * *"))
    with working(shop) as worker:
        worker.wait_for("worker_began")
        shop.configure(more=_BUSY)
        worker.process.send_signal(signal.SIGHUP)
        worker.wait_for("settings_taken")
        worker.wait_for("run_ended", connection="harbor", sent=2)
        shop.configure(more=_BUSY.replace("sync", "sink"))
        worker.process.send_signal(signal.SIGHUP)
        assert "worker.sink: there is no such key" in worker.wait_for("settings_not_taken")["reason"]
        before = len(worker.lines("run_ended"))
        worker.wait_for("run_ended", times=before + 1)
        assert worker.end(signal.SIGTERM) == 0
