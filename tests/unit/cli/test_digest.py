"""The morning's page."""

from __future__ import annotations

from datetime import date

from arsync.cli.digest import held_back
from arsync.domain.chase import Rule, Verdict
from arsync.domain.states import Decision


def verdict(number: int, rule: Rule, reason: str) -> Verdict:
    return Verdict(str(number), Decision.WAIT, rule, reason, date(2026, 9, 16))


def test_who_is_not_written_to_yet_is_one_row_and_what_finds_no_room_is_counted() -> None:
    """300 customers not let in yet are one row, 25 rejected for as many reasons 19, and six more are a number."""
    later = [verdict(n, Rule.NOT_LIVE, f"only the first 2, and customer {n} is not among them") for n in range(300)]
    refused = [verdict(n, Rule.REJECTED, f"reason {n}") for n in range(300, 325)]
    chapter = held_back("harbor", [*later, *refused])
    assert chapter.rows[0] == (
        "not_live", "300 invoices", "for example: only the first 2, and customer 0 is not among them"
    )  # fmt: skip
    assert len(chapter.rows) == 20
    assert chapter.note == "... and 6 invoices more: arsync plan --all"
