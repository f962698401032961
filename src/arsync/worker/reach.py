"""Whether what is done by the clock ever meets a send window."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from arsync.ops.times import Times
from arsync.playbook.facts import Policy
from arsync.playbook.places import Place
from arsync.worker.openings import next_opening

#: Longer than any row of holidays.
_AHEAD: Final = timedelta(days=21)


def ever_meets(policy: Policy, crontabs: Iterable[str], now: datetime) -> bool:
    """Whether one of these moments, on the company's clock and within three weeks, lies in the window in which
    customers where the company is are written to; "off" has none."""
    last = now + _AHEAD
    for crontab in crontabs:
        if crontab == "off":
            continue
        times, moment = Times(crontab, policy.seller.timezone), now
        while (moment := times.after(moment)) <= last:
            if next_opening(policy, Place(), moment) is None:
                return True
    return False
