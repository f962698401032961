"""What one process took: seconds, and megabytes of resident memory."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figures:
    """What one side took: seconds, and megabytes of resident memory."""

    wall: float
    cpu: float
    imported: float
    peak: float
    #: what was fetched from the database, or came of it, and how many statements ran, where that was counted
    rows: int = 0
    statements: int = 0

    @property
    def memory(self) -> float:
        """What the work itself took at its highest."""
        return self.peak - self.imported


def _status(key: str) -> float | None:
    """A field of Linux's own account of this process, in megabytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(key)), None)


def _peak() -> float:
    # `ru_maxrss` would include what the parent held when it forked, so Linux is asked for this program's own.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return _status("VmHWM:") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _resident() -> float:
    return _status("VmRSS:") or _peak()


class Meter:
    """Takes the figures of this process: create it after the imports, `start` it after the preparations."""

    def __init__(self) -> None:
        self._imported = _resident()
        self.start()

    def start(self) -> None:
        """Time counts from here."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self, rows: int = 0) -> Figures:
        """Time since `start`, memory since the beginning."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return Figures(wall=wall, cpu=cpu, imported=self._imported, peak=_peak(), rows=rows)
