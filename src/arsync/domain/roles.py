"""Who may do what at the desk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person may do; each may all that the one before it may."""

    VIEWER = "viewer"  # looks
    COLLECTOR = "collector"  # does the work: approves, holds, calls
    ADMIN = "admin"  # decides how it is done: playbooks, connections, people

    def covers(self, other: Role) -> bool:
        """Whether who has this role may what the other may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


@dataclass(frozen=True, slots=True)
class Person:
    """One of our people, as the desk knows them."""

    id: int
    name: str
    role: Role
    companies: frozenset[int] | None  # the connections whose things they see; None: all, those to come as well

    def sees(self, connection_id: int) -> bool:
        """Whether that company's things are theirs to see."""
        return self.companies is None or connection_id in self.companies
