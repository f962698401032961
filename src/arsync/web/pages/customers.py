"""Who owes what: searched, filtered, sorted, a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from arsync.domain.roles import Role
from arsync.store import standing
from arsync.store.standing import Standing
from arsync.web.access import Needs, Reach
from arsync.web.routes import page
from arsync.web.visit import Visit

PAGE: Final = 50
_FOUND: Final = 20
_NEVER: Final = date.max
#: How they are sorted, by the name of it in the address.
_SORTS: Final[dict[str, tuple[str, Callable[[Standing], Any]]]] = {
    "overdue": ("most overdue", lambda one: (-one.overdue, -one.open, one.name.casefold())),
    "open": ("most open", lambda one: (-one.open, one.name.casefold())),
    "oldest": ("longest overdue", lambda one: (one.oldest or _NEVER, -one.overdue, one.name.casefold())),
    "account": ("most on account", lambda one: (-one.on_account, one.name.casefold())),
    "name": ("name", lambda one: (one.name.casefold(), one.currency)),
}
#: Which of them are shown.
_SHOWN: Final[dict[str, tuple[str, Callable[[Standing], bool]]]] = {
    "late": ("who are late", lambda one: one.overdue > 0),
    "open": ("who owe anything", lambda one: one.open > 0),
    "account": ("with money on account", lambda one: one.on_account != 0),
    "all": ("all with a balance", lambda one: True),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; words that are none of ours count as not said."""

    find: str
    company: str
    currency: str
    shown: str
    sort: str
    page: int

    def address(self, **other: object) -> str:
        """The same page with something else in it."""
        said = {"q": self.find, "company": self.company, "currency": self.currency, "show": self.shown,
                "sort": self.sort, "page": self.page, **other}  # fmt: skip
        usual = {"show": "all" if said["q"] else "late", "sort": "overdue", "page": 1}
        kept = {key: value for key, value in said.items() if value and value != usual.get(key)}
        return f"/customers?{urlencode(kept)}" if kept else "/customers"


def customers(visit: Visit) -> Response:
    """The list."""
    asked = _asked(visit)
    chosen = [one for one in visit.companies if asked.company in ("", one.name)]
    words = asked.find.casefold().split()
    also: list[standing.Named] = []
    with visit.app.store.reading() as work:
        every = visit.site.figures.of(work, chosen)
        if words:
            also = standing.named_like(work, [one.id for one in chosen], asked.find, most=_FOUND)
    currencies = sorted({one.currency for one in every})
    wanted = _SHOWN[asked.shown][1]
    found = [
        one
        for one in every
        if wanted(one) and asked.currency in ("", one.currency) and all(word in one.name.casefold() for word in words)
    ]
    found.sort(key=_SORTS[asked.sort][1])
    owing = {(one.connection_id, one.payer_id) for one in found}
    pages = max(1, -(-len(found) // PAGE))
    number = min(asked.page, pages)
    return visit.render(
        "customers.html", asked=asked, rows=found[(number - 1) * PAGE : number * PAGE], count=len(found), number=number,
        pages=pages, sorts={key: title for key, (title, _) in _SORTS.items()},
        shown={key: title for key, (title, _) in _SHOWN.items()}, currencies=currencies,
        also=[one for one in also if (one.connection_id, one.payer_id) not in owing], find=asked.find,
        names={one.id: one for one in visit.companies}, days={one.id: visit.app.today(one) for one in chosen},
    )  # fmt: skip


def _asked(visit: Visit) -> Asked:
    said = visit.query
    find = " ".join(said.get("q", "").split())[:200]
    written = said.get("page", "1")
    return Asked(
        find=find,
        company=said.get("company", ""),
        currency=said.get("currency", "").upper()[:3],
        shown=said["show"] if said.get("show") in _SHOWN else "all" if find else "late",
        sort=said["sort"] if said.get("sort") in _SORTS else "overdue",
        page=max(1, int(written)) if written.isascii() and written.isdigit() and len(written) < 8 else 1,
    )


ROUTES = [page("/customers", customers, access=Needs(Role.VIEWER, Reach.THEIRS))]
