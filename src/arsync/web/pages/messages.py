"""Messages in whatever state: the list, one with its whole story, and what a person knows or wants of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response

from arsync.acts import approving, outgoing
from arsync.domain.policy import StepChannel
from arsync.domain.roles import Role
from arsync.domain.states import MessageState
from arsync.errors import NotFound, UsageError
from arsync.store import approvals as answers
from arsync.store import correspondence, events, finding, messages, notes
from arsync.web.access import Needs, Reach
from arsync.web.numbers import number, of_message
from arsync.web.routes import act, page
from arsync.web.visit import Visit

PAGE: Final = 50
_OF_CHASE: Final = 50
#: A message stands in a frame of ours: nothing of it runs, nothing is fetched for it, and no link leads out of it.
_FRAMED: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; what is no state counts as not said."""

    state: MessageState | None
    step: str
    company: str
    customer: str
    on: date | None  # the day on which it left
    channel: StepChannel | None
    before: int | None

    def address(self, **other: object) -> str:
        """The same list with something else in it."""
        said = {"state": self.state, "step": self.step, "company": self.company, "customer": self.customer,
                "on": self.on, "channel": self.channel, "before": self.before, **other}  # fmt: skip
        kept = {key: value for key, value in said.items() if value}
        return f"/messages?{urlencode(kept)}" if kept else "/messages"


def message_list(visit: Visit) -> Response:
    """The newest messages of which what is asked for holds."""
    asked = _asked(visit)
    chosen = [one.id for one in visit.companies if asked.company in ("", one.name)]
    with visit.app.store.reading() as work:
        rows = correspondence.newest(
            work, chosen, state=asked.state, step_id=asked.step or None, customer=asked.customer, on=asked.on,
            channel=asked.channel, before=asked.before, most=PAGE + 1,
        )  # fmt: skip
        lost = correspondence.waiting(work, [one.id for one in visit.companies], (MessageState.UNKNOWN,), most=PAGE)
    shown = rows[:PAGE]
    return visit.render(
        "messages.html", asked=asked, rows=shown, older=shown[-1].id if len(rows) > PAGE else None, lost=lost,
        states=list(MessageState), channels=list(StepChannel), names={one.id: one.name for one in visit.companies},
    )  # fmt: skip


def _asked(visit: Visit) -> Asked:
    said = visit.query
    state, channel = said.get("state", ""), said.get("channel", "")
    return Asked(
        state=MessageState(state) if state in list(MessageState) else None, step=said.get("step", "").strip()[:64],
        company=said.get("company", ""), customer=" ".join(said.get("customer", "").split())[:200],
        on=_day(said.get("on", "")), channel=StepChannel(channel) if channel in list(StepChannel) else None,
        before=number(said.get("before", "")),
    )  # fmt: skip


def _day(written: str) -> date | None:
    try:
        return date.fromisoformat(written)
    except ValueError:
        return None


def message(visit: Visit) -> Response:
    """One message with its whole story."""
    company = visit.company
    assert company is not None
    with visit.app.store.reading() as work:
        one = messages.get(work, int(visit.named["message"]))
        items = messages.items(work, one.id)
        told = events.of_message(work, one.id)
        owed = notes.of_message(work, one.id)
        targets = finding.named_each(work, company.id, [note.target for note in owed])
        others = correspondence.of_chase(work, one.chase_id, most=_OF_CHASE)
        payer = finding.customer_name(work, company.id, one.payer_id)
    return visit.render(
        "message.html", one=one, company=company, items=items, events=told, payer=payer,
        notes=list(zip(owed, targets, strict=True)), others=[other for other in others if other.id != one.id],
        zone=visit.app.timezone(company), waits=one.state in answers.WAITING, told=visit.query.get("told", ""),
        can={
            "resolve": one.state in outgoing.OPEN,
            "resend": one.state in outgoing.ONCE_MORE,
            "take_back": one.state is MessageState.APPROVED and one.approved_by is not None,
            "stop": one.state in answers.STOPPABLE and one.state not in answers.WAITING,
        },
        nth=outgoing.nth(one.occurrence),
    )  # fmt: skip


def body(visit: Visit) -> Response:
    """The message as it was sent, or would be, for a frame."""
    with visit.app.store.reading() as work:
        one = messages.get(work, int(visit.named["message"]))
    if not one.html:
        raise NotFound(f"message {one.id} in HTML")
    return HTMLResponse(one.html, headers=_FRAMED)


# --- what is done --------------------------------------------------------------------------------------------------


def resolve(visit: Visit) -> Response:
    """What a person knows of a message that nobody else knows about."""
    known = {"sent": True, "not_sent": False}
    if (evidence := visit.form.get("evidence", "")) not in known:
        raise UsageError("say whether it went out or not")
    one = int(visit.named["message"])
    outgoing.resolve(visit.app, one, sent=known[evidence], reason=visit.form.get("reason", ""), who=visit.author)
    return visit.see(f"/messages/{one}?told={evidence}")


def resend(visit: Visit) -> Response:
    """The message once more, about what of it is still owed: another message, which says so."""
    one = int(visit.named["message"])
    made = outgoing.resend(visit.app, one, reason=visit.form.get("reason", ""), who=visit.author)
    return visit.see(f"/messages/{made.id}?told=resent")


def stop(visit: Visit) -> Response:
    """Stops a message that was approved and has not left."""
    one = int(visit.named["message"])
    approving.reject(visit.app, [one], reason=visit.form.get("reason", ""), who=visit.author)
    return visit.see(f"/messages/{one}?told=stopped")


ROUTES = [
    page("/messages", message_list, access=Needs(Role.VIEWER, Reach.THEIRS)),
    page("/messages/{message}", message, access=Needs(Role.VIEWER, of_message)),
    page("/messages/{message}/body", body, access=Needs(Role.VIEWER, of_message)),
    act("/messages/{message}/resolve", resolve, access=Needs(Role.COLLECTOR, of_message)),
    act("/messages/{message}/resend", resend, access=Needs(Role.COLLECTOR, of_message)),
    act("/messages/{message}/stop", stop, access=Needs(Role.COLLECTOR, of_message)),
]
