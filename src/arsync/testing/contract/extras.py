"""Clauses on what a connector may give besides; reported as not applicable where it does not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from arsync.connector import InvoiceFact, KeepsFacts
from arsync.domain.documents import Invoice
from arsync.domain.states import WriteKind
from arsync.errors import Gone, Rejected
from arsync.testing.contract.held import Held
from arsync.testing.contract.source import Source


class Extras:
    """Facts on invoices: the day for which money is promised, and that an invoice was sent."""

    def test_a_fact_set_on_an_invoice_comes_with_the_next_delta(self, source: Source) -> None:
        for kind in sorted(_keeper(source).facts):
            held, cursor, fact = _set(source, kind)
            held.follow(source.connector(), cursor)
            found = held.invoice(fact.invoice_id)
            assert found is not None
            assert _stands(found, fact), f"{kind} was set and is not read back"
            held.must_agree(source)

    def test_a_fact_set_twice_is_as_good_as_once(self, source: Source) -> None:
        for kind in sorted(_keeper(source).facts):
            held, cursor, fact = _set(source, kind)
            _keeper(source).write_fact(fact)
            held.follow(source.connector(), cursor)
            found = held.invoice(fact.invoice_id)
            assert found is not None
            assert _stands(found, fact)

    def test_a_fact_on_nothing_is_refused(self, source: Source) -> None:
        for kind in sorted(_keeper(source).facts):
            with pytest.raises((Rejected, Gone)):
                _keeper(source).write_fact(_fact(source, kind, source.unknown_id))


def _keeper(source: Source) -> KeepsFacts:
    """A new connector; the clause is not applicable where the source has no place for facts."""
    connector = source.connector()
    if not isinstance(connector, KeepsFacts):
        pytest.skip(f"not applicable to {type(source).__name__}: it keeps no facts on invoices")
    assert WriteKind.NOTE not in connector.facts, "a note is no fact"
    return connector


def _fact(source: Source, kind: WriteKind, invoice_id: str) -> InvoiceFact:
    day: date | None = source.today + timedelta(days=10) if kind is WriteKind.EXPECTED_ON else None
    return InvoiceFact(kind=kind, invoice_id=invoice_id, expected_on=day, key=f"fact-{kind}")


def _set(source: Source, kind: WriteKind) -> tuple[Held, str, InvoiceFact]:
    """The books as held before, a cursor from then, and a fact that has been set since."""
    connector, held = source.connector(), Held()
    cursor = connector.watermark()
    held.backfill(connector, source.since)
    fact = _fact(source, kind, source.owed()[0].remote_id)
    _keeper(source).write_fact(fact)
    return held, cursor, fact


def _stands(invoice: Invoice, fact: InvoiceFact) -> bool:
    return invoice.sent is True if fact.kind is WriteKind.SENT else invoice.expected_on == fact.expected_on
