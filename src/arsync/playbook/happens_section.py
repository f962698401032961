"""What happens in a scenario, as it is written: each thing with its day, and whether it can be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

import yaml

from arsync.playbook import scenarios as s
from arsync.playbook.nodes import Section, line
from arsync.playbook.problems import nearest
from arsync.playbook.scenario_scope import Scope
from arsync.playbook.scenarios import Bill, Event, What


def events(scope: Scope, scenario: Section) -> Iterator[Event]:
    """Each happening, in the order in which they are written."""
    for number, node in enumerate(scenario.listing("happens") or (), start=1):
        name = f"{scope.name}: happening {number}"
        if not isinstance(node, yaml.MappingNode):
            scope.problems.add(line(node), f"{name} must be a mapping such as {{day: 2026-06-30, paid: INV-1}}")
            continue
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        what = [one for one in What if one in keys]
        if len(what) != 1:
            _no_one_thing(scope, node, name, keys, what)
            continue
        known = ("day", what[0].value, *s.BESIDE[what[0]])
        needed = ("day", what[0].value, *s.NEEDED.get(what[0], ()))
        event = _event(scope, Section(node, name, scope.problems, known=known, required=needed), what[0])
        if event is not None:
            yield event


def _no_one_thing(scope: Scope, node: yaml.MappingNode, name: str, keys: list[str], what: list[What]) -> None:
    if what:
        message = f"{name} is {' and '.join(what)} in one: write one line for each"
        scope.problems.add(line(node), message)
        return
    unknown = [key for key in keys if key not in s.EVENT_KEYS]
    words = [one.value for one in What]
    near = next((found for key in unknown if (found := nearest(key, words))), None)
    scope.problems.add(line(node), f"{name} must say what happens: one of {', '.join(What)}", near)


def _event(scope: Scope, section: Section, what: What) -> Event | None:
    """The happening; None with the problem noted where it cannot be understood."""
    on = scope.on(section)
    given = {key: section.node(key) is not None for key in s.BESIDE[what]}
    invoice = section.words("invoice") if "invoice" in given else None
    invoice = scope.invoice(section, "invoice", invoice)
    customer = scope.customer(section) if "customer" in given else None
    if "customer" in given and customer is None and invoice is None:
        _check_whose(scope, section, what)
    until = section.day("until") if "until" in given else section.day("first") if "first" in given else None
    amount = section.amount("amount") if "amount" in given else None
    event = Event(
        on or date.min, what, section.line, invoice, amount,
        currency=scope.currency(section) if "currency" in given else None,
        customer=customer,
        until=until,
        code=section.choice("code", s.CODES) if "code" in given else None,
        step=scope.step(section, "step") if "step" in given else None,
        grace=grace if "grace" in given and (grace := section.whole("grace", *s.GRACE_BOUNDS)) is not None else 2,
        why=(section.text("why", 200) if "why" in given else None) or "as the scenario says",
    )  # fmt: skip
    said = _said(scope, section, what, event)
    if on is None or said is None:
        return None
    if said.until is not None and said.until < on:
        scope.add(section.line, f"{what} {said.until}: that day has passed on {on}")
    return said


def _said(scope: Scope, section: Section, what: What, event: Event) -> Event | None:
    """The event with what stands beside its own word."""
    key = what.value
    if what in s.OF_INVOICE:
        number = scope.invoice(section, key, section.words(key))
        return None if number is None else replace(event, invoice=number)
    match what:
        case What.RECEIVED:
            much = section.amount(key)
            return None if much is None else replace(event, amount=much)
        case What.PROMISED | What.PAUSED:
            day = section.day(key)
            if what is What.PROMISED:
                _check_currency(scope, section, event)
            return None if day is None else replace(event, until=day)
        case What.INSTALMENTS:
            count, every = section.whole(key, *s.INSTALMENT_BOUNDS), section.choice("every", s.EVERY)
            _check_currency(scope, section, event)
            return None if count is None else replace(event, number=count, every=every or event.every)
        case What.HELD:
            kind = section.choice(key, s.HOLDS)
            return None if kind is None else replace(event, hold=kind)
        case What.LIFTED:
            word = section.choice(key, s.LIFTED)
            return None if word is None else replace(event, hold=s.HOLDS.get(word))
        case What.TOUCHED:
            touch = section.choice(key, s.TOUCHES)
            return None if touch is None else replace(event, touch=touch)
        case What.CALLED:
            outcome = section.choice(key, s.OUTCOMES)
            return None if outcome is None else replace(event, outcome=outcome)
        case What.BOUNCED:
            step = scope.step(section, key)
            return None if step is None else replace(event, step=step)
        case _:
            number = scope.invoice(section, key, section.words(key), "all")
            return None if number is None else replace(event, invoice=None if number == "all" else number)


def check_ledger(scope: Scope, bills: tuple[Bill, ...], events: tuple[Event, ...]) -> None:
    """Notes what cannot happen to these invoices: paid twice, more than is open, before they were there."""
    left = {bill.number: bill.amount.amount for bill in bills}
    loose: dict[tuple[str, str], Decimal] = defaultdict(Decimal)  # by customer and currency
    for event in events:
        if event.what is What.RECEIVED:
            whose, currency = event.customer or scope.customers[0], event.currency or scope.company.currency
            loose[whose, currency] += event.amount or Decimal(0)
        bill = scope.bills.get(event.invoice or "")
        if bill is None:
            continue
        if event.on < bill.issued_on:
            scope.add(event.line, f"{bill.number} was not issued before {bill.issued_on}")
        elif event.what in (What.PAID, What.CREDITED, What.ALLOCATED):
            _check_money(scope, event, bill, left, loose)
        elif event.what is What.REVERSED:
            if left[bill.number] == bill.amount.amount:
                scope.add(event.line, f"nothing was paid on {bill.number} before {event.on}")
            left[bill.number] = bill.amount.amount
        elif event.what is What.VOIDED:
            left[bill.number] = Decimal(0)


def _check_money(
    scope: Scope, event: Event, bill: Bill, left: dict[str, Decimal], loose: dict[tuple[str, str], Decimal]
) -> None:
    currency, here = bill.amount.currency, left[bill.number]
    much, there = event.amount or here, loose[bill.customer, currency]
    if not here:
        scope.add(event.line, f"nothing is open on {bill.number} by {event.on}")
    elif much > here:
        scope.add(event.line, f"{here} is open on {bill.number} on {event.on}: {much} is more")
    elif event.what is What.ALLOCATED and much > there:
        scope.add(event.line, f"{there} {currency} is on no invoice on {event.on}: {much} is more")
    else:
        left[bill.number] = here - much
        if event.what is What.ALLOCATED:
            loose[bill.customer, currency] -= much


def _check_whose(scope: Scope, section: Section, what: What) -> None:
    """Notes what is about no invoice and names no customer where there are several."""
    if what is What.REPLIED and section.words(what.value) in scope.bills:
        return
    if len(scope.customers) > 1 and not section.is_written("customer"):
        scope.add(section.line, f"{what} names its customer where there are several")


def _check_currency(scope: Scope, section: Section, event: Event) -> None:
    """Notes money that is promised in no single currency."""
    theirs = {
        bill.amount.currency for bill in scope.bills.values() if bill.customer == (event.customer or scope.customers[0])
    }
    if event.invoice is None and len(theirs) > 1:
        scope.add(section.line, "a promise names its invoice where there are several currencies")
