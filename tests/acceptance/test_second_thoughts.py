"""Planned before the window opened, and something changed until it did: what leaves is what holds then."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.acceptance.installation import MORNING, Installation

_BEFORE_OPENING = MORNING - timedelta(hours=8)


def _planned_at_night(shop: Installation) -> None:
    """Three messages, approved by the playbook, wait for the window."""
    shop.sandbox.set_clock(_BEFORE_OPENING)
    shop.arsync("run")
    assert shop.states() == {"approved": 3}


def _in_the_morning(shop: Installation) -> None:
    shop.sandbox.set_clock(MORNING)


def test_what_the_cap_holds_back_waits_though_it_was_planned_before(
    shop: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    _planned_at_night(shop)
    _in_the_morning(shop)
    monkeypatch.setenv("ARSYNC_SAFETY__MAX_MESSAGES_PER_RUN", "0")
    said = shop.arsync("run").out
    why = "0 messages are enough for one day (safety.max_messages_per_run); larger amounts go first"
    assert f"harbor: 2 messages wait: {why}" in said.splitlines()
    assert f"thames: 1 message waits: {why}" in said.splitlines()
    assert shop.states() == {"approved": 3}
    assert "are enough for one day" in shop.arsync("explain", "H-3").out
    monkeypatch.delenv("ARSYNC_SAFETY__MAX_MESSAGES_PER_RUN")
    shop.arsync("run")
    assert shop.states() == {"accepted": 3}


def test_a_run_every_hour_sends_no_more_than_the_day_may(shop: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    the cap is 1 for each company; Harbor has two messages due, Thames one
    today, three runs      2, 0, 0
    the next business day  1
    """
    monkeypatch.setenv("ARSYNC_SAFETY__MAX_MESSAGES_PER_RUN", "1")
    _in_the_morning(shop)
    for _ in range(3):
        shop.arsync("run")
        assert shop.states() == {"accepted": 2}
    shop.sandbox.set_clock(MORNING + timedelta(days=1))
    shop.arsync("run")
    assert shop.states() == {"accepted": 3}


def test_a_mode_changed_to_approve_reaches_what_is_planned(shop: Installation) -> None:
    _planned_at_night(shop)
    _in_the_morning(shop)
    shop.configure(mode="approve")
    shop.arsync("run")
    assert shop.states() == {"superseded": 3, "planned": 3}
    assert shop.letters() == []
    shop.arsync("approve", "--all")
    shop.arsync("run")
    assert shop.states() == {"superseded": 3, "accepted": 3}


def test_a_corrected_bank_account_is_in_the_message_that_leaves(
    shop: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    _planned_at_night(shop)
    _in_the_morning(shop)
    monkeypatch.setenv("ARSYNC_DEFAULTS__BANK_DETAILS__USD", "New Harbor Bank 9900")
    shop.arsync("run")
    told = [letter.get_body(("plain",)).get_content() for letter in shop.letters()]  # type: ignore[union-attr]
    assert len(told) == 3
    assert sum("New Harbor Bank 9900" in text for text in told) == 2
    assert not any("Harbor Bank 4417" in text for text in told)


def test_a_date_that_means_never_stops_its_own_customer_only(shop: Installation) -> None:
    """Somebody typed 9999-12-31 for "never"."""
    harbor = shop.books["harbor"]
    harbor.act(
        "new_invoice", customer=harbor.customer("Elm Cinema"), amount="90.00", date="2026-08-01",
        due_date="9999-12-31", number="H-9",
    )  # fmt: skip
    shop.arsync("run", status=None)
    assert shop.states() == {"accepted": 3}
    assert "now: hold (unplannable)" in shop.arsync("explain", "H-9").out


def test_a_channel_that_does_not_answer_is_not_tried_with_every_message(shop: Installation) -> None:
    harbor = shop.books["harbor"]
    for name in ("Elm Cinema", "Fir Hotel", "Gorse Gym"):
        harbor.invoice(harbor.customer(name), "400.00", days_late=5)
    shop.configure(delivery='channel = "sendgrid"')
    shop.sandbox.fault("error", {"provider": "sendgrid"}, status=503, times=1000)
    shop.arsync("run", status=1)
    shop.sandbox.clear_faults()
    assert shop.states() == {"unknown": 3, "approved": 3}, "two at Harbor, which then stops, and Thames's only one"
    shop.arsync("run", status=1)
    assert shop.states() == {"unknown": 3, "accepted": 3}
