"""What `arsync init` lays down: a commented configuration, the playbooks to edit, the vault's key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from arsync.errors import UsageError
from arsync.resources import bundled
from arsync.settings import load
from arsync.vault import load_key


@dataclass(frozen=True, slots=True)
class Laid:
    """A file of the new installation; `made` is False where it was there before and was left alone."""

    path: Path
    made: bool


def initial_config() -> str:
    """The text of a new arsync.toml: it loads as it stands, and names every key there is."""
    return Path(__file__).with_name("initial.toml").read_text(encoding="utf-8")


def lay_down(config: Path) -> list[Laid]:
    """Writes `config` and, beside it, `playbooks/` and the vault's key; never over a file that is there.

    The configuration and the key can be read by their owner only. UsageError where the folder cannot be written;
    ConfigurationError where a configuration that was there before is wrong.
    """
    config = config.absolute()
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        laid = [_write(config, initial_config().encode(), mode=0o600)]
        shipped = bundled("playbooks")
        laid += [
            _write(config.parent / "playbooks" / source.relative_to(shipped), source.read_bytes())
            for source in sorted(path for path in shipped.rglob("*") if path.is_file())
        ]
    except OSError as error:
        raise UsageError(f"cannot write {error.filename or config.parent}: {error.strerror}") from None
    settings = load(config)
    if settings.vault_key is None:
        there = settings.key_file.exists()
        load_key(settings)
        laid.append(Laid(settings.key_file, made=not there))
    return laid


def _write(path: Path, content: bytes, *, mode: int = 0o644) -> Laid:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return Laid(path, made=False)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return Laid(path, made=True)
