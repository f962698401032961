"""Calls: the list, one at a time, what came of it in two clicks, and that taken back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from types import SimpleNamespace

import pytest
from tests.integration.store.books import NOW, TODAY, a_hold, customer, invoice
from tests.integration.web.conftest import House, a_call, counted, moved

from arsync.acts.undoing import Undone, undo
from arsync.bootstrap import App
from arsync.domain.people import CallOutcome
from arsync.domain.policy import Playbook, Step, StepChannel, StepMode, Tone
from arsync.domain.states import HoldKind, MessageState
from arsync.errors import RetryLater
from arsync.playbook.following import followed
from arsync.store import holds, messages, promises, touches
from arsync.worker import calls as worker_calls


def standing(house: House) -> list[tuple[HoldKind, str | None, date | None]]:
    """What is stopped at Harbour."""
    with house.app.store.reading() as work:
        return [(one.hold.kind, one.hold.invoice_id, one.hold.until) for one in holds.active(work, house.harbour.id)]


def outcomes(house: House) -> list[tuple[CallOutcome, str, str]]:
    with house.app.store.reading() as work:
        return [(one.outcome, one.comment, one.author) for one in touches.outcomes(work, house.harbour.id)]


@pytest.fixture
def source(house: House, monkeypatch: pytest.MonkeyPatch) -> list[Collection[str]]:
    """Who is read again at the source, which says what the cache says."""
    read: list[Collection[str]] = []

    def refresh(_store: object, _company: object, _connector: object, payers: Collection[str], _clock: object) -> None:
        read.append(payers)

    monkeypatch.setattr(worker_calls, "refresh", refresh)

    def intake(app: App, company: object) -> SimpleNamespace:
        return SimpleNamespace(connection=company, connector=None, policy=app.policy(company))  # type: ignore[arg-type]

    monkeypatch.setattr(App, "intake", intake)
    return read


def test_the_list_has_the_calls_of_one_s_companies_with_the_money_at_stake(house: House) -> None:
    one = a_call(house)
    page = house.comes("ann").get("/calls")
    assert "1 to make" in page.text
    assert "Acme of harbour" in page.text
    assert "€100.00" in page.text
    assert f"/calls/{one}/open" in [form.action for form in page.forms]
    assert "No call is to be made" in house.comes("tom").get("/calls").text


def test_what_stops_another_customer_stops_no_call(house: House) -> None:
    """A hold on Acme takes its call off the list; Beta's stays."""
    house.harbour.keep(customer("C2", name="Beta"), invoice("B1", "70.00", customer="C2"))
    house.harbour.follow()
    a_call(house)
    a_call(house, "B1", payer="C2")
    ann = house.comes("ann")
    with house.app.store.working() as work:
        holds.place(work, house.harbour.id, a_hold(until=TODAY), now=NOW)
        work.commit()
    page = ann.get("/calls")
    assert "Acme" not in page.text
    assert "1 to make" in page.text
    assert "Beta" in page.text
    assert "Beta" in ann.get("/").text


def test_opening_a_call_reads_the_source_again_and_is_in_the_log(house: House, source: list[Collection[str]]) -> None:
    one = a_call(house)
    ann = house.comes("ann")
    answer = ann.send(f"/calls/{one}/open")
    assert (answer.status, answer.to) == (303, f"/calls/{one}")
    assert source == [{"C1"}]
    assert ("call_opened", "ann") in house.log()
    page = ann.get(answer.to)
    assert "opened by ann on Sep 1, 2026, 13:00 BST" in page.text
    assert "No I1" in page.text


def test_reading_the_page_asks_no_vendor_and_keeps_nothing(house: House, source: list[Collection[str]]) -> None:
    one = a_call(house)
    ann = house.comes("ann")
    before = house.log()
    assert ann.get(f"/calls/{one}").status == 200
    assert source == []
    assert house.log() == before


