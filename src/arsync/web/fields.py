"""What stands in the fields of a form; a UsageError names the field that is wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from enum import StrEnum
from typing import TypeVar

from arsync.errors import UsageError

_Word = TypeVar("_Word", bound=StrEnum)


def required(form: Mapping[str, str], name: str, asked: str) -> str:
    """The words in it; where there are none, `asked` is what is wrong."""
    written = form.get(name, "").strip()
    if not written:
        raise UsageError(asked, field=name)
    return written


def day_in(form: Mapping[str, str], name: str) -> date | None:
    """The day in it; None where it is empty."""
    written = form.get(name, "").strip()
    if not written:
        return None
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise UsageError(f"{written!r} is no day: write 2026-01-31", field=name) from None


def number_in(form: Mapping[str, str], name: str, usual: int, least: int, most: int) -> int:
    """The whole number in it, `usual` where it is empty."""
    written = form.get(name, "").strip() or str(usual)
    if not (written.isascii() and written.isdigit() and least <= int(written[:12]) <= most):
        raise UsageError(f"{name}: a number from {least} to {most}", field=name)
    return int(written)


def one_of(
    kind: type[_Word], form: Mapping[str, str], name: str, what: str, *, among: Collection[_Word] | None = None
) -> _Word:
    """The word in it, of that kind, and among these where they are told; `what` it is stands in the error."""
    try:
        found = kind(form.get(name, ""))
    except ValueError:
        found = None
    if found is None or (among is not None and found not in among):
        raise UsageError(f"{what}: one of {', '.join(among or kind)}", field=name)
    return found
