"""The machine under the installation: clock, disk, folders, the key's file."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from arsync.domain.clock import Clock
from arsync.errors import ConfigurationError
from arsync.ops.finding import Finding, fail, ok, warn
from arsync.settings import Settings
from arsync.vault import Vault, load_key

#: No arsync ran before this day: an earlier clock was never set.
_FIRST_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
_TOO_LITTLE: Final = 100 * 2**20
_LITTLE: Final = 2**30


def examine_clock(clock: Clock) -> Iterator[Finding]:
    """The machine knows what day it is; a wrong day sends reminders too early."""
    now = clock.now()
    if now < _FIRST_DAY:
        yield fail("clock", f"the machine says {now:%Y-%m-%d %H:%M} UTC, which is long past", "set its clock (NTP)")
    else:
        yield ok("clock", f"{now:%Y-%m-%d %H:%M} UTC")


def examine_space(settings: Settings) -> Iterator[Finding]:
    """There is room to write, wherever the installation writes."""
    places = {"outbox": settings.outbox_dir} if settings.delivery.channel == "file" else {}
    if settings.database_file is not None:
        places = {"database": settings.database_file.parent, **places}
    seen: set[int] = set()
    for what, place in places.items():
        there = nearest_folder(place)
        if (device := there.stat().st_dev) in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(there).free
        said = f"{free / 2**30:,.1f} GB free for the {what} in {there}"
        if free < _TOO_LITTLE:
            yield fail("disk", said, "make room: a message that cannot be recorded is not sent")
        elif free < _LITTLE:
            yield warn("disk", said, "make room soon")
        else:
            yield ok("disk", said)


def examine_key(settings: Settings) -> Iterator[Finding]:
    """The vault's key is there, is a key, and is the owner's alone."""
    path = settings.key_file
    if settings.vault_key is None and not path.exists():
        if os.access(nearest_folder(path.parent), os.W_OK | os.X_OK) and path.parent.is_dir():
            yield warn(
                "vault", f"there is no key file {path} yet", "`arsync init` or the first `arsync connect` makes it"
            )
        else:
            yield fail(
                "vault", f"there is no key file {path}, and none can be made there", f"make {path.parent} writable"
            )
        return
    try:
        Vault(load_key(settings))
    except ConfigurationError as error:
        yield fail("vault", error.detail, "put back the key file, or correct vault.key")
        return
    if settings.vault_key is not None:
        yield ok("vault", "the key is in the settings")
        return
    others = stat.S_IMODE(path.stat().st_mode) & 0o077
    if others:
        yield fail("vault", f"{path} can be read by others", f"chmod 600 {path}")
    else:
        yield ok("vault", f"{path}, for its owner only")


def examine_outbox(settings: Settings) -> Iterator[Finding]:
    """The file channel can write: a file appears under its name at once or not at all, which takes a hard link."""
    folder = settings.outbox_dir
    if not folder.exists():
        above = nearest_folder(folder)
        if os.access(above, os.W_OK | os.X_OK):
            yield ok("delivery", f"into files in {folder}, which the first message makes")
        else:
            yield fail("delivery", f"{folder} does not exist and cannot be made", f"make {above} writable")
        return
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as probe:
            second = Path(f"{probe.name}.link")
            os.link(probe.name, second)
            second.unlink()
    except OSError as error:
        yield fail(
            "delivery", f"cannot write into {folder}: {error.strerror}", "make it a folder that arsync can write"
        )
    else:
        yield ok("delivery", f"into files in {folder}")


def nearest_folder(path: Path) -> Path:
    """The folder itself, or the nearest above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
