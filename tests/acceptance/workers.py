"""Workers in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

PATIENCE = 60.0


class Workplace(Protocol):
    """Where a worker finds its settings."""

    folder: Path

    @property
    def config(self) -> Path: ...


@dataclass
class Worker:
    """A worker in a process of its own."""

    process: subprocess.Popen[bytes]
    log: Path
    suspended: bool = False
    before: int = 0  # what its log held before it began

    def wait_until_it_works(self) -> None:
        """Signals are heard from here on."""
        deadline = time.monotonic() + PATIENCE
        while self.log.stat().st_size == self.before:
            assert time.monotonic() < deadline, "it does not begin"
            time.sleep(0.05)

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        told = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        return [line for line in told if event in ("", line["event"])]

    def wait_for(self, event: str, *, times: int = 1, **told: Any) -> dict[str, Any]:
        """The line, when it has come so often."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = [line for line in self.lines(event) if told.items() <= line.items()]
            if len(found) >= times:
                return found[-1]
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"no {event} came:\n{self.log.read_text()}")

    def suspend(self) -> None:
        self.process.send_signal(signal.SIGSTOP)
        self.suspended = True

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.suspended = False

    def end(self, number: int) -> int:
        """Its exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def working(place: Workplace, name: str = "worker") -> Iterator[Worker]:
    log = place.folder / f"{name}.log"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ARSYNC_")}
    command = [sys.executable, "-m", "arsync", "--config", str(place.config), "worker"]
    before = log.stat().st_size if log.exists() else 0
    with log.open("ab") as stream, subprocess.Popen(command, stdout=stream, stderr=stream, env=clean) as process:
        try:
            yield Worker(process, log, before=before)
        finally:
            process.kill()
