"""What who watches may ask."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from arsync.errors import ArsyncError
from arsync.store import connections
from arsync.web.site import Site


async def healthz(request: Request) -> Response:
    """Whether it answers and its database can be read."""
    return await run_in_threadpool(_asked, request.app.state.site)


def _asked(site: Site) -> Response:
    try:
        with site.app.store.reading() as work:
            connections.installation(work)
    except ArsyncError:
        return PlainTextResponse("the database cannot be read\n", 503)
    return PlainTextResponse("ok\n")
