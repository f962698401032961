"""The names that a template uses, checked before anything is rendered: also in branches that no rendering may reach.

What a name may be comes from `render.view`, so that the lint knows exactly what a rendering gives. A template is walked
with the parts that it extends, includes and imports, each seen from where it is used; a macro with what it is given.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from jinja2 import Environment, TemplateSyntaxError, nodes

from arsync.playbook.problems import Problems, nearest
from arsync.render.message import FILTERS
from arsync.render.sandbox import MessageEnvironment
from arsync.render.view import MessageView

_LOOP: Final = (
    "index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem",
    "cycle", "changed",
)  # fmt: skip
_DEEPEST: Final = 20  # parts in parts, macros in macros


@dataclass(frozen=True, slots=True)
class Kind:
    """What a name stands for: a record with these fields, a list of a kind, or (both None) text, a number, anything."""

    fields: Mapping[str, Kind] | None = None
    of: Kind | None = None
    label: str = ""
    anything: bool = False  # what it has is not known


ANYTHING: Final = Kind(anything=True)
TEXT: Final = Kind(label="text")
_LOOP_KIND: Final = Kind(dict.fromkeys(_LOOP, ANYTHING), label="loop")


@cache
def message() -> Mapping[str, Kind]:
    """Every name that a message gives to its templates."""
    return dict(_fields(MessageView)) | {"subject": TEXT}


def _fields(record: type[Any]) -> Iterator[tuple[str, Kind]]:
    hints = get_type_hints(record)
    for one in fields(record):
        yield one.name, _kind(hints[one.name])


def _kind(hint: Any) -> Kind:
    if get_origin(hint) in (Union, types.UnionType):
        return _kind(next(part for part in get_args(hint) if part is not type(None)))
    if get_origin(hint) is tuple:
        return Kind(of=_kind(get_args(hint)[0]), label="a list")
    if isinstance(hint, type) and is_dataclass(hint):
        return Kind(dict(_fields(hint)), label=hint.__name__)
    return TEXT if hint in (str, int) else ANYTHING


def check(root: Path, folder: Path, words: frozenset[str], problems: Problems) -> None:
    """Notes every name in a template, and in its parts, that no message gives it; `words` are those of its language."""
    names = dict(message()) | {"words": Kind(dict.fromkeys(words, ANYTHING), label="words")}
    if root.name.endswith(".txt.j2"):
        del names["subject"]  # it is the text's own first line
    _Walk(folder, problems, names).file(root.name)


def words_of(path: Path) -> frozenset[str]:
    """The words that a file of a language sets; none where it cannot be read."""
    template = _readable(path)
    if template is None:
        return frozenset()
    return frozenset(
        one.target.name
        for one in template.tree.body
        if isinstance(one, nodes.Assign | nodes.AssignBlock) and isinstance(one.target, nodes.Name)
    )


@dataclass(frozen=True, slots=True)
class Parsed:
    """A template's syntax, with what is looked for in it again and again."""

    tree: nodes.Template
    layout: nodes.Extends | None
    blocks: tuple[nodes.Block, ...]
    macros: tuple[nodes.Macro, ...]


@lru_cache(maxsize=512)
def parsed(text: str) -> Parsed:
    """The syntax of a template; TemplateSyntaxError, or RecursionError where it is nested beyond reading."""
    tree = Environment(autoescape=True).parse(text)
    return Parsed(
        tree,
        next(tree.find_all(nodes.Extends), None),
        tuple(tree.find_all(nodes.Block)),
        tuple(tree.find_all(nodes.Macro)),
    )


def _readable(path: Path) -> Parsed | None:
    try:
        return parsed(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, TemplateSyntaxError, RecursionError):
        return None  # said elsewhere


@cache
def _known() -> tuple[frozenset[str], frozenset[str]]:
    jinja = MessageEnvironment(Path("/"), FILTERS)
    return jinja.known_filters, frozenset(jinja.tests)


