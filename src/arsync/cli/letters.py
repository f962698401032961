"""Letters on paper: what lies on the pile, print it, say that it was posted, take out what must not go."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from arsync.acts import posting
from arsync.acts.locking import locked
from arsync.bootstrap import App
from arsync.cli.context import Author, Json, author_or_me, opened
from arsync.cli.output import complain, counted, dump, flat, say, table
from arsync.errors import NotFound, UsageError
from arsync.store import connections, finding, letters
from arsync.store.connections import Connection
from arsync.store.letters import Letter
from arsync.worker import letters as post_room
from arsync.worker.letters import Checked

_DAY: Final = "%Y-%m-%d"
_BATCH: Final = re.compile(r"[Ll](\d+)")
Which = Annotated[list[str] | None, typer.Argument(metavar="BATCH|MESSAGE", help="L3, or a message's number.")]
Named = Annotated[list[str], typer.Argument(metavar="BATCH|MESSAGE", help="L3, or a message's number.")]

group = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="Letters to print and post: lists them, or works on them.",
)


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.add_typer(group, name="letters")


@group.callback()
def letters_(context: typer.Context, as_json: Json = False) -> None:
    """Lists the letters that are to be printed or posted, and those to be taken out of the pile."""
    if context.invoked_subcommand is not None:
        return
    with opened(context) as app:
        posting.gather(app, app.linked())
        with app.store.reading() as work:
            pile = letters.on_the_pile(work)
        _list(app, pile, as_json)


@group.command("open")
def open_(context: typer.Context, which: Named, as_json: Json = False) -> None:
    """Reads the source again, and says which of these letters still hold."""
    with opened(context) as app, locked(app):
        posting.gather(app, app.linked())
        checked = Checked()
        for company, those in _by_company(app, _chosen(app, which)):
            checked.extend(posting.look(app, company, those))
        if as_json:
            dump(_as_json(checked))
        else:
            _list(app, checked.holding, False)
            _tell_and_end(checked)


@group.command("print")
def print_(
    context: typer.Context,
    which: Which = None,
    to: Annotated[Path, typer.Option(help="The folder.")] = Path("letters"),
    again: Annotated[bool, typer.Option("--again", help="Also what was printed before.")] = False,
    author: Author = None,
) -> None:
    """Reads the source again and prints what still holds: a PDF with the letters and one with their list, by batch."""
    with opened(context) as app, locked(app):
        posting.gather(app, app.linked())
        who = author_or_me(author)
        checked = Checked()
        for company, those in _by_company(app, _chosen(app, which)):
            by_batch: dict[int, list[Letter]] = defaultdict(list)
            for letter in those:
                by_batch[letter.batch_id].append(letter)
            for batch_id, batch in sorted(by_batch.items()):
                checked.extend(_print(app, company, batch_id, batch, to, again=again, author=who))
        _tell_and_end(checked)


@group.command("posted")
def posted(
    context: typer.Context,
    which: Named,
    on: Annotated[datetime | None, typer.Option("--on", formats=[_DAY], help="Default: today.")] = None,
    gone: Annotated[bool, typer.Option("--gone", help="They have left the house, whatever the source says.")] = False,
    author: Author = None,
) -> None:
    """Says that letters were posted; the source is read again first, and what does not hold is not to be posted."""
    with opened(context) as app, locked(app):
        who = author_or_me(author)
        checked = Checked()
        for company, those in _by_company(app, _chosen(app, which, all_states=gone)):
            if gone:
                day = posting.posting_day(app, company, on.date() if on else None)
                printed = [letter for letter in those if letter.prints]
                for letter in those:
                    if not letter.prints:
                        complain(f"letter {letter.message.id} was never printed: it cannot have left the house")
                post_room.keep_gone(app.store, app.desk(company), app.clock, printed, on=day, author=who)
                say(f"{company.name}: {counted(len(printed), 'letter')} kept as posted on {day}")
                continue
            found, day = posting.post(app, company, those, on.date() if on else None, who=who)
            noted = "; what is noted of it is written at the next run" if found.holding else ""
            say(f"{company.name}: {counted(len(found.holding), 'letter')} posted on {day}{noted}")
            checked.extend(found)
        _tell_and_end(checked)


@group.command("pull")
def pull(
    context: typer.Context,
    which: Which = None,
    done: Annotated[bool, typer.Option("--done", help="They have been taken out.")] = False,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Reads the source again, and lists the printed letters that must be taken out of the pile."""
    with opened(context) as app, locked(app):
        printed = [letter for letter in _chosen(app, which) if letter.prints]
        checked = Checked()
        for company, those in _by_company(app, printed):
            checked.extend(posting.look(app, company, those))
        out = [letter for letter, _why in checked.pulled if letter.taken_out_at is None]
        if as_json:
            dump(_as_json(checked))
        else:
            _tell(checked)
            if not out:
                say("nothing is to be taken out of the pile")
        if done and out:
            posting.take_out(app, out, who=author_or_me(author))
            say(f"{counted(len(out), 'letter')} kept as taken out")
        elif out:
            raise typer.Exit(1)


