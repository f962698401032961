"""When open invoices are expected, from the cache; each test's docstring is its ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import event
from tests.integration.report.conftest import named, office
from tests.integration.store.books import NOW, TODAY, Books, a_hold, credit, customer, invoice, payment

from arsync.domain.chase import Hold
from arsync.domain.documents import Invoice, InvoiceState, Payment
from arsync.domain.money import Money
from arsync.domain.states import HoldKind
from arsync.report import forecast
from arsync.report.aging import Whose, aging
from arsync.report.forecast import Dates
from arsync.store import holds, promises

D = Decimal


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def sale(name: str, who: str, due: int, balance: str = "100.00", **more: Any) -> Invoice:
    """Due so many days ago, written thirty days before that."""
    return invoice(name, balance, customer=who, issued_on=ago(due + 30), due_on=ago(due), **more)


def paid(name: str, who: str, due: int, late: int) -> tuple[Invoice, Payment]:
    """Due so many days ago, and paid so many days after that."""
    day = ago(due - late)
    money = payment(f"P{name}", customer=who, on={name: "100.00"}, received_on=day)
    placed = tuple(replace(part, allocated_on=day) for part in money.allocations)
    return sale(name, who, due, "0.00"), replace(money, allocations=placed)


def keep_habits(books: Books) -> None:
    """Swift pays on the day, slow 20 days late: ten invoices each, due 100 to 190 days ago."""
    books.keep(customer("swift"), customer("slow"), customer("new"))
    for n in range(10):
        books.keep(*paid(f"S{n}", "swift", 100 + 10 * n, 0), *paid(f"L{n}", "slow", 100 + 10 * n, 20))


def invoices(books: Books, on: date = TODAY, **more: Any) -> dict[str, tuple[Any, ...]]:
    """By invoice (of several parts the first): open, expected, P10, P90, in 30 days, by."""
    with books.store.reading() as work:
        sheet = forecast.by_invoice(work, [office(books, on)], 30, **more)
    names = ("open", "expected", "P10", "P90", "in 30 days %", "by")
    return {row["invoice_id"]: tuple(row[name] for name in names) for row in reversed(named(sheet))}


def rows(books: Books, on: date = TODAY) -> list[tuple[str, str, str]]:
    with books.store.reading() as work:
        sheet = forecast.by_invoice(work, [office(books, on)], 30)
    return sorted((row["invoice_id"], str(row["open"]), row["by"]) for row in named(sheet))


def weeks(books: Books, on: date = TODAY, count: int = 3) -> list[tuple[Any, ...]]:
    with books.store.reading() as work:
        sheet = forecast.by_week(work, [office(books, on)], count)
    names = ("currency", "week", "from", "to", "expected", "P10", "P90")
    return [tuple(row[name] for name in names) for row in named(sheet)]


def notes(books: Books, on: date = TODAY) -> tuple[str, ...]:
    with books.store.reading() as work:
        return forecast.by_week(work, [office(books, on)], 1).notes


def test_each_payer_is_expected_by_its_habits_and_a_stranger_by_the_companys(books: Books) -> None:
    """Due in 5 days: 10 of each. Swift on its day, slow 20 days later; of all half on the day, half 20 days later."""
    keep_habits(books)
    books.keep(sale("A", "swift", -5, "10.00"), sale("B", "slow", -5, "10.00"), sale("C", "new", -5, "10.00"))
    told = invoices(books)
    assert told["A"][:2] == (D("10.00"), ago(-5))
    assert told["B"][:2] == (D("10.00"), ago(-25))
    assert told["A"][5] == "own habits (10 paid)"
    assert told["C"][5] == "the company's habits"
    assert told["C"][2] == ago(-5)
    assert told["B"][4] > D(90)
    assert notes(books) == (
        "harbour: open invoices of payers who have paid none yet, expected as the company's are: 1",
    )


def test_what_comes_by_week_adds_up_to_what_is_open_in_each_currency(books: Books) -> None:
    """A 10.01 EUR of swift, due in 5 days; B 77.77 USD of slow, long past due; C 5.00 EUR has no due date."""
    keep_habits(books)
    books.keep(
        sale("A", "swift", -5, "10.01"), sale("B", "slow", 15, "77.77", currency="USD"),
        replace(sale("C", "swift", 0, "5.00"), due_on=None),
    )  # fmt: skip
    told = weeks(books)
    assert [row[:4] for row in told] == [
        (currency, *span)
        for currency in ("EUR", "USD")
        for span in (
            ("1", date(2026, 9, 2), date(2026, 9, 6)), ("2", date(2026, 9, 7), date(2026, 9, 13)),
            ("3", date(2026, 9, 14), date(2026, 9, 20)), ("later", date(2026, 9, 21), None),
        )
    ]  # fmt: skip
    for currency, open_ in (("EUR", D("15.01")), ("USD", D("77.77"))):
        assert sum(row[4] for row in told if row[0] == currency) == open_
    assert all(row[5] <= row[6] for row in told)
    assert told == weeks(books)
    with books.store.reading() as work:
        owed = named(aging(work, [office(books)], Whose.PAYER))
    assert sum(row[4] for row in told) == sum(row["open"] for row in owed)
    assert "harbour: open invoices without a due date, of which nothing is expected: 1" in notes(books)


def promise(books: Books, amount: str, day: int, *, about: list[str], invoice_id: str | None = None) -> int:
    with books.store.working() as work:
        number = promises.give(
            work, books.id, payer_id="slow", invoice_id=invoice_id, amount=Money(D(amount), "EUR"),
            promised_on=ago(-day), grace=2, until=ago(-day - 2), reason="said so", author="ann", now=NOW, about=about,
        )  # fmt: skip
        work.commit()
    return number


def test_a_promise_comes_first_and_what_is_left_is_paid_as_usual(books: Books) -> None:
    """Slow owes A and B, 100.00 each, and promised 130.00 of them in 3 days: all of A (due first), 30.00 of B."""
    keep_habits(books)
    books.keep(sale("A", "slow", -5), sale("B", "slow", -6))
    promise(books, "130.00", 3, about=["A", "B"])
    assert rows(books) == [
        ("A", "100.00", "promise"), ("B", "30.00", "promise"), ("B", "70.00", "own habits (10 paid)"),
    ]  # fmt: skip
    told = invoices(books)["A"]
    assert (told[1], told[2]) == (ago(-3), ago(-3))
    assert rows(books, ago(1))[0] == ("A", "100.00", "own habits (10 paid)")


def test_instalments_are_expected_each_on_its_day_and_money_pays_the_first(books: Books) -> None:
    """Three of 30.00, in 2, 12 and 22 days, for A of 100.00; 20.00 came since."""
    keep_habits(books)
    books.keep(sale("A", "slow", 5))
    with books.store.working() as work:
        parts = [(ago(-day), ago(-day - 2), Money(D("30.00"), "EUR")) for day in (2, 12, 22)]
        promises.agree(
            work, books.id, payer_id="slow", invoice_ids=["A"], instalments=parts, grace=2, reason="agreed",
            author="ann", now=NOW,
        )  # fmt: skip
        work.commit()
    money = payment("PA", "20.00", customer="slow", on={"A": "20.00"}, received_on=TODAY)
    placed = tuple(replace(part, allocated_on=TODAY) for part in money.allocations)
    books.keep(replace(money, allocations=placed), sale("A", "slow", 5, "80.00", minutes=1))
    assert rows(books) == [
        ("A", "10.00", "instalment"), ("A", "10.00", "own habits (10 paid)"), ("A", "30.00", "instalment"),
        ("A", "30.00", "instalment"),
    ]  # fmt: skip


def place(books: Books, hold: Hold) -> None:
    with books.store.working() as work:
        holds.place(work, books.id, hold, now=NOW)
        work.commit()


def test_what_is_disputed_or_held_comes_later_and_over_a_wider_range(books: Books) -> None:
    """A, B and C of slow; B is disputed, of C 40.00; then all of slow's is paused until in 9 days."""
    keep_habits(books)
    books.keep(*(paid(f"M{n}", "slow", 60 + n, n)[k] for n in range(20) for k in (0, 1)))
    books.keep(*(sale(name, "slow", -5) for name in "ABC"))
    place(books, a_hold(payer="slow", invoice="B"))
    place(books, replace(a_hold(payer="slow", invoice="C"), part=Money(D("40.00"), "EUR")))
    told = invoices(books)
    assert told["B"][5] == "disputed"
    assert told["B"][1] > told["A"][1]
    assert told["B"][3] - told["B"][2] > told["A"][3] - told["A"][2]
    assert [row for row in rows(books) if row[0] == "C"] == [
        ("C", "40.00", "disputed"), ("C", "60.00", "own habits (30 paid)"),
    ]  # fmt: skip
    place(books, a_hold(payer="slow", until=ago(-9), kind=HoldKind.PAUSE))
    assert [row[2] for row in rows(books)] == ["held: pause", "disputed", "held: pause"]


