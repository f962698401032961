"""What is on the desk this morning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from arsync.acts import correcting, undoing
from arsync.acts.undoing import Undone
from arsync.domain.roles import Role
from arsync.domain.states import PromiseState
from arsync.errors import NotFound
from arsync.store import agenda, approvals, connections, errands, touches
from arsync.store.agenda import Entry, Pile
from arsync.store.engine import Work
from arsync.web.access import Needs, Reach
from arsync.web.numbers import number, of_message
from arsync.web.routes import act, page
from arsync.web.visit import Visit
from arsync.worker.tasks import WAITS

_MOST: Final = 8
_AHEAD: Final = timedelta(days=7)
_NOTHING: Final = Decimal("0.00")
#: Where one acts on a line, from its thing and its company's name.
_To = Callable[[Entry, str], str]


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
class Row:
    """One line of a pile, where its customer is, where one acts on it, and the form that is done with it."""

    entry: Entry
    company: str
    zone: str  # the company's
    payer: str | None
    to: str | None
    done: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """A pile with its title, the page where all of it is, what is said where it is empty, and whether somebody has to
    set something right; `done` is the word on the button of a line."""

    title: str
    count: int
    rows: tuple[Row, ...]
    none: str = ""
    all: str = ""
    urgent: bool = False
    done: str = ""


def today(visit: Visit) -> Response:
    """What only a person can set right, what is to be done, what goes out and what went, and how everything is."""
    days = [visit.app.today(one) for one in visit.companies]
    first = min(days, default=visit.now.date())
    with visit.app.store.reading() as work:
        stakes = _stakes(visit, work)
        button = connections.installation(work)
        blocks = [*_amiss(visit, work, first), *_to_do(visit, work, first), *_going(visit, work, first)]
        gone = errands.counts(errands.gone_by_channel(work, _ids(visit), first - timedelta(days=1)))
    return visit.render(
        "today.html", stakes=stakes, blocks=[one for one in blocks if one.none or one.count], button=button,
        day=max(days, default=None), gone=gone, channels=sorted({name for each in gone.values() for name in each}),
        told=_TOLD.get(visit.query.get("told", ""), ""),
    )  # fmt: skip


# --- the piles --------------------------------------------------------------------------------------------------------


def _amiss(visit: Visit, work: Work, first: date) -> list[Block]:
    """What does not go on before somebody has set it right; said only where there is something."""
    ids, late = _ids(visit), approvals.patience_ends(first)
    return [
        _block(visit, "Nobody knows whether it went out", agenda.unknown(work, ids, most=_MOST), to=_message,
               all_="/messages?state=unknown", urgent=True),
        _block(visit, "Could not be sent", errands.failed(work, ids, most=_MOST), to=_approval,
               all_="/messages?state=failed", urgent=True),
        _block(visit, "Asked for though it was paid: say sorry", errands.wrongly_asked(work, ids, most=_MOST),
               to=_message, done="It is answered for", does=lambda one: f"/messages/{one.id}/corrected", urgent=True),
        _block(visit, "Nothing goes out before you act", errands.at_a_stand(work, ids, most=_MOST), to=_whose,
               urgent=True),
        _block(visit, "Approved, and does not go", errands.set_aside(work, ids, WAITS, most=_MOST), to=_message,
               urgent=True),
        _block(visit, "Notes that the accounting system lacks", errands.unwritten(work, ids, most=_MOST), urgent=True),
        _block(visit, "Records that cannot be read", errands.unreadable(work, ids, most=_MOST), to=_source,
               all_="/connections", urgent=True),
        _block(visit, "Has waited for an answer for more than three days",
               errands.too_long(work, ids, late, most=_MOST), to=_approval, all_="/approvals", urgent=True),
    ]  # fmt: skip


def _to_do(visit: Visit, work: Work, first: date) -> list[Block]:
    """The day's work."""
    ids = _ids(visit)
    return [
        _block(visit, "Waits for approval", agenda.to_approve(work, ids, most=_MOST), "No message waits for a person.",
               to=_approval, all_="/approvals"),
        _block(visit, "Calls to make", agenda.calls(work, ids, first, most=_MOST), "No call is to be made.", to=_call,
               all_="/calls"),
        _block(visit, "Replies to read", agenda.replies(work, ids, of_nobody=_sees_all(visit), most=_MOST),
               "No customer's mail waits.", to=_reply, all_="/replies"),
        _block(visit, "To look at again", errands.follow_ups(work, ids, first, most=_MOST),
               "Nobody wanted to be reminded.", done="Done", does=lambda one: f"/comments/{one.id}/done"),
        _block(visit, "Letters", errands.letters(work, ids, most=_MOST), "None is to be printed or posted.", to=_letter,
               all_="/letters"),
        _block(visit, "Promised for today", agenda.promises(work, ids, PromiseState.OPEN, until=first, most=_MOST),
               "No promise is due."),
        _block(visit, "Promises broken this week",
               agenda.promises(work, ids, PromiseState.BROKEN, since=visit.now - _AHEAD, most=_MOST),
               "None was broken."),
        _block(visit, "Through with the playbook: decide", errands.to_decide(work, ids, most=_MOST),
               "Nobody is through with it."),
        _block(visit, "Holds that end within a week",
               agenda.holds_ending(work, ids, first, first + _AHEAD, most=_MOST), "None ends."),
    ]  # fmt: skip


