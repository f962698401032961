"""Letters between the pile and the post: whoever opens, prints or posts them has the source read again first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from arsync.bootstrap import App
from arsync.errors import UsageError
from arsync.render.cover import cover_pdf
from arsync.store import letters
from arsync.store.connections import Connection
from arsync.store.letters import Letter
from arsync.worker import letters as post_room
from arsync.worker.letters import Checked


def gather(app: App, those: Collection[Connection]) -> None:
    """What was approved since the last run makes a batch as well."""
    with app.store.working() as work:
        for company in those:
            letters.gather(work, company.id, now=app.clock.now())
        work.commit()


def stands(one: Letter) -> str:
    """What is to be done with a letter, in words."""
    if one.to_be_pulled:
        return f"take it out of the pile: {one.wrong_paper}"
    if one.message.reason.startswith(post_room.FAILS):
        return one.message.reason
    if not one.lies or one.printed_at is None:
        return "to be printed"
    times = f", {one.prints} times" if one.prints > 1 else ""
    return f"printed by {one.printed_by} on {one.printed_at:%Y-%m-%d}{times}: to be posted"


def paper(letter: Letter) -> str:
    """What is to be done with the paper of one that must not go out."""
    if letter.lies:
        return "take its paper out of the pile"
    return "its paper is not in the pile any more" if letter.prints else "it is not printed"


def look(app: App, company: Connection, those: Sequence[Letter]) -> Checked:
    """Reads the source again and says which of one company's letters still hold; ConnectorError where it cannot be
    read. The caller holds the company's run lock, as for all that follows."""
    return post_room.look(app.store, app.desk(company), app.clock, those)


@dataclass(frozen=True, slots=True)
class Run:
    """The letters of a batch that are to be printed now, under the name of their file; `before` were printed already
    and are left alone. Of a `trial` no letter goes to a customer: messages are diverted to that address."""

    batch_id: int
    name: str
    those: tuple[Letter, ...]
    before: tuple[Letter, ...]
    trial: str | None


@dataclass(frozen=True, slots=True)
class Printed:
    """What was printed: the letters and their list as PDF, empty where none holds any more."""

    checked: Checked
    sheets: int
    letters: bytes
    cover: bytes


def to_print(app: App, company: Connection, batch_id: int, batch: Sequence[Letter], *, again: bool) -> Run:
    """What of a batch is printed next; with `again` also what was printed before and is not posted."""
    trial = app.desk(company).diverted_to
    before = () if again or trial else tuple(one for one in batch if one.lies and not one.to_be_pulled)
    those = tuple(one for one in batch if one not in before)
    version = max((one.prints for one in those), default=0) + 1
    name = f"L{batch_id}-trial" if trial else f"L{batch_id}" if version == 1 else f"L{batch_id}-{version}"
    alive = those if any(not one.is_dead for one in those) else ()
    return Run(batch_id, name, alive, before, trial)


def print_(app: App, company: Connection, run: Run, *, who: str) -> Printed:
    """Reads the source again and prints what still holds; from then on it is kept as printed."""
    if not run.those:
        return Printed(Checked(), 0, b"", b"")
    desk = app.desk(company)
    checked, composed = post_room.compose(app.store, desk, app.clock, run.those, author=who)
    if not composed.sheets:
        return Printed(checked, 0, b"", b"")
    listed = [
        (letter.message.id, letter.message.recipients[0] if letter.message.recipients else "", sheet["title"],
         f"{letter.message.amount:,.2f} {letter.message.currency}", "printed before" if letter.prints else "")
        for letter, sheet in zip(checked.holding, composed.sheets, strict=True)
    ]  # fmt: skip
    cover = cover_pdf(run.name, app.today(company), listed, desk.policy.seller)
    return Printed(checked, len(composed.sheets), composed.pdf, cover)


def post(app: App, company: Connection, those: Sequence[Letter], on: date | None, *, who: str) -> tuple[Checked, date]:
    """Reads the source again and keeps what still holds as posted on that day, today where none is named: what came of
    each, and the day. UsageError where the day is still to come."""
    day = posting_day(app, company, on)
    return post_room.post(app.store, app.desk(company), app.clock, those, on=day, author=who), day


def posting_day(app: App, company: Connection, on: date | None) -> date:
    """The day on which letters were posted; UsageError where it is still to come."""
    today = app.today(company)
    if on is not None and on > today:
        raise UsageError(f"{on} is still to come; today is {today}", field="on")
    return on or today


def take_out(app: App, those: Collection[Letter], *, who: str) -> None:
    """Keeps that the paper of these has been taken out of the pile."""
    with app.store.working() as work:
        letters.take_out(work, [one.message.id for one in those], author=who, now=app.clock.now())
        work.commit()
