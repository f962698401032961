"""What is on the desk: the piles of the companies that are one's own, and nobody else's."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from tests.integration.store.books import NOW, TODAY, a_hold, customer, invoice, payment
from tests.integration.web.conftest import LETTER, House, moved

from arsync.domain.chase import Rule, Verdict
from arsync.domain.states import Decision, Health, HoldKind, MessageState
from arsync.store import agenda, connections, corrections, holds, letters, touches, verdicts


def test_it_is_told_in_the_money_that_is_owed(house: House) -> None:
    """Harbour: I1 100.00 and I2 60.00, both due 07-31; 25.00 on account."""
    house.harbour.keep(payment("P9", "25.00"), invoice("I3", "40.00", due_on=TODAY))
    page = house.comes("ann").get("/")
    assert page.status == 200
    assert "Overdue, EUR €160.00 80 % of €200.00 open, 1 customer late; €25.00 on account" in page.text


def test_who_sees_both_companies_sees_the_sum_of_both(house: House) -> None:
    assert "€320.00" in house.comes("bob").get("/").text
    assert "€320.00" not in house.comes("tom").get("/").text


def test_each_pile_tells_how_many_and_the_first_of_them(house: House) -> None:
    house.harbour.plan(state=MessageState.PLANNED)
    house.thames.plan(state=MessageState.PLANNED)
    with house.app.store.working() as work:
        for number in range(9):
            until = TODAY + timedelta(days=number % 7)
            holds.place(work, house.harbour.id, a_hold(kind=HoldKind.PAUSE, until=until), now=NOW)
        work.commit()
    page = house.comes("ann").get("/")
    assert "Waits for approval 1 Acme of harbour" in page.text
    assert "Holds that end within a week 9" in page.text
    assert "and 1 more" in page.text
    assert "thames" not in page.source


def test_a_hold_that_ends_later_and_one_without_an_end_are_not_told(house: House) -> None:
    with house.app.store.working() as work:
        for until in (None, TODAY + timedelta(days=8), TODAY - timedelta(days=1)):
            holds.place(work, house.harbour.id, a_hold(kind=HoldKind.PAUSE, until=until), now=NOW)
        work.commit()
    assert "Holds that end within a week: None ends." in house.comes("ann").get("/").text


def test_a_call_is_told_as_long_as_anything_of_it_is_owed_and_stopped_by_nothing(house: House) -> None:
    """As `arsync calls` has it."""
    message = house.harbour.plan(state=MessageState.APPROVED)
    with house.app.store.working() as work:
        work.connection.exec_driver_sql(
            f"UPDATE messages SET channel = 'call', state = 'accepted', sent_on = '2026-08-30' WHERE id = {message}"
        )
        work.commit()

    def told() -> tuple[int, Decimal | None]:
        with house.app.store.reading() as work:
            pile = agenda.calls(work, [house.harbour.id], TODAY, most=5)
        money = pile.entries[0].money if pile.entries else None
        return pile.count, money.amount if money else None

    assert told() == (1, Decimal("100.00"))
    with house.app.store.working() as work:
        placed = holds.place(work, house.harbour.id, a_hold(invoice="I1"), now=NOW)
        work.commit()
    assert told() == (0, None)
    with house.app.store.working() as work:
        holds.lift(work, placed, now=NOW)
        work.commit()
    house.harbour.keep(invoice("I1", "30.00", minutes=5))
    assert told() == (1, Decimal("30.00"))
    house.harbour.keep(invoice("I1", "0.00", minutes=6))
    assert told() == (0, None)


def test_a_company_that_is_not_well_and_the_red_button_stand_above_all(house: House) -> None:
    with house.app.store.working() as work:
        connections.set_health(work, house.harbour.id, Health.SUSPECT, "half of <it> is gone", synced_at=NOW)
        connections.press_stop(work, author="bob", reason="a wrong letter", now=NOW)
        work.commit()
    page = house.comes("ann").get("/")
    assert "harbour is suspect: half of <it> is gone" in page.text
    assert "half of <it>" not in page.source
    assert "Everything is stopped by bob: a wrong letter" in page.text


def test_a_name_from_outside_is_text_and_nothing_else(house: House) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    house.harbour.keep(customer(name=evil, minutes=9))
    house.harbour.plan(state=MessageState.PLANNED)
    for path in ("/", "/customers", "/customers?q=alert"):
        page = house.comes("ann").get(path)
        assert page.status == 200
        assert evil in page.text
        assert "<img src=x" not in page.source


# --- what only a person can set right ---------------------------------------------------------------------------------


def decided(house: House, invoice: str, rule: str, reason: str) -> None:
    """That is what stands of an invoice of Harbour's."""
    with house.app.store.working() as work:
        run = verdicts.begin_run(work, "run", now=NOW)
        verdict = Verdict(invoice, Decision.HOLD, Rule(rule), reason, None)
        verdicts.record(work, house.harbour.id, [(house.harbour.chase().id, verdict)], run_id=run, today=TODAY)
        work.commit()


def test_what_is_approved_waits_for_nobody_it_goes_out_next(house: House) -> None:
    message = house.harbour.plan(state=MessageState.PLANNED)
    ann = house.comes("ann")
    page = ann.get("/")
    assert "Waits for approval 1" in page.text
    assert f"/approvals?message={message}" in page.links
    moved(house, message, MessageState.PLANNED, MessageState.APPROVED)
    page = ann.get("/")
    assert "Waits for approval: No message waits for a person." in page.text
    assert "Goes out next, in each customer's hours 1 Acme of harbour" in page.text
    assert f"/messages/{message}" in page.links


