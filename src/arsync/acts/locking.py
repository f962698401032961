"""The run lock of companies, for what a person does in their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from arsync.bootstrap import App
from arsync.store import connections, leases
from arsync.store.connections import Connection
from arsync.worker.jobs import held_lock


@contextmanager
def locked(app: App, those: Sequence[Connection] | None = None) -> Iterator[leases.Lease]:
    """Holds the run lock of these companies, or of all, for the block; Locked where another run has one of them."""
    if those is None:
        with app.store.reading() as work:
            those = connections.connections(work)
    lease = held_lock(app.store, app.clock, those)
    try:
        yield lease
    finally:
        lease.drop()
