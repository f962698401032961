"""What a person says to messages that wait: approvals, approve, unapprove, reject, edit."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from arsync.acts import approving as acts
from arsync.bootstrap import App
from arsync.cli.context import Author, Json, OfCompany, author_or_me, opened
from arsync.cli.output import counted, dump, flat, say, so_many, table
from arsync.domain.policy import StepChannel
from arsync.domain.states import MessageState
from arsync.errors import NotFound, UsageError
from arsync.store import connections, finding, messages
from arsync.store.engine import Work
from arsync.store.messages import Message

_SUBJECT: Final = "Subject: "
Reason = Annotated[str, typer.Option(help="Why.")]
Ids = Annotated[list[int] | None, typer.Argument(metavar="MESSAGE")]
StepOption = Annotated[str | None, typer.Option(help="All of this step.")]


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(approvals)
    program.command()(approve)
    program.command()(unapprove)
    program.command()(reject)
    program.command()(edit)


def approvals(
    context: typer.Context,
    message_id: Annotated[int | None, typer.Argument(metavar="[MESSAGE]", help="Print this one whole.")] = None,
    step: StepOption = None,
    connection: OfCompany = None,
    as_json: Json = False,
) -> None:
    """Lists the messages that wait for a person, or prints one as it would go out."""
    with opened(context) as app, app.store.reading() as work:
        waiting = [one for one in acts.that_wait(work, connection) if step in (None, one.step_id)]
        if message_id is not None:
            waiting = [one for one in waiting if one.id == message_id]
            if not waiting:
                raise NotFound(f"message {message_id} that waits for a person")
        if as_json:
            dump([{**_as_json(work, one), "message": one} for one in waiting])
        elif message_id is not None:
            show(work, waiting[0])
        else:
            tell_waiting(work, waiting)


def tell_waiting(work: Work, waiting: list[Message]) -> None:
    """Prints the queue, a line each."""
    names = {one.id: one.name for one in connections.connections(work)}
    table(
        ("id", "connection", "step", "payer", "to", "subject", "demands", "why"),
        [
            (one.id, names[one.connection_id], _step(one),
             finding.customer_name(work, one.connection_id, one.payer_id),
             ", ".join(one.recipients), one.subject, f"{one.amount:,.2f} {one.currency}", one.reason)
            for one in waiting
        ],
        right=("demands",),
    )  # fmt: skip


def _step(one: Message) -> str:
    return one.step_id if one.state is MessageState.PLANNED else f"{one.step_id} ({one.state})"


def show(work: Work, message: Message) -> None:
    """Prints one message as it would go out."""
    payer = finding.customer_name(work, message.connection_id, message.payer_id)
    say(
        flat(f"message {message.id}: {message.step_id} #{message.occurrence} to {payer}: {message.state}"), style="bold"
    )
    say(flat(f"     {message.reason}"))
    say(flat(f"To: {', '.join(message.recipients)}"))
    if message.copies:
        say(flat(f"Cc: {', '.join(message.copies)}"))
    say(flat(f"{_SUBJECT}{message.subject}"))
    say()
    say(message.text.rstrip())


def _as_json(work: Work, message: Message) -> dict[str, object]:
    return {
        "connection": connections.connection_by_id(work, message.connection_id).name,
        "payer": finding.customer_name(work, message.connection_id, message.payer_id),
        "items": messages.items(work, message.id),
    }


# --- yes ---------------------------------------------------------------------------------------------------


def approve(
    context: typer.Context,
    message_ids: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
    step: StepOption = None,
    may_shrink: Annotated[
        bool, typer.Option("--may-shrink", help="Invoices that are paid until then may drop out of it.")
    ] = False,
    connection: OfCompany = None,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Lists the messages that wait for a person, or approves some; they go out at the next run."""
    if sum((bool(message_ids), every, step is not None)) > 1:
        raise UsageError("name messages, or a --step, or --all")
    with opened(context) as app:
        if message_ids or every or step is not None:
            approve_messages(
                app, message_ids or None, author_or_me(author), step=step, may_shrink=may_shrink, connection=connection
            )
            return
        with app.store.reading() as work:
            waiting = acts.that_wait(work, connection)
            dump(waiting) if as_json else tell_waiting(work, waiting)


