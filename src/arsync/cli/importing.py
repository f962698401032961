"""import: holds, contacts, tags, owners and languages from a file of another tool.

Every line that is right is kept, every other is listed; run again it changes nothing. What a file says of one payer is
one note in the accounting system, however many lines it has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from arsync.acts.holding import contested_part, put, told
from arsync.acts.noting import note
from arsync.acts.whom import Whom
from arsync.bootstrap import App
from arsync.cli.contacting import add_contact, change_owner
from arsync.cli.context import Author, ConnectionOption, Json, author_or_me, opened
from arsync.cli.csv_file import Line, What, read
from arsync.cli.languages import change_language, tag
from arsync.cli.naming import one_customer, one_payer, whom
from arsync.cli.output import counted, dump, flat, say
from arsync.cli.tags import collected
from arsync.domain.chase import Hold
from arsync.domain.documents import Contact, ContactRole
from arsync.domain.people import DisputeCode, Owner
from arsync.domain.states import HoldKind
from arsync.errors import Ambiguous, NotFound, UsageError
from arsync.store import connections, holds, languages, own_contacts, owners, tags
from arsync.store.connections import Connection
from arsync.store.engine import Work

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(slots=True)
class Imported:
    """What became of a file's lines; each problem begins with its line."""

    done: list[str] = field(default_factory=list)
    notes: int = 0  # owed to the accounting systems
    known: int = 0  # said already
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Kept:
    """A line that was kept: in a sentence, and as a note tells it (None: no note is written of it)."""

    done: str
    said: Said | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a line says of a payer, for the note on it."""

    company: Connection
    payer_id: str
    invoice_id: str | None
    author: str
    what: str
    more: tuple[str, ...] = ()


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command("import")(import_file)


def import_file(
    context: typer.Context,
    what: Annotated[What, typer.Argument(help="What the file holds.")],
    file: Annotated[Path, typer.Argument(help="A CSV file whose first line names its columns.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and keep nothing.")] = False,
    silent: Annotated[bool, typer.Option("--no-notes", help="Write nothing of it into the accounting system.")] = False,
    connection: ConnectionOption = None,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Imports holds, contacts, tags, owners or languages; what is wrong is listed with its line."""
    lines, problems = read(file, what)
    with opened(context) as app:
        result = keep(
            app, what, lines, connection, author_or_me(author), source=file.name, noted=not silent, dry_run=dry_run
        )
    result.problems[:0] = problems
    if as_json:
        dump(
            {
                "done": result.done,
                "notes": result.notes,
                "known": result.known,
                "problems": result.problems,
                "dry_run": dry_run,
            }
        )
    else:
        for done in result.done:
            say(flat(done))
        for problem in result.problems:
            say(flat(problem), style="red")
        kept = "would be kept" if dry_run else "kept"
        say(f"{len(result.done)} {kept}, {result.known} known already, {len(result.problems)} with a problem")
        if result.notes:
            written = "would be written" if dry_run else "will be written by the next run"
            say(f"{counted(result.notes, 'note')} about it {written} into the accounting system (--no-notes: none)")
    if result.problems:
        raise typer.Exit(1)


def keep(
    app: App, what: What, lines: Sequence[Line], connection: str | None, author: str, *, source: str, noted: bool,
    dry_run: bool,
) -> Imported:  # fmt: skip
    """Keeps what is right, in one commit, with one note for each payer; with `dry_run` nothing. `source` is what notes
    call the file."""
    way: Callable[[App, Work, Line, str | None, str], Kept | None] = _WAYS[what]
    result = Imported()
    every: dict[tuple[int, str, str], list[Said]] = {}
    with app.store.working() as work:
        for line in lines:
            try:
                done = way(app, work, line, line.get("connection") or connection, line.get("author") or author)
            except (Ambiguous, NotFound, UsageError) as error:
                hint = "; write one of these, and its company in the column connection"
                said = error.detail or str(error)
                kind = {Ambiguous: "fits several: ", NotFound: "there is no "}.get(type(error), "")
                more = hint if isinstance(error, Ambiguous) else ""
                result.problems.append(f"line {line.number}: {kind}{said}{more}")
                continue
            if done is None:
                result.known += 1
                continue
            result.done.append(f"line {line.number}: {done.done}")
            about = done.said
            if about is not None and noted and app.settings.company(about.company.name).writes == "on":
                every.setdefault((about.company.id, about.payer_id, about.author), []).append(about)
        for those in every.values():
            _note(app, work, what, those, source)
        result.notes = len(every)
        if not dry_run:
            work.commit()
    return result


def _note(app: App, work: Work, what: What, those: Sequence[Said], source: str) -> None:
    """One note of all that a file says of a payer: of a single thing at its own place."""
    one, *others = those
    target, said, more = one.invoice_id, f"{one.what}, taken over from {source}", one.more
    if others:
        target, said = None, f"{len(those)} {what} taken over from {source}"
        more = tuple("; ".join((each.what, *each.more)) for each in those)
    note(
        app, work, one.company, one.payer_id, target, what=said, more=more, by=one.author, now=app.clock.now()
    )  # fmt: skip


