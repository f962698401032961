"""What a person says at the desk: each with one note at its target, its event, and its undoing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.people.conftest import NOW, Desk
from tests.integration.store.books import customer, invoice

from arsync.connector import TargetKind
from arsync.domain.chase import Rule, Verdict
from arsync.domain.states import Decision
from arsync.render.note_reading import read
from arsync.store import verdicts

SAID = ("--author", "mia")
WHY = ("--reason", "they called")


def version(desk: Desk, payer: str = "A") -> int:
    return desk.books.chase(payer).version


@pytest.mark.parametrize(
    ("command", "target", "first"),
    [
        (("dispute", "I1", *WHY), "I1", "Dispute (hold 1) of invoice I1 of Acme Stores set"),
        (("dispute", "I1", "--amount", "40", "--code", "quality", *WHY), "I1", "Dispute (hold 1) of 40.00 EUR of"),
        (("hold", "--customer", "acme stores", "--kind", "legal", *WHY), "A", "Legal (hold 1) of everything Acme"),
        (("pause", "I1", "--until", "2026-09-10", *WHY), "I1", "Pause (hold 1) of invoice I1"),
        (
            ("handoff", "Acme Stores", "--to", "Lex & Co"),
            "A",
            "Handed over to Lex & Co (hold 1): 400.00 EUR of Acme Stores",
        ),
        (("exclude", "--customer", "Acme Stores", *WHY), "A", "Exclude (hold 1) of everything Acme Stores pays for"),
        (("promise", "I1", "--date", "2026-09-04", *WHY), "I1", "Promise (hold 1): 100.00 EUR by 2026-09-04 for"),
        (("touch", "I1", "--kind", "mail"), "I1", "A mail by hand (touch 1)"),
        (("comment", "I1", "--text", "ask for Tom"), "I1", "Comment 1 made"),
        (("owner", "Acme Stores", "--name", "Mia Wong"), "A", "Owner: Acme Stores: Mia Wong looks after it"),
        (("contact", "Acme Stores", "tom@acme.example"), "A", "Contact by hand: Acme Stores"),
    ],
)
def test_whatever_is_said_is_one_note_at_its_target(
    desk: Desk, command: tuple[str, ...], target: str, first: str
) -> None:
    before = version(desk)
    desk.arsync(*command, *SAID)
    (note,) = desk.notes()
    kind = TargetKind.CUSTOMER if target == "A" else TargetKind.INVOICE
    assert note[:2] == (kind.value, target)
    assert note[2].startswith(first)
    assert note[2].endswith("on 2026-09-01")
    if command[0] != "comment":
        assert version(desk) > before, "what is about to leave stops at the last gate"


def test_who_has_an_account_from_now_on_is_told_with_what_is_open_and_nobody_hands_it_over_twice(desk: Desk) -> None:
    desk.arsync("handoff", "Acme Stores", "--to", "Lex & Co", "--comment", "file 77", *SAID)
    (text,) = [row[0] for row in desk.books.rows("SELECT text FROM notes WHERE kind = 'note'")]
    assert text.splitlines()[1:5] == [
        "file 77", "No message before",
        "- invoice I1: 100.00 EUR, due 2026-07-31", "- invoice I2: 300.00 EUR, due 2026-07-31",
    ]  # fmt: skip
    (hold,) = [one["hold"]["hold"] for one in desk.json("holds")]
    assert (hold["kind"], hold["reason"], hold["until"]) == ("legal", "handed over to Lex & Co: file 77", None)
    again = desk.arsync("handoff", "Acme Stores", "--to", "Dun Ltd", status=2)
    assert "handed over to Lex & Co: file 77 since 2026-09-01, by mia (take it back by: arsync lift 1)" in again.err
    desk.arsync("lift", "1")
    desk.arsync("handoff", "Acme Stores", "--to", "Dun Ltd")
    assert [one["hold"]["hold"]["reason"] for one in desk.json("holds")] == ["handed over to Dun Ltd"]


def test_nothing_open_is_nothing_to_hand_over(desk: Desk) -> None:
    desk.books.keep(customer("Z", name="Zephyr"))
    refused = desk.arsync("handoff", "Zephyr", "--to", "Lex & Co", status=2)
    assert "nothing is open with Zephyr" in refused.err
    assert desk.json("holds") == []


def test_no_words_of_a_person_are_read_back_as_a_message(desk: Desk) -> None:
    desk.arsync("hold", "I1", "--reason", "Email sent on 2026-08-01 [arsync:12345678-0123456789ab]", *SAID)
    (text,) = [row[0] for row in desk.books.rows("SELECT text FROM notes")]
    assert text.count("[arsync:") == 1
    assert read(text) is None


@pytest.mark.parametrize(
    ("command", "undo", "said"),
    [
        (("dispute", "I1", *WHY), ("lift", "1"), "hold 1 is lifted (dispute on I1 of Acme Stores by mia: they called)"),
        (
            ("touch", "I1", "--step", "firm"),
            ("undo", "touch", "1"),
            "touch 1 is taken back: a call on 2026-09-01",
        ),
        (("comment", "I1", "--text", "ask Tom"), ("undo", "comment", "1"), "comment 1 is done with: ask Tom (mia)"),
        (("owner", "A", "--name", "Mia"), ("owner", "A", "--nobody"), "has no owner any more (it was Mia)"),
        (
            ("contact", "A", "t@a.example"),
            ("contact", "A", "t@a.example", "--remove"),
            "is no contact by hand",
        ),
    ],
)
def test_an_undoing_says_what_it_undid_and_is_a_note_itself(
    desk: Desk, command: tuple[str, ...], undo: tuple[str, ...], said: str
) -> None:
    desk.arsync(*command, *SAID)
    assert said in desk.arsync(*undo, *SAID).out
    there, back = desk.notes()
    assert there[:2] == back[:2]
    again = desk.arsync(*undo, *SAID, status=None)
    assert again.status == 2 or "has no owner" in again.out
    assert len(desk.notes()) == 2


def test_instalments_add_up_and_stop_each_invoice_until_they_are_lifted_together(desk: Desk) -> None:
    told = desk.arsync("instalments", "I1", "I2", "--number", "3", "--first", "2026-09-04", *WHY, *SAID).out
    assert "3 instalments, 400.00 EUR in all" in told
    (plan,) = desk.json("instalments")
    assert [one["amount"]["amount"] for one in plan["plan"]["instalments"]] == ["133.34", "133.33", "133.33"]
    assert [target for _, target, _ in desk.notes()] == ["I1", "I2"]
    assert "and with it hold 2" in desk.arsync("lift", "1", *SAID).out
    assert desk.json("holds") == []
    assert len(desk.notes()) == 4
    (plan,) = desk.json("instalments")
    assert plan["plan"]["state"] == "withdrawn"


def test_grace_is_counted_in_business_days_of_the_country(desk: Desk) -> None:
    """Friday 09-04, two days: Monday 09-07 is Labor Day => Wednesday."""
    assert "in time until 2026-09-09" in desk.arsync("promise", "I1", "--date", "2026-09-04", *WHY).out
    (held,) = desk.json("holds")
    assert held["hold"]["hold"]["until"] == "2026-09-09"


def test_what_is_over_in_the_companys_timezone_stops_nothing_and_is_not_listed(desk: Desk) -> None:
    """Paused to 09-01: at 23:30 in New York it is listed, half an hour later it is over. No run has marked it yet."""
    desk.arsync("pause", "I1", "--until", "2026-09-01", *WHY)
    listed = []
    for moment in (datetime(2026, 9, 2, 3, 30, tzinfo=UTC), datetime(2026, 9, 2, 4, 0, tzinfo=UTC)):
        desk.clock.at = moment
        listed.append(len(desk.json("holds")))
    assert listed == [1, 0]


def test_a_promise_for_all_in_two_currencies_asks_for_which(desk: Desk) -> None:
    desk.books.keep(invoice("I9", "50.00", customer="A", currency="USD"))
    command = ("promise", "--customer", "Acme Stores", "--date", "2026-09-04", *WHY)
    assert "name --currency: open are 400.00 EUR, 50.00 USD" in desk.arsync(*command, status=2).err
    assert "50.00 USD promised" in desk.arsync(*command, "--currency", "usd").out


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("dispute", "I1", "--amount", "100.01", *WHY), "100.00 EUR is open"),
        (("dispute", "I1", "--amount", "0", *WHY), "an amount above zero"),
        (("promise", "I1", "--date", "2026-08-31", *WHY), "2026-08-31 has passed; today is 2026-09-01"),
        (("promise", "I1", "--date", "2026-09-04", "--amount", "101", *WHY), "101.00 EUR is more"),
        (("touch", "I1", "--on", "2026-09-02"), "still to come"),
        (("touch", "I1", "--step", "frim"), "standard has courtesy, friendly"),
        (("comment", "I1", "--text", " "), "say what"),
        (("comment", "I1", "--text", "x", "--follow-up", "2026-08-01"), "has passed"),
        (("instalments", "I1", "I3", "--number", "2", "--first", "2026-09-04", *WHY), "one payer"),
        (("instalments", "I1", "--number", "2", "--first", "2026-09-04"), "the reason is missing"),
        (("instalments", "I1", "--part", "soon=5", *WHY), "write DATE=AMOUNT"),
        (("hold", "--everybody", *WHY), "--everybody goes with --connection"),
        (("undo", "touch", "7"), "touch 7 that stands"),
        (("pause", "acme stores", "--until", "2026-09-10", *WHY), "is called so: --customer 'acme stores'"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(desk: Desk, command: tuple[str, ...], why: str) -> None:
    before = version(desk)
    assert why in desk.arsync(*command, status=2).err
    assert desk.notes() == []
    assert version(desk) == before


def test_a_hold_of_a_whole_company_stops_everybody_and_has_no_place_for_a_note(desk: Desk) -> None:
    before = version(desk), version(desk, "B")
    desk.arsync("hold", "--everybody", "--connection", "harbor", *WHY, *SAID)
    assert (version(desk), version(desk, "B")) > before
    desk.arsync("pause", "--everybody", "--connection", "harbor", "--until", "2026-09-10", *WHY, *SAID)
    placed = [one["hold"]["hold"] for one in desk.json("holds")]
    assert [(one["payer_id"], one["invoice_id"], one["until"]) for one in placed] == [
        (None, None, None), (None, None, "2026-09-10"),
    ]  # fmt: skip
    assert "everybody" in desk.arsync("holds").out
    assert desk.notes() == []
    for number in ("1", "2"):
        desk.arsync("lift", number)
    assert desk.json("holds") == []
    assert "goes with --connection alone" in desk.arsync(
        "pause", "I1", "--everybody", "--connection", "harbor", "--until", "2026-09-10", *WHY, status=2
    ).err  # fmt: skip


def test_a_playbook_by_hand_is_noted_and_of_tags_the_one_that_stops_the_chase(desk: Desk) -> None:
    before = version(desk)
    desk.arsync("tag", "Acme Stores", "vip", *SAID)
    assert desk.notes() == [], "a word of our own"
    desk.arsync("playbook", "assign", "I1", "gentle", *WHY, *SAID)
    desk.arsync("playbook", "assign", "I1", "--clear", *SAID)
    desk.arsync("playbook", "assign", "Acme Stores", "gentle", *WHY, *SAID)
    desk.arsync("tag", "Acme Stores", "autopay", *SAID)
    desk.arsync("tag", "Acme Stores", "autopay", *SAID)
    desk.arsync("tag", "Acme Stores", "autopay", "--remove", *SAID)
    assert [(target, told.removesuffix(" on 2026-09-01")) for _kind, target, told in desk.notes()] == [
        ("I1", "Playbook gentle chosen for invoice I1 of Acme Stores, said"),
        ("I1", "Playbook left to its conditions again for invoice I1 of Acme Stores, said"),
        ("A", "Playbook gentle chosen for everything Acme Stores pays for, said"),
        ("A", "Tag autopay put on Acme Stores: its invoices are collected by themselves and not chased, said"),
        ("A", "Tag autopay taken off Acme Stores: its invoices are chased again, said"),
    ]
    assert version(desk) >= before + 4, "what is about to leave stops at the last gate"


def test_a_touch_stands_for_a_step_of_the_playbook_that_the_chase_follows(desk: Desk) -> None:
    """Acme was given to `high-value`, whose first call the company's own playbook does not know."""
    assert "standard has" in desk.arsync("touch", "I1", "--step", "precall", status=2).err
    desk.arsync("playbook", "assign", "Acme Stores", "high-value", "--reason", "large")
    desk.arsync("touch", "I1", "--step", "precall")
    assert "high-value has precall" in desk.arsync("touch", "I1", "--step", "courtesy", status=2).err


