"""The collector of garbage is as it was before when the last of those who did not want it has ended."""

from __future__ import annotations

import gc
from contextlib import ExitStack

from arsync.domain.garbage import undisturbed


def test_two_threads_that_end_in_the_order_they_began_leave_the_collector_as_it_was() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    first, second = ExitStack(), ExitStack()
    first.enter_context(undisturbed(50_000))
    second.enter_context(undisturbed(90_000))
    assert gc.get_threshold()[0] == 90_000
    assert gc.get_freeze_count() > frozen
    first.close()
    assert gc.get_threshold()[0] == 90_000
    second.close()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == frozen
