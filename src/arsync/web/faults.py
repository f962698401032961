"""Errors as pages: a sentence for a person, and never where in the program it came about."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from arsync.errors import Ambiguous, ArsyncError, ConfigurationError, DatabaseUnusable, Locked, NotFound, UsageError
from arsync.logs import masked
from arsync.web.entry import TooOften

_log: Final = logging.getLogger(__name__)
_STATUS: Final[tuple[tuple[type[ArsyncError], int], ...]] = (
    (NotFound, 404), (Ambiguous, 409), (UsageError, 422), (Locked, 409), (DatabaseUnusable, 503),
    (ConfigurationError, 503), (TooOften, 429), (ArsyncError, 502),
)  # fmt: skip
_TITLES: Final = {
    400: "That could not be read",
    401: "Log in first",
    403: "That is not yours to do",
    404: "There is no such thing",
    405: "That cannot be done here",
    409: "Something else is in the way",
    413: "That is too large",
    415: "That could not be read",
    422: "Something is missing or wrong",
    429: "Too often",
    502: "The other side did not answer as it should",
    503: "Not at this moment",
}
_MISSING: Final = "The address may be mistyped, or the thing is gone, or it belongs to a company that is not yours."


def told(request: Request, status: int, words: str) -> Response:
    """An error as a page, or as JSON for who asks for that."""
    title = _TITLES.get(status, "arsync itself failed")
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"error": words or title}, status)
    page = request.app.state.site.look.page("fault.html", title=title, words=masked(words), status=status)
    return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})


async def refused(request: Request, error: Exception) -> Response:
    """What the framework or the guard refuses."""
    assert isinstance(error, HTTPException)
    words = _MISSING if error.status_code == 404 else error.detail if error.detail != _usual(error) else ""
    answer = await run_in_threadpool(told, request, error.status_code, words)
    answer.headers.update(error.headers or {})
    return answer


def _usual(error: HTTPException) -> str:
    return HTTPStatus(error.status_code).phrase


async def failed(request: Request, error: Exception) -> Response:
    """What the program says of itself."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return await run_in_threadpool(told, request, status, _words(status, error))


def _words(status: int, error: Exception) -> str:
    """The error in words for who has no command line before them."""
    if status == 404:
        return _MISSING
    return error.detail if isinstance(error, UsageError) else str(error)


async def fault(request: Request, error: Exception) -> Response:
    """A fault of ours: its class and place go to the log, and nothing to the reader."""
    _log.error("page_failed", extra={"path": request.scope["route"].path if "route" in request.scope else "?"},
               exc_info=error)  # fmt: skip
    return await run_in_threadpool(told, request, 500, "It was written to the log.")


HANDLERS: Final[dict[Any, Any]] = {HTTPException: refused, ArsyncError: failed, Exception: fault}
