"""What customers answered: the list, one with what it seems to mean, and what a person makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from starlette.responses import Response

from arsync.acts import answering
from arsync.acts.answering import Answer
from arsync.domain.replies import ReplyState
from arsync.domain.roles import Role
from arsync.errors import NotFound, UsageError
from arsync.store import agenda, finding, messages, replies
from arsync.store.engine import Work
from arsync.store.finding import FoundInvoice
from arsync.store.replies import Reply
from arsync.web.access import Needs, Reach
from arsync.web.fields import day_in, required
from arsync.web.numbers import number
from arsync.web.routes import act, page
from arsync.web.visit import Visit

_MOST: Final = 200
_CANDIDATES: Final = 20
#: What was done, by the word in the address that the list is shown at afterwards.
_TOLD: Final = {
    "done": "Reply {0} is done with: the chase goes on, but for what was kept of it.",
    "undone": "Reply {0} waits again; what was kept of it is taken back.",
    "matched": "Reply {0} has its customer, whose chase is paused until somebody is done with it.",
}


def reply_list(visit: Visit) -> Response:
    """What waits for a person, the newest first."""
    ids = [one.id for one in visit.companies]
    sees_all = visit.person is not None and visit.person.companies is None
    with visit.app.store.reading() as work:
        pile = agenda.replies(work, ids, of_nobody=sees_all, most=_MOST)
    told, of = _TOLD.get(visit.query.get("told", "")), number(visit.query.get("of", ""))
    return visit.render(
        "replies.html", pile=pile, names={one.id: one for one in visit.companies},
        told=told.format(of) if told is not None and of is not None else "", of=of,
        undo=visit.query.get("told") == "done",
    )  # fmt: skip


def reply(visit: Visit) -> Response:
    """One answer, with what it answers."""
    with visit.app.store.reading() as work:
        one = answering.known(work, int(visit.named["reply"]))
    return _shown(visit, one)


def unmatched(visit: Visit) -> Response:
    """One answer of which nobody knows whose it is, and who it could be of."""
    return _shown(visit, _of_nobody(visit))


def _shown(visit: Visit, one: Reply, wrong: UsageError | None = None) -> Response:
    company = visit.company
    with visit.app.store.reading() as work:
        about = messages.find(work, one.message_id) if one.message_id is not None else None
        items = messages.items(work, one.message_id) if one.message_id is not None else []
        payer = answering.whose(work, one)
        wanted = visit.query.get("customer", "").strip()[:200]
        found = finding.customers_like(work, wanted, limit=_CANDIDATES) if company is None and wanted else []
    return visit.render(
        "reply.html", status=422 if wrong else 200, one=one, company=company, payer=payer, about=about,
        items=[item for item in items if item.demanded], zone=visit.app.timezone(company) if company else "UTC",
        waits=one.state is ReplyState.WAITING, form=visit.form if wrong else {}, wrong=wrong, wanted=wanted,
        found=[each for each in found if each.customer_id == each.payer_id],
        today=visit.app.today(company) if company else visit.now.date(),
    )  # fmt: skip


def _of_nobody(visit: Visit) -> Reply:
    reply_id = number(str(visit.named["reply"]))
    with visit.app.store.reading() as work:
        one = replies.get(work, reply_id) if reply_id is not None else None
    if one is None or one.connection_id is not None:
        raise NotFound(f"a reply {visit.named['reply']} of nobody that is known")
    return one


# --- what is done -----------------------------------------------------------------------------------------------------


def done(visit: Visit) -> Response:
    """Keeps what it says, or that it says nothing to keep, and lets the chase go on."""
    one = int(visit.named["reply"])
    try:
        answering.done(visit.app, one, _said(visit), who=visit.author)
    except UsageError as error:
        with visit.app.store.reading() as work:
            known = answering.known(work, one)
        return _shown(visit, known, error)
    return visit.see(f"/replies?told=done&of={one}")


def done_unmatched(visit: Visit) -> Response:
    """Is done with what nobody wrote that is known."""
    one = _of_nobody(visit)
    answering.done(visit.app, one.id, Answer(comment=visit.form.get("comment", "")), who=visit.author)
    return visit.see(f"/replies?told=done&of={one.id}")


def take_back(visit: Visit) -> Response:
    """It waits again."""
    one = int(visit.named["reply"])
    answering.undo(visit.app, one, who=visit.author)
    return visit.see(f"/replies?told=undone&of={one}")


def match(visit: Visit) -> Response:
    """Says whose it is."""
    one, (company, _, payer_id) = _of_nobody(visit), visit.form.get("whose", "").partition(":")
    of = number(company)
    with visit.app.store.reading() as work:
        known = of is not None and finding.payer_name(work, of, payer_id) is not None
    if of is None or not known or of not in [each.id for each in visit.companies]:
        raise UsageError("whose is it? Choose one of the customers", field="whose")
    answering.match(visit.app, one.id, of, payer_id, who=visit.author)
    return visit.see(f"/replies/{one.id}")


def _said(visit: Visit) -> Answer:
    form, comment = visit.form, visit.form.get("comment", "")
    match form.get("says", ""):
        case "promise":
            return Answer(
                promised_on=_needed(form, "day", "which day did they name?"),
                amount=form.get("amount", "").strip() or None, currency=form.get("currency", "").strip() or None,
                invoice=_invoice(visit), comment=comment,
            )  # fmt: skip
        case "dispute":
            contested = required(form, "dispute", "what do they contest?")
            return Answer(dispute=contested, invoice=_invoice(visit), comment=comment)
        case "pause":
            until = _needed(form, "until", "until which day?")
            return Answer(paused_until=until, invoice=_invoice(visit), comment=comment)
        case "nothing":
            return Answer(comment=comment)
    raise UsageError("what does it say?")


def _needed(form: Mapping[str, str], name: str, asked: str) -> date:
    found = day_in(form, name)
    if found is None:
        raise UsageError(asked, field=name)
    return found


def _invoice(visit: Visit) -> FoundInvoice | None:
    wanted = visit.form.get("invoice", "")
    if not wanted:
        return None
    assert visit.company is not None
    with visit.app.store.reading() as work:
        found = next(iter(finding.invoices_of(work, visit.company.id, [wanted])), None)
    if found is None:
        raise UsageError("that invoice is not there any more", field="invoice")
    return found


def of_reply(work: Work, named: Mapping[str, Any]) -> int:
    """For addresses with `{reply}` of a customer that is known."""
    reply_id = number(str(named["reply"]))
    one = replies.get(work, reply_id) if reply_id is not None else None
    if one is None or one.connection_id is None:
        raise NotFound(f"reply {named['reply']}")
    return one.connection_id


ROUTES = [
    page("/replies", reply_list, access=Needs(Role.VIEWER, Reach.THEIRS)),
    page("/replies/{reply}", reply, access=Needs(Role.VIEWER, of_reply)),
    act("/replies/{reply}/done", done, access=Needs(Role.COLLECTOR, of_reply)),
    act("/replies/{reply}/take-back", take_back, access=Needs(Role.COLLECTOR, of_reply)),
    page("/unmatched/{reply}", unmatched, access=Needs(Role.VIEWER, Reach.EVERYTHING)),
    act("/unmatched/{reply}/done", done_unmatched, access=Needs(Role.COLLECTOR, Reach.EVERYTHING)),
    act("/unmatched/{reply}/match", match, access=Needs(Role.COLLECTOR, Reach.EVERYTHING)),
]
