"""The same time planned day by day, or simulated at once, gives the same touches: on any ledger, by any playbook."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arsync.domain.calendar import Blackout
from arsync.domain.chase import Hold, Seller
from arsync.domain.documents import Contact, ContactRole, InvoiceState
from arsync.domain.money import Money
from arsync.domain.policy import (
    Act,
    Anchor,
    Backlog,
    Caps,
    Group,
    Happening,
    Playbook,
    Reanchor,
    Repeat,
    SendWindow,
    Step,
    StepChannel,
    StepMode,
    Tone,
)
from arsync.domain.states import HoldKind
from arsync.playbook.facts import Policy
from arsync.playbook.shelves import Library, Shelf
from arsync.playbook.simulate import simulate
from arsync.playbook.simulated import Simulation, pressure
from arsync.store.ledger import Payer
from arsync.store.past import Loose, Past, PastInvoice, levels
from arsync.testing.builders import a_playbook, a_step, an_item, day

FIRST = day("03-02")
DAYS = 100
LAST = FIRST + timedelta(days=DAYS - 1)
CURRENCIES = ("EUR", "USD")
NO_LIBRARY = Library(own=list, shipped=Path, templates=Path())


def some_day(chance: Random, before: int = 0) -> date:
    return FIRST + timedelta(days=chance.randint(-before, DAYS - 1))


def cents(chance: Random, most: int = 50_000) -> Decimal:
    return Decimal(chance.randint(1, most)) / 100


def an_invoice(chance: Random, number: int) -> PastInvoice:
    issued, terms = some_day(chance, before=90), chance.choice([0, 7, 14, 30])
    total = cents(chance)
    parts: list[tuple[date, Decimal, bool]] = []
    left = total
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        part = left if chance.random() < 0.6 else (left * chance.randint(1, 99) / 100).quantize(Decimal("0.01"))
        on = issued + timedelta(days=chance.randint(0, 90))
        parts.append((on, part, chance.random() < 0.85))
        left -= part
        if not left:
            break
    item = an_item(
        f"I{number}", (issued + timedelta(days=terms)).isoformat() if chance.random() < 0.97 else None, str(left),
        total=str(total), currency=chance.choice(CURRENCIES), issued=issued.isoformat(),
    )  # fmt: skip
    credits_on = [on for on, _, is_money in parts if not is_money]
    return PastInvoice(
        payer_id=chance.choice(["ada", "bob"]),
        item=replace(item, state=InvoiceState.OPEN if left else InvoiceState.PAID),
        levels=levels(issued, total, left, [(on, part) for on, part, _ in parts]),
        money_on=tuple(sorted(on for on, _, is_money in parts if is_money)),
        credited_on=max(credits_on, default=None),
    )


def some_holds(chance: Random, invoices: list[PastInvoice]) -> list[Hold]:
    found = []
    for _ in range(chance.choice([0, 0, 1, 2])):
        about = chance.choice(invoices)
        begins = some_day(chance)
        until = chance.choice([None, begins + timedelta(days=chance.randint(0, 30))])
        kind = chance.choice(list(HoldKind))
        part = None
        if kind is HoldKind.DISPUTE and chance.random() < 0.5:
            part = Money(cents(chance, 20_000), about.item.balance.currency)
        one = chance.random() < 0.5 or part is not None
        invoice_id = about.item.invoice_id if one else None
        found.append(Hold(kind, "as the test says", "kim", about.payer_id, invoice_id, begins, until, part))
    return found


def some_past(chance: Random) -> Past:
    invoices = [an_invoice(chance, number) for number in range(chance.randint(1, 9))]
    loose = []
    for _ in range(chance.choice([0, 0, 1, 2])):
        payer, currency = chance.choice(["ada", "bob"]), chance.choice(CURRENCIES)
        on, amount = some_day(chance, 20), cents(chance)
        loose.append(Loose(payer, currency, on, amount))
        if chance.random() < 0.7:
            loose.append(Loose(payer, currency, on + timedelta(days=chance.randint(1, 30)), -amount))
    email = chance.choice(["ada@example.com", "ada@example.com", None])
    payers = {
        name: Payer(name, name.title(), None, "en", (Contact(name, email, "123", ContactRole.BILLING),))
        for name in ("ada", "bob")
    }
    received = {(one.payer_id, one.item.balance.currency): tuple((on, on) for on in one.money_on) for one in invoices}
    return Past(FIRST, LAST, payers, tuple(invoices), tuple(loose), tuple(some_holds(chance, invoices)), received, {})


def some_steps(chance: Random) -> tuple[Step, ...]:
    offsets = sorted(chance.sample(range(1, 50), chance.randint(2, 6)))
    late = [a_step(f"late-{number}", offset) for number, offset in enumerate(offsets)]
    for place in range(1, len(late)):
        kind = chance.randrange(8)
        if kind == 0:
            late[place] = replace(late[place], channel=chance.choice(list(StepChannel)), tone=Tone.FIRM)
        elif kind == 1:
            late[place] = replace(late[place], repeat=Repeat(chance.randint(12, 20), times=chance.randint(1, 3)))
        elif kind == 2:
            late[place] = replace(late[place], when=frozenset({chance.choice(list(Happening))}))
        elif kind == 3:
            late[place] = replace(late[place], unless=frozenset({chance.choice(list(Happening))}))
        elif kind == 4:
            late[place] = replace(late[place], anchor=chance.choice(list(Anchor)))
        elif kind == 5:
            late[place] = replace(late[place], before_payment_run=chance.randint(1, 3))
    if chance.random() < 0.5:
        late[-1] = a_step("final", offsets[-1], Tone.FINAL)
    early = [a_step("early", chance.randint(-9, 0))] if chance.random() < 0.5 else []
    thanks = Step("thanks", 0, StepChannel.EMAIL, Tone.COURTESY, "thanks", None, act=Act.THANK_YOU)
    return (*early, *late, *([thanks] if chance.random() < 0.6 else []))


def some_playbook(chance: Random) -> Playbook:
    made = a_playbook(
        *some_steps(chance), gap=chance.randint(1, 12), minimum={"EUR": chance.choice(["0.00", "60.00"])},
        backlog=chance.choice(list(Backlog)), reanchor=chance.choice(list(Reanchor)),
    )  # fmt: skip
    begins = some_day(chance)
    out = Blackout(begins, begins + timedelta(days=chance.randint(0, 20)), "works holiday")
    weekdays = chance.choice([frozenset(range(7)), frozenset(range(5)), frozenset({1, 3})])
    return replace(
        made,
        window=SendWindow(weekdays, time(9), time(17), blackouts=(out,)),
        group=chance.choice(list(Group)),
        caps=Caps(chance.choice([None, 1, 2]), chance.choice([None, 3]), chance.choice([None, 1, 2])),
    )


def a_policy(playbook: Playbook, *, mode: StepMode = StepMode.AUTO, max_per_run: int = 200) -> Policy:
    seller = Seller(
        name="Acme", timezone="Europe/London", locale="en", reply_to="a@acme.example", sender="a@acme.example",
        legal_footer="", color="#000000", bank_details={"EUR": "IBAN", "USD": "routing"},
    )  # fmt: skip
    return Policy(
        playbook=playbook, templates=Path(), locales=frozenset({"en"}), seller=seller, country=None, mode=mode,
        replies_read=False, banked_through=None, reminders_off=True, max_per_run=max_per_run,
        max_staleness=timedelta(days=1), breaker_factor=Decimal(3), shelves=NO_LIBRARY, shelf=Shelf({}),
    )  # fmt: skip


def told_twice(seed: int) -> tuple[Simulation, Simulation]:
    chance = Random(seed)
    past = some_past(chance)
    policy = a_policy(
        some_playbook(chance),
        mode=chance.choice([StepMode.AUTO, StepMode.APPROVE]),
        max_per_run=chance.choice([1, 200]),
    )
    return simulate(past, policy), simulate(past, policy, every_day=True)


@settings(max_examples=70, deadline=None)
@given(st.integers(0, 2**32))
@example(287)  # held without a date until an invoice has grown older
def test_day_by_day_or_at_once_the_same_touches_go_out(seed: int) -> None:
    at_once, day_by_day = told_twice(seed)
    assert at_once.touches == day_by_day.touches
    assert at_once.held == day_by_day.held
    assert at_once.planned <= day_by_day.planned


@pytest.mark.long
def test_the_times_told_are_worth_telling() -> None:
    found = [told_twice(seed)[0] for seed in range(60)]
    steps = Counter(touch.step_id for one in found for touch in one.touches)
    assert min(steps["early"], steps["final"], steps["thanks"], steps["late-0"], steps["late-2"]) > 3
    assert {touch.mode for one in found for touch in one.touches} == set(StepMode)
    assert any(touch.paid_anyway for one in found for touch in one.touches)


def test_pressure_counts_each_day_once_until_what_was_demanded_is_cleared() -> None:
    """03-02 due / 03-05 friendly / 03-12 paid: seven days; another invoice, never paid, from the 8th to the end."""
    made = [
        PastInvoice("ada", an_item("A", "03-02", "0.00", total="50.00"), (
            (day("02-01"), Decimal("50.00")), (day("03-12"), Decimal("0.00"))), (day("03-12"),), None),
        PastInvoice("ada", an_item("B", "03-05", "70.00"), ((day("02-01"), Decimal("70.00")),), (), None),
    ]  # fmt: skip
    payers = {"ada": Payer("ada", "Ada", None, "en", (Contact("Ada", "a@example.com", None, ContactRole.BILLING),))}
    past = Past(FIRST, day("03-20"), payers, tuple(made), (), (), {}, {})
    found = simulate(past, a_policy(a_playbook(a_step("friendly", 3), gap=1)))
    assert [f"{touch.on:%m-%d} {[one.number for one in touch.demanded]}" for touch in found.touches] == [
        "03-05 ['A']",
        "03-09 ['B']",
    ]
    assert pressure(found.touches, found.last) == 16  # the 5th to the 20th
    assert pressure(found.touches[:1], found.last) == 7
    assert pressure(found.touches[1:], found.last) == 12
