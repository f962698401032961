"""What is to be done today: verdicts for every open invoice, and messages in the outbox.

Decisions are the planner's (`plan`, `admit`: pure); this writes its answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from arsync.domain.chase import Plan, Rule
from arsync.domain.states import Decision, MessageState
from arsync.playbook.answers import NOBODYS, PENDING, Answered, unplannable
from arsync.playbook.drafts import news, not_now, save, still_holds, told, unwritable, why_not, withdraw
from arsync.playbook.facts import Policy
from arsync.playbook.passes import passes
from arsync.store import approvals, chases, finding, holds, messages, playbooks
from arsync.store.connections import Connection
from arsync.store.engine import Store, Work
from arsync.store.messages import Message
from arsync.store.verdicts import Recording


@dataclass(frozen=True, slots=True)
class Decided:
    """What planning a connection gave."""

    said: Counter[Decision]  # how many invoices were told to act, to wait or to hold
    planned: int = 0  # new messages and new revisions
    kept: int = 0  # messages of an earlier run that still hold
    superseded: int = 0
    changed: int = 0  # verdicts
    opened: int = 0
    closed: int = 0
    set_aside: tuple[str, ...] = ()  # messages whose rows nobody can read: a person must know
    waiting: frozenset[int] = frozenset()  # messages kept, but not for now: the button, the cap, the breaker
    capped: Counter[str] = field(default_factory=Counter)  # how many would go but for a cap, by what it says


def decide(store: Store, connection: Connection, policy: Policy, *, now: datetime, run_id: int) -> Decided:
    """Plans a connection and saves verdicts, new messages and withdrawals in one commit."""
    today = policy.today(now)
    with store.working() as work:
        opened, closed = chases.follow(work, connection.id, now=now)
        holds.expire(work, connection.id, today=today, now=now)
        approvals.expire(work, connection.id, now=now)
        desk = _Desk(work, connection, policy, now, today, Recording(work, connection.id, run_id=run_id, today=today))
        for page in passes(work, connection, policy, now=now, today=today):
            _pin(work, policy, page, now)
            desk.settle(page)
        desk.close()
        work.commit()
    counts = (desk.planned, desk.kept, desk.superseded, desk.verdicts.changed, opened, closed)
    return Decided(desk.said, *counts, tuple(desk.set_aside), frozenset(desk.waiting), desk.capped)


@dataclass(slots=True)
class _Desk:
    """Where answers are written down: verdicts, messages that are new, and those that no longer hold."""

    work: Work
    connection: Connection
    policy: Policy
    now: datetime
    today: date
    verdicts: Recording
    said: Counter[Decision] = field(default_factory=Counter)
    planned: int = 0
    kept: int = 0
    superseded: int = 0
    set_aside: list[str] = field(default_factory=list)
    capped: Counter[str] = field(default_factory=Counter)
    waiting: set[int] = field(default_factory=set)
    _chases: set[int] = field(default_factory=set)
    _refused: dict[int, tuple[Message, set[str]]] = field(default_factory=dict)  # with what each had asked for
    _owed: set[str] = field(default_factory=set)  # of that

    def __post_init__(self) -> None:
        for message in messages.in_states(self.work, (MessageState.FAILED,), self.connection.id):
            asked = {item.invoice_id for item in messages.items(self.work, message.id) if item.demanded}
            self._refused[message.id] = message, asked

    def settle(self, page: Sequence[Answered]) -> None:
        """Writes down answers that are final."""
        ids = [one.plan.facts.chase_id for one in page]
        self._chases.update(ids)
        waiting = messages.in_states(self.work, PENDING, self.connection.id, chase_ids=ids)
        pending = {message.chase_id: message for message in waiting}
        given = []
        plans = told(self.work, self.connection.id, self.policy, [one.plan for one in page])
        for plan, one in zip(plans, page, strict=True):
            name = plan.facts.chase_id
            said = self._settled(plan, one.policy, pending.get(name)).verdicts
            given += [(name, verdict) for verdict in said]
            self.capped.update({verdict.reason for verdict in said if verdict.rule is Rule.CAP})
            if self._refused:
                self._owed |= {item.invoice_id for item in plan.facts.items if item.balance}
        self.said.update([verdict.decision for _, verdict in given])
        self.verdicts.keep(given, ids)

    def _settled(self, answer: Plan, own: Policy, message: Message | None) -> Plan:
        """The message of a chase, new, kept or withdrawn; the plan with what came of it."""
        if message is not None:
            try:
                if answer.intent is not None and still_holds(message, answer, answer.intent, own):
                    self.kept += 1
                    return answer
                why = news(self.work, "since it was planned", message, answer)
            except NOBODYS:
                raise
            except Exception as error:  # noqa: BLE001 - one chase never stops the others
                answer = unplannable(answer.facts, error)
                why = why_not(self.work, message, answer)
            if answer.intent is None and not_now(self.work, message, answer):
                self.kept += 1
                self.waiting.add(message.id)
                return answer
            if not self._withdraw(message, why):
                self.kept += 1  # a person has answered while it was planned: the next look is about that
                return answer
        intent = answer.intent
        if intent is None:
            return answer
        wrong = save(self.work, self.connection, own, answer, intent, now=self.now, today=self.today, before=message)
        if wrong is None:
            self.planned += 1
            return answer
        return unwritable(answer, intent, wrong)

    def close(self) -> None:
        """What no chase was asked about any more."""
        for message in messages.in_states(self.work, PENDING, self.connection.id, but_chases=self._chases):
            self._withdraw(message, "nothing is owed any more")  # its chase is clear
        # What the channel refused is nobody's task any more once nothing it demanded is owed.
        for message, asked in self._refused.values():
            if not asked & self._owed:
                self._withdraw(message, "nothing it demanded is owed any more")
        self.verdicts.close()

    def _withdraw(self, message: Message, why: str) -> bool:
        gone = withdraw(self.work, message, why, self.now)
        self.superseded += gone
        if gone and message.unreadable:
            to = finding.customer_name(self.work, self.connection.id, message.payer_id)
            self.set_aside.append(
                f"message {message.id} ({message.step_id} to {to}) is set aside: {message.unreadable}; what is still "
                "to be said is planned anew"
            )
        return gone


def _pin(work: Work, policy: Policy, every: Iterable[Answered], now: datetime) -> None:
    """Notes what each chase runs on from now on, as far as that is news; the versions themselves are kept first."""
    known = [one.parted for one in every if one.parted is not None]
    shelves = {parted.shelf.id: parted.shelf for parted in known if parted.shelf.id != parted.pin.chase.rulebook}
    for shelf in shelves.values():
        policy.shelves.keep(work, shelf, now=now)
    playbooks.pin(work, [parted.pin for parted in known], now=now)
