"""Statements of account on paper."""

from __future__ import annotations

from arsync.bootstrap import App
from arsync.domain.statement import Statement
from arsync.playbook.facts import language
from arsync.render.statement import statement_pdf
from arsync.store.connections import Connection
from arsync.store.ledger import Payer


def on_paper(app: App, company: Connection, one: Statement, payer: Payer | None) -> bytes:
    """The statement as PDF, in the customer's language and with the address that is known."""
    policy = app.policy(company)
    tongue = language(payer.language if payer else None, policy)
    address, country = (payer.address, payer.country) if payer else (None, None)
    locale = policy.seller.locale if policy.seller.locale.lower().startswith(tongue) else tongue
    return statement_pdf(one, policy.seller, locale=locale, address=address, country=country)
