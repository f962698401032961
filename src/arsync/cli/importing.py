"""import: holds, contacts, tags and owners from a file of another tool.

Every line that is right is kept, every other is listed; run again it changes nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from arsync.bootstrap import App
from arsync.cli.contacting import add_contact, change_owner
from arsync.cli.context import Author, ConnectionOption, Json, author_or_me, opened
from arsync.cli.holding import contested_part, put
from arsync.cli.naming import Whom, one_payer, whom
from arsync.cli.output import dump, flat, say
from arsync.cli.tags import one_customer
from arsync.domain.chase import Hold
from arsync.domain.documents import Contact, ContactRole
from arsync.domain.people import DisputeCode, Owner
from arsync.domain.states import HoldKind
from arsync.errors import Ambiguous, NotFound, UsageError
from arsync.store import connections, holds, own_contacts, owners, tags
from arsync.store.engine import Work


class What(StrEnum):
    """What a file holds."""

    HOLDS = "holds"
    CONTACTS = "contacts"
    TAGS = "tags"
    OWNERS = "owners"


#: The columns of each kind; those before the bar are needed.
COLUMNS: Final[Mapping[What, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    What.HOLDS: (("kind", "reason"), ("customer", "invoice", "until", "amount", "code", "author", "connection")),
    What.CONTACTS: (("customer", "email"), ("name", "phone", "role", "author", "connection")),
    What.TAGS: (("customer", "tag"), ("author", "connection")),
    What.OWNERS: (("customer", "name"), ("email", "phone", "signature", "author", "connection")),
}
_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(slots=True)
class Imported:
    """What became of a file's lines; each problem begins with its line."""

    done: list[str] = field(default_factory=list)
    known: int = 0  # said already
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Line:
    """One record of the file by its columns, stripped; absent where empty."""

    number: int
    values: Mapping[str, str]

    def get(self, column: str) -> str | None:
        return self.values.get(column)


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command("import")(import_file)


def import_file(
    context: typer.Context,
    what: Annotated[What, typer.Argument(help="What the file holds.")],
    file: Annotated[Path, typer.Argument(help="A CSV file whose first line names its columns.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and keep nothing.")] = False,
    connection: ConnectionOption = None,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Imports holds, contacts, tags or owners; what is wrong is listed with its line and stops nothing else."""
    lines, problems = read(file, what)
    with opened(context) as app:
        result = keep(app, what, lines, connection, author_or_me(author), dry_run=dry_run)
    result.problems[:0] = problems
    if as_json:
        dump({"done": result.done, "known": result.known, "problems": result.problems, "dry_run": dry_run})
    else:
        for done in result.done:
            say(flat(done))
        for problem in result.problems:
            say(flat(problem), style="red")
        kept = "would be kept" if dry_run else "kept"
        say(f"{len(result.done)} {kept}, {result.known} known already, {len(result.problems)} with a problem")
    if result.problems:
        raise typer.Exit(1)


def read(file: Path, what: What) -> tuple[list[Line], list[str]]:
    """The file's records, and what is wrong with it; UsageError where it cannot be read as a table at all."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8 at byte {error.start}; save it as CSV UTF-8") from error
    head = text.partition("\n")[0]
    rows = csv.reader(text.splitlines(keepends=True), delimiter=max(",;\t", key=head.count))
    needed, optional = COLUMNS[what]
    columns = [name.strip().lower().replace(" ", "_") for name in next(rows, [])]
    if lacking := [name for name in needed if name not in columns]:
        raise UsageError(f"{file}, line 1: no column {', '.join(lacking)}; {what} have {', '.join(needed + optional)}")
    problems = [_unknown(name, needed + optional) for name in columns if name not in needed + optional]
    lines: list[Line] = []
    before = rows.line_num
    for row in _rows(rows, problems):
        number, before = before + 1, rows.line_num
        if len(row) > len(columns):
            problems.append(f"line {number}: {len(row)} values for {len(columns)} columns")
        elif any(value.strip() for value in row):
            values = {name: value.strip() for name, value in zip(columns, row, strict=False) if value.strip()}
            empty = [name for name in needed if name not in values]
            if empty:
                problems.append(f"line {number}: no {', '.join(empty)}")
            else:
                lines.append(Line(number, values))
    return lines, problems


def _rows(rows: Iterator[list[str]], problems: list[str]) -> Iterator[list[str]]:
    try:
        yield from rows
    except csv.Error as error:
        problems.append(f"what follows cannot be read as CSV: {error}")


def _unknown(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"line 1: no column {name!r}{f'; do you mean {near[0]!r}?' if near else ''}: it is left out"


def keep(
    app: App, what: What, lines: Sequence[Line], connection: str | None, author: str, *, dry_run: bool
) -> Imported:
    """Keeps what is right, in one commit; with `dry_run` nothing."""
    way: Callable[[App, Work, Line, str | None, str], str | None] = _WAYS[what]
    result = Imported()
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
            else:
                result.done.append(f"line {line.number}: {done}")
        if not dry_run:
            work.commit()
    return result


def _hold(app: App, work: Work, line: Line, connection: str | None, author: str) -> str | None:
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
    number = put(app, work, company, placed, what=what, now=app.clock.now())
    return f"{kind} on {what} (hold {number})"


def _contact(app: App, work: Work, line: Line, connection: str | None, author: str) -> str | None:
    named = _customer(app, line, connection)
    email = line.values["email"].lower()
    if email.count("@") != 1 or email.startswith("@") or email.endswith("@") or any(map(str.isspace, email)):
        raise UsageError(f"email: {email!r} is no address")
    role = _word(line, "role", ContactRole) if line.get("role") else ContactRole.BILLING
    fresh = Contact(line.get("name") or "", email, line.get("phone"), role)
    if fresh in own_contacts.of_customers(work, named.connection_id, named.payer_id).get(named.payer_id, ()):
        return None
    company = connections.connection_by_id(work, named.connection_id)
    return add_contact(app, work, company, named, fresh, author)


def _tag(app: App, work: Work, line: Line, connection: str | None, author: str) -> str | None:
    found = one_customer(app, line.values["customer"], connection)
    names = [name for name in line.values["tag"].replace("|", ",").split(",") if name.strip()]
    try:
        fresh = tags.add(work, found.connection_id, found.customer_id, names, author=author, now=app.clock.now())
    except ValueError as error:
        raise UsageError(f"tag: {error}") from error
    return f"{found.name}: {', '.join(fresh)}" if fresh else None


def _owner(app: App, work: Work, line: Line, connection: str | None, author: str) -> str | None:
    named = _customer(app, line, connection)
    signature = line.get("signature")
    fresh = Owner(
        line.values["name"], line.get("email"), line.get("phone"), signature.replace("\\n", "\n") if signature else None
    )
    if owners.of_customer(work, named.connection_id, named.payer_id) == fresh:
        return None
    company = connections.connection_by_id(work, named.connection_id)
    return change_owner(app, work, company, named, fresh, author)


_WAYS: Final = {What.HOLDS: _hold, What.CONTACTS: _contact, What.TAGS: _tag, What.OWNERS: _owner}


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
