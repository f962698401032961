"""A customer's page: what is owed, what is decided, what happened; and what a person does there, as by a command."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from tests.integration.store.books import NOW, TODAY, a_hold, contact, customer, invoice, payment
from tests.integration.web.conftest import Guest, House

from arsync.domain.chase import Rule, Verdict
from arsync.domain.money import Money
from arsync.domain.people import DisputeCode
from arsync.domain.states import Decision, HoldKind, HoldState, MessageState
from arsync.store import holds, promises, verdicts
from arsync.store.holds import PlacedHold

PAGE = "/customers/harbour/C1"
SOON = TODAY + timedelta(days=10)


@pytest.fixture
def ann(house: House) -> Guest:
    return house.comes("ann")


def placed(house: House, company: str = "harbour") -> list[PlacedHold]:
    books = {"harbour": house.harbour, "thames": house.thames}[company]
    with house.app.store.reading() as work:
        return holds.of_payer(work, books.id, "C1")


def noted(house: House) -> list[str]:
    rows = house.harbour.rows("SELECT text FROM notes WHERE kind = 'note' ORDER BY id")
    return [str(row[0]).splitlines()[0] for row in rows]


def test_it_tells_the_balance_by_age_and_what_is_on_account(house: House, ann: Guest) -> None:
    """
    I1  100.00  due 07-31  32 days late
    I2   60.00  due 07-31
    I3   40.00  due 09-01  today: not late
    P9   25.00  on no invoice
    """
    house.harbour.keep(invoice("I3", "40.00", due_on=TODAY), payment("P9", "25.00"))
    page = ann.get(PAGE)
    assert (page.status, page.title) == (200, "Acme of harbour · arsync")
    assert "€160.00 overdue of €200.00 open; €25.00 on account, on no invoice" in page.text
    assert "not due €40.00 1-30 days €0.00 31-60 days €160.00" in page.text
    assert "32 days late" in page.text


def test_it_tells_what_is_decided_of_each_invoice_and_what_was_placed_since(house: House, ann: Guest) -> None:
    said = Verdict("I1", Decision.WAIT, Rule.GAP, "five days since the last message", next_on=SOON, step_id="firm")
    with house.app.store.working() as work:
        run = verdicts.begin_run(work, "night", now=NOW - timedelta(hours=10))
        verdicts.record(work, house.harbour.id, [(house.harbour.chase().id, said)], run_id=run, today=TODAY)
        work.commit()
    page = ann.get(PAGE)
    assert "wait five days since the last message (gap, since Sep 1, 2026)" in page.text
    assert "Next on Sep 11, 2026" in page.text
    assert "nothing yet: it is decided with the next run" in page.text, "I2"
    with house.app.store.working() as work:
        holds.place(work, house.harbour.id, a_hold(invoice="I1"), now=NOW)
        work.commit()
    assert "dispute by ann: they say the goods were broken before: five days since" in ann.get(PAGE).text


def test_it_tells_all_that_happened_the_newest_first(house: House, ann: Guest) -> None:
    house.harbour.keep(payment("P1", "40.00", on={"I1": "40.00"}, received_on=TODAY))
    message = house.harbour.plan(state=MessageState.APPROVED)
    house.clock.advance(60)
    ann.send("/customers/harbour/hold", payer="C1", kind="pause", reason="on holiday")
    lines = ann.get(PAGE).text.partition("What happened")[2]
    wanted = [
        "hold 1: pause by ann: on holiday", f"message {message}, friendly: approved, as planned €100.00",
        "payment €40.00", "invoice No I1 (€100.00 open) €100.00",
    ]  # fmt: skip
    places = [lines.find(one) for one in wanted]
    assert -1 not in places, (wanted, lines)
    assert places == sorted(places)


def test_who_is_there_may_be_written_and_called(house: House, ann: Guest) -> None:
    house.harbour.keep(customer(name="Acme of harbour", minutes=3, contacts=(contact("Ada"),)))
    page = ann.get(PAGE)
    assert "mailto:ada@example.com" in page.links


@pytest.mark.parametrize("path", ["/customers/harbour/nobody", "/customers/thames/C1", "/customers/nowhere/C1"])
def test_who_is_not_there_and_who_is_another_companys_are_the_same(ann: Guest, path: str) -> None:
    page = ann.get(path)
    assert page.status == 404
    assert page.text == ann.get("/no-such-page").text


# --- what a person does -----------------------------------------------------------------------------------------------


def test_a_hold_stops_all_or_one_invoice_with_its_note_and_its_author(house: House, ann: Guest) -> None:
    done = ann.send("/customers/harbour/hold", payer="C1", kind="legal", reason="lawyers talk", until=f"{SOON}")
    assert (done.status, done.to) == (303, f"{PAGE}?done=hold&n=1")
    assert "Hold 1 is placed" in ann.get(done.to).text
    ann.send("/customers/harbour/hold", payer="C1", kind="pause", reason="a week", invoice="I2")
    first, second = (one.hold for one in placed(house))
    assert (first.kind, first.invoice_id, first.until, first.author) == (HoldKind.LEGAL, None, SOON, "ann")
    assert (second.kind, second.invoice_id, second.until) == (HoldKind.PAUSE, "I2", None)
    assert [line for line in house.log() if line[0] == "hold_placed"] == [("hold_placed", "ann")] * 2
    assert len(noted(house)) == 2
    assert placed(house, "thames") == []


def test_a_dispute_may_be_of_a_part(house: House, ann: Guest) -> None:
    ann.send(
        "/customers/harbour/dispute", payer="C1", invoice="I1", amount="30", code="quality", reason="two were broken"
    )
    ((hold,),) = ([one.hold for one in placed(house)],)
    assert (hold.kind, hold.invoice_id, hold.part) == (HoldKind.DISPUTE, "I1", Money(Decimal("30"), "EUR"))
    assert hold.code is DisputeCode.QUALITY


def test_a_promise_holds_until_its_day_and_grace(house: House, ann: Guest) -> None:
    done = ann.send("/customers/harbour/promise", payer="C1", day="2026-09-11", amount="50", reason="Ada, by phone")
    assert done.to == f"{PAGE}?done=promise&n=1"
    with house.app.store.reading() as work:
        (promise,) = promises.of_payer(work, house.harbour.id, "C1")
    assert (promise.amount, promise.promised_on, f"{promise.until}") == (
        Money(Decimal("50.00"), "EUR"), SOON, "2026-09-15"
    )  # fmt: skip
    assert promise.author == "ann"
    assert noted(house)[0].endswith("said by ann") or "Promise (hold 1)" in noted(house)[0]


def test_instalments_are_agreed_in_equal_parts(house: House, ann: Guest) -> None:
    ann.send(
        "/customers/harbour/plan", payer="C1", number="3", every="month", first="2026-09-30", reason="Ada, by phone"
    )
    with house.app.store.reading() as work:
        (plan,) = promises.plans_of(work, house.harbour.id)
    assert [(f"{one.promised_on}", f"{one.amount}") for one in plan.instalments] == [
        ("2026-09-30", "53.34 EUR"), ("2026-10-30", "53.33 EUR"), ("2026-11-30", "53.33 EUR"),
    ]  # fmt: skip


def test_a_hold_is_lifted_with_what_it_stands_for(house: House, ann: Guest) -> None:
    ann.send("/customers/harbour/promise", payer="C1", day="2026-09-11", reason="Ada, by phone")
    done = ann.send("/customers/harbour/lift", payer="C1", hold="1")
    assert done.to == f"{PAGE}?done=lift&n=1"
    assert [one.state for one in placed(house)] == [HoldState.LIFTED]
    assert house.log()[-1] == ("hold_lifted", "ann")


def test_another_companys_hold_cannot_be_lifted_by_its_number(house: House, ann: Guest) -> None:
    with house.app.store.working() as work:
        number = holds.place(work, house.thames.id, a_hold(), now=NOW)
        work.commit()
    assert ann.send("/customers/harbour/lift", payer="C1", hold=f"{number}").status == 404
    assert ann.send("/customers/thames/lift", payer="C1", hold=f"{number}").status == 404
    assert [one.state for one in placed(house, "thames")] == [HoldState.ACTIVE]


@pytest.mark.parametrize(
    ("what", "fields", "told"),
    [
        ("hold", {"kind": "pause", "reason": " "}, "the reason is missing"),
        ("hold", {"kind": "promise", "reason": "x"}, "kind: one of pause"),
        ("hold", {"kind": "pause", "reason": "x", "until": "2026-08-31"}, "2026-08-31 has passed"),
        ("hold", {"kind": "pause", "reason": "x", "until": "soon"}, "'soon' is no day"),
        ("hold", {"kind": "pause", "reason": "x", "invoice": "I9"}, "not this customer's"),
        ("dispute", {"reason": "x"}, "which invoice"),
        ("dispute", {"invoice": "I1", "reason": "x", "amount": "100.01"}, "no more of it can be contested"),
        ("dispute", {"invoice": "I1", "reason": "x", "code": "mood"}, "what they contest: one of price"),
        ("promise", {"reason": "x"}, "which day"),
        ("promise", {"reason": "x", "day": "2026-09-11", "amount": "161"}, "is more"),
        ("promise", {"reason": "x", "day": "2026-09-11", "amount": "-1"}, "an amount above zero"),
        ("promise", {"reason": "x", "day": "2026-09-11", "grace": "31"}, "grace: a number from 0 to 30"),
        ("plan", {"reason": "x", "number": "0", "first": "2026-09-30", "every": "month"}, "number: a number from 1"),
        ("plan", {"reason": "x", "number": "3", "first": "2026-09-30", "every": "year"}, "how often: one of week"),
    ],
)
def test_what_cannot_be_is_said_on_the_page_and_what_was_written_is_not_lost(
    house: House, ann: Guest, what: str, fields: dict[str, str], told: str
) -> None:
    page = ann.send(f"/customers/harbour/{what}", payer="C1", **fields)
    assert page.status == 422
    assert told in page.text
    form = page.form(f"/customers/harbour/{what}")
    assert {name: form.fields[name] for name in ("reason", "amount", "until", "day") if name in fields} == {
        name: value for name, value in fields.items() if name in ("reason", "amount", "until", "day")
    }
    assert placed(house) == []


def test_a_message_is_let_out_as_it_was_shown_and_not_when_it_has_changed(house: House, ann: Guest) -> None:
    number = house.harbour.plan(state=MessageState.PLANNED)
    form = ann.get(PAGE).form("/customers/harbour/approve")
    assert "Dear Ada" in ann.get(PAGE).text
    with house.app.store.working() as work:
        work.connection.exec_driver_sql("UPDATE messages SET subject = 'another word'")
        work.commit()
    refused = ann.send("/customers/harbour/approve", payer="C1", message=f"{number}", mark=form.fields["mark"])
    assert refused.status == 422
    assert "was changed meanwhile" in refused.text
    assert house.harbour.message(number).state is MessageState.PLANNED
    fields = ann.get(PAGE).form("/customers/harbour/approve").fields
    done = ann.send("/customers/harbour/approve", payer="C1", message=f"{number}", mark=fields["mark"])
    assert done.to == f"{PAGE}?done=approve&n={number}"
    found = house.harbour.message(number)
    assert (found.state, found.approved_by) == (MessageState.APPROVED, "ann")


def test_how_a_call_went_is_kept_with_what_follows_from_it(house: House, ann: Guest) -> None:
    number = house.harbour.plan(state=MessageState.APPROVED)
    with house.app.store.working() as work:
        work.connection.exec_driver_sql(
            f"UPDATE messages SET channel = 'call', state = 'accepted', sent_on = '2026-08-30' WHERE id = {number}"
        )
        work.commit()
    assert "Say how the call went" in ann.get(PAGE).text
    done = ann.send(
        "/customers/harbour/call", payer="C1", call=f"{number}", outcome="promised", day="2026-09-11", amount="",
        comment="Ada will pay", code="",
    )  # fmt: skip
    assert done.to == f"{PAGE}?done=call&n=1"
    assert [one.hold.kind for one in placed(house)] == [HoldKind.PROMISE]
    assert ("call_made", "ann") in house.log()


def test_who_only_looks_is_offered_nothing_to_do(house: House) -> None:
    page = house.comes("vic").get(PAGE)
    assert {form.action for form in page.forms} == {"/customers", "/logout"}


def test_the_word_of_what_was_done_comes_from_us_and_not_from_the_address(ann: Guest) -> None:
    for query in ("done=hold&n=<b>1", "done=evil&n=1", "done=hold&n=%C2%B2", "done=hold"):
        assert 'role="status"' not in ann.get(f"{PAGE}?{query}").source


def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(house: House, ann: Guest) -> None:
    page = ann.send(
        "/customers/harbour/promise", payer="C1", reason="by phone", day="2026-08-31", amount="60.00", grace="3"
    )
    assert '<p class="wrong" id="promise-day-wrong">2026-08-31 has passed; today is 2026-09-01</p>' in page.source
    assert 'aria-describedby="promise-day-wrong"' in page.source
    typed = page.form("/customers/harbour/promise").fields
    assert (typed["day"], typed["amount"], typed["grace"], typed["reason"]) == ("2026-08-31", "60.00", "3", "by phone")
    assert page.form("/customers/harbour/hold").fields["reason"] == ""


def test_of_a_thousand_holds_that_are_over_a_page_reads_the_newest_and_all_that_stand(house: House) -> None:
    with house.app.store.working() as work:
        first = holds.place(work, house.harbour.id, a_hold(), now=NOW)
        others = [holds.place(work, house.harbour.id, a_hold(), now=NOW) for _ in range(12)]
        for one in others:
            holds.lift(work, one, now=NOW)
        elsewhere = holds.place(work, house.harbour.id, a_hold(payer="C2", invoice="I9"), now=NOW)
        work.commit()
    with house.app.store.reading() as work:
        found = [one.id for one in holds.of_payer(work, house.harbour.id, "C1", most=5)]
        every = [one.id for one in holds.of_payer(work, house.harbour.id, "C1")]
    assert found == [first, *others[-4:]]
    assert every == [first, *others], f"and not hold {elsewhere} of another customer's"
