"""What customers answered, on the desk: read, kept, taken back, and given its customer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.integration.store.books import NOW, TODAY
from tests.integration.web.conftest import House

from arsync.domain.replies import MailKind, Meaning
from arsync.inbox.intake import pause
from arsync.store import replies
from arsync.store.replies import Incoming


def answered(house: House, *, known: bool = True, message: int | None = None, text: str = "We pay on Friday.") -> int:
    """Acme of harbour, or nobody that is known, answered; where it is known the chase is paused."""
    mail = Incoming(
        identity=f"m{known}{message}", connection_id=house.harbour.id if known else None,
        payer_id="C1" if known else None, message_id=message, kind=MailKind.PERSON, why="a person wrote it",
        origin="a file", sender="ada@acme.example", subject="Re: Your invoice", text=text, meaning=Meaning.PROMISE,
        confidence=80, phrases=("pay on",), waits=True,
    )  # fmt: skip
    with house.app.store.working() as work:
        reply_id = replies.keep(work, mail, now=NOW)
        if known:
            kept = replies.get(work, reply_id)
            assert kept is not None
            pause(work, kept, timezone="UTC", now=NOW)
        work.commit()
    return reply_id


def holds(house: House) -> list[tuple[str, str | None]]:
    return [(kind, until and str(until)) for kind, until in house.harbour.rows(
        "SELECT kind, until FROM holds WHERE state = 'active' ORDER BY id"
    )]  # fmt: skip


def test_it_is_read_where_it_lies_and_what_it_promises_is_kept(house: House) -> None:
    """09-01 Acme answers / 09-01 ann reads it: 60.00 by 09-11, and nothing is chased until then."""
    message = house.harbour.plan()
    reply = answered(house, message=message)
    ann = house.comes("ann")
    assert f"/replies/{reply}" in ann.get("/").links
    page = ann.get(f"/replies/{reply}")
    assert "ada@acme.example" in page.text
    assert "promise (80 %), by the rules: pay on" in page.text
    assert f"friendly, message {message} , about No I1" in page.text
    done = ann.send(f"/replies/{reply}/done", says="promise", day="2026-09-11", amount="60.00", comment="by mail")
    assert done.to == f"/replies?told=done&of={reply}"
    assert [kind for kind, _ in holds(house)] == ["promise"]
    assert "60.00 EUR promised by 2026-09-11 for invoice No I1" in ann.get(f"/replies/{reply}").text
    assert ("reply_handled", "ann") in house.log()
    assert "No customer's mail waits." in ann.get("/replies").text


def test_a_day_that_has_passed_is_told_beside_its_field_and_all_that_was_typed_stays(house: House) -> None:
    reply = answered(house, message=house.harbour.plan())
    ann = house.comes("ann")
    page = ann.send(f"/replies/{reply}/done", says="promise", day="2026-08-01", amount="60.00", comment="by mail")
    assert page.status == 422
    assert '<p class="wrong" id="promise-day-wrong">2026-08-01 has passed; today is 2026-09-01</p>' in page.source
    typed = next(form for form in page.forms if form.fields.get("says") == "promise").fields
    assert (typed["day"], typed["amount"], typed["comment"]) == ("2026-08-01", "60.00", "by mail")
    assert [kind for kind, _ in holds(house)] == ["reply"]


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"says": "promise", "day": ""}, "which day did they name?"),
        ({"says": "promise", "day": "Friday"}, "'Friday' is no day: write 2026-01-31"),
        ({"says": "promise", "day": "9999-12-31"}, "9999-12-31 is more than ten years ahead"),
        ({"says": "promise", "day": "2026-09-11", "amount": "100.01"}, "100.00 EUR is open: 100.01 EUR is more"),
        ({"says": "promise", "day": "2026-09-11", "amount": "-1"}, "an amount above zero"),
        ({"says": "dispute", "dispute": " "}, "what do they contest?"),
        ({"says": "pause", "until": "2026-08-31"}, "2026-08-31 has passed"),
        ({"says": "whatever"}, "what does it say?"),
        ({"says": "pause", "until": "2026-09-30", "invoice": "I9"}, "that invoice is not there any more"),
    ],
)
def test_what_cannot_be_kept_is_told_and_nothing_is_done(house: House, said: dict[str, str], wrong: str) -> None:
    reply = answered(house, message=house.harbour.plan())
    page = house.comes("ann").send(f"/replies/{reply}/done", **said)
    assert page.status == 422
    assert wrong in page.text
    assert [kind for kind, _ in holds(house)] == ["reply"]


def test_done_with_it_goes_on_and_what_was_done_is_taken_back_by_one_click(house: House) -> None:
    reply = answered(house)
    ann = house.comes("ann")
    ann.send(f"/replies/{reply}/done", says="nothing", comment="a thank-you")
    assert holds(house) == []
    listed = ann.get(f"/replies?told=done&of={reply}")
    assert f"/replies/{reply}/take-back" in [form.action for form in listed.forms]
    assert ann.send(f"/replies/{reply}/take-back").to == f"/replies?told=undone&of={reply}"
    assert [kind for kind, _ in holds(house)] == ["reply"]
    assert "1 waits for a person" in ann.get("/replies").text


def test_what_nobody_is_known_to_have_written_is_for_who_sees_everything_and_is_given_its_customer(
    house: House,
) -> None:
    reply = answered(house, known=False)
    assert house.comes("ann").get(f"/unmatched/{reply}").status == 403
    assert "ada@acme" not in house.comes("ann").get("/replies").source
    bob = house.comes("bob")
    assert f"/unmatched/{reply}" in bob.get("/replies").links
    page = bob.get(f"/unmatched/{reply}?customer=acme")
    whose = [f"{books.id}:C1" for books in (house.harbour, house.thames)]
    assert all(f'value="{one}"' in page.source for one in whose)
    assert bob.send(f"/unmatched/{reply}/match", whose="9:C1").status == 422
    assert bob.send(f"/unmatched/{reply}/match", whose=whose[0]).to == f"/replies/{reply}"
    assert [kind for kind, _ in holds(house)] == ["reply"]
    assert bob.get(f"/unmatched/{reply}").status == 404


def test_a_pause_ends_with_its_day(house: House) -> None:
    reply = answered(house, message=house.harbour.plan())
    until = TODAY + timedelta(days=9)
    house.comes("ann").send(f"/replies/{reply}/done", says="pause", until=str(until), comment="they look for it")
    assert holds(house) == [("pause", str(until))]
