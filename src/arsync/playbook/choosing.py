"""Which playbooks a replayed past follows: chosen as every night chooses, by conditions and by persons' choices.

Tags, customer groups, ratings and choices are those of today: the past of them is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Final

from arsync.domain.chase import ChaseFacts, Intent
from arsync.domain.policy import Act, Playbook
from arsync.domain.states import ChaseState
from arsync.playbook.facts import Gathered, Policy
from arsync.playbook.parts import Part, Parting
from arsync.playbook.paydays import PaymentDays
from arsync.playbook.places import Place
from arsync.playbook.shelves import Volume
from arsync.store import assignments
from arsync.store.chases import Chase
from arsync.store.connections import Connection
from arsync.store.engine import Work

_NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Followed:
    """What a chase follows on a day."""

    parts: tuple[Part, ...]
    name: str  # of the chase as a whole


def tried(policy: Policy, volume: Volume) -> Policy:
    """The policy as if that playbook lay in the folder: in the place of one of its name, and where it has no conditions
    in that of the settings' own playbook."""
    shelf = policy.shelf.with_present(volume.playbook.name, volume)
    if volume.playbook.match is not None:
        return replace(policy, shelf=shelf)
    return replace(policy, shelf=shelf, playbook=volume.playbook, templates=volume.templates, locales=volume.locales)


class Following:
    """Chooses for the chases of a connection, over and over on other days."""

    def __init__(
        self, work: Work, connection: Connection, policy: Policy, places: Mapping[str, Place], *, today: date
    ) -> None:
        self._connection = connection
        self._asked_by: dict[str, str] = {}
        gathered = Gathered((), places, asked_by=self._asked_by)
        # When payments were due to come is told by the facts of each day.
        self._parting = Parting(work, connection, policy, gathered, today, runs=PaymentDays())
        shelf = policy.shelf
        named = {one.playbook for one in assignments.standing(work, connection.id)} - set(shelf.volumes)
        others = [volume for name in sorted(named) if (volume := policy.shelves.named(name)) is not None]
        #: every playbook that anything may follow, the policy's own first
        self.playbooks: Sequence[Playbook] = list(
            {one.name: one for one in (policy.playbook, *shelf.playbooks, *(one.playbook for one in others))}.values()
        )

    def follow(self, facts: ChaseFacts, before: str | None, day: date) -> Followed:
        """The parts of a chase that day; `before` is what it followed when it was last asked about."""
        self._parting.turn_to(day)
        owes = any(item.balance for item in facts.items)
        chase = Chase(
            id=facts.chase_id, connection_id=self._connection.id, payer_id=facts.payer_id, currency=facts.currency,
            state=ChaseState.OPEN if owes else ChaseState.CLEAR, version=0, opened_at=_NEVER, playbook=before,
        )  # fmt: skip
        parted = self._parting.part(chase, facts)
        return Followed(parted.parts, parted.pin.playbook)

    def note(self, intent: Intent, playbook: str) -> None:
        """That playbook has asked for these invoices: it says thanks for them."""
        if intent.step.act is not Act.THANK_YOU:
            self._asked_by.update(dict.fromkeys((item.invoice_id for item in intent.demanded), playbook))


def chooses(work: Work, connection: Connection, policy: Policy) -> bool:
    """Whether not everything follows the policy's own playbook."""
    return policy.shelf.chooser.asks or bool(assignments.standing(work, connection.id))
