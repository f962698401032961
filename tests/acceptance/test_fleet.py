"""Several workers on one PostgreSQL, struck at random: every company has its nights, and nothing is doubled."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from random import Random

import pytest
from tests.acceptance.fleet import a_fleet, weather
from tests.postgres import Server

from arsync.sandbox.launch import running_sandbox


def nights(
    folder: Path, postgres: Server, template: str, playbook: Path, *, queue: str, companies: int, workers: int,
    nights: int,
    pause: tuple[float, float], most: int = 10_000,
) -> None:  # fmt: skip
    name = postgres.fresh(template)
    try:
        with (
            running_sandbox() as sandbox,
            a_fleet(sandbox, folder, companies, postgres.url(name), queue=queue, playbook=playbook) as fleet,
        ):
            strikes = weather(fleet, Random(7), workers=workers, nights=nights, pause=pause, most=most)
            states = fleet.count(strikes=strikes)
            sys.stdout.write(
                f"{companies} companies, {workers} workers, {nights} nights: {dict(states)}, {dict(fleet.ends)}, "
                f"{fleet.consents} consents again, longest night {fleet.longest:.0f} s, errors {dict(fleet.errors)}\n"
            )
            assert states["accepted"] + states["presumed_sent"] >= companies
    finally:
        postgres.drop(name)


def test_two_workers_share_their_nights_by_the_queue_while_one_is_killed(
    tmp_path: Path, postgres: Server, migrated_postgres: str, playbook: Path
) -> None:
    nights(
        tmp_path, postgres, migrated_postgres, playbook, queue="procrastinate", pause=(0.5, 1.0), workers=2,
        companies=2, nights=2, most=1,
    )  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("queue", ["embedded", "procrastinate"])
def test_workers_struck_at_random_for_nights(
    tmp_path: Path, postgres: Server, migrated_postgres: str, playbook: Path, queue: str
) -> None:
    nights(
        tmp_path, postgres, migrated_postgres, playbook, queue=queue, pause=(3.0, 9.0), workers=4,
        companies=int(os.environ.get("ARSYNC_COMPANIES", "50")), nights=int(os.environ.get("ARSYNC_NIGHTS", "20")),
    )  # fmt: skip
