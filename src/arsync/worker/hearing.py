"""Once a day: the mail provider's own lists of addresses that it does not write to, as a backstop of its webhook."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Protocol

from arsync.connector import Clock
from arsync.domain.feedback import ProviderEvent
from arsync.inbox.feedback import Heard, read_list
from arsync.store import provider_events
from arsync.store.engine import Store

_EVERY: Final = timedelta(hours=20)
#: What came on a list while it was read is read again.
_OVERLAP: Final = timedelta(hours=1)


class AddressLists(Protocol):
    """The lists of a mail provider."""

    def since(self, start: datetime | None) -> Iterable[ProviderEvent]:
        """What came on them from then on, or ever; ConnectorError where they cannot be read."""
        ...


def hear_lists(store: Store, lists: AddressLists, clock: Clock, *, at_once: bool = False) -> Heard | None:
    """Reads what is new on the lists, unless that was done today (or `at_once`); None where it was. Raises what the
    lists raise, and then nothing counts as read."""
    now = clock.now()
    with store.reading() as work:
        before = provider_events.last_heard(work)
    if before is not None and now - before < _EVERY and not at_once:
        return None
    told = list(lists.since(None if before is None else before - _OVERLAP))
    heard = read_list(store, told, clock)
    with store.working() as work:
        provider_events.heard(work, now=now)
        work.commit()
    return heard
