"""Days as people write them at the command line."""

from __future__ import annotations

from typing import Final

#: How a day is written: 2026-01-31.
DAY: Final = "%Y-%m-%d"
