"""Nothing is lost while people work: edits, payments and imports between the pages."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

import pytest
from tests.connectors.xero_stand_in import (
    NOW,
    Json,
    StandIn,
    connector,
    contact,
    credit,
    guid,
    invoice,
    payment,
    xero_standing_in,
)

from arsync.connector import Page, Resource
from arsync.domain.documents import Invoice, InvoiceState
from arsync.errors import Malformed, Stale
from arsync_xero.paging import Anchor, walk
from arsync_xero.rows import Answer, Row

SINCE = date(2024, 9, 1)
LONG_AGO = NOW - timedelta(days=300)


@pytest.fixture
def xero() -> Iterator[StandIn]:
    with xero_standing_in() as (_, stand_in):
        yield stand_in


def hourly(count: int) -> list[Json]:
    """Invoices changed one hour after the other."""
    return [invoice(number, updated=LONG_AGO + timedelta(hours=number)) for number in range(count)]


def ids(pages: Iterable[Page]) -> list[str]:
    return [record.remote_id for page in pages for record in page.records]


def test_a_quiet_backfill_sees_each_record_once_and_counts_it_so(xero: StandIn) -> None:
    xero.records["Invoices"] = hourly(2500)
    source = connector()
    pages = list(source.backfill(Resource.INVOICES, since=SINCE, cursor=None))
    assert len(set(ids(pages))) == 2500
    assert sum(page.seen for page in pages) == 2500 == source.count(Resource.INVOICES, since=SINCE)
    assert {query["order"] for query in xero.asked("Invoices")[: len(pages)]} == {"InvoiceID ASC"}
    assert len(pages) == 4  # the old open ones, and three pages of history


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("edited", ["first", "last"])
def test_edits_after_every_page_lose_nothing(xero: StandIn, edited: str, inclusive: bool) -> None:
    xero.inclusive = inclusive
    xero.records["Invoices"] = hourly(3300)
    clock = NOW

    def three_edits(name: str, page: list[Json]) -> None:
        nonlocal clock
        for record in page[:3] if edited == "first" else page[-3:]:
            clock += timedelta(seconds=7)
            if clock < NOW + timedelta(minutes=5):
                xero.touch(name, record, clock, Reference="edited")

    xero.after_page = three_edits
    pages = list(connector().backfill(Resource.INVOICES, since=SINCE, cursor=None))
    assert len(set(ids(pages))) == 3300


def test_an_old_invoice_paid_between_the_pages_hides_no_other(xero: StandIn) -> None:
    old = [
        invoice(number, updated=LONG_AGO + timedelta(hours=number), DateString="2020-01-01T00:00:00")
        for number in range(2300)
    ]
    xero.records["Invoices"] = old
    paid: set[str] = set()

    def pay(name: str, page: list[Json]) -> None:
        for record in page[:400]:
            if record["InvoiceID"] not in paid and len(paid) < 800:
                paid.add(record["InvoiceID"])
                xero.touch(name, record, NOW, AmountDue=0, Status="PAID")

    xero.after_page = pay
    pages = list(connector().backfill(Resource.INVOICES, since=SINCE, cursor=None))
    # Those that were paid meanwhile come with the delta, if the walk missed them.
    assert {record["InvoiceID"] for record in old} - paid <= set(ids(pages))


def test_history_before_the_window_comes_only_where_it_is_still_open(xero: StandIn) -> None:
    xero.records["Invoices"] = [
        invoice(1, DateString="2019-01-01T00:00:00"),
        invoice(2, DateString="2019-01-01T00:00:00", Status="PAID", AmountDue=0),
        invoice(3, DateString="2026-01-01T00:00:00", Status="PAID", AmountDue=0),
        invoice(4, DateString="2026-01-01T00:00:00", Status="VOIDED", AmountDue=0),
        invoice(5, DateString="2019-01-01T00:00:00", Status="DRAFT"),
    ]
    source = connector()
    pages = list(source.backfill(Resource.INVOICES, since=SINCE, cursor=None))
    assert sorted(ids(pages)) == [guid(1), guid(3), guid(4)]
    assert source.count(Resource.INVOICES, since=SINCE) == 3


@pytest.mark.parametrize("inclusive", [True, False])
def test_an_import_in_one_instant_is_read_whole(xero: StandIn, inclusive: bool) -> None:
    xero.inclusive = inclusive
    xero.records["Invoices"] = [invoice(number, updated=LONG_AGO) for number in range(4200)]
    pages = list(connector().backfill(Resource.INVOICES, since=SINCE, cursor=None))
    assert len(set(ids(pages))) == 4200
    assert sum(page.seen for page in pages) == 4200
    assert len(xero.asked("Invoices")) < 8


@pytest.mark.parametrize("edits", [3, 60, 400])
def test_edits_inside_an_import_lose_nothing(xero: StandIn, edits: int) -> None:
    xero.records["Invoices"] = [invoice(number, updated=LONG_AGO) for number in range(4200)]
    dice = random.Random(edits)
    rounds = 0

    def edit_some(name: str, page: list[Json]) -> None:
        nonlocal rounds
        rounds += 1
        if rounds <= 4:
            for record in dice.sample(page, k=min(edits, len(page))):
                xero.touch(name, record, NOW + timedelta(seconds=rounds), Reference="edited")

    xero.after_page = edit_some
    pages = list(connector().backfill(Resource.INVOICES, since=SINCE, cursor=None))
    assert len(set(ids(pages))) == 4200


class Import:
    """A thousand records of one instant, in pages of a hundred; after each page forty of them are edited."""

    def __init__(self, *, for_ever: bool = False) -> None:
        self.rows = [self.row(number, 0) for number in range(1000)]
        self.for_ever, self.dice, self.reads = for_ever, random.Random(5), 0

    def row(self, number: int, edited: int) -> Row:
        at = LONG_AGO + timedelta(minutes=edited)
        return Row(guid(number), at.isoformat(), at, None, None, ())

    def read(self, _since: datetime | None, page: int, size: int) -> Answer:
        self.reads += 1
        size = min(size, 100)
        shown = tuple(self.rows[(page - 1) * size : page * size])
        answer = Answer(shown, len(self.rows), size, None)
        unedited = [row for row in self.rows if self.for_ever or row.updated_at == LONG_AGO]
        for row in self.dice.sample(unedited, min(40, len(unedited))):
            self.rows.remove(row)
            fresh = row._replace(stamp=f"edited {self.reads}") if self.for_ever else self.row(0, self.reads)
            self.rows.append(fresh._replace(remote_id=row.remote_id))
        return answer


def test_an_instant_that_more_leave_than_the_pages_share_is_read_until_it_holds_still() -> None:
    """After each page forty of a thousand leave it; where that never ends, the walk does."""
    busy = Import()
    found = [row.remote_id for stretch in walk(busy.read, Anchor()) for row in stretch.rows]
    assert len(set(found)) == 1000
    with pytest.raises(Malformed, match="do not keep their order"):
        list(walk(Import(for_ever=True).read, Anchor()))


class Office:
    """Three hundred records, of which forty that were read are edited after every page of a hundred: ten pages come in
    a second, so that each second moves all that there is."""

    def __init__(self) -> None:
        self.rows = [self.row(number, NOW - timedelta(hours=300 - number), 0) for number in range(300)]
        self.at, self.reads = NOW, 0

    def row(self, number: int, at: datetime, edited: int) -> Row:
        return Row(guid(number), f"{at.isoformat()} {edited}", at, None, None, ())

    def read(self, since: datetime | None, page: int, size: int) -> Answer:
        self.reads += 1
        self.at += timedelta(milliseconds=100)
        size = min(size, 100)
        changed = [row for row in self.rows if since is None or (row.updated_at and row.updated_at >= since)]
        shown = tuple(changed[(page - 1) * size : page * size])
        for row in shown[:40]:
            self.rows.remove(row)
            edited = self.at.replace(microsecond=0)
            self.rows.append(row._replace(updated_at=edited, stamp=f"{edited.isoformat()} {self.reads}"))
        return Answer(shown, len(changed), size, self.at)


def test_who_edits_faster_than_pages_come_does_not_keep_the_walk_for_ever() -> None:
    office = Office()
    found = {row.remote_id for stretch in walk(office.read, Anchor(NOW - timedelta(days=30))) for row in stretch.rows}
    assert len(found) == 300, "all that was changed before it began"
    assert office.reads < 100


def test_a_source_that_ignores_page_numbers_is_not_followed_for_ever(xero: StandIn) -> None:
    xero.records["Invoices"] = [invoice(number, updated=LONG_AGO) for number in range(100)]
    xero.with_pagination = False
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Malformed, match=r"order|repeat"):
        patch.setattr(xero, "first_page_only", True)
        list(connector().backfill(Resource.INVOICES, since=SINCE, cursor=None))


def test_a_killed_backfill_goes_on_after_its_last_page(xero: StandIn) -> None:
    xero.records["Invoices"] = hourly(3000)
    xero.records["Invoices"] += [
        invoice(number, updated=LONG_AGO - timedelta(days=1)) for number in range(5000, 7500)
    ]  # an import first
    whole = connector().backfill(Resource.INVOICES, since=SINCE, cursor=None)
    everything = list(whole)
    requests = len(xero.asked("Invoices"))
    for killed_after in range(1, len(everything)):
        done = everything[:killed_after]
        xero.requests.clear()
        rest = list(connector().backfill(Resource.INVOICES, since=SINCE, cursor=done[-1].cursor))
        assert len(set(ids(done)) | set(ids(rest))) == 5500
        assert killed_after + len(xero.asked("Invoices")) <= requests + 2
    assert list(connector().backfill(Resource.INVOICES, since=SINCE, cursor=everything[-1].cursor)) == []


def test_the_next_page_is_asked_for_only_when_it_is_wanted(xero: StandIn) -> None:
    xero.records["Invoices"] = hourly(2500)
    pages = connector().backfill(Resource.INVOICES, since=date(2026, 1, 1), cursor=None)
    assert xero.requests == []
    next(pages)
    next(pages)
    assert len(xero.requests) == 2


@pytest.mark.parametrize(("pagination", "largest"), [(False, 1000), (True, 100), (False, 100)])
def test_smaller_pages_and_no_counts_lose_nothing(xero: StandIn, pagination: bool, largest: int) -> None:
    xero.with_pagination, xero.largest_page = pagination, largest
    xero.records["Invoices"] = [*hourly(1150), *(invoice(n, updated=LONG_AGO) for n in range(2000, 2450))]
    source = connector()
    pages = list(source.backfill(Resource.INVOICES, since=SINCE, cursor=None))
    assert len(set(ids(pages))) == 1600
    assert (source.count(Resource.INVOICES, since=SINCE) is None) is not pagination


def test_a_broken_record_at_the_end_of_a_page_stops_nobody(xero: StandIn) -> None:
    records = hourly(2200)
    for number in (998, 999, 1000, 1500):
        records[number]["Total"] = "a lot"
    xero.records["Invoices"] = records
    pages = list(connector().backfill(Resource.INVOICES, since=SINCE, cursor=None))
    assert len(set(ids(pages))) == 2196
    assert sorted(one.remote_id or "" for page in pages for one in page.broken) == [
        guid(number) for number in (998, 999, 1000, 1500)
    ]


def test_old_credits_without_a_rest_are_counted_and_not_given(xero: StandIn) -> None:
    old: Json = {"DateString": "2019-01-01T00:00:00"}
    xero.records["CreditNotes"] = [
        credit(1, key="CreditNoteID", kind="ACCRECCREDIT", **old),
        credit(2, key="CreditNoteID", kind="ACCRECCREDIT", RemainingCredit=0, Status="PAID", **old),
        credit(3, key="CreditNoteID", kind="ACCRECCREDIT", RemainingCredit=0, Status="PAID"),
        credit(4, key="CreditNoteID", kind="ACCPAYCREDIT"),
    ]
    source = connector()
    (page,) = source.backfill(Resource.CREDIT_NOTES, since=SINCE, cursor=None)
    assert ids([page]) == [guid(1), guid(3)]
    assert page.seen == 4 == source.count(Resource.CREDIT_NOTES, since=SINCE)


def test_payments_come_from_three_lists(xero: StandIn) -> None:
    xero.records["Payments"] = [payment(1, of=invoice(9))]
    xero.records["Overpayments"] = [credit(2, key="OverpaymentID", kind="RECEIVE-OVERPAYMENT")]
    xero.records["Prepayments"] = [credit(3, key="PrepaymentID", kind="ARPREPAYMENT")]
    source = connector()
    pages = list(source.backfill(Resource.PAYMENTS, since=SINCE, cursor=None))
    assert ids(pages) == [guid(1), guid(2), guid(3)]
    assert source.count(Resource.PAYMENTS, since=SINCE) == 3
    rest = source.backfill(Resource.PAYMENTS, since=SINCE, cursor=pages[0].cursor)
    assert ids(rest) == [guid(2), guid(3)]


# --- the delta ---------------------------------------------------------------------------------------------


def since(instant: datetime) -> str:
    return f'{{"since":"{instant.isoformat()}"}}'


def test_a_delta_gives_what_changed_and_begins_again_before_its_own_start(xero: StandIn) -> None:
    xero.records["Invoices"] = hourly(30)
    xero.records["Contacts"] = [contact(7_000)]
    xero.touch("Invoices", xero.records["Invoices"][4], NOW, Status="VOIDED", AmountDue=0)
    pages = list(connector().delta(since(NOW - timedelta(hours=1))))
    changed = [record for page in pages for record in page.records if isinstance(record, Invoice)]
    assert [(one.remote_id, one.state) for one in changed] == [(guid(4), InvoiceState.VOID)]
    assert {page.cursor for page in pages} == {'{"since":"2026-09-01T11:55:00Z"}'}
    assert list(dict.fromkeys(page.resource for page in pages)) == [
        Resource.CUSTOMERS,
        Resource.PAYMENTS,
        Resource.CREDIT_NOTES,
        Resource.INVOICES,
    ]
    headers = {str(request.headers.get("If-Modified-Since")) for request in xero.requests}
    assert headers == {"2026-09-01T11:00:00Z"}
    assert len(xero.requests) == 6


def test_a_delta_never_goes_back_in_time(xero: StandIn) -> None:
    xero.now = NOW - timedelta(days=1)
    cursors = {page.cursor for page in connector().delta(since(NOW))}
    assert cursors == {'{"since":"2026-09-01T12:00:00Z"}'}


def test_an_invoice_that_a_payment_did_not_bump_is_read_by_its_id(xero: StandIn) -> None:
    paid, other = invoice(1, updated=LONG_AGO, AmountDue=60), invoice(2, updated=LONG_AGO)
    xero.records["Invoices"] = [paid, other]
    xero.records["Payments"] = [payment(9, of=paid)]
    pages = list(connector().delta(since(NOW - timedelta(hours=1))))
    assert ids(pages) == [guid(9), guid(1)]
    assert xero.asked("Invoices")[-1]["IDs"] == guid(1)


def test_an_invoice_whose_payment_was_taken_back_is_read_again(xero: StandIn) -> None:
    sale = invoice(1, updated=LONG_AGO)
    xero.records["Invoices"] = [sale]
    xero.records["Payments"] = [payment(9, of=sale, Status="DELETED")]
    assert ids(connector().delta(since(NOW - timedelta(hours=1)))) == [guid(9), guid(1)]


@pytest.mark.parametrize("cursor", ["", "{}", "yesterday", '{"since":"soon"}'])
def test_a_delta_from_nowhere_asks_for_a_full_pull(cursor: str) -> None:
    with pytest.raises(Stale):
        list(connector().delta(cursor))


# --- single customers --------------------------------------------------------------------------------------


def test_a_refresh_of_forty_customers_takes_seven_requests(xero: StandIn) -> None:
    people = [contact(7_000 + number, updated=LONG_AGO) for number in range(80)]
    xero.records["Contacts"] = people
    xero.records["Invoices"] = [
        invoice(number, updated=LONG_AGO, Contact={"ContactID": guid(7_000 + number % 80)}) for number in range(400)
    ]
    xero.touch("Invoices", xero.records["Invoices"][3], NOW, Status="PAID", AmountDue=0)
    wanted = [guid(7_000 + number) for number in range(40)]
    pages = list(connector().refresh(wanted, cursor=since(NOW - timedelta(hours=1))))
    found = ids(pages)
    assert len(xero.requests) == 7
    assert set(wanted) <= set(found)
    owed = {one["InvoiceID"] for one in xero.records["Invoices"] if one["Contact"]["ContactID"] in wanted}
    assert owed <= set(found)  # the one just paid among them
    assert guid(40) not in found
    xero.requests.clear()
    list(connector().refresh([guid(7_000 + number) for number in range(80)], cursor=since(NOW)))
    assert len(xero.requests) == 4 + 2 * 3


def test_a_refresh_brings_unapplied_money_and_the_invoices_it_touched(xero: StandIn) -> None:
    sale, foreign = invoice(1, updated=LONG_AGO), invoice(2, updated=LONG_AGO, Contact={"ContactID": guid(8_000)})
    sale.update(AmountDue=0, Status="PAID")
    xero.records["Invoices"] = [sale, foreign]
    xero.records["Contacts"] = [contact(7_000)]
    xero.records["Payments"] = [payment(9, of=sale), payment(10, of=foreign)]
    xero.records["Overpayments"] = [credit(11, key="OverpaymentID", kind="RECEIVE-OVERPAYMENT")]
    found = ids(connector().refresh([guid(7_000)], cursor=since(NOW - timedelta(hours=1))))
    assert set(found) == {guid(9), guid(10), guid(11), guid(7_000), guid(1)}


def test_a_refresh_of_nobody_asks_nothing(xero: StandIn) -> None:
    assert list(connector().refresh([], cursor=since(NOW))) == []
    assert xero.requests == []


# --- by id -----------------------------------------------------------------------------------------------------


def test_records_come_by_forties_and_unknown_ones_as_deleted(xero: StandIn) -> None:
    xero.records["Invoices"] = hourly(100)
    pages = list(connector().records(Resource.INVOICES, [guid(number) for number in range(95, 145)]))
    assert [len(query["IDs"].split(",")) for query in xero.asked("Invoices")] == [40, 10]
    kinds = [type(record).__name__ for page in pages for record in page.records]
    assert (kinds.count("Invoice"), kinds.count("Deleted")) == (5, 45)
    assert {page.cursor for page in pages} == {""}


def test_a_payment_id_is_looked_for_in_all_three_lists(xero: StandIn) -> None:
    xero.records["Payments"] = [payment(1, of=invoice(9))]
    xero.records["Prepayments"] = [credit(3, key="PrepaymentID", kind="RECEIVE-PREPAYMENT")]
    pages = list(connector().records(Resource.PAYMENTS, [guid(1), guid(3), guid(4)]))
    kinds = [(type(record).__name__, record.remote_id) for page in pages for record in page.records]
    assert kinds == [("Payment", guid(1)), ("Payment", guid(3)), ("Deleted", guid(4))]
