"""One worker at a time, and none stuck behind a dead one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from arsync.domain.clock import SystemClock
from arsync.errors import Locked
from arsync.store import tables as t
from arsync.store.engine import Store
from arsync.store.leases import Lease, held, holder, is_dead
from arsync.testing.ports import FixedClock

TERM = timedelta(minutes=3)
#: Another process: takes the lease by the test's clock, says so, and waits to be told to go.
_OTHER = """
import sys
from datetime import datetime, timedelta
from arsync.store.engine import Store
from arsync.store.leases import Lease
from arsync.testing.ports import FixedClock
Lease(Store(sys.argv[1]), FixedClock(datetime.fromisoformat(sys.argv[2])), "run", timedelta(minutes=3)).take()
print("taken", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process_holding(url: str, clock: FixedClock) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _OTHER, url, clock.now().isoformat()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "taken\n"
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


def test_a_dead_holder_is_taken_over_at_once(store: Store, store_url: str) -> None:
    clock = FixedClock()
    mine = Lease(store, clock, "run", TERM)
    with another_process_holding(store_url, clock) as other:
        with pytest.raises(Locked, match=f"pid {other.pid} "):
            mine.take()
        other.kill()
        other.wait()
        mine.take()  # not a second has passed


def test_a_suspended_holder_keeps_its_lease_until_its_time_and_then_loses_it(store: Store, store_url: str) -> None:
    clock = FixedClock()
    mine = Lease(store, clock, "run", TERM)
    with another_process_holding(store_url, clock) as other:
        os.kill(other.pid, signal.SIGSTOP)
        clock.advance(179)
        with pytest.raises(Locked):
            mine.take()
        clock.advance(2)
        mine.take()
        os.kill(other.pid, signal.SIGCONT)


def test_a_lease_from_a_clock_that_stood_a_year_ahead_holds_nobody(store: Store, store_url: str) -> None:
    """Its holder is alive, so it cannot be told dead."""
    clock = FixedClock()
    with another_process_holding(store_url, FixedClock(clock.now() + timedelta(days=365))):
        Lease(store, clock, "run", TERM).take()


def test_a_zombie_is_dead(store: Store, store_url: str) -> None:
    clock = FixedClock()
    with another_process_holding(store_url, clock) as other:
        other.kill()
        # Nobody has waited for it: it stands in the process table still.
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        Lease(store, clock, "run", TERM).take()


def test_renewing_keeps_it_and_a_lost_lease_cannot_be_renewed(store: Store) -> None:
    clock = FixedClock()
    first, second = (Lease(store, clock, "run", TERM) for _ in range(2))
    first.take()
    for _ in range(5):
        clock.advance(120)
        first.renew()
        with pytest.raises(Locked):
            second.take()
    clock.advance(181)
    second.take()
    with pytest.raises(Locked, match="taken over by another process"):
        first.renew()
    first.drop()  # not ours any more: nothing happens
    with pytest.raises(Locked):
        Lease(store, clock, "run", TERM).take()
    second.drop()
    first.take()


def test_a_pull_longer_than_the_term_does_not_lose_the_lease(store: Store) -> None:
    """
    00:00 taken for 180 s, and kept
    00:02 renewed by itself: until 05:00
    00:04 the work has not come round to renewing; another still waits
    """
    clock = FixedClock()
    lease = Lease(store, clock, "run", TERM)
    lease.take()
    clock.advance(120)
    lease.keep(every=0.01)
    deadline = time.monotonic() + 10
    while _until(store) < clock.now() + TERM:
        assert time.monotonic() < deadline
    clock.advance(120)
    with pytest.raises(Locked):
        Lease(store, clock, "run", TERM).take()
    lease.drop()
    Lease(store, clock, "run", TERM).take()


def test_a_lost_lease_is_not_taken_back_by_its_keeper(store: Store) -> None:
    clock = FixedClock()
    lost = Lease(store, clock, "run", TERM)
    lost.take()
    clock.advance(181)
    Lease(store, clock, "run", TERM).take()
    lost.keep(every=0.01)
    keeper = lost._keeper
    assert keeper is not None
    keeper.join(10)
    assert not keeper.is_alive(), "it has found out and ended"
    with pytest.raises(Locked, match="taken over"):
        lost.renew()


def _until(store: Store) -> datetime:
    with store.reading() as work:
        until: datetime = work.execute(select(t.leases.c.until)).scalar_one()
    return until


def test_leases_of_other_names_are_free(store: Store) -> None:
    clock = FixedClock()
    Lease(store, clock, "grant 1", TERM).take()
    Lease(store, clock, "grant 2", TERM).take()


def test_the_wait_for_a_lease_ends_after_the_patience_given(store: Store) -> None:
    clock = FixedClock()
    with held(store, clock, "run", TERM):
        with pytest.raises(Locked), held(store, clock, "run", TERM, patience=2.0):
            pass
        assert 2.0 <= sum(clock.slept) < 2.2
    with held(store, clock, "run", TERM):
        pass


def test_a_block_that_fails_gives_its_lease_back(store: Store) -> None:
    clock = FixedClock()
    with pytest.raises(ZeroDivisionError), held(store, clock, "run", TERM):
        _ = 1 / 0
    Lease(store, clock, "run", TERM).take()


def test_of_many_that_want_it_at_once_one_gets_it(another_store: Callable[[], Store]) -> None:
    clock = FixedClock()
    got: list[str] = []
    stores = [another_store() for _ in range(6)]
    gate = threading.Barrier(len(stores))

    def want(store: Store) -> None:
        gate.wait()
        try:
            Lease(store, clock, "run", TERM).take()
            got.append("taken")
        except Locked:
            got.append("locked")

    threads = [threading.Thread(target=want, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == ["locked"] * 5 + ["taken"]


def test_several_are_held_all_or_none_and_each_goes_by_what_people_call_it(store: Store) -> None:
    clock = FixedClock()
    thames = Lease(store, clock, {"run 2": "thames"}, TERM)
    thames.take()
    both = Lease(store, clock, {"run 1": "harbor", "run 2": "thames"}, TERM)
    with pytest.raises(Locked, match="thames, held by"):
        both.take()
    Lease(store, clock, {"run 1": "harbor"}, timedelta(seconds=1)).take()  # it was not left taken
    thames.drop()
    clock.advance(1)
    both.take()
    both.renew()
    clock.advance(TERM.total_seconds())
    thames.take()
    with pytest.raises(Locked, match="harbor, thames was taken over"):
        both.renew()
    both.drop()
    with pytest.raises(Locked):
        Lease(store, clock, {"run 2": "thames"}, TERM).take()  # what was lost was not ours to give back


def test_only_a_process_of_this_very_machine_is_known_to_be_dead() -> None:
    me = holder()
    assert not is_dead(me)
    machine, _, rest = me.partition(" pid ")
    pid = int(rest.split()[0])
    assert is_dead(f"{machine} pid {pid} start 1"), "the same number, another process"
    assert not is_dead(f"elsewhere pid {pid} start 1")
    assert not is_dead("nonsense")
    assert not is_dead(f"{machine} pid 4194305 start ?")
    assert is_dead(f"{machine} pid 4194305 start 7"), "there is no such process"
    assert SystemClock().now().tzinfo is not None
