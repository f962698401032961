"""The database, and the unit of work: nothing is saved but by an explicit `commit()`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import tenacity
from sqlalchemy import Connection, CursorResult, Engine, Executable, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import NullPool

from arsync.errors import ConfigurationError, DatabaseUnusable, Locked
from arsync.store.seats import BUSY_SECONDS, NO_FILE, Seat, Seats, begin

#: Told before and after each effect ("commit", "request ..."); a crash test kills the process there.
Observer = Callable[[str, str], None]

#: Whoever is suspended in a transaction for so long holds its locks no more (PostgreSQL).
_IDLE_SECONDS: Final = 60
#: What a page of records changes in all indexes of a company of some size fits in; what does not is written twice.
_CACHE_KIB: Final = 8_000
#: PostgreSQL's words for a lock that did not come in time, and for a transaction that was ended for idling
_NO_LOCK: Final = "55P03"
_IDLED: Final = "25P03"


def _unobserved(moment: str, what: str) -> None:
    pass


class Work:
    """One transaction. Leaving it without `commit()` undoes it."""

    def __init__(self, connection: Connection, observe: Observer, seat: Seat | None = None) -> None:
        self._connection = connection
        self._observe = observe
        self._seat = seat
        self.saved = False
        self.dialect: Final = connection.dialect.name  # sqlite or postgresql

    @property
    def connection(self) -> Connection:
        """The SQLAlchemy connection, in this transaction; for the store only."""
        self._start()
        return self._connection

    @property
    def driver(self) -> Any:
        """SQLite's own connection, in this transaction; for the store only."""
        seat = self._seat
        assert seat is not None, "only SQLite is spoken to by its driver"
        self._start()
        return seat.raw

    def _start(self) -> None:
        """On SQLite: whatever is done is done within a transaction, or not at all. SQLAlchemy begins one itself, but
        not any more where it once could not, and does not see that SQLite has undone one."""
        seat = self._seat
        if seat is not None and not seat.raw.in_transaction:
            try:
                seat.start()
            except sqlite3.Error:
                self._connection.begin()  # once more, for what is wrong to be told as of any statement

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Executes one statement, or one for each of several sets of values."""
        self._start()
        return self._connection.execute(statement, parameters)

    @contextmanager
    def part(self) -> Iterator[None]:
        """What is done within is undone where it raises, and the transaction goes on without it."""
        if self._connection.in_transaction() or (self._seat is not None and self._seat.begun):
            with self.connection.begin_nested():
                yield
            return
        # Nothing came before it: all may be undone, and no page need be copied for that.
        try:
            yield
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        if self._seat is not None:
            self._seat.undo()
        else:
            self._connection.rollback()

    def make_sure(self, error: object = "its reason was told before") -> None:
        """As the seat does, on SQLite."""
        if self._seat is not None:
            self._seat.make_sure(error)

    def commit(self) -> None:
        """Makes the work durable; the transaction is over. DatabaseUnusable where there is none left to save."""
        self._observe("before", "commit")
        if self._seat is not None:
            self._seat.commit()
        else:
            self._connection.commit()
        self.saved = True
        self._observe("after", "commit")


class Store:
    """One database: SQLite (WAL) or PostgreSQL."""

    def __init__(self, url: str, *, observe: Observer = _unobserved, references: bool = True) -> None:
        self.url = url
        self._observe = observe
        self._engine = _engine(url, references=references)
        self._beside = _engine_beside(url) or self._engine
        lite = self._engine.dialect.name == "sqlite"
        self._seats = Seats(self._engine) if lite else None
        self._seats_beside = Seats(self._beside) if lite else None

    def unwatched(self) -> Store:
        """The same database, opened once more; SQLite does not watch references there. For whoever makes or rebuilds
        tables, and looks at all references in the end; close it."""
        return Store(self.url, observe=self._observe, references=False)

    @property
    def engine(self) -> Engine:
        """For migrations."""
        return self._engine

    @contextmanager
    def reading(self) -> Iterator[Work]:
        """A consistent view: all of it is of one moment; nothing can be saved from it."""
        if self._seats is not None:
            with self._seats.taken(None) as seat:
                yield Work(seat.connection, _unobserved, seat)
            return
        with self._engine.connect() as plain:
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            yield Work(plain.execution_options(**options), _unobserved)

    @contextmanager
    def working(self, *, durable: bool = True) -> Iterator[Work]:
        """A transaction that may save. `durable=False` lets SQLite commit without waiting for the disk: only for
        what can be pulled again."""
        if self._seats is not None:
            with self._seats.taken("durable" if durable else "bulk") as seat:
                yield Work(seat.connection, self._observe, seat)
            return
        with self._engine.connect() as plain:
            yield Work(plain, self._observe)

    @contextmanager
    def aside(self) -> Iterator[Work]:
        """A short transaction beside the others, for what may be lost: nobody observes it.

        On SQLite it is in a file of its own, whose tables its users make, so that it need not wait for a page that is
        being stored, and so that such a page finds its cache as the last one left it.
        """
        if self._seats_beside is not None:
            with self._seats_beside.taken("bulk") as seat:
                yield Work(seat.connection, _unobserved, seat)
            return
        with self._beside.connect() as plain:
            yield Work(plain, _unobserved)

    def close(self) -> None:
        """Lets go of every connection; works that come later open new ones."""
        for seats in (self._seats, self._seats_beside):
            if seats is not None:
                seats.close()
        self._engine.dispose()
        self._beside.dispose()


#: What the file beside a SQLite database is called: its name with this behind it.
BESIDE: Final = "-requests"


def _engine_beside(url: str) -> Engine | None:
    """The database in the file beside, made when it is first used; None where there is no file."""
    known = make_url(url)
    if known.get_backend_name() != "sqlite" or known.database in NO_FILE:
        return None
    return _engine(known.set(database=f"{known.database}{BESIDE}").render_as_string(hide_password=False))


def _engine(url: str, *, references: bool = True) -> Engine:
    try:
        kind = make_url(url).get_backend_name()
        if kind not in ("sqlite", "postgresql"):
            raise ConfigurationError(f"[database] url: {kind} is not supported (sqlite, postgresql)")
        # The seats of a file are kept beside the engine: a pool behind them would run out of those they keep.
        in_a_file = kind == "sqlite" and make_url(url).database not in NO_FILE
        # A worker has a thread for each company at work, and none waits for another's connection.
        pooled = {"pool_pre_ping": True, "max_overflow": -1} if kind == "postgresql" else {}
        options: dict[str, Any] = {"poolclass": NullPool} if in_a_file else pooled
        engine = create_engine(url, hide_parameters=True, **options)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError(f"[database] url: {error}") from None
    event.listen(engine, "handle_error", _translate)
    if kind == "sqlite":
        _prepare_sqlite(engine, references=references)
    else:
        _prepare_postgresql(engine)
    return engine


def _translate(context: ExceptionContext) -> None:
    """A database that is away, damaged or full is a sentence for a person; what our own SQL does wrong stays a fault.

    SQLite reports a damaged file as a plain DatabaseError, which is also the base of the errors that are ours.
    """
    found = context.sqlalchemy_exception
    state = getattr(context.original_exception, "sqlstate", None)
    if state == _NO_LOCK:
        raise Locked(f"another process has held what this one needs for {BUSY_SECONDS} s") from None
    if state == _IDLED:
        raise DatabaseUnusable("this process paused in a transaction, which was ended and undone") from None
    if type(found) not in (OperationalError, DatabaseError) or "database is locked" in str(context.original_exception):
        return
    said = next(iter(str(context.original_exception).strip().splitlines()), type(context.original_exception).__name__)
    raise DatabaseUnusable(said) from None


def _prepare_postgresql(engine: Engine) -> None:
    """A process that is suspended with a lock in its hands must not stop everybody for ever."""

    @event.listens_for(engine, "connect")
    def connected(raw: Any, _record: Any) -> None:
        with raw.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'")
        raw.commit()  # what a rollback would undo


def _prepare_sqlite(engine: Engine, *, references: bool) -> None:
    @event.listens_for(engine, "connect")
    def connected(raw: Any, _record: Any) -> None:
        # Its own knows ASCII only, and customers are called Élan.
        raw.create_function("lower", 1, lambda text: text and text.lower(), deterministic=True)
        raw.isolation_level = None  # transactions are begun below, not by the driver's guess
        cursor = raw.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        _write_ahead(cursor)
        cursor.execute(f"PRAGMA foreign_keys={'ON' if references else 'OFF'}")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        cursor.execute("PRAGMA temp_store=MEMORY")  # what undoes a savepoint would be written to a file otherwise
        cursor.close()

    event.listen(engine, "begin", begin)


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Where several connect to a file that was just made, SQLite tells all but one at once that it is locked, and does
    not wait for `busy_timeout`: waited for here. Raises Locked."""
    in_turn = tenacity.Retrying(
        retry=tenacity.retry_if_exception_message(match=".*locked"),
        wait=tenacity.wait_random(0.005, 0.05),
        stop=tenacity.stop_after_delay(BUSY_SECONDS),
        reraise=True,
    )
    try:
        in_turn(cursor.execute, "PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        raise Locked(f"another process has held the new database for {BUSY_SECONDS} s") from None
