"""Playbooks: lint, show."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from arsync.acts.noting import note
from arsync.bootstrap import App
from arsync.cli.context import Author, ConnectionOption, Json, author_or_me, opened
from arsync.cli.naming import one_customer, one_invoice
from arsync.cli.output import counted, dump, flat, say, table
from arsync.domain.clock import SystemClock
from arsync.domain.policy import Act, Anchor, Group, Step, Tone
from arsync.errors import NotFound, UsageError
from arsync.playbook import review as reviews
from arsync.playbook.checking import checked
from arsync.playbook.step_checks import reads_replies
from arsync.settings import load as load_settings
from arsync.store import assignments, connections

_group = typer.Typer(no_args_is_help=True, help="Chase policies.")


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.add_typer(_group, name="playbook")


@_group.command()
def lint(
    context: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(help="Default: every playbook of this installation.")] = None,
    as_json: Json = False,
) -> None:
    """Checks playbooks and their templates: all problems at once, each with its file and line."""
    settings = load_settings(context.obj.config)
    found = checked(settings, files, today=SystemClock().now().date())
    problems = found.problems
    if as_json:
        dump(problems)
    else:
        for problem in problems:
            say(str(problem))
        for name, playbook in found.good.items():
            for step_id in reads_replies(playbook):
                say(f"{name}: {step_id} depends on replies, and arsync does not read them yet: none is ever known")
        which = "" if files or found.own else f" as shipped (none in {settings.playbook_folder})"
        say(f"{counted(len(found.paths), 'playbook')}{which}, {counted(len(problems), 'problem')}")
    if problems:
        raise typer.Exit(1)


@_group.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A playbook's name or file.")] = "standard",
    as_json: Json = False,
) -> None:
    """Shows a playbook's ladder and its version."""
    with opened(context) as app:
        playbook, templates = app.playbook(name)
    if as_json:
        dump({key: value for key, value in asdict(playbook).items() if key != "shape"})
        return
    window = playbook.window
    days = " ".join(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day] for day in sorted(window.weekdays))
    say(f"{playbook.name}, version {playbook.version[:12]}", style="bold")
    say(f"at least {playbook.gap} days between two messages; {days}, {window.opens:%H:%M}-{window.closes:%H:%M}")
    table(
        ("step", "day", "channel", "tone", "mode", "template", "besides"),
        [
            (
                step.id,
                _day(step),
                step.channel,
                step.tone.name.lower(),
                _mode(step),
                step.template,
                _besides(step),
            )
            for step in playbook.steps
        ],
        right=("day",),
    )
    caps = {"7 days": playbook.caps.week, "30 days": playbook.caps.month, "one day": playbook.caps.mailbox}
    if said := ", ".join(f"{most} in {span}" for span, most in caps.items() if most is not None):
        say(f"at most: {said}")
    if playbook.group is Group.INVOICE:
        say("each invoice at its own pace, one message at a time")
    if playbook.end is not None:
        say(f"in the end, {playbook.end.id}: {playbook.end.says}")
    say(f"templates: {templates}")


def _day(step: Step) -> str:
    if step.act is Act.THANK_YOU:
        return "paid"
    counted = "" if step.anchor is Anchor.DUE_DATE else f" from {step.anchor.value.replace('_', ' ')}"
    return f"{step.offset:+d}{counted}"


def _besides(step: Step) -> str:
    """What few steps have: what they do, what they depend on, how often."""
    said = [] if step.act is Act.REMIND else [step.act.value]
    said += [f"when {' or '.join(sorted(step.when))}"] if step.when else []
    said += [f"unless {' or '.join(sorted(step.unless))}"] if step.unless else []
    if step.repeat is not None:
        end = f"until day {step.repeat.until}" if step.repeat.times is None else f"{step.repeat.times} more"
        said.append(f"every {step.repeat.every} days, {end}")
    if step.attached:
        said.append(f"with {' and '.join(step.attached)}")
    return "; ".join(said)


def _mode(step: Step) -> str:
    if step.is_task:
        return "task"
    if step.mode is not None:
        return step.mode
    return "as configured" if step.tone < Tone.FIRM else "approve, until replies are read"


