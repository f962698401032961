"""A debtor finds all they need in every message, in both of its forms, whatever the source calls things."""

from __future__ import annotations

import html as entities
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from tests.unit.render.samples import (
    JANE,
    NOT_DUE,
    OLDEST,
    SECOND,
    SELLER,
    STEPS,
    TEMPLATES,
    TODAY,
    intent,
    invoice,
    letterhead,
)

from arsync.domain.chase import Rendered
from arsync.domain.money import Money
from arsync.domain.people import Owner
from arsync.domain.policy import StepChannel
from arsync.errors import ConfigurationError, TemplateError
from arsync.render import locales, render
from arsync.render.view import view
from arsync.render.wording import at_home, locale_of, money_text

LANGUAGES = ("en", "de", "fr")
EVERY_MESSAGE = [(step, language) for step in STEPS for language in LANGUAGES]


def words_of(markup: str) -> str:
    """What a reader sees of the HTML, spaces evened out."""
    body = re.sub(r"<(style|title)\b.*?</\1>", " ", markup, flags=re.DOTALL)
    return even(entities.unescape(re.sub(r"<[^>]+>", " ", body)))


def even(text: str) -> str:
    return " ".join(text.replace("\u202f", " ").replace("\u00a0", " ").split())


def both(message: Rendered) -> tuple[str, str]:
    return even(message.text), words_of(message.html)


