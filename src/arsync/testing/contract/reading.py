"""Clauses on reading everything, and on reading single records."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from arsync.connector import Page, Resource
from arsync.domain.documents import Customer, Deleted, Invoice, InvoiceState, Payment, Record
from arsync.testing.contract.held import Held, check_form
from arsync.testing.contract.source import Ability, Source

#: A connector may have some pages on their way while one is worked on.
_AHEAD: Final = 5


class Reading:
    """What a pull from nothing gives."""

    def test_the_company_is_the_one_that_was_linked(self, source: Source) -> None:
        company = source.connector().company()
        assert company.external_id == source.external_id
        assert company.name, "a company has a name"
        assert re.fullmatch("[A-Z]{3}", company.base_currency), f"{company.base_currency!r} is no ISO 4217 code"
        assert company.country is None or re.fullmatch("[A-Z]{2}", company.country), f"{company.country!r}: ISO 3166-1"
        assert company.timezone is None or ZoneInfo(company.timezone)
        assert company.reminders_on in (None, True, False)

    def test_a_backfill_holds_what_the_books_hold(self, large: Source) -> None:
        held = Held()
        held.backfill(large.connector(), large.since)
        held.must_agree(large)
        owing = {bill.customer_id for bill in large.owed()}
        assert owing <= held.ids(Resource.CUSTOMERS), "everybody who owes something comes as a customer"

    def test_no_deleted_record_comes_in_a_backfill(self, source: Source) -> None:
        source.needs(Ability.DELETING)
        source.delete(source.owed()[0].remote_id)
        held = Held()
        held.backfill(source.connector(), source.since)
        assert [record for record in held.records.values() if isinstance(record, Deleted)] == []

    def test_the_count_is_what_a_backfill_sees(self, large: Source) -> None:
        large.needs(Ability.COUNTING)
        connector = large.connector()
        for kind in Resource:
            seen = sum(page.seen for page in connector.backfill(kind, since=large.since, cursor=None))
            assert connector.count(kind, since=large.since) == seen, kind

    def test_a_count_that_is_not_known_is_none(self, source: Source) -> None:
        if Ability.COUNTING in source.cannot:
            assert [source.connector().count(kind, since=source.since) for kind in Resource] == [None] * len(Resource)

    def test_a_backfill_goes_on_after_any_of_its_pages(self, large: Source) -> None:
        pages = list(large.connector().backfill(Resource.INVOICES, since=large.since, cursor=None))
        assert len(pages) > 1, "a single page: `page_size` is wrong, or a page holds everything"
        every = _ids(pages)
        for number, page in enumerate(pages, start=1):
            rest = list(large.connector().backfill(Resource.INVOICES, since=large.since, cursor=page.cursor))
            assert _ids(pages[:number]) | _ids(rest) == every, f"records are lost after page {number}"
            ahead = sum(one.seen for one in pages[number:])
            again = sum(one.seen for one in rest) - ahead
            assert again <= large.page_size, f"after page {number}, {again} records come again"

    def test_a_backfill_loses_nothing_under_edits(self, large: Source) -> None:
        """After every page invoices already read are edited, and one of them and one not yet read is paid."""
        connector, held = large.connector(), Held()
        cursor = connector.watermark()
        owed = large.owed()
        open_ids = {bill.remote_id for bill in owed}
        served: set[str] = set()
        for page in connector.backfill(Resource.INVOICES, since=large.since, cursor=None):
            held.take([page])
            served |= {record.remote_id for record in page.records}
            for bill in [bill for bill in owed if bill.remote_id in open_ids & served][:3]:
                large.edit(bill.remote_id, due_on=large.today + timedelta(days=len(served) % 90))
            for some in (open_ids & served, open_ids - served):
                paid = next((bill for bill in owed if bill.remote_id in some), None)
                if paid is not None:
                    large.pay(paid.remote_id, paid.balance)
                    open_ids.discard(paid.remote_id)
        lost = open_ids - held.ids(Resource.INVOICES)
        assert not lost, f"{len(lost)} open invoices never came: {sorted(lost)[:5]}"
        for kind in (Resource.CUSTOMERS, Resource.PAYMENTS, Resource.CREDIT_NOTES):
            held.take(connector.backfill(kind, since=large.since, cursor=None))
        held.follow(connector, cursor)
        held.must_agree(large)

    def test_two_backfills_give_the_same_records_under_the_same_ids(self, source: Source) -> None:
        first, second = Held(), Held()
        first.backfill(source.connector(), source.since)
        second.backfill(source.connector(), source.since)
        assert first.records == second.records

    def test_a_backfill_asks_for_a_page_when_it_is_wanted(self, large: Source) -> None:
        large.needs(Ability.REQUESTS)
        pages = large.connector().backfill(Resource.INVOICES, since=large.since, cursor=None)
        before = large.asked()
        next(pages)
        first = large.asked() - before
        list(pages)
        assert first < max(large.asked() - before, _AHEAD), f"{first} requests before the first page"

    def test_amounts_are_exact_to_the_cent(self, source: Source) -> None:
        customer = source.new_customer("Cent & Sons")
        amounts = [Decimal("0.07"), Decimal("19.99"), Decimal("1100.10"), Decimal("1234567.89")]
        issued = source.today - timedelta(days=10)
        ids = [source.new_invoice(customer, one, issued_on=issued, due_on=source.today) for one in amounts]
        source.pay(ids[3], Decimal("1234567.80"))
        held = Held()
        held.backfill(source.connector(), source.since)
        found = [held.invoice(one) for one in ids]
        assert [one and one.total for one in found] == amounts
        assert [one and one.balance for one in found] == [*amounts[:3], Decimal("0.09")]

    def test_days_are_the_days_on_the_invoice(self, source: Source) -> None:
        """Whatever the zones of the company and of this machine: the first and the last of a month."""
        customer = source.new_customer("Midnight Ltd")
        first = (source.today - timedelta(days=31)).replace(day=1)
        last = source.today.replace(day=1) - timedelta(days=1)
        bill = source.new_invoice(customer, Decimal("10.00"), issued_on=first, due_on=last)
        held = Held()
        held.backfill(source.connector(), source.since)
        found = held.invoice(bill)
        assert found is not None
        assert (found.issued_on, found.due_on) == (first, last)

    # --- single records ---------------------------------------------------------------------------------

    def test_records_come_by_id_and_unknown_ones_as_deleted(self, source: Source) -> None:
        bill = source.owed()[0]
        payment = source.pay(bill.remote_id, bill.balance / 2 if bill.balance % 2 == 0 else bill.balance)
        known = ((Resource.INVOICES, bill.remote_id, Invoice), (Resource.CUSTOMERS, bill.customer_id, Customer),
                 (Resource.PAYMENTS, payment, Payment))  # fmt: skip
        for kind, remote_id, form in known:
            found = _records(source, kind, remote_id, source.unknown_id)
            assert isinstance(found.get(remote_id), form), f"{kind} {remote_id} by id"
            assert isinstance(found.get(source.unknown_id), Deleted), f"{kind}: an unknown id comes as Deleted"

    def test_no_ids_give_no_records(self, source: Source) -> None:
        connector = source.connector()
        for kind in Resource:
            assert [record for page in connector.records(kind, []) for record in page.records] == []

    def test_a_refresh_brings_customers_with_all_that_they_owe(self, source: Source) -> None:
        connector = source.connector()
        cursor = connector.watermark()
        customer = source.new_customer("Refresh & Co")
        issued = source.today - timedelta(days=40)
        bills = [
            source.new_invoice(customer, Decimal(100 + n), issued_on=issued, due_on=source.today) for n in range(3)
        ]
        source.pay(bills[0], Decimal("100"))
        if Ability.ON_ACCOUNT not in source.cannot:
            source.pay_on_account(customer, Decimal("12.50"))
        if Ability.CREDITS not in source.cannot:
            source.credit(customer, Decimal("7.25"))
        held = Held()
        held.take(connector.refresh([customer], cursor=cursor))
        assert customer in held.ids(Resource.CUSTOMERS)
        assert [one.balance for one in map(held.invoice, bills[1:]) if one] == [Decimal(101), Decimal(102)]
        paid = held.invoice(bills[0])
        assert paid is None or paid.state is InvoiceState.PAID, "a paid invoice is not given as open"
        unapplied = [r.unapplied for r in held.records.values() if not isinstance(r, Customer | Invoice | Deleted)]
        if Ability.ON_ACCOUNT not in source.cannot:
            assert Decimal("12.50") in unapplied, "money on account that came since the cursor"
        if Ability.CREDITS not in source.cannot:
            assert Decimal("7.25") in unapplied, "credit that was given since the cursor"

    def test_a_refresh_knows_open_invoices_older_than_its_cursor(self, source: Source) -> None:
        customer = source.owed()[0].customer_id
        theirs = {bill.remote_id for bill in source.owed() if bill.customer_id == customer}
        connector, held = source.connector(), Held()
        held.take(connector.refresh([customer], cursor=connector.watermark()))
        assert theirs <= held.ids(Resource.INVOICES)

    # --- a record that cannot be read -------------------------------------------------------------------

    def test_a_broken_record_is_named_and_stops_no_other(self, source: Source) -> None:
        source.needs(Ability.BREAKING)
        bill, *others = source.owed()
        connector = source.connector()
        cursor = connector.watermark()
        source.break_invoice(bill.remote_id)
        for way, pages in (
            ("backfill", connector.backfill(Resource.INVOICES, since=source.since, cursor=None)),
            ("delta", connector.delta(cursor)),
            ("records", connector.records(Resource.INVOICES, [bill.remote_id, *(one.remote_id for one in others)])),
            ("refresh", connector.refresh([bill.customer_id], cursor=cursor)),
        ):
            held = Held()
            held.take(pages)
            assert {one.remote_id for one in held.broken} == {bill.remote_id}, f"{way} does not tell what is broken"
            assert {one.customer_id for one in held.broken} == {bill.customer_id}, f"{way}: whose it is"
            assert (Resource.INVOICES, bill.remote_id) not in held.records, f"{way} gives what cannot be read"
            if way in ("backfill", "records"):
                assert {one.remote_id for one in others} <= held.ids(Resource.INVOICES), f"{way} lacks the others"

    def test_a_record_that_was_mended_comes_with_the_next_delta(self, source: Source) -> None:
        source.needs(Ability.BREAKING)
        bill = source.owed()[0]
        source.break_invoice(bill.remote_id)
        connector, held = source.connector(), Held()
        cursor = connector.watermark()
        held.backfill(connector, source.since)
        source.mend_invoice(bill.remote_id)
        held.follow(connector, cursor)
        held.must_agree(source)


def _ids(pages: list[Page]) -> set[str]:
    for page in pages:
        check_form(page)
    return {record.remote_id for page in pages for record in page.records}


def _records(source: Source, kind: Resource, *remote_ids: str) -> dict[str, Record]:
    held = Held()
    held.take(source.connector().records(kind, remote_ids))
    return {remote_id: record for (_, remote_id), record in held.records.items()}
