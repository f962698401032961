"""Messages in every state: found, told whole, settled by what a person knows, and sent once more as another."""

from __future__ import annotations

import pytest
from tests.integration.store.books import FIRM, NOW, contact, customer, invoice
from tests.integration.web.conftest import House, counted, moved

from arsync.domain.states import MessageState
from arsync.store import events, messages, reminders

M = MessageState
LEFT = (M.APPROVED, M.CLAIMED, M.SENDING)


def lost(house: House) -> int:
    """A message of which nobody knows whether it went out."""
    return moved(house, house.harbour.plan(), *LEFT, M.UNKNOWN)


def gone(house: House) -> int:
    return moved(house, house.harbour.plan(), *LEFT, M.ACCEPTED)


def test_a_line_of_the_log_without_a_reason_is_told_without_one(house: House) -> None:
    mail = gone(house)
    with house.app.store.working() as work:
        of = messages.get(work, mail)
        events.log(work, "message_edited", at=NOW, author="ann", connection_id=of.connection_id, message_id=mail)
        work.commit()
    page = house.comes("ann").get(f"/messages/{mail}")
    assert page.status == 200
    assert "message edited by ann" in page.text


def test_messages_are_found_by_state_customer_and_step(house: House) -> None:
    house.harbour.keep(customer("C2", name="Birch Cafe"), invoice("C2-1", customer="C2"))
    house.harbour.follow()
    mail = gone(house)
    waits = house.harbour.plan("C2", state=M.PLANNED, step=FIRM, invoices=("C2-1",))
    other = house.thames.plan()
    ann = house.comes("ann")

    def found(query: str) -> set[str]:
        return {link for link in ann.get(f"/messages{query}").links if link.startswith("/messages/")}

    mine = {f"/messages/{mail}", f"/messages/{waits}"}
    assert found("") == mine
    assert found("?state=accepted") == {f"/messages/{mail}"}
    assert found("?state=planned") == {f"/messages/{waits}"}
    assert found("?state=bounced") == set()
    assert found("?state=nonsense") == mine
    assert found("?customer=birch") == found("?customer=CAFE+birch") == {f"/messages/{waits}"}
    assert found("?customer=nobody") == set()
    assert found("?step=firm") == {f"/messages/{waits}"}
    assert found("?company=thames") == set()
    assert f"/messages/{other}" in house.comes("bob").get("/messages?company=thames").links


def test_older_messages_are_on_the_next_page(house: House) -> None:
    for number in range(60):
        house.harbour.keep(customer(f"X{number}"), invoice(f"X{number}-1", customer=f"X{number}"))
    house.harbour.follow()
    numbers = [house.harbour.plan(f"X{one}", invoices=(f"X{one}-1",)) for one in range(60)]
    ann = house.comes("ann")
    for query in ("", "state=approved"):
        first = ann.get(f"/messages?{query}")
        (older,) = [link for link in first.links if "before=" in link]
        listed = [
            int(link.rpartition("/")[2])
            for page in (first, ann.get(older))
            for link in page.links
            if link.startswith("/messages/")
        ]
        assert listed == numbers[::-1]


def test_a_message_is_told_whole_with_what_happened_to_it(house: House) -> None:
    one = gone(house)
    page = house.comes("vic").get(f"/messages/{one}")
    assert page.status == 200
    assert house.harbour.message(one).subject in page.text
    assert "message accepted by arsync: it is accepted" in page.text
    assert "No I1" in page.text
    assert [form.action for form in page.forms if form.method == "post"] == ["/logout"]