def test_a_past_day_knows_nothing_of_what_came_after_it(books: Books) -> None:
    """On 08-12 A, B and C are open. Since then A was paid, B credited, C is open; D was written; E paid E's promise."""
    keep_habits(books)
    books.keep(*(sale(name, "slow", 10) for name in "ABC"))
    day = ago(20)
    before = invoices(books, day), weeks(books, day)
    a, money = paid("A", "slow", 10, 3)
    note = credit("N", "100.00", customer="slow", on={"B": "100.00"}, issued_on=ago(9))
    note = replace(note, allocations=tuple(replace(part, allocated_on=ago(9)) for part in note.allocations))
    books.keep(
        money, note, replace(a, updated_at=a.updated_at + timedelta(minutes=1)),
        sale("B", "slow", 10, "0.00", minutes=1), sale("D", "slow", -12),
    )  # fmt: skip
    promise(books, "100.00", 3, about=["C"])
    place(books, a_hold(payer="slow", invoice="C"))
    assert (invoices(books, day), weeks(books, day)) == before
    assert invoices(books)["C"][5] == "promise"


def test_where_the_books_were_read_last_the_forecast_begins(books: Books) -> None:
    """Read on 09-01, asked on 09-05: what came since nobody knows, and it is not taken for late."""
    keep_habits(books)
    books.keep(sale("A", "swift", -2))
    later = replace(office(books, ago(-4)), today=ago(-4))
    with books.store.reading() as work:
        sheet = forecast.by_invoice(work, [later], 30)
    assert named(sheet)[0]["expected"] == ago(-2)
    assert sheet.title == "forecast on 2026-09-01"
    assert sheet.notes[0] == "harbour: its books were last read whole on 2026-09-01, and the forecast is of that day"


