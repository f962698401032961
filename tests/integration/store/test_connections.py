"""Connections, cursors and the red button."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from tests.integration.store.books import NOW, Books, at, open_books

from arsync.connector import Company
from arsync.domain.states import Health
from arsync.errors import NotFound
from arsync.store import connections, grants, reminders
from arsync.store.engine import Store


def test_a_cursor_that_never_began_is_fresh_and_one_that_moved_is_kept(books: Books) -> None:
    with books.store.working() as work:
        assert connections.cursor(work, books.id, "delta") == connections.Cursor(None, done=False, seen=0)
        connections.move_cursor(work, books.id, "delta", position="a", done=False, seen=3, now=NOW)
        connections.move_cursor(work, books.id, "invoices", position=None, done=True, seen=9, now=NOW)
        connections.move_cursor(work, books.id, "delta", position="b", done=False, seen=4, now=at(1))
        work.commit()
    with books.store.reading() as work:
        assert connections.cursor(work, books.id, "delta") == connections.Cursor("b", done=False, seen=4)
        assert connections.cursor(work, books.id, "invoices") == connections.Cursor(None, done=True, seen=9)


def test_a_cursor_and_its_page_are_saved_together_or_not_at_all(books: Books) -> None:
    with books.store.working(durable=False) as work:
        connections.move_cursor(work, books.id, "delta", position="a", done=False, seen=3, now=NOW)
    with books.store.reading() as work:
        assert connections.cursor(work, books.id, "delta").position is None


def test_a_company_linked_again_keeps_its_books_and_takes_the_new_grant(store: Store) -> None:
    books = open_books(store)
    with store.working() as work:
        grant = connections.add_grant(work, provider="quickbooks", sealed="new", now=NOW)
        again = connections.link(
            work, name="pier", provider="quickbooks", external_id="harbour", grant_id=grant, now=NOW
        )
        work.commit()
    assert (again.id, again.name, again.grant_id, again.health) == (books.id, "pier", grant, Health.OK)


def test_two_companies_never_share_a_name(store: Store) -> None:
    books = open_books(store)
    with store.working() as work, pytest.raises(IntegrityError):
        connections.link(
            work, name="harbour", provider="xero", external_id="x", grant_id=books.connection.grant_id, now=NOW
        )


def test_an_unknown_connection_is_answered_with_those_there_are(store: Store) -> None:
    with store.reading() as work, pytest.raises(NotFound, match="there are: none yet"):
        connections.connection(work, "dock")
    open_books(store, "quay")
    open_books(store, "harbour")
    with store.reading() as work, pytest.raises(NotFound, match="there are: harbour, quay"):
        connections.connection(work, "dock")


def test_a_company_is_described_as_the_source_says(books: Books) -> None:
    told = Company("harbour", "Harbour Tools", "EUR", "DE", "Europe/Berlin", reminders_on=True)
    with books.store.working() as work:
        connections.describe(work, books.id, told, now=NOW)
        connections.set_health(work, books.id, Health.PARTIAL, "half of it")
        work.commit()
    with books.store.reading() as work:
        (known,) = connections.connections(work)
    assert (known.company_name, known.timezone, known.reminders_on) == ("Harbour Tools", "Europe/Berlin", True)
    assert (known.health, known.health_reason, known.synced_at) == (Health.PARTIAL, "half of it", NOW)


def test_that_a_source_reminds_stands_when_it_tells_no_more(books: Books) -> None:
    """Told that it reminds, then nothing, twice: it does. Ann answers that it does not: that stands."""
    told = Company("harbour", "Harbour Tools", "EUR", "DE", "Europe/Berlin", reminders_on=True)
    untold = replace(told, reminders_on=None)
    with books.store.working() as work:
        for company in (told, untold, untold):
            connections.describe(work, books.id, company, now=NOW)
        last_told = reminders.answered(work, books.id)
        reminders.answer(work, books.id, reminds=False, author="Ann", now=NOW)
        connections.describe(work, books.id, untold, now=NOW)
        answered = reminders.answered(work, books.id)
        work.commit()
    assert last_told == reminders.Answer(reminds=True, author="quickbooks (last told)", at=NOW)
    assert answered == reminders.Answer(reminds=False, author="Ann", at=NOW)
    with books.store.reading() as work:
        assert connections.connection_by_id(work, books.id).reminders_on is None, "so that the answer counts"


def test_that_a_source_does_not_remind_is_known_no_more_when_it_tells_no_more(books: Books) -> None:
    """05-01 Ann says off / 05-02 Xero tells: off / 05-03 the scope is lost: nobody knows / 05-04 Ann looks: off."""
    told = Company("harbour", "Harbour Tools", "EUR", "DE", "Europe/Berlin", reminders_on=False)
    untold = replace(told, reminders_on=None)
    with books.store.working() as work:
        reminders.answer(work, books.id, reminds=False, author="Ann", now=NOW)
        connections.describe(work, books.id, told, now=NOW)
        connections.describe(work, books.id, untold, now=NOW)
        assert connections.connection_by_id(work, books.id).reminders_on is None
        assert reminders.answered(work, books.id) is None, "and so everything holds (ADR 0010)"
        reminders.answer(work, books.id, reminds=False, author="Ann", now=NOW)
        connections.describe(work, books.id, untold, now=NOW)
        assert reminders.answered(work, books.id) is not None, "until a person has looked"


def test_a_pull_that_was_under_way_does_not_undo_a_disconnect_and_a_new_consent_does(books: Books) -> None:
    with books.store.working() as work:
        grants.disconnect(work, books.connection, author="ann", now=NOW)
        work.commit()
    for health in (Health.OK, Health.PARTIAL, Health.SUSPECT, Health.RECOVERING):
        with books.store.working() as work:
            connections.set_health(work, books.id, health, "a pull came to its end", synced_at=at(1))
            work.commit()
        with books.store.reading() as work:
            known = connections.connection_by_id(work, books.id)
        assert (known.health, known.synced_at) == (Health.DISCONNECTED, NOW)
        assert "disconnected by ann" in known.health_reason
    with books.store.working() as work:
        grants.resume(work, known, "connected again", now=at(2))
        assert connections.connection_by_id(work, books.id).health is Health.RECOVERING


def test_an_unknown_state_is_refused_by_the_database_itself(books: Books) -> None:
    with books.store.working() as work, pytest.raises(IntegrityError):
        work.execute(text("UPDATE connections SET health = 'fine'"))


def test_a_second_identity_is_impossible(books: Books) -> None:
    with books.store.working() as work, pytest.raises(IntegrityError):
        work.execute(text("INSERT INTO installation (id, key, created_at) VALUES (2, 'x', '2026-01-01')"))


def test_stop_and_start(books: Books) -> None:
    with books.store.working() as work:
        connections.press_stop(work, author="ann", reason="new price list", now=NOW)
        work.commit()
    with books.store.working() as work:
        own = connections.installation(work)
        assert (own.stopped_at, own.stopped_by, own.stop_reason) == (NOW, "ann", "new price list")
        connections.release_stop(work)
        assert connections.installation(work).stopped_at is None
