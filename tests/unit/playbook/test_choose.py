"""Which playbook is followed: the first whose conditions fit, by priority; what a person assigned before all."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from textwrap import indent

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from arsync.domain.matching import Assigned, Between, Billed, Days, Match, OfInvoice, Subject
from arsync.domain.policy import Playbook
from arsync.playbook.choose import Chooser, clashes
from arsync.playbook.load import load
from arsync.playbook.schema import schema
from arsync.testing.builders import a_playbook

TODAY = date(2026, 6, 30)
NEVER = 'name: never\nmatch: {priority: 5, tag: [family]}\ndo_nothing: "they settle among themselves"\n'


def playbook(name: str, match: Match | None = None) -> Playbook:
    return replace(a_playbook(), name=name, match=match)


def subject(**facts: object) -> Subject:
    known: dict[str, object] = {
        "connection": "acme", "currency": "EUR", "balance": Decimal("500.00"), "oldest_due": date(2026, 5, 31),
        "groups": frozenset(), "tags": frozenset(), "country": "DE", "language": "de",
    }  # fmt: skip
    return Subject(**{**known, **facts})  # type: ignore[arg-type]


def chosen(match: Match, **facts: object) -> bool:
    choice = Chooser([playbook("special", match)]).choose(subject(**facts), "standard", TODAY)
    return choice.name == "special"


def among(*words: str) -> frozenset[str]:
    return frozenset(words)


@pytest.mark.parametrize(
    ("match", "fits", "does_not"),
    [
        (Match(1, balance={"EUR": Between(Decimal(500))}), {}, {"balance": Decimal("499.99")}),
        (Match(1, balance={"EUR": Between(below=Decimal(501))}), {}, {"balance": Decimal(501)}),
        (Match(1, balance={"EUR": Between(Decimal(1))}), {}, {"currency": "USD"}),
        (Match(1, age=Days(30)), {}, {"oldest_due": date(2026, 6, 1)}),
        (Match(1, age=Days(0, 31)), {"oldest_due": None}, {"oldest_due": date(2026, 5, 30)}),
        (Match(1, currency=among("EUR", "USD")), {}, {"currency": "GBP"}),
        (Match(1, group=among("trade")), {"groups": among("trade", "north")}, {"groups": among("north")}),
        (Match(1, tag=among("vip", "key")), {"tags": among("key")}, {}),
        (Match(1, country=among("DE")), {}, {"country": None}),
        (Match(1, language=among("de")), {}, {"language": "fr"}),
        (Match(1, rating=among("C", "D")), {"rating": "D"}, {}),
        (Match(1, rating=among("new")), {}, {"rating": "A"}),
        (Match(1, connection=among("acme")), {}, {"connection": "other"}),
        (Match(1, tag=among("vip"), country=among("DE")), {"tags": among("vip")}, {}),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else None,
)  # fmt: skip
def test_a_condition_fits_or_does_not(match: Match, fits: dict[str, object], does_not: dict[str, object]) -> None:
    assert chosen(match, **fits)
    assert not chosen(match, **does_not)


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (OfInvoice(number=("prj-*",)), {"number": "PRJ-7"}),
        (OfInvoice(reference=("*tower*",)), {"reference": "The Tower, lot 3"}),
        (OfInvoice(purchase_order=("PO 7", "PO 8")), {"purchase_order": "po 8"}),
        (OfInvoice(terms=("Net 90",)), {"terms": "Net 90"}),
        (OfInvoice(total={"EUR": Between(Decimal(900))}), {"total": Decimal(900)}),
    ],
)
def test_single_invoices_may_have_their_own_playbook(wanted: OfInvoice, fits: dict[str, object]) -> None:
    known: dict[str, object] = {
        "invoice_id": "1", "number": "INV-1", "reference": None, "purchase_order": None, "terms": None,
        "total": Decimal(100),
    }  # fmt: skip
    match = Match(1, invoice=wanted)
    assert Chooser([playbook("special", match)]).by_invoice
    assert chosen(match, billed=Billed(**{**known, **fits}))  # type: ignore[arg-type]
    assert not chosen(match, billed=Billed(**known))  # type: ignore[arg-type]
    assert not chosen(match), "the chase as a whole is no invoice"


def test_the_first_that_fits_by_priority_is_followed_and_it_says_why() -> None:
    """
    20 large: from 10,000 EUR     10 friends: tag vip
    vip, 12,000 EUR  => friends          nobody, 12,000 EUR => large          nobody, 500 EUR => the settings'
    """
    chooser = Chooser(
        [
            playbook("large", Match(20, balance={"EUR": Between(Decimal(10_000))})),
            playbook("friends", Match(10, tag=among("vip"))),
            playbook("plain"),
        ]
    )
    much = Decimal("12000.00")
    first = chooser.choose(subject(balance=much, tags=among("vip")), "plain", TODAY)
    second = chooser.choose(subject(balance=much), "plain", TODAY)
    third = chooser.choose(subject(), "plain", TODAY)
    assert (first.name, first.why) == ("friends", "priority 10: tag vip")
    assert (second.name, second.why) == ("large", "priority 20: EUR open from 10,000")
    assert (third.name, third.why) == ("plain", "the settings' playbook, for no other playbook's conditions fit")


def test_what_a_person_assigned_comes_before_all() -> None:
    chooser = Chooser([playbook("friends", Match(10))])
    assigned = Assigned("firm", "they asked for it", "kim", date(2026, 6, 1))
    choice = chooser.choose(subject(), "plain", TODAY, assigned)
    assert (choice.name, choice.why) == ("firm", "kim chose it for this customer on 2026-06-01: they asked for it")


def test_a_playbook_by_age_says_the_day_on_which_it_is_another() -> None:
    """
    05-31 due   06-29 the settings' until 06-30   06-30 slow until 07-30   07-30 the settings', for good
    """
    chooser = Chooser([playbook("slow", Match(1, age=Days(30, 60)))])
    days = {
        day: chooser.choose(subject(), "plain", date.fromisoformat(day))
        for day in ("2026-06-29", "2026-06-30", "2026-07-29", "2026-07-30")
    }
    assert {day: (choice.name, str(choice.until)) for day, choice in days.items()} == {
        "2026-06-29": ("plain", "2026-06-30"),
        "2026-06-30": ("slow", "2026-07-30"),
        "2026-07-29": ("slow", "2026-07-30"),
        "2026-07-30": ("plain", "None"),
    }


def test_what_is_not_asked_any_more_does_not_bring_a_look_forward() -> None:
    chooser = Chooser([playbook("friends", Match(1, tag=among("vip"))), playbook("slow", Match(2, age=Days(90)))])
    assert chooser.choose(subject(tags=among("vip")), "plain", TODAY).until is None
    assert chooser.choose(subject(), "plain", TODAY).until == date(2026, 8, 29)


def test_two_playbooks_of_one_priority_or_name_are_an_error_that_names_both_files() -> None:
    files = {
        "a.yaml": playbook("a", Match(10)), "b.yaml": playbook("b", Match(10)), "c.yaml": playbook("c"),
        "d.yaml": playbook("c"),
    }  # fmt: skip
    assert [str(problem) for problem in clashes(files)] == [
        "b.yaml:1: match: has the priority 10, and so has a.yaml",
        "d.yaml:1: is named 'c', and so is c.yaml",
    ]


# --- as written --------------------------------------------------------------------------------------------


def written(folder: Path, match: str, text: str | None = None) -> tuple[Playbook | None, list[str]]:
    path = folder / "never.yaml"
    path.write_text(text or f'name: never\nmatch:\n{indent(match, "  ")}\ndo_nothing: "because"\n')
    found, problems = load(path)
    return found, [str(problem) for problem in problems]


FULL = """\
priority: 20
balance: {EUR: {from: "1000.50", below: "2000"}, GBP: {from: 800}}
age: {from: 30, below: 60}
currency: [EUR, GBP]
group: [Trade]
tag: vip
country: [NO, GB]
language: [de, nb]
rating: [C, new]
connection: [acme]
invoice: {number: ["PRJ-*"], terms: "Net 90", total: {EUR: {from: 5}}}"""


def test_a_match_section_is_read_as_written(tmp_path: Path) -> None:
    found, problems = written(tmp_path, FULL)
    assert problems == []
    assert found is not None
    assert found.match == Match(
        priority=20,
        balance={"EUR": Between(Decimal("1000.50"), Decimal(2000)), "GBP": Between(Decimal(800))},
        age=Days(30, 60), currency=among("EUR", "GBP"), group=among("trade"), tag=among("vip"),
        country=among("NO", "GB"), language=among("de", "nb"), rating=among("C", "new"),
        connection=among("acme"),
        invoice=OfInvoice(number=("PRJ-*",), terms=("Net 90",), total={"EUR": Between(Decimal(5))}),
    )  # fmt: skip


def test_what_the_loader_takes_of_a_match_section_the_schema_takes(tmp_path: Path) -> None:
    text = (
        f'name: never\nmatch:\n{indent(FULL.replace("NO,", chr(34) + "NO" + chr(34) + ","), "  ")}\ndo_nothing: "x"\n'
    )
    assert written(tmp_path, "", text)[1] == []
    jsonschema.validate(yaml.safe_load(text), schema())


def test_do_nothing_needs_no_ladder_and_takes_none(tmp_path: Path) -> None:
    found, problems = written(tmp_path, "", NEVER)
    assert problems == []
    assert found is not None
    assert (found.nothing, found.steps) == ("they settle among themselves", ())
    jsonschema.validate(yaml.safe_load(NEVER), schema())
    (problem,) = written(tmp_path, "", NEVER + "gap: 5\n")[1]
    assert problem.startswith("never.yaml:4: a playbook with do_nothing has no key 'gap'")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(NEVER + "gap: 5\n"), schema())


def test_all_that_is_wrong_with_a_match_section_is_said_at_once(tmp_path: Path) -> None:
    found, problems = written(
        tmp_path,
        """\
