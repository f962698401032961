"""Calls to make: the list, one at a time with the customer's story, and what came of it in two clicks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from starlette.responses import Response

from arsync.acts import calling, calls, story, touching
from arsync.acts.calling import Said
from arsync.acts.undoing import Undone, undo
from arsync.acts.whom import Whom
from arsync.domain.clock import local_date
from arsync.domain.people import CallOutcome, DisputeCode, TouchKind
from arsync.domain.policy import StepChannel
from arsync.domain.roles import Role
from arsync.errors import ConnectorError, NotFound, UsageError
from arsync.store import agenda, correspondence, events, finding, messages, touches
from arsync.store.engine import Work
from arsync.store.messages import Message
from arsync.web.access import Needs, Reach
from arsync.web.fields import day_in, one_of
from arsync.web.numbers import number, of_message
from arsync.web.routes import act, page
from arsync.web.visit import Visit

_MOST: Final = 200
_STORY: Final = 30
_MAILS: Final = 20
#: What stands in the field for the day that they name until somebody changes it.
_USUAL: Final = timedelta(days=7)
_WEEKEND: Final = 5


def call_list(visit: Visit) -> Response:
    """The calls to make, the most money at stake first."""
    ids = [one.id for one in visit.companies]
    said = visit.query
    with visit.app.store.reading() as work:
        first = min((visit.app.today(one) for one in visit.companies), default=visit.now.date())
        pile = agenda.calls(work, ids, first, most=_MOST)
        tried = touches.last_outcomes(work, [one.id for one in pile.entries])
        kept = _kept(work, ids, number(said.get("kept", "")))
        gone = _gone(work, ids, number(said.get("gone", "")))
    return visit.render(
        "calls.html", pile=pile, tried=tried, kept=kept, gone=gone, undone=number(said.get("undone", "")),
        did=number(said.get("did", "")),
        names={one.id: one.name for one in visit.companies},
    )  # fmt: skip


def _kept(work: Work, ids: list[int], outcome: int | None) -> touches.Outcome | None:
    found = touches.outcome(work, outcome) if outcome is not None else None
    return found if found is not None and found.connection_id in ids else None


def _gone(work: Work, ids: list[int], message_id: int | None) -> str | None:
    """Why a call that was opened is off the list."""
    if message_id is None or correspondence.company_of(work, message_id) not in ids:
        return None
    told = [one for one in events.of_message(work, message_id) if one.kind == "call_withdrawn"]
    return str(told[-1].data["reason"]) if told else None


def call(visit: Visit) -> Response:
    """One call: what to say, what time it is there, what happened so far, and what came of it."""
    return _shown(visit)


def _shown(visit: Visit, wrong: UsageError | None = None) -> Response:
    company = visit.company
    assert company is not None
    with visit.app.store.reading() as work:
        message = _on_the_list(work, int(visit.named["message"]))
        asked = [item.invoice_id for item in messages.items(work, message.id) if item.demanded]
        invoices = [one for one in finding.invoices_of(work, company.id, asked) if one.balance]
        payer = finding.customer_name(work, company.id, message.payer_id)
        tried = touches.last_outcomes(work, [message.id]).get(message.id)
        opened = [one for one in events.of_message(work, message.id) if one.kind == "call_opened"]
        lines = _story(work, message, visit.app.timezone(company))
        mails = [one for one in correspondence.of_chase(work, message.chase_id, most=_MAILS) if one.id != message.id]
    told = calls.as_it_stands(visit.app, company, message)
    today = visit.app.today(company)
    return visit.render(
        "call.html", status=422 if wrong else 200, wrong=wrong, form=visit.form if wrong else {}, message=message,
        company=company, payer=payer, told=told, invoices=invoices, tried=tried,
        opened=opened[-1] if opened else None, lines=lines, mails=mails, unread="unread" in visit.query,
        zone=visit.app.timezone(company), today=today, usual=_workday(today + _USUAL), codes=list(DisputeCode),
        kinds=list(TouchKind),
        is_call=message.channel == StepChannel.CALL,
    )  # fmt: skip


def _on_the_list(work: Work, message_id: int) -> Message:
    found = messages.find(work, message_id)
    if found is None or not messages.is_call(work, message_id):
        raise NotFound(f"call {message_id} on the list")
    return found


def _workday(day: date) -> date:
    return day + timedelta(days=max(0, 7 - day.weekday())) if day.weekday() >= _WEEKEND else day


def _story(work: Work, message: Message, zone: str) -> list[tuple[date, str]]:
    lines = sorted(story.said(work, message.connection_id, message.payer_id, holds=_STORY), reverse=True)
    return [(local_date(at, zone), line) for at, line in lines[:_STORY]]


# --- what is done --------------------------------------------------------------------------------------------------


def open_call(visit: Visit) -> Response:
    """Reads the source again; a call of which nothing is owed any more is off the list."""
    one, company = int(visit.named["message"]), visit.company
    assert company is not None
    with visit.app.store.reading() as work:
        message = _on_the_list(work, one)
    try:
        told = calls.open_call(visit.app, company, message, who=visit.author)
    except ConnectorError:
        return visit.see(f"/calls/{one}?unread=1")
    return visit.see(f"/calls/{one}" if told is not None else f"/calls?gone={one}")


def keep(visit: Visit) -> Response:
    """Keeps what came of a call, with what follows from it; where that cannot be, says why beside the field."""
    try:
        kept = calling.keep(visit.app, int(visit.named["message"]), _said(visit.form), who=visit.author)
    except UsageError as error:
        return _shown(visit, error)
    return visit.see(f"/calls?kept={kept.number}")


def do(visit: Visit) -> Response:
    """Says that a task is done: its step was taken by hand, about what it names."""
    company, one = visit.company, int(visit.named["message"])
    assert company is not None
    with visit.app.store.reading() as work:
        message = _on_the_list(work, one)
        if message.channel != StepChannel.TASK:
            raise NotFound(f"task {one} on the list")
        name = finding.customer_name(work, company.id, message.payer_id)
        about = [item.invoice_id for item in messages.items(work, one) if item.demanded]
    named = Whom(company.id, message.payer_id, None, f"everything {name} pays for")
    try:
        made, _ = touching.touch(
            visit.app, named, one_of(TouchKind, visit.form, "kind", "how"), on=None, step=message.step_id,
            comment=visit.form.get("comment", "").strip(), who=visit.author, about=about,
        )  # fmt: skip
    except UsageError as error:
        return _shown(visit, error)
    return visit.see(f"/calls?did={made}")


def _said(form: Mapping[str, str]) -> Said:
    """What the form says; UsageError with what is wrong in it."""
    outcome = one_of(CallOutcome, form, "outcome", "what came of it")
    code = one_of(DisputeCode, form, "code", "what they contest") if form.get("code") else None
    return Said(
        outcome, day=day_in(form, "day"), amount=form.get("amount", "").strip() or None, code=code,
        numbers=[one for one in form.get("invoice", "").splitlines() if one], comment=form.get("comment", "").strip(),
    )  # fmt: skip


def take_back(visit: Visit) -> Response:
    """Takes back what came of a call, with all that was kept of it."""
    one = int(visit.named["outcome"])
    undo(visit.app, Undone.CALL, one, who=visit.author)
    return visit.see(f"/calls?undone={one}")


def of_outcome(work: Work, named: Mapping[str, Any]) -> int:
    """For addresses with `{outcome}`, the number of what came of a call."""
    one = number(str(named["outcome"]))
    found = touches.outcome(work, one) if one is not None else None
    if found is None:
        raise NotFound(f"outcome {named['outcome']} of a call")
    return found.connection_id


ROUTES = [
    page("/calls", call_list, access=Needs(Role.VIEWER, Reach.THEIRS)),
    page("/calls/{message}", call, access=Needs(Role.VIEWER, of_message)),
    act("/calls/{message}/open", open_call, access=Needs(Role.COLLECTOR, of_message)),
    act("/calls/{message}", keep, access=Needs(Role.COLLECTOR, of_message)),
    act("/calls/{message}/done", do, access=Needs(Role.COLLECTOR, of_message)),
    act("/outcomes/{outcome}/take-back", take_back, access=Needs(Role.COLLECTOR, of_outcome)),
]
