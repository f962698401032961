"""The database as a whole: upgrade, backup, verify, restore, copy, prune."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from arsync.bootstrap import App, lay_queue
from arsync.cli.context import Author, Json, author_or_me, opened
from arsync.cli.output import complain, counted, dump, say
from arsync.errors import ConfigurationError, UsageError
from arsync.logs import keep_secret
from arsync.ops import archives
from arsync.ops.archives import Moved
from arsync.ops.keys import check_keys
from arsync.ops.retention import forget, forgettable
from arsync.settings import database_at, secrets_in
from arsync.store import connections, upgrade
from arsync.store.archive.file import Whole
from arsync.store.archive.rows import Sum
from arsync.store.engine import Store
from arsync.vault import Vault, load_key

_group = typer.Typer(no_args_is_help=True, help="The database.")
#: By the keys of `[retention]`.
_KINDS = {
    "words_days": "words of messages about nothing open",
    "replies_days": "words of mails that are done with",
    "verdicts_days": "verdicts on invoices not open any more",
    "runs_days": "runs that no verdict names",
}
_ARCHIVE = typer.Argument(metavar="FILE", help="An archive that `arsync db backup` has written.")


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.add_typer(_group, name="db")


@_group.command("upgrade")
def upgrade_database(context: typer.Context) -> None:
    """Creates the database, or brings it to this version's schema."""
    with opened(context) as app:
        revision = upgrade.upgrade(app.unchecked_store)
        lay_queue(app.settings, app.unchecked_store)
        say(f"the database is at {revision}")


@_group.command()
def backup(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Default: a name with the hour, in `backups`.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Remove all but the newest so many that nobody has named.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Writes all that the database holds into an archive, whoever works meanwhile, and reads it again."""
    if file is not None and keep is not None:
        raise UsageError("--keep goes with the archives in `backups` that nobody has named")
    with opened(context) as app:
        _there(app)
        path = file or app.settings.backup_folder / archives.name_for(app.clock.now())
        whole = archives.back_up(app.unchecked_store, path, app.clock)
        gone = archives.drop_older(path.parent, keep) if keep is not None else []
    if as_json:
        dump({"file": str(path), **_told(whole), "removed": [str(one) for one in gone]})
        return
    say(f"{path}: {_counted(whole.tables)}, {_size(path)}; read again, and whole")
    for one in gone:
        say(f"removed {one}")
    say(f"its tokens are sealed: keep {_key(app)} as well, apart from it")


@_group.command()
def verify(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="An archive; default: the database.")] = None,
    as_json: Json = False,
) -> None:
    """Proves an archive by restoring it into a database that is thrown away; without one, looks over the database."""
    with opened(context) as app:
        if file is None:
            _there(app)
            whole, what = archives.look_over(app.unchecked_store, app.clock), "the database"
            sealed = _opened_by_key(app, app.unchecked_store) if whole.head.schema == upgrade.head() else None
        else:
            with archives.unpacked(file) as (head, tables, scratch):
                whole, what, sealed = Whole(head, tables), str(file), _opened_by_key(app, scratch)
    if as_json:
        dump({**_told(whole), "tokens": sealed, "sums": whole.tables})
    else:
        taken = "" if file is None else f", taken on {whole.head.taken_at:%Y-%m-%d %H:%M} UTC"
        say(f"{what}: schema {whole.head.schema}{taken}: {_counted(whole.tables)}; whole")
    if sealed is not None:
        complain(f"its tokens are not opened here: {sealed}")
        raise typer.Exit(1)


@_group.command()
def restore(
    context: typer.Context,
    file: Annotated[Path, _ARCHIVE],
    replace: Annotated[bool, typer.Option("--replace", help="In place of what the database holds.")] = False,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Puts back what an archive holds, in one step. Nothing goes out until the notes in the sources are read back and a
    person says `arsync start`."""
    with opened(context) as app:
        path, is_new = app.settings.database_file, False
        if path is not None and not path.exists():
            is_new = True
            archives.read_through(file)  # before anything is made
        moved = archives.put_back(app.unchecked_store, file, app.clock, author=author_or_me(author), replace=replace)
        if is_new and path is not None:
            path.chmod(0o600)
        sealed = _opened_by_key(app, app.unchecked_store)
    if as_json:
        dump({**_moved(moved), "tokens": sealed})
    else:
        say(f"restored as of {moved.head.taken_at:%Y-%m-%d %H:%M} UTC: {_counted(moved.tables)}, each read again")
        _tell_arrived(moved)
        say("the red button is pressed. What people said since (holds, disputes, promises) is gone: say it again")
        say("next: arsync run reads back what went out since; then arsync start lets messages go out again")
    if sealed is not None:
        complain(f"its tokens are not opened here: {sealed}; or connect every company again")
        raise typer.Exit(1)


@_group.command("copy")
def copy_database(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="As in database.url: where to, a database without data.")],
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Copies the database into another, SQLite or PostgreSQL, proves that both hold the same, and presses the red
    button of the old one."""
    with opened(context) as app:
        known = database_at(url, app.settings.folder)
        keep_secret(secrets_in(SecretStr(known)))
        if known == app.settings.database_url:
            raise UsageError("that is the database itself")
        with closing(Store(known)) as target:
            moved = archives.copy(app.store, target, app.clock, author=author_or_me(author))
    if as_json:
        dump({**_moved(moved), "sums": moved.tables})
        return
    say(f"copied: {_counted(moved.tables)}; each table holds the same rows in both, by their hashes")
    _tell_arrived(moved)
    say("the red button of this database is pressed: only one of the two may send")
    say("next: change database.url, and arsync run there reads back what went out since")


@_group.command()
def prune(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Forgets what is older than `[retention]` keeps it; nothing that a decision rests on."""
    with opened(context) as app:
        days = app.settings.retention.said()
        gone = (forgettable if dry_run else forget)(app.store, days, app.clock)
    if as_json:
        dump(gone)
        return
    if not days:
        say("nothing is ever forgotten: [retention] in the settings says otherwise")
    for kind, count in gone.items():
        say(f"{_KINDS[kind]}, older than {days[kind]} days: {count} {'would go' if dry_run else 'gone'}")


