"""How many statements an answer takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from unittest.mock import patch

from sqlalchemy import event

from arsync.store import prepared
from arsync.store.engine import Store

Answer = TypeVar("Answer")


def counted(store: Store, ask: Callable[[], Answer]) -> tuple[int, Answer]:
    """The statements of that database until the answer was there, by whichever way, and the answer."""
    said: list[str] = []
    whole = prepared._Lite.run

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    def run(self: prepared._Lite, raw: object, values: dict[str, object]) -> list[prepared.Row]:
        said.append(self._text)
        return whole(self, raw, values)

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        with patch.object(prepared._Lite, "run", run):
            answer = ask()
    finally:
        event.remove(store.engine, "before_cursor_execute", note)
    return len(said), answer
