"""Threads of reads that run ahead are there while somebody reads, and gone after it."""

from __future__ import annotations

import gc
import threading

import pytest

from arsync.connector import Flights


def aloft() -> int:
    return sum(thread.name.startswith("flight") for thread in threading.enumerate())


def settled() -> int:
    """How many are left when those on their way out are gone."""
    for thread in threading.enumerate():
        if thread.name.startswith("flight"):
            thread.join(1)
    return aloft()


def test_no_thread_outlives_what_it_was_asked_for_though_its_connector_lives_on() -> None:
    gc.collect()
    assert settled() == 0
    flights = Flights(4)
    assert flights.ask(lambda: 7) == 7
    assert settled() == 0
    walk = flights.in_order([lambda number=number: number for number in range(9)])  # type: ignore[misc]
    assert next(walk) == 0
    assert aloft() > 0
    assert flights.ask(lambda: 8) == 8
    assert next(walk) == 1, "another question has not ended the walk's threads"
    walk.close()
    assert settled() == 0


def test_none_outlives_a_failure() -> None:
    def fails() -> int:
        raise ZeroDivisionError

    flights = Flights(4)
    with pytest.raises(ZeroDivisionError):
        list(flights.in_order([lambda: 1, fails, lambda: 3]))
    assert settled() == 0