def _chosen(app: App, which: Sequence[str] | None, *, all_states: bool = False) -> list[Letter]:
    """The letters of these batches and numbers, or all on the pile; NotFound where one is none."""
    with app.store.reading() as work:
        if not which:
            return letters.on_the_pile(work)
        found: dict[int, Letter] = {}
        for word in which:
            batch = _BATCH.fullmatch(word)
            if batch:
                those = letters.of_batch(work, int(batch[1]))
                those = [one for one in those if one.message.accepted_at is None]
            else:
                those = letters.of_messages(work, [int(word)]) if word.isdecimal() else []
            if not those:
                raise NotFound(f"letter {word!r} on the pile")
            found |= {one.message.id: one for one in those}
    if all_states:
        return [one for one in found.values() if one.taken_out_at is None]
    return list(found.values())


def _by_company(app: App, those: Iterable[Letter]) -> list[tuple[Connection, list[Letter]]]:
    by_id: dict[int, list[Letter]] = defaultdict(list)
    for letter in those:
        by_id[letter.message.connection_id].append(letter)
    with app.store.reading() as work:
        return [(connections.connection_by_id(work, one), found) for one, found in sorted(by_id.items())]


def _print(
    app: App, company: Connection, batch_id: int, batch: list[Letter], to: Path, *, again: bool, author: str
) -> Checked:
    run = posting.to_print(app, company, batch_id, batch, again=again)
    for letter in run.before:
        complain(
            f"L{batch_id}: letter {letter.message.id} was printed by {letter.printed_by} at "
            f"{letter.printed_at:%Y-%m-%d %H:%M} UTC and not posted yet; print it once more: --again"
        )
    if not run.those:
        return Checked()
    paths = (to / f"{run.name}.pdf", to / f"{run.name}-list.pdf")
    for path in paths:
        if path.exists():
            raise UsageError(f"{path} is there already: choose another folder by --to")
    printed = posting.print_(app, company, run, who=author)
    if printed.sheets:
        try:
            to.mkdir(parents=True, exist_ok=True)
            for path, body in zip(paths, (printed.letters, printed.cover), strict=True):
                with path.open("xb") as file:
                    file.write(body)
        except OSError as error:
            kept = "" if run.trial else "; the letters are kept as printed: --again"
            raise UsageError(f"{path} cannot be written: {error.strerror or error}{kept}") from None
        say(f"{company.name}: {counted(printed.sheets, 'letter')} in {paths[0]}, their list in {paths[1]}")
        if run.trial:
            say(f"a trial, not to be posted: delivery.redirect_to is set ({run.trial})", style="yellow")
        else:
            say(f"when they are posted: arsync letters posted L{batch_id}")
    return printed.checked


def _list(app: App, pile: Sequence[Letter], as_json: bool) -> None:
    if as_json:
        dump([_letter(one) for one in pile])
        return
    if not pile:
        say("no letter is to be printed or posted")
        return
    with app.store.reading() as work:
        rows = [
            (
                f"L{one.batch_id}", one.message.id,
                finding.customer_name(work, one.message.connection_id, one.message.payer_id), one.message.step_id,
                f"{one.message.amount:,.2f} {one.message.currency}", posting.stands(one),
            )
            for one in pile
        ]  # fmt: skip
    table(("batch", "id", "payer", "step", "demands", ""), rows, right=("demands",))


def _tell_and_end(checked: Checked) -> None:
    """With status 1 where we failed on one of them."""
    _tell(checked)
    if checked.failed:
        raise typer.Exit(1)


def _tell(checked: Checked) -> None:
    for letter, reason in checked.pulled:
        complain(flat(f"letter {letter.message.id} must not go out: {reason}; {posting.paper(letter)}"))
    for letter, reason in checked.later:
        say(flat(f"letter {letter.message.id}: not now: {reason}"), style="yellow")
    for letter, reason in checked.failed:
        complain(flat(f"letter {letter.message.id} of L{letter.batch_id}: {reason}; the others are not affected"))


def _as_json(checked: Checked) -> dict[str, Any]:
    return {
        "holding": [_letter(one) for one in checked.holding],
        "pull": [{**_letter(one), "reason": reason} for one, reason in checked.pulled],
        "later": [{**_letter(one), "reason": reason} for one, reason in checked.later],
        "failed": [{**_letter(one), "reason": reason} for one, reason in checked.failed],
    }


def _letter(one: Letter) -> dict[str, Any]:
    return {
        "batch": f"L{one.batch_id}",
        "message": one.message.id,
        "payer_id": one.message.payer_id,
        "step": one.message.step_id,
        "amount": one.message.amount,
        "currency": one.message.currency,
        "state": one.message.state,
        "to": one.message.recipients,
        "prints": one.prints,
        "printed_at": one.printed_at,
        "pull": one.to_be_pulled,
    }
