"""Trying a playbook: what it would have done with a company's past; and what a changed one does to running chases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from threading import Lock
from typing import Final

from starlette.responses import Response

from arsync.bootstrap.replaying import Replayed, replayed
from arsync.domain.clock import local_date
from arsync.domain.roles import Role
from arsync.errors import Locked, NotFound, UsageError
from arsync.playbook import review as reviews
from arsync.playbook.facts import Policy
from arsync.playbook.simulated import CALLED, NOT_KNOWN, PARTS, called, figures, spans
from arsync.store.connections import Connection
from arsync.web.access import Needs, Reach
from arsync.web.pages.playbooks import Shown, known
from arsync.web.pictures import Line, Picture, Value, drawn
from arsync.web.routes import act, page
from arsync.web.threads import LONG
from arsync.web.visit import Visit

_USUAL: Final = timedelta(days=90)
_LONGEST: Final = timedelta(days=400)
_CUSTOMERS: Final = 20
#: A replay takes a processor for a while: one at a time.
_one_replays: Final = Lock()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is tried: the names may not be said yet, and then nothing is."""

    company: Connection
    first: date
    last: date
    until: date  # the last day of which anything is known
    playbook: str
    against: str


def simulate(visit: Visit) -> Response:
    """Asks what is to be tried, and shows what it would have done."""
    if not visit.companies:
        return visit.render("simulate.html", asked=None, known={}, told=None)
    names = known(visit)
    asked = _asked(visit, names)
    if not asked.playbook:
        return visit.render("simulate.html", asked=asked, known=names, told=None)
    told = _replayed(visit, asked, names)
    found, columns = told.found, called(told.found)
    counted = [figures(one) for one in found]
    steps = dict.fromkeys(step for one in found for step in one.by_step())
    return visit.render(
        "simulate.html", asked=asked, known=names, told=told, columns=columns,
        figures=[(CALLED[name], name in PARTS, [one[name] for one in counted]) for name in CALLED],
        steps=[(step, [one.by_step().get(step) for one in found]) for step in steps],
        customers=[(name, one.by_customer()[:_CUSTOMERS]) for name, one in zip(columns, found, strict=True)],
        picture=_picture(told, columns, visit), not_known=NOT_KNOWN,
        left_out=[(count, what) for what, count in told.past.left_out.items() if count],
    )  # fmt: skip


def _asked(visit: Visit, names: Mapping[str, Shown]) -> _Asked:
    wanted = visit.query.get("company", "")
    company = next((one for one in visit.companies if wanted in ("", one.name)), None)
    chosen = [visit.query.get(name, "") for name in ("playbook", "against")]
    if company is None or any(name and name not in names for name in chosen):
        raise NotFound("a company or a playbook of that name")
    read = company.synced_at
    until = visit.app.today(company) if read is None else local_date(read, visit.app.timezone(company))
    last = min(_day(visit.query.get("to", ""), until), until)
    first = _day(visit.query.get("from", ""), last - _USUAL)
    if not timedelta() <= last - first <= _LONGEST:
        raise UsageError(f"from {first} to {last}: the first day comes first, and at most {_LONGEST.days} days follow")
    return _Asked(company, first, last, until, *chosen)


def _day(text: str, usual: date) -> date:
    try:
        return date.fromisoformat(text) if text else usual
    except ValueError:
        raise UsageError(f"{text!r}: write a day as 2026-01-31") from None


def _replayed(visit: Visit, asked: _Asked, names: Mapping[str, Shown]) -> Replayed:
    files = [f"{names[name].path}" for name in (asked.playbook, asked.against) if name]
    if not _one_replays.acquire(blocking=False):
        raise Locked("somebody else is trying a playbook at this moment: one at a time, try again soon")
    try:
        # with the files as they are now, whatever was read of them before
        return replayed(visit.app.anew(visit.app.settings), asked.company, files, asked.first, asked.last)
    finally:
        _one_replays.release()


def _picture(told: Replayed, columns: Sequence[str], visit: Visit) -> Picture:
    begins = spans(told.past.first, told.past.last)
    counts = [one.by_span(begins) for one in told.found]
    series = ("one", "two")
    lines = []
    for place, day in enumerate(begins):
        each = [one[place] for one in counts]
        stacks = tuple(
            (Value(of, Decimal(count), f"{name}: {count}"),)
            for of, name, count in zip(series, columns, each, strict=False)
        )
        lines.append(Line(visit.site.look.day(day), " · ".join(map(str, each)), stacks))
    legend = list(zip(series, columns, strict=False))
    return drawn("Touches, by the day on which each span begins", legend, lines)


# --- a change, and a person's answer to it ----------------------------------------------------------------------------


def _those(visit: Visit) -> list[tuple[Connection, Policy]]:
    """Each company with its playbooks as their files are now."""
    app = visit.app.anew(visit.app.settings)
    return [(one, app.policy(one)) for one in visit.companies]


def review(visit: Visit) -> Response:
    """The changes that running chases have not taken; who would move is looked for where somebody asks."""
    wants_moves = visit.query.get("moves") == "yes"
    those = _those(visit)
    with visit.app.store.reading() as work:
        found = reviews.review(work, those, now=visit.now) if wants_moves else reviews.standing(work, those)
    return visit.render("review.html", found=found, with_moves=wants_moves)


def accept_change(visit: Visit) -> Response:
    """Running chases go on with the playbook as it is now."""
    those, name = _those(visit), visit.form.get("name", "")
    with visit.app.store.working() as work:
        _as_seen(reviews.standing(work, those), name, visit.form.get("version", ""))
        reviews.accept(work, those, [name], author=visit.author, now=visit.now)
        work.commit()
    return visit.see("/review")


def keep_change(visit: Visit) -> Response:
    """Running chases stay with what they began with."""
    those, name = _those(visit), visit.form.get("name", "")
    with visit.app.store.working() as work:
        _as_seen(reviews.standing(work, those), name, visit.form.get("version", ""))
        reviews.keep(work, those, name, author=visit.author, now=visit.now)
        work.commit()
    return visit.see("/review")


def _as_seen(found: Sequence[reviews.Review], name: str, version: str) -> None:
    """NotFound where nothing waits of that name; UsageError where the playbook was changed since it was shown."""
    one = next((one for one in found if one.name == name), None)
    if one is None:
        raise NotFound(f"a change of playbook {name!r} that running chases have not taken")
    if one.version != version:
        raise UsageError(f"playbook {name} was changed again since you saw it: look at it once more")


_ADMIN: Final = Needs(Role.ADMIN, Reach.EVERYTHING)
ROUTES = [
    page("/simulate", simulate, access=Needs(Role.VIEWER, Reach.THEIRS), lane=LONG),
    page("/review", review, access=Needs(Role.VIEWER, Reach.EVERYTHING), lane=LONG),
    act("/review/accept", accept_change, access=_ADMIN),
    act("/review/keep", keep_change, access=_ADMIN),
]
