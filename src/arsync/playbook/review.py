"""What a changed playbook would do to chases that run on an older version, and a person's answer to it.

Chases stay on what they began with until somebody accepts the change; new chases take it at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from arsync.domain.chase import ChaseFacts, Plan
from arsync.domain.states import Health, MessageState
from arsync.errors import NotFound, UsageError
from arsync.playbook.answers import answer
from arsync.playbook.facts import Policy, gather
from arsync.playbook.parts import Parted, Parting
from arsync.playbook.shelves import Shelf, Volume
from arsync.store import playbooks
from arsync.store.connections import Connection
from arsync.store.engine import Work

Those = Sequence[tuple[Connection, Policy]]


@dataclass(frozen=True, slots=True)
class Move:
    """A chase that would be told something else by the present playbooks."""

    connection: str
    chase_id: int
    payer: str
    currency: str
    before: str  # playbook and where it stands on it
    after: str


@dataclass(frozen=True, slots=True)
class Review:
    """One playbook that is not any more what some running chases began with."""

    name: str
    change: str  # changed | added | removed
    chases: int  # run with another version, or without it
    refused: bool  # somebody has said that they stay
    moves: tuple[Move, ...]  # those of them that would stand elsewhere
    version: str = ""  # as new chases take it; none where it was removed


def review(work: Work, those: Those, *, now: datetime) -> list[Review]:
    """Every playbook that has changed under running chases; plans them as they are and as they would be."""
    pending = _pending(work, those)
    if not pending:
        return []
    moves: dict[str, list[Move]] = {name: [] for name in pending}
    for name in pending:
        instead = dict(_shelves(work, those, [name]))
        for connection, policy in those:
            moves[name] += _moves(work, connection, policy, instead, now)
    return [replace(one, moves=tuple(moves[one.name])) for one in _standing(work, pending)]


def standing(work: Work, those: Those) -> list[Review]:
    """The same without its moves: plans nothing."""
    return _standing(work, _pending(work, those))


def _standing(work: Work, pending: Mapping[str, tuple[str, str, int]]) -> list[Review]:
    refused = playbooks.refused(work)
    return [
        Review(name, change, chases, (name, version) in refused, (), version)
        for name, (change, version, chases) in sorted(pending.items())
    ]


def waiting(work: Work, those: Those) -> list[str]:
    """A sentence for each change that nobody has answered yet; plans nothing."""
    refused = playbooks.refused(work)
    return [
        f"playbook {name} was {change}: {_count(chases)} on what they began with until somebody accepts it"
        for name, (change, version, chases) in sorted(_pending(work, those).items())
        if (name, version) not in refused
    ]


def _count(chases: int) -> str:
    return "1 running chase stays" if chases == 1 else f"{chases} running chases stay"


def _pending(work: Work, those: Those) -> dict[str, tuple[str, str, int]]:
    """Playbook -> (what became of it, its present version, how many chases run on another)."""
    books, used = playbooks.rulebooks(work), playbooks.in_use(work)
    present: dict[str, str] = {}
    matched: set[str] = set()
    for _connection, policy in those:
        present |= policy.shelf.versions
        matched |= policy.shelf.matched
    found: Counter[str] = Counter()
    change: dict[str, str] = {}
    for rulebook, chases in used.items():
        versions = books.get(rulebook, {})
        for name in versions.keys() | present.keys():
            was, now = versions.get(name), _now(those, name)
            # One that nobody is matched to changes nothing for chases that do not have it.
            if was == now or (was is None and name not in matched):
                continue
            change[name] = "added" if was is None else "removed" if now is None else "changed"
            found[name] += chases
    return {name: (change[name], _now(those, name) or "", chases) for name, chases in found.items()}


def _now(those: Those, name: str) -> str | None:
    """The version that a new chase would take."""
    volume = _present(those, name)
    return None if volume is None else volume.playbook.version


def _present(those: Those, name: str) -> Volume | None:
    """The playbook as a new chase would take it."""
    for _connection, policy in those:
        if isinstance(volume := policy.shelf.volumes.get(name), Volume):
            return volume
    return those[0][1].shelves.named(name) if those else None


def _shelves(work: Work, those: Those, names: Collection[str]) -> Iterator[tuple[str, Shelf]]:
    """Each rulebook in use that these names change, with what it would be."""
    books = playbooks.rulebooks(work)
    _connection, policy = those[0]
    for rulebook in playbooks.in_use(work):
        before = after = policy.shelves.shelf(work, books.get(rulebook, {}), policy.shelf)
        for name in names:
            after = after.with_present(name, _present(those, name))
        if after.id != before.id:
            yield rulebook, after


def _moves(
    work: Work, connection: Connection, policy: Policy, instead: Mapping[str, Shelf], now: datetime
) -> list[Move]:
    today = policy.today(now)
    gathered = gather(work, connection, policy, now=now)
    # What stops everything today says nothing of the step that a chase stands on.
    facts = [_undisturbed(one) for one in gathered.facts]
    gathered = replace(gathered, facts=tuple(facts))
    before = Parting(work, connection, policy, gathered, today)
    after = Parting(work, connection, policy, gathered, today, instead)
    found = []
    for chase, one in zip(gathered.chases, facts, strict=True):
        if chase.rulebook not in instead:
            continue
        was, would = (answer(gathered, parting, chase, one, today) for parting in (before, after))
        places = _stands(was.parted, was.plan), _stands(would.parted, would.plan)
        if places[0] != places[1]:
            found.append(Move(connection.name, chase.id, one.payer_name, one.currency, *places))
    return found


def _undisturbed(facts: ChaseFacts) -> ChaseFacts:
    calm = replace(facts.connection, stopped=None, health=Health.OK, stale=False, source_reminds=False)
    # Nor does a message that waits: it would be planned anew.
    gone = tuple(past for past in facts.history if past.state not in (MessageState.PLANNED, MessageState.APPROVED))
    return replace(facts, connection=calm, history=gone)


def _stands(parted: Parted | None, said: Plan) -> str:
    """The playbook and the step that comes next, with its day."""
    names = sorted({part.choice.name for part in parted.parts}) if parted else ["nobody knows"]
    first = next((verdict for verdict in said.verdicts if verdict.step_id is not None), None)
    if first is None:
        rules = sorted({verdict.rule.value for verdict in said.verdicts})
        return f"{'+'.join(names)}: {', '.join(rules) or 'nothing'}"
    when = "today" if said.intent is not None else f"on {first.next_on}" if first.next_on else first.rule.value
    return f"{'+'.join(names)}: {first.step_id} {when}"


def accept(work: Work, those: Those, names: Collection[str], *, author: str, now: datetime) -> int:
    """Lets running chases go on with the present versions of these playbooks; how many chases it concerns. Where two
    of the same priority would stand together, UsageError says which to accept at the same time."""
    _known(work, those, names)
    moved = 0
    _connection, policy = those[0]
    for rulebook, after in list(_shelves(work, those, names)):
        if after.clashes:
            said = "; ".join(f"{problem.file} {problem.message}" for problem in after.clashes)
            raise UsageError(f"{said}: accept these together")
        policy.shelves.keep(work, after, now=now)
        moved += playbooks.replace(work, rulebook, after.id)
    playbooks.accept(work, names, moved, author=author, now=now)
    return moved


def keep(work: Work, those: Those, name: str, *, author: str, now: datetime) -> None:
    """Refuses the present version for running chases: they stay, and nobody is asked again about it."""
    _change, version, _chases = _known(work, those, [name])[name]
    playbooks.refuse(work, name, version, author=author, now=now)


def _known(work: Work, those: Those, names: Collection[str]) -> dict[str, tuple[str, str, int]]:
    pending = _pending(work, those)
    for name in names:
        if name not in pending:
            raise NotFound(f"a change of playbook {name!r} that running chases have not taken")
    return pending
