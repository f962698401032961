"""Numbered pages, several on their way, while records come and go: whatever stood there all the time is read."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arsync.connector import Answer, Flights, Numbered, Place
from arsync.errors import Malformed


class Source:
    """A list in the order of its ids, of which `leave` records go and `come` new ones come around each answer."""

    def __init__(self, ids: list[str], *, leave: int = 0, come: int = 0, seed: int = 0, largest: int = 1000) -> None:
        self.ids = sorted(ids)
        self.stayed = set(ids)
        self.asked: list[tuple[int, int]] = []
        self._leave, self._come, self._largest = leave, come, largest
        self._random = random.Random(seed)
        self._names = count()
        self._lock = threading.Lock()

    def read(self, begin: int, size: int) -> Answer[str]:
        with self._lock:
            self._happen()
            self.asked.append((begin, size))
            given = min(size, self._largest)
            begin = begin // size * given if given < size else begin
            rows = self.ids[begin : begin + given]
            return Answer(rows, begin, given, begin + given < len(self.ids), len(self.ids))

    def _happen(self) -> None:
        for _ in range(min(self._leave, len(self.ids))):
            gone = self.ids.pop(self._random.randrange(len(self.ids)))
            self.stayed.discard(gone)
        self.ids += [f"{self._random.randrange(10_000):05}-{next(self._names)}" for _ in range(self._come)]
        self.ids.sort()


def at_once(read: Callable[[int, int], Answer[str]]) -> Callable[[int, int], Callable[[], Answer[str]]]:
    """A source whose answers need no more reading when they have come."""

    def fetch(begin: int, size: int) -> Callable[[], Answer[str]]:
        answer = read(begin, size)
        return lambda: answer

    return fetch


def ids(number: int) -> list[str]:
    return [f"{one:05}" for one in range(number)]


def read_all(
    source: Source, *, size: int = 100, most: int = 4, place: Place | None = None, total: int | None = None
) -> list[str]:
    listed = Numbered(at_once(source.read), lambda row: row, page_size=size, total=total)
    walk = listed.walk(Flights(most), place or Place())
    return [row for stretch in walk for row in stretch.rows]


def test_a_quiet_list_is_read_once_in_its_order() -> None:
    source = Source(ids(1000))
    assert read_all(source) == source.ids
    assert len(source.asked) == 11, "ten pages and what they share"


@pytest.mark.parametrize("number", [0, 1, 99, 100, 101])
def test_a_list_of_a_page_is_asked_for_once(number: int) -> None:
    source = Source(ids(number))
    assert read_all(source) == source.ids
    assert len(source.asked) == (1 if number <= 100 else 2)


def test_where_the_total_was_told_before_the_first_page_does_not_come_alone() -> None:
    source = Source(ids(1000))
    both = threading.Barrier(2)

    def read(begin: int, size: int) -> Answer[str]:
        if begin < 100:
            both.wait(5)  # the first page and the second: each waits for the other
        return source.read(begin, size)

    walk = Numbered(at_once(read), lambda row: row, page_size=100, total=1000).walk(Flights(4), Place())
    assert [row for stretch in walk for row in stretch.rows] == ids(1000)
    assert len(source.asked) == 11


@settings(deadline=None, max_examples=60)
@example(number=857, leave=26, come=9, most=5, seed=0, total=None)
@given(
    number=st.integers(0, 900),
    leave=st.integers(0, 30),
    come=st.integers(0, 30),
    most=st.integers(1, 5),
    seed=st.integers(0, 999),
    total=st.none() | st.integers(0, 1500),  # as it was told once, right or wrong
)
def test_what_stood_there_all_the_time_is_read(
    number: int, leave: int, come: int, most: int, seed: int, total: int | None
) -> None:
    source = Source(ids(number), leave=leave, come=come, seed=seed)
    try:
        found = read_all(source, most=most, total=total)
    except Malformed:  # it says so rather than leave one out, where more go with each answer than two pages share
        assert leave > 8
        return
    assert source.stayed <= set(found)


def test_more_have_gone_than_the_pages_share_and_the_walk_steps_back() -> None:
    source = Source(ids(1000))
    walk = Numbered(at_once(source.read), lambda row: row, page_size=100).walk(Flights(1), Place())
    first = next(walk)
    source.ids = source.ids[60:]
    found = [*first.rows, *(row for stretch in walk for row in stretch.rows)]
    assert found == ids(1000)


def test_a_walk_goes_on_at_any_place() -> None:
    source = Source(ids(1000))
    walk = Numbered(at_once(source.read), lambda row: row, page_size=100)
    stretches = list(walk.walk(Flights(3), Place()))
    for number, stretch in enumerate(stretches[:-1]):
        assert stretch.then is not None
        rest = read_all(Source(ids(1000)), place=stretch.then)
        assert [row for one in stretches[: number + 1] for row in one.rows] + rest == ids(1000)


def test_a_source_with_shorter_pages_is_read_whole() -> None:
    for total in (None, 950):
        assert sorted(set(read_all(Source(ids(950), largest=40), total=total))) == ids(950)


def test_a_source_without_any_order_or_end_is_not_followed_for_ever() -> None:
    def same(begin: int, size: int) -> Answer[str]:
        return Answer(ids(size), begin, size, more=True)

    with pytest.raises(Malformed, match="repeat for ever"):
        list(Numbered(at_once(same), lambda row: row, page_size=10).walk(Flights(2), Place()))
    fresh = count()

    def never_the_same(begin: int, size: int) -> Answer[str]:
        return Answer([str(next(fresh)) for _ in range(size)], begin, size, more=begin < 500)

    with pytest.raises(Malformed, match="do not keep their order"):
        list(Numbered(at_once(never_the_same), lambda row: row, page_size=10).walk(Flights(2), Place(100, ("x",))))


def test_no_more_are_on_their_way_than_may_be_over_all_walks() -> None:
    """Whatever the number of walks, three reads at a time."""
    now, most = 0, 0
    lock = threading.Lock()
    full = threading.Barrier(3, timeout=20)

    def read(number: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        if number in (0, 1, 2):
            full.wait()  # all three places are used at the same time
        with lock:
            now -= 1
        return number

    flights = Flights(3)
    first = flights.in_order((lambda number=number: read(number)) for number in range(8))  # type: ignore[misc]
    assert list(first) == list(range(8))
    assert most == 3
    first.close()
    assert list(flights.in_order([lambda: read(9)] * 5)) == [9] * 5


def test_what_a_read_raises_comes_in_its_place_and_leaves_no_place_taken() -> None:
    flights = Flights(2)

    def fails() -> int:
        raise Malformed("half an answer")

    walk = flights.in_order([lambda: 1, lambda: 2, fails, lambda: 4])
    assert [next(walk), next(walk)] == [1, 2]
    with pytest.raises(Malformed):
        next(walk)
    early = flights.in_order([lambda: 1, lambda: 2, lambda: 3])
    next(early)
    early.close()
    assert list(flights.in_order([lambda: 5, lambda: 6, lambda: 7])) == [5, 6, 7]


def test_calls_that_cannot_be_told_any_further_leave_no_place_taken() -> None:
    """Three may run ahead, and each of four walks breaks off while it looks for one to run ahead."""
    flights = Flights(3)

    def two() -> Iterator[Callable[[], int]]:
        yield lambda: 1
        yield lambda: 2
        raise Malformed("the list of what to ask for")

    for _ in range(4):
        with pytest.raises(Malformed):
            list(flights.in_order(two()))

    full = threading.Barrier(3, timeout=5)
    reads = [partial(full.wait) for _ in range(3)]
    assert sorted(flights.in_order(reads)) == [0, 1, 2], "three places are there as before"


def test_walks_begun_and_left_in_one_thread_do_not_wait_for_each_other() -> None:
    flights = Flights(2)
    left = [flights.in_order([(lambda number=number: number) for number in range(9)]) for _ in range(5)]  # type: ignore[misc]
    assert [next(walk) for walk in left] == [0] * 5
    assert list(flights.in_order([lambda: 1, lambda: 2, lambda: 3])) == [1, 2, 3]
    assert [list(walk) for walk in left] == [list(range(1, 9))] * 5
