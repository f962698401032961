"""How long is waited for a vendor: as long as it asks for, else a usual time, and never for ever."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

import requests
import tenacity

from arsync.connector import budget
from arsync.connector.allowance import retry_after
from arsync.domain.clock import Clock
from arsync.errors import RetryLater

T = TypeVar("T")

#: seconds that a vendor who throttles without a Retry-After is given, and one that fails
_THROTTLED: Final = 60.0
_FAILING: Final = 10.0
#: A read waits this long in all before the worker goes on with another connection.
_PATIENCE: Final = 300.0
_TRIES: Final = 5


def pause_of(answer: requests.Response, now: datetime) -> float | None:
    """The seconds to wait after an answer by which the vendor throttles or fails; None after any other."""
    if answer.status_code != 429 and answer.status_code < 500:
        return None
    asked = retry_after(answer.headers, now)
    return asked if asked is not None else _THROTTLED if answer.status_code == 429 else _FAILING


def patiently(read: Callable[[], T], clock: Clock, *, patience: float = _PATIENCE) -> T:
    """Repeats a read on RetryLater after the time asked for, five times and for those seconds at most; for a few where
    other companies wait."""
    waited = 0.0
    most = budget.patience(patience)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return error.after if isinstance(error, RetryLater) else _THROTTLED

    def stop(state: tenacity.RetryCallState) -> bool:
        nonlocal waited
        waited += wait(state)
        return state.attempt_number >= _TRIES or waited > most

    policy = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(RetryLater),
        wait=wait,
        stop=stop,
        sleep=clock.sleep,
        reraise=True,
    )
    return policy(read)
