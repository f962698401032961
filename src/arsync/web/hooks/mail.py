"""SendGrid's two: what became of mail, and answers to it."""

from __future__ import annotations

import logging
from typing import Final

from starlette.requests import Request

from arsync.bootstrap import App
from arsync.channel.sendgrid_events import MOST_BYTES, SIGNATURE, TIMESTAMP
from arsync.domain.posted import INBOUND, Reception
from arsync.inbox.inbound_parse import Posted
from arsync.inbox.mail import MOST
from arsync.inbox.posted import keep_events, keep_mail
from arsync.web.access import Open
from arsync.web.hooks.answers import Door, Received, note, receiving
from arsync.web.hooks.body import Body, TooLarge
from arsync.web.routes import endpoint

_log: Final = logging.getLogger(__name__)
EVENTS: Final = "sendgrid/events"


def _take_events(app: App, request: Request, body: Body) -> Received:
    signature, timestamp = request.headers.get(SIGNATURE, ""), request.headers.get(TIMESTAMP, "")
    told = app.mailroom.read_events(body.whole(), signature=signature, timestamp=timestamp)
    if told.problems:
        _log.warning("events_not_read", extra={"count": len(told.problems), "first": told.problems[0]})
    now = app.clock.now()
    with app.store.working() as work:
        new = keep_events(work, told.events, now=now)
        received = {Reception.TAKEN if new or not told.events else Reception.KNOWN: int(bool(told.events))}
        note(work, EVENTS, received, now=now)
        work.commit()
    return received


def _let_in(app: App, request: Request) -> None:
    app.mailroom.check_reply(_address(request), dict(request.headers))


def _take_reply(app: App, request: Request, body: Body) -> Received:
    posted = app.mailroom.read_reply(_address(request), dict(request.headers), body.raw, size=body.size)
    received = _keep(app, posted)
    if not body.is_whole:
        raise TooLarge  # a person is told of it: it need not come again
    return received


def _keep(app: App, posted: Posted) -> Received:
    now = app.clock.now()
    with app.store.working() as work:
        received = {Reception.TAKEN if keep_mail(work, posted, now=now) else Reception.KNOWN: 1}
        note(work, INBOUND, received, now=now)
        work.commit()
    return received


def _address(request: Request) -> str:
    """As it was asked for: its secret may stand anywhere in it."""
    path = bytes(request.scope.get("raw_path") or request.scope["path"].encode())
    return f"{path.decode('latin-1')}?{request.scope['query_string'].decode('latin-1')}"


_events = receiving(Door(lambda _app, _request: EVENTS, _take_events, most=MOST_BYTES))
_inbound = receiving(Door(lambda _app, _request: INBOUND, _take_reply, _let_in, most=MOST, seconds=120.0))
_SECRET: Final = Open("a secret in the address, the signature of SendGrid's security policy, or both")

ROUTES = [
    endpoint("/hooks/sendgrid/events", _events, methods=["POST"], access=Open("SendGrid's signature over the body")),
    endpoint("/hooks/sendgrid/inbound", _inbound, methods=["POST"], access=_SECRET),
    endpoint("/hooks/sendgrid/inbound/{secret:path}", _inbound, methods=["POST"], access=_SECRET),
]
