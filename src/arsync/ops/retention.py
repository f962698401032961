"""Forgetting what the settings do not want kept for ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from arsync.domain.clock import Clock
from arsync.store import events, retention
from arsync.store.engine import Store

#: In one transaction, so that nobody waits for long.
_AT_ONCE: Final = 500


def forgettable(store: Store, days: Mapping[str, int], clock: Clock) -> dict[str, int]:
    """How many of each kind would be forgotten now; `days` by the keys of `[retention]`."""
    with store.reading() as work:
        return {kind: retention.count(work, kind, clock.now() - timedelta(days=kept)) for kind, kept in days.items()}


def forget(
    store: Store, days: Mapping[str, int], clock: Clock, *, go_on: Callable[[], None] = lambda: None
) -> dict[str, int]:
    """Forgets them, some at a time, and logs how many of each kind; it may be killed and run again. `go_on` is called
    between, and may raise."""
    gone = dict.fromkeys(days, 0)
    for kind in retention.FORGETTABLE:
        if kind not in days:
            continue
        before = clock.now() - timedelta(days=days[kind])
        while True:
            go_on()
            with store.working() as work:
                some = retention.forget(work, kind, before, most=_AT_ONCE)
                if some:
                    events.log(work, "data_forgotten", at=clock.now(), kind_of_data=kind, count=some)
                work.commit()
            gone[kind] += some
            if some < _AT_ONCE:
                break
    return gone
