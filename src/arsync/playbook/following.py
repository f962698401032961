"""Which playbooks a payer's chases follow now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from arsync.domain.policy import Playbook
from arsync.playbook.choose import Choice
from arsync.playbook.facts import Policy, gather
from arsync.playbook.parts import Part, Parting
from arsync.store import chases
from arsync.store.connections import Connection
from arsync.store.engine import Work


def followed(
    work: Work, connection: Connection, policy: Policy, payer_id: str, invoice_id: str | None, *, now: datetime
) -> list[Playbook]:
    """The playbooks in the versions that the payer's chases run on, or the one that the invoice follows; the company's
    own where nothing is chased."""
    found: dict[str, Playbook] = {}
    for part in _parts(work, connection, policy, payer_id, now=now):
        if invoice_id is None or any(item.invoice_id == invoice_id for item in part.facts.items):
            found[part.policy.playbook.version] = part.policy.playbook
    return list(found.values()) or [policy.playbook]


def choices(work: Work, connection: Connection, policy: Policy, payer_id: str, *, now: datetime) -> dict[str, Choice]:
    """Of each invoice of the payer's chases the playbook that it follows, and why."""
    parts = _parts(work, connection, policy, payer_id, now=now)
    return {item.invoice_id: part.choice for part in parts for item in part.facts.items}


def _parts(work: Work, connection: Connection, policy: Policy, payer_id: str, *, now: datetime) -> Iterator[Part]:
    for chase in chases.live_chases(work, connection.id):
        if chase.payer_id != payer_id:
            continue
        gathered = gather(work, connection, policy, now=now, chase=chase)
        parting = Parting(work, connection, policy, gathered, policy.today(now))
        yield from parting.part(chase, gathered.facts[0]).parts
