"""How many statements an answer takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import event

from arsync.store.engine import Store

Answer = TypeVar("Answer")


def counted(store: Store, ask: Callable[[], Answer]) -> tuple[int, Answer]:
    """The statements of that database until the answer was there, and the answer."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        answer = ask()
    finally:
        event.remove(store.engine, "before_cursor_execute", note)
    return len(said), answer
