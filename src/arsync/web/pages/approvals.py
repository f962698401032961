"""Messages that wait for a person: read, changed, let go or stopped. What was seen is what is approved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from arsync.acts import approving
from arsync.domain.roles import Role
from arsync.errors import NotFound, UsageError
from arsync.store import approvals as answers
from arsync.store import correspondence, messages
from arsync.store.correspondence import Listed
from arsync.store.engine import Work
from arsync.store.messages import Message
from arsync.web.access import Needs, Reach
from arsync.web.numbers import number, of_message
from arsync.web.routes import act, page
from arsync.web.visit import Visit

#: So many are shown at once; who has answered them gets the next.
PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for: which messages, the one to be read, and what is about to be done with it."""

    step: str
    company: str
    message: int | None
    doing: str  # "edit", "reject" or nothing

    def address(self, **other: object) -> str:
        """The same page with something else in it."""
        said = {"step": self.step, "company": self.company, "message": self.message, **other}
        kept = {key: value for key, value in said.items() if value}
        return f"/approvals?{urlencode(kept)}" if kept else "/approvals"


def approvals(visit: Visit) -> Response:
    """The messages that wait, and one of them as it would go out."""
    return _shown(visit, _asked(visit.query))


def _shown(visit: Visit, asked: Asked, wrong: UsageError | None = None) -> Response:
    chosen = [one.id for one in visit.companies if asked.company in ("", one.name)]
    everybody = [one.id for one in visit.companies]
    with visit.app.store.reading() as work:
        steps = correspondence.steps(work, everybody, answers.WAITING)
        rows = correspondence.waiting(work, chosen, answers.WAITING, step_id=asked.step or None, most=PAGE)
        chosen_one = asked.message if asked.message is not None else rows[0].id if rows else None
        one = messages.find(work, chosen_one) if chosen_one is not None else None
        if one is not None and one.connection_id not in everybody:
            raise NotFound
        items = messages.items(work, one.id) if one is not None else []
        seen = _seen(work, [row for row in rows if row.channel == "email"]) if asked.step else {}
    waits = one is not None and one.state in answers.WAITING
    place = next((at for at, row in enumerate(rows) if one is not None and row.id == one.id), None)
    told, of = visit.query.get("told", ""), number(visit.query.get("of", ""))
    return visit.render(
        "approvals.html", status=422 if wrong else 200, wrong=wrong, form=visit.form if wrong else {},
        asked=asked, rows=rows, steps=steps, one=one, items=items, waits=waits,
        seen=approving.shown(one) if one is not None and waits else "", all_seen=seen,
        payer=next((row.payer for row in rows if one is not None and row.id == one.id), None),
        after=_at(rows, place, 1), before=_at(rows, place, -1), in_all=sum(steps.values()), names=_names(visit),
        editable=one is not None and one.state in approving.EDITABLE and one.channel == "email",
        told=told if of is not None else "", of=of, changed=number(visit.query.get("changed", "")),
    )  # fmt: skip


def _names(visit: Visit) -> dict[int, str]:
    return {one.id: one.name for one in visit.companies}


def _at(rows: list[Listed], place: int | None, step: int) -> int | None:
    """The message that stands so far from that place in the list."""
    if place is None or not 0 <= place + step < len(rows):
        return None
    return rows[place + step].id


def _seen(work: Work, rows: list[Listed]) -> dict[int, str]:
    """What is shown of each, as the form keeps it."""
    return {one.id: approving.shown(one) for one in messages.some(work, [row.id for row in rows])}


def _asked(said: Mapping[str, str]) -> Asked:
    doing = said.get("doing", "")
    return Asked(
        step=said.get("step", "")[:64], company=said.get("company", ""), message=number(said.get("message", "")),
        doing=doing if doing in ("edit", "reject") else "",
    )  # fmt: skip


# --- what is done --------------------------------------------------------------------------------------------------


