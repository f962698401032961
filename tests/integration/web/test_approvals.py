"""Messages that wait are read, changed, let go and stopped; what was seen is what is approved."""

from __future__ import annotations

from datetime import date

import pytest
from tests.integration.store.books import FIRM, NOW, TODAY, customer, invoice
from tests.integration.web.conftest import Guest, House, counted
from tests.integration.web.pages import Page

from arsync.domain.chase import Rendered
from arsync.domain.states import MessageState
from arsync.store import approvals, messages
from arsync.store.messages import Message

WAITS = MessageState.PLANNED


def message(house: House, number: int) -> Message:
    return house.harbour.message(number)


def sent(guest: Guest, page: Page, action: str, **fields: str) -> Page:
    """The form of that page as the browser sends it."""
    form = page.form(action)
    return guest.send(action, **{**form.fields, **fields})


def edited(house: House, number: int, subject: str) -> None:
    """Somebody else puts other words into it."""
    with house.app.store.working() as work:
        words = Rendered(subject, "Other words", "<p>Other words</p>")
        assert approvals.edit(work, messages.get(work, number), words, author="bob", now=NOW)
        work.commit()


def test_the_list_shows_who_waits_and_the_first_of_them_as_it_would_go_out(house: House) -> None:
    one = house.harbour.plan(state=WAITS)
    page = house.comes("ann").get("/approvals")
    assert page.status == 200
    assert "1 message waits for a person" in page.text
    assert "Acme of harbour" in page.text
    assert message(house, one).subject in page.text
    assert f'src="/messages/{one}/body" sandbox' in page.source


def test_nobody_sees_what_waits_at_another_company(house: House) -> None:
    one = house.harbour.plan(state=WAITS)
    tom = house.comes("tom")
    assert "Nothing waits for you here" in tom.get("/approvals").text
    assert tom.get(f"/approvals?message={one}").status == 404
    assert tom.get("/approvals?company=harbour").text.count("Acme") == 0


def test_a_yes_is_for_what_was_seen_and_has_its_author(house: House) -> None:
    one = house.harbour.plan(state=WAITS)
    ann = house.comes("ann")
    answer = sent(ann, ann.get("/approvals"), f"/messages/{one}/approve")
    assert (answer.status, answer.to) == (303, f"/approvals?told=approved&of={one}")
    now = message(house, one)
    assert (now.state, now.approved_by, now.may_shrink) == (MessageState.APPROVED, "ann", False)
    assert ("message_approved", "ann") in house.log()
    assert "is approved: it goes out at the next run" in ann.get(answer.to).text


def test_invoices_may_drop_out_of_it_only_where_that_was_said(house: House) -> None:
    one = house.harbour.plan(state=WAITS)
    ann = house.comes("ann")
    sent(ann, ann.get("/approvals"), f"/messages/{one}/approve", may_shrink="on")
    assert message(house, one).may_shrink is True


def test_what_has_changed_since_it_was_seen_is_refused_and_shown_anew(house: House) -> None:
    one = house.harbour.plan(state=WAITS)
    ann = house.comes("ann")
    page = ann.get("/approvals")
    edited(house, one, "A subject that ann has not seen")
    answer = sent(ann, page, f"/messages/{one}/approve")
    assert message(house, one).state is WAITS
    shown = ann.get(answer.to)
    assert "Nothing was done:" in shown.text
    assert "A subject that ann has not seen" in shown.text
    assert ("message_approved", "ann") not in house.log()
    sent(ann, shown, f"/messages/{one}/approve")
    assert message(house, one).state is MessageState.APPROVED


def test_a_message_whose_facts_changed_is_shown_as_what_stands_in_its_place(house: House) -> None:
    one = house.harbour.plan(state=WAITS)
    ann = house.comes("ann")
    page = ann.get("/approvals")
    with house.app.store.working() as work:
        messages.move(work, one, WAITS, MessageState.SUPERSEDED, reason="I1 was paid", now=NOW)
        work.commit()
    two = house.harbour.plan(state=WAITS, invoices=("I2",))
    answer = sent(ann, page, f"/messages/{one}/approve")
    assert f"message={two}" in answer.to
    assert message(house, two).state is WAITS


@pytest.mark.parametrize("seen", ["", "0" * 64])
def test_a_form_that_does_not_say_what_was_seen_approves_nothing(house: House, seen: str) -> None:
    one = house.harbour.plan(state=WAITS)
    ann = house.comes("ann")
    assert "told=changed" in ann.send(f"/messages/{one}/approve", seen=seen).to
    assert message(house, one).state is WAITS


def test_all_of_a_step_go_that_were_listed_and_had_not_changed(house: House) -> None:
    """C1 and C2 were listed; of C2 the words were changed meanwhile, and C3 came later."""
    for name in ("C2", "C3"):
        house.harbour.keep(customer(name), invoice(f"{name}-1", customer=name))
    house.harbour.follow()
    first = house.harbour.plan(state=WAITS, step=FIRM)
    second = house.harbour.plan("C2", state=WAITS, step=FIRM, invoices=("C2-1",))
    ann = house.comes("ann")
    page = ann.get("/approvals?step=firm")
    listed = [part.split('"')[0] for part in page.source.split('name="seen" value="')[1:]]
    listed = [one for one in listed if " " in one]
    assert [one.split()[0] for one in listed] == [str(first), str(second)]
    edited(house, second, "Other words for C2")
    third = house.harbour.plan("C3", state=WAITS, step=FIRM, invoices=("C3-1",))
    answer = ann.send("/approvals", step="firm", seen="\n".join(listed))
    assert [message(house, one).state for one in (first, second, third)] == [MessageState.APPROVED, WAITS, WAITS]
    assert "1 approved" in ann.get(answer.to).text
    assert "1 had changed since they were listed" in ann.get(answer.to).text


