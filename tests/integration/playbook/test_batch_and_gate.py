"""What changes after a batch was looked at and before a message of it passes the last gate is seen by that message.

Two customers owe; both messages are in one batch that has been looked at. While the first goes out something happens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, cast

import pytest
from sqlalchemy import event, text
from tests.integration.playbook.desk import OFFICE_HOURS
from tests.integration.playbook.shop import Shop
from tests.integration.store.books import contact, customer, unreadable

from arsync import session
from arsync.channel.contract import Envelope, Receipt
from arsync.connector import Company, Resource
from arsync.domain.chase import Hold
from arsync.domain.feedback import EventKind, ProviderEvent, SuppressionKind
from arsync.domain.money import Money
from arsync.domain.people import TouchKind
from arsync.domain.policy import StepChannel
from arsync.domain.states import Health, HoldKind, MessageState
from arsync.outbox.send import Post
from arsync.playbook.confirm import confirm_all
from arsync.store import connections, holds, messages, notes, promises, provider_events, suppressions, tags, touches
from arsync.store.engine import Work
from arsync.testing.ports import FixedClock
from arsync.worker import dispatch as dispatching
from arsync.worker import enclosures
from arsync.worker.dispatch import Desk, Dispatched

TODAY = date(2026, 9, 1)


@dataclass
class Letterbox:
    """A channel that takes everything, and draws up the next message while it waits for its answer; `meanwhile` happens
    once, after that of the first."""

    meanwhile: Callable[[], None] = lambda: None
    taken: list[Envelope] = field(default_factory=list)
    drawn: list[Envelope] = field(default_factory=list)
    spoils: bool = False  # whatever it draws up
    name: str = "letterbox"
    place: str = "a box"

    def prepare(self) -> None:
        pass

    def finish(self) -> list[str]:
        return []

    def draw_up(self, envelope: Envelope) -> None:
        self.drawn.append(envelope)
        if self.spoils:
            raise ValueError("no pen")

    def send(self, envelope: Envelope) -> Receipt:
        self.taken.append(envelope)
        session.awaiting()
        if len(self.taken) == 1:
            self.meanwhile()
        return Receipt(envelope.message_id)

    def look_up(self, message_id: str) -> Any:
        raise AssertionError(message_id)

    @property
    def to(self) -> list[str]:
        return [envelope.to[0].partition("<")[2].rstrip(">").partition("@")[0] for envelope in self.taken]


@pytest.fixture(autouse=True)
def _the_source_tells_nothing_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatching, "refresh", lambda *_: None)


def send(
    shop: Shop, meanwhile: Callable[[], None] = lambda: None, *, spoils: bool = False
) -> tuple[Letterbox, Dispatched]:
    box = Letterbox(meanwhile, spoils=spoils)
    post = Post({StepChannel.EMAIL: cast(Any, box)}, "us@x.example", "us@x.example", "harbour")
    desk = Desk(shop.books.connection, cast(Any, None), shop.policy(), post, writes=True)
    done = dispatching.dispatch(shop.books.store, desk, FixedClock(shop.now), run_id=1, beat=lambda: None)
    return box, done


def owing(shop: Shop) -> None:
    """C1 owes the more: it is written to first."""
    for payer, amount in (("C1", "300.00"), ("C2", "200.00"), ("C3", "100.00")):
        shop.books.keep(customer(payer, contacts=[contact(payer)], language="en"))
        shop.owes(payer, f"I{payer[1]}", amount, total=Decimal(amount))
        shop.books.keep(customer(payer, contacts=[contact(payer)], language="en", minutes=1))
    shop.night()


def second(shop: Shop) -> tuple[MessageState, str]:
    """How C2's first message stands, and why."""
    with shop.books.store.reading() as work:
        first = messages.of_chase(work, shop.books.chase("C2").id)[0]
    return first.state, first.reason


Change = Callable[[Work, Shop], None]


def a_hold(work: Work, shop: Shop) -> None:
    holds.place(work, shop.books.id, Hold(HoldKind.PAUSE, "wait", "ann", "C2", None, TODAY, None), now=shop.now)


