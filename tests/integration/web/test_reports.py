"""Reports as pages: the same figures as the command's, of a company that is one's own, with a picture and as CSV."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from tests.integration.store.books import NOW, TODAY, customer, invoice, payment
from tests.integration.web.conftest import House
from tests.integration.web.counting import counted

from arsync.domain.states import Health
from arsync.report.catalogue import REPORTS
from arsync.store import connections


def test_an_aging_has_a_picture_a_table_and_its_sums(house: House) -> None:
    """Harbour, EUR: I1 100.00 and I2 60.00 due 07-31, 32 days late; I3 40.00 due today."""
    house.harbour.keep(invoice("I3", "40.00", due_on=TODAY))
    page = house.comes("ann").get("/reports/aging")
    assert page.status == 200
    assert "Acme of harbour EUR 40.00 0.00 160.00 0.00 0.00 200.00 0.00 200.00 3 32" in page.text
    assert "All EUR 40.00 0.00 160.00" in page.text
    assert "31-60 days: €160.00" in page.source
    assert 'width="80.000%"' in page.source
    assert "/customers/harbour/C1" in page.links
    assert "thames" not in page.source


def test_the_day_the_currency_and_the_company_are_asked_for_by_a_form(house: House) -> None:
    """
    07-01 I1 100.00, I2 60.00
    08-10 P1 25.00 on account     USD: I4 7.00
    """
    house.thames.keep(invoice("I4", "7.00", currency="USD"), payment("P1", "25.00"))
    bob = house.comes("bob")
    both = bob.get("/reports/aging?company=thames")
    assert "Acme of thames EUR" in both.text
    assert "Acme of thames USD" in both.text
    dollars = bob.get("/reports/aging?company=thames&currency=USD&on=2026-08-31")
    assert "Acme of thames USD 0.00 0.00 7.00" in dollars.text
    assert "Acme of thames EUR" not in dollars.text
    assert "Nothing to tell" in bob.get("/reports/aging?company=harbour&on=2026-06-01").text


def test_csv_has_the_rows_of_the_page(house: House) -> None:
    house.harbour.keep(customer("C2", name="=HYPERLINK(1)"), invoice("I9", "5.00", customer="C2"))
    found = house.comes("ann").get("/reports/aging.csv?currency=EUR")
    assert found.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="aging-harbour-2026-09-01.csv"' in found.headers["content-disposition"]
    lines = found.source.splitlines()
    assert lines[0].startswith("connection,on,payer,payer_id,currency,current,1-30")
    assert lines[1].startswith("harbour,2026-09-01,'=HYPERLINK(1),C2,EUR")
    assert len(lines) == 3


def test_rows_are_sorted_by_the_column_that_is_clicked(house: House) -> None:
    house.harbour.keep(customer("C2", name="Bee"), invoice("I9", "500.00", customer="C2"))
    ann = house.comes("ann")
    by_name, most_first = ann.get("/reports/aging"), ann.get("/reports/aging?sort=-open")
    assert by_name.text.index("Acme of harbour EUR") < by_name.text.index("Bee EUR")
    assert most_first.text.index("Bee EUR") < most_first.text.index("Acme of harbour EUR")
    assert 'aria-sort="descending"' in most_first.source


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/reports/nonsense", 404),
        ("/reports/aging?company=thames", 404),
        ("/reports/aging.csv?company=thames", 404),
        ("/reports/aging?on=2199-01-01", 422),
        ("/reports/aging?on=yesterday", 422),
        ("/reports/dso?days=0", 422),
        ("/reports/aging?by=owner", 422),
        ("/reports/aging?page=99&sort=nothing", 200),
    ],
)
def test_what_cannot_be_told_is_refused(house: House, address: str, status: int) -> None:
    assert house.comes("ann").get(address).status == status


def synced(house: House, *, minutes: int) -> None:
    """A sync of Harbour is through."""
    with house.app.store.working() as work:
        at = NOW + timedelta(minutes=minutes)
        connections.set_health(work, house.harbour.id, Health.OK, "complete", synced_at=at)
        work.commit()


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_takes_as_many_queries_for_ten_customers_as_for_a_thousand(house: House, name: str) -> None:
    ann = house.comes("ann")

    def keep(first: int, last: int) -> None:
        many = range(first, last)
        house.harbour.keep(*(customer(f"D{one}") for one in many))
        house.harbour.keep(*(invoice(f"J{one}", customer=f"D{one}") for one in many))
        synced(house, minutes=last)

    ann.get(f"/reports/{name}")
    keep(0, 10)
    few, page = counted(house.app.store, lambda: ann.get(f"/reports/{name}"))
    assert page.status == 200
    keep(10, 1000)
    many, page = counted(house.app.store, lambda: ann.get(f"/reports/{name}"))
    assert page.status == 200
    assert many == few <= 40
    if name == "aging":
        assert "1–100 of 1,001" in page.text
        assert "901–1,000" in ann.get("/reports/aging?page=10").text


def test_a_report_is_made_once_for_a_sync_and_anew_after_the_next_or_after_an_act(house: House) -> None:
    """Looked at, sorted, taken as CSV: added up once. Synced: anew. A hold is placed: anew."""
    ann = house.comes("ann")

    def asked(path: str = "/reports/aging") -> int:
        return counted(house.app.store, lambda: ann.get(path))[0]

    first, again = asked(), asked()
    assert again < first
    assert asked("/reports/aging?sort=-open") == again
    assert asked("/reports/aging.csv") == again
    assert asked("/reports/aging?by=customer") == first, "another one"
    assert asked("/reports/aging?on=2026-08-01") > again, "of another day"
    house.harbour.keep(invoice("I9", "500.00"))
    synced(house, minutes=1)
    assert "660.00" in ann.get("/reports/aging").text
    assert asked() == again
    placed = ann.send("/customers/harbour/hold", payer="C1", kind="pause", reason="moving", until="2026-09-20")
    assert placed.status == 303
    assert asked() == first


def test_a_forecast_has_each_week_with_its_range_and_says_what_comes_later_in_words(house: House) -> None:
    """Acme paid 30 invoices 1 to 15 days late; I3 is due in three days, I1 and I2 are a month late."""
    paid = [date(2026, 1, 1) + timedelta(days=5 * one) for one in range(30)]
    house.harbour.keep(
        *(invoice(f"P{one}", "0.00", issued_on=day - timedelta(days=30), due_on=day) for one, day in enumerate(paid)),
        invoice("I3", "40.00", due_on=TODAY + timedelta(days=3)),
    )
    house.harbour.keep(*(
        payment(f"M{one}", on={f"P{one}": "100.00"}, received_on=day + timedelta(days=1 + one % 15))
        for one, day in enumerate(paid)
    ))  # fmt: skip
    page = house.comes("ann").get("/reports/forecast")
    assert page.status == 200
    assert "Expected by week, EUR; later or never: €" in page.text
    assert "between what eight of ten times" in page.text
    weeks = page.source.count('class="label"')
    assert weeks
    assert page.source.count('<rect class="s-two" x=') == weeks
    by_invoice = house.comes("ann").get("/reports/forecast?by=invoice")
    assert "in 30 days %" in by_invoice.text
    assert "No I1" in by_invoice.text
    assert "What these figures lack" in house.comes("tom").get("/reports/forecast").text, "nobody has paid at Thames"
