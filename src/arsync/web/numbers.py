"""Numbers of things in addresses and forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from arsync.errors import NotFound
from arsync.store import correspondence
from arsync.store.engine import Work

#: What every database holds as a key.
_LARGEST: Final = 2**31 - 1


def number(written: str) -> int | None:
    """The number; None where it is none that a thing could have."""
    if not (written.isascii() and written.isdigit() and len(written) <= 10):
        return None
    found = int(written)
    return found if 0 < found <= _LARGEST else None


def of_message(work: Work, named: Mapping[str, Any]) -> int:
    """For addresses with `{message}`."""
    one = number(str(named["message"]))
    company = correspondence.company_of(work, one) if one is not None else None
    if company is None:
        raise NotFound(f"message {named['message']}")
    return company
