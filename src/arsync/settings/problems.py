"""What is wrong with the settings: all of it at once, each with its place and the nearest known name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from arsync.errors import ConfigurationError
from arsync.settings.lines import Lines
from arsync.settings.model import KEYS, Place, general


class Problems:
    """Collects sentences; `origins` says which places came from which environment variable, `lines` where the others
    stand in the file."""

    def __init__(self, file: str, origins: Mapping[Place, str], lines: Lines) -> None:
        self._file = file
        self._origins = origins
        self._lines = lines
        self._found: list[str] = []

    def add(self, place: Place, message: str) -> None:
        """Notes a problem at a place of the file or of the environment."""
        ends = range(len(place), 0, -1)
        variable = next((self._origins[place[:end]] for end in ends if place[:end] in self._origins), None)
        self._found.append(f"{variable or self._line(place)}: {'.'.join(place)}: {message}")

    def _line(self, place: Place) -> str:
        line = self._lines.of(place)
        return self._file if line is None else f"{self._file}:{line}"

    def at(self, source: str, message: str) -> None:
        """Notes a problem with a file or a variable as a whole."""
        self._found.append(f"{source}: {message}")

    def add_all(self, error: ValidationError, above: Place = (), model: type[BaseModel] | None = None) -> None:
        """Notes everything that pydantic found, without the values."""
        for found in error.errors(include_url=False, include_input=False, include_context=False):
            inner = tuple(str(part) for part in found["loc"] if part != "[key]")
            place = (*above, *inner)
            if found["type"] == "extra_forbidden":
                names = [field.alias or name for name, field in model.model_fields.items()] if model else None
                self.unknown(place, names)
            elif found["type"] == "missing":
                self.add(place, "is missing")
            else:
                self.add(place, found["msg"].removeprefix("Value error, "))

    def unknown(self, place: Place, names: Iterable[str] | None = None) -> None:
        """Notes that there is no such key or section, with the nearest that there is."""
        what = "section" if len(place) == 1 else "key"
        self.add(place, f"there is no such {what} ({hint(place, names)})")

    def raise_if_any(self) -> None:
        """ConfigurationError with every problem, one per line."""
        if self._found:
            found = list(dict.fromkeys(self._found))
            raise ConfigurationError(found[0] if len(found) == 1 else "\n  ".join([f"{len(found)} problems", *found]))


def hint(place: Place, names: Iterable[str] | None = None) -> str:
    """The nearest known name for a wrong one, or all that are known there."""
    *above, wrong = place
    there = general(tuple(above))
    siblings = sorted(set(names) if names is not None else _below(there))
    near = get_close_matches(wrong.lower(), siblings, n=1, cutoff=0.6)
    if near:
        return f"did you mean {'.'.join([*above, near[0]])}?"
    elsewhere = [key for key in KEYS if key[-1] == wrong and key[:-1] != there] if names is None else []
    if elsewhere:
        return f"did you mean {'.'.join(elsewhere[0])}?"
    return f"known here: {', '.join(siblings)}"


def _below(place: Place) -> set[str]:
    return {key[len(place)] for key in KEYS if len(key) > len(place) and key[: len(place)] == place}


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on it key by key, tables within tables too."""
    result = dict(base)
    for key, value in over.items():
        there = result.get(key)
        result[key] = merged(there, value) if isinstance(there, Mapping) and isinstance(value, Mapping) else value
    return result
