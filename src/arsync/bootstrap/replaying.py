"""Replaying a company's past with playbooks of the installation: what each would have done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from arsync.bootstrap.app import App
from arsync.domain.clock import local_date
from arsync.errors import UsageError
from arsync.playbook.choosing import Following, chooses, tried
from arsync.playbook.places import Place
from arsync.playbook.simulate import simulate
from arsync.playbook.simulated import Simulation
from arsync.store import past
from arsync.store.connections import Connection
from arsync.store.past import Past


@dataclass(frozen=True, slots=True)
class Replayed:
    """One company: its past, and what each playbook would have done with it."""

    name: str
    past: Past
    found: tuple[Simulation, ...]


def replayed(app: App, connection: Connection, names: Sequence[str], first: date, last: date) -> Replayed:
    """What each of these playbooks, by name or file, would have done from the first day to the last; UsageError where
    the cache does not know so much."""
    policy = app.policy(connection)
    known = None if connection.synced_at is None else local_date(connection.synced_at, policy.seller.timezone)
    if known is None or last > known:
        until = "nothing yet" if known is None else f"nothing after {known}, its last complete sync"
        raise UsageError(f"to {last}: of {connection.name} the cache knows {until}")
    policies = [tried(policy, app.volume(name)) for name in names]
    habits = any(step.before_payment_run for one in policies for step in one.shelf.steps)
    with app.store.reading() as work:
        known_past = past.read(work, connection.id, first=first, last=last, local=policy.today, habits=habits)
        places = {payer_id: Place(one.country, one.region) for payer_id, one in known_past.payers.items()}
        found = tuple(
            simulate(
                known_past,
                one,
                connection_id=connection.id,
                name=connection.name,
                following=Following(work, connection, one, places, today=last)
                if chooses(work, connection, one)
                else None,
            )
            for one in policies
        )
    return Replayed(connection.name, known_past, found)