def _going(visit: Visit, work: Work, first: date) -> list[Block]:
    ids = _ids(visit)
    return [
        _block(visit, "Goes out next, in each customer's hours", errands.next_out(work, ids, WAITS, most=_MOST),
               "Nothing is on its way.", to=_message, all_="/messages?state=approved"),
        _block(visit, "Went out since yesterday", agenda.went_out(work, ids, first - timedelta(days=1), most=_MOST),
               "Nothing went out.", to=_message, all_="/messages"),
    ]  # fmt: skip


def _block(
    visit: Visit, title: str, pile: Pile, none: str = "", *, to: _To | None = None, all_: str = "",
    urgent: bool = False, done: str = "", does: Callable[[Entry], str] | None = None,
) -> Block:  # fmt: skip
    names = {one.id: one.name for one in visit.companies}
    zones = {one.id: visit.app.timezone(one) for one in visit.companies}
    rows = tuple(
        Row(
            one, company, zones.get(one.connection_id, "UTC"), _customer(company, one.payer_id),
            to(one, company) if to is not None else None, does(one) if does is not None else None,
        )
        for one in pile.entries
        for company in (names.get(one.connection_id, ""),)
    )  # fmt: skip
    return Block(title, pile.count, rows, none, all_, urgent, done)


def _customer(company: str, payer_id: str | None) -> str | None:
    return f"/customers/{quote(company)}/{quote(payer_id, safe='')}" if company and payer_id else None


def _message(one: Entry, _company: str) -> str:
    return f"/messages/{one.id}"


def _approval(one: Entry, _company: str) -> str:
    return f"/approvals?message={one.id}"


def _call(one: Entry, _company: str) -> str:
    return f"/calls/{one.id}"


def _reply(one: Entry, company: str) -> str:
    return f"/replies/{one.id}" if company else f"/unmatched/{one.id}"


def _letter(one: Entry, _company: str) -> str:
    return f"/letters#letter-{one.id}"


def _source(_one: Entry, company: str) -> str:
    return f"/connections/{quote(company)}"


def _whose(one: Entry, company: str) -> str:
    return _customer(company, one.payer_id) or f"/customers?company={quote(company)}"


def _ids(visit: Visit) -> list[int]:
    return [one.id for one in visit.companies]


def _sees_all(visit: Visit) -> bool:
    return visit.person is not None and visit.person.companies is None


def _stakes(visit: Visit, work: Work) -> list[Stake]:
    found: dict[str, Stake] = {}
    for one in visit.site.figures.of(work, visit.companies):
        known = found.get(one.currency, Stake(one.currency, _NOTHING, _NOTHING, _NOTHING, 0))
        found[one.currency] = Stake(
            one.currency, known.open + one.open, known.overdue + one.overdue, known.on_account + one.on_account,
            known.payers + (one.overdue > 0),
        )  # fmt: skip
    return sorted(found.values(), key=lambda one: (-one.overdue, -one.open, one.currency))


# --- what is done from here -------------------------------------------------------------------------------------------

#: What was done, by the word in the address that the page is shown at afterwards.
_TOLD: Final = {
    "looked": "It is done with.",
    "answered": "It is kept that somebody has answered for it.",
}


def looked_at(visit: Visit) -> Response:
    """Is done with a comment that was to be looked at again."""
    undoing.undo(visit.app, Undone.COMMENT, int(visit.named["comment"]), who=visit.author)
    return visit.see("/?told=looked")


def corrected(visit: Visit) -> Response:
    """Keeps that somebody has answered for a message that had asked for what was paid."""
    correcting.settle(visit.app, [int(visit.named["message"])], who=visit.author)
    return visit.see("/?told=answered")


def of_comment(work: Work, named: Mapping[str, Any]) -> int:
    """For addresses with `{comment}`."""
    one = number(str(named["comment"]))
    company = touches.company_of_comment(work, one) if one is not None else None
    if company is None:
        raise NotFound(f"comment {named['comment']}")
    return company


ROUTES = [
    page("/", today, access=Needs(Role.VIEWER, Reach.THEIRS)),
    act("/comments/{comment}/done", looked_at, access=Needs(Role.COLLECTOR, of_comment)),
    act("/messages/{message}/corrected", corrected, access=Needs(Role.COLLECTOR, of_message)),
]
