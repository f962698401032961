"""What the figures of a company's past and present may lack, in words."""

from __future__ import annotations

from arsync.domain.clock import local_date
from arsync.domain.money import Money
from arsync.domain.states import Health
from arsync.report.sheet import Office
from arsync.store import aged, connections
from arsync.store.engine import Work


def doubts(work: Work, office: Office, *, replayed: bool = True) -> list[str]:
    """A line for each reason why a source's own report may say otherwise; `replayed`: balances of the day are told."""
    found = _of_the_books(work, office)
    if replayed:
        found += _of_the_day(work, office)
    return [f"{office.name}: {why}" for why in found]


def _of_the_books(work: Work, office: Office) -> list[str]:
    one = office.connection
    found = []
    if one.synced_at is None:
        found.append("its books have never been read whole")
    elif local_date(one.synced_at, office.timezone) < office.on:
        found.append(f"its books were last read whole at {one.synced_at:%Y-%m-%d %H:%M} UTC, before the report's day")
    if one.health is not Health.OK:
        found.append(f"{one.health}: {one.health_reason}")
    if count := len(connections.quarantined(work, office.id)):
        found.append(f"records in quarantine, and so in no figure: {count} (arsync quarantine)")
    return found


def _of_the_day(work: Work, office: Office) -> list[str]:
    found = []
    if office.on == office.today:
        for later in aged.dated_later(work, office.id, office.on):
            if later.open:
                found.append(f"{Money(later.open, later.currency)} of invoices dated later are left out")
            if later.put:
                put = Money(later.put, later.currency)
                found.append(f"{put} of money and credit dated later is counted as not there yet")
        return found
    for gone in aged.unexplained(work, office.id, office.on):
        amount = Money(gone.amount, gone.currency)
        found.append(
            f"invoices that no known payment or credit explains: {gone.invoices}, by {amount} that is taken for "
            "never owed"
        )
    return found