def approve_messages(
    app: App, message_ids: list[int] | None, author: str, *, step: str | None = None, may_shrink: bool = False,
    connection: str | None = None,
) -> int:  # fmt: skip
    """Approves these messages, or all that are planned (of a step, of a company); how many it were."""
    ids = message_ids
    if ids is None:
        with app.store.reading() as work:
            planned = acts.that_wait(work, connection, (MessageState.PLANNED,))
        ids = [one.id for one in planned if step in (None, one.step_id)]
    answer = acts.approve(app, ids, who=author, may_shrink=may_shrink)
    approved, changed, wait = answer.messages, answer.changed, app.settings.delivery.undo_minutes
    if not approved and not changed:
        say(_nothing_waits(step))
    letters = sum(one.channel == StepChannel.LETTER for one in approved)
    if letters:
        say(f"{counted(letters, 'letter')} approved, to be printed: arsync letters")
    if mails := len(approved) - letters:
        last = max((one.approved_until for one in approved if one.approved_until), default=None)
        ends = f"; the approval lasts until the next send window closes, {last:%Y-%m-%d %H:%M} UTC" if last else ""
        undone = f"in which arsync unapprove takes {'it' if mails == 1 else 'them'} back"
        undo = f", after {app.settings.delivery.undo_minutes} minutes {undone}" if wait else ""
        go = so_many(mails, "approved; it goes out", "approved; they go out")
        say(f"{go} at the next run{undo}{ends}")
    for message_id in changed:
        say(f"message {message_id} was changed meanwhile and is not approved: look at it again", style="yellow")
    return len(approved)


def _nothing_waits(step: str | None) -> str:
    return "nothing waits for approval" if step is None else f"nothing of the step {step} waits for approval"


# --- no ----------------------------------------------------------------------------------------------------


def unapprove(
    context: typer.Context, message_ids: Annotated[list[int], typer.Argument(metavar="MESSAGE")], author: Author = None
) -> None:
    """Takes an approval back, as long as nothing has left."""
    with opened(context) as app:
        acts.unapprove(app, message_ids, who=author_or_me(author))
    say(so_many(len(message_ids), "waits for approval again", "wait for approval again"))


def reject(
    context: typer.Context,
    reason: Reason,
    message_ids: Ids = None,
    step: StepOption = None,
    connection: OfCompany = None,
    author: Author = None,
) -> None:
    """Stops messages that have not left; the same is not planned again."""
    if bool(message_ids) == (step is not None):
        raise UsageError("name messages, or a --step")
    with opened(context) as app:
        chosen = message_ids or []
        if step is not None:
            with app.store.reading() as work:
                planned = acts.that_wait(work, connection, (MessageState.PLANNED,))
            chosen = [one.id for one in planned if one.step_id == step]
        acts.reject(app, chosen, reason=reason, who=author_or_me(author))
    if not chosen:
        say(_nothing_waits(step))
        return
    rejected = so_many(len(chosen), "rejected", "rejected")
    say(f"{rejected}; the same is not planned again (arsync resend lets one go after all)")


# --- other words -------------------------------------------------------------------------------------------


def edit(
    context: typer.Context,
    message_id: Annotated[int, typer.Argument(metavar="MESSAGE")],
    subject: Annotated[str | None, typer.Option(help="Another subject.")] = None,
    text_file: Annotated[Path | None, typer.Option(help="A file with the text.")] = None,
    author: Author = None,
) -> None:
    """Puts your words in place of the generated ones, from a file or in $EDITOR; a person has still to approve them."""
    with opened(context) as app:
        who = author_or_me(author)
        with app.store.reading() as work:
            one = acts.editable(acts.stoppable(work, message_id))
        new_subject, new_text = subject or one.subject, one.text
        if text_file is not None:
            new_text = _read(text_file)
        elif subject is None:
            new_subject, new_text = _in_editor(one)
        if not acts.edit(app, one, new_subject, new_text, who=who):
            say("nothing was changed")
            return
        with app.store.reading() as work:
            show(work, messages.get(work, one.id))
    say(f"\nmessage {message_id} says this now, and waits: arsync approve {message_id}", style="bold")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text: {type(error).__name__}") from None


def _in_editor(message: Message) -> tuple[str, str]:
    """What the person left in the editor, its first line the subject."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="arsync-") as folder:  # for its owner only
        draft = Path(folder) / f"message-{message.id}.txt"
        draft.write_text(f"{_SUBJECT}{message.subject}\n\n{message.text}", encoding="utf-8")
        try:
            left = subprocess.run([*editor, str(draft)], check=False).returncode  # noqa: S603 - the person's own
        except OSError as error:
            raise UsageError(f"the editor {editor[0]} cannot be started: {error.strerror}; set EDITOR") from None
        if left:
            raise UsageError(f"the editor ended with status {left}: nothing was changed")
        first, _, rest = _read(draft).partition("\n")
    if not first.startswith(_SUBJECT.rstrip()):
        raise UsageError("the first line must be 'Subject: ...'")
    return first.removeprefix(_SUBJECT.rstrip()).strip(), rest
