"""What a provider tells, first, late, twice or out of order: the message and the address stand where it says."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.integration.store.books import NOW, TODAY, Books, a_draft, contact, customer, invoice

from arsync.channel.file import FileChannel
from arsync.channel.sendgrid_events import read
from arsync.domain.feedback import EventKind, ProviderEvent, SuppressionKind
from arsync.domain.policy import StepChannel
from arsync.domain.states import MessageState
from arsync.inbox.feedback import hear, read_list
from arsync.outbox.accept import Acceptance, accept
from arsync.outbox.send import Post
from arsync.outbox.settle import settle
from arsync.store import messages, planned, provider_events, suppressions
from arsync.store.messages import Message

ADA, BO = "ada@example.com", "bo@example.com"


class Noon:
    def now(self) -> datetime:
        return NOW + timedelta(hours=1)

    def elapsed(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing waits here")


CLOCK = Noon()


@pytest.fixture
def owed(books: Books) -> Books:
    books.keep(customer("C1", contacts=[contact("Ada")]), invoice("I1"))
    books.follow()
    return books


def sent(books: Books, *recipients: str, until: MessageState = MessageState.ACCEPTED) -> Message:
    """A message that a mail provider took, or may have."""
    with books.store.working() as work:
        draft = a_draft(books.chase())
        message_id = planned.plan(work, draft, now=NOW, today=TODAY)
        work.commit()
    if recipients:
        quoted = "[" + ", ".join(f'"{one}"' for one in recipients) + "]"
        with books.store.working() as work:
            work.execute(text("UPDATE messages SET recipients = :to").bindparams(to=quoted))
            work.commit()
    (message,) = books.claim()
    books.confirm(message)
    assert books.pass_gate(message) is None
    with books.store.working() as work:
        if until is MessageState.ACCEPTED:
            taken(books, message)
        elif until is not MessageState.SENDING:
            messages.move(work, message.id, MessageState.SENDING, until, reason="silence", now=NOW)
            work.commit()
    return books.message(message_id)


def taken(books: Books, message: Message) -> None:
    with books.store.working() as work:
        origin = messages.get(work, message.id).state
        how = Acceptance(TODAY, writes=True)
        assert accept(work, message, origin, reference="X1", reason="taken", how=how, now=NOW)
        work.commit()


def told(message: Message | None, kind: EventKind, address: str = ADA, *, hours: float = 0.5) -> ProviderEvent:
    suppresses = {
        EventKind.BOUNCED: SuppressionKind.BOUNCE,
        EventKind.UNSUBSCRIBED: SuppressionKind.UNSUBSCRIBE,
        EventKind.GROUP_UNSUBSCRIBED: SuppressionKind.GROUP_UNSUBSCRIBE,
    }.get(kind)
    return ProviderEvent(
        "sendgrid", f"{kind}-{address}-{hours}", kind, address, NOW + timedelta(hours=hours), "550 gone",
        message_key=message.key if message else None, suppresses=suppresses,
    )  # fmt: skip


def state(books: Books, message: Message) -> str:
    return books.message(message.id).state.value


def standing(books: Books) -> list[tuple[str, str]]:
    with books.store.reading() as work:
        return [(one.address, one.kind.value) for one in suppressions.listed(work)]


def test_told_in_any_order_a_message_ends_the_same(owed: Books) -> None:
    """Delivered to one of two, given back by the other: it was delivered, and the other address is let go."""
    message = sent(owed, f"Ada <{ADA}>", f"Bo <{BO}>")
    events = [
        told(message, EventKind.PROCESSED, hours=0.1),
        told(message, EventKind.DELIVERED, hours=0.2),
        told(message, EventKind.BOUNCED, BO, hours=0.3),
    ]
    for number, order in enumerate(permutations(events)):
        heard = hear(owed.store, order, CLOCK)
        assert (heard.new, heard.known) == ((0, 3) if number else (3, 0))
        assert state(owed, message) == "delivered"
        assert standing(owed) == [(BO, "bounce")]
    with owed.store.reading() as work:
        assert len(provider_events.of_message(work, message.id)) == 3, "what is told twice is one fact"


def test_a_message_that_nobody_got_has_bounced_and_its_chase_is_looked_at_again(owed: Books) -> None:
    message = sent(owed, f"Ada <{ADA}>", f"Bo <{BO}>")
    before = owed.chase().version
    heard = hear(owed.store, [told(message, EventKind.BOUNCED)], CLOCK)
    assert (state(owed, message), heard.bounced) == ("accepted", 0), "of the other nothing is known yet"
    heard = hear(owed.store, [told(message, EventKind.BLOCKED, BO)], CLOCK)
    assert (state(owed, message), heard.bounced) == ("bounced", 1)
    assert owed.message(message.id).reason == f"came back: {ADA}: 550 gone; {BO}: 550 gone"
    assert owed.chase().version > before
    assert standing(owed) == [(ADA, "bounce")], "what was only blocked may be tried again"


def test_a_bounce_after_a_delivery_counts(owed: Books) -> None:
    message = sent(owed)
    hear(owed.store, [told(message, EventKind.DELIVERED)], CLOCK)
    assert state(owed, message) == "delivered"
    hear(owed.store, [told(message, EventKind.BOUNCED, hours=30)], CLOCK)
    assert state(owed, message) == "bounced"


def test_what_is_told_before_the_answer_waits_for_it(owed: Books) -> None:
    """The webhook is faster than our commit."""
    message = sent(owed, until=MessageState.SENDING)
    hear(owed.store, [told(message, EventKind.BOUNCED)], CLOCK)
    assert state(owed, message) == "sending"
    taken(owed, message)
    assert state(owed, message) == "bounced"


def test_what_a_provider_tells_is_evidence_of_a_message_without_an_answer(owed: Books) -> None:
    message = sent(owed, until=MessageState.UNKNOWN)
    with owed.store.reading() as work:
        assert provider_events.evidence(work, message.id) is None
    hear(owed.store, [told(message, EventKind.DEFERRED)], CLOCK)
    with owed.store.reading() as work:
        assert provider_events.evidence(work, message.id) == ("sendgrid", "sendgrid")


def test_of_other_mail_of_the_account_only_what_is_about_an_address_is_kept(owed: Books) -> None:
    heard = hear(owed.store, [told(None, EventKind.DELIVERED), told(None, EventKind.UNSUBSCRIBED, BO)], CLOCK)
    assert (heard.foreign, heard.new, heard.suppressed) == (1, 1, 1)
    assert standing(owed) == [(BO, "unsubscribe")]


def test_a_lifted_address_stands_again_only_for_what_comes_after(owed: Books) -> None:
    """
    12:30 it bounces / 13:00 Ann lifts it / the bounce of 12:40 comes late: nothing / a bounce of 14:00: it stands again
    """
    hear(owed.store, [told(None, EventKind.BOUNCED)], CLOCK)
    with owed.store.working() as work:
        suppressions.lift(work, ADA.upper(), author="Ann", reason="mailbox is back", now=CLOCK.now())
        work.commit()
    hear(owed.store, [told(None, EventKind.BOUNCED, hours=0.6)], CLOCK)
    assert standing(owed) == []
    hear(owed.store, [told(None, EventKind.BOUNCED, hours=2)], CLOCK)
    assert standing(owed) == [(ADA, "bounce")]


@pytest.mark.parametrize("late", [False, True])
def test_who_subscribes_again_is_written_to_again_whichever_is_told_first(owed: Books, late: bool) -> None:
    events = [told(None, EventKind.GROUP_UNSUBSCRIBED), told(None, EventKind.GROUP_RESUBSCRIBED, hours=0.8)]
    hear(owed.store, reversed(events) if late else events, CLOCK)
    assert standing(owed) == []


def test_an_address_that_comes_on_a_list_right_after_a_message_is_that_messages_answer(owed: Books) -> None:
    message = sent(owed)
    entry = told(None, EventKind.BOUNCED)
    heard = read_list(owed.store, [entry, told(None, EventKind.BOUNCED, BO)], CLOCK)
    assert (heard.new, heard.suppressed, heard.bounced) == (1, 2, 1)
    assert state(owed, message) == "bounced"
    assert read_list(owed.store, [entry], CLOCK).suppressed == 0


def test_an_address_that_came_on_a_list_before_the_message_says_nothing_of_it(owed: Books) -> None:
    message = sent(owed)
    read_list(owed.store, [told(None, EventKind.BOUNCED, hours=-1)], CLOCK)
    assert state(owed, message) == "accepted"


def test_what_is_delivered_is_not_taken_back_by_a_list(owed: Books) -> None:
    """Another program of the same account may have written to that address."""
    message = sent(owed)
    hear(owed.store, [told(message, EventKind.DELIVERED)], CLOCK)
    read_list(owed.store, [told(None, EventKind.BOUNCED, hours=2)], CLOCK)
    assert state(owed, message) == "delivered"


def test_a_list_repeats_what_the_webhook_told_and_blames_no_older_message(owed: Books) -> None:
    older = sent(owed, f"Ada <{ADA}>")
    with owed.store.working() as work:
        work.execute(text("UPDATE messages SET step_id = 'older'"))
        work.commit()
    newer = sent(owed, f"Ada <{ADA}>")
    hear(owed.store, [told(newer, EventKind.BOUNCED)], CLOCK)
    read_list(owed.store, [told(None, EventKind.BOUNCED, hours=0.51)], CLOCK)
    assert (state(owed, older), state(owed, newer)) == ("accepted", "bounced")


def test_an_address_is_known_however_it_is_written(owed: Books) -> None:
    message_id = owed.plan()
    with owed.store.working() as work:
        work.execute(text("UPDATE messages SET recipients = :to").bindparams(to='["Ada <Ada@Example.COM>"]'))
        work.commit()
    (message,) = owed.claim()
    owed.confirm(message)
    read_list(owed.store, [told(None, EventKind.BOUNCED)], CLOCK)
    assert owed.pass_gate(owed.message(message_id)) == "nobody writes to ada@example.com any more"


def test_what_is_told_after_72_hours_is_evidence_too(owed: Books) -> None:
    message = sent(owed, until=MessageState.UNKNOWN)
    with owed.store.working() as work:
        messages.move(
            work, message.id, MessageState.UNKNOWN, MessageState.PRESUMED_SENT, reason="silence", now=NOW, sent_on=TODAY
        )
        work.commit()
    hear(owed.store, [told(message, EventKind.BOUNCED)], CLOCK)
    post = Post({StepChannel.EMAIL: FileChannel(Path("nowhere"))}, "a@x.example", "a@x.example", "harbour")
    settle(owed.store, CLOCK, lambda _message: (post, Acceptance(TODAY, writes=False)), [owed.id])
    assert state(owed, message) == "bounced"


@pytest.mark.parametrize("spoilt", ["email", "sg_event_id", "sg_message_id", "message_id", "reason"])
@pytest.mark.parametrize("char", ["\x00", "\ud800", "\n"])
def test_an_event_with_what_no_database_takes_stops_none_behind_it(owed: Books, spoilt: str, char: str) -> None:
    """Ada's is spoilt, Bo's comes after it."""
    ada = {"event": "bounce", "email": ADA, "timestamp": int(NOW.timestamp()), "sg_event_id": "1", "reason": "gone"}
    bo = ada | {"email": BO, "sg_event_id": "2"}
    told = read(json.dumps([ada | {spoilt: f"{ada.get(spoilt, 'x')}{char}1"}, bo]).encode())
    hear(owed.store, told.events, CLOCK)
    with owed.store.reading() as work:
        assert BO in suppressions.standing(work)
