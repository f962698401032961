"""Who may come: asked before a view runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl, quote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from arsync.domain.states import Health
from arsync.errors import NotFound
from arsync.store import connections
from arsync.web.access import Access, Needs, Reach
from arsync.web.entry import form_token, is_own_form
from arsync.web.threads import Lane
from arsync.web.visit import Visit

#: Bytes of a form, and fields in it.
_LARGEST: Final = 256 * 1024
_FIELDS: Final = 500
#: The field that says that a form is ours.
TOKEN: Final = "token"  # noqa: S105 - its name


def guarded(
    view: Callable[[Visit], Response], access: Access, lane: Lane | None = None
) -> Callable[[Request], Awaitable[Response]]:
    """The view behind its declaration, in a thread; of that lane where one is named."""

    async def handle(request: Request) -> Response:
        form = await _form(request) if request.method == "POST" else {}
        run = run_in_threadpool if lane is None else lane.run
        return await run(_visited, view, access, request, form)

    return handle


def _visited(view: Callable[[Visit], Response], access: Access, request: Request, form: Mapping[str, str]) -> Response:
    site = request.app.state.site
    came = site.entry.who(request)
    visit = Visit(
        site, request, began=request.scope["state"]["began"], now=site.app.clock.now(), person=came.person, form=form,
        kept=came.token, token=form_token(came.token),
    )  # fmt: skip
    if isinstance(access, Needs):
        if came.person is None:
            return _to_log_in(request)
        _admit(visit, access)
    if request.method == "POST" and not is_own_form(request, came.token, form.get(TOKEN, "")):
        raise HTTPException(
            403, "The page that you sent was not one of ours, or too old: load it anew, and send it again."
        )
    answer = view(visit)
    if came.fresh and visit.kept == came.token:
        site.entry.keep(answer, came.token)
    return answer


def _admit(visit: Visit, access: Needs) -> None:
    """Whose thing it is comes first: of another's company nobody learns more than that there is nothing."""
    person = visit.person
    assert person is not None
    with visit.app.store.reading() as work:
        visit.companies = [
            one
            for one in connections.connections(work)
            if person.sees(one.id) and one.health is not Health.DISCONNECTED
        ]
        if not isinstance(access.of, Reach):
            of = access.of(work, visit.named)
            visit.company = next((one for one in visit.companies if one.id == of), None)
            if visit.company is None:
                raise NotFound
    if access.of is Reach.EVERYTHING and person.companies is not None:
        raise HTTPException(403)
    if not person.role.covers(access.role):
        raise HTTPException(403)


def _to_log_in(request: Request) -> Response:
    if request.method not in ("GET", "HEAD") or "application/json" in request.headers.get("accept", ""):
        raise HTTPException(401)
    to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?to={quote(to, safe='')}" if to != "/" else "/login", 303)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, each once; refused while it is read where it is too large."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise HTTPException(413)
    try:
        fields = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict",
            max_num_fields=_FIELDS,
        )  # fmt: skip
    except (UnicodeDecodeError, ValueError):
        raise HTTPException(400) from None
    found: dict[str, str] = {}
    for name, value in fields:
        found[name] = f"{found[name]}\n{value}" if name in found else value  # several boxes of one name: a line each
    return found
