"""Whether an accounting system sends reminders itself, where it does not tell and a person was asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update

from arsync.store import tables as t
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_A: Final = t.reminder_answers.c
_ANSWERED: Final = Prepared(select(_A.reminds, _A.author, _A.at).where(_A.connection_id == bindparam("of")))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said."""

    reminds: bool
    author: str
    at: datetime


def answer(work: Work, connection_id: int, *, reminds: bool, author: str, now: datetime) -> None:
    """Keeps what a person says, in place of what was said before."""
    values = {"reminds": reminds, "author": author, "at": now}
    a = t.reminder_answers
    if not work.execute(update(a).where(a.c.connection_id == connection_id).values(**values)).rowcount:
        work.execute(insert(a).values(connection_id=connection_id, **values))


def forget(work: Work, connection_id: int) -> None:
    """Takes back what was said: it may be true no more, and nobody can see it."""
    work.execute(delete(t.reminder_answers).where(t.reminder_answers.c.connection_id == connection_id))


def answered(work: Work, connection_id: int) -> Answer | None:
    """What a person said last, or None where nobody was asked."""
    for row in _ANSWERED(work, of=connection_id):
        return Answer(*row)
    return None
