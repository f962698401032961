"""A mailbox is read from where it was read last: every mail once, whatever breaks on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.integration.inbox.imap_server import running_mailbox
from tests.integration.inbox.letters import BILLING, Box, StillClock, front, letter, sent
from tests.integration.store.books import NOW, Books

from arsync.channel.routing import routed
from arsync.domain.replies import MailKind
from arsync.errors import Barred, ConfigurationError, RetryLater
from arsync.inbox import intake
from arsync.inbox.imap import ImapMailbox
from arsync.inbox.poll import Polled, poll
from arsync.inbox.quoting import new_text
from arsync.store import replies
from arsync.store.engine import Store


def read_box(books: Books, box: Box, store: Store | None = None) -> Polled:
    return poll(store or books.store, box, [front(books)], StillClock())


def numbers(books: Books) -> list[str]:
    with books.store.reading() as work:
        return [one.origin.rpartition(" ")[2] for one in replies.every(work)]


def test_each_mail_is_taken_once_and_the_next_reading_begins_behind_it(books: Books) -> None:
    box = Box({4: letter("one", number=1), 9: letter("two", number=2)})
    assert len(read_box(books, box).taken) == 2
    box.mails[12] = letter("three", number=3)
    assert len(read_box(books, box).taken) == 1
    assert box.asked == [4, 9, 12]
    assert numbers(books) == ["4", "9", "12"]


def test_a_line_that_breaks_loses_nothing_and_takes_nothing_twice(books: Books) -> None:
    box = Box({uid: letter(f"mail {uid}", number=uid) for uid in range(1, 5)}, dies_at=3)
    with pytest.raises(OSError, match="broke"):
        read_box(books, box)
    with books.store.reading() as work:
        place = replies.place(work, box.name)
    assert place is not None
    assert (place.last_uid, place.polled_at) == (2, None), "read, and not to its end"
    box.dies_at = None
    assert len(read_box(books, box).taken) == 2
    assert numbers(books) == ["1", "2", "3", "4"]


def test_a_mail_that_we_fail_on_is_kept_as_refused_and_stops_none_behind_it(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(text: str) -> str:
        if "poison" in text:
            raise ZeroDivisionError
        return new_text(text)

    monkeypatch.setattr(intake, "new_text", fails)
    box = Box({1: letter("poison", number=1), 2: letter("We will pay.", number=2)})
    assert [one.kind for one in read_box(books, box).taken] == [MailKind.UNREADABLE, MailKind.PERSON]
    with books.store.reading() as work:
        first, _ = replies.waiting(work)
    assert (first.payer_id, first.text) == ("C1", "arsync failed on it (ZeroDivisionError)")


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_around_any_commit_every_mail_is_taken_once(books: Books, store_url: str, moment: str) -> None:
    box = Box({uid: letter(f"mail {uid}", number=uid) for uid in range(1, 4)})

    def dying_at(commit: int) -> Callable[[str, str], None]:
        seen = 0

        def observe(when: str, what: str) -> None:
            nonlocal seen
            seen += (when, what) == (moment, "commit")
            if seen == commit:
                raise Killed

        return observe

    for commit in range(1, 5):
        store = Store(store_url, observe=dying_at(commit))
        with pytest.raises(Killed):
            read_box(books, box, store)
            raise Killed  # fewer commits than that were left to die at
        store.close()
    read_box(books, box)
    assert numbers(books) == ["1", "2", "3"]
    assert books.rows("SELECT count(*) FROM holds WHERE kind = 'reply'") == [(3,)]
    assert books.rows("SELECT count(*) FROM notes") == [(3,)]


def test_where_the_server_numbers_anew_nothing_is_taken_twice(books: Books) -> None:
    box = Box({4: letter("one", number=1), 9: letter("two", number=2)})
    read_box(books, box)
    box.uid_validity, box.mails = 8, {1: box.mails[9], 2: letter("three", number=3)}
    done = read_box(books, box)
    assert (len(done.taken), done.known) == (1, 1)


def test_when_it_was_read_to_its_end_is_kept(books: Books) -> None:
    read_box(books, Box())
    with books.store.reading() as work:
        place = replies.place(work, Box().name)
    assert place is not None
    assert place.polled_at == NOW


def test_a_real_mail_server_is_read_and_not_changed(books: Books) -> None:
    mails = {3: letter("one", number=1), 5: letter("two ä", number=2) + b"x" * 70_000}
    with running_mailbox(mails) as server:
        mailbox = ImapMailbox("127.0.0.1", server.port, "mia", "pass word", folder="INBOX", tls="off")
        assert len(poll(books.store, mailbox, [front(books)], StillClock()).taken) == 2
        mails[8] = letter("three", number=3)
        assert len(poll(books.store, mailbox, [front(books)], StillClock()).taken) == 1
        assert {line.split()[0] for line in server.said} <= {
            "CAPABILITY", "LOGIN", "EXAMINE", "UID", "LOGOUT", "ID", "NOOP",
        }  # fmt: skip
        since = NOW - timedelta(days=1)
        assert any(f"SINCE {since:%d-%b-%Y}" in line for line in server.said)
        wrong = ImapMailbox("127.0.0.1", server.port, "mia", "wrong", folder="INBOX", tls="off")
        with pytest.raises(Barred, match="user or the password"):
            poll(books.store, wrong, [], StillClock())
    with pytest.raises(RetryLater, match="cannot be reached"):
        poll(books.store, mailbox, [], StillClock())


def test_a_mail_that_the_server_does_not_hand_over_is_asked_for_again_and_never_passed_over(books: Books) -> None:
    """Of mail 3 the text comes at the second try, of mail 5 never; mail 6 is gone."""
    message = sent(books)
    mails = {3: letter("one", number=1), 5: letter("two", number=2, to=routed(BILLING, message.key))}
    with running_mailbox(mails, withheld={3: 1, 5: 9}) as server:
        mailbox = ImapMailbox("127.0.0.1", server.port, "mia", "pass word", folder="INBOX", tls="off")
        with mailbox.opened() as folder:
            assert list(folder.fetch([6])) == []
        taken = poll(books.store, mailbox, [front(books)], StillClock()).taken
    assert [(one.kind, one.paused) for one in taken] == [(MailKind.PERSON, True), (MailKind.UNREADABLE, True)]
    with books.store.reading() as work:
        _, refused = replies.waiting(work)
    assert refused.text == "the mail server did not hand over its text"


def test_a_password_crosses_no_network_in_the_clear() -> None:
    with pytest.raises(ConfigurationError, match="this machine"):
        ImapMailbox("imap.example.com", 143, "mia", "secret", folder="INBOX", tls="off")
