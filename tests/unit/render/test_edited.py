"""A person's own words are made harmless, and text and HTML say the same."""

from __future__ import annotations

import pytest

from arsync.errors import UsageError
from arsync.render.edited import edited
from arsync.render.mail import words_of


def test_paragraphs_lines_and_addresses_are_kept() -> None:
    said = edited("About H-1", "Dear Ada,\n\nplease look here: https://pay.example/1?a=1&b=2.\nThanks\n", language="en")
    assert said.text == "Dear Ada,\n\nplease look here: https://pay.example/1?a=1&b=2.\nThanks\n"
    assert '<a href="https://pay.example/1?a=1&amp;b=2">https://pay.example/1?a=1&amp;b=2</a>.' in said.html
    assert words_of(said.html) == "Dear Ada, please look here: https://pay.example/1?a=1&b=2 . Thanks"


def test_what_stands_in_columns_stays_there() -> None:
    said = edited("S", "H-1   500.00\nH-22  300.00", language="en")
    assert said.text == "H-1   500.00\nH-22  300.00\n"
    assert "white-space:pre-wrap" in said.html


def test_nothing_hostile_is_left() -> None:
    said = edited("Hello\r\nBcc: all@x.example", "a\x00b\u202ec <script>alert(1)</script>\x1b[31m", language='e"n')
    assert said.subject == "Hello Bcc: all@x.example"
    assert said.text == "a b c <script>alert(1)</script> [31m\n"
    assert "<script>" not in said.html
    assert 'lang="e&quot;n"' in said.html


@pytest.mark.parametrize(("subject", "text"), [("\u200b", "text"), ("S", " \n\t\n"), ("S", "x" * 20_001)])
def test_no_words_or_too_many_are_refused(subject: str, text: str) -> None:
    with pytest.raises(UsageError):
        edited(subject, text, language="en")
