"""Walks in lanes: all are walked, whatever the connector says and whichever fails."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from arsync.errors import Malformed
from arsync.sync.backfill import _together
from arsync.sync.lanes import abreast


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


def test_where_one_walk_fails_the_other_lane_takes_the_rest() -> None:
    found: list[int] = []
    with pytest.raises(Malformed, match="walk 0"):
        found.extend(abreast(lanes(2, [walk(name, fails=not name) for name in range(4)])))
    assert sorted(found) == sorted([*range(4)] * 5)
