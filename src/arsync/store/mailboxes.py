"""Lists of mailboxes as the tables keep them."""

from __future__ import annotations

import json


def read(kept: str | None) -> tuple[str, ...] | None:
    """The RFC 5322 mailboxes of such a column, none where it is empty; None where it is no list of them."""
    if kept is None:
        return ()
    try:
        found = json.loads(kept)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        return None
    return tuple(found)
