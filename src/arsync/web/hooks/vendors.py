"""The accounting systems' webhooks: what changed is not taken from them, only that somebody shall look."""

from __future__ import annotations

from collections import Counter

from starlette.requests import Request

from arsync.bootstrap import App
from arsync.bootstrap.webhooks import read_webhook, reads_webhooks
from arsync.domain.posted import Reception
from arsync.errors import NotFound
from arsync.store import hints
from arsync.web.access import Open
from arsync.web.hooks.answers import Door, Received, note, receiving
from arsync.web.hooks.body import Body
from arsync.web.routes import endpoint


def _name(app: App, request: Request) -> str:
    provider = str(request.path_params["provider"])
    if not reads_webhooks(app, provider):
        raise NotFound
    return provider


def _take(app: App, request: Request, body: Body) -> Received:
    provider, now = _name(app, request), app.clock.now()
    told = read_webhook(app, provider, body.whole(), dict(request.headers))
    # Where nothing is told the vendor only tries the address: it was right, and that is all.
    received: Counter[Reception] = Counter({Reception.TAKEN: 0})
    with app.store.working() as work:
        for changed in told:
            received[hints.tell(work, provider, changed, now=now)] += 1
        note(work, provider, received, now=now)
        work.commit()
    return received


ROUTES = [
    endpoint(
        "/hooks/{provider}", receiving(Door(_name, _take)), methods=["POST"],
        access=Open("the vendor's signature over the body"),
    )
]  # fmt: skip
