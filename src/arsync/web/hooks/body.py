"""The bytes of a post, counted while they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

#: Of what is larger so much is kept, for its headers to tell what it was.
_BEGINNING: Final = 1_000_000


class Slow(Exception):
    """It did not come to its end in time."""


class Full(Exception):
    """Too much is being received at this moment."""


class TooLarge(Exception):
    """It is larger than anything that is sent here."""


@dataclass(frozen=True, slots=True)
class Body:
    """What came; of what is larger than allowed its beginning, and how large it is at least."""

    raw: bytes
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether all of it is there."""
        return self.size == len(self.raw)

    def whole(self) -> bytes:
        """All of it; TooLarge where only its beginning was read."""
        if not self.is_whole:
            raise TooLarge
        return self.raw


class Purse:
    """So many bytes are held at once, of all posts together."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0

    @asynccontextmanager
    async def received(self, request: Request, *, most: int, seconds: float) -> AsyncIterator[Body]:
        """The body, of `most` bytes at most, within so many seconds; Slow or Full. Nothing is read beyond that,
        whatever its headers say, and its bytes are given back at the end."""
        raw = bytearray()
        before = 0
        try:
            announced = request.headers.get("content-length", "")
            size = int(announced) if announced.isdecimal() else 0
            try:
                async with asyncio.timeout(seconds):
                    async for chunk in request.stream():
                        self._held += len(chunk)
                        before += len(chunk)
                        raw += chunk
                        if self._held > self._most:
                            raise Full
                        if len(raw) > most or (size > most and len(raw) >= _BEGINNING):
                            break
            except TimeoutError:
                raise Slow from None
            if max(size, len(raw)) > most:
                yield Body(bytes(raw[:_BEGINNING]), max(size, len(raw)))
            else:
                yield Body(bytes(raw), len(raw))
        finally:
            self._held -= before
