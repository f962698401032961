"""What is read back of notes, with a source that is a list of notes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.integration.store.books import NOW, TODAY, Books, customer, invoice, open_books

from arsync.connector import FoundNote, NoteTarget
from arsync.domain.states import Health
from arsync.errors import RetryLater
from arsync.store import connections
from arsync.store.engine import Store
from arsync.sync import recover
from arsync.testing.ports import FixedClock


@dataclass
class Paper:
    """Answers with the notes at the targets asked for, so many targets and no more."""

    found: list[FoundNote] = field(default_factory=list)
    allowance: int = 1000
    read: list[str] = field(default_factory=list)

    def notes(self, targets: Collection[NoteTarget], *, since: datetime) -> Iterator[FoundNote]:
        for target in targets:
            if self.allowance == 0:
                raise RetryLater("no more today", after=3600.0)
            self.allowance -= 1
            self.read.append(target.remote_id)
            yield from (note for note in self.found if note.target == target)


@pytest.fixture
def books(make_store: Callable[[], Store]) -> Books:
    return open_books(make_store())


def read_back(books: Books, paper: Any, *, days: int = 0) -> recover.Recovered | None:
    moment = NOW + timedelta(days=days)
    return recover.recover(books.store, books.connection, paper, FixedClock(moment), TODAY + timedelta(days=days))


def health(books: Books) -> Health:
    with books.store.reading() as work:
        return connections.connection_by_id(work, books.id).health


def test_an_interrupted_reading_skips_nothing_when_what_was_read_is_paid_meanwhile(books: Books) -> None:
    """
    09-01 of 120 invoices the allowance is enough for the first hundred
    09-02 ten of those are paid: the other twenty are read, and nothing is ok before
    """
    ids = [f"I{number:03}" for number in range(120)]
    books.keep(customer(), *(invoice(one) for one in ids))
    recover.declare(books.store, books.connection, FixedClock(NOW), author="Ada", reason="restored")
    paper: Any = Paper(allowance=100)
    with pytest.raises(RetryLater):
        read_back(books, paper)
    assert health(books) is Health.RECOVERING
    books.keep(*(invoice(one, "0.00", minutes=9) for one in paper.read[:10]))
    paper.allowance = 1000
    assert read_back(books, paper, days=1) is not None
    assert sorted(set(paper.read)) == ids
    assert health(books) is Health.OK
