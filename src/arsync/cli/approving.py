"""What a person says to messages that wait: approvals, approve, unapprove, reject, edit."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from arsync.bootstrap import App
from arsync.cli.context import Author, Json, OfCompany, author_or_me, companies, opened
from arsync.cli.output import counted, dump, flat, say, so_many, table
from arsync.domain.policy import StepChannel
from arsync.domain.states import MessageState
from arsync.errors import NotFound, UsageError
from arsync.playbook.approval import lasts_until
from arsync.render.edited import edited
from arsync.store import approvals as answers
from arsync.store import connections, finding, messages
from arsync.store.engine import Work
from arsync.store.messages import Message
from arsync.store.planned import Approval

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
        waiting = [one for one in _that_wait(work, connection) if step in (None, one.step_id)]
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


def _that_wait(work: Work, connection: str | None, states: Sequence[MessageState] = answers.WAITING) -> list[Message]:
    those = None if connection is None else companies(work, connection)[0].id
    return messages.in_states(work, states, those)


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
            waiting = _that_wait(work, connection)
            dump(waiting) if as_json else tell_waiting(work, waiting)


def approve_messages(
    app: App, message_ids: list[int] | None, author: str, *, step: str | None = None, may_shrink: bool = False,
    connection: str | None = None,
) -> int:  # fmt: skip
    """Approves these messages, or all that are planned (of a step, of a company); how many it were."""
    policies = {one.id: app.policy(one) for one in app.linked()}
    now = app.clock.now()
    wait = timedelta(minutes=app.settings.delivery.undo_minutes)
    approved: list[Message] = []
    changed: list[int] = []
    with app.store.working() as work:
        waiting = {one.id: one for one in _that_wait(work, connection)}
        planned = [
            one.id for one in waiting.values() if one.state is MessageState.PLANNED and step in (None, one.step_id)
        ]
        for message_id in message_ids or planned:
            one = _waiting(work, waiting.get(message_id), message_id)
            policy = policies.get(one.connection_id)
            # A letter is posted by hand, at whatever hour.
            mailed = policy is not None and one.channel == StepChannel.EMAIL
            until = lasts_until(work, policy, one, now=now) if policy is not None and mailed else None
            yes = Approval(author, now, until, may_shrink=may_shrink)
            gone = answers.approve(work, one, yes, not_before=now + wait if wait else None, now=now)
            approved.append(messages.get(work, one.id)) if gone else changed.append(one.id)
        work.commit()
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


def _waiting(work: Work, found: Message | None, message_id: int) -> Message:
    if found is None:
        raise NotFound(f"message {message_id} that waits for a person")
    live = messages.live_of(work, found.chase_id)
    if live is not None and live.id != found.id:
        raise UsageError(f"message {live.id} of the same chase is {live.state}: settle it first")
    return found


# --- no ----------------------------------------------------------------------------------------------------


def unapprove(
    context: typer.Context, message_ids: Annotated[list[int], typer.Argument(metavar="MESSAGE")], author: Author = None
) -> None:
    """Takes an approval back, as long as nothing has left."""
    with opened(context) as app, app.store.working() as work:
        who, now = author_or_me(author), app.clock.now()
        for one in _stoppable(work, message_ids):
            if one.approved_by is None:
                raise UsageError(
                    f"message {one.id} goes by its playbook and was approved by nobody: arsync reject stops it"
                )
            whose = "" if one.approved_by == who else f" of {one.approved_by}"
            reason = f"{who} took back the approval{whose}"
            if not answers.take_back(work, one, reason=reason, author=who, told="approval_taken_back", now=now):
                raise UsageError(f"message {one.id} has just gone on: arsync outbox {one.id} tells how")
        work.commit()
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
    with opened(context) as app, app.store.working() as work:
        who, now = author_or_me(author), app.clock.now()
        if step is not None:
            chosen = [one for one in _that_wait(work, connection, (MessageState.PLANNED,)) if one.step_id == step]
        else:
            chosen = _stoppable(work, message_ids or [])
        for one in chosen:
            if not answers.reject(work, one, reason=reason, author=who, now=now):
                raise UsageError(f"message {one.id} has just gone on: arsync outbox {one.id} tells how")
        work.commit()
    if not chosen:
        say(_nothing_waits(step))
        return
    rejected = so_many(len(chosen), "rejected", "rejected")
    say(f"{rejected}; the same is not planned again (arsync resend lets one go after all)")


def _stoppable(work: Work, message_ids: list[int]) -> list[Message]:
    found = {one.id: one for one in messages.in_states(work, answers.STOPPABLE)}
    for message_id in message_ids:
        if message_id not in found:
            raise NotFound(f"message {message_id} that has not left and can be stopped (arsync outbox {message_id})")
    return [found[message_id] for message_id in message_ids]


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
            (one,) = _stoppable(work, [message_id])
        if one.state not in (MessageState.PLANNED, MessageState.APPROVED) or one.channel != StepChannel.EMAIL:
            raise UsageError(f"message {one.id} is {one.state}, by {one.channel}: only mail that waits can be edited")
        new_subject, new_text = subject or one.subject, one.text
        if text_file is not None:
            new_text = _read(text_file)
        elif subject is None:
            new_subject, new_text = _in_editor(one)
        words = edited(new_subject, new_text, language=one.locale)
        if (words.subject, words.text.strip()) == (one.subject, one.text.strip()):
            say("nothing was changed")
            return
        with app.store.working() as work:
            if not answers.edit(work, one, words, author=who, now=app.clock.now()):
                raise UsageError(f"message {one.id} was changed meanwhile: look at it again")
            work.commit()
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
