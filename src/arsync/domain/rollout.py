"""Going live step by step: which customers are written to so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rollout:
    """Who is written to while arsync goes live; nothing said: everybody. Where several are said, all must fit."""

    first: int | None = None  # so many customers, whoever has been written to first
    connections: frozenset[str] = frozenset()
    playbooks: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()  # names in any case, or ids

    @property
    def narrows(self) -> bool:
        """Whether anybody has to wait for it."""
        return self.first is not None or self.has_segment

    @property
    def has_segment(self) -> bool:
        """Whether only a part of the customers is meant."""
        return bool(self.connections or self.playbooks or self.tags or self.customers)

    def __str__(self) -> str:
        parts = (
            ("of connection", self.connections), ("of playbook", self.playbooks), ("with the tag", self.tags),
            ("named", self.customers),
        )  # fmt: skip
        return " and ".join(f"{what} {' or '.join(sorted(names))}" for what, names in parts if names)


EVERYBODY: Final = Rollout()
