"""Walks in lanes: all are walked, whatever the connector says and whichever fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from arsync.errors import Malformed
from arsync.sync.backfill import _together
from arsync.sync.lanes import SideBySide, abreast


def walk(name: int, *, fails: bool = False) -> Iterator[int]:
    yield from [name] * 5
    if fails:
        raise Malformed(f"walk {name}")


def lanes(places: int, walks: list[Iterator[int]]) -> list[Iterator[int]]:
    connector: Any = SimpleNamespace(pages_in_flight=places)
    return _together(connector, walks)


@pytest.mark.parametrize("places", [0, 1, 2, 9])
def test_every_walk_is_walked_whatever_the_places(places: int) -> None:
    """None at all would be a load of nothing that looks complete."""
    found = list(abreast(lanes(places, [walk(name) for name in range(4)])))
    assert sorted(found) == sorted([*range(4)] * 5)


@pytest.mark.parametrize("places", [1, 2, 3, 9])
def test_where_one_list_cannot_be_read_the_others_are(places: int) -> None:
    found: list[int] = []
    with pytest.raises(Malformed, match="walk 0"):
        found.extend(abreast(lanes(places, [walk(name, fails=not name) for name in range(4)])))
    assert sorted(found) == sorted([*range(4)] * 5)


def test_a_lane_alone_runs_in_the_thread_of_its_taker() -> None:
    def told() -> Iterator[int]:
        yield threading.get_ident()

    assert set(abreast(lanes(2, [told(), told()]))) == {threading.get_ident()}


def test_questions_are_on_their_way_together() -> None:
    met = threading.Barrier(3)
    with SideBySide(3) as asking:
        answers = [asking.ask(lambda: met.wait(5)) for _ in range(3)]
    assert sorted(answer.result() for answer in answers) == [0, 1, 2]


def test_the_first_refusal_ends_the_questions_that_have_not_begun() -> None:
    asked: list[str] = []

    def refused() -> None:
        asked.append("company")
        raise Malformed("not this company")

    begun, going = threading.Event(), threading.Event()

    def on_its_way() -> bool:
        begun.set()
        return going.wait(5)

    with pytest.raises(Malformed, match="not this company"), SideBySide(2) as asking:
        company = asking.ask(refused)
        early = asking.ask(on_its_way)
        late = asking.ask(partial(going.wait, 5))  # it may have begun in the place of the one that was refused
        never = asking.ask(partial(asked.append, "count"))
        begun.wait(5)
        threading.Timer(0.2, going.set).start()
        company.result()
    assert asked == ["company"]
    assert never.cancelled()
    assert early.result() and (late.cancelled() or late.result()), "what is on its way comes to its end"
