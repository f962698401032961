"""Letters on paper: the pile by batch, printed, posted and taken out, each after another look at the source."""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from arsync.acts import posting
from arsync.acts.locking import locked
from arsync.domain.roles import Role
from arsync.errors import ConfigurationError, ConnectorError, Locked, NotFound, UsageError
from arsync.store import finding, letters
from arsync.store.connections import Connection
from arsync.store.engine import Work
from arsync.store.letters import Letter
from arsync.web.access import Needs, Reach
from arsync.web.fields import day_in
from arsync.web.numbers import number
from arsync.web.routes import act, page
from arsync.web.visit import Visit
from arsync.worker.letters import Checked

#: So many letters are printed on a page at once; a larger batch is printed by the command.
_MOST: Final = 300


@dataclass(frozen=True, slots=True)
class Batch:
    """Letters that are printed together, as the cache stands."""

    id: int
    company: Connection
    those: tuple[Letter, ...]
    print: int  # so many are to be printed
    post: int  # to be posted
    pull: int  # to be taken out of the pile


@dataclass(frozen=True, slots=True)
class Done:
    """What came of looking at the source again: what was done in a sentence, the files to keep, what each letter is."""

    said: str
    checked: Checked
    batch_id: int
    files: tuple[tuple[str, str], ...] = ()  # name, and the PDF as an address of its own
    out: tuple[Letter, ...] = ()  # to be taken out of the pile


def pile(visit: Visit) -> Response:
    """The batches that lie there."""
    return _shown(visit)


def _shown(visit: Visit, done: Done | None = None, *, problem: str = "", status: int = 200) -> Response:
    companies = {one.id: one for one in visit.companies}
    with visit.app.store.reading() as work:
        lying = [one for one in letters.on_the_pile(work) if one.message.connection_id in companies]
        loose = letters.unbatched(work, list(companies))
        told = (
            [*lying, *(one for one, _ in done.checked.pulled + done.checked.later + done.checked.failed)]
            if done
            else lying
        )
        payers = finding.customer_names(work, {(one.message.connection_id, one.message.payer_id) for one in told})
    by_batch: dict[int, list[Letter]] = defaultdict(list)
    for one in lying:
        by_batch[one.batch_id].append(one)
    batches = [
        _batch(batch_id, companies[those[0].message.connection_id], those) for batch_id, those in by_batch.items()
    ]
    return visit.render(
        "letters.html", status=status, batches=sorted(batches, key=lambda one: one.id), loose=loose, done=done,
        problem=problem, payers=payers, stands=posting.stands, paper=posting.paper, most=_MOST,
        todays={one.id: visit.app.today(one) for one in visit.companies},
    )  # fmt: skip


def _batch(batch_id: int, company: Connection, those: Sequence[Letter]) -> Batch:
    pull = sum(one.to_be_pulled for one in those)
    post = sum(one.lies and not one.to_be_pulled for one in those)
    return Batch(batch_id, company, tuple(those), len(those) - pull - post, post, pull)


# --- what is done -----------------------------------------------------------------------------------------------------


def gather(visit: Visit) -> Response:
    """Puts what was approved since the last run into a batch."""
    posting.gather(visit.app, visit.companies)
    return visit.see("/letters")


def _doing(do: Callable[[Visit, Connection, int, list[Letter]], Done]) -> Callable[[Visit], Response]:
    """An act on a batch, by itself: nobody else sends for that company meanwhile. Where the source cannot be read
    nothing is done, and the page says so."""

    def view(visit: Visit) -> Response:
        company, batch_id = visit.company, int(visit.named["batch"])
        assert company is not None
        try:
            with locked(visit.app, [company]):
                with visit.app.store.reading() as work:
                    those = [one for one in letters.of_batch(work, batch_id) if _concerns(one)]
                done = do(visit, company, batch_id, those)
        except (ConnectorError, Locked, UsageError, ConfigurationError) as error:
            words = error.detail if isinstance(error, UsageError) else str(error)
            status = 422 if isinstance(error, UsageError) else 409 if isinstance(error, Locked) else 502
            return _shown(visit, problem=words, status=status)
        return _shown(visit, done)

    view.__name__ = f"letters{do.__name__}"
    return view


