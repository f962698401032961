"""What went over the wire, kept for those who hold it against the vendors' documents; credentials are never kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from arsync.sandbox.http import Answer, Request

#: names the folder for `--record` where the command line does not; running_sandbox() hands it on by inheritance
VARIABLE: Final = "SANDBOX_RECORD"
_SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One vendor request and what was answered; `status` is None where the line fell silent before any effect."""

    number: int  # as in the request log
    provider: str
    company: str | None
    resource: str
    method: str
    path: str  # after the provider's prefix
    query: str
    authorized: bool  # a credential was sent
    headers: dict[str, str]  # in lower case, no credentials
    body: str
    status: int | None = None
    answer_type: str = ""
    answer_headers: dict[str, str] = {}
    answer: str = ""  # whole, even where a fault cut it on the wire
    fault: str | None = None
    spoilt: list[str] = []  # ids of the records that a person corrupted on purpose


class Recorder:
    """Writes each exchange to a file of its own in a folder, whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def keep(
        self,
        request: Request,
        answer: Answer | None,
        *,
        number: int,
        provider: str,
        company: str | None,
        resource: str,
        fault: str | None,
        secret: bool,
        spoilt: Iterable[str] = (),
    ) -> None:
        """Write one exchange; of a `secret` one without the bodies."""
        exchange = Exchange(
            number=number,
            provider=provider,
            company=company,
            resource=resource,
            method=request.method,
            path=request.path,
            query="" if secret else request.query_string,
            authorized="authorization" in request.headers,
            headers={name: value for name, value in request.headers.items() if name not in _SECRET_HEADERS},
            body="" if secret else request.body.decode("utf-8", "replace"),
            status=None if answer is None else answer.status,
            answer_type="" if answer is None else answer.content_type,
            answer_headers={} if answer is None else dict(answer.headers),
            answer="" if answer is None or secret else answer.body.decode("utf-8", "replace"),
            fault=fault,
            spoilt=sorted(spoilt),
        )
        name = f"{os.getpid()}-{number:08d}"
        part = self._folder / f"{name}.part"
        part.write_bytes(msgspec.json.encode(exchange))
        part.rename(part.with_suffix(".json"))


def recorded(folder: Path) -> Iterator[Exchange]:
    """What was recorded so far, by sandbox and number; each is taken out of the folder as it is yielded."""
    for file in sorted(folder.glob("*.json")):
        content = file.read_bytes()
        file.unlink()
        yield msgspec.json.decode(content, type=Exchange)
