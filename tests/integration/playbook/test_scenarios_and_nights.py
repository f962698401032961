"""A scenario says what nights on the cache would do: the same books, planned by both, give the same touches."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from shutil import copy, copytree

from sqlalchemy import text
from tests.integration.playbook.shop import SHIPPED, Shop
from tests.integration.store.books import payment

from arsync.domain.chase import Hold
from arsync.domain.money import Money
from arsync.domain.states import HoldKind, MessageState
from arsync.playbook.decide import decide
from arsync.playbook.load import load
from arsync.playbook.scenario_file import read
from arsync.playbook.scenarios import Event, What
from arsync.playbook.stories import tell
from arsync.playbook.templates import locales
from arsync.store import holds, messages, promises, reminders, verdicts

SCENARIO = """\
company: {country: DE, timezone: UTC, language: en, currency: EUR, replies_read: true}
scenarios:
  - name: a summer
    from: 2026-07-27
    to: 2026-09-22
    customer: {country: DE, language: en}
    invoices:
      - {number: I1, amount: 1000.00, issued: 2026-07-01, due: 2026-07-31}
      - {number: I2, amount: 200.00, issued: 2026-07-10, due: 2026-08-10}
    happens:
      - {day: 2026-08-05, paid: I2, amount: 50.00}
      - {day: 2026-08-12, disputed: I1}
      - {day: 2026-08-20, resolved: I1}
      - {day: 2026-08-27, promised: 2026-09-01, invoice: I1}
      - {day: 2026-09-15, paid: I1}
      - {day: 2026-09-15, paid: I2}
    expect: nothing
"""
#: A night costs what a hundred days of a scenario do; on the others the worker is off.
AWAKE = (
    "07-27", "07-28", "08-03", "08-12", "08-13", "08-20", "08-25", "08-27", "09-03", "09-04", "09-15",
)  # fmt: skip


class Nights:
    """What a scenario tells, put into the cache day by day."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.open = {"I1": Decimal("1000.00"), "I2": Decimal("200.00")}
        self.due = {"I1": date(2026, 7, 31), "I2": date(2026, 8, 10)}
        self.issued = {"I1": date(2026, 7, 1), "I2": date(2026, 7, 10)}
        self.minutes = 0
        self.policy = shop.policy()
        with shop.books.store.working() as work:
            reminders.answer(work, shop.books.id, reminds=False, author="ann", now=shop.now)
            self.run_id = verdicts.begin_run(work, "run", now=shop.now)
            work.commit()

    def write(self, number: str) -> None:
        self.minutes += 1
        total = Decimal("1000.00") if number == "I1" else Decimal("200.00")
        self.shop.owes(
            "C1", number, str(self.open[number]), country="DE", total=total, due_on=self.due[number], number=number,
            issued_on=self.issued[number], minutes=self.minutes, version=str(self.minutes),
        )  # fmt: skip

    def happen(self, event: Event, today: date) -> None:
        books, now, number = self.shop.books, self.shop.now, event.invoice or ""
        match event.what:
            case What.PAID:
                much = event.amount or self.open[number]
                self.open[number] -= much
                self.write(number)
                paid = payment(f"P{self.minutes}", str(much), on={number: str(much)}, minutes=self.minutes)
                (allocation,) = paid.allocations
                books.keep(replace(paid, received_on=today, allocations=(replace(allocation, allocated_on=today),)))
                books.follow(now)
            case What.DISPUTED:
                self.place(Hold(HoldKind.DISPUTE, "as told", "kim", "C1", number, today, None))
            case What.RESOLVED:
                with books.store.working() as work:
                    for one in holds.active(work, books.id):
                        holds.lift(work, one.id, now=now)
                    work.commit()
            case What.PROMISED:
                assert event.until is not None
                until, owed = date(2026, 9, 3), Money(self.open[number], "EUR")
                with books.store.working() as work:
                    promise_id = promises.give(
                        work, books.id, payer_id="C1", invoice_id=number, amount=owed, promised_on=event.until,
                        grace=2, until=until, reason="as told", author="kim", now=now,
                    )  # fmt: skip
                    work.commit()
                self.place(Hold(HoldKind.PROMISE, "as told", "kim", "C1", number, today, until), promise_id)

    def place(self, hold: Hold, promise_id: int | None = None) -> None:
        with self.shop.books.store.working() as work:
            holds.place(work, self.shop.books.id, hold, now=self.shop.now, promise_id=promise_id)
            work.commit()

    def night(self, today: date) -> list[tuple[date, str, set[str]]]:
        """Plans, and sends whatever was planned."""
        books = self.shop.books
        with books.store.working() as work:
            promises.settle(work, books.id, today=today, now=self.shop.now)
            work.commit()
        decide(books.store, books.connection, self.policy, now=self.shop.now, run_id=self.run_id)
        with books.store.working() as work:
            out = messages.in_states(work, (MessageState.PLANNED, MessageState.APPROVED), books.id)
            told = [
                (today, one.step_id, {item.number for item in messages.items(work, one.id) if item.demanded})
                for one in out
            ]
            for one in out:
                work.execute(
                    text("UPDATE messages SET state = 'accepted', sent_on = :on WHERE id = :id"),
                    {"on": today.isoformat(), "id": one.id},
                )
            work.commit()
        return told


def test_a_scenario_and_the_nights_of_the_same_books_are_the_same(shop: Shop, tmp_path: Path) -> None:
    copytree(SHIPPED / "templates", shop.folder / "templates", dirs_exist_ok=True)
    copy(SHIPPED / "standard.yaml", shop.folder)
    playbook, _ = load(shop.folder / "standard.yaml")
    assert playbook is not None
    (tmp_path / "story.yaml").write_text(SCENARIO, encoding="utf-8")
    (scenario,), _ = read(tmp_path / "story.yaml", playbook)
    days = [scenario.first + timedelta(days=ahead) for ahead in range((scenario.last - scenario.first).days + 1)]
    scenario = replace(scenario, asleep=tuple((day, day) for day in days if f"{day:%m-%d}" not in AWAKE))
    story = tell(scenario, playbook, locales(playbook, shop.folder / "templates"))

    nights, sent = Nights(shop), []
    for today in days:
        shop.now = datetime.combine(today, time(12), UTC)
        if today == days[0]:
            nights.write("I1")
            nights.write("I2")
        for event in scenario.events:
            if event.on == today:
                nights.happen(event, today)
        if f"{today:%m-%d}" in AWAKE:
            sent += nights.night(today)

    assert [(touch.on, touch.step, set(touch.invoices)) for touch in story.touches] == sent
    assert [f"{on:%m-%d} {step} {' '.join(sorted(those))}" for on, step, those in sent] == [
        "07-28 courtesy I1", "08-03 friendly I1", "08-13 friendly I2", "08-20 firm I1 I2", "08-25 call I1 I2",
        "09-04 final I1 I2", "09-15 thanks I1 I2",
    ]  # fmt: skip
