"""The night with every effect numbered, and the means to end or suspend it at any of them.

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
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from arsync.bootstrap import App
from arsync.errors import ArsyncError, ConfigurationError, Locked, NotFound, UsageError
from arsync.settings import load
from arsync.worker import jobs

DONE: Final = 0
A_PERSON_MUST_ACT: Final = 1
WRONG_USAGE: Final = 2
LOCKED: Final = 3


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
    """Runs the night under the tracer; the exit status is `arsync run`'s."""
    options = _options(argv)
    with ExitStack() as stack:
        log = stack.enter_context(options.log.open("a", encoding="utf-8")) if options.log else None
        tracer = Tracer(log, kill=options.kill, freeze=options.freeze)
        try:
            app = stack.enter_context(closing(App(load(options.config), observe=tracer)))
            return night(app, options.connections, told=_tell)
        except Locked as error:
            return _complain(error, LOCKED)
        except (ConfigurationError, UsageError, NotFound) as error:
            return _complain(error, WRONG_USAGE)
        except ArsyncError as error:
            return _complain(error, A_PERSON_MUST_ACT)


def night(app: App, names: Sequence[str] = (), *, told: Callable[[str], None]) -> int:
    """One night over these connections, or all: `told` what failed or needs a person, and the exit status."""
    desks = [app.desk(connection) for connection in app.linked(names)]
    result = jobs.run(app.store, desks, app.clock)
    complaints = [f"{shift.connection}: {error}" for shift in result.shifts for error in shift.errors]
    for line in (*complaints, *result.tasks):
        told(line)
    return A_PERSON_MUST_ACT if complaints or result.tasks else DONE


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m arsync.testing.trace", description=__doc__)
    parser.add_argument("--config", type=Path, help="arsync.toml (default: as for arsync)")
    parser.add_argument("--log", type=Path, help="append a line for each effect to this file")
    parser.add_argument("--kill", type=Point.parse, metavar="before:N|after:N", help="SIGKILL there")
    parser.add_argument("--freeze", type=Point.parse, metavar="before:N|after:N", help="SIGSTOP there")
    parser.add_argument("command", choices=["run"])
    parser.add_argument("connections", nargs="*", help="default: all")
    return parser.parse_args(argv)


def _complain(error: ArsyncError, status: int) -> int:
    _tell(str(error))
    return status


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
