"""What was asked for though it had been paid: somebody answers for it."""

from __future__ import annotations

from collections.abc import Collection

from arsync.bootstrap import App
from arsync.errors import NotFound
from arsync.store import corrections, events


def settle(app: App, message_ids: Collection[int], *, who: str) -> None:
    """Keeps that somebody has said sorry for these messages, or need not; NotFound where one waits for nothing of the
    kind, and then nothing is kept."""
    with app.store.working() as work:
        open_now = {one.message_id: one for one in corrections.unsettled(work)}
        for message_id in message_ids:
            if message_id not in open_now:
                raise NotFound(f"message {message_id} that waits for a correction")
        now = app.clock.now()
        corrections.settle(work, message_ids, author=who, now=now)
        for message_id in message_ids:
            one = open_now[message_id]
            events.log(
                work, "correction_settled", at=now, author=who, connection_id=one.connection_id, chase_id=one.chase_id,
                message_id=message_id,
            )  # fmt: skip
        work.commit()