@_group.command()
def review(context: typer.Context, as_json: Json = False) -> None:
    """Lists changed playbooks that running chases have not taken, and who would move from which step to which."""
    with opened(context) as app, app.store.reading() as work:
        found = reviews.review(work, [(one, app.policy(one)) for one in app.linked()], now=app.clock.now())
    if as_json:
        dump(found)
        return
    if not found:
        say("every running chase is on the present playbooks")
    for one in found:
        kept = "; they stay, as somebody said" if one.refused else ""
        say(f"{one.name} was {one.change}: {one.chases} chases run without that, {len(one.moves)} would move{kept}")
        rows = [(move.connection, flat(move.payer), move.currency, move.before, move.after) for move in one.moves]
        if rows:
            table(("connection", "payer", "currency", "stands on", "would stand on"), rows)


@_group.command()
def accept(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="As `arsync playbook review` lists them.")],
    author: Author = None,
) -> None:
    """Lets running chases go on with the present versions of playbooks."""
    with opened(context) as app, app.store.working() as work:
        those = [(one, app.policy(one)) for one in app.linked()]
        moved = reviews.accept(work, those, names, author=author_or_me(author), now=app.clock.now())
        work.commit()
    say(f"{moved} chases go on with {', '.join(names)} as it is now")


@_group.command()
def keep(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As `arsync playbook review` lists it.")],
    author: Author = None,
) -> None:
    """Lets running chases stay with what they began with, whatever the file says now."""
    with opened(context) as app, app.store.working() as work:
        those = [(one, app.policy(one)) for one in app.linked()]
        reviews.keep(work, those, name, author=author_or_me(author), now=app.clock.now())
        work.commit()
    say(f"running chases stay with the {name} that they began with; new ones take the present")


@_group.command()
def assign(
    context: typer.Context,
    whom: Annotated[str, typer.Argument(metavar="CUSTOMER|INVOICE", help="A customer's name or id, or a number.")],
    name: Annotated[str | None, typer.Argument(help="The playbook.")] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    clear: Annotated[bool, typer.Option("--clear", help="Back to what its conditions say.")] = False,
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Chooses a playbook for a customer or for one invoice, whatever the conditions say."""
    if clear == (name is not None):
        raise UsageError("name a playbook, or --clear")
    if name is not None and not reason.strip():
        raise UsageError("--reason: why this playbook?")
    with opened(context) as app:
        connection_id, payer_id, invoice_id, named = _whom(app, whom, connection)
        who, now = author_or_me(author), app.clock.now()
        if name is not None:
            app.playbook(name)  # or ConfigurationError
        with app.store.working() as work:
            if name is None:
                if not assignments.clear(
                    work, connection_id, payer_id=payer_id, invoice_id=invoice_id, author=who, now=now
                ):
                    raise NotFound(f"a playbook that was chosen for {whom!r}")
            else:
                assignments.assign(
                    work, connection_id, payer_id=payer_id, invoice_id=invoice_id, playbook=name, reason=reason,
                    author=who, now=now,
                )  # fmt: skip
            company = connections.connection_by_id(work, connection_id)
            told = f"Playbook {name} chosen" if name else "Playbook left to its conditions again"
            note(
                app, work, company, payer_id, invoice_id, what=f"{told} for {named}, said",
                more=(f"Reason: {reason}",) if name else (), by=who, now=now,
            )  # fmt: skip
            work.commit()
    back = " (take it back by: arsync playbook assign --clear)" if name else ""
    say(flat(f"{whom} follows {name or 'what the conditions of the playbooks say'} from the next run on{back}"))


def _whom(app: App, whom: str, connection: str | None) -> tuple[int, str, str | None, str]:
    """(connection, payer, invoice or none, in words) of a customer's name or id, else of an invoice's number."""
    try:
        customer = one_customer(app, whom, connection)
    except NotFound:
        billed = one_invoice(app, whom, connection)
        what = f"invoice {billed.number} of {billed.customer}"
        return billed.connection_id, billed.payer_id, billed.invoice_id, what
    return customer.connection_id, customer.payer_id, None, f"everything {customer.name} pays for"
