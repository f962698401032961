"""Playbooks that a person chose for a customer, or for one invoice."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, insert, or_, select, update

from arsync.store import chases, events
from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_A: Final = t.playbook_assignments.c


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which playbook, for whom, by whom and why; it stands until `ended_at`."""

    id: int
    connection_id: int
    payer_id: str
    invoice_id: str | None
    playbook: str
    reason: str
    author: str
    created_at: datetime
    ended_at: datetime | None


_COLUMNS: Final = tuple(_A[name] for name in Assignment.__slots__)
_STANDING: Final = Prepared(
    select(*_COLUMNS).where(_A.connection_id == bindparam("of"), _A.ended_at.is_(None)).order_by(_A.id)
)


def assign(
    work: Work,
    connection_id: int,
    *,
    payer_id: str,
    invoice_id: str | None,
    playbook: str,
    reason: str,
    author: str,
    now: datetime,
) -> int:
    """Chooses a playbook in the place of one chosen before; what is about to leave for the payer is planned anew."""
    chases.bump(work, connection_id, [payer_id])
    _end(work, connection_id, payer_id, invoice_id, now)
    made = insert(t.playbook_assignments).values(
        connection_id=connection_id, payer_id=payer_id, invoice_id=invoice_id, playbook=playbook, reason=reason,
        author=author, created_at=now,
    )  # fmt: skip
    events.log(
        work, "playbook_assigned", at=now, author=author, connection_id=connection_id, payer=payer_id,
        invoice=invoice_id, playbook=playbook, reason=reason,
    )  # fmt: skip
    return int(work.execute(made.returning(_A.id)).scalar_one())


def clear(work: Work, connection_id: int, *, payer_id: str, invoice_id: str | None, author: str, now: datetime) -> bool:
    """Ends what was chosen for exactly that payer or invoice; whether there was something."""
    chases.bump(work, connection_id, [payer_id])
    if not _end(work, connection_id, payer_id, invoice_id, now):
        return False
    events.log(
        work, "playbook_unassigned", at=now, author=author, connection_id=connection_id, payer=payer_id,
        invoice=invoice_id,
    )  # fmt: skip
    return True


def standing(work: Work, connection_id: int) -> list[Assignment]:
    """All that stand, oldest first: of two for the same the later counts."""
    return [Assignment(*row) for row in _STANDING(work, of=connection_id)]


def of_payer(work: Work, connection_id: int, payer_id: str, invoice_id: str) -> list[Assignment]:
    """Every one there ever was for the payer or the invoice, oldest first."""
    mine = or_(and_(_A.payer_id == payer_id, _A.invoice_id.is_(None)), _A.invoice_id == invoice_id)
    return _found(work, _A.connection_id == connection_id, mine)


def absorb(work: Work, connection_id: int, former: str, survivor: str) -> int:
    """After a merge the former payer's are the survivor's; where both have one, the survivor's own counts on."""
    own = select(_A.id).where(_of(connection_id, survivor), _A.invoice_id.is_(None), _A.ended_at.is_(None)).limit(1)
    moved = _of(connection_id, former)
    if work.execute(own).first() is not None:
        # Kept for the story, ended: the customer that went on was chosen for by name.
        same = and_(moved, _A.invoice_id.is_(None), _A.ended_at.is_(None))
        work.execute(update(t.playbook_assignments).where(same).values(ended_at=_A.created_at))
    return work.execute(update(t.playbook_assignments).where(moved).values(payer_id=survivor)).rowcount


def share(work: Work, connection_id: int, former: str, payer_id: str) -> int:
    """A customer leaves a payer that goes on: what was chosen for both is chosen for it, if it has nothing itself."""
    own = _found(work, _of(connection_id, payer_id), _A.invoice_id.is_(None), _A.ended_at.is_(None))
    theirs = _found(work, _of(connection_id, former), _A.invoice_id.is_(None), _A.ended_at.is_(None))
    if own or not theirs:
        return 0
    one = theirs[-1]
    work.execute(
        insert(t.playbook_assignments).values(
            connection_id=connection_id, payer_id=payer_id, invoice_id=None, playbook=one.playbook, reason=one.reason,
            author=one.author, created_at=one.created_at,
        )
    )  # fmt: skip
    return 1


def rebill(work: Work, connection_id: int, invoice_ids: Collection[str], payer_id: str) -> int:
    """What was chosen for single invoices goes with them."""
    theirs = and_(_A.connection_id == connection_id, among(work, _A.invoice_id, invoice_ids))
    return work.execute(update(t.playbook_assignments).where(theirs).values(payer_id=payer_id)).rowcount


def _end(work: Work, connection_id: int, payer_id: str, invoice_id: str | None, now: datetime) -> int:
    same = _A.invoice_id.is_(None) if invoice_id is None else _A.invoice_id == invoice_id
    statement = update(t.playbook_assignments).where(_of(connection_id, payer_id), same, _A.ended_at.is_(None))
    return work.execute(statement.values(ended_at=now)).rowcount


def _of(connection_id: int, payer_id: str) -> ColumnElement[bool]:
    return and_(_A.connection_id == connection_id, _A.payer_id == payer_id)


def _found(work: Work, *where: ColumnElement[bool]) -> list[Assignment]:
    return [Assignment(*tuple(row)) for row in work.execute(select(*_COLUMNS).where(*where).order_by(_A.id))]
