"""The `match` section of a playbook: which chases it is for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Final

import yaml
from babel.core import Locale, get_global

from arsync.domain.matching import UNRATED, Between, Days, Match, OfInvoice
from arsync.domain.money import amount
from arsync.playbook.nodes import Section, entries, line
from arsync.playbook.problems import Problems, nearest

MATCH_KEYS: Final = (
    "priority", "balance", "age", "currency", "group", "tag", "country", "language", "rating", "connection", "invoice",
)  # fmt: skip
INVOICE_KEYS: Final = ("number", "reference", "purchase_order", "terms", "total")
BOUND_KEYS: Final = ("from", "below")
PRIORITIES: Final = (1, 1000)
AGES: Final = (0, 3650)
AMOUNT: Final = r"[0-9]+(\.[0-9]{1,4})?"
RATINGS: Final = ("A", "B", "C", "D", UNRATED)
#: Countries by other letters than the accounting systems tell.
_MEANT: Final = {"UK": "GB", "EL": "GR"}
_ENGLISH: Final = Locale("en")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
_TAG: Final = re.compile(r"[^\W_A-Z]+(?:-[^\W_A-Z]+)*")


def read_match(root: Section, problems: Problems, currencies: frozenset[str]) -> Match | None:
    """The section as far as it could be read; None where there is none. Problems are noted."""
    node = root.mapping("match")
    if node is None:
        return None
    section = Section(node, "match", problems, known=MATCH_KEYS, required=("priority",))

    def words(key: str, fits: Callable[[str], str | None], wanted: str) -> frozenset[str]:
        return frozenset(_words(section, key, problems, fits, wanted))

    def currency(value: str) -> str | None:
        return value if value in currencies else None

    priority = section.whole("priority", *PRIORITIES)
    match = Match(
        priority=priority or 0,
        balance=_amounts(section, "balance", problems, currencies),
        age=_days(section, problems),
        currency=words("currency", currency, "ISO 4217 currencies such as EUR"),
        group=words("group", lambda value: value.strip().casefold() or None, "names of customer groups"),
        tag=words("tag", lambda value: value if _TAG.fullmatch(value) else None, "tags: lower case, joined by hyphens"),
        country=words("country", _country, "countries such as GB"),
        language=words("language", lambda v: v if _LANGUAGE.fullmatch(v) else None, "languages such as de"),
        rating=words("rating", lambda v: v if v in RATINGS else None, f"ratings, of {', '.join(RATINGS)}"),
        connection=words("connection", lambda value: value.strip() or None, "names of connections"),
        invoice=_invoice(section, problems, currencies),
    )
    return match if priority is not None else None


def _meant(key: str, written: str) -> str | None:
    """The code of a country or language that is written by its English name, or otherwise than ISO has it."""
    named: Mapping[str, str] = {"country": _ENGLISH.territories, "language": _ENGLISH.languages}.get(key, {})
    codes = (code for code, name in named.items() if name.casefold() == written.casefold() and len(code) == 2)
    return next(codes, _MEANT.get(written) if key == "country" else None)


def _country(value: str) -> str | None:
    """The code where there is such a country: any other would never fit."""
    return value if len(value) == 2 and value in get_global("territory_zones") else None


def _words(
    section: Section, key: str, problems: Problems, fits: Callable[[str], str | None], wanted: str
) -> Iterator[str]:
    """A list, or one value alone; what does not fit is noted."""
    node = section.node(key)
    if node is None:
        return
    nodes = [node] if isinstance(node, yaml.ScalarNode) else section.listing(key) or []
    for entry in nodes:
        value = fits(entry.value) if isinstance(entry, yaml.ScalarNode) else None
        if value is None:
            scalar = isinstance(entry, yaml.ScalarNode)
            written = repr(entry.value[:40]) if scalar else "a list or mapping"
            hint = _meant(key, entry.value) if scalar else None
            problems.add(line(entry), f"match: {key} must be {wanted}, not {written}", hint)
        else:
            yield value


def _amounts(section: Section, key: str, problems: Problems, currencies: frozenset[str]) -> dict[str, Between]:
    node = section.mapping(key)
    found: dict[str, Between] = {}
    if node is None:
        return found
    for currency, value in entries(node, f"match: {key}", problems):
        if currency not in currencies:
            near = nearest(currency, (code.lower() for code in currencies))
            problems.add(
                line(value), f"match: {key}: {currency!r} is no ISO 4217 currency", near.upper() if near else None
            )
        if not isinstance(value, yaml.MappingNode):
            problems.add(line(value), f'match: {key}: {currency} must be bounds such as {{from: "1000"}}')
            continue
        bounds = Section(value, f"match: {key}: {currency}", problems, known=BOUND_KEYS, required=())
        least, below = (_amount(bounds, bound, f"match: {key}: {currency}", problems) for bound in BOUND_KEYS)
        _check_bounds(bounds, f"match: {key}: {currency}", least, below, problems)
        found[currency] = Between(least, below)
    return found


def _amount(section: Section, key: str, name: str, problems: Problems) -> Decimal | None:
    """Exact, read from the text as written."""
    node = section.node(key)
    if node is None:
        return None
    if not isinstance(node, yaml.ScalarNode) or not re.fullmatch(AMOUNT, node.value):
        problems.add(line(node), f"{name}: {key} must be an amount such as 1000.00, with at most 4 decimals")
        return None
    try:
        return amount(node.value)
    except ValueError as error:
        problems.add(line(node), f"{name}: {key}: {error}")
        return None


def _days(section: Section, problems: Problems) -> Days | None:
    node = section.mapping("age")
    if node is None:
        return None
    bounds = Section(node, "match: age", problems, known=BOUND_KEYS, required=())
    least, below = (bounds.whole(bound, *AGES) for bound in BOUND_KEYS)
    _check_bounds(bounds, "match: age", least, below, problems)
    return Days(least, below)


def _check_bounds(
    section: Section, name: str, least: Decimal | int | None, below: Decimal | int | None, problems: Problems
) -> None:
    if section.node("from") is None and section.node("below") is None:
        problems.add(section.line, f"{name} needs `from`, `below` or both")
    if least is not None and below is not None and least >= below:
        problems.add(section.line_of("below"), f"{name}: nothing is from {least} and below {below}")


def _invoice(section: Section, problems: Problems, currencies: frozenset[str]) -> OfInvoice | None:
    node = section.mapping("invoice")
    if node is None:
        return None
    own = Section(node, "match: invoice", problems, known=INVOICE_KEYS, required=())
    if not node.value:
        problems.add(line(node), f"match: invoice needs one of {', '.join(INVOICE_KEYS)}")

    def patterns(key: str) -> tuple[str, ...]:
        wanted = "patterns such as PRJ-*"
        return tuple(_words(own, key, problems, lambda value: value.strip() or None, wanted))

    return OfInvoice(
        number=patterns("number"),
        reference=patterns("reference"),
        purchase_order=patterns("purchase_order"),
        terms=patterns("terms"),
        total=_amounts(own, "total", problems, currencies),
    )


def canonical(match: Match) -> dict[str, object]:
    """What the section says, whatever its layout: for the playbook's version."""
    sets = ("currency", "group", "tag", "country", "language", "rating", "connection")
    said: dict[str, object] = {key: sorted(getattr(match, key)) for key in sets if getattr(match, key)}
    said["priority"] = match.priority
    if match.balance:
        said["balance"] = _bounds(match.balance)
    if match.age is not None:
        said["age"] = [match.age.least, match.age.below]
    if match.invoice is not None:
        lists = ("number", "reference", "purchase_order", "terms")
        said["invoice"] = {key: sorted(getattr(match.invoice, key)) for key in lists if getattr(match.invoice, key)}
        said["total"] = _bounds(match.invoice.total)
    return said


def _bounds(amounts: Mapping[str, Between]) -> dict[str, list[str | None]]:
    return {
        currency: [None if bound is None else str(bound.normalize()) for bound in (between.least, between.below)]
        for currency, between in amounts.items()
    }