def test_a_call_of_which_nothing_is_owed_any_more_is_off_the_list(house: House, source: list[Collection[str]]) -> None:
    one = a_call(house)
    ann = house.comes("ann")
    house.harbour.keep(invoice("I1", "0.00", minutes=5))
    answer = ann.send(f"/calls/{one}/open")
    assert answer.to == f"/calls?gone={one}"
    assert "No need to ring: nothing that it was about is owed any more" in ann.get(answer.to).text
    assert "No need to ring" in ann.get(f"/calls/{one}").text
    assert "No need to ring" not in house.comes("tom").get(answer.to).text


def test_where_the_source_cannot_be_read_the_page_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    one = a_call(house)
    ann = house.comes("ann")

    def away(_app: App, _company: object) -> object:
        raise RetryLater("it is away")

    monkeypatch.setattr(App, "intake", away)
    answer = ann.send(f"/calls/{one}/open")
    assert "could not be read again. Look there before you ring" in ann.get(answer.to).text


def test_a_promise_is_kept_with_its_hold_and_the_call_leaves_the_list(house: House) -> None:
    """I1 over 100.00: 60.00 by Friday 09-04, in time until Tuesday 09-08."""
    one = a_call(house)
    ann = house.comes("ann")
    answer = ann.send(f"/calls/{one}", outcome="promised", day="2026-09-04", amount="60", comment="Tom will pay")
    assert answer.status == 303
    assert outcomes(house) == [(CallOutcome.PROMISED, "Tom will pay", "ann")]
    assert standing(house) == [(HoldKind.PROMISE, "I1", date(2026, 9, 8))]
    assert ("call_made", "ann") in house.log()
    assert ("promise_given", "ann") in house.log()
    page = ann.get(answer.to)
    assert "promised: kept (Tom will pay)" in page.text
    assert "No call is to be made" in page.text


def test_what_came_of_a_call_is_taken_back_with_all_that_was_kept_of_it(house: House) -> None:
    one = a_call(house)
    ann = house.comes("ann")
    told = ann.get(ann.send(f"/calls/{one}", outcome="promised", day="2026-09-04").to)
    (undo,) = [form.action for form in told.forms if "take-back" in form.action]
    answer = ann.send(undo)
    assert (outcomes(house), standing(house)) == ([], [])
    with house.app.store.reading() as work:
        assert [one.state for one in promises.of_payer(work, house.harbour.id, "C1")] == ["withdrawn"]
    assert ("call_undone", "ann") in house.log()
    assert "Acme of harbour" in ann.get(answer.to).text, "it is to be made again"
    assert ann.send(undo).status == 404


def test_what_they_contest_is_a_dispute_of_the_invoice_they_spoke_of(house: House) -> None:
    one = a_call(house, "I1", "I2")
    house.comes("ann").send(
        f"/calls/{one}", outcome="disputed", comment="two were broken", code="quality", invoice="No I2"
    )
    assert standing(house) == [(HoldKind.DISPUTE, "I2", None)]


@pytest.mark.parametrize("outcome", ["no_answer", "wrong_number"])
def test_a_call_that_nobody_took_stays_on_the_list_with_its_try(house: House, outcome: str) -> None:
    one = a_call(house)
    ann = house.comes("ann")
    page = ann.get(ann.send(f"/calls/{one}", outcome=outcome).to)
    assert f"{outcome.replace('_', ' ')}, Sep 1, 2026" in page.text
    assert standing(house) == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"outcome": "promised"}, "which day did they name?"),
        ({"outcome": "promised", "day": "2026-08-31"}, "2026-08-31 has passed"),
        ({"outcome": "promised", "day": "next week"}, "'next week' is no day: write 2026-01-31"),
        ({"outcome": "promised", "day": "2026-09-04", "amount": "1000"}, "is open: 1,000.00 EUR is more"),
        ({"outcome": "promised", "day": "2026-09-04", "invoice": "No I2"}, "the call is about No I1"),
        ({"outcome": "disputed"}, "what do they contest?"),
        ({"outcome": "sang"}, "what came of it: one of"),
    ],
)
def test_what_cannot_be_said_of_a_call_keeps_nothing(house: House, fields: dict[str, str], why: str) -> None:
    one = a_call(house)
    answer = house.comes("ann").send(f"/calls/{one}", **fields)
    assert answer.status == 422
    assert why in answer.text
    assert (outcomes(house), standing(house)) == ([], [])


