"""Clauses on what changed since a cursor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from arsync.connector import Resource
from arsync.domain.documents import CreditNote, Deleted, InvoiceState, Payment
from arsync.errors import Stale
from arsync.testing.contract.held import Held
from arsync.testing.contract.source import Ability, Source


def _loaded(source: Source) -> tuple[Held, str]:
    """All of the books, and a cursor from before they were read."""
    connector, held = source.connector(), Held()
    cursor = connector.watermark()
    held.backfill(connector, source.since)
    return held, cursor


class Changes:
    """What a delta gives. A ledger with each clause: what people did, what arsync must then hold."""

    def test_a_delta_sees_everything_since_the_watermark(self, source: Source) -> None:
        held, cursor = _loaded(source)
        first, second, third = source.owed()[:3]
        customer = source.new_customer("Newcomer Ltd")
        source.new_invoice(customer, Decimal("77.70"), issued_on=source.today, due_on=source.today)
        source.pay(first.remote_id, first.balance)
        source.pay(second.remote_id, Decimal("0.01"))
        source.edit(third.remote_id, due_on=source.today + timedelta(days=400))
        held.follow(source.connector(), cursor)
        held.must_agree(source)
        assert customer in held.ids(Resource.CUSTOMERS), "a new customer comes with a delta"

    def test_a_payment_comes_with_what_it_was_put_on(self, source: Source) -> None:
        held, cursor = _loaded(source)
        bill = source.owed()[0]
        payment = source.pay(bill.remote_id, bill.balance)
        held.follow(source.connector(), cursor)
        found = held.records.get((Resource.PAYMENTS, payment))
        assert isinstance(found, Payment), "the payment itself"
        assert (found.amount, found.unapplied, found.currency) == (bill.balance, Decimal(0), bill.currency)
        assert [(part.invoice_id, part.amount) for part in found.allocations] == [(bill.remote_id, bill.balance)]

    def test_money_on_account_and_credit_are_seen_as_not_put_on_anything(self, source: Source) -> None:
        source.needs(Ability.ON_ACCOUNT)
        held, cursor = _loaded(source)
        customer = source.owed()[0].customer_id
        payment = source.pay_on_account(customer, Decimal("33.33"))
        credit = None if Ability.CREDITS in source.cannot else source.credit(customer, Decimal("4.44"))
        held.follow(source.connector(), cursor)
        money = held.records[Resource.PAYMENTS, payment]
        assert isinstance(money, Payment)
        assert (money.customer_id, money.unapplied, money.allocations) == (customer, Decimal("33.33"), ())
        if credit is not None:
            given = held.records[Resource.CREDIT_NOTES, credit]
            assert isinstance(given, CreditNote)
            assert (given.customer_id, given.unapplied) == (customer, Decimal("4.44"))

    def test_what_is_voided_is_not_owed_any_more(self, source: Source) -> None:
        source.needs(Ability.VOIDING)
        self._ends_as_gone(source, source.void)

    def test_what_is_deleted_is_not_owed_any_more(self, source: Source) -> None:
        source.needs(Ability.DELETING)
        self._ends_as_gone(source, source.delete)

    def _ends_as_gone(self, source: Source, end: Callable[[str], None]) -> None:
        held, cursor = _loaded(source)
        bill = source.owed()[0]
        end(bill.remote_id)
        held.follow(source.connector(), cursor)
        found = held.invoice(bill.remote_id)
        assert found is None or found.state in (InvoiceState.VOID, InvoiceState.DELETED), "it is held as owed"
        held.must_agree(source)

    def test_nothing_that_lives_comes_as_deleted(self, source: Source) -> None:
        _, cursor = _loaded(source)
        for bill in source.owed()[:5]:
            source.edit(bill.remote_id, due_on=source.today)
        pages = list(source.connector().delta(cursor))
        assert [record for page in pages for record in page.records if isinstance(record, Deleted)] == []

    def test_a_delta_read_again_changes_nothing(self, source: Source) -> None:
        """Read whole, read again, and read with its pages in any order: the same is held."""
        held, cursor = _loaded(source)
        first, second = source.owed()[:2]
        source.pay(first.remote_id, first.balance)
        source.edit(second.remote_id, due_on=source.today)
        pages = held.take(source.connector().delta(cursor))
        once = dict(held.records)
        held.follow(source.connector(), cursor)
        held.take(reversed(pages))
        assert held.records == once
        held.must_agree(source)

    def test_a_delta_that_was_cut_short_is_read_again_from_its_own_cursor(self, source: Source) -> None:
        held, cursor = _loaded(source)
        bill = source.owed()[0]
        source.pay(bill.remote_id, bill.balance)
        pages = source.connector().delta(cursor)
        held.take([page for page, _ in zip(pages, range(1), strict=False)])
        held.follow(source.connector(), cursor)
        held.must_agree(source)

    def test_what_changes_during_a_delta_comes_with_the_next(self, source: Source) -> None:
        held, cursor = _loaded(source)
        first, second = source.owed()[:2]
        source.edit(first.remote_id, due_on=source.today)
        pages = source.connector().delta(cursor)
        held.take([next(pages)])
        source.pay(second.remote_id, second.balance)
        following = [page.cursor for page in held.take(pages)]
        held.follow(source.connector(), following[-1] if following else cursor)
        held.must_agree(source)

    def test_deltas_one_after_another_lose_nothing(self, source: Source) -> None:
        held, cursor = _loaded(source)
        for bill in source.owed()[:4]:
            source.pay(bill.remote_id, bill.balance)
            cursor = held.follow(source.connector(), cursor)
        quiet = held.follow(source.connector(), cursor)
        held.follow(source.connector(), quiet)
        held.must_agree(source)

    def test_a_cursor_that_cannot_be_read_is_stale(self, source: Source) -> None:
        for cursor in ("", "not a cursor", "{}"):
            with pytest.raises(Stale):
                list(source.connector().delta(cursor))

    def test_a_backfills_cursor_that_cannot_be_read_begins_anew(self, source: Source) -> None:
        held = Held()
        held.take(source.connector().backfill(Resource.INVOICES, since=source.since, cursor="not a cursor"))
        held.must_agree(source)

    def test_a_delta_from_long_ago_is_stale_or_complete(self, source: Source) -> None:
        """Incomplete and silent is what it must not be."""
        source.needs(Ability.FORGETTING)
        held, cursor = _loaded(source)
        first, second = source.owed()[:2]
        source.pay(first.remote_id, first.balance)
        if Ability.DELETING not in source.cannot:
            source.delete(second.remote_id)
        source.let_pass(days=45)
        try:
            held.follow(source.connector(), cursor)
        except Stale:
            return
        held.must_agree(source)
