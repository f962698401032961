"""An account that somebody else collects from now on: handoff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from arsync.acts.holding import put
from arsync.acts.noting import note
from arsync.cli.context import Author, ConnectionOption, author_or_me, opened
from arsync.cli.naming import one_payer
from arsync.cli.output import flat, say
from arsync.domain.chase import Hold
from arsync.domain.policy import StepChannel
from arsync.domain.statement import EntryKind, Statement
from arsync.domain.states import HoldKind, MessageState
from arsync.errors import UsageError
from arsync.store import chases, connections, events, holds, messages, statements
from arsync.store.engine import Work

_OPENING: Final = "handed over to "
#: What came back has reached nobody.
_HEARD: Final = (MessageState.ACCEPTED, MessageState.DELIVERED)


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(handoff)


def handoff(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(help="A customer's name, id or e-mail.")],
    to: Annotated[str, typer.Option(help="Who has it from now on: an agency, a lawyer.")],
    comment: Annotated[str, typer.Option(help="What was agreed with them.")] = "",
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Says that an agency or a lawyer has a customer's account: nothing more goes out, and the books are told."""
    if not to.strip():
        raise UsageError("--to: say who has it from now on")
    with opened(context) as app:
        found = one_payer(app, customer, connection)
        who, now = author_or_me(author), app.clock.now()
        with app.store.working() as work:
            company = connections.connection_by_id(work, found.connection_id)
            today = app.today(company)
            chases.lock_payers(work, company.id, [found.payer_id])  # who else hands it over waits
            _refuse_twice(work, company.id, found.payer_id)
            open_items = [one for one in statements.of_payer(work, company.id, found.payer_id, on=today) if one.owed]
            if not open_items:
                raise UsageError(f"nothing is open with {found.name}: there is nothing to hand over")
            reason = _OPENING + to + (f": {comment}" if comment else "")
            placed = Hold(HoldKind.LEGAL, reason, who, found.payer_id, None, today, None)
            hold_id = put(app, work, company, placed, what=found.name, now=now, noted=False)
            heard = [
                one
                for one in messages.of_payer(work, company.id, found.payer_id)
                if one.state in _HEARD and one.channel in (StepChannel.EMAIL, StepChannel.LETTER)
            ]
            asked = f"Messages before: {len(heard)}, the last on {heard[-1].sent_on}" if heard else "No message before"
            note(
                app, work, company, found.payer_id, None, by=who, now=now,
                what=f"Handed over to {to} (hold {hold_id}): {_sums(open_items)} of {found.name}, said",
                more=(*((comment,) if comment else ()), asked, *_invoices(open_items)),
            )  # fmt: skip
            events.log(
                work, "handed_over", at=now, author=who, connection_id=company.id, payer=found.payer_id, to=to,
                hold=hold_id, open=[str(one.owed) for one in open_items],
            )  # fmt: skip
            work.commit()
    say(flat(f"{found.name}: {_sums(open_items)} handed over to {to} (take it back by: arsync lift {hold_id})"))


def _refuse_twice(work: Work, connection_id: int, payer_id: str) -> None:
    for one in holds.active(work, connection_id):
        if one.hold.payer_id == payer_id and one.hold.kind is HoldKind.LEGAL and one.hold.reason.startswith(_OPENING):
            raise UsageError(
                f"it is {one.hold.reason} since {one.hold.begins}, by {one.hold.author} "
                f"(take it back by: arsync lift {one.id})"
            )


def _sums(open_items: Sequence[Statement]) -> str:
    return " and ".join(str(one.owed) for one in open_items)


def _invoices(open_items: Sequence[Statement]) -> list[str]:
    return [
        f"- invoice {line.entry.number}: {line.entry.open}, due {line.entry.due_on or 'on no day'}"
        for one in open_items
        for line in one.lines
        if line.entry.kind is EntryKind.INVOICE
    ]
