"""Mails that come in: inbox poll, inbox read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arsync.bootstrap import App
from arsync.cli.acting import act_on
from arsync.cli.context import Json, opened
from arsync.cli.output import dump, flat, say
from arsync.domain.replies import MailKind
from arsync.errors import ConfigurationError, UsageError
from arsync.inbox.intake import Taken, take
from arsync.inbox.mail import READ, read
from arsync.store import finding, replies

_group = typer.Typer(no_args_is_help=True, help="Mails that come in.")


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.add_typer(_group, name="inbox")


@_group.command()
def poll(context: typer.Context, as_json: Json = False) -> None:
    """Reads the mailbox of `[inbox] imap.*` from where it was read last; `arsync run` begins with it."""
    with opened(context) as app:
        done = app.poll()
        if done is None:
            raise ConfigurationError(f"{app.settings.source}: no mailbox is configured (inbox.imap.host)")
        lines = [_told(app, one) for one in done.taken]
        lines += act_on(app, done.taken)
    if as_json:
        dump({"taken": done.taken, "known": done.known})
        return
    say(done.told)
    for line in lines:
        say(flat(line))


@_group.command("read")
def read_files(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Mails as .eml files.")],
    as_json: Json = False,
) -> None:
    """Takes mails from files, as if they had come into the mailbox; one that is known is not taken twice."""
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise UsageError(f"no such file: {', '.join(missing)}")
    taken = []
    with opened(context) as app:
        fronts = app.fronts()
        for file in files:
            with file.open("rb") as stream:
                mail = read(stream.read(READ), size=file.stat().st_size)
            one = take(app.store, mail, origin=f"file {file.name}", fronts=fronts, clock=app.clock)
            taken.append((file, one, "; ".join([_told(app, one), *act_on(app, [one])])))
    if as_json:
        dump([{"file": str(file), "taken": one} for file, one, _ in taken])
        return
    for file, _, line in taken:
        say(flat(f"{file.name}: {line}"))


def _told(app: App, one: Taken) -> str:
    """What became of a mail, in a sentence."""
    if one.reply_id is None:
        return "was taken before"
    with app.store.reading() as work:
        kept = replies.get(work, one.reply_id)
        assert kept is not None
        payer = (
            finding.customer_name(work, kept.connection_id, kept.payer_id)
            if kept.connection_id is not None and kept.payer_id is not None
            else None
        )
    whose = f"of {payer}" if payer else "of nobody that is known"
    meaning = ""
    if kept.kind is MailKind.PERSON and kept.meaning is not None:
        meaning = f", by the rules {kept.meaning.replace('_', ' ')} ({kept.confidence}%)"
    then = "; the chase is paused" if one.paused else ""
    return f"reply {kept.id} {whose}, {kept.kind}{meaning}: {kept.why}{then}"