def test_no_other_company_s_message_slips_into_all_of_a_step(house: House) -> None:
    mine, other = house.harbour.plan(state=WAITS), house.thames.plan(state=WAITS)
    bob = house.comes("bob")
    marks = {
        one: bob.get(f"/approvals?message={one}").form(f"/messages/{one}/approve").fields["seen"]
        for one in (mine, other)
    }
    ann = house.comes("ann")
    answer = ann.send("/approvals", step="friendly", seen="\n".join(f"{one} {mark}" for one, mark in marks.items()))
    assert answer.status == 404
    assert {message(house, one).state for one in marks} == {WAITS}


def test_a_no_has_a_reason_and_the_list_goes_on_with_the_next(house: House) -> None:
    house.harbour.keep(customer("C2", name="Birch"), invoice("C2-1", "50.00", customer="C2"))
    house.harbour.follow()
    one = house.harbour.plan(state=WAITS)
    two = house.harbour.plan("C2", state=WAITS, invoices=("C2-1",), amount="50.00")
    ann = house.comes("ann")
    page = ann.get(f"/approvals?message={one}&doing=reject")
    assert sent(ann, page, f"/messages/{one}/reject", reason=" ").status == 422
    assert message(house, one).state is WAITS
    answer = sent(ann, page, f"/messages/{one}/reject", reason="they rang us")
    assert f"message={two}" in answer.to
    assert message(house, one).reason == "rejected by ann: they rang us"
    assert ("message_rejected", "ann") in house.log()


def test_a_person_s_words_take_the_place_of_the_generated_ones_and_wait(house: House) -> None:
    one = house.harbour.plan(state=WAITS)
    ann = house.comes("ann")
    page = ann.get(f"/approvals?message={one}&doing=edit")
    answer = sent(ann, page, f"/messages/{one}/edit", subject="About your order", text="Dear Tom,\r\n\r\nplease pay.")
    now = message(house, one)
    assert (now.subject, now.text.strip(), now.edited_by, now.state) == (
        "About your order", "Dear Tom,\n\nplease pay.", "ann", WAITS,
    )  # fmt: skip
    assert "The message says this now, and waits" in ann.get(answer.to).text
    again = sent(ann, page, f"/messages/{one}/edit", subject="Late words", text="of a page that is old")
    assert (again.status, "was changed meanwhile" in again.text) == (422, True)
    assert again.form(f"/messages/{one}/edit").fields["subject"] == "Late words"
    assert "of a page that is old</textarea>" in again.source
    assert message(house, one).subject == "About your order"
    empty = sent(ann, ann.get(f"/approvals?message={one}&doing=edit"), f"/messages/{one}/edit", subject=" ", text="Hm")
    assert "Nothing was done: the subject is empty" in empty.text
    assert "Hm</textarea>" in empty.source


def test_an_approval_is_taken_back_as_long_as_nothing_has_left(house: House) -> None:
    one = house.harbour.plan(state=WAITS)
    ann = house.comes("ann")
    told = ann.get(sent(ann, ann.get("/approvals"), f"/messages/{one}/approve").to)
    answer = sent(ann, told, f"/messages/{one}/take-back")
    assert message(house, one).state is WAITS
    assert f"Message {one} waits again" in ann.get(answer.to).text
    assert ann.send(f"/messages/{one}/take-back").status == 422


def test_an_address_cannot_make_a_form_go_elsewhere(house: House) -> None:
    house.harbour.plan(state=WAITS)
    page = house.comes("ann").get("/approvals?told=approved&of=../../logout")
    assert "take-back" not in page.source
    assert page.status == 200


def test_who_only_looks_sees_the_words_and_no_button(house: House) -> None:
    one = house.harbour.plan(state=WAITS)
    page = house.comes("vic").get("/approvals")
    assert message(house, one).subject in page.text
    assert [form.action for form in page.forms if form.method == "post"] == ["/logout"]


def test_the_words_of_a_message_are_text_and_what_frames_them_lets_nothing_run(house: House) -> None:
    one = house.harbour.plan(state=WAITS)
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    edited(house, one, evil)
    ann = house.comes("ann")
    page = ann.get("/approvals")
    assert evil in page.text
    assert "<img src=x" not in page.source
    framed = ann.get(f"/messages/{one}/body")
    policy = framed.headers["content-security-policy"]
    assert "sandbox;" in policy
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy
    assert (framed.headers["x-frame-options"], framed.headers["cache-control"]) == ("SAMEORIGIN", "no-store")


def test_the_page_asks_as_much_of_the_database_however_many_wait(house: House) -> None:
    counts = []
    for first, last in ((0, 10), (10, 400)):
        names = [f"X{number}" for number in range(first, last)]
        house.harbour.keep(
            *(customer(name) for name in names),
            *(invoice(f"{name}-1", customer=name, due_on=date(2026, 7, 1)) for name in names),
        )
        house.harbour.follow()
        for name in names:
            house.harbour.plan(name, state=WAITS, invoices=(f"{name}-1",))
        ann = house.comes("ann")
        ann.get("/approvals?step=friendly")
        with counted(house) as asked:
            page = ann.get("/approvals?step=friendly")
        assert page.status == 200
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 12, (counts, TODAY)
