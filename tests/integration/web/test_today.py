"""What is on the desk: the piles of the companies that are one's own, and nobody else's."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from tests.integration.store.books import NOW, TODAY, a_hold, customer, invoice, payment
from tests.integration.web.conftest import House

from arsync.domain.states import Health, HoldKind, MessageState
from arsync.store import agenda, connections, holds


def test_it_is_told_in_the_money_that_is_owed(house: House) -> None:
    """Harbour: I1 100.00 and I2 60.00, both due 07-31; 25.00 on account."""
    house.harbour.keep(payment("P9", "25.00"), invoice("I3", "40.00", due_on=TODAY))
    page = house.comes("ann").get("/")
    assert page.status == 200
    assert "Overdue, EUR €160.00 80 % of €200.00 open, 1 customer late; €25.00 on account" in page.text


def test_who_sees_both_companies_sees_the_sum_of_both(house: House) -> None:
    assert "€320.00" in house.comes("bob").get("/").text
    assert "€320.00" not in house.comes("tom").get("/").text


def test_each_pile_tells_how_many_and_the_first_of_them(house: House) -> None:
    house.harbour.plan(state=MessageState.PLANNED)
    house.thames.plan(state=MessageState.PLANNED)
    with house.app.store.working() as work:
        for number in range(9):
            until = TODAY + timedelta(days=number % 7)
            holds.place(work, house.harbour.id, a_hold(kind=HoldKind.PAUSE, until=until), now=NOW)
        work.commit()
    page = house.comes("ann").get("/")
    assert "Waits for approval 1 Acme of harbour" in page.text
    assert "Holds that end within a week 9" in page.text
    assert "and 1 more" in page.text
    assert "thames" not in page.source


def test_a_hold_that_ends_later_and_one_without_an_end_are_not_told(house: House) -> None:
    with house.app.store.working() as work:
        for until in (None, TODAY + timedelta(days=8), TODAY - timedelta(days=1)):
            holds.place(work, house.harbour.id, a_hold(kind=HoldKind.PAUSE, until=until), now=NOW)
        work.commit()
    assert "Holds that end within a week: None ends." in house.comes("ann").get("/").text


def test_a_call_is_told_as_long_as_anything_of_it_is_owed_and_stopped_by_nothing(house: House) -> None:
    """As `arsync calls` has it."""
    message = house.harbour.plan(state=MessageState.APPROVED)
    with house.app.store.working() as work:
        work.connection.exec_driver_sql(
            f"UPDATE messages SET channel = 'call', state = 'accepted', sent_on = '2026-08-30' WHERE id = {message}"
        )
        work.commit()

    def told() -> tuple[int, Decimal | None]:
        with house.app.store.reading() as work:
            pile = agenda.calls(work, [house.harbour.id], TODAY, most=5)
        money = pile.entries[0].money if pile.entries else None
        return pile.count, money.amount if money else None

    assert told() == (1, Decimal("100.00"))
    with house.app.store.working() as work:
        placed = holds.place(work, house.harbour.id, a_hold(invoice="I1"), now=NOW)
        work.commit()
    assert told() == (0, None)
    with house.app.store.working() as work:
        holds.lift(work, placed, now=NOW)
        work.commit()
    house.harbour.keep(invoice("I1", "30.00", minutes=5))
    assert told() == (1, Decimal("30.00"))
    house.harbour.keep(invoice("I1", "0.00", minutes=6))
    assert told() == (0, None)


def test_a_company_that_is_not_well_and_the_red_button_stand_above_all(house: House) -> None:
    with house.app.store.working() as work:
        connections.set_health(work, house.harbour.id, Health.SUSPECT, "half of <it> is gone", synced_at=NOW)
        connections.press_stop(work, author="bob", reason="a wrong letter", now=NOW)
        work.commit()
    page = house.comes("ann").get("/")
    assert "harbour is suspect: half of <it> is gone" in page.text
    assert "half of <it>" not in page.source
    assert "Everything is stopped by bob: a wrong letter" in page.text


def test_a_name_from_outside_is_text_and_nothing_else(house: House) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    house.harbour.keep(customer(name=evil, minutes=9))
    house.harbour.plan(state=MessageState.PLANNED)
    for path in ("/", "/customers", "/customers?q=alert"):
        page = house.comes("ann").get(path)
        assert page.status == 200
        assert evil in page.text
        assert "<img src=x" not in page.source
