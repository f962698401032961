"""What several workers write at the same moment, and all of them may be the first to write."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from arsync.store import duties, playbooks
from arsync.store.engine import Store, Work

NOW = datetime(2026, 6, 9, 14, 30, tzinfo=UTC)


def version(work: Work) -> None:
    playbooks.keep(work, "39a4", "standard", "steps: []", {}, now=NOW)


def rulebook(work: Work) -> None:
    playbooks.keep_rulebook(work, {"standard": "39a4"}, now=NOW)


def duty(work: Work) -> None:
    duties.begin(work, "nightly harbor", due=NOW, now=NOW)


def call(work: Work) -> None:
    duties.call(work, "nightly harbor", due=NOW)


@pytest.mark.parametrize("write", [version, rulebook, duty, call])
def test_the_second_of_two_first_writers_finds_what_the_first_has_written(
    store: Store, another_store: Callable[[], Store], write: Callable[[Work], None]
) -> None:
    """Two companies' first nights, on one playbook, in two threads or processes."""
    other, wrong = another_store(), list[BaseException]()

    def second() -> None:
        try:
            with other.working() as work:
                write(work)
                work.commit()
        except BaseException as error:  # noqa: BLE001 - told below
            wrong.append(error)

    with store.working() as work:
        write(work)
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)  # it waits for us, or has not come so far
        work.commit()
    thread.join()
    assert wrong == []
