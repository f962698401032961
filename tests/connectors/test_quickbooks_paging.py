"""Nothing is lost when records are edited while they are read."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from arsync.connector import Broken
from arsync.domain.documents import Invoice, InvoiceState, Resource
from arsync_quickbooks.paging import Item, Position, mark

START = datetime(2026, 1, 1, tzinfo=UTC)


def invoice(number: int, second: int, version: int = 0) -> Invoice:
    return Invoice(
        remote_id=str(number),
        number=str(number),
        customer_id="1",
        state=InvoiceState.OPEN,
        currency="USD",
        total=Decimal(1),
        balance=Decimal(1),
        issued_on=date(2026, 1, 1),
        due_on=None,
        reference=None,
        email=None,
        lines=(),
        updated_at=START + timedelta(seconds=second),
        version=str(version),
    )


class Source:
    """A list in the order of the last change, as QuickBooks answers it; edits put records at its end."""

    def __init__(self, items: list[Item], size: int) -> None:
        self.items = items
        self.size = size
        self.second = 1_000_000
        self.requests = 0

    def page(self, position: Position) -> list[Item]:
        self.requests += 1
        since = [
            item
            for item in self.items
            if isinstance(item, Broken) or position.anchor is None or item.updated_at >= position.anchor
        ]
        return since[position.start - 1 : position.start - 1 + self.size]

    def edit(self, remote_id: str) -> None:
        found = next(item for item in self.items if item.remote_id == remote_id)
        assert isinstance(found, Invoice)
        self.second += 1
        self.items.remove(found)
        self.items.append(
            replace(found, updated_at=START + timedelta(seconds=self.second), version=str(int(found.version) + 1))
        )

    def walk(self, edits: Iterator[list[str]]) -> list[Item]:
        """All that a pull sees, with those edits after each page."""
        seen: list[Item] = []
        position: Position | None = Position()
        while position is not None:
            assert self.requests < 1000, "a pull comes to an end"
            page = self.page(position)
            seen += [item for item in page if mark(item) not in position.met]
            # A pull that is resumed knows what its cursor holds.
            following = position.after(page, self.size)
            position = Position.from_json(following.to_json()) if following else None
            for remote_id in next(edits, []):
                self.edit(remote_id)
        return seen


def test_a_quiet_source_is_read_once_each() -> None:
    source = Source([invoice(number, second=number) for number in range(1000)], size=100)
    seen = source.walk(iter(()))
    assert [item.remote_id for item in seen] == [str(number) for number in range(1000)]
    assert source.requests == 11  # nine pages of 99 new ones and one of 100, and the rest


def test_three_edits_after_every_page_lose_nothing() -> None:
    source = Source([invoice(number, second=number) for number in range(1000)], size=100)
    edits = iter([[str(3 * page), str(3 * page + 1), str(500 + page)] for page in range(12)])
    seen = source.walk(edits)
    latest = {item.remote_id: mark(item) for item in seen}
    assert len(latest) == 1000


def test_a_second_with_more_records_than_a_page_is_read_whole() -> None:
    records: list[Item] = [invoice(number, second=7) for number in range(350)]
    records += [invoice(1000 + number, second=8 + number) for number in range(50)]
    source = Source(records, size=100)
    assert len({item.remote_id for item in source.walk(iter(()))}) == 400


def test_records_that_leave_a_crowded_second_do_not_hide_their_neighbours() -> None:
    source = Source([invoice(number, second=7) for number in range(500)], size=100)
    # 60 of those already read leave the second at once: more than two pages share.
    edits = iter([[], [], [str(number) for number in range(60)]])
    assert len({item.remote_id for item in source.walk(edits)}) == 500


def test_a_page_of_broken_records_does_not_stop_the_pull() -> None:
    records: list[Item] = [invoice(number, second=number) for number in range(100)]
    records[20:60] = [Broken(Resource.INVOICES, str(number), None, "no", "{}") for number in range(20, 60)]
    source = Source(records, size=10)
    assert {item.remote_id for item in source.walk(iter(()))} == {str(number) for number in range(100)}


@given(
    seconds=st.lists(st.integers(0, 30), max_size=200),
    size=st.integers(4, 30),
    edited=st.integers(0, 5),
    seed=st.integers(0, 2**16),
)
def test_whatever_is_edited_nothing_is_lost(seconds: list[int], size: int, edited: int, seed: int) -> None:
    source = Source([invoice(number, second) for number, second in enumerate(sorted(seconds))], size=size)
    chance = random.Random(seed)
    count = min(edited, len(seconds))

    def edits() -> Iterator[list[str]]:
        for _ in range(15):
            yield [str(number) for number in chance.sample(range(len(seconds)), count)]

    seen = source.walk(edits())
    assert {item.remote_id for item in seen} == {str(number) for number in range(len(seconds))}
