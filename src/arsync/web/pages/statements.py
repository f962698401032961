"""All that is open with one customer, on screen and on paper."""

from __future__ import annotations

from datetime import date
from typing import Final

from starlette.responses import Response

from arsync.acts.stating import on_paper
from arsync.domain.roles import Role
from arsync.domain.statement import Statement
from arsync.errors import NotFound, UsageError
from arsync.store import finding, ledger, statements
from arsync.store.connections import Connection
from arsync.store.ledger import Payer
from arsync.web.access import Needs
from arsync.web.routes import of_company, page
from arsync.web.threads import LONG
from arsync.web.visit import Visit


def statement(visit: Visit) -> Response:
    """Every open item by currency, with what all down to it come to."""
    company, payer_id = _whose(visit)
    on = _day(visit, company)
    name, found, _payer, doubts = _read(visit, company, payer_id, on)
    return visit.render(
        "statement.html", company=company, payer_id=payer_id, name=name, found=found, doubts=doubts, on=on,
        today=visit.app.today(company), timezone=visit.app.timezone(company),
    )  # fmt: skip


def statement_as_pdf(visit: Visit) -> Response:
    """The same of one currency as a document to send or file."""
    company, payer_id = _whose(visit)
    on = _day(visit, company)
    _name, found, payer, _doubts = _read(visit, company, payer_id, on)
    one = next((one for one in found if visit.query.get("currency") in (one.currency, None)), None)
    if one is None:
        raise NotFound("anything that is open in that currency")
    headers = {
        "Content-Disposition": f'attachment; filename="statement-{company.name}-{one.currency}-{on}.pdf"',
        "Cache-Control": "no-store",
    }
    return Response(on_paper(visit.app, company, one, payer), media_type="application/pdf", headers=headers)


def _whose(visit: Visit) -> tuple[Connection, str]:
    assert visit.company is not None
    return visit.company, str(visit.named["payer"])


def _day(visit: Visit, company: Connection) -> date:
    text, today = visit.query.get("on", ""), visit.app.today(company)
    try:
        return date.fromisoformat(text) if text else today
    except ValueError:
        raise UsageError(f"on {text!r}: write a day as 2026-01-31") from None


def _read(
    visit: Visit, company: Connection, payer_id: str, on: date
) -> tuple[str, tuple[Statement, ...], Payer | None, list[str]]:
    """The payer's name, the statements, what is known of them, and why something may lack; NotFound where the company
    has nobody of that id."""
    with visit.app.store.reading() as work:
        name = finding.payer_name(work, company.id, payer_id)
        if name is None:
            raise NotFound(f"a customer {payer_id!r}")
        found = statements.of_payer(work, company.id, payer_id, on=on)
        read = ledger.read(work, company.id, payer_id)
    doubts = [*read.quarantined.get(payer_id, ()), *read.quarantined_for_all]
    return name, found, read.payers.get(payer_id), doubts


_LOOKS: Final = Needs(Role.VIEWER, of_company)
ROUTES = [
    page("/statements/{company}/{payer:path}", statement, access=_LOOKS),
    page("/statement.pdf/{company}/{payer:path}", statement_as_pdf, access=_LOOKS, lane=LONG),
]
