"""The query language of QuickBooks Online: parsed into a value, refused as the vendor refuses it."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_RESULTS = 1_000
DEFAULT_RESULTS = 100


class QueryRefused(Exception):
    """The query is wrong: code 4000 where it cannot be parsed, 4001 where it cannot be valid."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; `values` has one member but for IN."""

    field: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query; names are as written."""

    entity: str
    count: bool
    where: tuple[Condition, ...]
    order: tuple[tuple[str, bool], ...]  # (field, descending)
    start: int
    results: int


_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<operator><=|>=|=|<|>)|(?P<mark>[(),*])|(?P<number>\d+)|(?P<word>[A-Za-z_][\w.]*))"""
)
_OPERATORS = ("=", "<", ">", "<=", ">=")


def parse(text: str) -> Query:
    """Read a query; raises `QueryRefused`."""
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str, int]] = []
        position, text = 0, text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise _unexpected(text[position : position + 10].strip(), position)
            kind = str(match.lastgroup)
            self._tokens.append((kind, match.group(kind), match.start(kind)))
            position = match.end()
        self._next = 0

    def query(self) -> Query:
        self._keyword("SELECT")
        count = self._selection()
        self._keyword("FROM")
        entity = self._take("word")
        where = self._conditions() if self._has("WHERE") else ()
        order: tuple[tuple[str, bool], ...] = ()
        if self._has("ORDERBY") or (self._has("ORDER") and self._keyword("BY")):
            order = self._order()
        start = self._whole_number("STARTPOSITION", 1, None, 1)
        results = self._whole_number("MAXRESULTS", 0, MOST_RESULTS, DEFAULT_RESULTS)
        if self._next < len(self._tokens):
            self._refuse()
        return Query(entity, count, where, order, start, results)

    def _selection(self) -> bool:
        if self._is("mark", "*"):
            self._next += 1
            return False
        self._keyword("COUNT")
        for mark in "(*)":
            self._mark(mark)
        return True

    def _conditions(self) -> tuple[Condition, ...]:
        conditions = [self._condition()]
        while self._has("AND"):
            conditions.append(self._condition())
        return tuple(conditions)

    def _condition(self) -> Condition:
        field = self._take("word")
        if self._has("IN"):
            self._mark("(")
            values = [self._value()]
            while self._is("mark", ","):
                self._next += 1
                values.append(self._value())
            self._mark(")")
            return Condition(field, "IN", tuple(values))
        if self._has("LIKE"):
            return Condition(field, "LIKE", (self._value(),))
        operator = self._take("operator")
        return Condition(field, operator, (self._value(),))

    def _value(self) -> str:
        if self._has("TRUE"):
            return "true"
        if self._has("FALSE"):
            return "false"
        quoted = self._take("text")[1:-1]
        return re.sub(r"\\(.)", r"\1", quoted)

    def _order(self) -> tuple[tuple[str, bool], ...]:
        order = []
        while True:
            field = self._take("word")
            descending = self._has("DESC")
            if not descending:
                self._has("ASC")
            order.append((field, descending))
            if not self._is("mark", ","):
                return tuple(order)
            self._next += 1

    def _whole_number(self, keyword: str, least: int, most: int | None, default: int) -> int:
        if not self._has(keyword):
            return default
        value = int(self._take("number"))
        if value < least:
            raise QueryRefused(
                "4001", f"QueryValidationError: value {value} is too small. Min allowed value is {least}"
            )
        if most is not None and value > most:
            raise QueryRefused("4001", f"QueryValidationError: value {value} is too large. Max allowed value is {most}")
        return value

    def _is(self, kind: str, text: str) -> bool:
        return self._next < len(self._tokens) and self._tokens[self._next][:2] == (kind, text)

    def _has(self, keyword: str) -> bool:
        """Step over a keyword where it stands next."""
        here = self._tokens[self._next] if self._next < len(self._tokens) else ("", "", 0)
        if here[0] == "word" and here[1].upper() == keyword:
            self._next += 1
            return True
        return False

    def _keyword(self, keyword: str) -> bool:
        if not self._has(keyword):
            self._refuse()
        return True

    def _mark(self, mark: str) -> None:
        if not self._is("mark", mark):
            self._refuse()
        self._next += 1

    def _take(self, kind: str) -> str:
        if self._next >= len(self._tokens) or self._tokens[self._next][0] != kind:
            self._refuse()
        self._next += 1
        return self._tokens[self._next - 1][1]

    def _refuse(self) -> None:
        if self._next < len(self._tokens):
            _, text, position = self._tokens[self._next]
            raise _unexpected(text, position)
        raise _unexpected("<EOF>", self._tokens[-1][2] if self._tokens else 0)


def _unexpected(text: str, position: int) -> QueryRefused:
    return QueryRefused("4000", f'QueryParserError: Encountered "{text}" at line 1, column {position + 1}.')
