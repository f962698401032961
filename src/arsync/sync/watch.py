"""Whether what a pull brought can be what happened: each check is a sentence, or nothing.

Ordinary life must never trip one: a firm closed over Christmas, three invoices a month, a payment run once a month.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from arsync.connector import Company, Connector, Resource
from arsync.domain.documents import Customer
from arsync.store import pulse, suspicion, turns
from arsync.store.connections import Connection
from arsync.store.engine import Store, Work
from arsync.store.pulse import Beat
from arsync.store.suspicion import Suspicion, Trouble

#: Clocks may differ by so much.
TOLERANCE: Final = timedelta(minutes=15)
#: Fewer invoices closed or reopened at once are ordinary, whatever their share.
_MANY_CLOSED: Final = 20
_MANY_REOPENED: Final = 10
_MANY_GONE: Final = 5
#: A rhythm is known from so many days with payments, over so long.
_PAYMENT_DAYS: Final = 24
_RHYTHM: Final = timedelta(days=180)
_YEAR: Final = timedelta(days=380)
_FLOW: Final = 10
_PROBES: Final = 20
#: No pause of fewer days is silence.
_PAUSE: Final = 4


def another_company(store: Store, connection: Connection, connector: Connector, company: Company) -> Suspicion | None:
    """Another company answers than the one that was linked.

    A new name alone may be a new name: then customers that are known must still be there. One request for those.
    """
    if not connection.base_currency:
        return None  # not met before
    was = f"{connection.company_name} ({connection.external_id}, {connection.base_currency})"
    now = f"{company.name} ({company.external_id}, {company.base_currency})"
    found = Suspicion(Trouble.COMPANY, f"another company answers: {now} instead of {was}; nothing of it was stored")
    with store.reading() as work:
        source_id = suspicion.source_id(work, connection.id)
    if company.external_id != connection.external_id or source_id not in (None, company.source_id):
        return found
    if company.base_currency != connection.base_currency:
        return found
    if company.name == connection.company_name:
        return None
    with store.reading() as work:
        known = suspicion.customer_names(work, connection.id, _PROBES)
    if not known:
        return None
    met = 0
    for page in connector.records(Resource.CUSTOMERS, sorted(known)):
        for record in page.records:
            if isinstance(record, Customer):
                met += record.name.casefold() == known[record.remote_id].casefold()
    return found if met * 3 < len(known) else None


def skew(told_at: datetime | None, before: datetime, after: datetime) -> Suspicion | None:
    """The source's time is not ours: days would be counted from the wrong one."""
    if told_at is None or before - TOLERANCE <= told_at <= after + TOLERANCE:
        return None
    return Suspicion(
        Trouble.CLOCK,
        f"its clock said {told_at:%Y-%m-%d %H:%M} UTC when ours said {before:%Y-%m-%d %H:%M} UTC: one of them is wrong",
    )


def silence(beats: Sequence[Beat], today: date, trusted_since: date | None = None) -> Suspicion | None:
    """Payments stopped while invoices go on, by this connection's own rhythm.

    Either more than twice as many invoices since the last payment as ever came between two, or more than twice the
    longest pause; below a known rhythm (24 days with payments over half a year) nothing is said.
    """
    paid = [beat.on for beat in beats if beat.payments]
    if len(paid) < _PAYMENT_DAYS or paid[-1] - paid[0] < _RHYTHM:
        return None
    last = max(paid[-1], trusted_since or paid[-1])
    pause = (today - last).days
    since = sum(beat.invoices for beat in beats if last < beat.on <= today)
    if since < _FLOW or pause < _PAUSE:
        return None
    longest, most, between = 0, 0, 0
    before = paid[0]
    for beat in beats:
        between += beat.invoices if beat.on > before else 0
        if beat.payments:
            longest, most = max(longest, (beat.on - before).days), max(most, between)
            before, between = beat.on, 0
    usual = sum(beat.payments for beat in beats) / ((paid[-1] - paid[0]).days + 1)
    known_year = paid[-1] - paid[0] >= _YEAR
    flooded = since > (2 if known_year else 4) * most and pause * 2 > longest
    paused = pause > 2 * longest and usual * pause >= 15
    if not (flooded or paused):
        return None
    return Suspicion(
        Trouble.SILENCE,
        f"no payment since {last} while {since} invoices came; before, at most {most} invoices or {longest} days lay "
        "between two payments",
    )


def upheaval(work: Work, connection_id: int) -> Suspicion | None:
    """Half of what was open closed at once without money for it, or much that was paid is open again: of all that
    turned since this was last judged, whichever pull stored it."""
    turned = turns.unjudged(work, connection_id)
    closed, revived = len(turned.closed), len(turned.revived)
    if closed < _MANY_CLOSED and revived < _MANY_REOPENED:
        return None
    # Beyond this many neither share is reached: what is open needs no more counting.
    still_open = suspicion.open_count(work, connection_id, most=5 * revived + closed + 1)
    if revived >= _MANY_REOPENED and revived * 5 >= still_open:
        said = f"{revived} invoices that were paid are open again at once, of {still_open} open now"
        return Suspicion(Trouble.UPHEAVAL, said)
    if closed >= _MANY_CLOSED and closed >= still_open - revived:
        unpaid = suspicion.closed_without_money(work, connection_id, turned.closed)
        if unpaid * 2 >= closed:
            said = f"{closed} of {closed + still_open - revived} open invoices closed at once, {unpaid} without money"
            return Suspicion(Trouble.UPHEAVAL, said)
    return None


def incomplete(unlisted: int, listed: int) -> Suspicion | None:
    """The source's list leaves out what it knows when asked by id: half a page, a broken index."""
    if unlisted < 5 or unlisted * 10 < unlisted + listed:
        return None
    return Suspicion(
        Trouble.INCOMPLETE, f"its list of open items leaves out {unlisted} that it knows by id, and names {listed}"
    )


def vanished(gone: int, left: int) -> Suspicion | None:
    """Half of the money and credit on no invoice is not there any more, and no delta had said so: a right that the app
    has lost looks like this, and who has paid would be chased."""
    if gone < _MANY_GONE or gone < left:
        return None
    said = f"{gone} of {gone + left} payments and credits with something left on them are gone from the source at once"
    return Suspicion(Trouble.UPHEAVAL, said)


def judge(
    work: Work,
    connection: Connection,
    company: Company,
    new: Mapping[Resource, int],
    asked: tuple[datetime, datetime],
    today: date,
) -> list[Suspicion]:
    """What speaks against believing a sync that came through with so many records not met before; counts its beat."""
    pulse.add(work, connection.id, Beat(today, new[Resource.INVOICES], new[Resource.PAYMENTS]))
    found = (upheaval(work, connection.id), skew(company.told_at, *asked), _silence(work, connection.id, today))
    return [one for one in found if one is not None]


def _silence(work: Work, connection_id: int, today: date) -> Suspicion | None:
    """The two years of beats are read only where a pause is long enough to be one."""
    last = pulse.last_payment(work, connection_id, today)
    if last is None or (today - last).days < _PAUSE:
        return None
    return silence(pulse.beats(work, connection_id, today), today, suspicion.trusted_since(work, connection_id))