def _concerns(one: Letter) -> bool:
    """Not what was posted, nor what goes nowhere and is on no paper."""
    return one.message.accepted_at is None and (one.lies or not one.is_dead)


def _look(visit: Visit, company: Connection, batch_id: int, those: list[Letter]) -> Done:
    checked = posting.look(visit.app, company, those)
    said = f"L{batch_id} was read again at the source: {len(checked.holding)} of {len(those)} still hold."
    return Done(said, checked, batch_id, out=_out(checked))


def _print(visit: Visit, company: Connection, batch_id: int, those: list[Letter]) -> Done:
    run = posting.to_print(visit.app, company, batch_id, those, again="again" in visit.form)
    if len(run.those) > _MOST:
        raise UsageError(f"{len(run.those)} letters at once: print them by arsync letters print L{batch_id}")
    printed = posting.print_(visit.app, company, run, who=visit.author)
    files = (
        ((f"{run.name}.pdf", _address(printed.letters)), (f"{run.name}-list.pdf", _address(printed.cover)))
        if printed.sheets
        else ()
    )
    said = f"{printed.sheets} of L{batch_id} are to be put on paper: keep both files, this page alone has them."
    if not printed.sheets:
        said = f"Nothing of L{batch_id} was printed."
    if run.before:
        said += f" {len(run.before)} were printed before and are not printed once more."
    if run.trial and printed.sheets:
        said += f" A trial, not to be posted: every message is diverted to {run.trial}."
    return Done(said, printed.checked, batch_id, files, _out(printed.checked))


def _posted(visit: Visit, company: Connection, batch_id: int, those: list[Letter]) -> Done:
    checked, day = posting.post(visit.app, company, those, day_in(visit.form, "on"), who=visit.author)
    said = f"{len(checked.holding)} of L{batch_id} are kept as posted on {visit.site.look.day(day)}."
    return Done(said, checked, batch_id, out=_out(checked))


def _taken_out(visit: Visit, company: Connection, batch_id: int, those: list[Letter]) -> Done:
    """What was listed and must not go out, whatever the form says besides."""
    listed = {number(one) for one in visit.form.get("letter", "").splitlines()}
    checked = posting.look(visit.app, company, [one for one in those if one.prints])
    out = [one for one in _out(checked) if one.message.id in listed]
    posting.take_out(visit.app, out, who=visit.author)
    left = Checked(later=checked.later, failed=checked.failed)
    return Done(f"{len(out)} of L{batch_id} are kept as taken out of the pile.", left, batch_id)


def _out(checked: Checked) -> tuple[Letter, ...]:
    return tuple(one for one, _ in checked.pulled if one.lies)


def _address(pdf: bytes) -> str:
    return f"data:application/pdf;base64,{b64encode(pdf).decode()}"


def of_batch(work: Work, named: Mapping[str, Any]) -> int:
    """For addresses with `{batch}`."""
    one = number(str(named["batch"]))
    company = letters.batch_connection(work, one) if one is not None else None
    if company is None:
        raise NotFound(f"batch {named['batch']} of letters")
    return company


_WORKS: Final = Needs(Role.COLLECTOR, of_batch)
ROUTES = [
    page("/letters", pile, access=Needs(Role.VIEWER, Reach.THEIRS)),
    act("/letters", gather, access=Needs(Role.COLLECTOR, Reach.THEIRS)),
    act("/letters/{batch}/open", _doing(_look), access=_WORKS),
    act("/letters/{batch}/print", _doing(_print), access=_WORKS),
    act("/letters/{batch}/posted", _doing(_posted), access=_WORKS),
    act("/letters/{batch}/taken-out", _doing(_taken_out), access=_WORKS),
]
