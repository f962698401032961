"""The log: who did what when, of the companies that a person sees."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from arsync.domain.roles import Role
from arsync.errors import NotFound
from arsync.store import audit as log
from arsync.web.access import Needs, Reach
from arsync.web.routes import page
from arsync.web.visit import Visit

_LINES: Final = 100


def audit(visit: Visit) -> Response:
    """A page of it. What is of no company (people, log-ins, the red button) is for admins who see every company."""
    person = visit.person
    assert person is not None
    named = visit.query.get("company", "")
    those = [one for one in visit.companies if named in ("", one.name)]
    if named and not those:
        raise NotFound(f"a company {named!r}")
    wanted = log.Wanted(
        companies=[one.id for one in those],
        whole=not named and person.companies is None and person.role is Role.ADMIN,
        author=visit.query.get("author", "").strip(),
        kind=visit.query.get("kind", ""),
        people=visit.query.get("people", "yes" if not visit.query else "") == "yes",
    )
    before = visit.query.get("before", "")
    with visit.app.store.reading() as work:
        found = log.told(
            work, wanted, before=int(before) if before.isascii() and before.isdigit() else None, most=_LINES
        )
    asked = {"company": named, "author": wanted.author, "kind": wanted.kind, "people": "yes" if wanted.people else "no"}
    return visit.render(
        "audit.html", found=found, wanted=wanted, named=named, names={one.id: one for one in visit.companies},
        timezone=visit.app.timezone(those[0]) if len(those) == 1 else visit.app.settings.defaults.timezone or "UTC",
        older=urlencode({**asked, "before": found.further}) if found.further else None,
    )  # fmt: skip


ROUTES = [page("/audit", audit, access=Needs(Role.VIEWER, Reach.THEIRS))]
