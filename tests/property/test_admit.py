"""Whoever is told at once under the day's cap hears what all would have heard together, whoever else asks later."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from arsync.domain.chase import Budget
from arsync.playbook.admit import Asking, Foremost, refused

_CAPS = st.sampled_from([None, None, 0, 1, 3])


@st.composite
def pages(draw: st.DrawFn) -> list[list[Asking]]:
    """Payers in one or two currencies, some of them to a page."""
    found: list[list[Asking]] = []
    number = 0
    for _page in range(draw(st.integers(1, 5))):
        page: list[Asking] = []
        for _payer in range(draw(st.integers(0, 4))):
            number += 1
            for currency in draw(st.sampled_from(["E", "U", "EU"])):
                chase_id = len(page) + 100 * len(found)
                amount = Decimal(draw(st.integers(1, 6)))
                by_itself, asks = draw(st.integers(0, 5)) > 0, draw(st.integers(0, 5)) > 0
                room, mailbox = draw(_CAPS), draw(_CAPS)
                page.append(Asking(chase_id, 1, f"P{number}", currency, amount, by_itself, True, room, mailbox, asks))
        found.append(page)
    return found


@settings(max_examples=100, deadline=None)
@given(pages(), st.integers(0, 5), st.integers(0, 3))
def test_nobody_who_is_told_at_once_hears_another_answer_than_all_together(
    by_page: list[list[Asking]], most: int, sent_before: int
) -> None:
    every = [one for page in by_page for one in page]
    together = refused(every, Budget(most, None, Decimal(1)), sent_before)
    expected = {one.chase_id: together.get(place) for place, one in enumerate(every)}
    foremost = Foremost(most, sent_before)
    waiting = 0
    for page in by_page:
        told = foremost.told(page)
        waiting += len(page) - len(told)
        for place, answer in told.items():
            assert answer == expected[page[place].chase_id], page[place]
    alone = {one.currency for one in every} == {"E"} and len(by_page) == 1
    if alone and all(one.asks and one.by_itself and one.room is one.mailbox is None for one in every):
        assert waiting == min(len(every), max(0, most - sent_before)), "nobody waits but those who may go"
