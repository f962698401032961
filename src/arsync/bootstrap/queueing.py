"""The queue, where the settings have one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arsync.errors import SchemaMismatch
from arsync.settings import Settings
from arsync.store import queue_schema
from arsync.store.engine import Store

if TYPE_CHECKING:
    from arsync.worker.queue import Queue


def lay_queue(settings: Settings, store: Store) -> None:
    """Makes the queue's tables where the settings have a queue; ConfigurationError where its package is missing."""
    if settings.worker.queue == "procrastinate":
        queue_schema.lay(store, queue_schema.package_tables())


def queue(settings: Settings, store: Store) -> Queue | None:
    """The queue, ready to ring and to be answered; None where the settings have none. ConfigurationError where its
    package is missing, SchemaMismatch where its tables are."""
    if settings.worker.queue == "embedded":
        return None
    if not queue_schema.is_laid(store, queue_schema.package_tables()):
        raise SchemaMismatch("the queue has no tables there yet; run `arsync db upgrade`")
    from arsync.worker.queue import Queue  # noqa: PLC0415 - only where its package is wanted

    in_turn = settings.delivery.first_customers is not None
    return Queue(queue_schema.conninfo(store), threads=settings.worker.threads, in_turn=in_turn)
