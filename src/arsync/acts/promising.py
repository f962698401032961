"""What a customer promises: one day, or instalments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from babel.numbers import get_currency_precision

from arsync.acts.days import last_day, to_come
from arsync.acts.holding import money
from arsync.acts.noting import kept, note
from arsync.acts.whom import Whom
from arsync.bootstrap import App
from arsync.domain.chase import Hold
from arsync.domain.instalments import Every, spread
from arsync.domain.money import Money, total
from arsync.domain.states import HoldKind, WriteKind
from arsync.errors import UsageError
from arsync.outbox import facts
from arsync.store import connections, events, holds, ledger, promises
from arsync.store.connections import Connection
from arsync.store.engine import Work


@dataclass(frozen=True, slots=True)
class Given:
    """A promise that was kept: its holds, its last day of grace, and what to say of the source."""

    holds: tuple[int, ...]
    until: date
    told: str


def promised_part(owed: Money, written: str | None) -> Money:
    """The amount that was promised of what is open, all of it where none is written; UsageError where it is more."""
    promised = money(written, owed.currency) if written else owed
    if promised > owed:
        raise UsageError(f"{owed} is open: {promised} is more", field="amount")
    return promised


def give(
    app: App, work: Work, company: Connection, named: Sequence[Whom], promised: Money, day: date, grace: int, *,
    reason: str, who: str, call_id: int | None = None,
) -> Given:  # fmt: skip
    """Keeps a promise for one invoice, for several, or for all that a customer pays for, with its holds and its event;
    its note is the caller's. UsageError where the day has passed."""
    now, today = app.clock.now(), app.today(company)
    to_come(day, today, field="day")
    invoice_ids = [one.invoice_id for one in named if one.invoice_id is not None]
    payer_id, until = named[0].payer_id, last_day(app, company, day, grace)
    promise_id = promises.give(
        work, company.id, payer_id=payer_id, invoice_id=invoice_ids[0] if len(invoice_ids) == 1 else None,
        amount=promised, promised_on=day, grace=grace, until=until, reason=reason, author=who, now=now,
        about=invoice_ids,
    )  # fmt: skip
    numbers = []
    for one in named:
        why = f"{promised} promised for {day}: {reason}"
        hold = Hold(HoldKind.PROMISE, why, who, payer_id, one.invoice_id, today, until)
        numbers.append(holds.place(work, company.id, hold, now=now, promise_id=promise_id, call_id=call_id))
    events.log(
        work, "promise_given", at=now, author=who, connection_id=company.id, promise=promise_id, holds=numbers,
        payer=payer_id, invoices=invoice_ids, amount=str(promised), day=day, until=until, reason=reason,
    )  # fmt: skip
    told = ""
    if invoice_ids and WriteKind.EXPECTED_ON in kept(app, company):
        for invoice_id in invoice_ids:
            facts.expect(work, company.id, invoice_id, day, now=now)
        told = "; the accounting system is told with the next run"
    return Given(tuple(numbers), until, told)


def owed_by(work: Work, named: Whom, currency: str | None) -> Money:
    """What is open of what is spoken of; UsageError where nothing is, or in several currencies."""
    if named.invoice is not None:
        if not named.invoice.balance:
            raise UsageError(f"nothing is open on {named.what}", field="invoice")
        return named.invoice.balance
    open_ones = ledger.open_balances(work, named.connection_id, named.payer_id)
    if currency is not None:
        open_ones = {code: owed for code, owed in open_ones.items() if code == currency.upper()}
    if not open_ones:
        raise UsageError(f"nothing is open{f' in {currency}' if currency else ''} of {named.what}", field="currency")
    if len(open_ones) > 1:
        listed = ", ".join(map(str, open_ones.values()))
        raise UsageError(f"name --currency: open are {listed}", field="currency")
    return next(iter(open_ones.values()))


