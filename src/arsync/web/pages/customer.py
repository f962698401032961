"""One customer: what is owed and why nothing, or what, goes out; all that happened; and what a person does about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from arsync.acts import approving, calling, holding, lifting, promising
from arsync.acts.whom import Whom
from arsync.domain.chase import Hold
from arsync.domain.instalments import Every
from arsync.domain.people import CallOutcome, DisputeCode
from arsync.domain.roles import Role
from arsync.domain.states import HoldKind
from arsync.errors import NotFound, UsageError
from arsync.store import finding, holds, messages
from arsync.store.engine import Work
from arsync.web import account
from arsync.web.access import Needs
from arsync.web.fields import day_in, number_in, one_of
from arsync.web.routes import act, of_company, page
from arsync.web.visit import Visit

#: What a person may place by itself; the others come with a promise, a plan or a reply.
KINDS: Final = (
    HoldKind.PAUSE, HoldKind.AUTOPAY, HoldKind.LEGAL, HoldKind.OPT_OUT, HoldKind.EXCLUDE,
)  # fmt: skip
#: What was done, by the word in the address that the page is shown at afterwards.
DONE: Final = {
    "hold": "Hold {0} is placed: nothing that it covers is chased.",
    "dispute": "Hold {0} is placed: what they contest is not asked for; the rest is.",
    "promise": "The promise is kept as hold {0}: nothing is chased until its day and grace have passed.",
    "plan": "Plan {0} is agreed: nothing is chased while it is on track.",
    "lift": "Hold {0} is lifted.",
    "call": "How the call went is kept (outcome {0}).",
    "approve": "Message {0} is approved: it goes out with the next dispatch.",
}


def customer(visit: Visit) -> Response:
    """The account."""
    return _shown(visit, str(visit.named["payer"]))


def _shown(visit: Visit, payer_id: str, *, wrong: UsageError | None = None, of: str = "") -> Response:
    found = account.read(visit, payer_id)
    done, number = visit.query.get("done", ""), visit.query.get("n", "")
    told = DONE[done].format(number) if done in DONE and number.isascii() and number.isdigit() else ""
    return visit.render(
        "customer.html", status=422 if wrong else 200, account=found, told=told, wrong=wrong, of=of,
        form=visit.form if wrong else {}, kinds=KINDS, codes=list(DisputeCode), outcomes=list(CallOutcome),
        every=list(Every),
    )  # fmt: skip


# --- what a person does ----------------------------------------------------------------------------------------------


def _doing(kind: str, do: Callable[[Visit, str], int]) -> Callable[[Visit], Response]:
    """The act behind a form of this page: shown again with what was wrong, or seen with what was done."""

    def view(visit: Visit) -> Response:
        payer_id = visit.form.get("payer", "")
        try:
            _payer(visit, payer_id)
            number = do(visit, payer_id)
        except UsageError as error:
            return _shown(visit, payer_id, wrong=error, of=kind)
        company = visit.company
        assert company is not None
        return visit.see(f"/customers/{quote(company.name)}/{quote(payer_id)}?done={kind}&n={number}")

    view.__name__ = f"customer_{kind}"
    return view


def _hold(visit: Visit, payer_id: str) -> int:
    form, named = visit.form, _named(visit, payer_id)
    kind = one_of(HoldKind, form, "kind", "kind", among=KINDS)
    placed = Hold(
        kind, form.get("reason", ""), visit.author, payer_id, named.invoice_id, _today(visit), day_in(form, "until")
    )
    return holding.place(visit.app, named.connection_id, placed, what=named.what)[0]


def _dispute(visit: Visit, payer_id: str) -> int:
    form, named = visit.form, _named(visit, payer_id)
    if named.invoice is None:
        raise UsageError("which invoice do they contest?", field="invoice")
    part = holding.contested_part(named.invoice, form["amount"]) if form.get("amount", "").strip() else None
    code = one_of(DisputeCode, form, "code", "what they contest") if form.get("code") else None
    placed = Hold(
        HoldKind.DISPUTE, form.get("reason", ""), visit.author, payer_id, named.invoice_id, _today(visit),
        day_in(form, "until"), part, code,
    )  # fmt: skip
    what = f"{part} of {named.what}" if part else named.what
    return holding.place(visit.app, named.connection_id, placed, what=what)[0]


def _promise(visit: Visit, payer_id: str) -> int:
    form, named = visit.form, _named(visit, payer_id)
    day = day_in(form, "day")
    if day is None:
        raise UsageError("which day did they name?", field="day")
    _, given = promising.promise(
        visit.app, named, day, amount=form.get("amount", "").strip() or None,
        currency=form.get("currency", "").strip() or None, grace=number_in(form, "grace", 2, 0, 30),
        reason=form.get("reason", ""), who=visit.author,
    )  # fmt: skip
    return given.holds[0]


def _plan(visit: Visit, payer_id: str) -> int:
    form, named = visit.form, _named(visit, payer_id)
    first = day_in(form, "first")
    if first is None:
        raise UsageError("on which day is the first instalment?", field="first")
    parts = promising.even(number_in(form, "number", 0, 1, 120), first, one_of(Every, form, "every", "how often"))
    agreed = promising.instalments(
        visit.app, [named], parts, amount=form.get("amount", "").strip() or None,
        currency=form.get("currency", "").strip() or None, grace=number_in(form, "grace", 2, 0, 30),
        reason=form.get("reason", ""), who=visit.author,
    )  # fmt: skip
    return agreed.plan_id


def _lift(visit: Visit, payer_id: str) -> int:
    number = number_in(visit.form, "hold", 0, 1, 2**31 - 1)
    with visit.app.store.working() as work:
        placed = holds.get(work, number)
        if placed is None or placed.connection_id != _company(visit) or placed.hold.payer_id != payer_id:
            raise NotFound(f"active hold {number}")
        lifting.end(visit.app, work, number, who=visit.author)
        work.commit()
    return number


def _call(visit: Visit, payer_id: str) -> int:
    form = visit.form
    number = number_in(form, "call", 0, 1, 2**31 - 1)
    with visit.app.store.reading() as work:
        _message_of(work, visit, payer_id, number)
    outcome = one_of(CallOutcome, form, "outcome", "how it went")
    said = calling.Said(
        outcome,
        day=day_in(form, "day") if outcome in (CallOutcome.PROMISED, CallOutcome.PAID) else None,
        amount=(form.get("amount", "").strip() or None)
        if outcome in (CallOutcome.PROMISED, CallOutcome.DISPUTED)
        else None,
        code=one_of(DisputeCode, form, "code", "what they contest")
        if form.get("code") and outcome is CallOutcome.DISPUTED
        else None,
        comment=form.get("comment", ""),
    )
    return calling.keep(visit.app, number, said, who=visit.author).number


def _approve(visit: Visit, payer_id: str) -> int:
    number = number_in(visit.form, "message", 0, 1, 2**31 - 1)
    with visit.app.store.reading() as work:
        _message_of(work, visit, payer_id, number)
    done = approving.approve(visit.app, {number: visit.form.get("mark", "")}, who=visit.author)
    if done.changed:
        raise UsageError(f"message {number} was changed meanwhile and is not approved: look at it again")
    return number


# --- what the fields say ---------------------------------------------------------------------------------------------


def _company(visit: Visit) -> int:
    assert visit.company is not None
    return visit.company.id


def _today(visit: Visit) -> date:
    assert visit.company is not None
    return visit.app.today(visit.company)


def _payer(visit: Visit, payer_id: str) -> str:
    """The payer's name; NotFound where the company has none of that id."""
    with visit.app.store.reading() as work:
        known = finding.payer_name(work, _company(visit), payer_id)
    if known is None:
        raise NotFound
    return known


