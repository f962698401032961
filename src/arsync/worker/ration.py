"""How often something is done for which others call: at once as long as they call now and then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(slots=True)
class Ration:
    """So many at once, after that one for each `span`; what is not used is saved up to as many."""

    most: int
    span: timedelta
    _left: float | None = None
    _asked: datetime | None = None

    def take(self, now: datetime) -> bool:
        """Whether there is one; then it is used."""
        since = timedelta() if self._asked is None else max(timedelta(), now - self._asked)
        saved = self.most if self._left is None else self._left + since / self.span
        self._left, self._asked = min(float(self.most), saved), now
        if self._left < 1:
            return False
        self._left -= 1
        return True