def test_what_failed_is_told_with_where_one_acts_on_it(house: House) -> None:
    way = MessageState.APPROVED, MessageState.CLAIMED, MessageState.SENDING, MessageState.FAILED
    message = moved(house, house.harbour.plan(), *way)
    page = house.comes("ann").get("/")
    assert "Could not be sent 1 Acme of harbour" in page.text
    assert f"/approvals?message={message}" in page.links


def test_what_nothing_is_said_of_before_a_person_acts_is_told_once_and_leads_there(house: House) -> None:
    decided(house, "I1", "no_recipient", "Acme has no usable e-mail address; a person must enter one")
    page = house.comes("ann").get("/")
    assert "Nothing goes out before you act 1 Acme of harbour €100.00 no recipient · Acme has no usable" in page.text
    assert "/customers/harbour/C1" in page.links
    house.harbour.keep(invoice("I1", "0.00", minutes=9))
    assert "Nothing goes out before you act" not in house.comes("ann").get("/").text


def test_who_is_through_with_the_ladder_is_for_a_person_to_decide(house: House) -> None:
    decided(house, "I2", "ladder_done", "every step was taken")
    text = house.comes("ann").get("/").text
    assert "Through with the playbook: decide 1 Acme of harbour €60.00 1 invoice · every step was taken" in text


def test_a_comment_is_looked_at_again_and_done_with_from_here(house: House) -> None:
    """09-01 due / done by ann, as `arsync undo comment` does it."""
    with house.app.store.working() as work:
        comment = touches.keep_comment(
            work, house.harbour.id, payer_id="C1", invoice_id=None, text="ask for the order", follow_up=TODAY,
            author="mia", now=NOW,
        )  # fmt: skip
        work.commit()
    ann = house.comes("ann")
    assert "To look at again 1 Acme of harbour ask for the order · mia" in ann.get("/").text
    assert f"/comments/{comment}/done" not in [form.action for form in house.comes("vic").get("/").forms]
    assert ann.send(f"/comments/{comment}/done").to == "/?told=looked"
    page = ann.get("/?told=looked")
    assert "It is done with." in page.text
    assert "To look at again: Nobody wanted to be reminded." in page.text
    assert ("comment_undone", "ann") in house.log()


def test_a_letter_is_told_by_what_is_to_be_done_with_its_paper(house: House) -> None:
    """Approved: to be printed / printed: to be posted / withdrawn: its paper is to be taken out."""
    message = house.harbour.plan(step=LETTER)
    ann = house.comes("ann")
    assert "Letters 1 Acme of harbour €100.00 to be printed · letter" in ann.get("/").text
    assert f"/letters#letter-{message}" in ann.get("/").links
    with house.app.store.working() as work:
        letters.gather(work, house.harbour.id, now=NOW)
        letters.note_print(work, [message], author="ann", now=NOW)
        work.commit()
    assert "to be posted · letter" in ann.get("/").text
    moved(house, message, MessageState.APPROVED, MessageState.CANCELLED)
    assert "to be taken out of the pile · letter" in ann.get("/").text
    with house.app.store.working() as work:
        letters.take_out(work, [message], author="ann", now=NOW)
        work.commit()
    assert "Letters: None is to be printed or posted." in ann.get("/").text


def test_who_was_asked_for_what_was_paid_gets_an_answer_and_somebody_says_so_here(house: House) -> None:
    way = MessageState.APPROVED, MessageState.CLAIMED, MessageState.SENDING, MessageState.ACCEPTED
    message = moved(house, house.harbour.plan(), *way)
    with house.app.store.working() as work:
        work.connection.exec_driver_sql(f"UPDATE messages SET sent_on = '2026-08-31' WHERE id = {message}")
        work.commit()
    house.harbour.keep(
        invoice("I1", "0.00", minutes=9), payment("P1", on={"I1": "100.00"}, received_on=date(2026, 8, 20), minutes=9)
    )
    with house.app.store.working() as work:
        assert len(corrections.look(work, house.harbour.id, since=date(2026, 8, 1), now=NOW)) == 1
        work.commit()
    ann = house.comes("ann")
    assert "Asked for though it was paid: say sorry 1 Acme of harbour €100.00 No I1" in ann.get("/").text
    assert ann.send(f"/messages/{message}/corrected").to == "/?told=answered"
    assert "say sorry" not in ann.get("/").text
    assert ("correction_settled", "ann") in house.log()


def test_what_has_waited_for_more_than_three_weekdays_is_said_apart(house: House) -> None:
    """Asked on Tuesday 09-01: on Friday it waits, on Monday 09-07 it has waited too long."""
    house.harbour.plan(state=MessageState.PLANNED)
    ann = house.comes("ann")
    house.clock.instant += timedelta(days=3)
    assert "Has waited for an answer" not in house.comes("ann").get("/").text
    house.clock.instant += timedelta(days=3)
    ann = house.comes("ann")
    assert "Has waited for an answer for more than three days 1" in ann.get("/").text


def test_what_went_out_is_told_in_numbers_by_channel_and_leads_to_it(house: House) -> None:
    way = MessageState.APPROVED, MessageState.CLAIMED, MessageState.SENDING, MessageState.ACCEPTED
    message = moved(house, house.harbour.plan(), *way)
    with house.app.store.working() as work:
        work.connection.exec_driver_sql(f"UPDATE messages SET sent_on = '2026-08-31' WHERE id = {message}")
        work.commit()
    bob = house.comes("bob")
    page = bob.get("/")
    assert "What went out, in numbers Day e-mails Aug 31, 2026 1" in page.text
    assert "/messages?on=2026-08-31&channel=email" in page.links
    assert "Acme of harbour" in bob.get("/messages?on=2026-08-31&channel=email").text
    assert "No message like that." in bob.get("/messages?on=2026-08-31&channel=letter").text
