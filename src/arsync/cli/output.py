"""How commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from arsync.logs import masked

#: In a pipe or a log there is no width to keep to.
_PIPE: Final = 200

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = (), several_lines: bool = False
) -> None:
    """Prints rows under their columns; values are text as they are, never markup, and each is one line: a name from
    outside forges no row. `several_lines` is for values of our own making."""
    aligned = set(right)
    grid = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for column in columns:
        grid.add_column(column, justify="right" if column in aligned else "left", overflow="fold")
    for row in rows:
        told = (clean("" if value is None else str(value)) for value in row)
        grid.add_row(*(Text(value if several_lines else " ".join(value.splitlines())) for value in told))
    out.print(grid)


def say(line: str = "", *, style: str | None = None) -> None:
    """Prints one line of text."""
    out.print(Text(clean(line), style=style or ""))


def complain(line: str) -> None:
    """Prints one line to standard error; a secret of the settings is not shown, whatever error it got into."""
    err.print(Text(clean(masked(line)), style="red"))


def dump(value: Any) -> None:
    """Prints JSON: money and dates as text."""
    # ASCII only: a name from outside steers no terminal here either, and every encoding can carry it.
    sys.stdout.write(json.dumps(value, default=_plain, indent=2) + "\n")


def clean(text: str) -> str:
    """The text without control characters: names come from outside and must not steer a terminal."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else " " if char.isspace() else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )


def counted(count: int, what: str) -> str:
    """So many of a thing: `1 message`, `2 messages`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def so_many(count: int, one: str, several: str) -> str:
    """So many messages, with the words that follow: for one and for several."""
    return f"1 message {one}" if count == 1 else f"{count} messages {several}"


def taken_for_sent(adopted: int) -> str:
    """That so many messages, which only the source's notes tell of, are not sent again."""
    told = so_many(adopted, "that the source's notes tell of was", "that the source's notes tell of were")
    return f"{told} not known here: taken for sent, and not sent again"


def flat(text: str) -> str:
    """The text as one line: a name from outside must not forge another line of ours."""
    return " ".join(text.split())


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
