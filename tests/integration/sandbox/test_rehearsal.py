"""A rehearsal's clock follows the sandbox's, also when that jumps."""

from __future__ import annotations

from datetime import timedelta

from arsync.sandbox.launch import running_sandbox
from arsync.sandbox.rehearsal import RehearsalClock


def test_who_has_moved_the_clock_sees_it_at_once() -> None:
    """A reading is good for a moment; a jump inside of it would make a sync a week old when it ends."""
    with running_sandbox() as sandbox:
        sandbox.speed(0)
        clock = RehearsalClock(f"{sandbox.url}/_sandbox/clock")
        for _ in range(5):
            before = clock.now()
            sandbox.advance(days=7)
            clock.look_again()
            assert clock.now() == before + timedelta(days=7)
