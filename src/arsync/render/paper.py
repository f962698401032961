"""Values become a PDF: typeset by our own sheets, the same values to the same bytes.

What comes from outside reaches a sheet as text in a JSON file beside it, never as markup, and a sheet asks nothing of
the network or the disk. So whatever a customer is called, it is printed as it is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from arsync.errors import TemplateError

if TYPE_CHECKING:
    import typst

_SHEETS: Final = Path(__file__).parent / "sheets"
_SHARED: Final = "house.typ"
#: The typesetter's own font has Latin, Greek and Cyrillic; what else is written takes the machine's fonts.
_OWN: Final = 0x0530
_PUNCTUATION: Final = range(0x1E00, 0x2400)
#: So many rows are some seventy pages and take a few seconds.
ROWS_LIMIT: Final = 2000


class Window(StrEnum):
    """Where the envelope shows the address, and so the size of the sheet."""

    DIN = "din"  # DIN 5008 form B, A4: left; fits C6/5 and DL envelopes
    RIGHT = "right"  # A4, on the right, as in France
    US10 = "us10"  # US Letter, a #10 envelope's left window

    @classmethod
    def of(cls, country: str | None) -> Window:
        """The window of the envelopes that are usual in the sender's country."""
        return {"US": cls.US10, "CA": cls.US10, "FR": cls.RIGHT}.get((country or "").upper(), cls.DIN)


def typeset(sheet: str, values: Mapping[str, Any], fonts: tuple[str, ...] = ()) -> bytes:
    """The PDF of that sheet with these values; `fonts` are families to be preferred where the machine has them."""
    import typst  # noqa: PLC0415 - megabytes, for those who print

    files = _files(sheet) | {"data.json": json.dumps({**values, "fonts": list(fonts)}).encode()}
    alien = bool(fonts) or any(_is_alien(text) for text in _texts(values))
    try:
        # Its types know of one file only; a folder in memory may be given as well.
        found = typst.compile(cast(bytes, files), font_paths=_fonts(alien), format="pdf", timestamp=0)
    except typst.TypstError as error:
        raise TemplateError(f"{sheet}.typ: {error.message}") from error
    return found


def pictures(sheet: str, values: Mapping[str, Any], *, ppi: int = 110) -> list[bytes]:
    """The same sheet as PNG, a picture for each page: to be looked at."""
    import typst  # noqa: PLC0415

    files = _files(sheet) | {"data.json": json.dumps({**values, "fonts": []}).encode()}
    found = typst.compile(cast(bytes, files), font_paths=_fonts(True), format="png", ppi=ppi)
    return [found] if isinstance(found, bytes) else list(found)


@cache
def _files(sheet: str) -> dict[str, bytes]:
    main = (_SHEETS / f"{sheet}.typ").read_bytes()
    return {"main.typ": main, _SHARED: (_SHEETS / _SHARED).read_bytes()}


@cache
def _fonts(alien: bool) -> typst.Fonts:
    """Read once for a process: it takes longer than a page."""
    import typst  # noqa: PLC0415

    return typst.Fonts(include_system_fonts=alien)


def _is_alien(text: str) -> bool:
    return any(ord(letter) >= _OWN and ord(letter) not in _PUNCTUATION for letter in text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


@cache
def words_of(language: str) -> Mapping[str, Any]:
    """The words that stand on paper, in that language; English where nobody wrote them in it."""
    path = _SHEETS / f"words.{language}.json"
    found: dict[str, Any] = json.loads((path if path.is_file() else _SHEETS / "words.en.json").read_text("utf-8"))
    return found
