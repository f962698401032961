"""What each of our people did, counted from what they said and decided."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import func, select

from arsync.domain.people import REACHED, CallOutcome
from arsync.domain.states import HoldKind
from arsync.store import tables as t
from arsync.store.engine import Work


class Act(StrEnum):
    """A kind of work."""

    REACHED = "calls reached"  # of the list, and the customer was spoken to
    NOT_REACHED = "calls not reached"
    BY_HAND = "by hand"  # calls, mails, letters and visits without arsync
    APPROVED = "approved"  # messages
    PROMISES = "promises"  # kept of what a customer said; a plan of instalments is one
    DISPUTES = "disputes"
    REPLIES = "replies"  # handled
    COMMENTS = "comments"


def acts(
    work: Work, connection_id: int, *, first: date, last: date, since: datetime, before: datetime
) -> dict[str, Counter[Act]]:
    """By author: what was done from the first day to the last, which is from `since` until `before`; what was taken
    back is left out. A fixed number of queries."""
    found: defaultdict[str, Counter[Act]] = defaultdict(Counter)
    o, m, k = t.call_outcomes.c, t.messages.c, t.touches.c
    calls = (
        select(o.author, o.outcome, func.count())
        .select_from(t.call_outcomes.join(t.messages, m.id == o.message_id))
        .where(m.connection_id == connection_id, o.made_on.between(first, last), o.undone_at.is_(None))
        .group_by(o.author, o.outcome)
    )
    for author, outcome, count in work.execute(calls):
        found[author][Act.REACHED if CallOutcome(outcome) in REACHED else Act.NOT_REACHED] += count
    by_hand = (
        select(k.author, func.count())
        .where(k.connection_id == connection_id, k.made_on.between(first, last), k.undone_at.is_(None))
        .group_by(k.author)
    )
    for author, count in work.execute(by_hand):
        found[author][Act.BY_HAND] += count
    # A yes goes along with a message that is planned anew for the same step.
    approved = (
        select(m.approved_by, m.chase_id, m.step_id, m.occurrence)
        .where(m.connection_id == connection_id, m.approved_at >= since, m.approved_at < before)
        .distinct()
    )
    for author, *_ in work.execute(approved):
        found[author][Act.APPROVED] += 1
    p, plan, h, c, r = t.promises.c, t.plans.c, t.holds.c, t.comments.c, t.replies.c
    told = (
        (Act.PROMISES, p.author, p.created_at, (p.connection_id == connection_id, p.plan_id.is_(None))),
        (Act.PROMISES, plan.author, plan.created_at, (plan.connection_id == connection_id,)),
        (Act.DISPUTES, h.author, h.created_at, (h.connection_id == connection_id, h.kind == HoldKind.DISPUTE.value)),
        (Act.COMMENTS, c.author, c.created_at, (c.connection_id == connection_id,)),
        (Act.REPLIES, r.done_by, r.done_at, (r.connection_id == connection_id, r.done_by.is_not(None))),
    )
    for act, author_of, at, where in told:
        query = select(author_of, func.count()).where(*where, at >= since, at < before).group_by(author_of)
        for author, count in work.execute(query):
            found[author][act] += count
    return dict(found)
