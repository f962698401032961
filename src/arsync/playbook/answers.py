"""The planner's answers for the chases of a connection, on the facts as they stand in the cache; nothing is saved.

One chase that cannot be worked out is held for a person and never stops the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from arsync.domain.calendar import NeverOpens
from arsync.domain.chase import ChaseFacts, Plan, Rule, Verdict
from arsync.domain.record import record
from arsync.domain.states import Decision, MessageState
from arsync.errors import DatabaseUnusable, Locked
from arsync.playbook.facts import Gathered, Pages, Policy
from arsync.playbook.parts import Parted, Parting, plan_parts
from arsync.playbook.places import Place
from arsync.store.chases import Chase
from arsync.store.connections import Connection
from arsync.store.engine import Work

#: What no single chase is to blame for: it stops the run.
NOBODYS: Final = (DatabaseUnusable, Locked, MemoryError)
_LONGEST: Final = 200
#: A message that no worker has claimed yet: the planner may still change its mind about it.
PENDING: Final = (MessageState.PLANNED, MessageState.APPROVED)


@record(frozen=True, slots=True)
class Answered:
    """The answer for one chase, with the policy that its message would follow."""

    plan: Plan
    policy: Policy
    parted: Parted | None  # what it runs on; None where nobody could tell


class Answers:
    """The first pass over a connection's chases, some payers at a time; the second, `admit`, asks about them all."""

    def __init__(self, work: Work, connection: Connection, policy: Policy, *, now: datetime, today: date) -> None:
        self._work, self._connection, self._policy, self._today = work, connection, policy, today
        self._pages = Pages(work, connection, policy, now=now, today=today)
        self._parting: Parting | None = None

    @property
    def count(self) -> int:
        """How many chases there are."""
        return self._pages.count

    def read(self, among: Mapping[int, str] | None = None) -> Iterator[list[Answered]]:
        """The answer for every chase, or for some of them: these, each with its payer."""
        for gathered in self._pages.read(among):
            yield self._answered(gathered)

    def _answered(self, gathered: Gathered) -> list[Answered]:
        if self._parting is None:
            self._parting = Parting(self._work, self._connection, self._policy, gathered, self._today)
        self._parting.go_on_with(gathered)
        page = []
        for chase, facts in zip(gathered.chases, gathered.facts, strict=True):
            # A message that waits in the outbox is not history yet: the plan is made anew and compared with it.
            if facts.history and any(past.state in PENDING for past in facts.history):
                history = tuple(past for past in facts.history if past.state not in PENDING)
                facts = replace(facts, history=history)  # noqa: PLW2901 - the same chase
            page.append(answer(gathered, self._parting, chase, facts, self._today))
        return page


def answer(gathered: Gathered, parting: Parting, chase: Chase, facts: ChaseFacts, today: date) -> Answered:
    """One chase by its playbooks."""
    parted: Parted | None = None
    place = gathered.place(facts.payer_id)
    try:
        if chase.id in gathered.puzzling:
            raise gathered.puzzling[chase.id]
        parted = parting.part(chase, facts)
        planned, part = plan_parts(facts, parted.parts, place, today)
        return Answered(planned, part.policy, parted)
    except NeverOpens:
        plan = held(facts, never_opens(facts, place, _names(parted)))
    except NOBODYS:
        raise
    except Exception as error:  # noqa: BLE001 - one chase never stops the other 999
        plan = unplannable(facts, error)
    return Answered(plan, parted.parts[0].policy if parted else parting.policy, parted)


def unplannable(facts: ChaseFacts, error: Exception) -> Plan:
    """Every invoice of the chase held for a person, with what is wrong."""
    what = f"{type(error).__name__}: {error}".removesuffix(": ")
    said = " ".join(what.split())[:_LONGEST]
    return held(facts, f"{facts.payer_name} cannot be planned ({said}); a person must look at its invoices")


def held(facts: ChaseFacts, reason: str) -> Plan:
    """As `unplannable`, with the whole reason."""
    return Plan(
        facts,
        tuple(Verdict(item.invoice_id, Decision.HOLD, Rule.UNPLANNABLE, reason, None) for item in facts.items),
    )


def never_opens(facts: ChaseFacts, place: Place, playbook: str) -> str:
    """The reason where nothing can ever be sent to the payer, and what a person must do."""
    there = ", ".join(filter(None, (place.region, place.country))) or "the customer's country"
    return (
        f"the send window of {playbook} never opens for {facts.payer_name}: holidays, blackouts and closed days leave "
        f"no business day of two years in {there}; a person must widen the window"
    )


def _names(parted: Parted | None) -> str:
    names = sorted({part.choice.name for part in parted.parts}) if parted else []
    return f"playbook {' or '.join(names)}" if names else "its playbook"
