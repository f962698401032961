"""PostgreSQL: a process that is suspended in a transaction does not stop the others for ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from arsync.errors import DatabaseUnusable, Locked
from arsync.store import engine
from arsync.store.engine import Store

Opened = Callable[[], Store]
_TAKE = text("LOCK TABLE budgets IN EXCLUSIVE MODE")


@pytest.mark.parametrize("database", ["postgresql"])
def test_who_waits_too_long_for_a_lock_says_so(another_store: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_BUSY_SECONDS", 1)
    with another_store().working() as holder:
        holder.execute(_TAKE)
        with another_store().working() as other, pytest.raises(Locked, match="held what this one needs"):
            other.execute(_TAKE)


@pytest.mark.parametrize("database", ["postgresql"])
def test_who_is_suspended_in_a_transaction_loses_it_and_its_locks(
    another_store: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_IDLE_SECONDS", 1)
    with another_store().working() as holder:
        holder.execute(_TAKE)
        with another_store().working() as other:
            other.execute(_TAKE)  # comes when the holder has idled for a second
        with pytest.raises(DatabaseUnusable, match="paused in a transaction"):
            holder.execute(_TAKE)
