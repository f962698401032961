"""YAML as a tree that remembers its lines, read leniently: what does not fit is a problem, never a traceback."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from typing import Final, TypeVar

import yaml

from arsync.domain.money import amount
from arsync.playbook.problems import Problems, nearest

T = TypeVar("T")

#: A playbook is a page of text; whatever is larger or deeper is not one.
MOST_CHARACTERS: Final = 200_000
MOST_DEPTH: Final = 12
_TAG: Final = "tag:yaml.org,2002:"
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,6}")
#: Of two centuries: days are counted on from here, and must not run out.
_DATE: Final = re.compile(r"(?:19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}")
_AMOUNT: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?")
_TIME: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


def compose(
    text: str, problems: Problems, what: str = "a playbook is a mapping of keys: name, gap, window, steps, ..."
) -> yaml.MappingNode | None:
    """The root mapping of one YAML document, or None with the problem noted. Aliases are refused.

    `what` is said where the document is something else.
    """
    if len(text) > MOST_CHARACTERS:
        problems.add(1, f"the file is larger than {MOST_CHARACTERS:,} characters: not a playbook")
        return None
    try:
        if refused := _refused(text):
            problems.add(*refused)
            return None
        root = _composed(text)
    except yaml.reader.ReaderError as error:
        problems.add(text.count("\n", 0, error.position) + 1, f"not YAML: {error.reason}")
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.add(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}")
        return None
    if not isinstance(root, yaml.MappingNode):
        problems.add(line(root) if root else 1, what)
        return None
    return root


@lru_cache(maxsize=64)
def _composed(text: str) -> yaml.Node | None:
    """The tree, which nobody changes."""
    root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    return root


@lru_cache(maxsize=64)
def _refused(text: str) -> tuple[int, str] | None:
    """The line of an alias (a few of them can unfold to gigabytes) or of absurd depth, and what is said of it."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            return _line(event), "anchors and aliases are not used in playbooks: write it out"
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            return _line(event), f"nested deeper than {MOST_DEPTH} levels: not a playbook"
    return None


def line(node: yaml.Node) -> int:
    """The line a node begins on, from 1."""
    return _line(node)


def _line(marked: yaml.Node | yaml.Event) -> int:
    return marked.start_mark.line + 1 if marked.start_mark else 1


def is_empty(node: yaml.Node) -> bool:
    """Whether nothing was written there."""
    return isinstance(node, yaml.ScalarNode) and node.tag == _TAG + "null"


