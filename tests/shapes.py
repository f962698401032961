"""The shape of a JSON value: two of the same shape are the same to every rule of a vendor's OpenAPI document.

The documents rule by type, by length, by enumeration and by format. So a shape keeps these and nothing else, and one
of a thousand similar records is enough to check.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Hashable, Iterator, Mapping
from functools import lru_cache
from typing import Any

_FORMS = (
    ("empty", re.compile(r"")),
    ("uuid", re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
    ("stamp", re.compile(r"/Date\(-?\d+([+-]\d{4})?\)/")),
    ("day", re.compile(r"\d{4}-\d\d-\d\d")),
    ("instant", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")),
    ("moment", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")),
    ("number", re.compile(r"-?\d+(\.\d+)?")),
    ("address", re.compile(r"[^@\s]+@[^@\s]+")),
)
#: what a shape would have to know more of, were it in a document
UNKNOWN_RULES = frozenset({"pattern", "minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"})


_ALIKE = bytes.maketrans(b"123456789abcdef", b"0" * 15)


def outline(raw: bytes) -> bytes:
    """A record's own bytes with every digit and hexadecimal letter made alike: keys, types, lengths and words stay.

    Far cheaper than a shape, and finer: of two records with one outline, a document's rules tell the other nothing new.
    """
    return raw.translate(_ALIKE)


class Shapes:
    """Shapes with regard to one document; `counted` where the document counts the members of lists."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        words: set[str] = set()
        lengths: set[int] = set()
        self.counted = False
        for schema in _schemas(document):
            words.update(word for word in schema.get("enum") or () if isinstance(word, str))
            for rule in ("maxLength", "minLength"):
                if isinstance(length := schema.get(rule), int):
                    lengths.add(length if rule == "minLength" else length + 1)
            self.counted |= any(isinstance(schema.get(rule), int) for rule in ("maxItems", "minItems"))
        borders = sorted(lengths)

        @lru_cache(maxsize=100_000)
        def of_text(text: str) -> Hashable:
            if text in words:
                return text
            form = next((name for name, pattern in _FORMS if pattern.fullmatch(text)), "text")
            return form, bisect_right(borders, len(text))

        self.of_text = of_text

    def of(self, value: Any) -> Hashable:
        """The shape of a decoded JSON value."""
        if isinstance(value, str):
            return self.of_text(value)
        if isinstance(value, dict):
            return frozenset((name, self.of(part)) for name, part in value.items())
        if isinstance(value, list):
            members = [self.of(part) for part in value]
            return (len(value), tuple(map(repr, value)) if self.counted else None, frozenset(members)) if (
                self.counted and value and not isinstance(value[0], dict | list)
            ) else (len(value) if self.counted else bool(value), frozenset(members))  # fmt: skip
        if isinstance(value, int) and not isinstance(value, bool):
            return "int", value.bit_length() // 32
        return type(value).__name__


def _schemas(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, dict):
        yield node
        for part in node.values():
            yield from _schemas(part)
    elif isinstance(node, list):
        for part in node:
            yield from _schemas(part)
