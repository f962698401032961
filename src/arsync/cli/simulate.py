"""Simulating: what a playbook would have done with the past that the cache remembers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from arsync.bootstrap.replaying import Replayed, replayed
from arsync.cli.context import ConnectionOption, Json, linked, opened
from arsync.cli.output import dump, flat, say, table
from arsync.errors import UsageError
from arsync.playbook.simulated import CALLED, NOT_KNOWN, PARTS, Simulation, called, figures, spans
from arsync.render.bars import Series, bars

_DAY: Final = "%Y-%m-%d"
_BAR: Final = 40
_MARKS: Final = "#="
_MOST_CUSTOMERS: Final = 10


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(simulate)


def simulate(
    context: typer.Context,
    playbook: Annotated[str, typer.Argument(help="A playbook's name or file.")],
    first: Annotated[datetime, typer.Option("--from", formats=[_DAY], help="The first day.")],
    last: Annotated[datetime, typer.Option("--to", formats=[_DAY], help="The last day.")],
    against: Annotated[str | None, typer.Option(help="Another playbook to compare it with.")] = None,
    connection: ConnectionOption = None,
    picture: Annotated[Path | None, typer.Option(help="An SVG file to draw the touches into.")] = None,
    as_json: Json = False,
) -> None:
    """Replays the past day by day, as if the playbook lay in the folder: what would have gone out, to whom, when.

    Sends and saves nothing.
    """
    if last < first:
        raise UsageError(f"--to {last:%Y-%m-%d} is before --from {first:%Y-%m-%d}")
    if picture is not None and picture.suffix != ".svg":
        raise UsageError(f"--picture {picture}: the name ends in .svg")
    names = [playbook, *([against] if against is not None else [])]
    with opened(context) as app:
        told = [
            replayed(app, one, names, first.date(), last.date())
            for one in linked(app, [connection] if connection else None)
        ]
    begins = spans(first.date(), last.date())
    if as_json:
        dump({one.name: _as_json(one, begins) for one in told})
    else:
        for one in told:
            _tell(one, begins)
    if picture is not None and told:
        try:
            picture.write_text(_drawn(told, begins), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--picture {picture} cannot be written: {error.strerror}") from None
        if not as_json:
            say(flat(f"\ndrawn into {picture}"))


# --- for people -----------------------------------------------------------------------------------------------------


def _tell(told: Replayed, begins: Sequence[date]) -> None:
    found = told.found
    names = called(found)
    say(f"\n{told.name}, {told.past.first} to {told.past.last}: {' against '.join(names)}", style="bold")
    counted = [figures(one) for one in found]
    table(
        ("", *names),
        [(f"{'  ' if name in PARTS else ''}{CALLED[name]}", *(one[name] for one in counted)) for name in counted[0]],
        right=names,
    )
    say()
    steps = [one.by_step() for one in found]
    order = dict.fromkeys(step for one in steps for step in one)
    table(("step", *names), [(step, *(one.get(step, "-") for one in steps)) for step in order], right=names)
    say()
    for line in _bars(found, begins):
        say(line)
    _tell_customers(found, names)
    _tell_trouble(told, names)


def _bars(found: Sequence[Simulation], begins: Sequence[date]) -> list[str]:
    counted = [one.by_span(begins) for one in found]
    most = max((count for one in counted for count in one), default=0)
    if not most:
        return ["nothing would have gone out"]
    lines = ["touches, by the day that each span begins" + "".join(_key(found))]
    for number, day in enumerate(begins):
        for place, one in enumerate(counted):
            count = one[number]
            mark = _MARKS[place % len(_MARKS)] * -(-count * _BAR // most)
            lines.append(f"{f'{day}' if place == 0 else '':10}  {mark}{' ' if mark else ''}{count}")
    return lines


def _key(found: Sequence[Simulation]) -> list[str]:
    if len(found) == 1:
        return []
    return [f"; {mark} {name}" for mark, name in zip(_MARKS, called(found), strict=False)]


def _tell_customers(found: Sequence[Simulation], names: Sequence[str]) -> None:
    for name, one in zip(names, found, strict=True):
        customers = one.by_customer()
        if not customers:
            continue
        say(f"\n{name}: who would have heard most", style="bold")
        table(
            ("customer", "touches", "steps", "paid anyway", "days of pressure"),
            [
                (
                    of.payer,
                    of.touches,
                    ", ".join(f"{step} {count}" for step, count in of.steps.items()),
                    of.paid_anyway,
                    of.pressure,
                )
                for of in customers[:_MOST_CUSTOMERS]
            ],
            right=("touches", "paid anyway", "days of pressure"),
        )
        if len(customers) > _MOST_CUSTOMERS:
            say(f"... and {len(customers) - _MOST_CUSTOMERS} more")


def _tell_trouble(told: Replayed, names: Sequence[str]) -> None:
    for name, one in zip(names, told.found, strict=True):
        if one.held:
            said = ", ".join(f"{rule} {count}" for rule, count in one.held.items())
            say(f"\n{name}: a person would have had to look into so many chases: {said}")
    if said := ", ".join(f"{count} {what}" for what, count in told.past.left_out.items() if count):
        say(f"\nnot told, for the cache does not remember when it changed: {said}")
    say("\nnot known to a simulation:")
    for one_thing in NOT_KNOWN:
        say(f"- {one_thing}")


# --- for programs and eyes --------------------------------------------------------------------------------------------


def _as_json(told: Replayed, begins: Sequence[date]) -> dict[str, object]:
    return {
        "from": told.past.first,
        "to": told.past.last,
        "left_out": told.past.left_out,
        "not_known": NOT_KNOWN,
        "playbooks": [
            {
                "playbook": one.playbook,
                "version": one.version,
                "figures": figures(one),
                "steps": one.by_step(),
                "held": one.held,
                "unusual": one.unusual,
                "spans": [
                    {"from": day, "touches": count} for day, count in zip(begins, one.by_span(begins), strict=True)
                ],
                "customers": [
                    {
                        "payer_id": of.payer_id,
                        "payer": of.payer,
                        "touches": of.touches,
                        "steps": of.steps,
                        "paid_anyway": of.paid_anyway,
                        "days_of_pressure": of.pressure,
                    }
                    for of in one.by_customer()
                ],
                "touches": [_touch_as_json(one, place) for place in range(len(one.touches))],
            }
            for one in told.found
        ],
    }


def _touch_as_json(found: Simulation, place: int) -> Mapping[str, object]:
    touch = found.touches[place]
    return {
        "on": touch.on,
        "payer_id": touch.payer_id,
        "step": touch.step_id,
        "channel": touch.channel,
        "mode": touch.mode,
        "amount": touch.amount.amount,
        "currency": touch.amount.currency,
        "invoices": [one.number for one in touch.demanded],
        "paid_anyway": touch.paid_anyway,
    }


def _drawn(told: Sequence[Replayed], begins: Sequence[date]) -> str:
    """All companies together."""
    names = called(told[0].found)
    series = [
        Series(
            name, tuple(sum(counts) for counts in zip(*(one.found[place].by_span(begins) for one in told), strict=True))
        )
        for place, name in enumerate(names)
    ]
    title = f"Touches from {told[0].past.first} to {told[0].past.last}, {', '.join(one.name for one in told)}"
    return bars(title, [f"{day}" for day in begins], series)
