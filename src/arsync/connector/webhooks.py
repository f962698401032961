"""What a vendor's webhook says, whoever the vendor: which ids changed at which company. The records are read after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from arsync.domain.documents import Resource


@dataclass(frozen=True, slots=True)
class Changed:
    """What changed at one company; `events` name what was told, so that a webhook that comes twice is known."""

    external_id: str
    ids: Mapping[Resource, frozenset[str]]
    events: frozenset[str]  # at most 36 characters each
    at: datetime | None  # of the latest event that tells its time


@runtime_checkable
class ReadsWebhooks(Protocol):
    """An optional gift of a connector's class: its vendor sends webhooks, and it can read them."""

    @staticmethod
    def webhook(body: bytes, headers: Mapping[str, str], *, settings: Any) -> tuple[Changed, ...]:
        """What changed, by the raw body and the headers in any case; `settings` hold the vendor's key.

        Empty where the vendor only tries the address. Raises `Unverified` where the signature is wrong or no key is
        configured (answer 401), `Malformed` where the body is no webhook.
        """
        ...


@dataclass(slots=True)
class Gathering:
    """Events sorted by company, in the order in which each company first came."""

    _ids: dict[str, dict[Resource, set[str]]] = field(default_factory=dict)
    _events: dict[str, set[str]] = field(default_factory=dict)
    _at: dict[str, datetime] = field(default_factory=dict)

    def note(
        self,
        external_id: str,
        resource: Resource | None,
        remote_ids: Iterable[str],
        *,
        event_id: str,
        at: datetime | None,
    ) -> None:
        """Takes in one event; `resource` is None where it is about nothing that is read."""
        ids = self._ids.setdefault(external_id, {})
        self._events.setdefault(external_id, set()).add(event_id)
        if resource is not None:
            ids.setdefault(resource, set()).update(remote_ids)
        if at is not None:
            self._at[external_id] = max(at, self._at.get(external_id, at))

    def changed(self) -> tuple[Changed, ...]:
        """What was gathered, company by company."""
        return tuple(
            Changed(
                external_id,
                {resource: frozenset(remote_ids) for resource, remote_ids in ids.items()},
                frozenset(self._events[external_id]),
                self._at.get(external_id),
            )
            for external_id, ids in self._ids.items()
        )
