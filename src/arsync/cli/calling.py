"""What came of a call: call."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from arsync.acts import calling
from arsync.acts.calling import Said
from arsync.cli.context import Author, author_or_me, opened
from arsync.cli.days import DAY
from arsync.cli.output import flat, say
from arsync.cli.promising import Grace
from arsync.domain.people import CallOutcome, DisputeCode
from arsync.errors import UsageError


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(call)


def call(
    context: typer.Context,
    message_id: Annotated[int, typer.Argument(metavar="MESSAGE", help="As `arsync calls` lists it.")],
    outcome: Annotated[CallOutcome, typer.Option(help="How it went.")],
    day: Annotated[
        datetime | None, typer.Option("--date", formats=[DAY], help="The day that they named: of the money.")
    ] = None,
    amount: Annotated[str | None, typer.Option(help="How much they promised or contest; default: all.")] = None,
    code: Annotated[DisputeCode | None, typer.Option(help="What they contest.")] = None,
    invoices: Annotated[
        list[str] | None, typer.Option("--invoice", help="Of several in the call, the one they spoke of; repeatable.")
    ] = None,
    grace: Grace = 2,
    on: Annotated[datetime | None, typer.Option("--on", formats=[DAY], help="Day of the call; default: today.")] = None,
    comment: Annotated[str, typer.Option(help="What was said.")] = "",
    author: Author = None,
) -> None:
    """Keeps how a call of the list went, and what the customer said: promised, disputed or paid."""
    _check(outcome, day, amount, code, invoices)
    said = Said(
        outcome, day.date() if day else None, amount, code, invoices or (), grace, on.date() if on else None, comment
    )
    with opened(context) as app:
        kept = calling.keep(app, message_id, said, who=author_or_me(author))
    then = "; mend the number: arsync contact" if outcome is CallOutcome.WRONG_NUMBER else kept.fact.told
    undo = f"take it back by: arsync undo call {kept.number}"
    say(flat(f"call {message_id}: {kept.fact.said}, on {kept.on} ({undo}){then}"))


def _check(
    outcome: CallOutcome, day: datetime | None, amount: str | None, code: DisputeCode | None, invoices: object
) -> None:
    """UsageError where something is said that does not go with the outcome, or lacks."""
    o = CallOutcome
    goes_with: tuple[tuple[str, object, tuple[CallOutcome, ...]], ...] = (
        ("--date", day, (o.PROMISED, o.PAID)), ("--amount", amount, (o.PROMISED, o.DISPUTED)),
        ("--code", code, (o.DISPUTED,)), ("--invoice", invoices, (o.PROMISED, o.DISPUTED, o.PAID)),
    )  # fmt: skip
    for option, given, those in goes_with:
        if given and outcome not in those:
            raise UsageError(f"{option} goes with --outcome {' or '.join(those)}")
