"""What every test may use: the vendors' documents, a running sandbox, and a database of either kind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from tests.exchanges import Broken, Referee
from tests.postgres import Server, running_server
from tests.shortcuts import lay_database, playbooks_read_once, statements_compiled_once
from tests.tenancy import Watch, watching

from arsync.sandbox.launch import SandboxControl, running_sandbox
from arsync.sandbox.recording import VARIABLE, recorded
from arsync.store.engine import Store
from arsync.store.upgrade import upgrade

# A busy machine is no failure: an example takes as long as it takes.
hypothesis.settings.register_profile("arsync", deadline=None)
hypothesis.settings.load_profile("arsync")

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "material"


_records = pytest.StashKey[tuple[Path, Referee]]()


_watch = Watch()


_bytecode = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """From here on every sandbox that is started, by whichever process, keeps what goes over the wire.

    Where Python is told to keep no bytecode, the many processes that tests start would compile everything anew: they
    share a folder that is thrown away in the end.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="bytecode-")
        config.stash[_bytecode] = Path(os.environ["PYTHONPYCACHEPREFIX"])
    documents = Path(os.environ.get("ARSYNC_MATERIAL") or _BESIDE)
    if documents.is_dir():
        folder = Path(tempfile.mkdtemp(prefix="exchanges-"))
        os.environ[VARIABLE] = str(folder)
        config.stash[_records] = folder, Referee(documents)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Nothing is left behind."""
    if bytecode := config.stash.get(_bytecode, None):
        shutil.rmtree(bytecode, ignore_errors=True)
        del os.environ["PYTHONPYCACHEPREFIX"]
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    if held := config.stash.get(_records, None):
        shutil.rmtree(held[0], ignore_errors=True)
        del os.environ[VARIABLE]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test fails whose exchanges, or those of its fixtures, are not as the vendors' documents have them; and one in
    which a statement was first said that forgets whose records it asks for."""
    yield
    _hold_exchanges(item.config)
    if forgetful := _watch.found():
        raise AssertionError("\n".join(forgetful))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """As in the call, for what its fixtures did on their way out."""
    yield
    _hold_exchanges(item.config)


def _hold_exchanges(config: pytest.Config) -> None:
    if held := config.stash.get(_records, None):
        folder, referee = held
        if problems := [problem for exchange in recorded(folder) for problem in referee.judge(exchange)]:
            raise Broken("\n".join([f"{len(problems)} problems with exchanges", *problems[:10]]))


@pytest.fixture
def referee(request: pytest.FixtureRequest) -> Referee:
    """Judges what the test exchanges with a sandbox; skips the test where there is nothing to judge by."""
    material()
    return request.config.stash[_records][1]


def material() -> Path:
    """The folder of the vendors' own documents; skips the test where it is absent."""
    folder = Path(os.environ.get("ARSYNC_MATERIAL") or _BESIDE)
    if not folder.is_dir():
        pytest.skip(f"the vendors' documents are not at {folder} (set ARSYNC_MATERIAL)")
    return folder


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxControl]:
    """One sandbox process for the session; a test that changes its rules takes them back."""
    with running_sandbox() as control:
        yield control


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One PostgreSQL server for the session (under pytest-xdist: for each worker)."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Server) -> str:
    """The name of a database at our schema, to be copied."""
    name = postgres.fresh()
    store = Store(postgres.url(name))
    upgrade(store)
    store.close()
    return name


@pytest.fixture(scope="session", autouse=True)
def _once_for_all() -> Iterator[None]:
    with statements_compiled_once(), playbooks_read_once(), watching(_watch):
        yield


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on: each test runs on both."""
    return str(request.param)


@pytest.fixture
def empty_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table."""
    if database == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: Server = request.getfixturevalue("postgres")
    name = server.fresh()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def store_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database at our schema with nothing in it."""
    if database == "sqlite":
        path = tmp_path / "arsync.db"
        lay_database(path)
        yield f"sqlite:///{path}"
        return
    server: Server = request.getfixturevalue("postgres")
    name = server.fresh(request.getfixturevalue("migrated_postgres"))
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store at our schema with nothing in it, on SQLite and on PostgreSQL."""
    one = Store(store_url)
    yield one
    one.close()


@pytest.fixture
def another_store(store_url: str) -> Iterator[Callable[[], Store]]:
    """Opens the same database once more, as another process would."""
    opened: list[Store] = []

    def open_again() -> Store:
        opened.append(Store(store_url))
        return opened[-1]

    yield open_again
    for one in opened:
        one.close()
