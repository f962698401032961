"""The last gate: whatever forbids a message comes wholly before it or wholly after it, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import cast

import pytest
from sqlalchemy import text
from tests.integration.store.books import (
    NOW,
    TODAY,
    Books,
    a_draft,
    a_hold,
    ask_gate,
    customer,
    invoice,
    page,
    payment,
)

from arsync.domain.chase import Hold
from arsync.domain.clock import local_date
from arsync.domain.feedback import EventKind, ProviderEvent, SuppressionKind
from arsync.domain.states import Health, MessageState
from arsync.store import chases, claims, connections, holds, messages, planned, records, suppressions
from arsync.store.engine import Store, Work
from arsync.store.messages import Message

Forbid = Callable[[Books, Work], None]


@pytest.fixture
def owed(books: Books) -> Books:
    books.keep(customer("C1"), customer("C2"), invoice("I1"), invoice("I2", customer="C2"))
    books.follow()
    return books


def ready(books: Books) -> Message:
    """A message that is claimed and confirmed."""
    books.plan()
    (message,) = books.claim()
    assert books.confirm(message)
    return message


def place(hold: Hold) -> Forbid:
    def forbid(books: Books, work: Work) -> None:
        holds.place(work, books.id, hold, now=NOW)

    return forbid


def press(books: Books, work: Work) -> None:
    connections.press_stop(work, author="ann", reason="new price list", now=NOW)


def sicken(books: Books, work: Work) -> None:
    connections.set_health(work, books.id, Health.PARTIAL, "the last page did not come")


def receive(books: Books, work: Work) -> None:
    """A delta that touches the payer, as `sync.pull.keep` stores it."""
    stored = records.store_page(work, books.id, page(payment("P1", "5.00")), now=NOW)
    chases.bump(work, books.id, stored.customers)


def lose(books: Books, work: Work) -> None:
    """What a provider tells of an address, before anybody saw that it is about to be written to."""
    suppressions.one_at_a_time(work)
    event = ProviderEvent("sendgrid", "1", EventKind.BOUNCED, "ada@example.com", NOW, suppresses=SuppressionKind.BOUNCE)
    suppressions.suppress(work, event, now=NOW)


FORBIDDING: dict[str, Forbid] = {
    "a hold on the payer": place(a_hold()),
    "a hold on the invoice": place(a_hold(payer="C1", invoice="I1")),
    "a hold on everybody": place(a_hold(payer=None)),
    "the red button": press,
    "a sync that failed": sicken,
    "a payment": receive,
    "an address that was lost": lose,
}


@pytest.fixture(params=list(FORBIDDING.values()), ids=list(FORBIDDING))
def forbid(request: pytest.FixtureRequest) -> Forbid:
    chosen: Forbid = request.param
    return chosen


def test_a_confirmed_message_passes_once(owed: Books) -> None:
    message = ready(owed)
    assert owed.pass_gate(message) is None
    sent = owed.message(message.id)
    assert (sent.state, sent.sending_at, sent.attempts) == (MessageState.SENDING, NOW, 1)
    assert owed.pass_gate(message) == "the claim was lost to another worker"


def test_what_was_never_confirmed_does_not_pass(owed: Books) -> None:
    owed.plan()
    (message,) = owed.claim()
    assert owed.pass_gate(message) == "something about the payer changed since the message was confirmed"


def test_whatever_forbids_it_stops_a_confirmed_message(owed: Books, forbid: Forbid) -> None:
    message = ready(owed)
    with owed.store.working() as work:
        forbid(owed, work)
        work.commit()
    assert owed.pass_gate(message) is not None
    assert owed.message(message.id).state is MessageState.CLAIMED


@pytest.mark.parametrize(
    ("forbid", "reason"),
    [
        (place(a_hold()), "a hold: dispute"),
        (place(a_hold(payer="C1", invoice="I1")), "a hold: dispute"),
        (place(a_hold(payer=None)), "a hold: dispute"),
        (place(a_hold(begins=TODAY - timedelta(days=9), until=TODAY)), "a hold: dispute"),
        (press, "stopped"),
        (sicken, "the connection is partial"),
        (lose, "nobody writes to ada@example.com any more"),
    ],
)
def test_it_stops_also_a_message_confirmed_after_it(owed: Books, forbid: Forbid, reason: str) -> None:
    owed.plan()
    (message,) = owed.claim()
    with owed.store.working() as work:
        forbid(owed, work)
        work.commit()
    assert owed.confirm(message)
    assert owed.pass_gate(message) == reason


@pytest.mark.parametrize(
    "hold",
    [
        a_hold(payer="C2"),
        a_hold(payer="C1", invoice="I7"),
        a_hold(payer="C1", invoice="I-young"),  # named in the message, not demanded
        a_hold(begins=TODAY + timedelta(days=1)),
        a_hold(begins=date(2026, 8, 1), until=TODAY - timedelta(days=1)),
    ],
    ids=["another payer", "another invoice", "an invoice only listed", "from tomorrow", "until yesterday"],
)
def test_a_hold_on_something_else_does_not_stop_it(owed: Books, hold: Hold) -> None:
    owed.plan()
    (message,) = owed.claim()
    with owed.store.working() as work:
        holds.place(work, owed.id, hold, now=NOW)
        work.commit()
    assert owed.confirm(message)
    assert owed.pass_gate(message) is None


def test_a_lifted_hold_asks_for_another_confirmation_and_then_lets_pass(owed: Books) -> None:
    with owed.store.working() as work:
        hold_id = holds.place(work, owed.id, a_hold(), now=NOW)
        work.commit()
    message = ready(owed)
    with owed.store.working() as work:
        assert holds.lift(work, hold_id, now=NOW)
        assert not holds.lift(work, hold_id, now=NOW)
        work.commit()
    assert owed.pass_gate(message) == "something about the payer changed since the message was confirmed"
    assert owed.confirm(message)
    assert owed.pass_gate(message) is None


def test_a_chase_that_is_clear_lets_nothing_pass(owed: Books) -> None:
    message = ready(owed)
    owed.keep(invoice("I1", "0.00", minutes=1))
    owed.follow()
    assert owed.pass_gate(message) == "the chase is clear"


def test_a_thank_you_is_confirmed_again_once_the_payment_is_reversed(owed: Books) -> None:
    """Paid and clear, a thank-you of 0.00 is confirmed; then the bank takes the money back."""
    plain = a_draft(owed.chase(), amount="0.00")
    owed.keep(invoice("I1", "0.00", minutes=1))
    owed.follow()
    with owed.store.working() as work:
        planned.plan(work, replace(plain, intent=replace(plain.intent, listed=())), now=NOW, today=TODAY)
        work.commit()
    (message,) = owed.claim()
    assert owed.confirm(message)
    owed.keep(invoice("I1", minutes=2))
    assert owed.pass_gate(message) == "something about the payer changed since the message was confirmed"


def test_a_worker_that_slept_past_its_claim_cannot_send(owed: Books) -> None:
    asleep = ready(owed)
    with owed.store.working() as work:
        (found,) = claims.abandoned_claims(work, [owed.id], now=NOW + timedelta(minutes=11))
        messages.move(work, found, MessageState.CLAIMED, MessageState.APPROVED, reason="its lease is over", now=NOW)
        work.commit()
    (other,) = owed.claim(now=NOW + timedelta(minutes=11))
    assert owed.confirm(other)
    assert owed.pass_gate(asleep) == "the claim was lost to another worker"
    assert owed.pass_gate(other) is None


# --- at the same time -----------------------------------------------------------------------------------------------


class Task:
    """Something done by another worker meanwhile."""

    def __init__(self, do: Callable[[], object]) -> None:
        self.result: object = None
        self._error: BaseException | None = None

        def run() -> None:
            try:
                self.result = do()
            except BaseException as error:  # noqa: BLE001 - raised again on the test's side
                self._error = error

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def waits(self, watcher: Store) -> bool:
        """Whether it comes to wait for a lock; False where it ends without."""
        while True:
            self._thread.join(timeout=0.05)
            if not self._thread.is_alive():
                return False
            if watcher.engine.dialect.name == "sqlite":
                return True  # there is one writer at a time, and this one is not
            with watcher.reading() as work:
                waiting = work.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one()
            if waiting:
                return True

    def end(self) -> object:
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self.result


def test_the_gate_waits_for_what_is_about_to_forbid(
    owed: Books, forbid: Forbid, another_store: Callable[[], Store]
) -> None:
    message = ready(owed)
    gatekeeper = Books(another_store(), owed.connection)
    with owed.store.working() as work:
        forbid(owed, work)
        gate = Task(lambda: gatekeeper.pass_gate(message))
        assert gate.waits(another_store())
        work.commit()
    assert gate.end() is not None
    assert owed.message(message.id).state is MessageState.CLAIMED


def test_what_was_about_to_forbid_and_was_taken_back_stops_nothing(
    owed: Books, forbid: Forbid, another_store: Callable[[], Store]
) -> None:
    message = ready(owed)
    gatekeeper = Books(another_store(), owed.connection)
    with owed.store.working() as work:
        forbid(owed, work)
        gate = Task(lambda: gatekeeper.pass_gate(message))
        assert gate.waits(another_store())
    assert gate.end() is None
    assert owed.message(message.id).state is MessageState.SENDING


def test_what_forbids_waits_for_a_gate_that_was_first(
    owed: Books, forbid: Forbid, another_store: Callable[[], Store]
) -> None:
    message = ready(owed)
    late = Books(another_store(), owed.connection)

    def forbid_late() -> None:
        with late.store.working() as work:
            forbid(late, work)
            work.commit()

    with owed.store.working() as work:
        assert ask_gate(work, message) is None
        task = Task(forbid_late)
        assert task.waits(another_store()), "else it could report success while the message leaves"
        work.commit()
    task.end()
    assert owed.message(message.id).state is MessageState.SENDING


def test_gates_of_two_payers_do_not_wait_for_one_another(
    owed: Books, another_store: Callable[[], Store], database: str
) -> None:
    if database == "sqlite":  # one writer at a time
        assert owed.pass_gate(ready(owed)) is None
        return
    owed.plan("C1")
    owed.plan("C2", invoices=("I2",))
    first, second = owed.claim()
    assert owed.confirm(first)
    assert owed.confirm(second)
    other = Books(another_store(), owed.connection)
    with owed.store.working() as work:
        assert ask_gate(work, first) is None
        assert other.pass_gate(second) is None
        work.commit()


def test_of_two_workers_with_one_claim_one_passes(owed: Books, another_store: Callable[[], Store]) -> None:
    message = ready(owed)
    workers = [Books(another_store(), owed.connection) for _ in range(3)]
    tasks = [Task(lambda worker=worker: worker.pass_gate(message)) for worker in workers]  # type: ignore[misc]
    answers = sorted(str(task.end()) for task in tasks)
    assert answers == ["None", "the claim was lost to another worker", "the claim was lost to another worker"]


def test_two_workers_share_a_queue_and_send_each_message_once(books: Books, another_store: Callable[[], Store]) -> None:
    """Without the run's lock, as if one had slept past its lease: they claim, confirm, pass and accept side by side."""
    payers = [f"C{number}" for number in range(12)]
    books.keep(*(customer(one) for one in payers), *(invoice(f"I{one}", customer=one) for one in payers))
    books.follow()
    for one in payers:
        books.plan(one, invoices=(f"I{one}",))

    def work_off(own: Books) -> list[int]:
        sent = []
        while claimed := own.claim(limit=2):
            for message in claimed:
                assert own.confirm(message)
                assert own.pass_gate(message) is None
                with own.store.working() as work:
                    assert messages.move(
                        work, message.id, MessageState.SENDING, MessageState.ACCEPTED, reason="taken", now=NOW,
                        token=message.claim_token, accepted_at=NOW, sent_on=TODAY,
                    )  # fmt: skip
                    work.commit()
                sent.append(message.id)
        return sent

    workers = [Books(another_store(), books.connection) for _ in range(2)]
    tasks = [Task(lambda worker=worker: work_off(worker)) for worker in workers]  # type: ignore[misc]
    first, second = [cast(list[int], task.end()) for task in tasks]
    assert sorted(first + second) == list(range(1, 13))


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize(
    ("zone", "last_day", "still", "over"),
    [
        ("Europe/Berlin", "2026-10-25", "2026-10-25T22:59", "2026-10-25T23:00"),  # 25 hours long
        ("Europe/Berlin", "2026-03-29", "2026-03-29T21:59", "2026-03-29T22:00"),  # 23 hours long
        ("America/New_York", "2026-11-01", "2026-11-02T04:59", "2026-11-02T05:00"),
    ],
)
def test_a_hold_ends_with_the_companys_day_also_when_the_clock_is_set(
    books: Books, zone: str, last_day: str, still: str, over: str
) -> None:
    with books.store.working() as work:
        holds.place(work, books.id, a_hold(begins=date(2026, 1, 1), until=date.fromisoformat(last_day)), now=NOW)
        ended = [
            holds.expire(work, books.id, today=local_date(now, zone), now=now)
            for now in (datetime.fromisoformat(f"{moment}+00:00") for moment in (still, over))
        ]
    assert ended == [0, 1]
