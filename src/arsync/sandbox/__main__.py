"""`python -m arsync.sandbox`: serve until SIGTERM; one line of JSON on stdout says where."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import threading
from pathlib import Path

import msgspec

from arsync.sandbox.recording import VARIABLE, Recorder
from arsync.sandbox.server import SandboxServer, build_world


def main() -> None:
    """Parse, create the scenario's companies, announce, serve."""
    parser = argparse.ArgumentParser(prog="python -m arsync.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--scenario", type=Path, help='JSON: {"companies": [...]} or a list of companies')
    parser.add_argument(
        "--record", metavar="FOLDER", default=os.environ.get(VARIABLE), help="keep every vendor exchange, a file each"
    )
    arguments = parser.parse_args()
    gc.set_threshold(100_000, 20, 100)  # a company is many long-lived records: collecting them again and again is slow
    world = build_world()
    if arguments.record:
        world.recorder = Recorder(Path(arguments.record))
    server = SandboxServer(world, arguments.port)
    scenario = msgspec.json.decode(arguments.scenario.read_bytes()) if arguments.scenario else []
    orders = scenario["companies"] if isinstance(scenario, dict) else scenario
    cards = [server.control.create_company(order) for order in orders]
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    ready = {"url": server.url, "pid": os.getpid(), "companies": cards}
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()
    try:
        server.serve_forever(poll_interval=0.05)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


if __name__ == "__main__":
    main()
