"""How a post is answered: by a number, without a word; what was wrong with it is for our log and our counts."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from arsync.bootstrap import App
from arsync.domain.posted import Reception
from arsync.errors import ArsyncError, Malformed, NotFound, Unverified
from arsync.store import doors
from arsync.store.engine import Work
from arsync.web.hooks.body import Body, Full, Purse, Slow, TooLarge

_log: Final = logging.getLogger(__name__)
#: A flood of what is refused is counted, and written down so often.
_WRITTEN: Final = timedelta(minutes=1)
_PURSE: Final = Purse(100_000_000)
#: seconds after which who was sent away may come again
_AGAIN: Final = "60"

#: What became of the parts of one post.
Received = Mapping[Reception, int]


@dataclass(slots=True)
class Refusals:
    """What is counted until it is written down."""

    _counts: Counter[tuple[str, Reception]] = field(default_factory=Counter)
    _written: dict[tuple[str, Reception], datetime] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, app: App, door: str, reception: Reception, why: str) -> None:
        """One more; the first is written down at once, and then all of a minute together."""
        now, key = app.clock.now(), (door, reception)
        with self._lock:
            self._counts[key] += 1
            if key in self._written and abs(now - self._written[key]) < _WRITTEN:
                return
            self._written[key], count = now, self._counts.pop(key)
        _log.warning("post_refused", extra={"door": door, "how": reception.value, "reason": why, "count": count})
        try:
            with app.store.working() as work:
                doors.note(work, door, reception, now=now, why=why, count=count)
                work.commit()
        except ArsyncError as error:
            _log.warning("post_not_counted", extra={"door": door, "reason": str(error)})


@dataclass(frozen=True, slots=True)
class Door:
    """One address. `name` is what it is called in our log; `let_in` looks at the head of a post, `take` keeps it and
    says what it was, in one transaction of its own."""

    name: Callable[[App, Request], str]
    take: Callable[[App, Request, Body], Received]
    let_in: Callable[[App, Request], None] = lambda _app, _request: None
    most: int = 2_000_000
    seconds: float = 20.0


def receiving(door: Door) -> Callable[[Request], Awaitable[Response]]:
    """The address behind that door.

    200 where it was taken, was known, or is of a company that is none of ours; 401 where it is not signed as it should
    be; 400 where it cannot be read; 413 and 408 where it is too large or too slow; 404 where there is no such address;
    503 where it is ours that it was not taken: then it shall come again.
    """

    async def handle(request: Request) -> Response:
        app: App = request.app.state.site.app
        try:
            name = await run_in_threadpool(door.name, app, request)
        except NotFound:
            return Response(status_code=404)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is ours
            return _not_taken("hooks", error)
        try:
            await run_in_threadpool(door.let_in, app, request)
            async with _PURSE.received(request, most=door.most, seconds=door.seconds) as body:
                received = await run_in_threadpool(door.take, app, request, body)
        except (Unverified, Malformed, Slow, TooLarge) as error:
            status, reception = next(how for kind, how in _REFUSED.items() if isinstance(error, kind))
            why = str(error) or (type(error).__doc__ or "")
            await run_in_threadpool(_refusals(request).count, app, name, reception, why)
            return Response(status_code=status, headers=_ends(status))
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - it comes again, and nobody is told where we failed
            return _not_taken(name, error)
        _log.info("post_received", extra={"door": name, **{how.value: count for how, count in received.items()}})
        return Response(status_code=200)

    return handle


_REFUSED: Final[dict[type[Exception], tuple[int, Reception]]] = {
    Unverified: (401, Reception.REFUSED),
    Malformed: (400, Reception.MALFORMED),
    TooLarge: (413, Reception.MALFORMED),
    Slow: (408, Reception.MALFORMED),
}


def _refusals(request: Request) -> Refusals:
    """Of this desk."""
    state = request.app.state
    if not hasattr(state, "refusals"):
        state.refusals = Refusals()
    refusals: Refusals = state.refusals
    return refusals


def _ends(status: int) -> dict[str, str]:
    """What is left of it is not read: the line ends."""
    return {"Connection": "close"} if status in (401, 408, 413) else {}


def _not_taken(name: str, error: Exception) -> Response:
    if isinstance(error, ArsyncError):
        _log.error("post_not_taken", extra={"door": name, "reason": str(error)})
    elif isinstance(error, Full):
        _log.warning("post_not_taken", extra={"door": name, "reason": "too much is being received at this moment"})
    else:
        _log.error("post_not_taken", extra={"door": name}, exc_info=error)
    return Response(status_code=503, headers={"Retry-After": _AGAIN, "Connection": "close"})


def note(work: Work, door: str, received: Received, *, now: datetime) -> None:
    """Counts what came, in the transaction that keeps it."""
    for reception, count in received.items():
        doors.note(work, door, reception, now=now, count=count)
