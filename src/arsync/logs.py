"""Log lines: for people in a terminal, as JSON elsewhere. A line carries its event, ids, and the run it belongs to;
never a secret, and of an error that nobody thought of its class and place alone."""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.types import EventDict, ExcInfo, Processor

#: Names under which no value is ever shown.
_SECRET: Final = re.compile(r"token|secret|password|authori[sz]ation|api_?key|signature|cookie", re.IGNORECASE)
#: What a secret looks like wherever it stands: bearer and basic credentials, SendGrid's keys, Fernet's tokens, users
#: and passwords of a URL.
_LOOKS_SECRET: Final = re.compile(
    r"(?:(?<=bearer )|(?<=basic ))[\w.~+/=-]{8,}|\bSG\.[\w.-]{8,}|\bgAAAAA[\w=-]{20,}|(?<=://)[^/@\s]+(?=@)",
    re.IGNORECASE,
)
_HIDDEN: Final = "[hidden]"
#: Shorter ones would hide words that mean nothing.
_SHORTEST: Final = 8
_known: set[str] = set()

Format = Literal["auto", "text", "json"]


class _Now(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is now: of others warnings only, whatever they are told to say, for they know
    no secret when they see one."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.addFilter(lambda record: record.name.startswith("arsync") or record.levelno >= logging.WARNING)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def keep_secret(values: Iterable[str]) -> None:
    """From now on none of these is shown by this process, in a line, an error or a traceback, whatever it stands in."""
    _known.update(value for value in values if len(value) >= _SHORTEST)


def masked(text: str) -> str:
    """The text without what is known to be a secret."""
    for value in sorted(_known, key=len, reverse=True):
        if value in text:
            text = text.replace(value, _HIDDEN)
    return text


def configure(form: Format = "auto", level: str = "warning") -> None:
    """All lines of arsync from that level on, and warnings of others, go to standard error in that form; said again,
    the last holds."""
    text = sys.stderr.isatty() if form == "auto" else form == "text"
    drawn: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and "NO_COLOR" not in os.environ)
        if text
        else structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
    )
    handler = _Now()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
                _faults,
                _hidden,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, drawn],
        )
    )
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, _Now)]:
        root.removeHandler(old)
    root.addHandler(handler)
    logging.getLogger("arsync").setLevel(level.upper())


def _faults(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """An exception as its class and place; all of it where ARSYNC_TRACEBACK asks."""
    record: logging.LogRecord | None = line.get("_record")
    found: ExcInfo | None = line.pop("exc_info", None) or (record.exc_info if record is not None else None)  # type: ignore[assignment]
    if record is not None:
        record.exc_info = record.exc_text = None
    if found is None or found[1] is None:
        return line
    last = traceback.extract_tb(found[2])[-1:]
    line["fault"] = type(found[1]).__name__ + "".join(f" at {Path(one.filename).name}:{one.lineno}" for one in last)
    if os.environ.get("ARSYNC_TRACEBACK"):
        line["traceback"] = "".join(traceback.format_exception(found[1]))
    return line


def _hidden(_logger: Any, _method: str, line: EventDict) -> EventDict:
    # Another handler may have left its own "message" on the record.
    return {key: _HIDDEN if _SECRET.search(key) else _shown(one) for key, one in line.items() if key != "message"}


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return _LOOKS_SECRET.sub(_HIDDEN, masked(value))
    if isinstance(value, dict):
        return {key: _HIDDEN if _SECRET.search(str(key)) else _shown(one) for key, one in value.items()}
    return [_shown(one) for one in value] if isinstance(value, list | tuple) else value