class Tags(HTMLParser):
    """The elements and attributes that a mail program would find."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def written(step: str, language: str, **changes: object) -> Rendered:
    head = letterhead(language)
    if STEPS[step].channel is StepChannel.CALL:  # a script is in the language of our own people
        head = replace(head, seller=replace(SELLER, locale=language))
    return render(intent(step, **changes), head, TEMPLATES)


FACTS = {
    "en": ("€1,200.00", "€2,400.00", "€345.50", "€1,545.50", "€15.00", "35 days late", "16 days late", "1 day late"),
    "de": ("1.200,00 €", "2.400,00 €", "345,50 €", "1.545,50 €", "15,00 €", "35 Tage überfällig", "1 Tag überfällig"),
    "fr": ("1 200,00 €", "2 400,00 €", "345,50 €", "1 545,50 €", "15,00 €", "35 jours de retard", "1 jour de retard"),
}
DAYS = {
    "en": ("1 September 2025", "1 October 2025", "20 October 2025", "25 November 2025"),
    "de": ("1. September 2025", "1. Oktober 2025", "20. Oktober 2025", "25. November 2025"),
    "fr": ("1er septembre 2025", "1er octobre 2025", "20 octobre 2025", "25 novembre 2025"),
}
NAMES = (
    *("INV-1041", "INV-1058", "INV-1102", "INV-1120"),  # demanded and listed
    *("PO-7781", "Reception desk, oak, oiled", "Fitting on site", "Door repair", "Harbour Spa"),
    *("IBAN DE89 3704 0044 0532 0130 00", "BIC COBADEFFXXX", "NW-4711"),
    *("accounts@northwind.example", "Northwind Joinery Ltd", "4 Wharf Road, Bristol", "VAT GB 123 4567 89"),
)


@pytest.mark.parametrize(("step", "language"), EVERY_MESSAGE)
def test_every_message_says_all_a_debtor_needs_in_text_and_in_html(step: str, language: str) -> None:
    message = written(step, language)
    days = DAYS[language]
    if STEPS[step].channel is StepChannel.CALL and language == "en":  # plain English has no region: month first
        days = ("September 1, 2025", "October 1, 2025", "October 20, 2025", "November 25, 2025")
    for twin in both(message):
        missing = [fact for fact in (*NAMES, *FACTS[language], *days) if fact not in twin]
        assert missing == []


@pytest.mark.parametrize(("step", "language"), EVERY_MESSAGE)
def test_every_message_is_fit_for_a_mail_program(step: str, language: str) -> None:
    message = written(step, language)
    assert 10 < len(message.subject) <= 150
    assert max(map(len, message.text.splitlines())) <= 78
    assert "\n\n\n" not in message.text
    tags = Tags(message.html).found
    page = next(attributes for tag, attributes in tags if tag == "html")
    assert (page["lang"] or "").startswith(language)
    assert {"name": "color-scheme", "content": "light dark"} in [
        attributes for tag, attributes in tags if tag == "meta"
    ]
    assert all(
        "style" in attributes for tag, attributes in tags if tag in {"td", "th", "h1"} and attributes.get("class")
    )
    assert not {"script", "img", "link", "form", "iframe"} & {tag for tag, _ in tags}
    assert "prefers-color-scheme: dark" in message.html
    assert "{{" not in message.html + message.text
    assert "None" not in message.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reminder_ahead_of_time_speaks_of_the_due_date_and_of_nothing_late(language: str) -> None:
    message = written("courtesy", language, demanded=(NOT_DUE,), listed=(), unapplied=Money(Decimal(0), "EUR"))
    for twin in both(message):
        assert DAYS[language][3] in twin
        assert {"en": "in 20 days", "de": "in 20 Tagen", "fr": "dans 20 jours"}[language] in twin
        assert not re.search(r"\d (days? late|Tage? überfällig|jours? de retard)", twin)
    assert NOT_DUE.number in message.subject


def test_the_day_count_turns_on_the_day_after_the_due_date() -> None:
    # due 11-05: on the day itself nothing is late; 11-06 one day; 11-07 two days
    due_today = invoice("INV-1", "10.00", TODAY)
    seen = {}
    for day in (4, 5, 6, 7):
        head = letterhead(today=date(2025, 11, day))
        seen[day] = even(render(intent("friendly", demanded=(due_today,), listed=()), head, TEMPLATES).text)
    assert "due 5 November 2025, in 1 day" in seen[4]
    assert "due 5 November 2025, today" in seen[5]
    assert "due 5 November 2025, 1 day late" in seen[6]
    assert "due 5 November 2025, 2 days late" in seen[7]


def test_a_part_paid_invoice_names_its_balance_and_its_total_and_a_whole_one_its_balance_only() -> None:
    for twin in both(written("firm", "en", demanded=(OLDEST,), listed=(), unapplied=Money(Decimal(0), "EUR"))):
        assert "€1,200.00 of €2,400.00 in total" in twin
    for twin in both(written("firm", "en", demanded=(SECOND,), listed=(), unapplied=Money(Decimal(0), "EUR"))):
        assert "in total" not in twin


def test_two_currencies_are_never_added_and_each_has_its_own_bank_account() -> None:
    pounds = invoice("INV-GB", "100.00", date(2025, 10, 1), currency="GBP")
    for twin in both(written("firm", "en", demanded=(OLDEST, pounds), listed=())):
        assert "€1,200.00" in twin
        assert "£100.00" in twin
        assert "1,300" not in twin
        assert "Sort code 60-16-13" in twin
        assert "IBAN DE89" in twin
    for twin in both(written("firm", "en", demanded=(pounds,), listed=(), unapplied=Money(Decimal(0), "GBP"))):
        assert "IBAN" not in twin


def test_younger_invoices_are_listed_apart_and_are_in_no_total() -> None:
    text, _ = both(written("firm", "en"))
    demanded, _, listed = text.partition("Total €1,545.50")
    assert "INV-1041" in demanded
    assert "INV-1102" not in demanded
    assert listed.index("recently due") < listed.index("INV-1102") < listed.index("not yet due")
    assert listed.index("not yet due") < listed.index("INV-1120")


def test_no_digit_of_an_amount_is_rounded_away() -> None:
    odd = replace(invoice("INV-1", "0", date(2025, 10, 1)), balance=Money(Decimal("10.005"), "EUR"))
    odd = replace(odd, total=odd.balance)
    for twin in both(written("firm", "en", demanded=(odd,), listed=())):
        assert "€10.005" in twin


@pytest.mark.parametrize("step", STEPS)
def test_hostile_names_stay_text(step: str) -> None:
    attack = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 7*7 }}{% raw %}"
    hostile = replace(
        OLDEST,
        number=attack[:30],
        reference=attack,
        customer_name=attack,
        lines=tuple(replace(line, description=attack) for line in OLDEST.lines),
    )
    head = letterhead(payer_name=attack, remittance=attack, seller=replace(SELLER, name=attack, legal_footer=attack))
    message = render(
        intent(step, demanded=(hostile,), recipients=(replace(JANE, name=attack, phone=attack),)), head, TEMPLATES
    )
    tags = Tags(message.html).found
    assert not {"script", "img"} & {tag for tag, _ in tags}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert "{{ 7*7 }}" in words_of(message.html)  # read as text, never run
    assert "49" not in message.subject


def test_a_subject_is_one_line_whatever_the_source_says() -> None:
    hostile = replace(OLDEST, number="INV-1\r\nBcc: all@evil.example\n\u2028X: y\u202e\x00")
    message = written("friendly", "en", demanded=(hostile,), listed=())
    assert message.subject.splitlines() == [message.subject]
    assert not re.search(r"[\x00-\x1f\u202e\u2028]", message.subject)
    assert not re.search(r"^Bcc:", message.text, re.MULTILINE)


def test_a_hostile_color_does_not_reach_the_style() -> None:
    head = letterhead(seller=replace(SELLER, color="red;} body{background:url(http://evil.example)"))
    assert "evil" not in render(intent(), head, TEMPLATES).html


def test_long_names_are_shortened_and_keep_the_text_within_its_margin() -> None:
    long = replace(
        OLDEST,
        number="N" * 300,
        reference="R" * 300,
        customer_name="C " * 300,
        lines=tuple(replace(OLDEST.lines[0], description=f"{place} " + "word " * 90) for place in range(9)),
    )
    message = written("firm", "en", demanded=(long,), listed=())
    assert max(map(len, message.text.splitlines())) <= 78
    assert "(+6)" in message.text


def test_a_message_about_three_hundred_invoices_names_each_of_them() -> None:
    many = tuple(invoice(f"INV-{number}", "1.10", date(2025, 9, 1)) for number in range(1000, 1300))
    message = written("firm", "en", demanded=many, listed=())
    for twin in both(message):
        assert all(item.number in twin for item in many)
        assert "€330.00" in twin


@pytest.mark.parametrize(
    ("language", "opening"), [("de", "Sehr geehrte Damen und Herren,"), ("fr", "Madame, Monsieur,")]
)
def test_who_is_not_known_by_name_is_greeted_as_the_language_does(language: str, opening: str) -> None:
    for name in ("", "Harbour Hotel Group"):
        for twin in both(written("friendly", language, recipients=(replace(JANE, name=name),))):
            assert opening in twin
            assert "Harbour Hotel Group," not in twin
    for twin in both(written("friendly", language)):
        assert opening not in twin
        assert "Jane Okafor," in twin


def test_french_puts_a_space_that_does_not_break_before_its_double_signs() -> None:
    for path in sorted(TEMPLATES.glob("*.fr.*")):
        text = path.read_text(encoding="utf-8")
        prose = " ".join(re.findall(r'"([^"]*)"', text)) if path.name.startswith("_words") else text
        prose = re.sub(r"{[{%#].*?[}%#]}|<[^>]*>", "x", prose)
        assert not re.search(r"\w +[:;?!]", prose), path.name
        assert not re.search(r"\w[;?!:](?=\s|$)", prose.removeprefix("Subject:"), re.MULTILINE), path.name


def test_one_reader_is_greeted_by_name_and_several_by_their_company() -> None:
    assert "Hello Jane Okafor," in written("friendly", "en").text
    assert "Hello Harbour Hotel Group," in written("friendly", "en", recipients=(JANE, replace(JANE, name="Bob"))).text


def test_a_reader_without_a_region_gets_the_sellers_habits_of_the_same_language() -> None:
    american = replace(SELLER, locale="en-US")
    assert "October 1, 2025" in render(intent(), letterhead("en", seller=american), TEMPLATES).text
    assert "1 October 2025" in render(intent(), letterhead("en-GB", seller=american), TEMPLATES).text
    assert "1. Oktober 2025" in render(intent(), letterhead("de-AT", seller=american), TEMPLATES).text


def test_a_call_is_a_script_in_our_own_language_with_the_phone_number_in_it() -> None:
    message = render(intent("call"), letterhead("fr"), TEMPLATES)
    for twin in both(message):
        assert "+44 117 496 0123" in twin
        assert "nothing has been sent to the customer" in twin
        assert "They speak French" in twin
    assert message.subject == "Call Harbour Hotel Group: €1,545.50 open"


def test_a_call_without_a_phone_number_says_so() -> None:
    assert "no phone number on file" in written("call", "en", recipients=(replace(JANE, phone=None),)).text
    assert "look it up before you call" in written("call", "en", recipients=()).text


def test_the_languages_of_a_template_are_those_that_have_all_its_files() -> None:
    assert all(locales(step.template, TEMPLATES) == {"en", "de", "fr"} for step in STEPS.values())
    assert locales("nothing", TEMPLATES) == frozenset()


def test_a_language_without_templates_and_a_locale_that_is_none_are_named() -> None:
    with pytest.raises(TemplateError, match=r"firm\.ja\.txt\.j2"):
        render(intent(), letterhead("ja"), TEMPLATES)
    with pytest.raises(ConfigurationError, match="klingonic"):
        render(intent(), letterhead("klingonic"), TEMPLATES)


# --- brand and sender -------------------------------------------------------------------------------------------


def test_a_logo_has_the_companys_name_as_its_text_and_without_one_the_name_stands_there() -> None:
    head = letterhead(seller=replace(SELLER, logo="https://www.northwind.example/logo.png"))
    tags = Tags(render(intent(), head, TEMPLATES).html).found
    (picture,) = [attributes for tag, attributes in tags if tag == "img"]
    assert (picture["src"], picture["alt"]) == ("https://www.northwind.example/logo.png", "Northwind Joinery Ltd")
    assert picture["height"] == "40"
    assert "img" not in {tag for tag, _ in Tags(written("firm", "en").html).found}


@pytest.mark.parametrize(
    "logo", ["http://x.example/l.png", "javascript:alert(1)", 'https://x.example/"onerror="x', "x"]
)
def test_what_is_no_address_of_a_picture_is_left_out(logo: str) -> None:
    message = render(intent(), letterhead(seller=replace(SELLER, logo=logo)), TEMPLATES)
    assert "img" not in {tag for tag, _ in Tags(message.html).found}


def test_the_font_of_a_brand_stands_before_those_that_every_reader_has() -> None:
    head = letterhead(seller=replace(SELLER, font="Georgia, Times New Roman"))
    html = render(intent(), head, TEMPLATES).html
    assert "font-family: Georgia, Times New Roman, Helvetica Neue, Helvetica, Arial, sans-serif" in html
    hostile = letterhead(seller=replace(SELLER, font="x; } </style><script>, Verdana"))
    html = render(intent(), hostile, TEMPLATES).html
    assert "font-family: Verdana, Helvetica Neue" in html
    assert "script" not in html


def test_a_pale_brand_is_darkened_where_it_is_read_and_kept_where_it_is_seen() -> None:
    html = render(intent(), letterhead(seller=replace(SELLER, color="#ffee00")), TEMPLATES).html
    (answer,) = re.findall(r'<a href="mailto:[^>]*style="([^"]*)"', html)
    assert "#ffee00" not in answer
    assert "background-color: #ffee00" in html
    assert re.search(r"a \{ color: #ffee00 !important; \}", html)  # on a dark card it can be read as it is


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_owner_of_a_customer_signs(language: str) -> None:
    owner = Owner("Ines Roth", "ines@northwind.example", "+44 117 496 0777", "Ines Roth\nCredit control")
    for twin in both(written("firm", language, owner=owner)):
        _, _, end = twin.rpartition(
            {"en": "Kind regards", "de": "Mit freundlichen Grüßen", "fr": "Cordialement"}[language]
        )
        assert re.match(r" Ines Roth Credit control \S.* \+44 117 496 0777 Northwind Joinery Ltd", end)
    for twin in both(written("firm", language, owner=Owner("Ines Roth"))):
        assert "Ines Roth Northwind Joinery Ltd" in twin


# --- money and locales ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "written"),
    [
        ("1234567.50", "EUR", "en", "€1,234,567.50"),
        ("1234567.50", "EUR", "de", "1.234.567,50 €"),
        ("1234567.50", "EUR", "fr", "1 234 567,50 €"),
        ("1234567.50", "INR", "en-IN", "₹12,34,567.50"),
        ("1234567.50", "CHF", "de-CH", "CHF 1’234’567.50"),
        ("1200.00", "JPY", "en", "¥1,200"),
        ("1200.00", "JPY", "de", "1.200 ¥"),
        ("1.50", "KWD", "en", "KWD 1.500"),
        ("1.5", "KWD", "de", "1,500 KWD"),
        ("0.0001", "CLF", "en", "CLF 0.0001"),
        ("-15.00", "EUR", "en", "-€15.00"),
        ("-15.00", "EUR", "de", "-15,00 €"),
        ("-15.00", "EUR", "fr", "-15,00 €"),
        ("15.00", "USD", "en-GB", "US$15.00"),
        ("15.00", "CAD", "fr-CA", "15,00 $"),
    ],
)
def test_money_is_written_as_its_reader_writes_it(amount: str, currency: str, locale: str, written: str) -> None:
    assert even(money_text(Money(Decimal(amount), currency), locale_of(locale))) == written


@pytest.mark.parametrize(
    ("tag", "known"),
    [("de-AT", "de_AT"), ("de-XX", "de"), ("fr_QQ_FOO", "fr"), ("en-ZZ", "en"), ("zh-Hans-CN", "zh_Hans_CN")],
)
def test_a_locale_that_nobody_knows_falls_back_to_its_language(tag: str, known: str) -> None:
    assert str(locale_of(tag)) == known


@pytest.mark.parametrize(("language", "said"), [("en", "in dispute"), ("de", "strittig"), ("fr", "contestés")])
def test_a_contested_part_is_named_and_not_asked_for(language: str, said: str) -> None:
    """345.50 of which 45.50 is contested: 300.00 is the sum."""
    part = Money(Decimal("45.50"), "EUR")
    item = replace(SECOND, balance=SECOND.balance - part, disputed=part)
    for text in both(written("firm", language, demanded=(item,), listed=())):
        assert said in text
        assert re.search(r"45[.,]50", text)
        assert len(re.findall(r"300[.,]00", text)) >= 2, "the invoice's own, and the sum"


def test_a_contested_part_has_not_come_in() -> None:
    """345.50, of which 45.50 is contested: nothing was received."""
    part = Money(Decimal("45.50"), "EUR")
    item = replace(SECOND, balance=SECOND.balance - part, disputed=part)
    less = replace(item, balance=item.balance - Money(Decimal("100.00"), "EUR"))
    none, some = (view(intent(demanded=(one,)), letterhead(), locale_of("en")).received for one in (item, less))
    assert (none, some) == ((), ("€100.00",))


@pytest.mark.parametrize(
    ("tag", "country", "spoken"),
    [
        ("en", "GB", "en-GB"),
        ("de", "at", "de-AT"),
        ("en-US", "GB", "en-US"),  # said is said
        ("en", None, "en"),
        ("en", "", "en"),
        ("fr", "GB", "fr"),  # nobody writes French as in Great Britain
    ],
)
def test_a_language_without_a_region_is_written_as_in_the_companys_country(
    tag: str, country: str | None, spoken: str
) -> None:
    assert at_home(tag, country) == spoken


def test_a_phone_parts_no_number_at_its_hyphen_and_nothing_in_it_becomes_markup() -> None:
    message = render(intent("firm"), replace(letterhead("en"), remittance="INV-1001, <b>-2"), TEMPLATES)
    assert '<span style="white-space: nowrap;">INV-1001,</span>' in re.sub(r":\s*nowrap;?", ": nowrap;", message.html)
    assert "&lt;b&gt;-2" in message.html
    assert "INV-1001, <b>-2" in message.text
