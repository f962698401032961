"""What changed since last week; each test's docstring is its ledger. It is 09-01; last week is 08-25."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy import event, text
from tests.integration.report.conftest import named, office
from tests.integration.report.test_people import dispute, lift, promise, settle
from tests.integration.report.test_steps import sent
from tests.integration.store.books import FRIENDLY, TODAY, Books, credit, customer, invoice, open_books, payment

from arsync.domain.documents import Allocation, Invoice, Payment
from arsync.report import changes

D = Decimal


def day(written: str) -> date:
    return date.fromisoformat(f"2026-{written}")


def sale(name: str, balance: str, on: str, due: str, *, who: str = "C1", currency: str = "EUR") -> Invoice:
    return invoice(name, balance, customer=who, currency=currency, issued_on=day(on), due_on=day(due))


def money(name: str, amount: str, came: str, **parts: tuple[str, str]) -> Payment:
    """What came on a day, with these amounts on invoices on these days."""
    put = tuple(Allocation(to, D(part), day(on)) for to, (part, on) in parts.items())
    left = max(D(amount) - sum(part.amount for part in put), D("0.00"))
    return payment(name, amount, received_on=day(came), allocations=put, unapplied=left)


def told(books: Books, on: date = TODAY, days: int = 7) -> list[tuple[str, str, str]]:
    """What, how often and how much."""
    with books.store.reading() as work:
        sheet = changes.changes(work, [office(books, on)], days)
    return [
        (str(row["what"]), str(row["count"]), str(row["amount"])) for row in named(sheet) if row["currency"] == "EUR"
    ]


def test_from_the_open_invoices_of_last_week_to_those_of_today(books: Books) -> None:
    """
    before  I1 due 07-31, I2 due 08-25, I3 due 08-31, of 100.00 each
    08-26 I4 100.00, due 09-25; on 08-20 P4 had come for it: 30.00
    08-27 P1 of 60.00 puts 100.00 on I1, with credit N1 of 40.00 (QuickBooks); N1 lay on no invoice since 08-24
    08-28 P2 10.00 on I2; 09-01 N2 5.00 on I2
    USD I5, written on 08-25
    """
    note = credit("N2", "5.00", issued_on=TODAY)
    books.keep(
        customer(), sale("I1", "0.00", "07-01", "07-31"), sale("I2", "85.00", "07-26", "08-25"),
        sale("I3", "100.00", "08-01", "08-31"), sale("I4", "70.00", "08-26", "09-25"),
        money("P4", "30.00", "08-20", I4=("30.00", "08-20")), money("P1", "60.00", "08-27", I1=("100.00", "08-27")),
        credit("N1", "40.00", issued_on=day("08-24"), unapplied=D("0.00")),
        money("P2", "10.00", "08-28", I2=("10.00", "08-28")),
        replace(note, allocations=(Allocation("I2", D("5.00"), TODAY),), unapplied=D("0.00")),
        sale("I5", "100.00", "08-25", "09-25", currency="USD"),
    )  # fmt: skip
    assert told(books) == [
        ("open before", "3", "300.00"),
        ("invoiced", "1", "100.00"),
        ("received", "3", "-100.00"),
        ("credited", "2", "-45.00"),
        ("open now", "3", "255.00"),
        ("past due before", "None", "100.00"),
        ("newly past due", "2", "185.00"),
        ("past due now", "None", "185.00"),
        ("on no invoice before", "None", "70.00"),
    ]


def test_what_nothing_explains_is_a_line_of_its_own(books: Books) -> None:
    """
    08-28 I1 100.00, of which 30.00 was written off
    """
    books.keep(customer(), sale("I1", "70.00", "08-28", "09-28"))
    assert told(books) == [
        ("open before", "0", "0.00"),
        ("invoiced", "1", "100.00"),
        ("otherwise", "None", "-30.00"),
        ("open now", "1", "70.00"),
    ]


def test_what_people_said_and_what_went_out_is_counted(books: Books) -> None:
    """
    08-26 a friendly message for I1; 08-25 one too early, 08-27 one that came back, 08-28 one that went to ourselves
    promises: of 07-20 by 08-27, found broken on 09-01
    disputes: I1 since 08-30; I2 since 08-10, lifted on 08-26
    """
    books.keep(customer(), sale("I1", "100.00", "07-01", "07-31"), sale("I2", "100.00", "07-01", "07-31"))
    books.follow()
    for n, (on, state) in enumerate([("08-25", "accepted"), ("08-26", "delivered"), ("08-27", "bounced")], start=1):
        sent(books, FRIENDLY, on, "I1", state=state, occurrence=n)
    trial = sent(books, FRIENDLY, "08-28", "I1", occurrence=4)
    with books.store.working() as work:
        work.execute(text("UPDATE messages SET diverted_to = 'us@here.example' WHERE id = :id"), {"id": trial})
        work.commit()
    promise(books, "I1", "60.00", "08-27")
    settle(books, TODAY)
    dispute(books, "I1", "08-30")
    lift(books, dispute(books, "I2", "08-10"), datetime(2026, 8, 26, 12, tzinfo=UTC))
    assert told(books)[-4:] == [
        ("messages sent", "1", "100.00"),
        ("promises broken", "1", "60.00"),
        ("disputes begun", "1", "None"),
        ("disputes ended", "1", "None"),
    ]
    assert ("promises given", "1", "60.00") in told(books, day("07-24"))


def test_payers_whose_balance_changed_most_come_first(books: Books) -> None:
    """
    A: 100.00 since July, 60.00 of it paid on 08-28      B: 30.00 new on 08-28      C: 100.00, and nothing new
    D: 20.00 came on 08-29, on no invoice                 A in USD: 5.00 new
    """
    books.keep(
        *(customer(name, name=name) for name in "ABCD"),
        replace(sale("I1", "40.00", "07-01", "07-31", who="A"), total=D("100.00")),
        replace(money("P1", "60.00", "08-28", I1=("60.00", "08-28")), customer_id="A"),
        replace(sale("I2", "30.00", "08-28", "09-28", who="B"), total=D("30.00")),
        sale("I3", "100.00", "07-01", "07-31", who="C"),
        replace(money("P2", "20.00", "08-29"), customer_id="D"),
        replace(sale("I4", "5.00", "08-28", "09-28", who="A", currency="USD"), total=D("5.00")),
    )  # fmt: skip
    with books.store.reading() as work:
        sheet = changes.by_payer(work, [office(books)], 7, top=2)
    names = ("currency", "payer", "balance before", "balance now", "change", "past due before", "past due now")
    assert [tuple(str(row[name]) for name in names) for row in named(sheet)] == [
        ("EUR", "A", "100.00", "40.00", "-60.00", "100.00", "40.00"),
        ("EUR", "B", "0.00", "30.00", "30.00", "0.00", "0.00"),
        ("USD", "A", "0.00", "5.00", "5.00", "0.00", "0.00"),
    ]


def test_it_takes_the_same_queries_for_many_as_for_one_and_sees_one_company(books: Books) -> None:
    other = open_books(books.store, "other")
    other.keep(customer(), sale("I0", "50.00", "08-26", "09-26"), money("P0", "50.00", "08-27", I0=("50.00", "08-27")))
    asked: list[str] = []
    event.listen(books.store.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
    counts = []
    for many in (1, 40):
        for n in range(many):
            paid = money(f"P{n}", "40.00", "08-27", **{f"I{n}": ("40.00", "08-27")})
            books.keep(customer(f"C{n}"), sale(f"I{n}", "60.00", "08-01", "08-28", who=f"C{n}"), paid)
        asked.clear()
        assert told(books)[0] == ("open before", str(many), f"{100 * many}.00")
        counts.append(len([one for one in asked if one.lstrip("( ").startswith("SELECT")]))
    assert counts[0] == counts[1] <= 30