def a_dispute(work: Work, shop: Shop) -> None:
    holds.place(work, shop.books.id, Hold(HoldKind.DISPUTE, "broken", "ann", "C2", "I2", TODAY, None), now=shop.now)


def a_promise(work: Work, shop: Shop) -> None:
    until = date(2026, 9, 10)
    number = promises.give(
        work, shop.books.id, payer_id="C2", invoice_id="I2", amount=Money(Decimal(200), "EUR"), promised_on=until,
        grace=0, until=until, reason="by mail", author="ann", now=shop.now,
    )  # fmt: skip
    placed = Hold(HoldKind.PROMISE, "by mail", "ann", "C2", "I2", TODAY, until)
    holds.place(work, shop.books.id, placed, now=shop.now, promise_id=number)


def a_complaint(work: Work, shop: Shop) -> None:
    told = ProviderEvent(
        "box", "e1", EventKind.SPAM_REPORT, "c2@example.com", shop.now, suppresses=SuppressionKind.SPAM_REPORT
    )
    provider_events.bump(work, told, None)
    suppressions.suppress(work, told, now=shop.now)


def a_call_by_hand(work: Work, shop: Shop) -> None:
    touches.keep_touch(
        work, shop.books.id, payer_id="C2", kind=TouchKind.CALL, made_on=TODAY, step_id=None, invoice_ids=[],
        comment="", author="kim", now=shop.now,
    )  # fmt: skip


def a_direct_debit(work: Work, shop: Shop) -> None:
    tags.add(work, shop.books.id, "C2", [tags.AUTOPAY], author="ann", now=shop.now)


def own_reminders(work: Work, shop: Shop) -> None:
    told = Company("harbour", "Harbour", "EUR", "DE", "Europe/Berlin", reminders_on=True)
    connections.describe(work, shop.books.id, told, now=shop.now)


@pytest.mark.parametrize(
    "change", [a_hold, a_dispute, a_promise, a_call_by_hand, a_direct_debit], ids=lambda one: one.__name__
)
def test_what_people_say_between_look_and_gate_is_heard_by_the_message_that_it_is_about(
    shop: Shop, change: Change
) -> None:
    owing(shop)

    def meanwhile() -> None:
        with shop.books.store.working() as work:
            change(work, shop)
            work.commit()

    box, _done = send(shop, meanwhile)
    assert box.to == ["c1", "c3"]
    state, reason = second(shop)
    assert state in (MessageState.SUPERSEDED, MessageState.APPROVED), reason


def test_what_is_paid_by_a_sync_between_look_and_gate_is_not_chased(shop: Shop) -> None:
    owing(shop)

    def meanwhile() -> None:
        shop.owes("C2", "I2", "0.00", total=Decimal(200))

    box, _done = send(shop, meanwhile)
    assert box.to == ["c1", "c3"]


def test_what_is_paid_in_part_between_look_and_gate_is_asked_for_anew_over_the_rest(shop: Shop) -> None:
    owing(shop)

    def meanwhile() -> None:
        shop.owes("C2", "I2", "150.00", total=Decimal(200), minutes=5)

    box, done = send(shop, meanwhile)
    assert box.to == ["c1", "c3", "c2"]
    assert [str(message.amount) for message in done.accepted] == ["300.00", "100.00", "150.00"]
    assert second(shop)[0] is MessageState.SUPERSEDED


def test_the_button_and_an_unfit_connection_stop_what_has_been_looked_at(shop: Shop) -> None:
    owing(shop)

    def pressed() -> None:
        with shop.books.store.working() as work:
            connections.press_stop(work, author="ann", reason="fire", now=shop.now)
            work.commit()

    box, done = send(shop, pressed)
    assert box.to == ["c1"]
    assert [reason for _message, reason in done.postponed] == [
        "all sending is stopped: fire; a person must start it again"
    ] * 2
    with shop.books.store.working() as work:
        connections.release_stop(work)
        work.commit()

    def suspected() -> None:
        with shop.books.store.working() as work:
            connections.set_health(work, shop.books.id, Health.SUSPECT, "odd")
            work.commit()

    shop.now = shop.now.replace(hour=13)
    again, done = send(shop, suspected)
    assert again.to == ["c2"]
    assert [reason for _message, reason in done.postponed] == [
        "the data of harbour looks abnormal: odd; a person must look at it"
    ]


