"""A person has looked at a connection that was suspect, and says that its data are right."""

from __future__ import annotations

from arsync.connector import Clock, Connector
from arsync.domain.states import Health
from arsync.errors import UsageError
from arsync.store import connections, suspicion
from arsync.store.connections import Connection
from arsync.store.engine import Store
from arsync.store.suspicion import Suspicion, Trouble


def trust(
    store: Store,
    connection: Connection,
    connector: Connector,
    clock: Clock,
    *,
    author: str,
    reason: str,
    trouble: Trouble | None = None,
) -> Suspicion:
    """Ends one suspicion, the only one or the one named; messages go out again after the next sync if no other stands.

    UsageError where a person's word cannot help, or where several stand and none is named.
    """
    with store.reading() as work:
        every = suspicion.standing(work, connection.id)
    believed = _named(connection, every, trouble)
    if believed.trouble is Trouble.CLOCK:
        raise UsageError("set the clock right: the next sync ends it by itself")
    company = connector.company() if believed.trouble is Trouble.COMPANY else None
    if company is not None and company.external_id.casefold() != connection.external_id.casefold():
        raise UsageError(f"{company.name} is company {company.external_id}: link it by `arsync connect`")
    with store.working() as work:
        now = clock.now()
        if company is not None:
            connections.describe(work, connection.id, company, now=now)
            suspicion.remember_company(work, connection.id, company, now=now)
        if believed.trouble is Trouble.SILENCE:
            suspicion.trust_silence(work, connection.id, now.date(), now=now)
        if believed.trouble is Trouble.FOREIGN:
            suspicion.trust_foreign(work, connection.id, now=now)
        suspicion.clear(work, connection.id, {believed.trouble}, author=author, reason=reason, now=now)
        said = f"trusted by {author} ({reason}), not synced since"
        connections.set_health(work, connection.id, Health.PARTIAL, said)
        suspicion.mark(work, connection.id)
        work.commit()
    return believed


def _named(connection: Connection, every: list[Suspicion], trouble: Trouble | None) -> Suspicion:
    """The suspicion that a person means: each is looked at and ended on its own."""
    if not every:
        raise UsageError(f"{connection.name} is not suspect: it is {connection.health}, {connection.health_reason}")
    meant = [one for one in every if trouble in (None, one.trouble)]
    if len(meant) != 1:
        stand = "; ".join(f"{one.trouble}: {one.reason}" for one in every)
        raise UsageError(f"say which by --trouble; of {connection.name} there stands {stand}")
    return meant[0]
