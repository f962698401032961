"""A process that asks one company for something small as often as its budget lets it; started by `test_rate`."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from arsync.connector import Linked
from arsync.sandbox.rehearsal import RehearsalClock
from arsync.session import pooled_session
from arsync.store.budgets import SharedBudget
from arsync.store.engine import Store
from arsync.store.vault import StoredVault


class Impatient(RehearsalClock):
    """Ends the process instead of waiting."""

    def sleep(self, seconds: float) -> None:
        raise SystemExit(0)


def main(order: dict[str, Any]) -> None:
    """Asks until the time is over, or until it would have to wait."""
    patient = order["seconds"] is not None
    clock = (RehearsalClock if patient else Impatient)(order["clock_url"])
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
    end = datetime.fromisoformat(order["from"]) + timedelta(seconds=order["seconds"]) if patient else None
    while end is None or clock.now() < end:
        connector.watermark()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
