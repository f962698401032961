"""The vault's key: rotate-key."""

from __future__ import annotations

from typing import Annotated

import typer

from arsync.acts.locking import locked
from arsync.cli.context import opened
from arsync.cli.output import say
from arsync.errors import UsageError
from arsync.ops.keys import check_keys, reseal
from arsync.vault import Vault, add_key, drop_old_keys, load_key


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command("rotate-key")(rotate_key)


def rotate_key(
    context: typer.Context,
    new: Annotated[bool, typer.Option("--new", help="Make a new key, before the old one in the key file.")] = False,
    drop_old: Annotated[bool, typer.Option("--drop-old", help="Then take the old keys out of the key file.")] = False,
) -> None:
    """Seals every token by the first of the vault's keys. May be killed, and run again."""
    with opened(context) as app, locked(app):
        settings = app.settings
        if settings.vault_key is not None and (new or drop_old):
            raise UsageError("the key is in the settings (vault.key): change it there, the new one first")
        check_keys(app.store, app.vault)
        if new:
            add_key(settings.key_file)
        vault = Vault(load_key(settings))
        done = reseal(app.store, vault, app.clock)
        if drop_old:
            drop_old_keys(settings.key_file)
    say(f"{done.anew} consents sealed by the first key now, {done.before} were before")
    if drop_old:
        say(f"{settings.key_file} holds the first key only; a backup of the database from before needs the old ones")
    elif vault.keys > 1:
        say("the old keys open nothing any more: arsync rotate-key --drop-old, once no older backup is needed")