@pytest.mark.parametrize(("evidence", "state"), [("sent", M.ACCEPTED), ("not_sent", M.FAILED)])
def test_what_nobody_knew_is_settled_by_what_a_person_knows(house: House, evidence: str, state: M) -> None:
    one = lost(house)
    ann = house.comes("ann")
    assert "Of 1 nobody knows whether it went out" in ann.get("/messages").text
    assert ann.send(f"/messages/{one}/resolve", evidence=evidence, reason=" ").status == 422
    answer = ann.send(f"/messages/{one}/resolve", evidence=evidence, reason="they told me")
    assert answer.status == 303
    now = house.harbour.message(one)
    assert now.state is state
    assert "ann says that it" in now.reason
    assert now.reason.endswith("they told me")
    assert (f"message_{state}", "ann") in house.log()
    assert "Kept: it" in ann.get(answer.to).text
    assert ann.send(f"/messages/{one}/resolve", evidence=evidence, reason="again").status == 422


def test_what_a_person_knows_is_said_in_words_that_are_understood(house: House) -> None:
    one = lost(house)
    assert house.comes("ann").send(f"/messages/{one}/resolve", evidence="perhaps", reason="x").status == 422
    assert house.harbour.message(one).state is M.UNKNOWN


def test_a_message_once_more_is_another_one_that_says_so(house: House) -> None:
    house.harbour.keep(customer(name="Acme of harbour", contacts=[contact("Tom")], minutes=5))
    with house.app.store.working() as work:
        reminders.answer(work, house.harbour.id, reminds=False, author="bob", now=NOW)
        work.commit()
    one = gone(house)
    ann = house.comes("ann")
    page = ann.get(f"/messages/{one}")
    assert f"/messages/{one}/resend" in [form.action for form in page.forms]
    answer = ann.send(f"/messages/{one}/resend", reason="they lost it")
    assert answer.status == 303, answer.text
    two = int(answer.to.partition("?")[0].rpartition("/")[2])
    made = house.harbour.message(two)
    assert (made.resend_of, made.occurrence, made.step_id) == (one, 2, "friendly")
    assert house.harbour.message(one).state is M.ACCEPTED
    assert ("message_planned", "ann") in house.log()
    assert f"message {one} once more" in ann.get(answer.to).text


def test_what_has_not_gone_cannot_go_once_more(house: House) -> None:
    one = house.harbour.plan(state=M.PLANNED)
    answer = house.comes("ann").send(f"/messages/{one}/resend", reason="x")
    assert answer.status == 422
    assert "it has not gone" in answer.text


def test_what_was_approved_and_has_not_left_is_stopped_with_a_reason(house: House) -> None:
    one = house.harbour.plan()
    ann = house.comes("ann")
    answer = ann.send(f"/messages/{one}/stop", reason="they rang us")
    assert house.harbour.message(one).state is M.CANCELLED
    assert "It is stopped" in ann.get(answer.to).text
    assert ann.send(f"/messages/{one}/stop", reason="again").status == 404


def test_a_row_that_cannot_be_read_is_told_and_not_a_fault(house: House) -> None:
    one = house.harbour.plan(state=M.PLANNED)
    with house.app.store.working() as work:
        work.connection.exec_driver_sql("UPDATE messages SET recipients = 'nonsense'")
        work.commit()
    ann = house.comes("ann")
    assert ann.get("/messages").status == ann.get("/approvals").status == 200
    assert "its recipients cannot be read" in ann.get(f"/messages/{one}").text


def test_the_pages_ask_as_much_of_the_database_however_much_there_is(house: House) -> None:
    counts = []
    one = gone(house)
    for first, last in ((0, 10), (10, 400)):
        names = [f"X{number}" for number in range(first, last)]
        house.harbour.keep(
            *(customer(name) for name in names), *(invoice(f"{name}-1", customer=name) for name in names)
        )
        house.harbour.follow()
        for name in names:
            house.harbour.plan(name, invoices=(f"{name}-1",))
        ann = house.comes("ann")
        for path in ("/messages", "/messages?state=approved", "/messages?customer=Customer", f"/messages/{one}"):
            ann.get(path)
            with counted(house) as asked:
                assert ann.get(path).status == 200
            counts.append(len(asked))
    assert counts[:4] == counts[4:]
    assert max(counts) <= 14, counts
    with house.app.store.reading() as work:
        assert messages.find(work, one) is not None
