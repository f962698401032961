"""Where message templates run: no reach into arsync, and no more work, memory or output than a message needs.

Templates belong to whoever keeps the playbooks, and are edited by many hands; a mistake must become an error that names
its line, never a worker that hangs.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

from jinja2 import (
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    Undefined,
    nodes,
    pass_eval_context,
)
from jinja2.exceptions import SecurityError
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.nodes import EvalContext
from jinja2.runtime import BlockReference, Macro, markup_join
from jinja2.sandbox import SandboxedEnvironment

from arsync.errors import TemplateError

OUTPUT_LIMIT: Final = 2_000_000  # characters of one rendered template, and of any text a template builds
LOOP_LIMIT: Final = 200_000  # turns of all loops of one rendering together
_NUMBER_LIMIT: Final = 10**30

#: All of Jinja's own that stay: none lets a short template make a long text.
_FILTERS: Final = (
    "capitalize", "count", "default", "e", "escape", "first", "last", "length", "list", "lower", "map",
    "reject", "rejectattr", "select", "selectattr", "sort", "title", "trim", "truncate", "unique", "upper",
)  # fmt: skip

_turns: ContextVar[list[int]] = ContextVar("turns")

Filter = Callable[..., Any]


class MessageEnvironment(SandboxedEnvironment):
    """Jinja2's sandbox, with loops counted, text bounded, and nothing callable but macros and `loop`'s own."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, directory: Path, filters: dict[str, Filter]) -> None:
        super().__init__(
            loader=FileSystemLoader(directory),
            undefined=StrictUndefined,
            autoescape=lambda name: name is None or not name.endswith(".txt.j2"),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.directory = directory
        self.globals.clear()
        kept = {name: self.filters[name] for name in _FILTERS}
        self.filters.clear()
        self.filters.update(kept | filters)
        self.filters.update({"join": _join, "metered": _metered, "concatenated": _concatenated})

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """How macros, blocks and block assignments build their text."""
        pieces = list(parts)
        if sum(map(len, pieces)) > OUTPUT_LIMIT:
            raise SecurityError(f"a text of more than {OUTPUT_LIMIT:,} characters")
        return "".join(pieces)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return self._metering(super()._parse(source, name, filename))

    def _metering(self, template: nodes.Template) -> nodes.Template:
        """The same template with its loops counted and the `~` operator bounded."""
        for loop in template.find_all(nodes.For):
            loop.iter = self._filtered(loop.iter, "metered")
        for holder in template.find_all(nodes.Node):
            for field, value in list(holder.iter_fields()):
                if isinstance(value, list):
                    setattr(holder, field, [self._bound_concat(part) for part in value])
                else:
                    setattr(holder, field, self._bound_concat(value))
        return template

    def _bound_concat(self, part: Any) -> Any:
        if not isinstance(part, nodes.Concat):
            return part
        pieces = nodes.List(part.nodes, lineno=part.lineno)
        pieces.set_environment(self)
        return self._filtered(pieces, "concatenated")

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
        return _bounded(super().call_binop(context, operator, left, right))


def run(jinja: MessageEnvironment, name: str, values: Mapping[str, Any]) -> str:
    """The rendered template; TemplateError naming file and line where it is wrong, or wants too much."""
    token = _turns.set([0])
    try:
        written: list[str] = []
        size = 0
        for piece in jinja.get_template(name).generate(values):
            size += len(piece)
            if size > OUTPUT_LIMIT:
                raise SecurityError(f"more than {OUTPUT_LIMIT:,} characters")
            written.append(piece)
        return "".join(written)
    except (JinjaError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _located(jinja, name, error) from error
    finally:
        _turns.reset(token)


def words(jinja: MessageEnvironment, name: str) -> dict[str, Any]:
    """The names that a template of `{% set %}` lines defines; TemplateError as with `run`."""
    token = _turns.set([0])
    try:
        module = jinja.get_template(name).make_module({})
        return {word: value for word, value in vars(module).items() if not word.startswith("_")}
    except (JinjaError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _located(jinja, name, error) from error
    finally:
        _turns.reset(token)


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
    reason = "it calls itself without end" if isinstance(error, RecursionError) else str(error)
    if not inside:
        return TemplateError(f"{name}: {reason}")
    return TemplateError(f"{Path(inside[-1].filename).name}, line {inside[-1].lineno}: {reason}")


def _metered(values: Iterable[Any]) -> Iterator[Any]:
    turns = _turns.get()
    for value in values:
        turns[0] += 1
        if turns[0] > LOOP_LIMIT:
            raise SecurityError(f"more than {LOOP_LIMIT:,} turns of its loops")
        yield value


@pass_eval_context
def _join(context: EvalContext, parts: Iterable[Any], between: str = "") -> Any:
    pieces = [piece for part in parts for piece in (between, part)][1:]
    return _concatenated(context, pieces)


@pass_eval_context
def _concatenated(context: EvalContext, parts: list[Any]) -> Any:
    if sum(len(str(part)) for part in parts) > OUTPUT_LIMIT:
        raise SecurityError(f"a text of more than {OUTPUT_LIMIT:,} characters")
    return markup_join(parts) if context.autoescape else "".join(str(part) for part in parts)


def _bounded(value: Any) -> Any:
    if isinstance(value, str) and len(value) > OUTPUT_LIMIT:
        raise SecurityError(f"a text of more than {OUTPUT_LIMIT:,} characters")
    if isinstance(value, int) and abs(value) > _NUMBER_LIMIT:
        raise SecurityError("a number too large")
    return value