def test_a_follow_up_is_a_task_from_its_day_on_until_it_is_done_with(desk: Desk) -> None:
    """In New York: at 22:00 of the day before it is tomorrow in UTC, and not yet its day."""
    desk.arsync("comment", "I1", "--text", "ask for Tom", "--follow-up", "2026-09-03", *SAID)
    assert desk.json("today")["follow-ups"] == []
    desk.clock.at = desk.clock.at.replace(day=3, hour=2)
    assert desk.json("today")["follow-ups"] == []
    desk.clock.at += timedelta(hours=3)
    (line,) = desk.json("today")["follow-ups"]
    assert "Acme Stores: ask for Tom" in line
    desk.arsync("undo", "comment", "1")
    assert "nothing waits" in desk.arsync("today").out


def test_what_no_step_comes_for_any_more_is_to_decide_a_line_for_each_payer(desk: Desk) -> None:
    acme, birch = desk.books.chase("A").id, desk.books.chase("B").id
    done = {
        name: Verdict(name, Decision.HOLD, Rule.LADDER_DONE, f"{name}: decide", None) for name in ("I1", "I2", "I3")
    }
    with desk.books.store.working() as work:
        run_id = verdicts.begin_run(work, "run", now=NOW)
        recording = verdicts.Recording(work, desk.books.id, run_id=run_id, today=NOW.date())
        recording.keep([(acme, done["I1"]), (acme, done["I2"]), (birch, done["I3"])], [acme, birch])
        work.commit()
    assert desk.json("today")["to decide"] == [
        "harbor: Acme Stores: I1: decide (and 1 more, 400.00 EUR in all)",
        "harbor: Birch Cafe: I3: decide",
    ]
    assert "to decide: 2" in desk.arsync("today").out


