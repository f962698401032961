"""Letters: the words of the mail templates, typeset for a window envelope."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from tests.unit.render.samples import SELLER, TEMPLATES, intent, letterhead

from arsync.domain.chase import Intent
from arsync.domain.policy import Step, StepChannel, Tone
from arsync.domain.postal import postal_address
from arsync.render.cover import cover_pdf
from arsync.render.letter import letter_pdf, letter_values
from arsync.render.paper import Window, pictures
from arsync.render.stationery import window_lines

HOSTILE = '#panic("x") *bold* $x$ <label> @ref \\ "quoted" `raw` // gone \ue000items\ue000'
HOME = replace(SELLER, address="4 Wharf Road\nBristol BS1 6XN", country="GB")


def letter(template: str = "formal", address: str = "12 Quay Street\nCardiff CF10 5AE") -> Intent:
    step = Step(template, 18, StepChannel.LETTER, Tone.FIRM, template, None)
    return replace(intent(), step=step, address=address, country="GB")


@pytest.mark.parametrize("locale", ["en-GB", "de", "fr"])
@pytest.mark.parametrize("template", ["friendly", "formal", "final", "statement"])
def test_a_letter_says_what_the_mail_says_with_a_table_in_place_of_its_list(locale: str, template: str) -> None:
    values = letter_values(letter(template), letterhead(locale, seller=HOME), TEMPLATES)
    kinds = [part["kind"] for part in values["parts"]]
    assert (kinds.count("items"), kinds.count("pay"), kinds[-1]) == (1, 1, "closing")
    assert kinds.index("items") < kinds.index("pay")
    assert [item["number"] for item in values["items"]] == ["INV-1041", "INV-1058"]
    assert [len(group["items"]) for group in values["groups"]] == [1, 1]
    assert not values["title"].endswith(SELLER.name), "who writes stands at the head already"
    assert "----" not in str(values["parts"]), "nothing of the plain text's drawing is left"


@pytest.mark.parametrize("locale", ["en-GB", "de", "fr"])
def test_nobody_is_asked_to_answer_a_sheet_of_paper(locale: str) -> None:
    """Where a mail says: answer this message, a letter names the address to write to."""
    named = []
    for template in ("friendly", "gentle", "firm", "formal", "final", "statement"):
        values = letter_values(letter(template), letterhead(locale, seller=HOME), TEMPLATES)
        body = " ".join(part["text"] for part in values["parts"])
        assert not re.search("answer this|Antwort auf diese|Antworten Sie auf|pondez à ce", body), template
        if SELLER.reply_to in body:
            named.append(template)
    assert "firm" in named


def test_letters_are_one_file_each_on_its_own_sheets_and_the_same_values_give_the_same_bytes() -> None:
    one = letter_values(letter(), letterhead("de", seller=HOME), TEMPLATES)
    other = letter_values(letter("final"), letterhead("fr", seller=HOME), TEMPLATES)
    body = letter_pdf([one, other])
    assert body.startswith(b"%PDF-")
    assert body == letter_pdf([one, other])


def test_whatever_somebody_is_called_a_letter_is_printed() -> None:
    seller = replace(HOME, name=HOSTILE, legal_footer=HOSTILE, address=HOSTILE, bank_details={"EUR": HOSTILE})
    hostile = letter("formal", f"{HOSTILE}\n{HOSTILE}")
    values = letter_values(hostile, letterhead("en", seller=seller, payer_name=HOSTILE), TEMPLATES)
    assert values["address"][0].startswith('#panic("x") *bold*')
    assert [part["kind"] for part in values["parts"]].count("items") == 1, "a name opens no place for the table"
    assert letter_pdf([values]).startswith(b"%PDF-")
    assert cover_pdf("L1", letterhead().today, [(1, HOSTILE, HOSTILE, "1.00 EUR", "")], seller).startswith(b"%PDF-")


def test_the_envelopes_are_those_of_the_sender_s_country() -> None:
    assert [Window.of(one) for one in ("DE", "GB", None, "FR", "US", "CA")] == [
        Window.DIN, Window.DIN, Window.DIN, Window.RIGHT, Window.US10, Window.US10,
    ]  # fmt: skip


def test_abroad_the_country_stands_below_in_capitals_and_no_line_falls_out_of_the_window() -> None:
    assert window_lines("Hôtel du Port", "3 quai Sud\n13001 Marseille", "FR", HOME, "Léa Roux") == [
        "Hôtel du Port", "Léa Roux", "3 quai Sud", "13001 Marseille", "FRANCE",
    ]  # fmt: skip
    assert window_lines("Harbour", "a\nb\nc\nd\n1 Quay\nCardiff", "GB", HOME, "Jane") == [
        "Harbour", "b", "c", "d", "1 Quay", "Cardiff",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("country", "address"),
    [
        ("US", "1 Market Street\nAlbany, NY 12207"),
        ("AU", "1 Market Street\nAlbany NY 12207"),
        ("GB", "1 Market Street\nAlbany\n12207"),
        ("DE", "1 Market Street\n12207 Albany"),
        (None, "1 Market Street\n12207 Albany"),
    ],
)
def test_an_address_is_written_as_its_country_writes_it(country: str | None, address: str) -> None:
    lines = ("Harbour Ltd", "1  Market Street", None, "")
    written = postal_address(lines, city="Albany", region="NY", code="12207", country=country, name="harbour ltd")
    assert written == address


def test_what_no_letter_would_reach_is_no_address() -> None:
    assert postal_address((None, ""), city="Albany", region="NY", code="12207", country="US") is None
    assert postal_address(("1 Market Street",), city=None, region=None, code=None, country="US") is None
    whole = postal_address(("1 Market Street", "Albany, NY 12207"), city=None, region=None, code=None, country="US")
    assert whole == "1 Market Street\nAlbany, NY 12207", "some write all of it into the lines"


LONG = "Wöhlermann & Söhne Präzisionswerkzeuge Vertriebsgesellschaft mbH & Co. Kommanditgesellschaft auf Aktien"


@pytest.mark.parametrize("country", ["DE", "FR", "US"])
def test_whatever_is_written_into_the_window_shows_in_it_to_its_last_line(country: str) -> None:
    """A name of two lines, five lines below it: another last line is another picture, so that it is not cut off."""
    seller = replace(HOME, name=LONG, address=f"{LONG}\n4 Wharf Road\nBristol BS1 6XN", country=country)
    address = "Gebäude 17, Eingang Nord\nIndustriepark am Güterbahnhof\nAn der alten Ziegelei 4711\n12345 Neustadt"
    one = letter_values(letter("formal", address), letterhead("en", seller=seller, payer_name=LONG), TEMPLATES)
    other = {**one, "address": [*one["address"][:-1], "NOWHERE"]}
    sheets = [{"letters": [{**values, "end": "end-0"}], "mark": ""} for values in (one, other)]
    assert one["address"][-1] != "NOWHERE"
    assert pictures("letters", sheets[0], ppi=50)[0] != pictures("letters", sheets[1], ppi=50)[0]


def test_who_writes_stands_once_above_the_window_though_the_own_address_repeats_the_name() -> None:
    seller = replace(HOME, address=f"{HOME.name.upper()}\n4 Wharf Road\nBristol BS1 6XN")
    values = letter_values(letter(), letterhead(seller=seller), TEMPLATES)
    assert values["seller"]["address"] == ["4 Wharf Road", "Bristol BS1 6XN"]
