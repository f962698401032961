"""Several companies, one after the other: who must wait has its turn once more."""

from __future__ import annotations

from arsync.connector import patiently
from arsync.errors import Malformed, RetryLater
from arsync.testing.ports import FixedClock
from arsync.worker.pulling import in_turn


def test_a_throttled_company_does_not_keep_the_others_waiting() -> None:
    clock, asked = FixedClock(), []
    throttled = {"acme": 2, "birch": 0, "cedar": 1}

    def pull(company: str) -> int:
        def read() -> int:
            asked.append((company, len(clock.slept)))
            throttled[company] -= 1
            if throttled[company] >= 0:
                raise RetryLater("the vendor throttles", after=60)
            return 1

        return patiently(read, clock)

    assert list(in_turn(["acme", "birch", "cedar"], pull)) == [("birch", 1), ("cedar", 1), ("acme", 1)]
    # The last one waits while nobody is behind it; the first one has its turn once more, and waits as long as it must.
    assert asked == [("acme", 0), ("birch", 0), ("cedar", 0), ("cedar", 1), ("acme", 1), ("acme", 2)]
    assert clock.slept == [60, 60]


def test_a_short_wait_is_waited_out_and_what_else_fails_is_told_at_once() -> None:
    clock = FixedClock()
    answers: dict[str, list[Exception]] = {"acme": [RetryLater("busy", after=5)], "birch": [Malformed("no JSON")]}

    def pull(company: str) -> int:
        def read() -> int:
            if answers.get(company):
                raise answers[company].pop()
            return 1

        return patiently(read, clock)

    (acme, one), (birch, fault), last = in_turn(["acme", "birch", "cedar"], pull)
    assert (acme, one, birch, str(fault), last) == ("acme", 1, "birch", str(Malformed("no JSON")), ("cedar", 1))
    assert clock.slept == [5]
