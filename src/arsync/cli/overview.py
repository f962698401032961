"""All companies at a glance: health, money at stake, what waits for a person, how long the consent lasts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import typer

from arsync.bootstrap import App
from arsync.cli import consents
from arsync.cli.context import Json, opened
from arsync.cli.output import complain, counted, dump, say, table
from arsync.domain.states import Health, MessageState
from arsync.store import connections, grants, overview
from arsync.store.connections import Connection
from arsync.store.grants import Grant
from arsync.store.overview import Stake

_STATES: Final = (MessageState.PLANNED, MessageState.UNKNOWN)
_COLUMNS: Final = (
    "connection", "company", "provider", "health", "why", "overdue", "open", "to approve", "unknown", "synced",
    "consent", "renewed", "ends",
)  # fmt: skip


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command("connections")(list_connections)


@dataclass(frozen=True, slots=True)
class Line:
    """One company."""

    connection: Connection
    grant: Grant
    for_others: bool
    stakes: Sequence[Stake]
    waiting: int
    unknown: int

    @property
    def is_troubled(self) -> bool:
        """Whether a person has to look."""
        return self.connection.health is not Health.OK or bool(self.unknown)


def list_connections(
    context: typer.Context,
    troubled: Annotated[bool, typer.Option("--troubled", help="Only where something is to be looked at.")] = False,
    as_json: Json = False,
) -> None:
    """Lists the linked companies: health, money at stake, what waits, and how long their consents last."""
    with opened(context) as app:
        lines, now = _lines(app), app.clock.now()
    shown = [line for line in lines if line.is_troubled or not troubled]
    if as_json:
        dump([_as_json(line, now) for line in shown])
    else:
        table(_COLUMNS, [_row(line, now) for line in shown], right=("overdue", "open", "to approve", "unknown"))
        if len(lines) > 1:
            say(_total(lines))
    ended = [line.connection for line in lines if line.connection.health is Health.REAUTHORISE]
    for one in ended:
        complain(f"{one.name}: {one.health_reason}: arsync connect {one.provider}")
    if ended:
        raise typer.Exit(1)


def _lines(app: App) -> list[Line]:
    with app.store.reading() as work:
        every = connections.connections(work)
        known = grants.grants(work)
        days = {one.id: app.today(one) for one in every}
        by_day = {day: overview.stakes(work, day) for day in set(days.values())}  # three at most on this earth
        counts = overview.messages_in(work, _STATES)
    return [
        Line(
            connection=one,
            grant=known[one.grant_id],
            for_others=app.settings.company(one.name).collecting_for_others == "on",
            stakes=by_day[days[one.id]].get(one.id, ()),
            waiting=counts.get((one.id, MessageState.PLANNED), 0),
            unknown=counts.get((one.id, MessageState.UNKNOWN), 0),
        )
        for one in every
    ]


def _as_json(line: Line, now: datetime) -> dict[str, Any]:
    return {
        **asdict(line.connection),
        "consent": consents.as_json(line.grant, now),
        "collecting_for_others": line.for_others,
        "at_stake": [asdict(stake) for stake in line.stakes],
        "to_approve": line.waiting,
        "unknown": line.unknown,
    }


def _row(line: Line, now: datetime) -> tuple[object, ...]:
    one = line.connection
    return (
        one.name, one.company_name, one.provider, one.health, one.health_reason,
        ", ".join(_money(stake.overdue, stake.currency) for stake in line.stakes if stake.overdue),
        ", ".join(_money(stake.open, stake.currency) for stake in line.stakes),
        line.waiting or "", line.unknown or "",
        f"{one.synced_at:%Y-%m-%d %H:%M} UTC" if one.synced_at else "never", *consents.cells(line.grant, now),
    )  # fmt: skip


def _total(lines: Sequence[Line]) -> str:
    health = Counter(line.connection.health for line in lines)
    sums: defaultdict[str, list[Decimal]] = defaultdict(lambda: [Decimal(), Decimal()])
    for stake in (stake for line in lines for stake in line.stakes):
        sums[stake.currency][0] += stake.overdue
        sums[stake.currency][1] += stake.open
    worst_first = sorted(sums.items(), key=lambda one: (-one[1][0], one[0]))
    parts = [
        counted(len(lines), "connection")
        + ": "
        + ", ".join(f"{health[word]} {word}" for word in Health if health[word]),
        f"overdue {_all(((of, pair[0]) for of, pair in worst_first))}",
        f"open {_all(((of, pair[1]) for of, pair in worst_first))}",
    ]
    return "; ".join(parts)


def _all(sums: Iterable[tuple[str, Decimal]]) -> str:
    return ", ".join(_money(amount, currency) for currency, amount in sums if amount) or "nothing"


def _money(amount: Decimal, currency: str) -> str:
    return f"{amount:,} {currency}"
