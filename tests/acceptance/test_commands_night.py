"""plan, run, approve and the lock: what goes out, what does not and why, and what the exit status says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.acceptance.installation import TODAY, Installation

from arsync.bootstrap import App
from arsync.settings import load
from arsync.worker.jobs import held_lock


@contextmanager
def a_run_elsewhere(installation: Installation, *names: str) -> Iterator[None]:
    """Another living process holds the lock of these companies, or of all (it is this one)."""
    app = App(load(installation.config, environ={}))
    lease = held_lock(app.store, app.clock, app.linked(names))
    lease.keep(every=0.1)  # the sandbox's clock runs faster than the machine's
    try:
        yield
    finally:
        lease.drop()
        app.close()


def verdicts(plans: dict[str, Any]) -> dict[str, tuple[str, str, str | None]]:
    """By invoice id: decision, rule, next date."""
    return {
        verdict["invoice_id"]: (verdict["decision"], verdict["rule"], verdict["next_on"])
        for answers in plans.values()
        for answer in answers
        for verdict in answer["verdicts"]
    }


# --- plan ---------------------------------------------------------------------------------------------------------


def test_a_plan_saves_nothing_and_sends_nothing(shop: Installation) -> None:
    before = shop.everything()
    for options in ([], ["--all"], ["--json"], ["--as-of", "2026-12-01"], ["harbor"]):
        assert shop.arsync("plan", *options).out
    assert shop.everything() == before
    assert shop.letters() == []
    assert [note for one in shop.books.values() for note in one.notes()] == []


def test_a_plan_as_json_names_payer_message_and_a_verdict_for_every_open_invoice(shop: Installation) -> None:
    plans = shop.json("plan")
    assert set(plans) == {"harbor", "thames"}
    (acme,) = [answer for answer in plans["harbor"] if answer["payer"] == "Acme Stores"]
    assert acme["currency"] == "USD"
    assert acme["message"] == {
        "step": "friendly",
        "playbook": "standard",
        "occurrence": 1,
        "mode": "auto",
        "to": ["accounts@acmestores.example"],
        "cc": [],
        "amount": "800.00",
        "invoices": ["H-2", "H-1"],
    }
    every = [verdict for answers in plans.values() for answer in answers for verdict in answer["verdicts"]]
    assert len(every) == 4
    for verdict in every:
        assert set(verdict) == {"invoice_id", "decision", "rule", "reason", "next_on", "step_id"}
        assert verdict["decision"] in ("act", "wait", "hold")
        assert verdict["reason"]


def test_a_plan_for_another_day_says_what_would_be_due_then(shop: Installation) -> None:
    # T-1 was due on Thursday the 10th: 3 days late friendly, but the 13th is a Sunday; 14 days late firm.
    thames = shop.json("plan", "thames", "--as-of", (TODAY - timedelta(days=3)).isoformat())
    ((decision, rule, next_on),) = verdicts(thames).values()
    assert (decision, rule, next_on) == ("wait", "not_due", "2026-09-14")
    later = shop.json("plan", "thames", "--as-of", (TODAY + timedelta(days=9)).isoformat())
    assert later["thames"][0]["message"]["step"] == "firm"
    assert "does not match" in shop.arsync("plan", "--as-of", "tomorrow", status=2).err


def test_a_plan_says_why_an_invoice_is_left_out(shop: Installation) -> None:
    harbor = shop.books["harbor"]
    harbor.invoice(harbor.customer("Dune Hotel"), "900.00", days_late=-20, number="H-9")
    shop.arsync("sync")
    told = shop.arsync("plan", "harbor", "--all").out
    assert "not_due" in told
    assert "H-9 is due on 2026-10-05: not overdue (next: 2026-10-02)" in told
    assert any(line.startswith("H-9 ") for line in told.splitlines()), "by its number, not by the source's id"


# --- run ----------------------------------------------------------------------------------------------------------


def test_a_run_sends_once_writes_back_and_ends_with_0(shop: Installation) -> None:
    first = shop.json("run")
    assert {one["connection"]: len(one["accepted"]) for one in first["connections"]} == {"harbor": 2, "thames": 1}
    assert first["tasks"] == []
    assert shop.states() == {"accepted": 3}
    assert len(shop.letters()) == 3
    assert {name: len(one.notes()) for name, one in shop.books.items()} == {"harbor": 3, "thames": 1}

    second = shop.arsync("run")  # ordinary waits are no failure
    assert "waiting" in second.out
    assert len(shop.letters()) == 3
    assert {name: len(one.notes()) for name, one in shop.books.items()} == {"harbor": 3, "thames": 1}


def test_a_run_over_one_company_leaves_the_other_alone(shop: Installation) -> None:
    shop.arsync("run", "thames")
    assert [mail["To"] for mail in shop.letters()] == ["Cedar Books <accounts@cedarbooks.example>"]
    assert shop.books["harbor"].notes() == []


def test_a_run_ends_with_1_where_a_person_must_act_and_lists_it(shop: Installation) -> None:
    (invoice,) = [row[0] for row in shop.rows("SELECT remote_id FROM invoices WHERE number = 'H-3'")]
    shop.books["harbor"].act("corrupt", invoice=invoice, fields={"TotalAmt": "a lot"})
    told = shop.arsync("run", status=1)
    assert f"to do: invoices {invoice} cannot be read" in told.out
    assert {mail["To"].addresses[0].addr_spec for mail in shop.letters()} == {
        "accounts@acmestores.example",
        "accounts@cedarbooks.example",
    }, "one unreadable record holds its own payer only"


def test_a_run_ends_with_1_where_one_source_is_down_and_still_works_the_other(shop: Installation) -> None:
    for _ in range(3):
        shop.sandbox.fault("error", {"provider": "quickbooks"}, status=503, times=None)
    told = shop.arsync("run", status=1)
    assert "harbor: sync:" in told.out
    assert [mail["To"].addresses[0].addr_spec for mail in shop.letters()] == ["accounts@cedarbooks.example"]
    shop.sandbox.clear_faults()
    shop.arsync("run")
    assert len(shop.letters()) == 3


def test_outside_the_send_window_a_run_plans_says_when_and_sends_nothing(shop: Installation) -> None:
    shop.sandbox.set_clock(datetime(2026, 9, 16, 1, 0, tzinfo=UTC))  # nine in the evening in New York
    told = shop.arsync("run", "harbor")
    assert "harbor: the send window is closed; messages go at 2026-09-16 09:00 EDT" in told.out
    assert shop.letters() == []
    assert shop.states() == {"approved": 2}
    (harbor,) = shop.json("run", "harbor")["connections"]
    assert harbor["opens_at"] == "2026-09-16T09:00:00-04:00"
    assert (harbor["planned"], harbor["superseded"], harbor["held"], harbor["waiting"]) == (0, 0, 0, 0)

    shop.sandbox.set_clock(datetime(2026, 9, 16, 13, 1, tzinfo=UTC))  # a minute past nine
    shop.arsync("run", "harbor")
    assert len(shop.letters()) == 2

    shop.sandbox.set_clock(datetime(2026, 9, 19, 16, 0, tzinfo=UTC))  # a Saturday
    assert "messages go at 2026-09-21 09:00 EDT" in shop.arsync("run", "harbor").out


def test_another_run_holds_the_lock_and_only_what_writes_asks_for_it(shop: Installation) -> None:
    with a_run_elsewhere(shop):
        for command in ("run", "sync", "backfill"):
            refused = shop.process(command, status=3)
            assert "Another run holds the lock" in refused.err
            assert refused.out == ""
        shop.arsync("plan")
        shop.arsync("hold", "H-3", "--reason", "a person never waits for a machine")
        shop.arsync("stop")
    assert shop.letters() == []
    shop.arsync("start")
    shop.arsync("run")
    assert len(shop.letters()) == 2


def test_who_works_for_one_company_keeps_nobody_from_another(shop: Installation) -> None:
    with a_run_elsewhere(shop, "thames"):
        assert "Another run holds the lock: thames" in shop.arsync("run", status=3).err
        shop.arsync("run", "harbor")
    told = " ".join(str(letter["To"]) for letter in shop.letters())
    assert len(shop.letters()) == 2
    assert "acmestores" in told
    assert "birchcafe" in told


# --- approve ------------------------------------------------------------------------------------------------------


def test_in_approve_mode_nothing_goes_before_a_person_says_so(shop: Installation) -> None:
    shop.configure(mode="approve")
    assert "3 messages wait for approval: arsync approve" in shop.arsync("run").out
    assert shop.letters() == []
    waiting = shop.json("approve")
    assert {one["state"] for one in waiting} == {"planned"}
    assert all(one["subject"] in shop.arsync("approve").out for one in waiting)

    chosen = next(one for one in waiting if "accounts@birchcafe.example" in one["recipients"][0])
    shop.arsync("approve", str(chosen["id"]), "--author", "mia")
    shop.arsync("run")
    assert [mail["To"].addresses[0].addr_spec for mail in shop.letters()] == ["accounts@birchcafe.example"]
    assert shop.rows("SELECT approved_by FROM messages WHERE id = ?", chosen["id"]) == [("mia",)]

    assert "2 messages approved" in shop.arsync("approve", "--all").out
    shop.arsync("run")
    assert len(shop.letters()) == 3
    assert "nothing waits for approval" in shop.arsync("approve", "--all").out


def test_an_unknown_message_is_refused_and_none_of_the_others_is_approved(shop: Installation) -> None:
    shop.configure(mode="approve")
    shop.arsync("run")
    first = str(shop.json("approve")[0]["id"])
    assert "message 4711" in shop.arsync("approve", first, "4711", status=2).err
    assert shop.states() == {"planned": 3}
    shop.arsync("approve", first, "--all", status=2)
    shop.arsync("approve", "one", status=2)
    assert shop.states() == {"planned": 3}


def test_the_first_customers_are_of_all_companies_together_in_the_plan_and_the_digest_too(shop: Installation) -> None:
    """Two customers: the run writes to Acme and Birch of harbor; plan and digest had said so, and nobody of thames."""
    shop.configure(delivery='channel = "file"\nfirst_customers = 2')
    planned = {one["payer"] for answers in shop.json("plan").values() for one in answers if one["message"]}
    digest = shop.arsync("digest").out
    shop.arsync("run")
    written_to = {str(mail["To"]).split("@")[1].rstrip(">") for mail in shop.letters()}
    assert written_to == {"acmestores.example", "birchcafe.example"}
    assert planned == {"Acme Stores", "Birch Cafe"}
    assert "harbor: 2 messages go out" in digest
    assert "thames: 0 messages go out" in digest


def test_a_payer_of_many_invoices_is_asked_to_quote_the_first_and_told_that_there_are_more(shop: Installation) -> None:
    harbor = shop.books["harbor"]
    dora = harbor.customer("Dora Ltd")
    for number in range(7):
        harbor.invoice(dora, "100.00", days_late=9 - number, number=f"D-{number}")
    shop.configure(mode="auto")
    shop.arsync("sync")
    shop.arsync("run")
    (mail,) = [mail for mail in shop.letters() if "doraltd" in str(mail["To"])]
    body = mail.get_body(("plain",))
    assert body is not None
    assert "D-0, D-1, D-2, D-3, D-4 …" in " ".join(body.get_content().split())
