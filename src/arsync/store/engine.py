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

from arsync.errors import ConfigurationError, DatabaseUnusable, Locked

#: Told before and after each effect ("commit", "request ..."); a crash test kills the process there.
Observer = Callable[[str, str], None]

_BUSY_SECONDS: Final = 30
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

    def __init__(self, connection: Connection, observe: Observer) -> None:
        self._connection = connection
        self._observe = observe
        self.saved = False

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._connection.dialect.name

    @property
    def connection(self) -> Connection:
        """The SQLAlchemy connection; for the store only."""
        return self._connection

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Executes one statement, or one for each of several sets of values."""
        return self._connection.execute(statement, parameters)

    @contextmanager
    def part(self) -> Iterator[None]:
        """What is done within is undone where it raises, and the transaction goes on without it."""
        if self._connection.in_transaction():
            with self._connection.begin_nested():
                yield
            return
        # Nothing came before it: all may be undone, and no page need be copied for that.
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise

    def make_sure(self, error: object = "its reason was told before") -> None:
        """Raises DatabaseUnusable where SQLite has undone the transaction on its own, as it may where the disk is full
        or fails: whatever came next would be saved at once and alone, and a commit would save nothing and say so to
        nobody."""
        connection = self._connection
        if connection.dialect.name != "sqlite" or not connection.in_transaction():
            return
        raw: Any = connection.connection.dbapi_connection
        if not raw.in_transaction:
            raise DatabaseUnusable(f"the database undid the whole transaction: {error}") from None

    def commit(self) -> None:
        """Makes the work durable; the transaction is over. DatabaseUnusable where there is none left to save."""
        self._observe("before", "commit")
        self.make_sure()
        self._connection.commit()
        self.saved = True
        self._observe("after", "commit")


class Store:
    """One database: SQLite (WAL) or PostgreSQL."""

    def __init__(self, url: str, *, observe: Observer = _unobserved) -> None:
        self.url = url
        self._observe = observe
        self._engine = _engine(url)
        self._beside = _engine_beside(url) or self._engine

    @property
    def engine(self) -> Engine:
        """For migrations."""
        return self._engine

    @contextmanager
    def reading(self) -> Iterator[Work]:
        """A consistent view: all of it is of one moment; nothing can be saved from it."""
        with self._engine.connect() as plain:
            connection = plain
            if self._engine.dialect.name == "postgresql":
                connection = plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield Work(connection, _unobserved)

    @contextmanager
    def working(self, *, durable: bool = True) -> Iterator[Work]:
        """A transaction that may save. `durable=False` lets SQLite commit without waiting for the disk: only for
        what can be pulled again."""
        with self._engine.connect() as plain:
            connection = plain.execution_options(arsync_write="durable" if durable else "bulk")
            yield Work(connection, self._observe)

    @contextmanager
    def aside(self) -> Iterator[Work]:
        """A short transaction beside the others, for what may be lost: nobody observes it.

        On SQLite it is in a file of its own, whose tables its users make, so that it need not wait for a page that is
        being stored, and so that such a page finds its cache as the last one left it.
        """
        with self._beside.connect() as plain:
            yield Work(plain.execution_options(arsync_write="bulk"), _unobserved)

    def close(self) -> None:
        """Lets go of every connection."""
        self._engine.dispose()
        self._beside.dispose()


#: What the file beside a SQLite database is called: its name with this behind it.
BESIDE: Final = "-requests"


def _engine_beside(url: str) -> Engine | None:
    """The database in the file beside, made when it is first used; None where there is no file."""
    known = make_url(url)
    if known.get_backend_name() != "sqlite" or known.database in (None, "", ":memory:"):
        return None
    return _engine(known.set(database=f"{known.database}{BESIDE}").render_as_string(hide_password=False))


def _engine(url: str) -> Engine:
    try:
        kind = make_url(url).get_backend_name()
        if kind not in ("sqlite", "postgresql"):
            raise ConfigurationError(f"[database] url: {kind} is not supported (sqlite, postgresql)")
        engine = create_engine(url, pool_pre_ping=kind == "postgresql", hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError(f"[database] url: {error}") from None
    event.listen(engine, "handle_error", _translate)
    (_prepare_sqlite if kind == "sqlite" else _prepare_postgresql)(engine)
    return engine


def _translate(context: ExceptionContext) -> None:
    """A database that is away, damaged or full is a sentence for a person; what our own SQL does wrong stays a fault.

    SQLite reports a damaged file as a plain DatabaseError, which is also the base of the errors that are ours.
    """
    found = context.sqlalchemy_exception
    state = getattr(context.original_exception, "sqlstate", None)
    if state == _NO_LOCK:
        raise Locked(f"another process has held what this one needs for {_BUSY_SECONDS} s") from None
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
            cursor.execute(f"SET lock_timeout = '{_BUSY_SECONDS}s'")
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'")
        raw.commit()  # what a rollback would undo


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connected(raw: Any, _record: Any) -> None:
        # Its own knows ASCII only, and customers are called Élan.
        raw.create_function("lower", 1, lambda text: text and text.lower(), deterministic=True)
        raw.isolation_level = None  # transactions are begun below, not by the driver's guess
        cursor = raw.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
        _write_ahead(cursor)
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        cursor.execute("PRAGMA temp_store=MEMORY")  # what undoes a savepoint would be written to a file otherwise
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        kind = connection.get_execution_options().get("arsync_write")
        if kind is None:
            _begin(connection, "BEGIN")
            return
        if connection.info.get(_KIND) != kind:
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if kind == 'durable' else 'NORMAL'}")
            connection.info[_KIND] = kind
        # Taking the write lock at once: two workers that both read first could never both go on.
        _begin(connection, "BEGIN IMMEDIATE")


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Where several connect to a file that was just made, SQLite tells all but one at once that it is locked, and does
    not wait for `busy_timeout`: waited for here. Raises Locked."""
    in_turn = tenacity.Retrying(
        retry=tenacity.retry_if_exception_message(match=".*locked"),
        wait=tenacity.wait_random(0.005, 0.05),
        stop=tenacity.stop_after_delay(_BUSY_SECONDS),
        reraise=True,
    )
    try:
        in_turn(cursor.execute, "PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        raise Locked(f"another process has held the new database for {_BUSY_SECONDS} s") from None


#: With which durability a connection to SQLite commits, as it was told last.
_KIND: Final = "arsync_write"


def _begin(connection: Connection, how: str) -> None:
    """Straight to the driver: every message begins three times."""
    raw: Any = connection.connection.dbapi_connection
    try:
        raw.execute(how)
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise Locked(f"another process has been writing to the database for {_BUSY_SECONDS} s") from None
        connection.exec_driver_sql(how)  # once more, for what is wrong to be told as of any statement
