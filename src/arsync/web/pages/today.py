"""What is on the desk this morning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from starlette.responses import Response

from arsync.domain.roles import Role
from arsync.domain.states import PromiseState
from arsync.store import agenda, connections
from arsync.store.agenda import Pile
from arsync.store.engine import Work
from arsync.web.access import Needs, Reach
from arsync.web.routes import page
from arsync.web.visit import Visit

_MOST: Final = 8
_AHEAD: Final = timedelta(days=7)
_NOTHING: Final = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Stake:
    """What is owed in one currency."""

    currency: str
    open: Decimal
    overdue: Decimal
    on_account: Decimal
    payers: int  # who are late

    @property
    def share(self) -> int:
        """How much of it is late, in a hundred."""
        return round(100 * self.overdue / self.open) if self.open else 0


@dataclass(frozen=True, slots=True)
class Block:
    """A pile with its title, the page where all of it is, and whether a person has to do something about it."""

    title: str
    pile: Pile
    none: str
    urgent: bool = False


def today(visit: Visit) -> Response:
    """What went out, what waits, what ends, and how everything is."""
    ids = [one.id for one in visit.companies]
    days = [visit.app.today(one) for one in visit.companies]
    first = min(days, default=visit.now.date())
    with visit.app.store.reading() as work:
        stakes = _stakes(visit, work)
        button = connections.installation(work)
        blocks = [
            Block("Nobody knows whether it went out", agenda.unknown(work, ids, most=_MOST), "", urgent=True),
            Block("Waits for approval", agenda.to_approve(work, ids, most=_MOST), "No message waits for a person."),
            Block("Calls to make", agenda.calls(work, ids, first, most=_MOST), "No call is to be made."),
            Block(
                "Replies to read",
                agenda.replies(work, ids, of_nobody=_sees_all(visit), most=_MOST),
                "No customer's mail waits.",
            ),
            Block(
                "Promised for today",
                agenda.promises(work, ids, PromiseState.OPEN, until=first, most=_MOST),
                "No promise is due.",
            ),
            Block(
                "Promises broken this week",
                agenda.promises(work, ids, PromiseState.BROKEN, since=visit.now - _AHEAD, most=_MOST),
                "None was broken.",
            ),
            Block(
                "Holds that end within a week",
                agenda.holds_ending(work, ids, first, first + _AHEAD, most=_MOST),
                "None ends.",
            ),
            Block(
                "Went out since yesterday",
                agenda.went_out(work, ids, first - timedelta(days=1), most=_MOST),
                "Nothing went out.",
            ),
        ]
    return visit.render(
        "today.html", stakes=stakes, blocks=[one for one in blocks if one.none or one.pile.count], button=button,
        day=_day(days), names={one.id: one for one in visit.companies},
    )  # fmt: skip


def _sees_all(visit: Visit) -> bool:
    return visit.person is not None and visit.person.companies is None


def _day(days: list[date]) -> date | None:
    return max(days, default=None)


def _stakes(visit: Visit, work: Work) -> list[Stake]:
    found: dict[str, Stake] = {}
    for one in visit.site.figures.of(work, visit.companies):
        known = found.get(one.currency, Stake(one.currency, _NOTHING, _NOTHING, _NOTHING, 0))
        found[one.currency] = Stake(
            one.currency, known.open + one.open, known.overdue + one.overdue, known.on_account + one.on_account,
            known.payers + (one.overdue > 0),
        )  # fmt: skip
    return sorted(found.values(), key=lambda one: (-one.overdue, -one.open, one.currency))


ROUTES = [page("/", today, access=Needs(Role.VIEWER, Reach.THEIRS))]
