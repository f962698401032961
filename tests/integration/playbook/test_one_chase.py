"""One chase that cannot be worked out is held for a person, with what is wrong; the others go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from tests.integration.playbook.shop import Shop, ladder
from tests.integration.store.books import NOW, a_hold, invoice

from arsync.domain.chase import ChaseFacts, Intent, Plan, Rule
from arsync.domain.states import MessageState
from arsync.errors import DatabaseUnusable
from arsync.playbook import drafts, facts, parts
from arsync.playbook.facts import Policy
from arsync.store import holds, messages, verdicts
from arsync.store.messages import Message

_Break = Callable[[pytest.MonkeyPatch, Exception], None]


def _choosing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    original = parts.Parting.part

    def part(self: parts.Parting, chase: Any, known: ChaseFacts) -> parts.Parted:
        if chase.payer_id == "C1":
            raise error
        return original(self, chase, known)

    monkeypatch.setattr(parts.Parting, "part", part)


def _gathering(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    original = facts._chase

    def chase(connection: Any, one: Any, *rest: Any) -> ChaseFacts:
        if one.payer_id == "C1":
            raise error
        return original(connection, one, *rest)

    monkeypatch.setattr(facts, "_chase", chase)


def _describing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    original = drafts.described

    def described(work: Any, connection_id: int, policy: Policy, intents: list[Intent]) -> list[Intent]:
        if any(intent.demanded[0].invoice_id == "I1" for intent in intents):
            raise error
        return original(work, connection_id, policy, intents)

    monkeypatch.setattr(drafts, "described", described)


def _comparing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    original = drafts.fingerprint

    def fingerprint(policy: Policy, answer: Plan, intent: Intent) -> str:
        if answer.facts.payer_id == "C1":
            raise error
        return original(policy, answer, intent)

    monkeypatch.setattr(drafts, "fingerprint", fingerprint)


def _outbox(shop: Shop) -> list[Message]:
    with shop.books.store.reading() as work:
        return messages.in_states(work, list(MessageState), shop.books.id)


def _told(shop: Shop, invoice_id: str) -> verdicts.Interval:
    with shop.books.store.reading() as work:
        return verdicts.of_invoice(work, shop.books.id, invoice_id)[-1]


@pytest.mark.parametrize("breaks", [_choosing, _gathering, _describing, _comparing])
def test_whatever_goes_wrong_in_one_chase_is_its_verdict_and_the_other_is_chased(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, breaks: _Break
) -> None:
    shop.write("standard", "", ladder(3))
    shop.owes("C1", "I1")
    shop.owes("C2", "I2")
    assert shop.night().planned == 2
    breaks(monkeypatch, TypeError("a date and\na text do not compare"))
    night = shop.night()
    assert (night.kept, night.superseded) == (1, 1), "what was to go to the one is taken back"
    said = _told(shop, "I1")
    why = "cannot be planned (TypeError: a date and a text do not compare); a person must look at its invoices"
    assert (said.rule, said.next_on, said.reason.endswith(why)) == (Rule.UNPLANNABLE, None, True), said.reason
    assert _told(shop, "I2").rule == Rule.SEND
    monkeypatch.undo()
    assert (shop.night().planned, _told(shop, "I1").rule) == (1, Rule.SEND), "mended, it goes on"


def test_a_message_that_cannot_be_put_together_is_told_and_the_other_goes_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write("standard", "", ladder(3))
    shop.owes("C1", "I1")
    shop.owes("C2", "I2")
    _comparing(monkeypatch, TypeError("no text"))
    night = shop.night()
    assert night.planned == 1
    said = _told(shop, "I1")
    assert (said.rule, said.reason.split(";")[0]) == (
        Rule.NO_TEMPLATE, "day-3 cannot be written: TypeError: no text",
    )  # fmt: skip


def test_a_database_that_goes_away_is_no_chases_fault(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write("standard", "", ladder(3))
    shop.owes("C1", "I1")
    _choosing(monkeypatch, DatabaseUnusable("the disk is full"))
    with pytest.raises(DatabaseUnusable):
        shop.night()


def test_another_language_of_the_company_is_another_message(shop: Shop) -> None:
    """It says 10 May instead of May 10: who has waited for approval is asked anew."""
    shop.write("standard", "", ladder(3))
    shop.owes("C1", "I1")
    shop.night()
    policy = shop.policy()
    (message,) = _outbox(shop)
    (plan,) = shop.look()
    assert plan.intent is not None
    american = replace(policy, seller=replace(policy.seller, locale="en-US"))
    with shop.books.store.reading() as work:
        (told,) = drafts.told(work, shop.books.id, policy, [plan])
    assert told.intent is not None
    assert drafts.still_holds(message, told, told.intent, policy)
    assert not drafts.still_holds(message, told, told.intent, american)
    assert message.planned_at == NOW


@pytest.mark.parametrize("stop", ["paid", "disputed"])
def test_a_message_is_taken_back_for_what_became_of_its_own_invoice(shop: Shop, stop: str) -> None:
    """I0 falls due at Christmas and comes first in the books; I1 is late, demanded, and then paid, or disputed."""
    shop.write("standard", "", ladder(3))
    shop.owes("C1", "I0", due_on=date(2026, 12, 24))
    shop.owes("C1", "I1")
    assert shop.night().planned == 1
    if stop == "paid":
        shop.books.keep(invoice("I1", "0.00", minutes=10))
    else:
        with shop.books.store.working() as work:
            holds.place(work, shop.books.id, a_hold(payer="C1", invoice="I1"), now=NOW)
            work.commit()
    assert shop.night().superseded == 1
    (taken_back,) = _outbox(shop)
    if stop == "paid":
        assert taken_back.reason == "Customer C1 owes nothing of what it demanded any more"
    else:
        assert taken_back.reason == _told(shop, "I1").reason
        assert "dispute" in taken_back.reason
