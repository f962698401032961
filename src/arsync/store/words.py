"""What messages say, apart from how they stand: a message's row is rewritten at each of its steps, and its words are
many times as long."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, insert, update

from arsync.domain.chase import Rendered
from arsync.store import tables as t
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_W = t.message_words.c
_NEW: Final = Prepared(insert(t.message_words))
_CHANGED: Final = Prepared(update(t.message_words).where(_W.message_id == bindparam("message")))


def keep(work: Work, message_id: int, said: Rendered) -> None:
    """Keeps the words of a new message; its subject stands with the message."""
    _NEW(work, message_id=message_id, text=said.text, html=said.html)


def change(work: Work, message_id: int, said: Rendered) -> None:
    """Puts these words in place of those that stand."""
    _CHANGED(work, message=message_id, text=said.text, html=said.html)
