"""Statements of account: the figures, and the paper they are printed on."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from tests.unit.render.samples import SELLER

from arsync.domain.aging import AgingBucket
from arsync.domain.money import Money
from arsync.domain.statement import Entry, EntryKind, Statement, statements
from arsync.errors import TemplateError
from arsync.render.paper import ROWS_LIMIT
from arsync.render.statement import statement_pdf, statement_values

TODAY = date(2025, 11, 5)
HOSTILE = '#panic("x") *bold* $x$ <label> @ref \\ "quoted" `raw` // gone'


def entry(
    number: str | None, open_now: str, on: date, due_on: date | None = None, *, kind: EntryKind = EntryKind.INVOICE,
    currency: str = "EUR", customer: str = "Harbour Hotel Group",
) -> Entry:  # fmt: skip
    money = Money(Decimal(open_now), currency)
    return Entry(kind, f"id-{number}", number, on, due_on, customer, None, money, money)


LEDGER = (
    entry("INV-2", "345.50", date(2025, 9, 20), date(2025, 10, 20)),
    entry("INV-1", "1200.00", date(2025, 9, 1), date(2025, 10, 1)),
    entry("INV-9", "7.00", date(2025, 10, 1), currency="GBP"),
    entry("CN-1", "-15.00", date(2025, 9, 25), kind=EntryKind.CREDIT_NOTE),
    entry(None, "-100.00", date(2025, 10, 28), kind=EntryKind.PAYMENT),
    entry("INV-3", "990.00", date(2025, 10, 26), date(2025, 11, 25)),
    entry("INV-4", "80.00", TODAY, TODAY),
)


def the_euros(*more: Entry) -> Statement:
    return statements("C1", "Harbour Hotel Group", (*LEDGER, *more), TODAY)[0]


def test_a_statement_lists_what_is_open_oldest_first_with_a_running_balance() -> None:
    """09-01 1,200.00; 09-20 345.50; 09-25 credit 15.00; 10-26 990.00; 10-28 payment 100.00; 11-05 80.00."""
    told = the_euros()
    assert [(line.entry.number, str(line.running.amount)) for line in told.lines] == [
        ("INV-1", "1200.00"), ("INV-2", "1545.50"), ("CN-1", "1530.50"), ("INV-3", "2520.50"), (None, "2420.50"),
        ("INV-4", "2500.50"),
    ]  # fmt: skip
    assert (told.owed.amount, told.unapplied.amount, told.balance.amount) == (
        Decimal("2615.50"), Decimal("115.00"), Decimal("2500.50"),
    )  # fmt: skip


def test_only_invoices_are_aged_and_what_is_due_today_is_not_late() -> None:
    told = the_euros()
    assert {name: str(money.amount) for name, money in told.aging.items() if money} == {
        AgingBucket.CURRENT: "1070.00", AgingBucket.DAYS_1_30: "345.50", AgingBucket.DAYS_31_60: "1200.00",
    }  # fmt: skip
    assert str(told.overdue) == "1,545.50 EUR"


def test_two_currencies_are_two_statements() -> None:
    assert [(one.currency, str(one.balance.amount)) for one in statements("C1", "H", LEDGER, TODAY)] == [
        ("EUR", "2500.50"), ("GBP", "7.00"),
    ]  # fmt: skip
    assert statements("C1", "H", (), TODAY) == ()


@pytest.mark.parametrize(("locale", "balance"), [("en-GB", "€2,500.50"), ("de", "2.500,50 €"), ("fr", "2 500,50 €")])
def test_a_statement_is_printed_in_the_language_of_its_reader(locale: str, balance: str) -> None:
    values = statement_values(the_euros(), SELLER, locale=locale)
    assert values["balance"][1].replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ") == balance
    first = statement_pdf(the_euros(), SELLER, locale=locale)
    assert first.startswith(b"%PDF-")
    assert first == statement_pdf(the_euros(), SELLER, locale=locale), "the same values, the same bytes"


def test_who_owes_nothing_on_balance_is_not_told_how_to_pay_and_who_does_what_to_quote() -> None:
    covered = entry(None, "-2500.50", date(2025, 11, 5), kind=EntryKind.PAYMENT)
    assert statement_values(the_euros(covered), SELLER, locale="en")["bank"] == []
    owing = statement_values(the_euros(), replace(SELLER, reply_to="Harbour <us@harbour.example>"), locale="en")
    assert owing["bank"]
    assert owing["info"][-1][1] == "us@harbour.example"
    assert "INV-1, INV-2, INV-3, INV-4" in str(owing["quote"])


@pytest.mark.parametrize("country", ["GB", "FR", "US"])
def test_whatever_somebody_is_called_it_is_text_on_paper(country: str) -> None:
    hostile = entry(HOSTILE, "1.00", TODAY, customer=HOSTILE)
    told = replace(the_euros(hostile), payer_name=HOSTILE)
    seller = replace(
        SELLER, name=HOSTILE, legal_footer=HOSTILE, bank_details={"EUR": HOSTILE}, address=HOSTILE, country=country
    )
    values = statement_values(told, seller, locale="en", address=HOSTILE)
    assert HOSTILE in values["address"]
    assert statement_pdf(told, seller, locale="en", address=HOSTILE).startswith(b"%PDF-")


def test_a_statement_that_nobody_would_print_is_refused_by_its_length() -> None:
    line = the_euros().lines[0]
    endless = replace(the_euros(), lines=(line,) * (ROWS_LIMIT + 1))
    with pytest.raises(TemplateError, match="2,001 items"):
        statement_pdf(endless, SELLER, locale="en")
