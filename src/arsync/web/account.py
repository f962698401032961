"""A customer's account, read for its page in a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from arsync.acts import approving, story
from arsync.domain.aging import AgingBucket, bucket, days_past_due
from arsync.domain.behaviour import Behaviour
from arsync.domain.chase import Hold, Item
from arsync.domain.clock import local_date
from arsync.domain.documents import Contact
from arsync.domain.money import Money
from arsync.domain.states import MessageState
from arsync.errors import NotFound
from arsync.store import account, behaviour, connections, holds, ledger, messages
from arsync.store.account import Document, Sent
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.holds import PlacedHold
from arsync.store.ledger import Payer
from arsync.store.verdicts import Interval
from arsync.web.visit import Visit

_DOCUMENTS: Final = 40
_MESSAGES: Final = 60
#: Lines of the story that a page has room for.
LINES: Final = 150
_NOTHING: Final = Decimal("0.00")
#: States of documents that go without saying.
_USUAL: Final = ("open", "paid", "active")


@dataclass(frozen=True, slots=True)
class Balance:
    """What is owed in one currency, by age."""

    currency: str
    open: Money
    overdue: Money
    on_account: Money
    ages: tuple[tuple[AgingBucket, Money], ...]


@dataclass(frozen=True, slots=True)
class Owed:
    """An open invoice with the answer that stands for it; `stopped` is what was placed since and stops it."""

    item: Item
    days_late: int | None
    verdict: Interval | None
    stopped: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened."""

    day: date
    kind: str
    told: str
    at: datetime | None
    money: Money | None = None
    left: Money | None = None  # of it
    still: str = ""  # where that is


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that a person may let out; `mark` stands for what was shown of it."""

    message: messages.Message
    mark: str


@dataclass(frozen=True, slots=True)
class Account:
    """All of the page."""

    company: Connection
    payer: Payer
    today: date
    balances: tuple[Balance, ...]
    owed: tuple[Owed, ...]
    ratings: Sequence[Behaviour]
    owner: str | None
    holds: Sequence[PlacedHold]
    calls: Sequence[Sent]
    waiting: Sequence[Waiting]
    story: Sequence[Line]
    more: bool  # there is more of the story than stands here
    button: str | None  # everything is stopped, as somebody said

    @property
    def contacts(self) -> Sequence[Contact]:
        """Who is written to and called there."""
        return self.payer.contacts


def read(visit: Visit, payer_id: str) -> Account:
    """The account; NotFound where the company has no such customer."""
    company, app = visit.company, visit.app
    assert company is not None
    today, zone = app.today(company), app.timezone(company)
    with app.store.reading() as work:
        book = ledger.read(work, company.id, payer_id)
        payer = book.payers.get(payer_id)
        if payer is None:
            raise NotFound
        items = [one for (of, _), those in book.items.items() if of == payer_id for one in those]
        loose = {currency: amount for (of, currency), amount in book.unapplied.items() if of == payer_id}
        verdicts = account.verdicts(work, company.id, [one.invoice_id for one in items])
        placed = [one for one in holds.active(work, company.id) if one.hold.payer_id in (None, payer_id)]
        sent = account.sent(work, company.id, payer_id, most=_MESSAGES)
        documents = account.documents(work, company.id, payer_id, most=_DOCUMENTS)
        said = story.said(work, company.id, payer_id, holds=LINES)
        owner = story.owner_line(work, company.id, payer_id)
        ratings = behaviour.of_payer(work, company.id, payer_id, today)
        waiting = _waiting(work, sent)
        installation = connections.installation(work)
    lines = [*_documents(documents), *_messages(sent, zone), *_said(said, zone)]
    lines.sort(key=lambda one: (one.day, one.at is not None, one.at and one.at.timestamp()), reverse=True)
    stop = installation.stopped_at is not None
    return Account(
        company=company, payer=payer, today=today, balances=_balances(items, loose, today),
        owed=tuple(_owed(one, verdicts.get(one.invoice_id), placed, today) for one in sorted(items, key=_by_due)),
        ratings=ratings, owner=owner, holds=placed,
        calls=[one for one in sent if one.channel == "call" and one.state is MessageState.ACCEPTED], waiting=waiting,
        story=lines[:LINES], more=len(lines) > LINES or len(sent) == _MESSAGES or len(documents) >= _DOCUMENTS,
        button=f"{installation.stopped_by}: {installation.stop_reason}" if stop else None,
    )  # fmt: skip


def _by_due(item: Item) -> tuple[date, str]:
    return item.due_on or date.max, item.number


def _balances(items: Sequence[Item], loose: dict[str, Decimal], today: date) -> tuple[Balance, ...]:
    found = []
    by_age: defaultdict[str, defaultdict[AgingBucket, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for one in items:
        by_age[one.balance.currency][bucket(one.due_on, today)] += one.balance.amount
    for currency in sorted({*by_age, *(of for of, amount in loose.items() if amount)}):
        ages = by_age[currency]
        in_all = sum(ages.values(), start=_NOTHING)
        found.append(
            Balance(
                currency, Money(in_all, currency), Money(in_all - ages[AgingBucket.CURRENT], currency),
                Money(loose.get(currency, _NOTHING), currency),
                tuple((age, Money(ages[age], currency)) for age in AgingBucket),
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda one: -one.overdue.amount))


def _owed(item: Item, verdict: Interval | None, placed: Sequence[PlacedHold], today: date) -> Owed:
    since = next(
        (
            one
            for one in placed
            if one.hold.part is None
            and one.hold.is_on(today)
            and one.hold.invoice_id in (None, item.invoice_id)
            and (verdict is None or verdict.at < one.created_at)
        ),
        None,
    )
    stopped = None if since is None else _in_words(since.hold)
    return Owed(item, None if item.due_on is None else days_past_due(item.due_on, today), verdict, stopped)


def _in_words(hold: Hold) -> str:
    until = f" until {hold.until}" if hold.until else ""
    return f"{hold.kind.replace('_', ' ')} by {hold.author}{until}: {hold.reason}"


def _waiting(work: Work, sent: Sequence[Sent]) -> list[Waiting]:
    ids = [one.id for one in sent if one.state is MessageState.PLANNED]
    return [Waiting(one, approving.shown(one)) for one in (messages.some(work, ids) if ids else ())]


def _documents(those: Sequence[Document]) -> list[Line]:
    return [
        Line(
            one.day, one.kind,
            f"{one.kind} {one.number}".strip() + (f", {one.state}" if one.state not in _USUAL else ""), None,
            one.amount, one.left if one.left.amount else None, "open" if one.kind == "invoice" else "on no invoice",
        )
        for one in those
    ]  # fmt: skip


def _messages(those: Sequence[Sent], zone: str) -> list[Line]:
    return [
        Line(
            local_date(one.at, zone), one.channel,
            f"message {one.id}, {one.step_id}: {one.state.replace('_', ' ')}, {one.reason}", one.at, one.amount,
        )
        for one in those
    ]  # fmt: skip


def _said(those: Sequence[tuple[datetime, str]], zone: str) -> list[Line]:
    return [Line(local_date(at, zone), told.split(" ", 1)[0].rstrip(":"), told, at) for at, told in those]
