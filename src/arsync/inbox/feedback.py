"""What a mail provider tells becomes facts: kept once, folded into messages and addresses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from arsync.domain.clock import Clock
from arsync.domain.feedback import LOST, EventKind, ProviderEvent
from arsync.domain.states import MessageState
from arsync.store import provider_events, suppressions
from arsync.store.engine import Store, Work

_WANTED_AGAIN: Final = EventKind.GROUP_RESUBSCRIBED
_LISTED_AT_ONCE: Final = 200


@dataclass(slots=True)
class Heard:
    """What came of what was told."""

    new: int = 0
    known: int = 0  # told before: nothing changed
    foreign: int = 0  # about mail that is not ours
    delivered: int = 0  # messages
    bounced: int = 0  # messages
    suppressed: int = 0  # addresses that nobody writes to from now on

    def __iadd__(self, other: Heard) -> Heard:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
        return self


def hear(store: Store, told: Iterable[ProviderEvent], clock: Clock) -> Heard:
    """Keeps and folds what a webhook told, each event in a commit of its own: the provider may tell all of it again."""
    heard = Heard()
    for event in told:
        with store.working() as work:
            suppressions.one_at_a_time(work)
            _hear_one(work, event, clock.now(), heard)
            work.commit()
    return heard


def _hear_one(work: Work, event: ProviderEvent, now: datetime, heard: Heard) -> None:
    message_id = provider_events.message_of(work, event)
    if message_id is None and event.suppresses is None and event.kind is not _WANTED_AGAIN:
        heard.foreign += 1  # the account sends other mail, too
        return
    hear_one(work, event, message_id, now=now, heard=heard)


def hear_one(
    work: Work, event: ProviderEvent, message_id: int | None, *, now: datetime, heard: Heard | None = None
) -> None:
    """Keeps one thing that was told of that message, or of an address only, and folds it; told twice it is known."""
    heard = heard or Heard()
    if not provider_events.add(work, event, message_id, now=now):
        heard.known += 1
        return
    heard.new += 1
    if event.kind is _WANTED_AGAIN:
        suppressions.resubscribe(work, event)
    _follow(work, event, message_id, now, heard)


def read_list(store: Store, listed: Iterable[ProviderEvent], clock: Clock) -> Heard:
    """Keeps and folds what the provider's lists hold. They name addresses and no messages: one that came on a list
    right after a message of ours is taken for that message's answer."""
    heard = Heard()
    entries = list(listed)
    for start in range(0, len(entries), _LISTED_AT_ONCE):
        with store.working() as work:
            suppressions.one_at_a_time(work)
            for event in entries[start : start + _LISTED_AT_ONCE]:
                _read_one(work, event, clock.now(), heard)
            work.commit()
    return heard


def _read_one(work: Work, event: ProviderEvent, now: datetime, heard: Heard) -> None:
    message_id = provider_events.likely_cause(work, event.address, event.at)
    if message_id is not None and provider_events.add(work, event, message_id, now=now):
        heard.new += 1
    elif event.suppresses is None:
        heard.foreign += 1
        return
    _follow(work, event, message_id, now, heard)


def _follow(work: Work, event: ProviderEvent, message_id: int | None, now: datetime, heard: Heard) -> None:
    if event.suppresses is not None or event.kind in LOST:
        provider_events.bump(work, event, message_id)
    if event.suppresses is not None and suppressions.suppress(work, event, now=now):
        heard.suppressed += 1
    if message_id is not None:
        state = provider_events.fold(work, message_id, now=now)
        heard.delivered += state is MessageState.DELIVERED
        heard.bounced += state is MessageState.BOUNCED