def test_explain_tells_all_that_people_said_of_an_invoice_and_of_a_payer(desk: Desk) -> None:
    desk.arsync("dispute", "I1", "--amount", "40", "--code", "quality", *WHY, *SAID)
    desk.arsync("promise", "I2", "--date", "2026-09-04", "--reason", "by phone", *SAID)
    desk.arsync("touch", "--customer", "A", "--comment", "spoke to Tom", *SAID)
    desk.arsync("comment", "I2", "--text", "new buyer", *SAID)
    desk.arsync("owner", "A", "--name", "Mia Wong", *SAID)
    one = desk.arsync("explain", "I1").out
    assert "dispute (quality) of 40.00 EUR, the rest is chased" in one
    assert "a call by hand on 2026-09-01, by mia: spoke to Tom" in one
    assert "looked after by Mia Wong" in one
    assert "new buyer" not in one
    assert "by phone" not in one
    every = desk.arsync("explain", "--customer", "Acme Stores").out
    for told in (
        "I1: 100.00 EUR",
        "I2: 300.00 EUR",
        "new buyer",
        "promise: 300.00 EUR by 2026-09-04 for I2",
        "quality",
    ):
        assert told in every
    assert "400.00 EUR open" in every


def test_a_customer_is_found_by_an_address_and_asked_back_where_there_are_several(desk: Desk) -> None:
    desk.arsync("contact", "Birch Cafe", "tom@birch.example", "--name", "Tom")
    desk.arsync("hold", "--customer", "TOM@birch.example", *WHY)
    desk.arsync("contact", "Acme Stores", "tom@birch.example", "--name", "Tom")
    asked = desk.arsync("explain", "--customer", "tom@birch.example", status=2).err
    for name in ("id:A --connection harbor (Acme Stores)", "id:B --connection harbor (Birch Cafe)"):
        assert name in asked
    assert "Birch Cafe" in desk.arsync("explain", "--customer", "id:B").out
