"""`arsync serve` as a process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path


def test_it_answers_until_it_is_told_to_stop_and_that_is_no_failure(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ARSYNC_")}
    arsync = [sys.executable, "-m", "arsync", "--config", str(tmp_path / "arsync.toml")]
    (tmp_path / "arsync.toml").write_text("[serve]\nport = 0\n", encoding="utf-8")
    subprocess.run([*arsync, "db", "upgrade"], env=environ, check=True, capture_output=True)
    with subprocess.Popen([*arsync, "serve"], env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            address = re.search(r'"address": "([^"]+)"', process.stderr.readline())
            assert address is not None
            with urllib.request.urlopen(f"http://{address[1]}/healthz", timeout=10) as answer:
                assert answer.read() == b"ok\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
            assert "serve_stopped" in process.stderr.read()
        finally:
            process.kill()