def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(house: House) -> None:
    one = a_call(house)
    page = house.comes("ann").send(f"/calls/{one}", outcome="promised", day="2026-08-31", amount="20", comment="ill")
    assert '<p class="wrong" id="p-day-wrong">2026-08-31 has passed; today is 2026-09-01</p>' in page.source
    typed = next(form.fields for form in page.forms if form.fields.get("outcome") == "promised")
    assert (typed["day"], typed["amount"], typed["comment"]) == ("2026-08-31", "20", "ill")


def test_two_who_keep_the_same_call_keep_it_once(house: House) -> None:
    one = a_call(house)
    assert house.comes("ann").send(f"/calls/{one}", outcome="paid").status == 303
    late = house.comes("bob").send(f"/calls/{one}", outcome="promised", day="2026-09-04")
    assert late.status == 422
    assert "was answered on 2026-09-01: paid, kept by ann" in late.text
    assert len(outcomes(house)) == 1


def test_what_is_no_call_has_no_page_of_a_call(house: House) -> None:
    mail = house.harbour.plan()
    ann = house.comes("ann")
    assert ann.get(f"/calls/{mail}").status == 404
    assert ann.send(f"/calls/{mail}", outcome="no_answer").status == 404
    for strange in ("0", "x", "99999999999", "-1", "2147483648"):
        assert ann.get(f"/calls/{strange}").status == 404


def test_the_pages_ask_as_much_of_the_database_however_much_there_is(house: House) -> None:
    counts: list[int] = []
    for first, last in ((3, 10), (10, 1000)):
        names = [f"I{number}" for number in range(first, last)]
        house.harbour.keep(*(invoice(name, "10.00") for name in names), customer("C2", name="Birch"))
        house.harbour.follow()
        if not counts:
            one = a_call(house, "I1", "I2")
        with house.app.store.working() as work:
            for name in names[:200]:
                placed = a_hold(kind=HoldKind.PAUSE, invoice=name, until=TODAY)
                holds.place(work, house.harbour.id, placed, now=NOW)
            work.commit()
        ann = house.comes("ann")
        for path in ("/calls", f"/calls/{one}"):
            ann.get(path)
            with counted(house) as asked:
                assert ann.get(path).status == 200
            counts.append(len(asked))
    assert counts[:2] == counts[2:]
    assert max(counts) <= 60, counts


def test_a_task_is_done_by_one_click_and_off_the_list_until_that_is_taken_back(house: House) -> None:
    """09-01 on the list / ann has visited them: off the list, and it counts as the step / taken back: on it again"""
    known = sorted(step.id for playbook in followed_by(house) for step in playbook.steps)
    step = Step(known[0], 21, StepChannel.TASK, Tone.FIRM, "call", StepMode.TASK)
    one = moved(
        house, house.harbour.plan("C1", step=step), MessageState.APPROVED, MessageState.CLAIMED, MessageState.SENDING,
        MessageState.ACCEPTED,
    )  # fmt: skip
    ann = house.comes("ann")
    assert "1 to make" in ann.get("/calls").text
    assert ann.send(f"/calls/{one}/done", kind="dance").status == 422
    done = ann.send(f"/calls/{one}/done", kind="visit", comment="spoke with Ada")
    assert done.to == "/calls?did=1"
    assert "The task is done: touch 1 is kept" in ann.get(done.to).text
    assert "0 to make" in ann.get("/calls").text
    with house.app.store.reading() as work:
        (made,) = touches.standing(work, house.harbour.id, "C1")
        assert (made.kind, made.step_id, made.invoice_ids, made.author) == ("visit", step.id, ("I1",), "ann")
        assert messages.calls(work) == []
    undo(house.app, Undone.TOUCH, made.id, who="ann")
    assert "1 to make" in ann.get("/calls").text
    with house.app.store.reading() as work:
        assert [each.id for each in messages.calls(work)] == [one]


def followed_by(house: House) -> list[Playbook]:
    with house.app.store.reading() as work:
        policy = house.app.policy(house.harbour.connection)
        return list(followed(work, house.harbour.connection, policy, "C1", None, now=NOW))
