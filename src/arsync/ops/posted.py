"""What vendors and the mail provider post: that it is believed, looked at and taken in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from arsync.domain.clock import Clock
from arsync.ops.finding import Finding, fail, ok, warn
from arsync.settings import Settings
from arsync.store import doors, hints, posts
from arsync.store.doors import Door
from arsync.store.engine import Work

#: A worker begins within seconds, and after many hints in a row within a quarter of an hour.
_WAIT: Final = timedelta(minutes=20)
_START: Final = "start `arsync worker`, or look why it does not come to it"


def examine_posted(settings: Settings, clock: Clock, work: Work) -> Iterator[Finding]:
    """What came to each address, and what of it waits for too long."""
    now = clock.now()
    for door in doors.every(work):
        yield _door(door)
    for name, since in hints.open_since(work).items():
        if now - since > _WAIT:
            yield warn(
                "hooks", f"{name}: its vendor tells of changes since {_utc(since)}, and nobody has looked", _START
            )
    waiting = posts.waiting(work)
    if waiting is not None and waiting.reason:
        said = f"{_so_many(waiting.count)} since {_utc(waiting.since)} and cannot be taken in: {waiting.reason}"
        yield fail("hooks", said, "look at the log, at `post_failed`; it is tried again by itself, once a day at least")
    elif waiting is not None and now - waiting.since > _WAIT:
        yield warn("hooks", f"{_so_many(waiting.count)} since {_utc(waiting.since)} to be taken in", _START)
    if (
        settings.serve.public_url
        and settings.delivery.channel == "sendgrid"
        and not settings.sendgrid.webhook_public_key
    ):
        said = "what becomes of mail is asked for once a day only: SendGrid's event webhook is not set up"
        mend = f"have it post to {settings.serve.public_url}/hooks/sendgrid/events, and say sendgrid.webhook_public_key"
        yield warn("hooks", said, mend)


def _door(door: Door) -> Finding:
    if door.bad_at is not None and (door.good_at is None or door.good_at < door.bad_at):
        said = f"/hooks/{door.name}: the last post, at {_utc(door.bad_at)}, was refused: {door.bad}"
        return warn("hooks", said, "compare the key in the settings with the one that is shown where it comes from")
    assert door.good_at is not None, "nothing is noted but what came"
    others = f"; {door.stranger} told of companies that are not linked here" if door.stranger else ""
    return ok("hooks", f"/hooks/{door.name}: the last post came at {_utc(door.good_at)}{others}")


def _so_many(count: int) -> str:
    return "1 post of the mail provider waits" if count == 1 else f"{count} posts of the mail provider wait"


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
