"""Connections to SQLite that are kept from one transaction to the next.

To take a connection from the pool, tell it what it is for, begin by SQLAlchemy's events and give it back costs more
than what a message asks within: three times for each message. So a seat is kept as it is, and what is begun, committed
and undone is said to SQLite's driver itself; SQLAlchemy's statements on the same connection find that it has begun.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from arsync.errors import DatabaseUnusable, Locked

#: So long one waits for whoever holds what is needed.
BUSY_SECONDS: Final = 30
#: So many are kept; of more who are at work at once each opens one of its own, and closes it.
_KEPT: Final = 8
#: What the database of a URL is called that is in memory only.
NO_FILE: Final = (None, "", ":memory:")
#: In a connection's `info`: its seat, and with which durability it commits, as it was told last.
_SEAT: Final = "arsync_seat"
_COMMITS: Final = "arsync_commits"
_SYNCHRONOUS: Final = {"durable": "PRAGMA synchronous=FULL", "bulk": "PRAGMA synchronous=NORMAL"}


class Seat:
    """One connection; `kind` is what its next transaction is for: None to read, `durable`, `bulk`; it is `fit` to be
    kept unless SQLAlchemy could not begin on it, or something was raised in its transaction."""

    __slots__ = ("_info", "begun", "connection", "fit", "kind", "raw")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.raw: Any = connection.connection.dbapi_connection
        self.kind: str | None = None
        self.begun = False
        self.fit = True
        self._info = connection.info
        self._info[_SEAT] = self

    @property
    def beginning(self) -> str:
        """How its transaction begins: one that writes takes the lock at once, for two workers that both read first
        could never both go on."""
        return "BEGIN" if self.kind is None else "BEGIN IMMEDIATE"

    def start(self) -> None:
        """Begins a transaction unless one is on; Locked where another process writes for too long."""
        if self.raw.in_transaction:
            return
        self.make_sure()
        try:
            if self.kind is not None and self._info.get(_COMMITS) != self.kind:
                self.raw.execute(_SYNCHRONOUS[self.kind])
                self._info[_COMMITS] = self.kind
            self.raw.execute(self.beginning)
        except sqlite3.Error as error:
            if "locked" in str(error):
                raise Locked(f"another process has been writing to the database for {BUSY_SECONDS} s") from None
            raise
        self.begun = True

    def make_sure(self, error: object = "its reason was told before") -> None:
        """Raises DatabaseUnusable where SQLite has undone the transaction on its own, as it may where the disk is full
        or fails: whatever came next would be saved at once and alone, and a commit would save nothing and say so to
        nobody."""
        if self.begun and not self.raw.in_transaction:
            raise DatabaseUnusable(f"the database undid the whole transaction: {error}") from None

    def commit(self) -> None:
        """Makes durable what was begun; DatabaseUnusable where that is not to be had."""
        self.make_sure()
        if self.connection.in_transaction():
            self.connection.commit()
        elif self.raw.in_transaction:
            try:
                self.raw.commit()
            except sqlite3.Error as error:
                self.make_sure(error)
                self.connection.begin()  # once more, for what is wrong to be told as of any statement
                self.connection.commit()
        self.begun = False

    def undo(self) -> None:
        """Undoes what was begun and not committed."""
        if self.connection.in_transaction():
            self.connection.rollback()
        elif self.raw.in_transaction:
            self.raw.rollback()
        self.begun = False

    def leave(self) -> None:
        """Gives the connection back to the engine, which closes one to a file."""
        self._info.pop(_SEAT, None)
        self.connection.close()


class Seats:
    """Those of one SQLite database; the one used last is taken first, as its cache is the freshest."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._free: list[Seat] = []
        self._keeps = engine.url.database not in NO_FILE
        self._closings = 0

    @contextmanager
    def taken(self, kind: str | None) -> Iterator[Seat]:
        """A seat for one transaction of that kind; what is not committed is undone."""
        try:
            seat = self._free.pop()
        except IndexError:
            seat = Seat(self._engine.connect())
        seat.kind, closings = kind, self._closings
        try:
            yield seat
        except BaseException:
            seat.fit = False  # what is raised may hold rows that were not read to the end, and with them an old view
            raise
        finally:
            if closings != self._closings:
                seat.fit = False
            self._release(seat)

    def close(self) -> None:
        """Lets go of them; one that is taken goes when it is given back, and whoever comes later gets a new one."""
        self._closings += 1
        while self._free:
            self._free.pop().leave()

    def _release(self, seat: Seat) -> None:
        try:
            seat.undo()
        except (SQLAlchemyError, sqlite3.Error, DatabaseUnusable):
            seat.connection.invalidate()
            seat.leave()
            return
        if not self._keeps or not seat.fit or seat.connection.invalidated or len(self._free) >= _KEPT:
            seat.leave()
            return
        self._free.append(seat)


def begin(connection: Connection) -> None:
    """Begins on SQLAlchemy's behalf: on a seat, or on a connection that was taken beside them, and then to read."""
    seat: Seat | None = connection.info.get(_SEAT)
    raw: Any = connection.connection.dbapi_connection
    try:
        if seat is None:
            raw.execute("BEGIN")
            return
        seat.fit = False  # what is raised here leaves SQLAlchemy believing that it is still about to begin
        seat.start()
        seat.fit = True
    except sqlite3.Error:
        # Once more, for what is wrong to be told as of any statement.
        connection.exec_driver_sql("BEGIN" if seat is None else seat.beginning)
        if seat is not None:
            seat.begun = True