def _named(visit: Visit, payer_id: str) -> Whom:
    """The invoice that the form names, or all that the customer pays for."""
    of, invoice_id = _company(visit), visit.form.get("invoice", "")
    if not invoice_id:
        return Whom(of, payer_id, None, f"everything {_payer(visit, payer_id)} pays for")
    with visit.app.store.reading() as work:
        found = next(iter(finding.invoices_of(work, of, [invoice_id])), None)
    if found is None or found.payer_id != payer_id:
        raise UsageError("that invoice is not this customer's any more", field="invoice")
    return Whom(of, payer_id, found, f"invoice {found.number} of {found.customer}")


def _message_of(work: Work, visit: Visit, payer_id: str, number: int) -> None:
    found = messages.find(work, number)
    if found is None or found.connection_id != _company(visit) or found.payer_id != payer_id:
        raise NotFound(f"message {number}")


_LOOKS: Final = Needs(Role.VIEWER, of_company)
_WORKS: Final = Needs(Role.COLLECTOR, of_company)
ROUTES = [
    act("/customers/{company}/hold", _doing("hold", _hold), access=_WORKS),
    act("/customers/{company}/dispute", _doing("dispute", _dispute), access=_WORKS),
    act("/customers/{company}/promise", _doing("promise", _promise), access=_WORKS),
    act("/customers/{company}/plan", _doing("plan", _plan), access=_WORKS),
    act("/customers/{company}/lift", _doing("lift", _lift), access=_WORKS),
    act("/customers/{company}/call", _doing("call", _call), access=_WORKS),
    act("/customers/{company}/approve", _doing("approve", _approve), access=_WORKS),
    page("/customers/{company}/{payer:path}", customer, access=_LOOKS),
]
