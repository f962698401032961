"""The connectors: installed, importable, configured, and all of them in the same world."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint

from pydantic import BaseModel

from arsync.errors import ConfigurationError
from arsync.ops.finding import Finding, fail, ok, sentences, some, warn
from arsync.settings import Settings, check_rehearsal, connector_points, vendor_urls


def examine_connectors(settings: Settings | None) -> Iterator[Finding]:
    """Each connector can be loaded and its section read; without settings, that it can be loaded."""
    found = sorted(connector_points().values(), key=lambda entry: entry.name)
    if not found:
        yield fail("connectors", "none is installed", "install arsync again, as a package (`pip install`)")
    urls: dict[str, str] = {}
    whole = bool(found)
    for entry in found:
        try:
            model = _settings_of(entry)
        except (ImportError, AttributeError, TypeError) as error:
            yield fail("connectors", f"{entry.name} cannot be loaded: {error}", f"install {entry.module} again")
            whole = False
            continue
        if settings is None:
            yield ok("connectors", f"{entry.name} is installed")
            continue
        if not settings.connector_section(entry.name):
            yield from _unconfigured(settings, entry.name)
            continue
        try:
            section = settings.connector(entry.name, model)
        except ConfigurationError as error:
            for line in sentences(error):
                yield fail("connectors", line, f"correct the section [{entry.name}]")
            whole = False
            continue
        urls |= vendor_urls(entry.name, section)
        yield ok("connectors", f"{entry.name} is configured")
    if settings is not None and whole:
        yield from _rehearsal(settings, urls)


def _settings_of(entry: EntryPoint) -> type[BaseModel]:
    entry.load()
    model = import_module(entry.module).Settings
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f"{entry.module}.Settings is no pydantic model")
    return model


def _unconfigured(settings: Settings, name: str) -> Iterator[Finding]:
    users = [connection for connection, own in settings.connections.items() if own.provider == name]
    if users:
        yield fail("connectors", f"{some(users)} needs [{name}], which is missing", f"write the section [{name}]")
    else:
        yield ok("connectors", f"{name} is installed, not configured")


def _rehearsal(settings: Settings, urls: dict[str, str]) -> Iterator[Finding]:
    try:
        rehearsal = check_rehearsal(settings, urls)
    except ConfigurationError as error:
        for line in sentences(error):
            yield fail("delivery", line, "correct the addresses")
        return
    if rehearsal:
        yield warn("delivery", "a rehearsal: the accounting systems are stand-ins on this machine")
