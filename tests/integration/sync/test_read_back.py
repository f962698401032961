"""What is read back of notes, with a source that is a list of notes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.integration.store.books import NOW, TODAY, Books, customer, invoice, open_books

from arsync.connector import FoundNote, NoteTarget, TargetKind
from arsync.connector.budget import is_bulk
from arsync.domain.states import Health, MessageState
from arsync.errors import RetryLater
from arsync.store import connections, messages
from arsync.store.engine import Store
from arsync.sync import recover
from arsync.testing.ports import FixedClock


@dataclass
class Paper:
    """Answers with the notes at the targets asked for, so many targets and no more."""

    found: list[FoundNote] = field(default_factory=list)
    allowance: int = 1000
    read: list[str] = field(default_factory=list)
    bulk: set[bool] = field(default_factory=set)  # whether it was asked for in bulk

    def notes(self, targets: Collection[NoteTarget], *, since: datetime) -> Iterator[FoundNote]:
        self.bulk.add(is_bulk())
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


@dataclass
class OneList(Paper):
    """Answers with every note there is, whatever is asked for."""

    lists_notes: bool = True
    asked: int = 0

    def notes(self, targets: Collection[NoteTarget], *, since: datetime) -> Iterator[FoundNote]:
        self.asked += 1
        yield from self.found


def test_a_source_with_one_list_of_notes_is_asked_once(books: Books) -> None:
    ids = [f"I{number:03}" for number in range(120)]
    books.keep(customer(), *(invoice(one) for one in ids))
    recover.declare(books.store, books.connection, FixedClock(NOW), author="Ada", reason="restored")
    paper: Any = OneList([a_note(one, number) for number, one in enumerate(ids)])
    found = read_back(books, paper)
    assert paper.asked == 1
    assert found is not None
    assert (found.targets, found.adopted) == (120, 120)
    assert health(books) is Health.OK


def test_reading_back_leaves_the_reserve_to_what_goes_out(books: Books) -> None:
    books.keep(customer(), invoice("I1"))
    paper: Any = Paper()
    read_back(books, paper)
    assert paper.bulk == {True}
    paper.bulk.clear()
    behind(books, paper, "I1")
    assert paper.bulk == {False}, "a message waits for it"


def a_note(invoice_id: str, number: int) -> FoundNote:
    told = f"Email sent on 2026-07-20. Step friendly of playbook night, message {number:032x}"
    text = f"{told} [arsync:0a1b2c3d-{number:012x}]"
    return FoundNote(NoteTarget(TargetKind.INVOICE, invoice_id), text)


def test_a_note_that_no_reading_back_covers_stops_the_messages_once(books: Books) -> None:
    """An invoice due in a year bears a note; what is read back is due by today."""
    far = TODAY + timedelta(days=365)
    books.keep(customer(), invoice("I1"), invoice("I2", due_on=far))
    books.follow()
    paper: Any = Paper([a_note("I2", 1)])
    read_back(books, paper)
    assert behind(books, paper, "I2")
    assert health(books) is Health.RECOVERING
    read_back(books, paper)
    assert health(books) is Health.OK
    assert behind(books, paper, "I2") is None
    with books.store.reading() as work:
        (adopted,) = messages.in_states(work, [MessageState.ACCEPTED])
        assert [item.invoice_id for item in messages.items(work, adopted.id)] == ["I2"]


def test_notes_that_a_duplicated_company_file_took_with_it_are_known(books: Books) -> None:
    books.keep(customer(), invoice("I1"))
    paper: Any = Paper([a_note("I1", 1)])
    recover.declare(books.store, books.connection, FixedClock(NOW), author="Ada", reason="restored")
    read_back(books, paper)
    copy = open_books(books.store, "copy")
    copy.keep(customer(), invoice("I1"))
    read_back(copy, paper)
    assert behind(copy, paper, "I1") is None


def behind(books: Books, paper: Any, *invoice_ids: str) -> str | None:
    return recover.is_behind(books.store, books.connection, paper, FixedClock(NOW), invoice_ids)


def test_who_was_never_written_to_from_here_is_looked_at_whatever_the_first_look_met(books: Books) -> None:
    """Of 120 invoices ten are looked at first and bear nothing; the eleventh does, and its payer's message stays."""
    ids = [f"I{number:03}" for number in range(120)]
    books.keep(customer(), *(invoice(one) for one in ids))
    books.follow()
    paper: Any = Paper([a_note("I055", 1)])
    read_back(books, paper)
    assert health(books) is Health.OK and "I055" not in paper.read
    connection, clock = books.connection, FixedClock(NOW)
    assert recover.is_behind(books.store, connection, paper, clock, ids[50:60]) is None, "three are too few"
    paper.read.clear()
    assert recover.is_behind(books.store, connection, paper, clock, ids[50:60], unheard=ids[50:60])
    assert paper.read == ids[50:60]
