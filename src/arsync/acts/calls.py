"""The calls to make."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from arsync.bootstrap import App
from arsync.domain.people import REACHED
from arsync.store import calls, connections, events, messages, touches
from arsync.store.calls import Stake
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.messages import Message
from arsync.store.touches import Outcome
from arsync.worker.calls import OpenedCall
from arsync.worker.calls import as_it_stands as cached
from arsync.worker.calls import open_call as reread


@dataclass(frozen=True, slots=True)
class Due:
    """A call to make."""

    message: Message
    stake: Stake  # as the cache stands
    tried: Outcome | None  # the last try, on which nobody was spoken to


def waiting_calls(app: App, work: Work, only: Collection[int] | None = None) -> list[Due]:
    """The calls to make, of all companies or of these: nobody was spoken to yet, and something that they are about is
    owed and stopped by nothing. The most money first, as the cache stands."""
    days = {one.id: app.today(one) for one in connections.connections(work) if only is None or one.id in only}
    every = [one for one in messages.calls(work) if one.connection_id in days]
    last = touches.last_outcomes(work, [one.id for one in every])
    stakes = calls.stakes(work, every, days)
    due = [
        Due(one, stakes[one.id], last.get(one.id))
        for one in every
        if (one.id not in last or last[one.id].outcome not in REACHED)
        and (stakes[one.id].invoice_ids or not one.amount)  # a task that asks for nothing is a person's all the same
    ]
    return sorted(due, key=lambda one: (-one.stake.open.amount, one.message.id))


def open_call(app: App, company: Connection, message: Message, *, who: str) -> OpenedCall | None:
    """Reads the payer of a call again: the call as it stands then, or None where nobody is to be rung. ConnectorError
    where the source cannot be read."""
    told = reread(app.store, app.intake(company), app.clock, message)
    with app.store.working() as work:
        events.log(
            work, "call_opened", at=app.clock.now(), author=who, connection_id=company.id, chase_id=message.chase_id,
            message_id=message.id,
        )  # fmt: skip
        work.commit()
    return told


def as_it_stands(app: App, company: Connection, message: Message) -> OpenedCall | None:
    """The call as the cache stands; None where nobody is to be rung."""
    return cached(app.store, company.id, app.policy(company), message, now=app.clock.now())


def tried_on(tried: Outcome | None) -> str:
    """How the last try of a call ended."""
    return f"{tried.outcome.replace('_', ' ')} on {tried.made_on}" if tried else ""