class Section:
    """One mapping of a playbook with its known keys; every misfit is noted in the problems it was given."""

    def __init__(
        self,
        node: yaml.MappingNode,
        name: str,
        problems: Problems,
        *,
        known: Collection[str],
        required: Collection[str],
    ) -> None:
        self.line = line(node)
        self._name = name
        self._problems = problems
        self._values: dict[str, yaml.Node] = {}
        for key, value in _pairs(node, name, problems):
            if key not in known:
                problems.add(line(value), f"{name} has no key {key!r}", nearest(key, known))
            elif is_empty(value):
                problems.add(line(value), f"{name}: {key} is empty")
            else:
                self._values[key] = value
        self._written = {key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)}
        for key in required:
            if key not in self._written:
                problems.add(self.line, f"{name} needs the key {key!r}")

    def node(self, key: str) -> yaml.Node | None:
        """What was written under that key, None where nothing was."""
        return self._values.get(key)

    def is_written(self, key: str) -> bool:
        """Whether anything was written under that key, fitting or not."""
        return key in self._written

    def line_of(self, key: str) -> int:
        """The line of a key's value; the section's own where it is absent."""
        node = self._values.get(key)
        return line(node) if node else self.line

    def slug(self, key: str, pattern: str) -> str | None:
        """A name in lower case, as used in file names and rows."""
        found = self._scalar(key)
        if found is None:
            return None
        if found.tag != _TAG + "str" or len(found.value) > 40 or not re.fullmatch(pattern, found.value):
            self._misfit(key, found, "a short name of lower-case letters, digits and hyphens")
            return None
        return str(found.value)

    def text(self, key: str, longest: int) -> str | None:
        """A sentence that somebody wrote, on one line."""
        found = self._scalar(key)
        if found is None:
            return None
        written = " ".join(found.value.split())
        if found.tag != _TAG + "str" or not written or len(written) > longest:
            self._misfit(key, found, f"a sentence of at most {longest} characters")
            return None
        return written

    def whole(self, key: str, least: int, most: int) -> int | None:
        """A whole number within bounds."""
        found = self._scalar(key)
        if found is None:
            return None
        if found.style is not None or not _WHOLE.fullmatch(found.value) or not least <= int(found.value) <= most:
            self._misfit(key, found, f"a whole number from {least} to {most}")
            return None
        return int(found.value)

    def words(self, key: str, longest: int = 100) -> str | None:
        """What was written there, taken as text whatever YAML takes it for: an invoice number may be `1042`."""
        found = self._scalar(key)
        if found is None:
            return None
        if not found.value.strip() or len(found.value) > longest:
            self._misfit(key, found, f"a text of at most {longest} characters")
            return None
        return str(found.value).strip()

    def several(self, key: str, longest: int = 100) -> tuple[str, ...] | None:
        """One text, or a list of them; None where nothing was written."""
        node = self._values.get(key)
        if node is None or isinstance(node, yaml.ScalarNode):
            one = self.words(key, longest)
            return None if one is None else (one,)
        found = []
        for entry in self.listing(key) or ():
            if isinstance(entry, yaml.ScalarNode) and 0 < len(entry.value.strip()) <= longest:
                found.append(str(entry.value).strip())
            else:
                self._misfit(key, entry, f"texts of at most {longest} characters")
        return tuple(found)

    def day(self, key: str) -> date | None:
        """A day as `2026-06-30`."""
        found = self._scalar(key)
        if found is None:
            return None
        try:
            if not _DATE.fullmatch(found.value):
                raise ValueError
            return date.fromisoformat(found.value)
        except ValueError:
            self._misfit(key, found, "a day such as 2026-06-30")
            return None

    def amount(self, key: str) -> Decimal | None:
        """An amount above zero, exactly as written."""
        found = self._scalar(key)
        if found is None:
            return None
        try:
            exact = amount(found.value) if _AMOUNT.fullmatch(found.value) else None
        except ValueError:
            exact = None
        if not exact:
            self._misfit(key, found, "an amount above zero such as 1200.00")
            return None
        return exact

    def truth(self, key: str) -> bool | None:
        """`true` or `false`."""
        return self.choice(key, {"true": True, "false": False})

    def choice(self, key: str, names: Mapping[str, T]) -> T | None:
        """One of the known names."""
        found = self._scalar(key)
        return None if found is None else self.one_of(key, found, names)

    def one_of(self, key: str, node: yaml.Node, names: Mapping[str, T]) -> T | None:
        """The meaning of one name of a list."""
        if isinstance(node, yaml.ScalarNode) and node.value in names:
            return names[node.value]
        wanted = f"one of {', '.join(names)}"
        self._misfit(key, node, wanted, nearest(node.value, names) if isinstance(node, yaml.ScalarNode) else None)
        return None

    def clock_time(self, key: str) -> time | None:
        """A time of day as `09:00`; read from its text, for YAML takes 9:30 for a number of base 60."""
        found = self._scalar(key)
        if found is None:
            return None
        match = _TIME.fullmatch(found.value)
        if match is None:
            self._misfit(key, found, "a time of day such as 09:00")
            return None
        return time(int(match[1]), int(match[2]))

    def listing(self, key: str) -> list[yaml.Node] | None:
        """The entries of a list that is not empty."""
        node = self._values.get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._misfit(key, node, "a list with at least one entry")
            return None
        return list(node.value)

    def mapping(self, key: str) -> yaml.MappingNode | None:
        """A mapping under that key."""
        node = self._values.get(key)
        if node is None or isinstance(node, yaml.MappingNode):
            return node
        self._misfit(key, node, "a mapping of keys")
        return None

    def _scalar(self, key: str) -> yaml.ScalarNode | None:
        node = self._values.get(key)
        if node is None or isinstance(node, yaml.ScalarNode):
            return node
        self._misfit(key, node, "a single value")
        return None

    def _misfit(self, key: str, node: yaml.Node, wanted: str, suggestion: str | None = None) -> None:
        written = f"{node.value!r}" if isinstance(node, yaml.ScalarNode) else "a list or mapping"
        self._problems.add(line(node), f"{self._name}: {key} must be {wanted}, not {written[:60]}", suggestion)


def _pairs(node: yaml.MappingNode, name: str, problems: Problems) -> Iterator[tuple[str, yaml.Node]]:
    """Keys and values, each key once; a second of the same name is a problem, for YAML would silently take the last."""
    seen: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.add(line(key), f"{name}: a key must be a single name")
        elif key.value in seen:
            problems.add(line(key), f"{name}: {key.value!r} is written twice, first on line {seen[key.value]}")
        else:
            seen[key.value] = line(key)
            yield key.value, value


def entries(node: yaml.MappingNode, name: str, problems: Problems) -> Iterator[tuple[str, yaml.Node]]:
    """Keys and values of a mapping whose keys are data, such as currencies."""
    yield from _pairs(node, name, problems)
