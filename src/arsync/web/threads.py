"""Threads of their own for what takes long: whoever waits for it takes none from the pages that are quick."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Final, ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")


class Lane:
    """So many at once; whoever comes later waits without a thread."""

    def __init__(self, name: str, at_once: int) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix=name)

    async def run(self, do: Callable[_Given, _Answer], *given: _Given.args, **named: _Given.kwargs) -> _Answer:
        """Does it, and answers what it answers or raises."""
        call = partial(copy_context().run, do, *given, **named)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


#: Reports, replays and PDFs: they keep a processor busy.
LONG: Final = Lane("long", 2)
#: Passwords: each takes 64 MiB while it is reckoned, and of those who wait here no try is counted yet.
PASSWORDS: Final = Lane("passwords", 2)
