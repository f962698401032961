"""What customers promised: promise, promises, instalments."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

from arsync.acts import promising as acts
from arsync.acts.holding import money
from arsync.bootstrap import App
from arsync.cli.context import Author, ConnectionOption, Json, OfCompany, author_or_me, companies, opened
from arsync.cli.days import DAY
from arsync.cli.naming import CustomerOption, InvoiceArgument, whom
from arsync.cli.output import dump, flat, say, table
from arsync.domain.instalments import Every
from arsync.domain.money import Money
from arsync.domain.states import PromiseState
from arsync.errors import UsageError
from arsync.store import finding, promises
from arsync.store.engine import Work
from arsync.store.promises import Promise

Grace = Annotated[int, typer.Option(min=0, max=30, help="So many business days late is in time.")]
Why = Annotated[str, typer.Option(help="Who said it and how.")]


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(promise)
    program.command("promises")(list_promises)
    program.command()(instalments)


def promise(
    context: typer.Context,
    on: Annotated[datetime, typer.Option("--date", formats=[DAY], help="The day that the customer named.")],
    reason: Why,
    invoice: InvoiceArgument = None,
    customer: CustomerOption = None,
    amount: Annotated[str | None, typer.Option(help="How much; default: all that is open.")] = None,
    currency: Annotated[str | None, typer.Option(help="Where the customer owes in several.")] = None,
    grace: Grace = 2,
    connection: ConnectionOption = None,
    author: Author = None,
) -> None:
    """Keeps a customer's promise to pay: it is not chased until the day and its grace have passed."""
    with opened(context) as app:
        named = whom(app, invoice, customer, connection)
        day = on.date()
        promised, given = acts.promise(
            app, named, day, amount=amount, currency=currency, grace=grace, reason=reason, who=author_or_me(author)
        )
    say(flat(f"{promised} promised by {day} for {named.what}; it is in time until {given.until} "
             f"(take it back by: arsync lift {given.holds[0]}){given.told}"))  # fmt: skip


def list_promises(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Those that are settled, too.")] = False,
    connection: OfCompany = None,
    as_json: Json = False,
) -> None:
    """Lists what customers promised, by day; instalments too."""
    with opened(context) as app, app.store.reading() as work:
        found = [(one.name, promise) for one in companies(work, connection) for promise in _each(work, one.id)]
        rows = [(name, one) for name, one in found if every or one.state is PromiseState.OPEN]
        about = {one.id: _about(work, one) for _, one in rows}
    if as_json:
        dump([{"connection": name, "promise": one} for name, one in rows])
        return
    table(
        ("connection", "day", "in time until", "amount", "of", "state", "reason", "author"),
        [
            (name, one.promised_on, one.until, one.amount, about[one.id], one.state, one.reason, one.author)
            for name, one in rows
        ],
        right=("amount",),
    )


def _each(work: Work, connection_id: int) -> list[Promise]:
    parts = [one for plan in promises.plans_of(work, connection_id) for one in plan.instalments]
    return sorted([*promises.of_connection(work, connection_id), *parts], key=lambda one: (one.promised_on, one.id))


def _about(work: Work, one: Promise) -> str:
    payer = finding.customer_name(work, one.connection_id, one.payer_id)
    number = f"{finding.invoice_number(work, one.connection_id, one.invoice_id)} of " if one.invoice_id else ""
    return f"{number}{payer}{f' (plan {one.plan_id})' if one.plan_id else ''}"


# --- instalments ---------------------------------------------------------------------------------------------


def instalments(
    context: typer.Context,
    invoices: Annotated[list[str] | None, typer.Argument(metavar="[INVOICE]...")] = None,
    customer: CustomerOption = None,
    number: Annotated[int | None, typer.Option(min=1, max=120, help="How many, of the same amount.")] = None,
    every: Annotated[Every, typer.Option(help="How far apart.")] = Every.MONTH,
    first: Annotated[datetime | None, typer.Option(formats=[DAY], help="The day of the first.")] = None,
    part: Annotated[
        list[str] | None, typer.Option(metavar="DATE=AMOUNT", help="Or each by itself: 2026-01-31=120.50.")
    ] = None,
    amount: Annotated[str | None, typer.Option("--total", help="How much in all; default: all that is open.")] = None,
    reason: Why = "",
    currency: Annotated[str | None, typer.Option(help="Where the customer owes in several.")] = None,
    grace: Grace = 2,
    connection: ConnectionOption = None,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Agrees on instalments for invoices or a customer: not chased while on track; or lists the plans."""
    with opened(context) as app:
        if not invoices and customer is None:
            _list_plans(app, connection, as_json)
            return
        named = [whom(app, one, None, connection) for one in dict.fromkeys(invoices or ())]
        if customer is not None:
            if named:
                raise UsageError("name invoices, or --customer")
            named = [whom(app, None, customer, connection)]
        agreed = acts.instalments(
            app, named, lambda whole: _parts(whole, part, number, every, first), amount=amount, currency=currency,
            grace=grace, reason=reason, who=author_or_me(author),
        )  # fmt: skip
    say(flat(f"{len(agreed.parts)} instalments, {agreed.total} in all, for {' and '.join(one.what for one in named)} "
             f"(plan {agreed.plan_id}; take it back by: arsync lift {agreed.holds[0]})"))  # fmt: skip
    table(("day", "amount"), agreed.parts, right=("amount",))


def _parts(
    agreed: Money, listed: list[str] | None, number: int | None, every: Every, first: datetime | None
) -> list[tuple[date, Money]]:
    if listed:
        if number is not None or first is not None:
            raise UsageError("--part, or --number with --first")
        return sorted((_part(one, agreed.currency) for one in listed), key=lambda one: one[0])
    if number is None or first is None:
        raise UsageError("say --number and --first, or each --part")
    return acts.even(number, first.date(), every)(agreed)


def _part(written: str, currency: str) -> tuple[date, Money]:
    day, _, much = written.partition("=")
    try:
        return date.fromisoformat(day.strip()), money(much.strip(), currency)
    except ValueError:
        raise UsageError(f"--part {written!r}: write DATE=AMOUNT, as 2026-01-31=120.50") from None


def _list_plans(app: App, connection: str | None, as_json: bool) -> None:
    with app.store.reading() as work:
        those = companies(work, connection)
        every = [(one.name, plan) for one in those for plan in promises.plans_of(work, one.id)]
        payers = {plan.id: finding.customer_name(work, plan.connection_id, plan.payer_id) for _, plan in every}
    if as_json:
        dump([{"connection": name, "plan": plan} for name, plan in every])
        return
    rows = []
    for name, plan in every:
        came = sum(one.state is PromiseState.KEPT for one in plan.instalments)
        following = next((one for one in plan.instalments if one.state is PromiseState.OPEN), None)
        then = f"{following.amount} by {following.promised_on}" if following else ""
        rows.append(
            (plan.id, name, payers[plan.id], plan.total, plan.state, f"{came} of {len(plan.instalments)}", then)
        )
    table(("plan", "connection", "payer", "total", "state", "came", "next"), rows, right=("total",))
