"""What was posted is taken in behind: once, in any order, and whatever is killed in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.inbox.letters import BILLING, front, letter, sent
from tests.integration.store.books import NOW, Books

from arsync.channel.routing import routed
from arsync.domain.feedback import EventKind, ProviderEvent
from arsync.domain.posted import Reception
from arsync.domain.replies import MailKind
from arsync.domain.states import MessageState
from arsync.errors import DatabaseUnusable, NotFound
from arsync.inbox.feedback import hear
from arsync.inbox.inbound_parse import Posted
from arsync.inbox.posted import TakenIn, are_posted_within, keep_events, keep_mail, take_in
from arsync.store import doors, messages, posts, replies
from arsync.testing.ports import FixedClock


def kept(books: Books, *, events: list[ProviderEvent] | None = None, mail: Posted | None = None) -> bool:
    with books.store.working() as work:
        new = keep_mail(work, mail, now=NOW) if mail is not None else keep_events(work, events or [], now=NOW)
        work.commit()
    return new


def taken(books: Books, clock: FixedClock | None = None) -> TakenIn:
    return take_in(books.store, [front(books)], clock or FixedClock(NOW))


def waiting(books: Books) -> posts.Waiting | None:
    with books.store.reading() as work:
        return posts.waiting(work)


def delivered(key: str, *, kind: EventKind = EventKind.DELIVERED, event_id: str = "e-1") -> ProviderEvent:
    at = datetime(2026, 9, 1, tzinfo=UTC)
    return ProviderEvent("sendgrid", event_id, kind, "ada@example.com", at, "250 OK", message_key=key)


def test_an_event_is_kept_as_it_was_told_and_folds_its_message_once(books: Books) -> None:
    message = sent(books)
    assert kept(books, events=[delivered(message.key)])
    assert not kept(books, events=[delivered(message.key)]), "the very same waits"
    first = taken(books)
    assert (first.posts, first.heard.new, first.heard.delivered) == (1, 1, 1)
    assert kept(books, events=[delivered(message.key)]), "posted again after it was taken in"
    again = taken(books)
    assert (again.posts, again.heard.new, again.heard.known) == (1, 0, 1)
    with books.store.reading() as work:
        assert messages.get(work, message.id).state is MessageState.DELIVERED
    assert waiting(books) is None


def test_nothing_told_is_nothing_kept(books: Books) -> None:
    assert not kept(books, events=[])
    assert waiting(books) is None


def test_an_answer_that_is_posted_twice_is_one_reply(books: Books) -> None:
    message = sent(books)
    raw = letter(to=routed(BILLING, message.key))
    assert kept(books, mail=Posted(raw, len(raw)))
    (first,) = taken(books).mails
    assert (first.kind, first.paused) == (MailKind.PERSON, True)
    assert kept(books, mail=Posted(raw, len(raw)))
    (again,) = taken(books).mails
    assert again.reply_id is None
    with books.store.reading() as work:
        (reply,) = replies.waiting(work)
    assert (reply.message_id, reply.origin) == (message.id, "SendGrid Inbound Parse")


@pytest.mark.parametrize("fault", [ZeroDivisionError(), NotFound("a chase")], ids=["a fault", "an error of ours"])
def test_one_that_we_fail_on_is_tried_again_later_and_stops_nothing_behind_it(
    books: Books, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """:00 fails / :00 the one behind it is taken in / :01 fails again / :03 is taken in."""
    message, clock = sent(books), FixedClock(NOW)
    kept(books, events=[delivered(message.key, kind=EventKind.DEFERRED)])
    kept(books, events=[delivered(message.key, event_id="e-2")])
    usual = hear

    def fails(store: object, told: list[ProviderEvent], clock: object) -> object:
        if told[0].kind is EventKind.DEFERRED:
            raise fault
        return usual(store, told, clock)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("arsync.inbox.posted.hear", fails)
        first = taken(books, clock)
        assert (first.posts, len(first.failed)) == (1, 1)
        left = waiting(books)
        assert left is not None
        assert (left.count, left.reason) == (1, f"arsync failed on it ({type(fault).__name__})")
        assert taken(books, clock).failed == [], "not before its time"
        clock.advance(60)
        assert len(taken(books, clock).failed) == 1
    clock.advance(timedelta(minutes=2).total_seconds())
    assert taken(books, clock).posts == 1
    assert waiting(books) is None


def test_a_mail_that_we_fail_on_is_a_refused_mail_and_a_persons_task(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = letter(to=routed(BILLING, sent(books).key))
    kept(books, mail=Posted(raw, len(raw)))

    def fails(_text: str) -> str:
        raise RecursionError

    monkeypatch.setattr("arsync.inbox.intake.new_text", fails)
    (one,) = taken(books).mails
    assert one.kind is MailKind.UNREADABLE
    with books.store.reading() as work:
        (reply,) = replies.waiting(work)
    assert "arsync failed on it (RecursionError)" in reply.text
    assert waiting(books) is None


def test_when_the_database_is_away_it_is_no_posts_fault(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(books, events=[delivered(sent(books).key)])

    def away(*_: object) -> None:
        raise DatabaseUnusable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("arsync.inbox.posted.hear", away)
        with pytest.raises(DatabaseUnusable):
            taken(books)
    left = waiting(books)
    assert left is not None
    assert (left.count, left.reason) == (1, "")
    assert taken(books).posts == 1


def test_killed_after_it_was_heard_and_before_it_was_forgotten_it_is_heard_once(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = sent(books)
    kept(books, events=[delivered(message.key)])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(posts, "taken_in", killed)
        with pytest.raises(KeyboardInterrupt):
            taken(books)
    again = taken(books)
    assert (again.heard.new, again.heard.known) == (0, 1)
    assert books.rows("SELECT count(*) FROM provider_events") == [(1,)]


def test_answers_are_read_by_post_where_one_has_come_and_the_outside_was_heard_of_lately(books: Books) -> None:
    """Nothing ever came / only a vendor did / an answer came / the outside is silent for a day / a vendor is heard of
    again / and an answer waits for two days, as nobody takes it in."""
    day = timedelta(days=1)

    def came(name: str, after: timedelta) -> None:
        with books.store.working() as work:
            doors.note(work, name, Reception.TAKEN, now=NOW + after)
            work.commit()

    def are_read(after: timedelta) -> bool:
        with books.store.reading() as work:
            return are_posted_within(work, day, now=NOW + after)

    assert not are_read(0 * day)
    came("xero", 0 * day)
    assert not are_read(0 * day)
    came("sendgrid/inbound", 1 * day)
    assert are_read(2 * day)
    assert not are_read(3 * day)
    came("xero", 3 * day)
    assert are_read(3 * day)
    with books.store.working() as work:
        keep_mail(work, Posted(letter(), 10), now=NOW + 3 * day)
        work.commit()
    came("xero", 5 * day)
    assert not are_read(5 * day)
    take_in(books.store, [front(books)], FixedClock(NOW + 5 * day))
    assert are_read(5 * day)


def test_what_was_posted_of_a_mail_is_what_is_read_of_it(books: Books) -> None:
    whole = Posted(b"From: a@b.example\n\n" + b"x" * 10, 45_000_000, ("billing@example.com",))
    kept(books, mail=whole)
    with books.store.reading() as work:
        post = posts.next_due(work, after=0, now=NOW)
    assert post is not None
    assert "billing@example.com" in post.content
    (one,) = taken(books).mails
    assert one.kind is MailKind.UNREADABLE
    with books.store.reading() as work:
        (reply,) = replies.waiting(work)
    assert reply.text == "it has 45,000,000 bytes; more than 40,000,000 are not read"
