"""hold, dispute, holds, lift, stop, start, explain: what a person decides, and what a person is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.acceptance.installation import TODAY, Installation

YESTERDAY = (TODAY - timedelta(days=1)).isoformat()


def addressees(shop: Installation) -> list[str]:
    return sorted(mail["To"].addresses[0].addr_spec for mail in shop.letters())


# --- hold and dispute -----------------------------------------------------------------------------------------------


def test_a_hold_placed_between_plan_and_run_stops_the_message(shop: Installation) -> None:
    shop.configure(mode="approve")
    shop.arsync("run")
    shop.arsync("approve", "--all")
    shop.arsync("hold", "--customer", "birch cafe", "--reason", "they called", "--author", "mia")
    shop.arsync("run")
    assert addressees(shop) == ["accounts@acmestores.example", "accounts@cedarbooks.example"]


def test_a_dispute_stops_its_invoice_and_the_rest_of_the_customer_is_chased(shop: Installation) -> None:
    shop.arsync("dispute", "H-2", "--reason", "arrived damaged", "--author", "mia")
    shop.arsync("run")
    (acme,) = [mail for mail in shop.letters() if "acmestores" in str(mail["To"])]
    text = acme.get_body(("plain",))
    assert text is not None
    assert "H-1" in text.get_content()
    assert "H-2" not in text.get_content()
    assert "dispute on invoice H-2" in shop.arsync("explain", "H-2").out
    assert "arrived damaged" in shop.arsync("explain", "H-2").out


def test_a_lifted_hold_lets_the_message_go(shop: Installation) -> None:
    shop.arsync("hold", "H-3", "--reason", "they called", "--kind", "promise", "--author", "mia")
    shop.arsync("run")
    assert "accounts@birchcafe.example" not in addressees(shop)
    (placed,) = shop.json("holds")
    assert placed["connection"] == "harbor"
    assert placed["hold"]["hold"]["kind"] == "promise"
    assert "they called" in shop.arsync("holds").out
    number = str(placed["hold"]["id"])
    assert f"hold {number} is lifted" in shop.arsync("lift", number).out
    assert shop.json("holds") == []
    shop.arsync("lift", number, status=2)
    shop.arsync("run")
    assert "accounts@birchcafe.example" in addressees(shop)


def test_a_hold_ends_by_itself_after_its_last_day(shop: Installation) -> None:
    shop.arsync("hold", "T-1", "--reason", "pays tomorrow", "--until", (TODAY + timedelta(days=1)).isoformat())
    shop.arsync("run", "thames")
    assert f"next on {TODAY + timedelta(days=2)}" in shop.arsync("explain", "T-1").out
    shop.sandbox.advance(days=2)
    shop.arsync("run", "thames")
    assert addressees(shop) == ["accounts@cedarbooks.example"]


@pytest.mark.parametrize("command", ["hold", "dispute"])
def test_a_last_day_in_the_past_is_refused(shop: Installation, command: str) -> None:
    refused = shop.arsync(command, "H-3", "--reason", "x", "--until", YESTERDAY, status=2)
    assert f"{YESTERDAY} has passed; today is {TODAY}" in refused.err
    assert shop.json("holds") == []
    shop.arsync(command, "H-3", "--reason", "x", "--until", "31.12.2026", status=2)


def test_a_hold_wants_one_thing_to_hold_and_a_reason(shop: Installation) -> None:
    assert "--reason" in shop.arsync("hold", "H-3", status=2).err
    assert "name an invoice, or --customer" in shop.arsync("hold", "--reason", "x", status=2).err
    shop.arsync("hold", "H-3", "--customer", "Birch Cafe", "--reason", "x", status=2)
    assert "customer 'Nobody'" in shop.arsync("hold", "--customer", "Nobody", "--reason", "x", status=2).err
    assert "H-404" in shop.arsync("dispute", "H-404", "--reason", "x", status=2).err
    assert shop.json("holds") == []


def test_a_customer_is_found_in_any_case_and_with_any_letters(shop: Installation) -> None:
    shop.books["harbor"].customer("Élan Bäckerei", email="accounts@elan.example")
    shop.arsync("sync")
    for name in ("Élan Bäckerei", "ÉLAN BÄCKEREI", "élan bäckerei"):
        shop.arsync("hold", "--customer", name, "--reason", "x")
    assert len(shop.json("holds")) == 3


def test_a_hold_can_be_placed_while_the_playbook_is_broken(shop: Installation) -> None:
    (shop.folder / "playbooks").mkdir()
    (shop.folder / "playbooks" / "standard.yaml").write_text("name: [")
    shop.arsync("run", status=2)
    shop.arsync("hold", "H-3", "--reason", "x")
    shop.arsync("stop")
    assert len(shop.json("holds")) == 1


# --- stop and start -----------------------------------------------------------------------------------------------


def test_a_run_while_stopped_sends_nothing_and_says_so(shop: Installation) -> None:
    shop.arsync("stop", "--reason", "bank holiday", "--author", "mia")
    told = shop.arsync("run")
    assert "nothing goes out: stopped by mia" in told.out
    assert "bank holiday" in told.out
    assert shop.json("run")["stopped"] == "bank holiday"
    assert shop.letters() == []
    assert "bank holiday" in shop.arsync("plan").out
    assert "bank holiday" in shop.arsync("explain", "H-1").out
    assert "bank holiday" in shop.arsync("doctor").out

    shop.arsync("start")
    assert "nothing goes out" not in shop.arsync("run").out
    assert len(shop.letters()) == 3


def test_what_a_person_approved_outlives_a_stop_and_a_night_without_the_source(shop: Installation) -> None:
    """Mia approves three; the button is pressed, then QuickBooks is down; neither says anything of the debts."""
    shop.configure(mode="approve")
    shop.arsync("run")
    shop.arsync("approve", "--all", "--author", "mia")
    shop.arsync("stop")
    shop.arsync("run")
    shop.arsync("start")
    shop.sandbox.fault("error", {"provider": "quickbooks"}, status=503, times=1000)
    shop.arsync("run", status=1)
    shop.sandbox.clear_faults()
    assert shop.states() == {"approved": 2, "accepted": 1}, "Thames was up"
    shop.arsync("run")
    assert shop.states() == {"accepted": 3}
    assert {by for (by,) in shop.rows("SELECT approved_by FROM messages")} == {"mia"}


def test_stop_pressed_while_a_run_is_under_way_holds_it_at_the_gate(shop: Installation) -> None:
    pressed: list[str] = []

    def press(moment: str, what: str) -> None:
        # The first moment at which a message is claimed: decided, not yet past the gate.
        if not pressed and (moment, what) == ("after", "commit") and shop.states()["claimed"]:
            pressed.append(what)
            shop.process("stop", "--reason", "now")

    told = shop.arsync("run", "harbor", observe=press)
    assert pressed
    assert shop.letters() == []
    assert shop.states()["accepted"] == 0
    assert "nothing goes out: stopped by" in told.out

    shop.arsync("start")
    shop.sandbox.advance(120)
    shop.arsync("run", "harbor")
    assert len(shop.letters()) == 2
    assert len(shop.books["harbor"].notes()) == 3


def test_stop_pressed_after_the_first_message_lets_no_second_one_out(shop: Installation) -> None:
    pressed: list[str] = []

    def press(moment: str, what: str) -> None:
        if not pressed and (moment, what) == ("after", "commit") and shop.states()["accepted"]:
            pressed.append(what)
            shop.process("stop")

    shop.arsync("run", "harbor", observe=press)
    assert pressed
    assert len(shop.letters()) == 1
    sent = [row[0] for row in shop.rows("SELECT key FROM messages WHERE state = 'accepted'")]
    assert len(sent) == 1

    shop.arsync("start")
    shop.sandbox.advance(120)
    shop.arsync("run", "harbor")
    assert len(addressees(shop)) == len(set(addressees(shop))) == 2


# --- explain ------------------------------------------------------------------------------------------------------


def test_explain_says_at_once_what_was_said_since_the_last_run(shop: Installation) -> None:
    """A dispute, the red button, a void: nobody need wait for a run to be told the truth."""
    shop.arsync("run")
    assert "now: act (send)" in shop.arsync("explain", "H-3").out
    shop.arsync("dispute", "H-3", "--reason", "wrong colour")
    assert "now: dispute by" in shop.arsync("explain", "H-3").out
    shop.arsync("stop", "--reason", "year end")
    assert "year end; nothing goes out until" in shop.arsync("explain", "T-1").out
    shop.arsync("start")
    (invoice,) = [
        one["id"] for one in shop.sandbox.truth(shop.books["harbor"].id)["invoices"] if one["number"] == "H-1"
    ]
    shop.books["harbor"].act("void", invoice=invoice)
    shop.arsync("sync")
    assert "now: it is void: nothing is chased" in shop.arsync("explain", "H-1").out


def test_explain_tells_the_message_its_note_and_when_the_next_one_is_due(shop: Installation) -> None:
    assert "nothing is decided yet" in shop.arsync("explain", "H-3").out
    shop.arsync("run")
    told = shop.arsync("explain", "H-3").out
    assert told.startswith("H-3 of Birch Cafe (harbor): open, 250.00 USD of 250.00 USD, due 2026-09-10")
    assert "friendly #1.1 to Alex Doe <accounts@birchcafe.example>: accepted" in told
    assert "on the invoice: written" in told
    assert ": written" in told
    shop.arsync("run")
    again = shop.arsync("explain", "H-3").out
    assert "now: wait (" in again, "why nothing went out today"
    assert "next on 2026-09-24" in again
    story = shop.json("explain", "H-3")
    assert set(story) == {"invoice", "now", "since", "playbook", "drift", "behaviour", "story"}
    assert [one["rating"] for one in story["behaviour"]] == ["new"]
    assert "rated new in USD: 0 invoices paid in full, and at least 3 are needed: not rated" in told
    assert story["drift"] is None
    assert story["invoice"]["balance"] == {"amount": "250.00", "currency": "USD"}
    assert story["now"]["decision"] == "wait"


def test_explain_of_a_paid_invoice_says_that_it_is_paid_and_keeps_its_story(shop: Installation) -> None:
    shop.arsync("run")
    (invoice,) = [row[0] for row in shop.rows("SELECT remote_id FROM invoices WHERE number = 'H-3'")]
    shop.books["harbor"].act("pay", invoice=invoice)
    shop.arsync("run")
    told = shop.arsync("explain", "H-3").out
    assert "now: it is paid" in told
    assert "friendly #1.1" in told
    assert shop.json("explain", "H-3")["now"] is None


def test_a_number_that_several_invoices_have_is_listed_and_asked_back(shop: Installation) -> None:
    harbor, thames = shop.books["harbor"], shop.books["thames"]
    thames.invoice(thames.customer("Twin Ltd"), number="H-3")
    twin = harbor.invoice(harbor.customer("Twin Inc"), "75.00", number="H-3")
    shop.arsync("sync")
    asked = shop.arsync("explain", "H-3", status=2).err
    for name in ("Birch Cafe", "Twin Inc", "Twin Ltd", "--connection harbor", "--connection thames"):
        assert name in asked
    assert "Twin Ltd" in shop.arsync("explain", "H-3", "--connection", "thames").out
    shop.arsync("explain", "H-3", "--connection", "harbor", status=2)
    assert "Twin Inc" in shop.arsync("explain", f"id:{twin}", "--connection", "harbor").out
    assert "H-404" in shop.arsync("explain", "H-404", status=2).err
    assert "there are: harbor, thames" in shop.arsync("explain", "H-3", "--connection", "tames", status=2).err


def test_a_number_is_a_number_even_where_it_is_another_invoices_id(shop: Installation) -> None:
    harbor = shop.books["harbor"]
    first = harbor.invoice(harbor.customer("First Inc"), number="H-50")
    harbor.invoice(harbor.customer("Second Inc"), number=first)
    shop.arsync("sync")
    assert "Second Inc" in shop.arsync("explain", first, "--connection", "harbor").out
    assert "First Inc" in shop.arsync("explain", f"id:{first}", "--connection", "harbor").out


def test_names_from_outside_steer_no_terminal_and_are_no_markup(shop: Installation) -> None:
    hostile = "\x1b]0;owned\x07[red]Evil[/red] \x9b31m\u202eCo\nnow: act (paid): all is well"
    harbor = shop.books["harbor"]
    customer = harbor.customer(hostile, email="accounts@evil.example")
    harbor.invoice(customer, number="[bold]H\x1b[2J-6", days_late=5)
    shop.arsync("sync")
    (number,) = [row[0] for row in shop.rows("SELECT number FROM invoices WHERE number LIKE '%-6'")]
    commands = (
        ["plan", "--all"], ["plan", "--json"], ["run"], ["explain", number], ["explain", number, "--json"],
        ["hold", number, "--reason", "\x1b[31m[blink]x"], ["holds"], ["holds", "--json"], ["approve"],
        ["approve", "--json"], ["hold", "--customer", "x\x1b[2J", "--reason", "x"], ["explain", "x\x1b[2J"],
    )  # fmt: skip
    for command in commands:
        told = shop.arsync(*command, status=None)
        steering = [letter for letter in told.said if letter != "\n" and not letter.isprintable()]
        assert steering == [], command
        assert not [line for line in told.out.splitlines() if line.lstrip().startswith("now: act (paid)")], command
    assert "[red]Evil[/red]" in shop.arsync("explain", number).out
