"""On which line of a TOML file a key stands."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from arsync.settings.model import Place


class Lines:
    """Of a whole, readable TOML text; it may hold secrets, and shows none. It is looked through when first asked."""

    def __init__(self, text: str) -> None:
        self._text = text

    def of(self, place: Place) -> int | None:
        """The line, counted from 1, of that key or section, else of the nearest section around it; None for neither."""
        found = (self._found.get(place[:end]) for end in range(len(place), 0, -1))
        return next((line for line in found if line is not None), None)

    def exactly(self, place: Place) -> int | None:
        """The line of that very key or section; None where it is not written."""
        return self._found.get(place)

    def __repr__(self) -> str:
        return "Lines(...)"

    @cached_property
    def _found(self) -> dict[Place, int]:
        found: dict[Place, int] = {}
        table: Place = ()
        begun, statement = 1, ""
        for number, line in enumerate(self._text.splitlines(keepends=True), 1):
            statement += line
            try:
                read = tomllib.loads(statement)
            except tomllib.TOMLDecodeError:
                continue  # it goes on in the next line
            if statement.lstrip().startswith("["):
                table = max(_places(read), key=len)
                found.setdefault(table, begun)
            else:
                for place in _places(read):
                    found.setdefault((*table, *place), begun)
            begun, statement = number + 1, ""
        return found


def _places(table: Mapping[str, Any], above: Place = ()) -> Iterator[Place]:
    for key, value in table.items():
        place = (*above, key)
        yield place
        if isinstance(value, Mapping):
            yield from _places(value, place)
