"""A company's cache as a night finds it, written straight into a fresh database: payers with ten open invoices each.

The same for the same size: nothing is drawn anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final

from sqlalchemy import Table, insert, select

from arsync.domain.chase import Hold, Plan, Seller
from arsync.domain.policy import StepMode
from arsync.domain.states import Health, HoldKind, MessageState
from arsync.playbook.facts import Policy
from arsync.playbook.shelves import Library
from arsync.resources import bundled
from arsync.store import chases, connections, holds, reminders, upgrade
from arsync.store import tables as t
from arsync.store.connections import Connection
from arsync.store.engine import Store, Work

#: A Tuesday noon on which everything is planned for the first time; the day after it nothing happens.
FIRST: Final = datetime(2026, 6, 9, 12, tzinfo=UTC)
QUIET: Final = FIRST + timedelta(days=1)
_FIRST_ON: Final = FIRST.date()
_QUIET_ON: Final = QUIET.date()
_EACH: Final = 10
_NAME: Final = "harbour"
_AT_ONCE: Final = 2_000
#: What falls due on these days is answered otherwise on the quiet day than on the day before: a step's day comes.
_BUSY: Final = frozenset(_QUIET_ON - timedelta(days=lead) for lead in (-3, 1, 3, 14, 21, 30))


def policy() -> Policy:
    """The shipped playbook as most companies run it, without a cap that would leave most payers for other days."""
    shipped = bundled("playbooks")
    library = Library(own=list, shipped=lambda name: shipped / f"{name}.yaml", templates=shipped / "templates")
    standard = shipped / "standard.yaml"
    volume = library.read(standard)
    seller = Seller(
        "Harbour Ltd", "Europe/London", "en", "ar@harbour.example", "ar@harbour.example", "", "#123456",
        {"EUR": "IBAN 1", "GBP": "sort code 2"},
    )  # fmt: skip
    return Policy(
        playbook=volume.playbook, templates=volume.templates, locales=volume.locales, shelves=library,
        shelf=library.present(standard), seller=seller, country="GB", mode=StepMode.AUTO, replies_read=True,
        banked_through=None, reminders_off=True, max_per_run=1_000_000, max_staleness=timedelta(days=2),
        breaker_factor=Decimal(100),
    )  # fmt: skip


def opened(database: Path) -> tuple[Store, Connection]:
    """A database of this module's making."""
    store = Store(f"sqlite:///{database}")
    with store.reading() as work:
        return store, connections.connection(work, _NAME)


def founded(database: Path, now: datetime) -> tuple[Store, Connection]:
    """A fresh database with one healthy connection."""
    store = Store(f"sqlite:///{database}")
    upgrade.upgrade(store)
    with store.working() as work:
        connections.found_installation(work, now=now)
        grant = connections.add_grant(work, provider="quickbooks", sealed="sealed", now=now)
        linked = connections.link(work, name=_NAME, provider="quickbooks", external_id=_NAME, grant_id=grant, now=now)
        connections.set_health(work, linked.id, Health.OK, "complete", synced_at=QUIET)
        reminders.answer(work, linked.id, reminds=False, author="ann", now=now)
        linked = connections.connection(work, _NAME)
        work.commit()
    return store, linked


def make(database: Path, payers: int) -> None:
    """A first day: `payers` times ten open invoices, three in ten not yet due, and nobody was ever written to."""
    chance = Random(payers)
    store, linked = founded(database, FIRST)
    with store.working() as work:
        fill(work, t.customers, (a_customer(linked.id, number) for number in range(payers)))
        fill(work, t.contacts, (a_contact(linked.id, number) for number in range(payers)))
        fill(work, t.invoices, _open_invoices(linked.id, payers, chance))
        fill(work, t.payments, _loose_money(linked.id, payers))
        for number in range(0, payers, 50):
            until = _FIRST_ON + timedelta(days=21)
            held = Hold(HoldKind.PAUSE, "they are moving house", "ann", payer(number), None, _FIRST_ON, until)
            holds.place(work, linked.id, held, now=FIRST)
        chases.follow(work, linked.id, now=FIRST)
        work.commit()
    store.close()


