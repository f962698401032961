"""One request of one person, as a view sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from arsync.bootstrap import App
from arsync.domain.roles import Person, Role
from arsync.store.connections import Connection
from arsync.web.site import Site


@dataclass(slots=True)
class Visit:
    """A request whose route has let this person come. `companies` are those whose things may be shown; `company` is the
    one of the thing that the address names."""

    site: Site
    request: Request
    began: float
    now: datetime
    person: Person | None = None
    companies: Sequence[Connection] = ()
    company: Connection | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    kept: str = ""  # what the browser keeps
    token: str = ""  # stands in every form

    @property
    def app(self) -> App:
        """The installation."""
        return self.site.app

    @property
    def author(self) -> str:
        """Who says so, for the log and for notes."""
        assert self.person is not None
        return self.person.name

    def may(self, role: str) -> bool:
        """Whether this person has that role, for what a page offers."""
        return self.person is not None and self.person.role.covers(Role(role))

    @property
    def named(self) -> Mapping[str, Any]:
        """What the address names."""
        return self.request.path_params

    @property
    def query(self) -> QueryParams:
        """What follows the question mark."""
        return self.request.query_params

    def elapsed(self) -> int:
        """Milliseconds since the request came."""
        return round((self.app.clock.elapsed() - self.began) * 1000)

    def render(self, template: str, *, status: int = 200, **told: Any) -> Response:
        """The page of that template; it is told `visit` besides. Nobody else may keep it."""
        return HTMLResponse(
            self.site.look.page(template, visit=self, **told), status, headers={"Cache-Control": "no-store"}
        )

    def see(self, path: str) -> Response:
        """On to another page, after something was done."""
        return RedirectResponse(path, 303)