def approve(visit: Visit) -> Response:
    """Lets one message go, as it was seen."""
    one = int(visit.named["message"])
    answer = approving.approve(
        visit.app, {one: visit.form.get("seen", "")}, who=visit.author, may_shrink="may_shrink" in visit.form
    )
    asked = _asked(visit.form)
    if answer.changed:
        return visit.see(asked.address(message=_newer(visit, one), told="changed", of=one))
    return visit.see(asked.address(message=_next(visit, asked), told="approved", of=one))


def approve_step(visit: Visit) -> Response:
    """Lets all of a step go that were listed, as they were then."""
    asked = _asked(visit.form)
    wanted = {}
    for line in visit.form.get("seen", "").splitlines():
        one, _, mark = line.partition(" ")
        if (message_id := number(one)) is not None:
            wanted[message_id] = mark
    mine = {one.id for one in visit.companies}
    with visit.app.store.reading() as work:
        if any(correspondence.company_of(work, one) not in mine for one in wanted):
            raise NotFound
    answer = approving.approve(visit.app, wanted, who=visit.author, may_shrink="may_shrink" in visit.form)
    told = {"told": "all" if answer.messages else "none", "of": len(answer.messages) or len(answer.changed)}
    return visit.see(asked.address(message=None, **told, changed=len(answer.changed)))


def reject(visit: Visit) -> Response:
    """Stops one message; the same is not planned again."""
    one = int(visit.named["message"])
    asked = _asked(visit.form)
    try:
        approving.reject(visit.app, [one], reason=visit.form.get("reason", ""), who=visit.author)
    except UsageError as error:
        return _shown(visit, replace(asked, message=one, doing="reject"), error)
    return visit.see(asked.address(message=_next(visit, asked), told="rejected", of=one))


def edit(visit: Visit) -> Response:
    """Puts a person's words in place of those that were seen; they wait to be approved. Where that cannot be, they
    stand on the page still."""
    asked, one = _asked(visit.form), int(visit.named["message"])
    try:
        changed = _edited(visit, one)
    except UsageError as error:
        return _shown(visit, replace(asked, message=_newer(visit, one), doing="edit"), error)
    return visit.see(asked.address(message=one, told="edited" if changed else "same", of=one))


def _edited(visit: Visit, one: int) -> bool:
    with visit.app.store.reading() as work:
        message = messages.get(work, one)
    if approving.shown(message) != visit.form.get("seen"):
        raise UsageError(
            "the message was changed meanwhile, and nothing is kept of your words. They stand in the form still: "
            "compare them with what the message says now, below it, before you keep them"
        )
    message = approving.editable(message)
    subject, text = (visit.form.get(name, "") for name in ("subject", "text"))
    return approving.edit(visit.app, message, subject, text, who=visit.author)


def take_back(visit: Visit) -> Response:
    """Takes an approval back, as long as nothing has left."""
    one = int(visit.named["message"])
    approving.unapprove(visit.app, [one], who=visit.author)
    return visit.see(_asked(visit.form).address(message=one, told="taken_back", of=one))


def _newer(visit: Visit, message_id: int) -> int:
    """What stands in the place of that message now."""
    with visit.app.store.reading() as work:
        old = messages.get(work, message_id)
        live: Message | None = messages.live_of(work, old.chase_id)
    return live.id if live is not None else message_id


def _next(visit: Visit, asked: Asked) -> int | None:
    """The one that stood behind it in the list, as the form said; the first where there is none."""
    return number(visit.form.get("after", ""))


ROUTES = [
    page("/approvals", approvals, access=Needs(Role.VIEWER, Reach.THEIRS)),
    act("/approvals", approve_step, access=Needs(Role.COLLECTOR, Reach.THEIRS)),
    act("/messages/{message}/approve", approve, access=Needs(Role.COLLECTOR, of_message)),
    act("/messages/{message}/reject", reject, access=Needs(Role.COLLECTOR, of_message)),
    act("/messages/{message}/edit", edit, access=Needs(Role.COLLECTOR, of_message)),
    act("/messages/{message}/take-back", take_back, access=Needs(Role.COLLECTOR, of_message)),
]
