"""What storing pages changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from arsync.connector import Resource


@dataclass(slots=True)
class Stored:
    """What storing pages changed: ids of customers concerned, and of invoices that payments or credits were put on."""

    written: int = 0
    quarantined: int = 0
    customers: set[str] = field(default_factory=set)
    invoices: set[str] = field(default_factory=set)  # stored, changed or not
    allocated: set[str] = field(default_factory=set)  # named by a changed allocation, old or new
    reopened: set[str] = field(default_factory=set)  # invoices that owe more than before, or are no invoices any more
    relinked: bool = False  # who pays for whom may have changed
    arrived: Counter[Resource] = field(default_factory=Counter)  # records not met before

    def add(self, other: Stored) -> None:
        """Takes in another page's."""
        self.written += other.written
        self.quarantined += other.quarantined
        self.customers |= other.customers
        self.invoices |= other.invoices
        self.allocated |= other.allocated
        self.reopened |= other.reopened
        self.relinked |= other.relinked
        self.arrived += other.arrived
