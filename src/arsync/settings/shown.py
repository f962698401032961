"""Each setting that holds, and where it comes from; of secrets only that they are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from arsync.settings.model import KEYS, Document, Place
from arsync.settings.resolved import Settings

#: What stands for a secret that is set.
HIDDEN: Final = "(set)"
#: Sections that one company cannot speak for.
_ITS_OWN: Final = ("delivery", "safety")


@dataclass(frozen=True, slots=True)
class Shown:
    """One key and its value as text, None where there is none; `source` is a line of the file, a variable or
    "default"."""

    key: str
    value: str | None
    source: str


def of_installation(settings: Settings) -> list[Shown]:
    """What holds for the whole installation, section by section; without the connectors' own and the companies'."""
    sections = [name for name in Document.model_fields if (name, "<name>") not in {place[:2] for place in KEYS}]
    return [
        Shown(".".join(place), value, _source(settings, [place]))
        for section in sections
        for place, value in _leaves(getattr(settings, section), (section,))
    ]


def of_connector(settings: Settings, name: str, section: BaseModel) -> list[Shown]:
    """What holds for a connector, as it has read its own section."""
    return [Shown(".".join(place), value, _source(settings, [place])) for place, value in _leaves(section, (name,))]


def of_company(settings: Settings, connection: str) -> list[Shown]:
    """What holds for one company, by the keys of its section: its own word, its group's, the installation's."""
    own = settings.connections.get(connection)
    above: list[Place] = [("connection", connection)]
    if own is not None and own.group is not None:
        above.append(("group", own.group))
    return [
        Shown(".".join(place), value, _source(settings, [*((*layer, *place) for layer in above), _common(place)]))
        for place, value in _leaves(settings.company(connection))
    ]


def _common(place: Place) -> Place:
    return place if place[0] in _ITS_OWN else ("defaults", *place)


def _source(settings: Settings, places: Sequence[Place]) -> str:
    """Where the first of these places that anybody speaks of is spoken of."""
    for place in places:
        for written in dict.fromkeys((place, (*place[:-1], place[-1].lower()))):  # a currency may be written small
            if written in settings.origins:
                return settings.origins[written]
            line = settings.lines.exactly(written)
            if line is not None:
                section = ".".join(written[:2] if written[0] in ("connection", "group") else written[:1])
                return f"[{section}], line {line}"
    return "default"


def _leaves(section: BaseModel, above: Place = ()) -> Iterator[tuple[Place, str | None]]:
    for name, field in type(section).model_fields.items():
        place, value = (*above, field.alias or name), getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, place)
        elif isinstance(value, Mapping) and value:
            yield from (((*place, str(key)), _text(one)) for key, one in value.items())
        else:
            yield place, _text(value)


def _text(value: Any) -> str | None:
    match value:
        case None | "" | ():
            return None
        case dict():  # an empty one
            return None
        case SecretStr():
            return HIDDEN
        case bool():
            return str(value).lower()
        case timedelta():
            return f"{value / timedelta(hours=1):g}"
        case tuple():
            return "; ".join(map(str, value))
        case _:
            return str(value)
