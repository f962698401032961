"""What came to an address that others post to is counted."""

from __future__ import annotations

from datetime import timedelta

from tests.integration.store.books import NOW

from arsync.domain.posted import Reception
from arsync.store import doors
from arsync.store.engine import Store


def test_each_post_is_counted_by_what_became_of_it(store: Store) -> None:
    with store.working() as work:
        doors.note(work, "xero", Reception.TAKEN, now=NOW)
        doors.note(work, "xero", Reception.KNOWN, now=NOW + timedelta(minutes=1))
        doors.note(work, "xero", Reception.REFUSED, now=NOW + timedelta(minutes=2), why="x-xero-signature", count=3)
        doors.note(work, "intuit", Reception.STRANGER, now=NOW)
        work.commit()
    with store.reading() as work:
        intuit, xero = doors.every(work)
    assert (intuit.name, intuit.stranger, intuit.bad_at) == ("intuit", 1, None)
    assert (xero.taken, xero.known, xero.refused, xero.malformed) == (1, 1, 3, 0)
    assert (xero.good_at, xero.bad_at) == (NOW + timedelta(minutes=1), NOW + timedelta(minutes=2))
    assert xero.bad == "x-xero-signature"
