"""What is asked of a connection's notes before every batch that goes out: the newest one, and those just found."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.integration.store.books import NOW, TERM, Books, at

from arsync.connector import NoteTarget, TargetKind
from arsync.domain.states import NoteState
from arsync.store import adoption, notes


def plan(books: Books, first: int, end: int) -> None:
    with books.store.working() as work:
        for number in range(first, end):
            notes.plan(
                work, connection_id=books.id, message_id=None, target=NoteTarget(TargetKind.INVOICE, f"I{number}"),
                text="sent", marker=f"[arsync:x-{number}]", now=NOW,
            )  # fmt: skip
        work.commit()


def write(books: Books, minutes: int) -> None:
    with books.store.working() as work:
        note = notes.claim(work, books.id, term=TERM, now=NOW)
        assert note is not None
        moved = notes.move(
            work, note, NoteState.CLAIMED, NoteState.WRITTEN, reason="", now=NOW, written_at=at(minutes), remote_id="7"
        )
        assert moved
        work.commit()


def test_the_newest_is_the_one_written_last_and_waiting_ones_are_none(books: Books) -> None:
    plan(books, 0, 3)
    with books.store.reading() as work:
        assert adoption.newest_note(work, books.id) is None
    write(books, 7)
    write(books, 5)
    with books.store.reading() as work:
        assert adoption.newest_note(work, books.id) == NOW + timedelta(minutes=7)


@pytest.mark.parametrize("database", ["sqlite"])
def test_it_costs_the_same_however_many_notes_there_are(books: Books) -> None:
    """Of five and of four hundred, in steps of SQLite's machine."""

    def steps() -> int:
        taken: list[None] = []
        with books.store.working() as work:
            work.driver.set_progress_handler(lambda: taken.append(None), 1)
            assert adoption.newest_note(work, books.id) == at(3)
            assert adoption.found(work, ["[arsync:x-4]"], now=NOW) == 0  # never tried
            work.driver.set_progress_handler(None, 1)
        return len(taken)

    plan(books, 0, 5)
    write(books, 3)
    few = steps()
    plan(books, 5, 400)
    assert few > 5, "nothing was counted"
    assert steps() < few + 20
