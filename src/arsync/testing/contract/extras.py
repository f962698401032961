"""Clauses on what a connector may give besides; reported as not applicable where it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from arsync.connector import Consent, Consenting, InvoiceFact, KeepsFacts
from arsync.domain.documents import Invoice
from arsync.domain.states import WriteKind
from arsync.errors import Gone, Reauthorise, Rejected
from arsync.testing.contract.held import Held
from arsync.testing.contract.source import Source


class Extras:
    """Facts on invoices (the day for which money is promised, that it was sent), and the vendor's consent page."""

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

    def test_a_day_that_is_taken_back_is_gone_or_its_refusal_is_told(self, source: Source) -> None:
        if WriteKind.EXPECTED_ON not in _keeper(source).facts:
            pytest.skip(f"not applicable to {type(source).__name__}: it keeps no such day")
        held, cursor, fact = _set(source, WriteKind.EXPECTED_ON)
        try:
            _keeper(source).write_fact(replace(fact, expected_on=None, key="fact-taken-back"))
            left = None
        except Rejected:
            left = fact.expected_on
        held.follow(source.connector(), cursor)
        found = held.invoice(fact.invoice_id)
        assert found is not None
        assert found.expected_on == left, "what is said of it is not so"

    def test_a_fact_on_nothing_is_refused(self, source: Source) -> None:
        for kind in sorted(_keeper(source).facts):
            with pytest.raises((Rejected, Gone)):
                _keeper(source).write_fact(_fact(source, kind, source.unknown_id))

    def test_the_page_of_consent_knows_its_answer_and_tells_no_secret(self, source: Source) -> None:
        consent = _consent(source)
        challenge = "c" * 43 if consent.proves else None
        address = consent.address(state="st-1", challenge=challenge)
        asked = dict(parse_qsl(urlsplit(address).query))
        assert (asked.get("state"), asked.get("redirect_uri")) == ("st-1", consent.redirect_uri)
        assert asked.get("code_challenge") == challenge, "PKCE where the vendor has it, and only there"
        assert not [value for value in asked.values() if value in source.secrets()], "a secret in an address"

    def test_a_code_that_nobody_gave_opens_nothing(self, source: Source) -> None:
        consent = _consent(source)
        with pytest.raises((Reauthorise, Rejected)) as told:
            consent.exchange("no-such-code", verifier="v" * 43 if consent.proves else None)
        assert not [secret for secret in source.secrets() if secret in repr(told.value)]


def _consent(source: Source) -> Consent:
    consent = source.consent()
    if consent is None:
        assert not isinstance(type(source.connector()), Consenting), "`Source.consent` hides what the connector has"
        pytest.skip(f"not applicable to {type(source).__name__}: it needs no consent")
    return consent


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
