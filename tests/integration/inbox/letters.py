"""Mails to a company, in a line each, and what was sent before them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime

from tests.integration.store.books import NOW, TODAY, Books

from arsync.domain.states import MessageState
from arsync.inbox.imap import Fetched
from arsync.inbox.intake import Taken, take
from arsync.inbox.mail import read
from arsync.inbox.matching import Front
from arsync.store import messages
from arsync.store.messages import Message

BILLING = "billing@example.com"


class StillClock:
    """Noon."""

    def now(self) -> datetime:
        return NOW

    def elapsed(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


def front(books: Books, *addresses: str) -> Front:
    return Front(books.id, books.connection.name, frozenset(addresses or (BILLING,)), "Europe/Berlin", writes=True)


def letter(
    text: str = "We will pay on Friday.", *, sender: str = "Ada <ada@example.com>", to: str = BILLING,
    answers: str = "", number: int = 1, more: str = "",
) -> bytes:  # fmt: skip
    reference = f"In-Reply-To: <{answers}>\n" if answers else ""
    return (
        f"From: {sender}\nTo: {to}\nSubject: Re: Your invoice\nMessage-ID: <m{number}@debtor.example>\n"
        f"{reference}{more}\n{text}\n"
    ).encode()


def receive(raw: bytes, *fronts: Front, books: Books) -> Taken:
    return take(books.store, read(raw), origin="test", fronts=fronts or (front(books),), clock=StillClock())


def sent(
    books: Books, payer: str = "C1", *, invoices: tuple[str, ...] = ("I1",), until: MessageState = MessageState.ACCEPTED
) -> Message:
    """A message that the channel took, or of which nobody knows whether it did."""
    message_id = books.plan(payer, invoices=invoices)
    (message,) = books.claim()
    assert message.id == message_id
    assert books.confirm(message)
    assert books.pass_gate(message) is None
    with books.store.working() as work:
        if until is MessageState.ACCEPTED:
            messages.move(
                work, message_id, MessageState.SENDING, MessageState.ACCEPTED, reason="taken", now=NOW, accepted_at=NOW,
                sent_on=TODAY,
            )  # fmt: skip
        else:
            messages.move(work, message_id, MessageState.SENDING, MessageState.UNKNOWN, reason="silence", now=NOW)
        if until is MessageState.PRESUMED_SENT:
            messages.move(work, message_id, MessageState.UNKNOWN, until, reason="72 hours", now=NOW)
        work.commit()
    return books.message(message_id)


@dataclass
class Box:
    """A mailbox in memory."""

    mails: dict[int, bytes] = field(default_factory=dict)
    uid_validity: int = 7
    dies_at: int | None = None  # its line breaks when that mail is asked for
    asked: list[int] = field(default_factory=list)
    name: str = "billing@mail.example/INBOX"

    @contextmanager
    def opened(self) -> Iterator[Box]:
        yield self

    def after(self, uid: int, *, since: date) -> list[int]:
        return sorted(number for number in self.mails if number > uid)

    def fetch(self, uids: list[int]) -> Iterator[Fetched]:
        for uid in uids:
            self.asked.append(uid)
            if uid == self.dies_at:
                raise OSError("the line broke")
            yield Fetched(uid, self.mails[uid], len(self.mails[uid]))