priority: 0
balance: {EURO: {from: "10"}, USD: {from: ten}}
age: {from: 60, below: 30}
tags: [vip]
tag: [VIP]
country: [Germany]
rating: [E]
invoice: {numbr: x}""",
    )
    assert found is None
    assert problems == [
        "never.yaml:3: match: priority must be a whole number from 1 to 1000, not '0'",
        "never.yaml:4: match: balance: 'EURO' is no ISO 4217 currency (did you mean 'EUR'?)",
        "never.yaml:4: match: balance: USD: from must be an amount such as 1000.00, with at most 4 decimals",
        "never.yaml:5: match: age: nothing is from 60 and below 30",
        "never.yaml:6: match has no key 'tags' (did you mean 'tag'?)",
        "never.yaml:7: match: tag must be tags: lower case, joined by hyphens, not 'VIP'",
        "never.yaml:8: match: country must be countries such as GB, not 'Germany' (did you mean 'DE'?)",
        "never.yaml:9: match: rating must be ratings, of A, B, C, D, new, not 'E'",
        "never.yaml:10: match: invoice has no key 'numbr' (did you mean 'number'?)",
    ]


def test_the_version_changes_with_the_match_section_and_not_with_its_layout(tmp_path: Path) -> None:
    versions = [
        found.version
        for match in (
            "priority: 1\ntag: [a, b]",
            "tag:\n  - b\n  - a\npriority: 1",
            "priority: 2\ntag: [a, b]",
            "priority: 1\ntag: [a]",
        )
        if (found := written(tmp_path, match)[0]) is not None
    ]
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3
