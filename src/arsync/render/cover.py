"""The list that lies on top of a batch of letters: for our own people, in English as the notes are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from arsync.domain.chase import Seller
from arsync.render.colors import PAPER, color_of, readable
from arsync.render.paper import Window, typeset
from arsync.render.wording import fonts_of, one_line

Row = tuple[int, str, str, str, str]


def cover_pdf(batch: str, on: date, rows: Sequence[Row], seller: Seller) -> bytes:
    """The batch's letters: number, addressee, subject, sum and what to heed, with a box to tick when it is posted."""
    values = {
        "paper": "us-letter" if Window.of(seller.country) is Window.US10 else "a4",
        "color": readable(color_of(seller.color), PAPER),
        "title": f"Letters {batch} of {on}: {len(rows)} to post",
        "company": one_line(seller.name),
        "batch": batch,
        "rows": [
            [str(number), one_line(to, 160), one_line(subject, 120), amount, heed]
            for number, to, subject, amount, heed in rows
        ],
    }
    return typeset("cover", values, fonts_of(seller.font))
