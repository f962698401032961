"""What the mail provider posts is kept by whoever is posted to, and taken in behind: events are folded, mails pause
their chases. Killed in between, it is taken in by the next one; what was taken in already is known."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import msgspec

from arsync.domain.clock import Clock
from arsync.domain.feedback import ProviderEvent
from arsync.domain.posted import INBOUND, PostKind
from arsync.errors import DatabaseUnusable, Locked
from arsync.inbox.feedback import Heard, hear
from arsync.inbox.inbound_parse import Posted
from arsync.inbox.intake import Taken, take_or_refuse
from arsync.inbox.matching import Front
from arsync.store import doors, posts
from arsync.store.engine import Store, Work
from arsync.store.posts import Post

_log: Final = logging.getLogger(__name__)
#: How a reply says by which way it came.
_ORIGIN: Final = "SendGrid Inbound Parse"


def keep_events(work: Work, told: Sequence[ProviderEvent], *, now: datetime) -> bool:
    """Keeps what became of mail; False where nothing is told, or the very same waits already."""
    return bool(told) and posts.keep(work, PostKind.EVENTS, msgspec.json.encode(told).decode(), now=now)


def are_posted_within(work: Work, span: timedelta, *, now: datetime) -> bool:
    """Whether answers reach us by post: one ever has, something of the outside has come within that span, and nothing
    waits for longer to be taken in."""
    known = doors.every(work)
    if not any(one.name == INBOUND and one.good_at is not None for one in known):
        return False
    lately = any(one.good_at is not None and now - one.good_at <= span for one in known)
    waiting = posts.waiting(work)
    return lately and (waiting is None or now - waiting.since <= span)


def keep_mail(work: Work, mail: Posted, *, now: datetime) -> bool:
    """Keeps a mail; False where the very same waits already."""
    return posts.keep(work, PostKind.MAIL, msgspec.json.encode(mail).decode(), now=now)


@dataclass(slots=True)
class TakenIn:
    """What came of it."""

    posts: int = 0
    heard: Heard = field(default_factory=Heard)
    mails: list[Taken] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  # what is tried again later, a sentence each


def take_in(
    store: Store, fronts: Sequence[Front], clock: Clock, *, go_on: Callable[[], None] = lambda: None
) -> TakenIn:
    """Takes in all that is due. One that we fail on is tried again later, and stops nothing behind it; `go_on` is
    called between two, and may raise."""
    done, last = TakenIn(), 0
    while True:
        go_on()
        with store.reading() as work:
            post = posts.next_due(work, after=last, now=clock.now())
        if post is None:
            return done
        last = post.id
        try:
            _take_in(store, post, fronts, clock, done)
        except (DatabaseUnusable, Locked):
            raise  # the database, or another process, or we are told to stop: the post is not at fault
        except Exception as error:  # noqa: BLE001 - one post never stops the others
            _put_off(store, post, f"arsync failed on it ({type(error).__name__})", clock, done)


def _take_in(store: Store, post: Post, fronts: Sequence[Front], clock: Clock, done: TakenIn) -> None:
    if post.kind is PostKind.EVENTS:
        done.heard += hear(store, msgspec.json.decode(post.content, type=list[ProviderEvent]), clock)
    else:
        posted = msgspec.json.decode(post.content, type=Posted)
        done.mails.append(take_or_refuse(store, posted.mail, posted.raw, origin=_ORIGIN, fronts=fronts, clock=clock))
    done.posts += 1
    with store.working() as work:
        posts.taken_in(work, post.id)
        work.commit()


def _put_off(store: Store, post: Post, reason: str, clock: Clock, done: TakenIn) -> None:
    _log.exception("post_failed", extra={"post": post.id, "kind": post.kind.value})
    done.failed.append(f"post {post.id} ({post.kind}): {reason}; it is tried again")
    with store.working() as work:
        posts.postpone(work, post, reason=reason, now=clock.now())
        work.commit()