def promise(
    app: App, named: Whom, day: date, *, amount: str | None, currency: str | None, grace: int, reason: str, who: str
) -> tuple[Money, Given]:
    """Keeps a promise with its note: how much was promised. UsageError where nothing is open, more is promised than
    that, the day has passed or no reason is given."""
    if not reason.strip():
        raise UsageError("the reason is missing: who said it, and how", field="reason")
    with app.store.working() as work:
        company = connections.connection_by_id(work, named.connection_id)
        promised = promised_part(owed_by(work, named, currency), amount)
        given = give(app, work, company, [named], promised, day, grace, reason=reason, who=who)
        note(
            app, work, company, named.payer_id, named.invoice_id, by=who, now=app.clock.now(),
            what=f"Promise (hold {given.holds[0]}): {promised} by {day} for {named.what}, said",
            more=(f"How: {reason}", f"In time until: {given.until}"),
        )  # fmt: skip
        work.commit()
    return promised, given


@dataclass(frozen=True, slots=True)
class Agreed:
    """A plan that was agreed."""

    plan_id: int
    holds: Sequence[int]
    parts: Sequence[tuple[date, Money]]
    total: Money


def instalments(
    app: App, named: Sequence[Whom], parts: Callable[[Money], list[tuple[date, Money]]], *, amount: str | None,
    currency: str | None, grace: int, reason: str, who: str,
) -> Agreed:  # fmt: skip
    """Agrees on a plan for what is named; `parts` divides what is agreed. UsageError where it cannot be one."""
    if not reason.strip():
        raise UsageError("the reason is missing: who agreed, and how", field="reason")
    if len({(one.connection_id, one.payer_id) for one in named}) > 1:
        raise UsageError("the invoices of one plan have one payer")
    with app.store.working() as work:
        company = connections.connection_by_id(work, named[0].connection_id)
        today = app.today(company)
        owed = [owed_by(work, one, currency) for one in named]
        if len({one.currency for one in owed}) > 1:
            raise UsageError("the invoices of one plan have one currency")
        in_all = total(owed, owed[0].currency)
        divided = parts(money(amount, in_all.currency) if amount else in_all)
        agreed = total((one for _, one in divided), in_all.currency)
        if agreed > in_all:
            raise UsageError(f"{in_all} is open: {agreed} is more", field="amount")
        to_come(divided[0][0], today, field="first")
        plan_id, hold_ids = agree(app, work, company, list(named), divided, agreed, grace, reason, who)
        work.commit()
    return Agreed(plan_id, hold_ids, divided, agreed)


def even(number: int, first: date, every: Every) -> Callable[[Money], list[tuple[date, Money]]]:
    """Divides into so many of the same amount from that day on; UsageError where that cannot be."""

    def divide(agreed: Money) -> list[tuple[date, Money]]:
        try:
            return spread(agreed, number, first, every, places=get_currency_precision(agreed.currency))
        except (ValueError, OverflowError) as error:
            raise UsageError(str(error), field="number") from error

    return divide


def agree(
    app: App, work: Work, company: Connection, named: list[Whom], parts: list[tuple[date, Money]], agreed: Money,
    grace: int, reason: str, who: str,
) -> tuple[int, list[int]]:  # fmt: skip
    """Agrees on instalments for what is named, all of one payer: the plan's number and its holds'."""
    now, today, payer = app.clock.now(), app.today(company), named[0].payer_id
    dated = [(day, last_day(app, company, day, grace), each) for day, each in parts]
    plan_id = promises.agree(
        work, company.id, payer_id=payer, invoice_ids=[one.invoice_id for one in named if one.invoice_id],
        instalments=dated, grace=grace, reason=reason, author=who, now=now,
    )  # fmt: skip
    listed = ", ".join(f"{each} by {day}" for day, each in parts)
    hold_ids = []
    for one in named:
        why = f"{len(parts)} instalments to {parts[-1][0]}, {agreed} in all: {reason}"
        hold = Hold(HoldKind.PLAN, why, who, payer, one.invoice_id, today, dated[-1][1])
        hold_ids.append(holds.place(work, company.id, hold, now=now, plan_id=plan_id))
        note(
            app, work, company, payer, one.invoice_id, by=who, now=now,
            what=f"Instalments (hold {hold_ids[-1]}) for {one.what} agreed",
            more=(f"{agreed} in all: {listed}", f"How: {reason}"),
        )  # fmt: skip
    events.log(
        work, "plan_agreed", at=now, author=who, connection_id=company.id, plan=plan_id, holds=hold_ids, payer=payer,
        total=str(agreed), instalments=[[day, str(each)] for day, each in parts], reason=reason,
    )  # fmt: skip
    return plan_id, hold_ids
