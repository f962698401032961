"""What a worker answers to who watches it."""

from __future__ import annotations

import re
import socket
from datetime import UTC, datetime, timedelta

import pytest
import requests
from tests.integration.store.books import open_books

from arsync.domain.posted import PostKind, Reception
from arsync.domain.states import Health
from arsync.errors import ConfigurationError, DatabaseUnusable
from arsync.ops.metrics import CONTENT_TYPE, exposition
from arsync.store import connections, doors, duties, posts
from arsync.store.engine import Store
from arsync.testing.ports import FixedClock
from arsync.worker.health import Pulse, answering

NIGHT = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)


def fine() -> None:
    """Nothing is wrong."""


def get(port: int, path: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{port}/{path}", timeout=5)


def test_it_lives_while_it_looks_at_its_clock() -> None:
    clock = FixedClock()
    pulse = Pulse(clock)
    with answering("127.0.0.1:0", pulse, ready=fine, metrics=str, content_type=CONTENT_TYPE) as port:
        assert (get(port, "healthz").status_code, get(port, "healthz?x=1").text) == (200, "ok")
        clock.advance(61)
        assert get(port, "healthz").status_code == 503
        pulse.beat()
        assert get(port, "healthz").status_code == 200
        assert get(port, "anything").status_code == 404
    with pytest.raises(requests.ConnectionError):
        get(port, "healthz")


def test_it_is_ready_where_its_database_can_be_used_and_tells_of_a_fault_its_class_alone() -> None:
    wrong: list[Exception] = []

    def ready() -> None:
        for error in wrong:
            raise error

    with answering("127.0.0.1:0", Pulse(FixedClock()), ready=ready, metrics=str, content_type=CONTENT_TYPE) as port:
        assert get(port, "readyz").status_code == 200
        wrong[:] = [DatabaseUnusable("the disk is full")]
        assert (get(port, "readyz").status_code, "the disk is full" in get(port, "readyz").text) == (503, True)
        wrong[:] = [ValueError("a customer's name")]
        assert get(port, "readyz").text == "unexpected: ValueError"


def test_it_answers_on_an_address_of_ipv6() -> None:
    with answering("[::1]:0", Pulse(FixedClock()), ready=fine, metrics=str, content_type=CONTENT_TYPE) as port:
        assert requests.get(f"http://[::1]:{port}/readyz", timeout=5).text == "ok"


def test_an_address_that_is_taken_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(ConfigurationError, match=re.escape(f"worker.listen: nothing can listen at {address}")),
            answering(address, Pulse(FixedClock()), ready=fine, metrics=str, content_type=CONTENT_TYPE),
        ):
            pass


def test_metrics_are_as_prometheus_reads_them_and_as_the_database_has_them(store: Store) -> None:
    books = open_books(store)
    with store.working() as work:
        harbor = connections.connection_by_id(work, books.id).name
        connections.set_health(work, books.id, Health.SUSPECT, "half of it is gone", synced_at=NIGHT)
        duties.begin(work, f"nightly {harbor}", due=NIGHT, now=NIGHT)
        duties.end(work, f"nightly {harbor}", begun=NIGHT, error="it is down", now=NIGHT)
        for minute in range(3):
            doors.note(work, "xero", Reception.REFUSED, now=NIGHT + timedelta(minutes=minute), why="x-xero-signature")
        doors.note(work, "quickbooks", Reception.TAKEN, now=NIGHT)
        posts.keep(work, PostKind.EVENTS, "[]", now=NIGHT)
        work.commit()
    text = exposition(store, ["nightly harbor", "sync thames", "sync tyne"], ["consent harbor", "missed tyne"])
    lines = text.splitlines()
    sample = re.compile(r'arsync_[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? [0-9.e+]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in lines)
    assert 'arsync_messages{state="unknown"} 0' in lines
    assert f'arsync_connection_health{{connection="{harbor}",health="suspect"}} 1' in lines
    assert f'arsync_connection_health{{connection="{harbor}",health="ok"}} 0' in lines
    assert f'arsync_connection_synced_timestamp_seconds{{connection="{harbor}"}} 1772503200' in lines
    assert f'arsync_nightly_failed{{connection="{harbor}"}} 1' in lines
    assert 'arsync_hook_posts{hook="xero",reception="refused"} 3' in lines
    assert 'arsync_hook_posts{hook="quickbooks",reception="taken"} 1' in lines
    assert 'arsync_hook_taken_timestamp_seconds{hook="quickbooks"} 1772503200' in lines
    assert not [line for line in lines if line.startswith('arsync_hook_taken_timestamp_seconds{hook="xero"')]
    assert "arsync_posts_waiting 1" in lines
    assert "arsync_posts_waiting_since_timestamp_seconds 1772503200" in lines
    assert 'arsync_jobs_at_work{job="sync"} 2' in lines
    assert 'arsync_alerts{kind="consent"} 1' in lines
    assert text.endswith("\n")
