"""A command with every effect numbered, and the means to end or suspend it at any of them.

    python -m arsync.testing.trace --config arsync.toml --log effects.log run
    python -m arsync.testing.trace --config arsync.toml --kill after:17 run

An effect is a commit or an outbound request. A kill is SIGKILL, as by the kernel: nothing is tidied up. A freeze is
SIGSTOP: whoever sends SIGCONT later wakes a worker that believes no time has passed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from arsync.cli.app import run


@dataclass(frozen=True, slots=True)
class Point:
    """One moment of the night: "before" or "after" the effect of that number."""

    moment: str
    number: int

    @classmethod
    def parse(cls, text: str) -> Point:
        """From `before:17`; ValueError where it is no such thing."""
        moment, _, number = text.partition(":")
        if moment not in ("before", "after") or not number.isdigit() or number == "0":
            raise ValueError(f"{text!r} is not before:N or after:N")
        return cls(moment, int(number))


class Tracer:
    """Numbers the effects from 1, in the order in which they begin; writes `N moment what` lines as they happen."""

    def __init__(self, log: TextIO | None = None, *, kill: Point | None = None, freeze: Point | None = None) -> None:
        self._log = log
        self._signals = {point: number for point, number in ((kill, signal.SIGKILL), (freeze, signal.SIGSTOP)) if point}
        self._lock = threading.Lock()
        self._begun = threading.local()
        self.count = 0

    def __call__(self, moment: str, what: str) -> None:
        """Told "before" and "after" each effect by the thread that has it."""
        with self._lock:
            if moment == "before":
                self.count += 1
                self._begun.number = self.count
            number: int = self._begun.number
            if self._log is not None:
                self._log.write(f"{number} {moment} {what}\n")
                self._log.flush()
            fatal = self._signals.get(Point(moment, number))
        if fatal is not None:
            os.kill(os.getpid(), fatal)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command of arsync under the tracer; its exit status."""
    options, arguments = _options().parse_known_args(argv)
    config = ["--config", str(options.config)] if options.config else []
    log = options.log.open("a", encoding="utf-8") if options.log else None
    with log or nullcontext():
        return run([*config, *arguments], observe=Tracer(log, kill=options.kill, freeze=options.freeze))


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m arsync.testing.trace",
        description="Runs a command of arsync with every effect numbered.",
        allow_abbrev=False,  # what is not ours is the command's
    )
    parser.add_argument("--config", type=Path, help="arsync.toml (default: as for arsync)")
    parser.add_argument("--log", type=Path, help="append a line for each moment to this file")
    parser.add_argument("--kill", type=Point.parse, metavar="before:N|after:N", help="SIGKILL there")
    parser.add_argument("--freeze", type=Point.parse, metavar="before:N|after:N", help="SIGSTOP there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