def test_what_concerns_everybody_is_heard_by_everybody(shop: Shop) -> None:
    """The source begins to remind by itself; a payment comes that nobody can read, nor tell whose it is."""
    owing(shop)

    def reminds() -> None:
        with shop.books.store.working() as work:
            own_reminders(work, shop)
            work.commit()

    # The shop says of itself that the source's own reminders are off; the chases are looked at again all the same.
    before = shop.books.chase("C2").version
    reminds()
    assert shop.books.chase("C2").version == before + 1

    def unread() -> None:
        shop.books.keep(broken=[unreadable(Resource.PAYMENTS, "P9")])

    box, _done = send(shop, unread)
    assert box.to == ["c1"]


def test_the_next_message_is_drawn_up_while_one_is_on_its_way_and_only_the_gate_lets_it_go(shop: Shop) -> None:
    """c1 leaves and c2 is drawn up, c2 is paid: c2 stays; c3, drawn up by nobody, leaves."""
    owing(shop)
    box, _done = send(shop, lambda: shop.owes("C2", "I2", "0.00", total=Decimal(200)))
    assert [envelope.to for envelope in box.drawn] == [("C2 <c2@example.com>",)]
    assert box.to == ["c1", "c3"]


def test_what_is_drawn_up_is_what_leaves_and_each_has_its_own_note(shop: Shop) -> None:
    owing(shop)
    box, done = send(shop)
    assert box.to == ["c1", "c2", "c3"]
    assert box.drawn == box.taken[1:]
    with shop.books.store.reading() as work:
        owed = {
            one.to[0]: notes.of_message(work, message.id) for one, message in zip(box.taken, done.accepted, strict=True)
        }
    assert [[note.target.remote_id for note in some] for some in owed.values()] == [["I1"], ["I2"], ["I3"]]
    assert all(f"To: {to}" in note.text and note.marker in note.text for to, (note,) in owed.items())


def test_a_message_that_cannot_be_drawn_up_does_no_harm_to_the_one_on_its_way(shop: Shop) -> None:
    owing(shop)
    box, done = send(shop, spoils=True)
    assert len(box.drawn) == 2
    assert (box.to, len(done.accepted)) == (["c1", "c2", "c3"], 3)


def test_what_happens_to_another_changes_nothing(shop: Shop) -> None:
    owing(shop)

    def meanwhile() -> None:
        with shop.books.store.working() as work:
            holds.place(work, shop.books.id, Hold(HoldKind.PAUSE, "", "ann", "C3", None, TODAY, None), now=shop.now)
            work.commit()

    box, _done = send(shop, meanwhile)
    assert box.to == ["c1", "c2"]


def test_a_message_of_a_lost_claim_stays(shop: Shop) -> None:
    owing(shop)

    def meanwhile() -> None:
        with shop.books.store.working() as work:
            work.execute(text("UPDATE messages SET claim_token = 'another' WHERE state = 'claimed'"))
            work.commit()

    box, done = send(shop, meanwhile)
    assert box.to == ["c1"]
    assert {reason for _message, reason in done.postponed} == {"the claim was lost to another worker"}


def test_an_address_whose_reader_complains_between_look_and_gate_is_not_written_to(shop: Shop) -> None:
    """The message goes to the address that the invoice went to instead."""
    owing(shop)

    def meanwhile() -> None:
        with shop.books.store.working() as work:
            a_complaint(work, shop)
            work.commit()

    box, _done = send(shop, meanwhile)
    assert [envelope.to for envelope in box.taken][1:] == [("C3 <c3@example.com>",), ("Customer C2 <C2@x.example>",)]
    assert second(shop)[0] is MessageState.SUPERSEDED