def fill(work: Work, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    """Rows into a table."""
    while chunk := list(islice(rows, _AT_ONCE)):
        work.execute(insert(table), chunk)


def payer(number: int) -> str:
    """A payer's id."""
    return f"C{number}"


def a_customer(connection_id: int, number: int) -> dict[str, Any]:
    """One payer's row."""
    return {
        "connection_id": connection_id, "remote_id": payer(number), "name": f"Customer {number} & Sons",
        "state": "active", "payer_id": payer(number), "currency": currency(number),
        "country": ("GB", "DE", "FR", "NL", "IE")[number % 5], "language": "en", "updated_at": FIRST, "version": "0",
        "terms": "30 days",
    }  # fmt: skip


def a_contact(connection_id: int, number: int) -> dict[str, Any]:
    """The row of the one who is written to."""
    return {
        "connection_id": connection_id, "customer_id": payer(number), "position": 0, "name": f"Ada Number {number}",
        "email": f"ap@customer{number}.example", "phone": "+44 20 7946 0000", "role": "billing",
    }  # fmt: skip


def currency(number: int) -> str:
    """In which a payer is billed."""
    return "EUR" if number % 4 else "GBP"


def _open_invoices(connection_id: int, payers: int, chance: Random) -> Iterator[dict[str, Any]]:
    days = [_FIRST_ON + timedelta(days=ahead) for ahead in range(-90, 40)]
    overdue = [day for day in days if day < _FIRST_ON and day not in _BUSY]
    coming = [day for day in days if day >= _QUIET_ON and day not in _BUSY]
    ids = list(range(payers * _EACH))  # a source numbers as it is written, not payer by payer
    chance.shuffle(ids)
    for number in range(payers):
        for place in range(_EACH):
            named = ids[number * _EACH + place]
            due = chance.choice(coming if place < 3 else overdue)
            total = Decimal(chance.randint(5_000, 500_000)) / 100
            balance = total if chance.random() < 0.9 else (total / 2).quantize(Decimal("0.01"))
            yield {
                "connection_id": connection_id, "remote_id": f"{named:08}", "number": f"INV-{named:08}",
                "customer_id": payer(number), "state": "open", "currency": currency(number), "total": total,
                "balance": balance, "issued_on": due - timedelta(days=30), "due_on": due,
                "reference": f"PO {number}/{place}", "email": f"ap@customer{number}.example", "updated_at": FIRST,
                "version": "0", "purchase_order": None, "terms": None, "copies": None, "exchange_rate": None,
                "expected_on": None, "sent": True,
            }  # fmt: skip


def _loose_money(connection_id: int, payers: int) -> Iterator[dict[str, Any]]:
    for number in range(0, payers, 20):
        yield {
            "connection_id": connection_id, "remote_id": f"P{number}", "kind": "payment",
            "customer_id": payer(number), "state": "active", "currency": currency(number),
            "amount": Decimal("25.00"), "unapplied": Decimal("25.00"), "received_on": _FIRST_ON - timedelta(days=9),
            "updated_at": FIRST, "version": "0",
        }  # fmt: skip


# --- what went out ------------------------------------------------------------------------------------------------


def deliver(work: Work, connection_id: int, plans: Sequence[Plan], on: date, policy: Policy) -> int:
    """Writes down that the messages of these plans went out on that day; how many."""
    speaking = [(one, one.intent) for one in plans if one.intent is not None]
    at = datetime.combine(on, FIRST.time(), UTC)
    rows = [
        {
            "key": secrets.token_hex(16), "connection_id": connection_id, "chase_id": plan.facts.chase_id,
            "step_id": intent.step.id, "occurrence": intent.occurrence, "revision": 1,
            "state": MessageState.ACCEPTED.value, "reason": "accepted", "channel": intent.step.way.value,
            "tone": intent.step.tone.value, "playbook": policy.playbook.name,
            "playbook_version": policy.playbook.version, "locale": "en", "fingerprint": "f" * 64, "recipients": "[]",
            "subject": "About your invoices", "text": "Please pay.", "html": "<p>Please pay.</p>",
            "currency": intent.at_stake.currency, "amount": intent.at_stake.amount, "planned_at": at,
            "planned_on": on, "attempts": 1, "accepted_at": at, "sent_on": on,
        }
        for plan, intent in speaking
    ]  # fmt: skip
    fill(work, t.messages, iter(rows))
    ids = dict(work.execute(select(t.messages.c.chase_id, t.messages.c.id)).tuples().all())
    fill(
        work,
        t.message_items,
        (
            {
                "message_id": ids[plan.facts.chase_id], "position": place, "invoice_id": item.invoice_id,
                "number": item.number, "amount": item.balance.amount, "due_on": item.due_on,
                "demanded": place < len(intent.demanded),
            }
            for plan, intent in speaking
            for place, item in enumerate((*intent.demanded, *intent.listed))
        ),
    )  # fmt: skip
    return len(rows)
