"""Finding and reading the settings."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Collection, Mapping
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from arsync.errors import ConfigurationError
from arsync.settings.environment import overlay, report
from arsync.settings.kinds import sqlite_path
from arsync.settings.lines import Lines
from arsync.settings.model import Document
from arsync.settings.problems import Problems, hint
from arsync.settings.resolved import Settings

DEFAULT_NAME: Final = "arsync.toml"
_GROUP: Final = "arsync.connectors"


def connector_points() -> Mapping[str, EntryPoint]:
    """The connectors that are installed, none of them imported, by name."""
    return _points_on(tuple(sys.path))


@cache
def _points_on(_path: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    """What is found there; all that is installed is looked through for it, so it is done once."""
    return MappingProxyType({point.name: point for point in entry_points(group=_GROUP)})


def installed_connectors() -> frozenset[str]:
    """The names of the connectors that are installed, none of them imported."""
    return frozenset(connector_points())


def load(
    config: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    connectors: Collection[str] | None = None,
) -> Settings:
    """The settings of `config`, else of the file that ARSYNC_CONFIG names, else of `./arsync.toml`.

    Only the last may be absent. The environment wins over the file. `connectors` names the sections that belong to
    connectors (default: those installed). ConfigurationError with every problem, each naming its file or variable,
    section and key.
    """
    environ = os.environ if environ is None else environ
    connectors = installed_connectors() if connectors is None else connectors
    named = config or (Path(environ["ARSYNC_CONFIG"]) if environ.get("ARSYNC_CONFIG") else None)
    path = (named or Path(DEFAULT_NAME)).absolute()
    written = _read(path) if named is not None or path.exists() else None

    document, lines = written if written is not None else ({}, Lines(""))
    in_file = frozenset(document)
    origins, wrong = overlay(document, environ, path.parent, connectors=connectors)
    problems = Problems(str(path) if written is not None else f"no {DEFAULT_NAME}", origins, lines)
    report(wrong, problems)
    sections = {name: document.pop(name) for name in sorted(connectors) if name in document}
    for name, section in sections.items():
        if not isinstance(section, dict):
            problems.add((name,), "is not a section")
    for name in [name for name in document if name not in Document.model_fields]:
        known = {*Document.model_fields, *connectors}
        if name not in in_file:
            for variable in (variable for place, variable in origins.items() if place[0] == name):
                problems.at(variable, f"there is no section {name} ({hint((name,), known)})")
        elif isinstance(document[name], dict):
            problems.unknown((name,), known)
        else:
            problems.add((name,), f"stands outside of any section ({hint((name,))})")
        del document[name]
    _check_connections(document.get("connection"), connectors, problems)
    _check_groups(document.get("connection"), document.get("group"), problems)
    try:
        read = Document.model_validate(document)
    except ValidationError as error:
        problems.add_all(error)
        problems.raise_if_any()
        raise
    if read.worker.queue == "procrastinate" and sqlite_path(read.database.url.get_secret_value()) is not None:
        problems.add(("worker", "queue"), 'is "procrastinate", which needs PostgreSQL, and [database] url is SQLite')
    problems.raise_if_any()
    return Settings(
        file=path if written is not None else None,
        folder=path.parent,
        database=read.database,
        defaults=read.defaults,
        groups=read.group,
        connections=read.connection,
        delivery=read.delivery,
        sendgrid=read.sendgrid,
        smtp=read.smtp,
        vault=read.vault,
        inbox=read.inbox,
        safety=read.safety,
        worker=read.worker,
        serve=read.serve,
        alerts=read.alerts,
        retention=read.retention,
        log=read.log,
        sandbox=read.sandbox,
        connectors=sections,
        origins=origins,
        lines=lines,
    )


def _read(path: Path) -> tuple[dict[str, Any], Lines]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text, parse_float=Decimal), Lines(text)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _check_connections(written: Any, connectors: Collection[str], problems: Problems) -> None:
    """On the tables as written, so that it also says its part where something else is wrong with them."""
    tables = written.items() if isinstance(written, dict) else ()
    companies: dict[tuple[str, str], str] = {}
    for name, own in tables:
        if not isinstance(own, dict):
            continue
        provider, external_id = own.get("provider"), own.get("external_id")
        if isinstance(provider, str) and provider not in connectors:
            problems.add(("connection", name, "provider"), f"no such connector ({_installed(provider, connectors)})")
        if provider is not None and external_id is not None:
            other = companies.setdefault((str(provider), str(external_id)), name)
            if other != name:
                problems.add(("connection", name, "external_id"), f"is the company of connection.{other} too")


def _check_groups(connections: Any, groups: Any, problems: Problems) -> None:
    """On the tables as written, too."""
    there = groups if isinstance(groups, dict) else {}
    for name, own in connections.items() if isinstance(connections, dict) else ():
        group = own.get("group") if isinstance(own, dict) else None
        if isinstance(group, str) and group not in there:
            near = get_close_matches(group, there, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"there is: {', '.join(sorted(there)) or 'none'}"
            problems.add(("connection", name, "group"), f"there is no [group.{group}] ({known})")


def _installed(wrong: str, connectors: Collection[str]) -> str:
    near = get_close_matches(wrong.lower(), sorted(connectors), n=1)
    return f"did you mean {near[0]!r}?" if near else f"installed: {', '.join(sorted(connectors)) or 'none'}"
