"""When messages may leave: each by its own playbook's send window, on its customer's clock."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from zoneinfo import ZoneInfo

from arsync.domain.calendar import NeverOpens
from arsync.domain.policy import SendWindow
from arsync.playbook.facts import Policy
from arsync.playbook.places import Place
from arsync.playbook.shelves import Volume
from arsync.store import ledger
from arsync.store.engine import Store
from arsync.store.messages import Waiting


def closed(
    store: Store, connection_id: int, policy: Policy, approved: Collection[Waiting], now: datetime
) -> tuple[set[int], datetime | None]:
    """The messages whose customers' send windows are closed now, and when the first of those opens, on the company's
    clock; where nothing waits at all, when the company's own does."""
    with store.reading() as work:
        places = ledger.places(work, connection_id, {message.payer_id for message in approved})
        named = {(message.playbook, message.playbook_version) for message in approved}
        volumes = {one: policy.shelves.volume(work, *one, policy.shelf) for one in named}
    windows = {one: volume.playbook.window for one, volume in volumes.items() if isinstance(volume, Volume)}
    openings: dict[int, datetime] = {}
    never: set[int] = set()
    for message in approved:
        # Each by its own playbook's window; of one that cannot be read any more the last look tells.
        window = windows.get((message.playbook, message.playbook_version))
        place = Place(*places.get(message.payer_id, ()))
        try:
            if window is not None and (opens := next_opening(policy, place, now, window)) is not None:
                openings[message.id] = opens
        except NeverOpens:
            never.add(message.id)  # its verdict says so
    found = openings.values() if approved else filter(None, [next_opening(policy, Place(), now)])
    return never.union(openings), min(found, default=None)


def next_opening(policy: Policy, place: Place, now: datetime, window: SendWindow | None = None) -> datetime | None:
    """When a customer at that place may be written to next, on the company's clock; None where it may be now. The
    window is the default playbook's unless another is given."""
    opens = policy.calendar(place, window).next_moment(now)
    return None if opens is None else opens.astimezone(ZoneInfo(policy.seller.timezone))
