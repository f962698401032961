"""The one day that an answer names; what is doubtful names none."""

from __future__ import annotations

from datetime import date

import pytest

from arsync.inbox.days import named_day, promised_day

TUESDAY = date(2026, 6, 9)


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("We will pay on Friday.", "2026-06-12"),
        ("Payment goes out June 15th, 2026", "2026-06-15"),
        ("you will have it by 2026-06-30", "2026-06-30"),
        ("Friday, 12 June: it is scheduled", "2026-06-12"),
        ("Wir zahlen am 15.06.", "2026-06-15"),
        ("Die Überweisung erfolgt am 3. Juli", "2026-07-03"),
        ("Nous réglerons le 1er août", "2026-08-01"),
        ("virement jeudi", "2026-06-11"),
    ],
)
def test_a_day_is_read_in_three_languages(text: str, on: str) -> None:
    assert named_day(text, TUESDAY) == date.fromisoformat(on)


@pytest.mark.parametrize(
    "text",
    [
        "We will pay soon.", "Monday or Thursday", "on Tuesday", "next Friday", "6/7/2026", "am 31.02.", "in May 2027",
        "half on Friday", "500.00 on Friday", "on Friday if the goods come", "we can't pay on Friday",
        "we do not pay on Friday", "by 1 June 2026", "wir zahlen Freitag die erste Rate", "tomorrow or Friday",
    ],
)  # fmt: skip
def test_several_days_parts_conditions_and_what_reads_in_two_ways_name_none(text: str) -> None:
    assert named_day(text, TUESDAY) is None


@pytest.mark.parametrize(
    "text",
    [
        "We will pay 500 EUR on Friday.", "We will pay 50% on Friday",
        "We will pay no invoice by Friday", "We will pay some of it on Friday.",
        "We will pay in two payments, the first on Friday.", "We got your reminder on Monday. We will pay.",
        "Your mail of Friday: we will pay.", "We will pay as soon as possible, I am back on Friday.",
        "We will pay invoice 1003 on Friday, the others later.", "We will pay at the earliest on Friday.",
        "We will pay the invoice due 30 June.", "Wir zahlen einen Abschlag am Freitag.",
        "We will pay by Friday at the latest or so, hopefully", "We will pay on Friday. What is the IBAN?",
        "We will pay on Friday\nPlease write to my colleague",
    ],
)  # fmt: skip
def test_what_says_more_or_less_than_all_by_a_day_is_no_promise_to_record(text: str) -> None:
    assert promised_day(text, TUESDAY) is None


@pytest.mark.parametrize(
    "text",
    [
        "We will pay on Friday.", "We'll pay the full amount by Friday, 12 June at the latest.",
        "Hello Mia,\n\nWe will pay the invoice on 12 June.\n\nKind regards,\nTom Reed\n+1 555 1000",
        "Wir zahlen am 12.06.", "Nous réglerons la facture le 12 juin.",
    ],
)  # fmt: skip
def test_one_sentence_that_pays_all_by_a_day_is_a_promise(text: str) -> None:
    assert promised_day(text, TUESDAY) == date(2026, 6, 12)
