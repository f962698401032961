"""Where message templates run: no reach into arsync, and no more work, memory or output than a message needs.

Templates belong to whoever keeps the playbooks, and are edited by many hands; a mistake must become an error that names
its line, never a worker that hangs. What is promised: everything by which a template can spend time (turns of loops,
calls of macros and filters, parts included, texts and lists built or compared) is paid for from one purse of WORK_LIMIT
units, about a microsecond each, and no text or list grows beyond its own bound; so every rendering ends within seconds,
by its result or by an error. The purse is counted, not timed: a template that is refused is refused on every machine.
What a template's author may not spend is asked before it is spent, not after.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import Any, Final, cast

from jinja2 import (
    ChoiceLoader,
    DictLoader,
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    Undefined,
    nodes,
    pass_eval_context,
)
from jinja2.exceptions import SecurityError
from jinja2.nodes import EvalContext
from jinja2.runtime import BlockReference, Context, Macro, markup_join
from jinja2.sandbox import SandboxedEnvironment

from arsync.errors import TemplateError

OUTPUT_LIMIT: Final = 2_000_000  # characters of one rendered template, and of any text a template builds
WORK_LIMIT: Final = 1_000_000  # units of work for one template
SOURCE_LIMIT: Final = 300_000  # characters of a template's file
ELEMENTS_LIMIT: Final = 100_000  # of a list that a template builds, those of the lists in it included
_NUMBER_LIMIT: Final = 10**30
_CALL: Final = 12  # what a macro costs before it does anything
_PART: Final = 20  # ... and an included file
_LETTERS: Final = 20  # so many characters are copied or compared for one unit

#: All of Jinja's own that stay: none lets a short template make a long text.
_FILTERS: Final = (
    "capitalize", "count", "default", "e", "escape", "first", "last", "length", "list", "lower", "map",
    "reject", "rejectattr", "select", "selectattr", "sort", "title", "trim", "truncate", "unique", "upper",
)  # fmt: skip
_TESTS: Final = (
    "defined", "divisibleby", "eq", "even", "ge", "gt", "in", "le", "lt", "ne", "none", "number", "odd", "string",
    "undefined", "false", "true",
)  # fmt: skip
#: These look at no more than one element.
_BRIEF: Final = frozenset({"count", "length", "first", "default"})
#: And these look at each many times.
_LABOUR: Final = {"sort": 20, "title": 10, "beside": 30}

_spent: ContextVar[list[int]] = ContextVar("spent")

Filter = Callable[..., Any]


class MessageEnvironment(SandboxedEnvironment):
    """Jinja2's sandbox, with all work counted, text bounded, and nothing callable but macros and `loop`'s own."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, directory: Path, filters: dict[str, Filter], parts: Mapping[str, str] | None = None) -> None:
        """`parts` stand in place of the files of these names."""
        super().__init__(
            loader=ChoiceLoader([DictLoader(parts or {}), FileSystemLoader(directory)]),
            undefined=StrictUndefined,
            autoescape=lambda name: name is None or not name.endswith(".txt.j2"),
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_printable,
        )
        self.directory = directory
        self.globals.clear()
        kept = {name: self.filters[name] for name in _FILTERS} | filters
        self.filters.clear()
        self.filters.update({name: _paid(name, function) for name, function in kept.items()})
        self.known_filters = frozenset(self.filters) | {"join"}
        self.filters.update({
            "join": _join, "metered": _metered, "concatenated": _concatenated, "weighed": _weighed, "built": _built,
        })  # fmt: skip
        tests = {name: self.tests[name] for name in _TESTS}
        self.tests.clear()
        self.tests.update({name: _paid(name, cast(Filter, function)) for name, function in tests.items()})

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """How macros, blocks and block assignments build their text."""
        pieces = list(parts)
        size = sum(map(len, pieces))
        if size > OUTPUT_LIMIT:
            raise SecurityError(f"a text of more than {OUTPUT_LIMIT:,} characters")
        _pay(1 + size // _LETTERS)
        return "".join(pieces)

    def get_template(self, *arguments: Any, **named: Any) -> Any:
        """As Jinja does; each included part is paid for."""
        _pay(_PART)
        return super().get_template(*arguments, **named)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as Jinja has it
        """Every call of a template: paid for by what it is given."""
        _pay(_CALL + sum(map(_weight, args)) + sum(map(_weight, kwargs.values())))
        return super().call(__context, __obj, *args, **kwargs)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        if len(source) > SOURCE_LIMIT:
            raise TemplateSyntaxError(f"longer than {SOURCE_LIMIT:,} characters", 1, name, filename)
        return self._metering(super()._parse(source, name, filename))

    def _metering(self, template: nodes.Template) -> nodes.Template:
        """The same template with its loops counted, and every text, list and comparison paid for."""
        everything = list(template.find_all(nodes.Node))
        for holder in (template, *everything):
            for field, value in list(holder.iter_fields()):
                if isinstance(value, list):
                    setattr(holder, field, [self._bound(part) for part in value])
                else:
                    setattr(holder, field, self._bound(value))
        for node in everything:
            if isinstance(node, nodes.For):
                node.iter = self._filtered(node.iter, "metered")
            elif isinstance(node, nodes.Compare | nodes.Operand):
                node.expr = self._filtered(node.expr, "weighed")
        return template

    def _bound(self, part: Any) -> Any:
        match part:
            case nodes.Concat():
                pieces = nodes.List(part.nodes, lineno=part.lineno)
                pieces.set_environment(self)
                return self._filtered(pieces, "concatenated")
            case nodes.List() | nodes.Dict():
                return self._filtered(part, "built")
            case nodes.Tuple(ctx="load"):
                return self._filtered(part, "built")
            case nodes.Getitem(arg=nodes.Slice()):
                return self._filtered(part, "weighed")
            case _:
                return part

    def _filtered(self, node: Any, name: str) -> nodes.Filter:
        wrapped = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
        wrapped.set_environment(self)
        return wrapped

    def is_safe_callable(self, obj: Any) -> bool:
        # An undefined name says which it is when it is called.
        return (
            isinstance(obj, Macro | BlockReference | Undefined)
            or type(getattr(obj, "__self__", None)).__name__ == "LoopContext"
        )

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        whole = all(isinstance(side, int) and abs(side) < _NUMBER_LIMIT for side in (left, right))
        texts = isinstance(left, str) and isinstance(right, str) and operator == "+"
        if operator == "**" or not (whole or texts):
            raise SecurityError(f"{operator} is only for numbers, and + for two texts")
        if texts:
            _pay(1 + (len(left) + len(right)) // _LETTERS)
        return _bounded(super().call_binop(context, operator, left, right))


def run(jinja: MessageEnvironment, name: str, values: Mapping[str, Any]) -> str:
    """The rendered template; TemplateError naming file and line where it is wrong, or wants too much."""
    with _purse(jinja, name):
        written: list[str] = []
        size = 0
        for piece in jinja.get_template(name).generate(values):
            size += len(piece)
            if size > OUTPUT_LIMIT:
                raise SecurityError(f"more than {OUTPUT_LIMIT:,} characters")
            _pay(1 + len(piece) // _LETTERS)
            written.append(piece)
        return "".join(written)


def words(jinja: MessageEnvironment, name: str) -> dict[str, Any]:
    """The names that a template of `{% set %}` lines defines; TemplateError as with `run`."""
    with _purse(jinja, name):
        module = jinja.get_template(name).make_module({})
        return {word: value for word, value in vars(module).items() if not word.startswith("_")}


@contextmanager
def _purse(jinja: MessageEnvironment, name: str) -> Iterator[None]:
    """What one template may spend; whatever goes wrong in it names its place."""
    token = _spent.set([0])
    try:
        yield
    except Exception as error:
        # Jinja's own errors, Python's of a template nested too deeply, a filter's: all are the template's.
        raise _located(jinja, name, error) from error
    finally:
        _spent.reset(token)


def _located(jinja: MessageEnvironment, name: str, error: Exception) -> TemplateError:
    if isinstance(error, TemplateNotFound):
        return TemplateError(f"{error.name or name} is not in {jinja.directory}")
    if isinstance(error, TemplateSyntaxError):
        return TemplateError(f"{error.name or name}, line {error.lineno}: {error.message}")
    inside = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(jinja.directory)
    ]
    reason = str(error)
    if isinstance(error, RecursionError):
        reason = "it calls itself without end" if inside else "nested too deeply"
    if isinstance(error, SyntaxError):  # of the code that Jinja makes of it
        reason = "nested too deeply" if "nested" in str(error.msg) else f"not a template: {error.msg}"
    if not inside:
        return TemplateError(f"{name}: {reason}")
    return TemplateError(f"{Path(inside[-1].filename).name}, line {inside[-1].lineno}: {reason}")


def _pay(units: int) -> None:
    purse = _spent.get(None)
    if purse is None:
        return  # a template is read, not run
    purse[0] += units
    if purse[0] > WORK_LIMIT:
        raise SecurityError(f"more than {WORK_LIMIT:,} units of work: turns of loops, calls, letters copied")


def _weight(value: Any) -> int:
    """What it costs to look at all of a value once; SecurityError for a list beyond the bound."""
    if isinstance(value, str):
        return 1 + len(value) // _LETTERS
    if not isinstance(value, list | tuple | dict | set | frozenset):
        return 1
    weight = elements = 0
    ahead: list[Any] = [value]
    while ahead:
        one = ahead.pop()
        elements += 1
        if isinstance(one, str):
            weight += len(one) // _LETTERS
        elif isinstance(one, dict):
            ahead += one.keys()
            ahead += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            ahead += one
        if elements > ELEMENTS_LIMIT:
            raise SecurityError(f"a list of more than {ELEMENTS_LIMIT:,} elements")
    return 1 + weight + elements // 5


def _weighed(value: Any) -> Any:
    _pay(_weight(value))
    return value


def _built(value: Any) -> Any:
    """A list written in a template; lists of lists of lists are weighed through and through."""
    _pay(_weight(value))
    return value


def _paid(name: str, function: Filter) -> Filter:
    """The same filter or test, paid for by what goes in and comes out."""
    labour = _LABOUR.get(name, 1)

    @wraps(function)
    def paying(*arguments: Any, **named: Any) -> Any:
        if name in _BRIEF:
            _pay(1)
            return function(*arguments, **named)
        _pay(labour * (sum(map(_weight, arguments)) + sum(map(_weight, named.values()))))
        result = function(*arguments, **named)
        if isinstance(result, Iterator):
            return _metered(result)
        _pay(_weight(result))
        return _bounded(result)

    return paying


def _printable(value: Any) -> Any:
    """What may stand in a message: text and numbers; `None` or a list in it is a mistake that a reader would see."""
    if value is None:
        raise SecurityError("there is nothing to print: put it into {% if ... %}")
    if isinstance(value, str | int | Decimal | Undefined) and not isinstance(value, bool):
        return value
    raise SecurityError(f"only text and numbers are printed, not a {type(value).__name__}: name what of it you mean")


def _metered(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        _pay(1)
        yield value


@pass_eval_context
def _join(context: EvalContext, parts: Iterable[Any], between: str = "") -> Any:
    pieces = [piece for part in _metered(parts) for piece in (between, part)][1:]
    return _concatenated(context, pieces)


@pass_eval_context
def _concatenated(context: EvalContext, parts: list[Any]) -> Any:
    parts = [_printable(part) for part in parts]
    size = sum(len(str(part)) for part in parts)
    if size > OUTPUT_LIMIT:
        raise SecurityError(f"a text of more than {OUTPUT_LIMIT:,} characters")
    _pay(1 + size // _LETTERS)
    return markup_join(parts) if context.autoescape else "".join(str(part) for part in parts)


def _bounded(value: Any) -> Any:
    if isinstance(value, str) and len(value) > OUTPUT_LIMIT:
        raise SecurityError(f"a text of more than {OUTPUT_LIMIT:,} characters")
    if isinstance(value, int) and abs(value) > _NUMBER_LIMIT:
        raise SecurityError("a number too large")
    return value
