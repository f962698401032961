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
    store: Store, connection: Connection, connector: Connector, clock: Clock, *, author: str, reason: str
) -> Suspicion:
    """Ends the suspicion; messages go out again after the next sync. UsageError where a person's word cannot help."""
    with store.reading() as work:
        standing = suspicion.standing(work, connection.id)
    if standing is None:
        raise UsageError(f"{connection.name} is not suspect: it is {connection.health}, {connection.health_reason}")
    if standing.trouble is Trouble.CLOCK:
        raise UsageError("set the clock right: the next sync ends it by itself")
    company = connector.company() if standing.trouble is Trouble.COMPANY else None
    if company is not None and company.external_id.casefold() != connection.external_id.casefold():
        raise UsageError(f"{company.name} is company {company.external_id}: link it by `arsync connect`")
    with store.working() as work:
        now = clock.now()
        if company is not None:
            connections.describe(work, connection.id, company, now=now)
            suspicion.remember_company(work, connection.id, company, now=now)
        if standing.trouble is Trouble.SILENCE:
            suspicion.trust_silence(work, connection.id, now.date(), now=now)
        if standing.trouble is Trouble.FOREIGN:
            suspicion.trust_foreign(work, connection.id, now=now)
        suspicion.clear(work, connection.id, author=author, reason=reason, now=now)
        said = f"trusted by {author} ({reason}), not synced since"
        connections.set_health(work, connection.id, Health.PARTIAL, said)
        work.commit()
    return standing