def test_who_owes_in_two_currencies_is_looked_at_right_before_each_message(shop: Shop) -> None:
    """What goes out in one counts in the other."""
    shop.owes("C1", "I1", "300.00", total=Decimal(300))
    shop.owes("C1", "I2", "200.00", total=Decimal(200), currency="USD")
    shop.owes("C2", "I3")
    shop.night()
    batch = shop.books.claim()
    standing = confirm_all(shop.books.store, shop.books.connection, shop.policy(), batch, now=shop.now)
    assert len(batch) == 3
    assert [one.message.payer_id for one in standing.values()] == ["C2"]


def statements(shop: Shop) -> list[str]:
    """Whatever reaches the database from now on."""
    seen: list[str] = []
    with shop.books.store.reading() as work:
        work.driver.set_trace_callback(seen.append)
    event.listen(shop.books.store.engine, "checkout", lambda raw, *_: raw.set_trace_callback(seen.append))
    seen.clear()
    return seen


def test_a_message_costs_few_statements_of_its_own(shop: Shop) -> None:
    """What is the same for a batch is asked once for it: 25 messages more cost no more than the gate and the taking."""

    def counted(payers: range) -> int:
        for number in payers:
            shop.owes(f"C{number}", f"I{number}", f"{number}.00", total=Decimal(number))
        shop.night()
        seen = statements(shop)
        box, done = send(shop)
        assert len(done.accepted) == len(box.taken) == len(payers)
        return len(seen)

    few = counted(range(100, 105))
    many = counted(range(200, 225))
    assert (many - few) / 20 <= 14


@pytest.mark.parametrize(("seconds", "written_to"), [(70.0, ["c1", "c2", "c3"]), (200.0, [])])
def test_a_reading_is_as_old_as_its_beginning_and_a_slow_source_is_read_by_fewer(
    shop: Shop, seconds: float, written_to: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three payers at once are too old by the time they are read, one alone is not (70 s), or waits for another run."""
    clock, read = FixedClock(shop.now), []

    def slow(*asked: Any) -> None:
        read.append(len(asked[3]))
        clock.advance(seconds * len(asked[3]))

    shop.write("standard")
    owing(shop)
    monkeypatch.setattr(dispatching, "refresh", slow)
    box = Letterbox()
    post = Post({StepChannel.EMAIL: cast(Any, box)}, "us@x.example", "us@x.example", "harbour")
    desk = Desk(shop.books.connection, cast(Any, None), shop.policy(), post, writes=True)
    done = dispatching.dispatch(shop.books.store, desk, clock, run_id=1, beat=lambda: None)
    assert (read, box.to) == ([3, 1, 1, 1], written_to)
    assert len(done.accepted) + len(done.postponed) == 3 and len(done.unread) == len(done.postponed)
    assert all("took 200 s" in reason for reason in done.unread)


def test_who_fetches_attachments_for_hours_does_not_send_once_the_window_is_closed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noon: it is looked at / nine hours later what goes with it has come, and the office closed at 17:00."""
    shop.write("standard", rest=OFFICE_HOURS)
    shop.owes("C1", "I1")
    shop.night()
    clock, beats = FixedClock(shop.now), 0

    def slow(*_: Any) -> enclosures.Enclosures:
        clock.advance(9 * 3600)
        return enclosures.Enclosures()

    def beat() -> None:
        nonlocal beats
        beats += 1

    monkeypatch.setattr(enclosures, "fetch", slow)
    box = Letterbox()
    post = Post({StepChannel.EMAIL: cast(Any, box)}, "us@x.example", "us@x.example", "harbour")
    desk = Desk(shop.books.connection, cast(Any, None), shop.policy(), post, writes=True)
    done = dispatching.dispatch(shop.books.store, desk, clock, run_id=1, beat=beat)
    assert not box.taken
    (told,) = done.postponed
    assert "the send window opens on" in told[1]
    assert beats == 3, "before each claim, and after the attachments"
