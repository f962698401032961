"""People click through the desk while arsync runs: `make bench-desk` in short."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import uvicorn

import busy_desk
import desk
from arsync.cli.app import run
from arsync.sandbox.launch import running_sandbox
from arsync.web.app import create
from arsync.web.serving import _listening
from clicking import ACTS, KINDS, Person, Seen, Walk, crowd


@contextmanager
def served(place: busy_desk.Desk) -> Iterator[int]:
    """Its port."""
    app = place.app()
    with _listening("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(create(app), log_config=None, lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        server.should_exit = True
        thread.join()
    app.close()


def test_nobody_sees_an_error_and_what_they_do_is_kept_while_arsync_runs(tmp_path: Path) -> None:
    """1,000 invoices of four companies, and a fifth that is loaded meanwhile; six people, one of whom only looks."""
    with running_sandbox() as sandbox:
        place = busy_desk.Desk(tmp_path, sandbox, f"sqlite:///{tmp_path / 'arsync.db'}")
        busy_desk.make(place, 1_000, 10)
        seen, since = Seen(), datetime.now(UTC)  # noqa: TID251 - the desk is on the machine's clock
        with served(place) as port:
            people = threading.Thread(
                target=crowd, args=(port, busy_desk.people(6), busy_desk.PASSWORD, seen),
                kwargs={
                    "seconds": 2.0, "think": 0.03, "seed": 1,
                    "companies": lambda one: ["harbour", "tyne"] if one % 5 == 4 else list(busy_desk.SHARES),
                },
            )  # fmt: skip
            people.start()
            for command in (["backfill", busy_desk.LATE[0]], ["run"]):
                busy_desk.disturb(place, 3, 0)
                assert run(["--config", str(place.config), *command]) in (0, 1)
            people.join()
            person = Person(port, "person00", seen)
            assert person.log_in(busy_desk.PASSWORD)
            walk = Walk(person, Random(1), list(busy_desk.SHARES))
            walk.learn()
            for kind in (*KINDS, *ACTS):
                walk.look(kind)
            person.close()
            assert run(["--config", str(place.config), "sync"]) in (0, 1)
            assert seen.faults == []
            assert desk.lost_acts(place, seen, since) == []
            assert desk.wrong_balances(place, port, list(busy_desk.SHARES)) == []
    assert sum(map(len, seen.took.values())) > 50
    assert seen.done["hold"] + seen.done["call outcome"] + seen.done["approve"] > 0
