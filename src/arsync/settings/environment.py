"""The environment laid over the file: `ARSYNC_<SECTION>__<KEY>`, and `..._FILE` for secrets."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from arsync.settings.model import KEYS, Place, known
from arsync.settings.problems import Problems

_PREFIX: Final = "ARSYNC_"
_FILE: Final = "_file"


def overlay(
    document: dict[str, Any], environ: Mapping[str, str], folder: Path, *, connectors: Collection[str]
) -> tuple[dict[Place, str], list[tuple[str, str]]]:
    """Lays the variables over the document, in place.

    Returns which places came from which variable, and what is wrong with a variable as a whole. An empty variable is
    as good as none. A secret's file is read from `folder` where its path is relative; its last line break is dropped.
    """
    origins: dict[Place, str] = {}
    wrong: list[tuple[str, str]] = []
    for variable in sorted(environ):
        value = environ[variable]
        if not variable.startswith(_PREFIX) or not value:
            continue
        parts = variable.removeprefix(_PREFIX).lower().split("__")
        if len(parts) == 1:
            if meant := _meant(parts[0], connectors):
                wrong.append((variable, f"did you mean {meant}?"))
            continue
        place = _named(tuple(parts), document)
        if _is_secret_file(place, connectors):
            place = (*place[:-1], place[-1].removesuffix(_FILE))
            if place in origins:
                wrong.append((variable, f"{origins[place]} is given as well; keep one of them"))
                continue
            try:
                value = (folder / value).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                why = getattr(error, "strerror", None) or "it is not UTF-8 text"
                wrong.append((variable, f"the file cannot be read: {why}"))
                continue
        if _put(document, place, value):
            origins[place] = variable
        else:
            wrong.append((variable, f"{'.'.join(place[:-1])} is not a section"))
    return origins, wrong


def report(wrong: list[tuple[str, str]], problems: Problems) -> None:
    """Hands on what `overlay` found."""
    for variable, message in wrong:
        problems.at(variable, message)


def _named(parts: Place, document: Mapping[str, Any]) -> Place:
    """A connection or group is meant by its name in the file in any case, `_` for a hyphen; a currency by its code."""
    if parts[0] in ("connection", "group") and len(parts) > 1:
        names = document.get(parts[0])
        there = names if isinstance(names, Mapping) else {}
        name = next((name for name in there if re.sub(r"\W", "_", name).lower() == parts[1]), parts[1])
        parts = (parts[0], name, *parts[2:])
    if len(parts) > 2 and parts[-2] == "bank_details":
        parts = (*parts[:-1], parts[-1].upper())
    return parts


def _is_secret_file(place: Place, connectors: Collection[str]) -> bool:
    if known(place) or not place[-1].endswith(_FILE):
        return False
    base = known((*place[:-1], place[-1].removesuffix(_FILE)))
    return KEYS[base] if base else place[0] in connectors and len(place) == 2


def _meant(rest: str, connectors: Collection[str]) -> str | None:
    """The variable that somebody meant who wrote one underscore for two."""
    for section, *below in KEYS:
        flat = "_".join([section, *below])
        if below and below[0] != "<name>" and rest in (flat, flat + _FILE):
            return f"{_PREFIX}{'__'.join([section, *below])}{rest.removeprefix(flat)}".upper()
    for name in connectors:
        if rest.startswith(f"{name}_"):
            return f"{_PREFIX}{name.upper()}__{rest.removeprefix(f'{name}_').upper()}"
    return None


def _put(document: dict[str, Any], place: Place, value: str) -> bool:
    table = document
    for part in place[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            return False
        table = inner
    table[place[-1]] = value
    return True
