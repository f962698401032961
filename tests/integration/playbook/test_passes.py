"""Both passes of the planner, a page of payers at a time: who may write today is settled over all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from tests.integration.playbook.shop import Shop
from tests.integration.store.books import contact, customer, invoice

from arsync.domain.chase import Budget, Plan, Rule
from arsync.domain.documents import Customer, Invoice
from arsync.domain.rollout import Rollout
from arsync.domain.states import Decision, MessageState
from arsync.playbook import facts
from arsync.playbook.admit import admit
from arsync.playbook.answers import Answers
from arsync.playbook.decide import decide
from arsync.playbook.facts import Policy
from arsync.playbook.going_live import Known, narrowed
from arsync.playbook.passes import consider
from arsync.store import messages, verdicts, volume

#: Ash owes in two currencies, and Elm not yet anything that is due.
OWED = {
    "Ash": ("10.00", "EUR"), "Birch": ("90.00", "EUR"), "Cedar": ("50.00", "USD"), "Dogwood": ("70.00", "EUR"),
}  # fmt: skip


@pytest.fixture
def street(shop: Shop) -> Shop:
    shop.write("standard")
    for payer, (balance, currency) in OWED.items():
        shop.owes(payer, f"I-{payer}", balance, currency=currency)
    shop.owes("Ash", "I-Ash-2", "20.00", currency="USD")
    shop.owes("Elm", "I-Elm", "99.00", due_on=date(2026, 12, 24))
    shop.books.follow()
    return shop


def at_once(shop: Shop, policy: Policy) -> list[Plan]:
    """As the two passes are meant: over all plans together."""
    today, own = policy.today(shop.now), shop.books.connection
    with shop.books.store.reading() as work:
        answered = [one for page in Answers(work, own, policy, now=shop.now, today=today).read() for one in page]
        plans = sorted((one.plan for one in answered), key=lambda plan: plan.facts.chase_id)
        known = Known(own.name, {}, {}, volume.reached(work, own.id), volume.pending(work, own.id))
        usual = volume.usual(work, own.id, before=today)
    owing = len({plan.facts.payer_id for plan in plans})
    budget = Budget(
        policy.max_per_run, usual, policy.breaker_factor, open_customers=owing, breaker_share=policy.breaker_share
    )
    return admit(narrowed(plans, policy.rollout, known), budget, 0)


def test_pages_of_any_size_say_what_all_plans_at_once_would(street: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    file = street.folder / "standard.yaml"
    plain = file.read_text()
    for most, rollout, rest in (
        (100, Rollout(), ""),  # everybody fits: each page is final as it comes
        (2, Rollout(), ""),  # the cap is told once all have asked
        (100, Rollout(first=2), ""),
        (100, Rollout(customers=frozenset({"ash", "cedar"})), ""),
        (100, Rollout(), "caps: {mailbox: 2}\n"),  # the playbook's own cap
        (100, Rollout(), "caps: {week: 1}\n"),  # Ash hears once
    ):
        file.write_text(plain.replace("gap: ", f"{rest}gap: "))
        policy = replace(street.policy(), max_per_run=most, rollout=rollout)
        expected = at_once(street, policy)
        for size in (1, 2):
            monkeypatch.setattr(facts, "PAYERS_A_PAGE", size)
            with street.books.store.reading() as work:
                told = consider(work, street.books.connection, policy, now=street.now)
            assert list(told) == expected, (most, rollout, rest, size)
        speaking = sum(plan.intent is not None for plan in expected)
        assert speaking == 5 if (most, rollout, rest) == (100, Rollout(), "") else 0 < speaking < 5


def test_a_night_by_pages_writes_the_largest_first_and_tells_the_others(
    street: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two a day: 90.00 EUR and 50.00 USD go; 70.00 EUR, 20.00 USD and 10.00 EUR wait for another day."""
    monkeypatch.setattr(facts, "PAYERS_A_PAGE", 1)
    own, policy = street.books.connection, replace(street.policy(), max_per_run=2)
    for _night in range(2):
        with street.books.store.working() as work:
            run_id = verdicts.begin_run(work, "run", now=street.now)
            work.commit()
        decided = decide(street.books.store, own, policy, now=street.now, run_id=run_id)
        assert decided.said == {Decision.ACT: 2, Decision.WAIT: 4}
    assert (decided.planned, decided.kept, decided.changed) == (0, 2, 0), "the second night finds all of it as it was"
    with street.books.store.reading() as work:
        waits = {name: verdicts.of_invoice(work, own.id, name)[-1].rule for name in ("I-Dogwood", "I-Ash", "I-Ash-2")}
    assert set(waits.values()) == {Rule.CAP}


def test_the_share_breaker_counts_whoever_owes_also_those_who_are_not_written_to(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundred customers owe, thirty of them late; one message a day is usual, and up to half of all may be more."""
    shop.write("standard")
    records: list[Customer | Invoice] = []
    for number in range(100):
        due_on = date(2026, 8, 25) if number < 30 else date(2026, 12, 24)
        records.append(customer(f"C{number}", contacts=[contact("Ada")], language="en"))
        records.append(invoice(f"I{number}", "10.00", customer=f"C{number}", due_on=due_on, email="a@x.example"))
    shop.books.keep(*records)
    shop.books.follow()
    monkeypatch.setattr(volume, "usual", lambda *_args, **_keys: Decimal(1))
    for share, expected in ((Decimal("0.5"), 30), (Decimal("0.2"), 0)):
        with shop.books.store.working() as work:
            run_id = verdicts.begin_run(work, "run", now=shop.now)
            work.commit()
        policy = replace(shop.policy(), breaker_share=share)
        decided = decide(shop.books.store, shop.books.connection, policy, now=shop.now, run_id=run_id)
        assert decided.said[Decision.ACT] == expected


def test_the_dry_and_the_real_night_let_in_the_same_customers_while_going_live(shop: Shop) -> None:
    """Ash's message over EUR waits and is paid; Ash owes in USD, too; Birch owes more. Only one may be written to."""
    shop.write("standard")
    shop.owes("Ash", "I-Ash", "10.00")
    shop.night()
    shop.books.keep(invoice("I-Ash", "0.00", customer="Ash", due_on=date(2026, 8, 25), minutes=10))
    shop.owes("Ash", "I-Ash-2", "20.00", currency="USD")
    shop.owes("Birch", "I-Birch", "500.00")
    policy, own = replace(shop.policy(), rollout=Rollout(first=1)), shop.books.connection
    with shop.books.store.working() as work:
        dry = {plan.facts.payer_id for plan in consider(work, own, policy, now=shop.now) if plan.intent}
        run_id = verdicts.begin_run(work, "run", now=shop.now)
        work.commit()
    decide(shop.books.store, own, policy, now=shop.now, run_id=run_id)
    with shop.books.store.reading() as work:
        assert {one.payer_id for one in messages.in_states(work, [MessageState.APPROVED])} == dry == {"Ash"}
