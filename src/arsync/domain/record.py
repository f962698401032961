"""Dataclasses that are made by the hundred thousand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool, slots: bool) -> Any:
        """A dataclass that is frozen for the type checker, and hashed and compared as a frozen one.

        At run time nothing guards it: the guard makes up three quarters of what it costs to make one, and a pull, or a
        night's planning, makes them by the hundred thousand.
        """
        return dataclass(slots=slots, unsafe_hash=frozen)


__all__ = ["record"]
