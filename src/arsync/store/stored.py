"""What storing pages changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from arsync.connector import Resource
from arsync.store.payers import Move


@dataclass(slots=True)
class Stored:
    """What storing pages changed: ids of customers concerned, and of invoices that payments or credits were put on."""

    written: int = 0
    quarantined: int = 0
    customers: set[str] = field(default_factory=set)
    invoices: set[str] = field(default_factory=set)  # stored, changed or not
    allocated: set[str] = field(default_factory=set)  # named by a changed allocation, old or new
    reopened: set[str] = field(default_factory=set)  # invoices that owe more than before, or are no invoices any more
    closed: set[str] = field(default_factory=set)  # invoices known to be open that are so no more
    revived: set[str] = field(default_factory=set)  # invoices known to be paid that are open again
    relinked: set[str] = field(default_factory=set)  # customers for whom somebody else may pay
    moves: list[Move] = field(default_factory=list)  # customers for whom somebody else pays from now on
    rebilled: dict[str, str] = field(default_factory=dict)  # invoice -> the customer that it was billed to before
    newcomers: set[str] = field(default_factory=set)  # customers not met before
    left: set[str] = field(default_factory=set)  # customers that are archived, merged or deleted since
    for_all: bool = False  # something unreadable of which nobody knows whose it is: it stops everybody
    arrived: Counter[Resource] = field(default_factory=Counter)  # records not met before

    def add(self, other: Stored) -> None:
        """Takes in another page's."""
        self.written += other.written
        self.quarantined += other.quarantined
        self.customers |= other.customers
        self.invoices |= other.invoices
        self.allocated |= other.allocated
        self.reopened |= other.reopened
        self.closed = (self.closed | other.closed) - other.revived
        self.revived = (self.revived | other.revived) - other.closed
        self.relinked |= other.relinked
        self.moves += other.moves
        self.rebilled |= other.rebilled
        self.newcomers |= other.newcomers
        self.left |= other.left
        self.for_all |= other.for_all
        self.arrived += other.arrived
