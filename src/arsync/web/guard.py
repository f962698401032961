"""Who may come: asked before a view runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from arsync.web.access import Access, Needs
from arsync.web.visit import Visit


def guarded(view: Callable[[Visit], Response], access: Access) -> Callable[[Request], Awaitable[Response]]:
    """The view behind its declaration."""

    async def handle(request: Request) -> Response:
        return await run_in_threadpool(_visited, view, access, request)

    return handle


def _visited(view: Callable[[Visit], Response], access: Access, request: Request) -> Response:
    site = request.app.state.site
    visit = Visit(site, request, began=site.app.clock.elapsed(), now=site.app.clock.now())
    if isinstance(access, Needs):
        raise HTTPException(401)
    return view(visit)
