"""How a route is declared: its address, its view, and what it asks of who comes.

ROUTES = [
    page("/customers", customers, access=Needs(Role.VIEWER, Reach.THEIRS)),
    act("/customers/{company}/{payer}/hold", hold, access=Needs(Role.COLLECTOR, of_company)),
    endpoint("/hooks/xero", receive, methods=["POST"], access=Open("the vendor's signature")),
]
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from arsync.store import connections
from arsync.store.engine import Work
from arsync.web.access import Access
from arsync.web.guard import guarded
from arsync.web.threads import Lane
from arsync.web.visit import Visit

View = Callable[[Visit], Response]


class Declared(Route):
    """A route that says what it asks of who comes."""

    def __init__(
        self, path: str, handler: Any, *, methods: Sequence[str], name: str, access: Access, lane: Lane | None = None
    ) -> None:
        super().__init__(path, handler, methods=list(methods), name=name)
        self.access = access
        self.lane = lane


def page(path: str, view: View, *, access: Access, lane: Lane | None = None) -> Declared:
    """A page to read: the view runs in a thread, and changes nothing. One that takes long names its `lane`."""
    return Declared(
        path, guarded(view, access, lane), methods=["GET"], name=view.__name__, access=access, lane=lane
    )  # fmt: skip


def act(path: str, view: View, *, access: Access, lane: Lane | None = None) -> Declared:
    """What a person does by a form: its fields are in `visit.form`, its CSRF token was right."""
    return Declared(
        path, guarded(view, access, lane), methods=["POST"], name=view.__name__, access=access, lane=lane
    )  # fmt: skip


def endpoint(
    path: str, handler: Callable[[Request], Awaitable[Response]], *, methods: Sequence[str], access: Access
) -> Declared:
    """An address for a program, which gets the bare request: nothing was read of it, nobody was asked who he is. Its
    `access` is therefore `Open`, and says what protects it; `request.app.state.site` is the installation."""
    return Declared(path, handler, methods=methods, name=getattr(handler, "__name__", path), access=access)


def of_company(work: Work, named: Mapping[str, Any]) -> int:
    """For addresses with `{company}`, the name of a connection."""
    return connections.connection(work, str(named["company"])).id
