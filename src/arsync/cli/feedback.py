"""What the mail provider tells, and addresses that nobody writes to: events, suppressions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from arsync.bootstrap import App
from arsync.channel.sendgrid_events import MOST_BYTES, read
from arsync.cli.context import Author, Json, author_or_me, opened
from arsync.cli.output import complain, dump, flat, say, table
from arsync.errors import ConfigurationError, NotFound, UsageError
from arsync.inbox.feedback import Heard, hear
from arsync.store import suppressions
from arsync.worker.hearing import hear_lists

events = typer.Typer(no_args_is_help=True, help="What the mail provider tells of messages and addresses.")
shunned = typer.Typer(no_args_is_help=True, help="Addresses that nobody writes to.")


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.add_typer(events, name="events")
    program.add_typer(shunned, name="suppressions")


@events.command("import")
def import_events(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="The body of SendGrid's event webhook as it came; - for standard input.")
    ],
    signature: Annotated[str | None, typer.Option(help="Its signature header.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="Its timestamp header.")] = None,
    as_json: Json = False,
) -> None:
    """Takes what SendGrid's event webhook told: deliveries, bounces, spam reports, unsubscribes. With a signature it is
    checked; without one it is taken on your word."""
    if (signature is None) is not (timestamp is None):
        raise UsageError("--signature and --timestamp go together")
    body = _body(file)
    with opened(context) as app:
        if signature is not None and timestamp is not None:
            told = app.mailroom.read_events(body, signature=signature, timestamp=timestamp)
        else:
            told = read(body)
        heard = hear(app.store, told.events, app.clock)
    _report(heard, as_json, told.problems)
    if told.problems:
        raise typer.Exit(1)


@events.command()
def poll(context: typer.Context, as_json: Json = False) -> None:
    """Reads SendGrid's lists of addresses that it does not write to, as a run does once a day."""
    with opened(context) as app:
        lists = app.mailroom.lists
        if lists is None:
            raise ConfigurationError(f"{app.settings.source}: mail does not go by SendGrid (delivery.channel)")
        heard = hear_lists(app.store, lists, app.clock, at_once=True)
    assert heard is not None, "it was asked for at once"
    _report(heard, as_json)


def _body(file: Path) -> bytes:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with file.open("rb") as opened_file:
            return opened_file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error


def _report(heard: Heard, as_json: bool, problems: tuple[str, ...] = ()) -> None:
    if as_json:
        dump({"heard": heard, "problems": list(problems)})
    else:
        say(
            f"{heard.new} new, {heard.known} known before, {heard.foreign} about other mail; messages: "
            f"{heard.delivered} delivered, {heard.bounced} came back; {heard.suppressed} addresses suppressed"
        )
    for problem in problems:
        complain(problem)


@shunned.command("list")
def list_suppressions(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also what was lifted.")] = False,
    as_json: Json = False,
) -> None:
    """Lists the addresses that nobody writes to, since when and why."""
    with opened(context) as app, app.store.reading() as work:
        found = suppressions.listed(work, lifted=everything)
    if as_json:
        dump(found)
        return
    table(
        ("address", "why", "since", "told by", "in its words", "lifted"),
        [
            (
                one.address, one.kind, f"{one.since:%Y-%m-%d}", one.source, one.reason[:80],
                f"{one.lifted_at:%Y-%m-%d} by {one.lifted_by}" if one.lifted_at else "",
            )
            for one in found
        ],
    )  # fmt: skip


@shunned.command()
def lift(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="As it is listed.")],
    reason: Annotated[str, typer.Option(help="Why mail will arrive there now.")],
    author: Author = None,
) -> None:
    """Takes an address off the list, and off SendGrid's own where mail goes by it."""
    who = author_or_me(author)
    with opened(context) as app:
        with app.store.reading() as work:
            standing = [one for one in suppressions.listed(work) if one.address == address.strip().lower()]
        if not standing:
            raise NotFound(f"{address} is not suppressed")
        left = _lift_there(app, standing)
        with app.store.working() as work:
            suppressions.lift(work, address, author=who, reason=reason, now=app.clock.now())
            work.commit()
    say(flat(f"{address} is written to again"))
    for one in left:
        complain(flat(f"SendGrid keeps its own list of {one.kind} addresses: take {address} off there, too"))


def _lift_there(app: App, standing: list[suppressions.Suppression]) -> list[suppressions.Suppression]:
    """First at the provider: were it only lifted here, the next message would be dropped there. What only a person can
    lift there."""
    lists = app.mailroom.lists
    return [one for one in standing if one.source == "sendgrid" and not (lists and lists.forget(one.address, one.kind))]