def test_the_recent_median_may_tell_the_day(books: Books) -> None:
    """New has paid two, 40 days late; the company's others are paid on the day or 20 days late. A is due in 5 days. B
    of slow is 25 days past due: its day has passed, and the habits tell it. C is held."""
    keep_habits(books)
    books.keep(*paid("N1", "new", 60, 40), *paid("N2", "new", 61, 40))
    books.keep(sale("A", "new", -5), sale("B", "slow", 25), sale("C", "new", -5))
    place(books, a_hold(payer="new", invoice="C"))
    told, usual = invoices(books, dates=Dates.MEDIAN), invoices(books)
    assert (told["A"][1], usual["A"][1]) == (ago(-45), ago(-25))
    assert told["A"][2] == usual["A"][2]
    assert (told["B"], told["C"]) == (usual["B"], usual["C"])


def test_who_has_nobody_that_paid_is_told_so(books: Books) -> None:
    books.keep(customer("new"), sale("A", "new", 5))
    assert invoices(books)["A"] == (D("100.00"), None, None, None, D("0.0"), "the company's habits")
    assert notes(books) == ("harbour: nobody has ever paid an invoice here: nothing is expected but what was promised",)


def test_the_number_of_queries_is_fixed(books: Books) -> None:
    keep_habits(books)

    found: list[str] = []
    event.listen(books.store.engine, "before_cursor_execute", lambda *seen: found.append(seen[2]))

    def asked() -> int:
        with books.store.reading() as work:
            found.clear()
            forecast.by_week(work, [office(books)], 13)
            return len(found)

    books.keep(sale("A", "slow", -5), sale("B", "slow", -5))
    promise(books, "10.00", 3, about=["A"])
    place(books, a_hold(payer="slow", invoice="B"))
    few = asked()
    books.keep(*(sale(f"X{n}", "slow", n) for n in range(40)))
    for n in range(5):
        promise(books, "10.00", n + 1, about=[f"X{n}"], invoice_id=f"X{n}" if n % 2 else None)
    assert asked() == few


def test_a_part_that_was_paid_is_not_expected_again(books: Books) -> None:
    keep_habits(books)
    books.keep(sale("A", "slow", -5, "40.00"), replace(sale("V", "slow", -5, "0.00"), state=InvoiceState.VOID))
    assert [row[:2] for row in rows(books)] == [("A", "40.00")]


def test_an_instant_after_the_days_end_is_not_of_it(books: Books) -> None:
    """The company is in Berlin: a promise given at 22:30 UTC on 08-31 was given on 09-01."""
    keep_habits(books)
    books.keep(sale("A", "slow", -5))
    with books.store.working() as work:
        promises.give(
            work, books.id, payer_id="slow", invoice_id="A", amount=Money(D("100.00"), "EUR"), promised_on=ago(-3),
            grace=2, until=ago(-5), reason="", author="ann", now=datetime(2026, 8, 31, 22, 30, tzinfo=UTC),
        )  # fmt: skip
        work.commit()
    assert rows(books, ago(1))[0][2] == "own habits (10 paid)"
    assert rows(books)[0][2] == "promise"