# --- words ----------------------------------------------------------------------------------------------------------


def _there(app: App) -> None:
    file = app.settings.database_file
    if file is not None and not file.exists():
        raise ConfigurationError(f"there is no {file}: run `arsync db upgrade`, or name another --config")


def _key(app: App) -> str:
    return "the key in vault.key" if app.settings.vault_key is not None else str(app.settings.key_file)


def _opened_by_key(app: App, store: Store) -> str | None:
    """Why the key of this installation opens not all tokens of that database; None where it does. No key is made."""
    if app.settings.vault_key is None and not app.settings.key_file.exists():
        with store.reading() as work:
            sealed = connections.has_grants(work)
        return f"{app.settings.key_file} is not there: put it back" if sealed else None
    try:
        check_keys(store, Vault(load_key(app.settings)))
    except ConfigurationError as error:
        return error.detail
    return None


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"


def _counted(tables: Mapping[str, Sum]) -> str:
    return f"{len(tables)} tables, {counted(sum(one.rows for one in tables.values()), 'row')}"


def _told(whole: Whole) -> dict[str, object]:
    return {
        "schema": whole.head.schema,
        "taken_at": whole.head.taken_at,
        "installation": whole.head.installation,
        "tables": len(whole.tables),
        "rows": whole.rows,
    }


def _moved(moved: Moved) -> dict[str, object]:
    return {
        **_told(Whole(moved.head, moved.tables)),
        "recovering": moved.arrived.connections,
        "released": moved.arrived.released,
        "unknown": moved.arrived.unknown,
    }


def _tell_arrived(moved: Moved) -> None:
    arrived = moved.arrived
    say(f"{counted(arrived.connections, 'connection')} recovering: nothing goes out until the notes are read back")
    if arrived.released or arrived.unknown:
        say(f"{arrived.released} taken up and not begun, {arrived.unknown} on the way: nobody knows of these yet")