def _hold(app: App, work: Work, line: Line, connection: str | None, author: str) -> Kept | None:
    named = whom(app, line.get("invoice"), line.get("customer"), connection)
    company = connections.connection_by_id(work, named.connection_id)
    today = app.today(company)
    kind = _word(line, "kind", HoldKind)
    code = _word(line, "code", DisputeCode) if line.get("code") else None
    until = _day(line, "until")
    part = None
    if written := line.get("amount"):
        if named.invoice is None or kind is not HoldKind.DISPUTE:
            raise UsageError("amount: only of a dispute about an invoice")
        part = contested_part(named.invoice, written)
    placed = Hold(kind, line.values["reason"], author, named.payer_id, named.invoice_id, today, until, part, code)
    same = (kind, placed.reason, placed.invoice_id, placed.until, placed.part, placed.code)
    for one in holds.of_payer(work, company.id, named.payer_id):
        there = one.hold
        if (there.kind, there.reason, there.invoice_id, there.until, there.part, there.code) == same and (
            there.payer_id == named.payer_id
        ):
            return None  # lifted since or not: it was said once
    if until is not None and until < today:
        raise UsageError(f"until: {until} has passed; today is {today}")
    what = f"{part} of {named.what}" if part else named.what
    number = put(app, work, company, placed, what=what, now=app.clock.now(), noted=False)
    said, more = told(placed, number, what)
    return Kept(
        f"{kind} on {what} (hold {number})", Said(company, named.payer_id, named.invoice_id, author, said, more)
    )  # fmt: skip


def _contact(app: App, work: Work, line: Line, connection: str | None, author: str) -> Kept | None:
    named = _customer(app, line, connection)
    email = line.values["email"].lower()
    if email.count("@") != 1 or email.startswith("@") or email.endswith("@") or any(map(str.isspace, email)):
        raise UsageError(f"email: {email!r} is no address")
    role = _word(line, "role", ContactRole) if line.get("role") else ContactRole.BILLING
    fresh = Contact(line.get("name") or "", email, line.get("phone"), role)
    if fresh in own_contacts.of_customers(work, named.connection_id, named.payer_id).get(named.payer_id, ()):
        return None
    company = connections.connection_by_id(work, named.connection_id)
    done = add_contact(app, work, company, named, fresh, author, noted=False)
    return Kept(done, Said(company, named.payer_id, None, author, f"Contact by hand: {done}"))


def _tag(app: App, work: Work, line: Line, connection: str | None, author: str) -> Kept | None:
    found = one_customer(app, line.values["customer"], connection)
    names = [name for name in line.values["tag"].replace("|", ",").split(",") if name.strip()]
    try:
        fresh = tags.add(work, found.connection_id, found.customer_id, names, author=author, now=app.clock.now())
    except ValueError as error:
        raise UsageError(f"tag: {error}") from error
    if not fresh:
        return None
    said = None
    if tags.AUTOPAY in fresh:
        company = connections.connection_by_id(work, found.connection_id)
        said = Said(company, found.customer_id, None, author, collected(found.name))
    return Kept(f"{found.name}: {', '.join(fresh)}", said)


def _owner(app: App, work: Work, line: Line, connection: str | None, author: str) -> Kept | None:
    named = _customer(app, line, connection)
    signature = line.get("signature")
    fresh = Owner(
        line.values["name"], line.get("email"), line.get("phone"), signature.replace("\\n", "\n") if signature else None
    )
    if owners.of_customer(work, named.connection_id, named.payer_id) == fresh:
        return None
    company = connections.connection_by_id(work, named.connection_id)
    done = change_owner(app, work, company, named, fresh, author, noted=False)
    return Kept(done, Said(company, named.payer_id, None, author, f"Owner: {done}"))


def _language(app: App, work: Work, line: Line, connection: str | None, author: str) -> Kept | None:
    named = _customer(app, line, connection)
    fresh = tag(line.values["language"])
    if languages.of_customer(work, named.connection_id, named.payer_id) == fresh:
        return None
    company = connections.connection_by_id(work, named.connection_id)
    done = change_language(app, work, company, named, fresh, author, noted=False)
    return Kept(done, Said(company, named.payer_id, None, author, f"Language: {done}"))


_WAYS: Final = {
    What.HOLDS: _hold, What.CONTACTS: _contact, What.TAGS: _tag, What.OWNERS: _owner, What.LANGUAGES: _language,
}  # fmt: skip


def _customer(app: App, line: Line, connection: str | None) -> Whom:
    found = one_payer(app, line.values["customer"], connection)
    return Whom(found.connection_id, found.payer_id, None, found.name)


def _word(line: Line, column: str, kind: type[_Word]) -> _Word:
    written = line.values[column].lower().replace("-", "_").replace(" ", "_")
    try:
        return kind(written)
    except ValueError:
        near = get_close_matches(written, list(kind), 1)
        hint = f"; do you mean {near[0]}?" if near else f": {', '.join(kind)}"
        raise UsageError(f"{column}: no {line.values[column]!r}{hint}") from None


def _day(line: Line, column: str) -> date | None:
    written = line.get(column)
    try:
        return date.fromisoformat(written) if written else None
    except ValueError:
        raise UsageError(f"{column}: {written!r} is no day: write 2026-01-31") from None
