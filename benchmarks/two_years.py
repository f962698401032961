"""What a desk has done for a company in two years, written straight into its tables: some four messages for ten
invoices that were due, each with its lines in the log and its note at the source.

What it draws is the same for the same ledger. Nothing of it is owed: mails were delivered, notes are written.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from random import Random
from typing import Any, Final

from sqlalchemy import Table, func, insert, select, text

from arsync.store import tables as t
from arsync.store.engine import Work

_AT_ONCE: Final = 2_000
#: Of so many who are late one has to be called.
_CALLED: Final = 6
_SHARE: Final = 0.2
#: By age a message is one of these; the last is a call.
_STEPS: Final = (("friendly", 2, "email", 3), ("firm", 3, "email", 14), ("call", 3, "call", 21))
_LINES: Final = ("planned", "approved", "claimed", "sending", "accepted", "delivered")
_TEXT: Final = "Dear customer,\n\n" + "we have not seen your payment of the invoices that are listed below. " * 20
_HTML: Final = f"<html><body><p>{_TEXT * 3}</p></body></html>"
_NOTHING: Final = "0" * 64


@dataclass
class _Rows:
    """What is about to be written, by table."""

    first: dict[str, int]
    rows: defaultdict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, table: Table, **values: Any) -> int:
        """A row; where its table numbers them, its number."""
        those = self.rows[table.name]
        if table.name in self.first:
            values["id"] = self.first[table.name] + len(those)
        those.append(values)
        return int(values.get("id", 0))


@dataclass(frozen=True, slots=True)
class _Asked:
    """An invoice that was asked for, of whom, and by when it was paid, if it was."""

    invoice_id: str
    number: str
    payer_id: str
    currency: str
    total: Decimal
    due_on: date
    is_open: bool


def remember(work: Work, connection_id: int, now: datetime) -> None:
    """Writes the story of that company down."""
    chance = Random(connection_id)
    numbered = (t.chases, t.messages, t.notes, t.events, t.replies, t.holds, t.promises, t.touches, t.comments)
    rows = _Rows({one.name: _next(work, one) for one in (*numbered, t.call_outcomes, t.provider_events)})
    run = work.execute(
        insert(t.runs).values(kind="run", started_at=now - timedelta(days=700), finished_at=now).returning(t.runs.c.id)
    ).scalar_one()
    chases = _live(work, connection_id)
    times: defaultdict[int, int] = defaultdict(int)
    owing: dict[int, _Asked] = {}
    for one in _past_due(work, connection_id, now.date()):
        who = one.payer_id, one.currency
        if who not in chases:
            began = datetime.combine(one.due_on, time(9), UTC)
            chases[who] = rows.add(
                t.chases, connection_id=connection_id, payer_id=one.payer_id, currency=one.currency, state="clear",
                version=3, opened_at=began, closed_at=began + timedelta(days=40),
            )  # fmt: skip
        _decided(rows, connection_id, chases[who], one, run)
        late = (now.date() - one.due_on).days
        if not one.is_open:
            late = min(late, chance.choice((4, 15, 22)))
        for step in _STEPS:
            if late > step[3] and chance.random() < _SHARE:
                times[chases[who]] += 1
                _sent(rows, connection_id, chases[who], one, step, times[chases[who]], chance, now)
        if one.is_open and late > _STEPS[-1][3]:
            owing[chases[who]] = one
        if chance.random() < 0.01:
            _said(rows, connection_id, one, chance, now)
    for chase_id, one in list(owing.items())[::_CALLED]:
        times[chase_id] += 1
        _sent(rows, connection_id, chase_id, one, _STEPS[-1], times[chase_id], chance, now, to_do=True)
    for name in ("chases", "messages", *sorted(rows.rows.keys() - {"chases", "messages"})):
        _fill(work, t.metadata.tables[name], iter(rows.rows[name]))
    if work.dialect == "postgresql":  # which numbers by itself, and has not seen these
        for name in rows.first:
            work.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) FROM {name}))"))


def _next(work: Work, table: Table) -> int:
    last = work.execute(select(func.max(table.c.id))).scalar_one()
    return int(last or 0) + 1


def _live(work: Work, connection_id: int) -> dict[tuple[str, str], int]:
    h = t.chases.c
    query = select(h.payer_id, h.currency, h.id).where(h.connection_id == connection_id)
    return {(row.payer_id, row.currency): row.id for row in work.execute(query)}


def _past_due(work: Work, connection_id: int, today: date) -> list[_Asked]:
    i, c = t.invoices.c, t.customers.c
    joined = t.invoices.join(t.customers, (c.connection_id == i.connection_id) & (c.remote_id == i.customer_id))
    query = (
        select(i.remote_id, i.number, c.payer_id, i.currency, i.total, i.due_on, i.state)
        .select_from(joined)
        .where(i.connection_id == connection_id, i.state.in_(("open", "paid")), i.due_on < today)
        .order_by(i.due_on, i.remote_id)
    )
    return [
        _Asked(row.remote_id, row.number, row.payer_id, row.currency, row.total, row.due_on, row.state == "open")
        for row in work.execute(query)
    ]


def _decided(rows: _Rows, connection_id: int, chase_id: int, one: _Asked, run: int) -> None:
    rows.add(
        t.verdicts, connection_id=connection_id, chase_id=chase_id, invoice_id=one.invoice_id, decision="wait",
        rule="not_due", reason=f"{one.number} is due on {one.due_on}: not overdue", next_on=one.due_on,
        inputs=_NOTHING, first_run=run, first_on=one.due_on - timedelta(days=30), last_run=run, last_on=one.due_on,
    )  # fmt: skip


def _sent(
    rows: _Rows, connection_id: int, chase_id: int, one: _Asked, step: tuple[str, int, str, int], nth: int,
    chance: Random, now: datetime, *, to_do: bool = False,
) -> None:  # fmt: skip
    name, tone, channel, days = step
    at = min(datetime.combine(one.due_on + timedelta(days=days), time(9, nth % 60), UTC), now - timedelta(days=1))
    key = f"{connection_id:02x}{len(rows.rows['messages']):030x}"
    delivered = channel == "email" and chance.random() < 0.97
    message = rows.add(
        t.messages, key=key, connection_id=connection_id, chase_id=chase_id, step_id=name, occurrence=nth, revision=1,
        state="delivered" if delivered else "accepted", reason="it was taken", channel=channel, tone=tone,
        playbook="standard", playbook_version=_NOTHING, locale="en", fingerprint=f"{key}{key}",
        recipients=json.dumps([f"Accounts <ap@{one.payer_id[:20].lower()}.example>"]),
        subject=f"Invoice {one.number}", currency=one.currency, amount=one.total, planned_at=at, planned_on=at.date(),
        approved_by=f"person0{nth % 5}", approved_at=at, sending_at=at, accepted_at=at, sent_on=at.date(), attempts=1,
    )  # fmt: skip
    rows.add(t.message_words, message_id=message, text=_TEXT, html=_HTML if channel == "email" else "")
    rows.add(
        t.message_items, message_id=message, position=0, invoice_id=one.invoice_id, number=one.number,
        amount=one.total, due_on=one.due_on, demanded=True,
    )  # fmt: skip
    for minute, what in enumerate(_LINES):
        rows.add(
            t.events, at=at + timedelta(minutes=minute), kind=f"message_{what}", connection_id=connection_id,
            chase_id=chase_id, message_id=message, author="person01" if what == "approved" else "arsync",
            data='{"reason": "as planned"}',
        )  # fmt: skip
    if delivered:
        rows.add(
            t.provider_events, provider="sendgrid", event_id=key, kind="delivered",
            address=f"ap@{one.payer_id[:20].lower()}.example", at=at, received_at=at, reason="250 OK",
            message_id=message,
        )  # fmt: skip
    rows.add(
        t.notes, connection_id=connection_id, message_id=message, kind="note", target_kind="invoice",
        target_id=one.invoice_id, text=f"arsync: {name} about {one.number}\n{one.total} {one.currency}",
        marker=f"m{key}", key=f"k{key}", state="written", reason="written", attempts=1, written_at=at, remote_id=key,
    )  # fmt: skip
    if channel == "call" and not to_do:
        rows.add(
            t.call_outcomes, message_id=message, outcome=chance.choice(("promised", "no_answer", "paid")),
            made_on=at.date(), comment="they will see to it", author=f"person0{nth % 5}", created_at=at,
        )  # fmt: skip


def _said(rows: _Rows, connection_id: int, one: _Asked, chance: Random, now: datetime) -> None:
    """What came back of it, and what a person made of that."""
    at = min(datetime.combine(one.due_on + timedelta(days=5), time(15), UTC), now - timedelta(hours=1))
    whose = {"connection_id": connection_id, "payer_id": one.payer_id}
    person = f"person0{chance.randrange(5)}"
    waits = one.is_open and chance.random() < 0.3
    rows.add(
        t.replies, identity=f"{connection_id:032x}{len(rows.rows['replies']):032x}", **whose, kind="person",
        state="waiting" if waits else "done", why="it answers ours", origin="imap", sender="ap@customer.example",
        subject=f"Re: Invoice {one.number}", text="We shall look into it. " * 10, meaning="question", confidence=60,
        phrases="[]", received_at=at, done_at=None if waits else at, done_by=None if waits else person,
        outcome=None if waits else "noted",
    )  # fmt: skip
    rows.add(t.comments, **whose, text="They look into it.", author=person, created_at=at)
    rows.add(
        t.touches, **whose, kind="mail", made_on=at.date(), comment="wrote to Ada myself", author=person, created_at=at
    )
    rows.add(
        t.holds, **whose, kind="pause", state="active" if one.is_open else "expired", reason="they look into it",
        author=person, begins=at.date(), until=now.date() + timedelta(days=chance.randrange(1, 30)), created_at=at,
    )  # fmt: skip
    rows.add(
        t.promises, **whose, invoice_id=one.invoice_id, currency=one.currency, amount=one.total,
        promised_on=at.date() + timedelta(days=7), grace=2, state="broken" if one.is_open else "kept", author=person,
        created_at=at, settled_at=at + timedelta(days=12), until=at.date() + timedelta(days=11), reason="by mail",
        paid_before=Decimal("0.00"),
    )  # fmt: skip


def _fill(work: Work, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    while chunk := list(islice(rows, _AT_ONCE)):
        work.execute(insert(table), chunk)
