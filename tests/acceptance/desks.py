"""Desks in processes of their own: `arsync serve`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.workers import PATIENCE, Workplace


@dataclass
class Served:
    """A desk that answers."""

    process: subprocess.Popen[bytes]
    log: Path

    def end(self, number: int) -> int:
        """Its exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def serving(place: Workplace, name: str = "serve") -> Iterator[Served]:
    """It listens where the settings say."""
    log = place.folder / f"{name}.log"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ARSYNC_")}
    command = [sys.executable, "-m", "arsync", "--config", str(place.config), "serve"]
    with log.open("ab") as stream, subprocess.Popen(command, stdout=stream, stderr=stream, env=clean) as process:
        try:
            deadline = time.monotonic() + PATIENCE
            while not _began(log):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield Served(process, log)
        finally:
            process.kill()


def _began(log: Path) -> bool:
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    return any(json.loads(line).get("event") == "serve_began" for line in lines)
