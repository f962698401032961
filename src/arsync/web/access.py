"""What a route asks of who comes: each declares it, or the program does not start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from arsync.domain.roles import Role
from arsync.store.engine import Work


@dataclass(frozen=True, slots=True)
class Open:
    """Anybody may come; `why` says what protects it, or that nothing has to."""

    why: str


class Reach(Enum):
    """Whose things a route is about, where its address names no single thing."""

    #: of the companies that the person sees: the view asks for `visit.companies` and for nothing else
    THEIRS = "theirs"
    #: of the whole installation: only who sees every company may come
    EVERYTHING = "everything"


#: The company of the thing that the address names; NotFound where there is no such thing. A thing of a company that the
#: person does not see is answered as one that is not there.
Finder = Callable[[Work, Mapping[str, Any]], int]


@dataclass(frozen=True, slots=True)
class Needs:
    """Who may come: people of that role, for whose companies' things."""

    role: Role
    of: Reach | Finder


Access = Open | Needs
