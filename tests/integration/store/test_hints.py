"""What vendors told of, until somebody has looked: nothing is lost, and what comes twice is told once."""

from __future__ import annotations

from datetime import timedelta

from tests.integration.store.books import NOW, Books

from arsync.connector import Changed, Resource
from arsync.domain.posted import Reception
from arsync.domain.states import Health
from arsync.store import connections, hints

MINUTE = timedelta(minutes=1)


def told(books: Books, *events: str, company: str | None = None, minute: int = 0, ids: bool = True) -> Reception:
    with books.store.working() as work:
        one = connections.connection_by_id(work, books.id)
        changed = Changed(
            company or one.external_id, {Resource.INVOICES: frozenset({"I1"})} if ids else {}, frozenset(events), None
        )
        found = hints.tell(work, one.provider, changed, now=NOW + minute * MINUTE)
        work.commit()
    return found


def seen(books: Books, up_to: int, *, minute: int) -> None:
    with books.store.working() as work:
        hints.seen(work, books.id, up_to, now=NOW + minute * MINUTE)
        work.commit()


def still_open(books: Books) -> list[int]:
    """Since which minute, of each company."""
    with books.store.reading() as work:
        return [int((since - NOW) / MINUTE) for since in hints.open_since(work).values()]


def counted(books: Books) -> int:
    with books.store.reading() as work:
        return hints.told(work, books.id)


def test_a_hint_stands_until_a_pull_came_through_that_began_after_it(books: Books) -> None:
    """:00 told / :01 a pull begins / :02 told again / :03 the pull came through: the second one is still open."""
    assert told(books, "e-1") is Reception.TAKEN
    began = counted(books)
    assert told(books, "e-2", minute=2) is Reception.TAKEN
    assert still_open(books) == [0]
    seen(books, began, minute=3)
    assert still_open(books) == [3]
    seen(books, counted(books), minute=4)
    assert still_open(books) == []
    assert told(books, "e-3", minute=9) is Reception.TAKEN
    assert still_open(books) == [9]
    seen(books, began, minute=10)
    assert still_open(books) == [9], "a pull that began long ago has not seen it"


def test_what_is_posted_twice_tells_nothing_the_second_time(books: Books) -> None:
    assert told(books, "e-1", "e-2") is Reception.TAKEN
    seen(books, counted(books), minute=1)
    assert told(books, "e-2", "e-1", minute=2) is Reception.KNOWN
    assert still_open(books) == []
    assert told(books, "e-1", "e-3", minute=3) is Reception.TAKEN, "one of them is new"
    assert still_open(books) == [3]


def test_an_event_is_remembered_for_a_month(books: Books) -> None:
    told(books, "e-1")
    assert told(books, "e-1", minute=29 * 1440) is Reception.KNOWN
    assert told(books, "e-1", minute=31 * 1440) is Reception.TAKEN


def test_a_stranger_and_what_is_about_nothing_that_is_read_call_nobody(books: Books) -> None:
    assert told(books, "e-1", company="somebody-else") is Reception.STRANGER
    assert told(books, "e-2", ids=False) is Reception.TAKEN
    assert still_open(books) == []
    assert counted(books) == 0


def test_who_cannot_be_asked_is_not_looked_at_until_somebody_has_connected_it_again(books: Books) -> None:
    told(books, "e-1")
    for health, open_now in ((Health.REAUTHORISE, []), (Health.OK, [0])):
        with books.store.working() as work:
            connections.set_health(work, books.id, health, "as this test wants")
            work.commit()
        assert still_open(books) == open_now
    with books.store.working() as work:
        connections.set_health(work, books.id, Health.DISCONNECTED, "gone")
        work.commit()
    assert told(books, "e-2") is Reception.STRANGER
