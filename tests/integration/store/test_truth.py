"""Balances, drift, pulse, suspicion and adopted messages, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from tests.integration.store.books import NOW, TODAY, Books, at, credit, customer, invoice, payment

from arsync.connector import NoteTarget, Resource, TargetKind
from arsync.domain.policy import StepChannel
from arsync.domain.states import Health, MessageState
from arsync.store import adoption, balances, chases, connections, drift, messages, notes, open_items, pulse, suspicion
from arsync.store.adoption import Sent
from arsync.store.pulse import Beat
from arsync.store.suspicion import Suspicion, Trouble

MARKER = "[arsync:0a1b2c3d-00112233aabb]"


def test_an_account_is_its_payer_with_all_for_whom_it_pays(books: Books) -> None:
    """head 70.00 told, branch 20.00 told; items 60.00 + 50.00 less 15.00 unapplied and 4.00 credit: 91.00."""
    books.keep(
        customer("head", balance=Decimal("70.00")), customer("branch", parent_id="head", balance=Decimal("20.00")),
        customer("silent"), invoice("I1", "60.00", customer="head"), invoice("I2", "50.00", customer="branch"),
        invoice("I3", "5.00", customer="silent"), payment("P1", "15.00", customer="branch"),
        credit("N1", "4.00", customer="head"),
    )  # fmt: skip
    with books.store.reading() as work:
        every = balances.accounts(work, books.id)
    assert (every["head"].told, every["head"].net) == (Decimal("90.00"), Decimal("91.00"))
    assert every["head"].falls_short
    assert (every["silent"].told, every["silent"].falls_short) == (None, False), "what is not known holds nobody"


def test_drift_is_what_no_known_money_explains(books: Books) -> None:
    """I1: 100 less 30 is 70 open, as told. I2: 100 less nothing, yet 40 open."""
    books.keep(customer(), invoice("I1", "70.00"), invoice("I2", "40.00"), payment("P1", "30.00", on={"I1": "30.00"}))
    with books.store.reading() as work:
        (one,) = drift.drifting(work, books.id)
    assert (one.invoice_id, one.difference) == ("I2", Decimal("60.00"))


@pytest.mark.parametrize("at_once", [10_000, 2, 1])
def test_the_pulse_is_measured_from_the_cache_and_goes_on_by_itself(
    books: Books, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "AT_ONCE", at_once)
    books.keep(
        customer(), invoice("I1", issued_on=date(2026, 8, 1)), invoice("I2", issued_on=date(2026, 8, 1)),
        payment("P1", minutes=-5 * 1440), payment("P2", minutes=-5 * 1440), payment("P3", minutes=-1440),
    )  # fmt: skip
    with books.store.working() as work:
        pulse.measure(work, books.id)
        pulse.measure(work, books.id)
        pulse.add(work, books.id, Beat(TODAY, 2, 1))
        pulse.add(work, books.id, Beat(TODAY, 1, 0))
        found = pulse.beats(work, books.id, TODAY)
        work.commit()
    assert found == [
        Beat(date(2026, 8, 1), 2, 0), Beat(date(2026, 8, 27), 0, 2), Beat(date(2026, 8, 31), 0, 1), Beat(TODAY, 3, 1)
    ]  # fmt: skip


def test_each_suspicion_stands_until_it_is_cleared_and_is_said_once(books: Books) -> None:
    """Silence, then upheaval, each said three times: both stand, and clearing one leaves the other."""
    silence, upheaval = Suspicion(Trouble.SILENCE, "no payment"), Suspicion(Trouble.UPHEAVAL, "all is open again")
    with books.store.working() as work:
        for found in (silence, upheaval) * 3:
            suspicion.raise_(work, books.id, found, now=NOW)
        known = connections.connection_by_id(work, books.id)
        assert (known.health, known.health_reason) == (Health.SUSPECT, "no payment; all is open again")
        assert suspicion.clear(work, books.id, {Trouble.SILENCE}, author="Ada", reason="looked", now=NOW) == [silence]
        assert suspicion.standing(work, books.id) == [upheaval]
        assert suspicion.clear(work, books.id, {Trouble.SILENCE}, author="Ada", reason="looked", now=NOW) == []
        work.commit()
    assert books.rows("SELECT count(*) FROM events WHERE kind = 'connection_suspected'") == [(2,)]


def test_a_person_trusts_every_installation_that_was_met_since_the_last_look(books: Books) -> None:
    """Two readings, each meets another one."""
    with books.store.working() as work:
        suspicion.remember_foreign(work, books.id, {"aaaa"}, now=NOW)
        suspicion.remember_foreign(work, books.id, {"bbbb"}, now=NOW)
        assert suspicion.known_installations(work, books.id) == set()
        suspicion.trust_foreign(work, books.id, now=NOW)
        assert suspicion.known_installations(work, books.id) == {"aaaa", "bbbb"}


def test_what_is_doubted_is_believed_anew_whatever_its_age(books: Books) -> None:
    books.keep(customer(), invoice("I1", "10.00", minutes=9999))
    older = invoice("I1", "100.00", minutes=1)
    books.keep(older)
    with books.store.working() as work:
        assert open_items.known(work, books.id, Resource.INVOICES, ["I1"])["I1"] != open_items.standing(older)
        open_items.doubt(work, books.id, Resource.INVOICES, ["I1"])
        work.commit()
    books.keep(older)
    with books.store.reading() as work:
        assert open_items.known(work, books.id, Resource.INVOICES, ["I1"])["I1"] == open_items.standing(older)
        assert open_items.ids(work, books.id, Resource.INVOICES) == {"I1"}


def test_an_adopted_message_counts_as_sent_once_and_grows_with_its_notes(books: Books) -> None:
    books.keep(customer(), invoice("I1"), invoice("I2"))
    first = Sent(
        key="f" * 32, step_id="friendly", playbook="night", channel=StepChannel.EMAIL, sent_on=date(2026, 8, 20),
        notes=((MARKER, NoteTarget(TargetKind.INVOICE, "I1"), "Email sent"),), numbers=(), is_cut=False,
    )  # fmt: skip
    other = MARKER.replace("aabb]", "ccdd]")
    second = replace(first, notes=((other, NoteTarget(TargetKind.INVOICE, "I2"), "Email sent"),))
    with books.store.working() as work:
        chases.follow(work, books.id, now=NOW)
        one = adoption.adopt(work, books.id, first, now=NOW)
        again = adoption.adopt(work, books.id, second, now=NOW)
        assert one is not None
        assert one == again
        message = messages.get(work, one)
        assert (message.state, message.sent_on, message.key) == (MessageState.ACCEPTED, date(2026, 8, 20), "f" * 32)
        assert [item.invoice_id for item in messages.items(work, one)] == ["I1", "I2"]
        assert adoption.known_markers(work, [MARKER, other, "x"]) == {MARKER, other}
        assert adoption.newest_note(work, books.id) == at()
        assert adoption.chased(work, books.id, TODAY) == ["I1", "I2"]
        work.commit()


def test_a_note_planned_anew_is_the_one_that_stands_there_under_another_marker(books: Books) -> None:
    """Whether the message went out was not known at the backup; it was settled and noted before the loss, and since."""
    books.keep(customer(), invoice("I1"))
    books.follow()
    message = books.message(books.plan())
    target = NoteTarget(TargetKind.INVOICE, "I1")
    told = Sent(
        key=message.key, step_id="friendly", playbook="night", channel=StepChannel.EMAIL, sent_on=TODAY,
        notes=((MARKER, target, "Email sent"),), numbers=(), is_cut=False,
    )  # fmt: skip
    with books.store.working() as work:
        notes.plan(
            work, connection_id=books.id, message_id=message.id, target=target, text="Email sent",
            marker=MARKER.replace("aabb]", "ccdd]"), now=NOW,
        )  # fmt: skip
        adoption.adopt(work, books.id, told, now=NOW)
        assert [(one.marker, one.state.value) for one in notes.of_message(work, message.id)] == [(MARKER, "written")]


def test_an_adopted_message_is_in_the_currency_of_its_chase(books: Books) -> None:
    """Of two invoices that bear its note the older is paid dollars, the younger is chased in euros."""
    books.keep(
        customer(), invoice("I1", "0.00", currency="USD", due_on=date(2026, 6, 30)), invoice("I2", "70.00")
    )  # fmt: skip
    markers = {"I1": MARKER, "I2": MARKER.replace("aabb]", "ccdd]")}
    marked = tuple((marker, NoteTarget(TargetKind.INVOICE, one), "Email sent") for one, marker in markers.items())
    sent = Sent(
        key=None, step_id="friendly", playbook="night", channel=StepChannel.EMAIL, sent_on=date(2026, 8, 20),
        notes=marked, numbers=(), is_cut=False,
    )  # fmt: skip
    books.follow()
    with books.store.working() as work:
        adopted = adoption.adopt(work, books.id, sent, now=NOW)
        assert adopted is not None
        message = messages.get(work, adopted)
        assert (message.currency, message.amount) == (books.chase().currency, Decimal("70.00"))
        assert [item.invoice_id for item in messages.items(work, adopted)] == ["I2"]