@dataclass(slots=True)
class _Place:
    """Where the walk is: the names that are known there, in which file."""

    file: str
    names: dict[str, Kind]
    macros: dict[str, tuple[nodes.Macro | nodes.CallBlock, _Place]] = field(default_factory=dict)
    depth: int = 0

    def inside(self, more: Mapping[str, Kind] = MappingProxyType({})) -> _Place:
        return _Place(self.file, {**self.names, **more}, dict(self.macros), self.depth + 1)

    def elsewhere(self, file: str) -> _Place:
        return _Place(file, dict(self.names), dict(self.macros), self.depth + 1)


class _Walk:
    """One template with its parts."""

    def __init__(self, folder: Path, problems: Problems, names: Mapping[str, Kind]) -> None:
        self._folder = folder
        self._problems = problems
        self._globals = dict(names)
        self._blocks: dict[str, tuple[nodes.Block, _Place]] = {}  # of the heirs, the youngest's first
        self._shown: set[str] = set()  # blocks that some layout has a place for
        self._called: set[int] = set()
        self._read: dict[str, Parsed | None] = {}
        self._said: set[tuple[str, int, str]] = set()

    def file(self, name: str) -> None:
        self._template(_Place(name, dict(self._globals)))
        for unused, (block, place) in self._blocks.items():
            if unused not in self._shown:
                near = nearest(unused, self._shown)
                self._say(place, block, f"no layout has a place for the block {unused!r}", near)
                self._statements(block.body, place)

    def _template(self, place: _Place) -> None:
        if place.depth > _DEEPEST:
            return
        if place.file not in self._read:
            self._read[place.file] = _readable(self._folder / place.file)
        template = self._read[place.file]
        if template is None:
            return
        body = template.tree.body
        if template.layout is None:
            self._statements(body, place)
        else:
            # Only what an heir sets and its blocks count: the rest of its text is never shown.
            self._statements([one for one in body if not isinstance(one, nodes.Block | nodes.Output)], place)
            for block in template.blocks:
                self._blocks.setdefault(block.name, (block, place))
            for name in self._files(template.layout.template):
                self._template(place.elsewhere(name))
        for macro in template.macros:
            if id(macro) not in self._called:
                self._macro(macro, place, {})

    def _files(self, named: nodes.Expr) -> list[str]:
        if isinstance(named, nodes.Const):
            wanted = named.value if isinstance(named.value, list | tuple) else [named.value]
            return [name for name in wanted if isinstance(name, str) and (self._folder / name).is_file()]
        if isinstance(named, nodes.List | nodes.Tuple):
            return [name for one in named.items for name in self._files(one)]
        return []  # which file it will be is known only when it is rendered

    # --- statements ---------------------------------------------------------------------------------------

    def _statements(self, body: list[nodes.Node], place: _Place) -> None:
        for one in body:
            self._statement(one, place)

    def _statement(self, node: nodes.Node, place: _Place) -> None:  # noqa: PLR0912 - one case for each
        match node:
            case nodes.Output():
                for expression in node.nodes:
                    self._of(expression, place)
            case nodes.For():
                self._loop(node, place)
            case nodes.If():
                self._of(node.test, place)
                for branch in (node.body, node.elif_, node.else_):
                    self._statements(list(branch), place)
            case nodes.Assign():
                self._bind(node.target, self._of(node.node, place), place.names)
            case nodes.AssignBlock():
                self._statements(node.body, place.inside())
                self._bind(node.target, TEXT, place.names)
            case nodes.With():
                inner = place.inside()
                for target, value in zip(node.targets, node.values, strict=True):
                    self._bind(target, self._of(value, place), inner.names)
                self._statements(node.body, inner)
            case nodes.Macro():
                place.macros[node.name] = (node, place)
                place.names[node.name] = ANYTHING
            case nodes.CallBlock():
                self._of(node.call, place)
                inner = place.inside()
                for argument in node.args:
                    self._bind(argument, ANYTHING, inner.names)
                self._statements(node.body, inner)
            case nodes.Block():
                self._shown.add(node.name)
                block, where = self._blocks.get(node.name, (node, place))
                inner = where.inside({"super": ANYTHING, "self": ANYTHING})
                if node.scoped:
                    inner.names = {**place.names, **inner.names}
                self._statements(block.body, inner)
                if block is not node:
                    self._statements(node.body, place.inside())
            case nodes.Include():
                self._of(node.template, place)
                for name in self._files(node.template):
                    self._template(place.elsewhere(name))
            case nodes.Import() | nodes.FromImport():
                self._import(node, place)
            case nodes.FilterBlock() | nodes.Scope() | nodes.ScopedEvalContextModifier():
                self._statements(node.body, place.inside())
            case nodes.ExprStmt():
                self._of(node.node, place)
            case _:
                pass

    def _loop(self, node: nodes.For, place: _Place) -> None:
        several = self._of(node.iter, place)
        inner = place.inside({"loop": _LOOP_KIND})
        self._bind(node.target, several.of or ANYTHING, inner.names)
        if several.fields is not None or several is TEXT:
            self._say(place, node, f"{_spelt(node.iter)} is no list")
        if node.test is not None:
            self._of(node.test, inner)
        self._statements(node.body, inner)
        self._statements(node.else_, place.inside())

    def _import(self, node: nodes.Import | nodes.FromImport, place: _Place) -> None:
        for name in self._files(node.template):
            there = place.elsewhere(name) if node.with_context else _Place(name, {}, depth=place.depth + 1)
            self._template(there)
            if isinstance(node, nodes.FromImport):
                for wanted in node.names:
                    theirs, ours = wanted if isinstance(wanted, tuple) else (wanted, wanted)
                    if theirs in there.macros:
                        place.macros[ours] = there.macros[theirs]
        if isinstance(node, nodes.Import):
            place.names[node.target] = ANYTHING
        else:
            for wanted in node.names:
                place.names[wanted[1] if isinstance(wanted, tuple) else wanted] = ANYTHING

    def _bind(self, target: nodes.Node, kind: Kind, names: dict[str, Kind]) -> None:
        if isinstance(target, nodes.Name):
            names[target.name] = kind
        elif isinstance(target, nodes.Tuple):
            for one in target.items:
                self._bind(one, kind.of or ANYTHING, names)

    def _macro(self, macro: nodes.Macro, place: _Place, given: Mapping[str, Kind]) -> None:
        self._called.add(id(macro))
        if place.depth > _DEEPEST:
            return
        inner = place.inside(dict.fromkeys(("caller", "varargs", "kwargs"), ANYTHING))
        for argument in macro.args:
            inner.names[argument.name] = given.get(argument.name, ANYTHING)
        for default in macro.defaults:
            self._of(default, place)
        self._statements(macro.body, inner)

    # --- expressions --------------------------------------------------------------------------------------

    def _of(self, node: nodes.Node | None, place: _Place) -> Kind:  # noqa: PLR0912 - one case for each
        match node:
            case nodes.Name():
                return self._name(node, place)
            case nodes.Getattr():
                return self._attribute(node, node.attr, self._of(node.node, place), place)
            case nodes.Getitem():
                whole = self._of(node.node, place)
                self._of(node.arg, place)
                if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
                    return self._attribute(node, node.arg.value, whole, place)
                if isinstance(node.arg, nodes.Slice):
                    return whole
                return whole.of or ANYTHING
            case nodes.Call():
                return self._call(node, place)
            case nodes.Filter():
                return self._filter(node, place)
            case nodes.Test():
                if node.name not in _known()[1]:
                    self._say(place, node, f"there is no test {node.name!r}", nearest(node.name, _known()[1]))
                self._each(node, place)
                return TEXT
            case nodes.List() | nodes.Tuple():
                kinds = [self._of(one, place) for one in node.items]
                return Kind(of=_common(kinds), label="a list")
            case nodes.CondExpr():
                self._of(node.test, place)
                return _common([self._of(node.expr1, place), *([self._of(node.expr2, place)] if node.expr2 else [])])
            case nodes.And() | nodes.Or():
                return _common([self._of(node.left, place), self._of(node.right, place)])
            case nodes.Const() | nodes.TemplateData():
                return TEXT
            case None:
                return ANYTHING
            case _:
                self._each(node, place)
                return ANYTHING

    def _each(self, node: nodes.Node, place: _Place) -> None:
        for child in node.iter_child_nodes():
            self._of(child, place)

    def _name(self, node: nodes.Name, place: _Place) -> Kind:
        if node.name in place.names:
            return place.names[node.name]
        self._say(place, node, f"there is no variable {node.name!r}", nearest(node.name, place.names))
        return ANYTHING

    def _attribute(self, node: nodes.Expr, name: str, whole: Kind, place: _Place) -> Kind:
        if whole.anything:
            return ANYTHING
        if whole.fields is not None:
            if name in whole.fields:
                return whole.fields[name]
            near = nearest(name, whole.fields)
        else:
            near = nearest(name, whole.of.fields) if whole.of and whole.of.fields else None
        assert isinstance(node, nodes.Getattr | nodes.Getitem)
        owner = _spelt(node.node)
        said = f"there is no variable {owner + '.' + name!r}"
        if whole.fields is None:
            said += f": {owner} is {whole.label}"
        self._say(place, node, said, near)
        return ANYTHING

    def _call(self, node: nodes.Call, place: _Place) -> Kind:
        given = [self._of(one, place) for one in node.args]
        named = {one.key: self._of(one.value, place) for one in node.kwargs}
        if isinstance(node.node, nodes.Name) and (found := place.macros.get(node.node.name)):
            macro, where = found
            assert isinstance(macro, nodes.Macro)
            inner = _Place(
                where.file, {**where.names, **place.names}, {**where.macros, **place.macros}, place.depth + 1
            )
            names = [argument.name for argument in macro.args]
            self._macro(macro, inner, dict(zip(names, given, strict=False)) | named)
            return TEXT
        self._of(node.node, place)
        return ANYTHING

    def _filter(self, node: nodes.Filter, place: _Place) -> Kind:
        if node.name not in _known()[0]:
            self._say(place, node, f"there is no filter {node.name!r}", nearest(node.name, _known()[0]))
        value = self._of(node.node, place)
        for argument in node.args:
            self._of(argument, place)
        for keyword in node.kwargs:
            self._of(keyword.value, place)
        first = node.args[0] if node.args else next((one.value for one in node.kwargs if one.key == "attribute"), None)
        named = first.value if isinstance(first, nodes.Const) and isinstance(first.value, str) else None
        by_attribute = node.name in ("selectattr", "rejectattr") or (
            node.name in ("map", "sort", "unique", "join") and any(one.key == "attribute" for one in node.kwargs)
        )
        has = value.of.fields if value.of else None
        if by_attribute and named and has is not None and named.split(".")[0] not in has:
            said = f"there is no variable {named!r} in what {_spelt(node.node)} lists"
            self._say(place, node, said, nearest(named, has))
        if node.name in ("first", "last"):
            return value.of or ANYTHING
        if node.name in ("list", "sort", "unique", "select", "reject", "selectattr", "rejectattr", "default"):
            return value
        return ANYTHING

    def _say(self, place: _Place, node: nodes.Node, message: str, near: str | None = None) -> None:
        said = (place.file, node.lineno, message)
        if said not in self._said:
            self._said.add(said)
            self._problems.add(node.lineno, message, near, file=f"{self._folder.name}/{place.file}", once=True)


def _common(kinds: list[Kind]) -> Kind:
    """The kind of what may be one of these: their own where it is the same, else anything."""
    known = [kind for kind in kinds if not kind.anything]
    return known[0] if known and len(known) == len(kinds) and all(kind == known[0] for kind in known) else ANYTHING


def _spelt(node: nodes.Node | None) -> str:
    match node:
        case nodes.Name():
            return node.name
        case nodes.Getattr():
            return f"{_spelt(node.node)}.{node.attr}"
        case nodes.Getitem(arg=nodes.Const(value=value)):
            return f"{_spelt(node.node)}[{value!r}]"
        case _:
            return "it"
