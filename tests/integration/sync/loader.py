"""A process that loads one company; started, and killed, by `test_killed_load`."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

from arsync.connector import Linked
from arsync.sandbox.rehearsal import RehearsalClock
from arsync.session import pooled_session
from arsync.store import connections
from arsync.store.budgets import SharedBudget
from arsync.store.engine import Store
from arsync.store.vault import StoredVault
from arsync.sync.backfill import backfill


def main(order: dict[str, Any]) -> None:
    """Loads the company, or goes on with it."""
    clock = RehearsalClock(order["clock_url"])
    package = import_module(f"arsync_{order['provider']}")
    settings = package.Settings.model_validate(order["settings"])
    store = Store(order["database"])
    connector = package.Connector(
        settings=settings,
        linked=Linked(order["company"]),
        vault=StoredVault(store, clock, order["grant"], seal=str, unseal=str),
        budget=SharedBudget(store, clock, settings.limits, app=order["provider"], company=order["company"]),
        clock=clock,
        session=pooled_session(),
    )
    with store.reading() as work:
        connection = connections.connection(work, "mirror")
    loaded = backfill(store, connection, connector, clock)
    raise SystemExit(bool(loaded.differences))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
