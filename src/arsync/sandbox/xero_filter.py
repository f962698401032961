"""A careful subset of Xero's `where` and `order`: what it cannot read it refuses, never guesses."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from arsync.sandbox.xero_wire import bad_query, is_guid

Getter = Callable[[Any], Any]
Predicate = Callable[[Any], bool]


class Kind(StrEnum):
    """What a property holds, and so what it may be compared with."""

    TEXT = "String"
    NUMBER = "Decimal"
    DAY = "DateTime"
    MOMENT = "DateTime (UTC)"
    GUID = "Guid"
    FLAG = "Boolean"


@dataclass(frozen=True, slots=True)
class Property:
    """A filterable property of a noun."""

    kind: Kind
    read: Getter


Properties = dict[str, Property]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<guid>[Gg]uid\s*\(\s*"(?P<guid_text>[^"]*)"\s*\))
      | (?P<moment>DateTime\s*\((?P<moment_parts>[\d\s,]*)\))
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<joint>&&|\|\|)
      | (?P<compare>==|!=|>=|<=|>|<)
      | (?P<open>\()
      | (?P<close>\))
      | (?P<word>[A-Za-z_][A-Za-z0-9_.]*)
    )""",
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_ORDERED = {Kind.NUMBER, Kind.DAY, Kind.MOMENT}


@dataclass(frozen=True, slots=True)
class _Literal:
    kind: Kind | None
    value: Any


def _tokens(text: str) -> list[tuple[str, str, re.Match[str]]]:
    found: list[tuple[str, str, re.Match[str]]] = []
    position = 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None:
            raise bad_query(f"Syntax error at position {position} of the where clause")
        name = next(
            group
            for group in ("string", "guid", "moment", "number", "joint", "compare", "open", "close", "word")
            if match.group(group) is not None
        )
        found.append((name, match.group(name), match))
        position = match.end()
    return found


def _literal(name: str, text: str, match: re.Match[str]) -> _Literal:
    if name == "string":
        return _Literal(Kind.TEXT, re.sub(r"\\(.)", r"\1", text[1:-1]))
    if name == "number":
        return _Literal(Kind.NUMBER, Decimal(text))
    if name == "guid":
        guid = match.group("guid_text").strip().lower()
        if not is_guid(guid):
            raise bad_query("Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx)")
        return _Literal(Kind.GUID, guid)
    if name == "moment":
        parts = [part.strip() for part in match.group("moment_parts").split(",")]
        if len(parts) not in (3, 6) or not all(part.isdigit() for part in parts):
            raise bad_query("No applicable constructor exists in type 'DateTime'")
        try:
            return _Literal(Kind.DAY, datetime(*map(int, parts), tzinfo=UTC))  # type: ignore[misc, arg-type]
        except ValueError:
            raise bad_query("Year, Month, and Day parameters describe an un-representable DateTime.") from None
    if name == "word" and text.lower() in ("true", "false"):
        return _Literal(Kind.FLAG, text.lower() == "true")
    if name == "word" and text.lower() == "null":
        return _Literal(None, None)
    raise bad_query(f"Expression expected, found '{text}'")


def _compare(field: str, known: Property, sign: str, literal: _Literal) -> Predicate:
    compare, read = _COMPARE[sign], known.read
    if literal.kind is None:
        if sign not in ("==", "!="):
            raise bad_query(f"Operator '{sign}' incompatible with null")
        return lambda record: compare(read(record), None)
    comparable = known.kind is literal.kind or (known.kind is Kind.MOMENT and literal.kind is Kind.DAY)
    if not comparable or (sign not in ("==", "!=") and known.kind not in _ORDERED):
        raise bad_query(
            f"Operator '{sign}' incompatible with operand types '{known.kind}' and '{literal.kind}' ({field})"
        )
    value = literal.value
    if known.kind is Kind.DAY:
        value = value.date()
    if sign == "!=":
        return lambda record: read(record) != value

    def holds(record: Any) -> bool:
        found = read(record)
        return found is not None and compare(found, value)

    return holds


def parse_where(text: str, properties: Properties, noun: str) -> list[Predicate]:
    """Predicates over records of the noun that must all hold; joined by AND or `&&` only, anything else is a 400."""
    tokens = _tokens(text)
    terms: list[Predicate] = []
    index = depth = 0
    while True:
        while index < len(tokens) and tokens[index][0] == "open":
            depth, index = depth + 1, index + 1
        if index + 2 >= len(tokens) or tokens[index][0] != "word" or tokens[index + 1][0] != "compare":
            raise bad_query("Expression expected in the where clause")
        field = tokens[index][1]
        known = properties.get(field)
        if known is None:
            raise bad_query(f"No property or field '{field}' exists in type '{noun}'")
        terms.append(_compare(field, known, tokens[index + 1][1], _literal(*tokens[index + 2])))
        index += 3
        while index < len(tokens) and tokens[index][0] == "close":
            depth, index = depth - 1, index + 1
            if depth < 0:
                raise bad_query("')' without '(' in the where clause")
        if index == len(tokens):
            break
        joint = tokens[index][1]
        if joint == "||" or joint.upper() == "OR":
            raise bad_query("This sandbox does not offer OR in a where clause")
        if joint != "&&" and joint.upper() != "AND":
            raise bad_query(f"Syntax error at '{joint}' in the where clause")
        index += 1
    if depth:
        raise bad_query("')' or operator expected")
    return terms


def parse_order(text: str, properties: Properties, noun: str) -> Callable[[list[Any]], list[Any]]:
    """A sort over records of the noun, from `UpdatedDateUTC ASC, InvoiceID DESC`; refuses unknown names with 400."""
    steps: list[tuple[Getter, bool]] = []
    for part in text.split(","):
        words = part.split()
        if not words or len(words) > 2 or (len(words) == 2 and words[1].upper() not in ("ASC", "DESC")):
            raise bad_query(f"Syntax error in order '{part.strip()}'")
        known = properties.get(words[0])
        if known is None:
            raise bad_query(f"No property or field '{words[0]}' exists in type '{noun}'")
        steps.append((_sortable(known), len(words) == 2 and words[1].upper() == "DESC"))

    def arrange(records: list[Any]) -> list[Any]:
        arranged = records
        for key, reverse in reversed(steps):
            arranged = sorted(arranged, key=key, reverse=reverse)
        return arranged

    return arrange


def _sortable(known: Property) -> Getter:
    read = known.read
    blank: Any = {
        Kind.TEXT: "",
        Kind.GUID: "",
        Kind.FLAG: False,
        Kind.NUMBER: Decimal(0),
        Kind.DAY: date.min,
        Kind.MOMENT: datetime.min.replace(tzinfo=UTC),
    }[known.kind]

    def key(record: Any) -> Any:
        found = read(record)
        return blank if found is None else found

    return key


def attribute(path: str, kind: Kind) -> Property:
    """A property read by a dotted attribute path, absent where a step on the way is None."""
    steps: Sequence[str] = path.split(".")
    if len(steps) == 1:
        return Property(kind, operator.attrgetter(path))

    def read(record: Any) -> Any:
        found = record
        for step in steps:
            if found is None:
                return None
            found = getattr(found, step)
        return found

    return Property(kind, read)
