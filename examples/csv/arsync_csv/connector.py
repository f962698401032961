"""The connector: records out of the files, notes into `notes.csv`. It keeps nothing between two calls."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import ClassVar, Final

import requests
from pydantic import BaseModel, ConfigDict

from arsync.connector import (
    Broken,
    Clock,
    Company,
    Linked,
    NoteDraft,
    NoteTarget,
    Page,
    RateBudget,
    Resource,
    TargetKind,
    TokenVault,
)
from arsync.domain.documents import Deleted, Invoice, InvoiceState, Payment, Record
from arsync.errors import Malformed, Rejected, Stale
from arsync_csv.files import Row, Table, is_nameless, read
from arsync_csv.notes import NoteBook
from arsync_csv.records import FILES, record

_PAGE: Final = 100
_KIND: Final = {TargetKind.INVOICE: Resource.INVOICES, TargetKind.CUSTOMER: Resource.CUSTOMERS}


class Settings(BaseModel):
    """The section `[csv]`."""

    model_config = ConfigDict(extra="forbid")

    #: holds a folder for each company, whose name is its external id
    folder: Path


class Connector:
    """One company's folder."""

    provider: ClassVar[str] = "csv"

    def __init__(
        self,
        *,
        settings: Settings,
        linked: Linked,
        vault: TokenVault,
        budget: RateBudget,
        clock: Clock,
        session: requests.Session,
    ) -> None:
        if Path(linked.external_id).name != linked.external_id or linked.external_id == "..":
            raise Rejected(f"{linked.external_id!r} is not the name of a folder in {settings.folder}")
        self._external_id = linked.external_id
        self._folder = settings.folder / linked.external_id
        self._notes = NoteBook(self._folder / "notes.csv", clock)

    def company(self) -> Company:
        """The one row of company.csv."""
        rows = list(read(self._folder / "company.csv", ("name", "currency", "country", "timezone")).rows.values())
        if len(rows) != 1 or rows[0].problem or not rows[0].fields["currency"]:
            raise Malformed("company.csv has one row with at least name and currency")
        field = rows[0].fields
        reminders = {"on": True, "off": False}.get(field.get("reminders", ""))
        return Company(
            external_id=self._external_id,
            name=field["name"],
            base_currency=field["currency"],
            country=field["country"] or None,
            timezone=field["timezone"] or None,
            reminders_on=reminders,
        )

    # --- reading ----------------------------------------------------------------------------------------

    def watermark(self) -> str:
        """A cursor that knows each row as it is now."""
        return _cursor({resource: self._table(resource) for resource in FILES})

    def backfill(self, resource: Resource, *, since: date, cursor: str | None) -> Iterator[Page]:
        """In the order of the ids, so that a page's cursor is simply the last id on it."""
        table, after = self._table(resource), _last_id(cursor)
        wanted = [row for row in self._wanted(resource, table, since) if row.id > after]
        for start in range(0, len(wanted), _PAGE):
            rows = wanted[start : start + _PAGE]
            yield _page(resource, rows, table, json.dumps({"after": rows[-1].id}))

    def count(self, resource: Resource, *, since: date) -> int | None:
        """As many rows as a backfill gives."""
        return len(self._wanted(resource, self._table(resource), since))

    def delta(self, cursor: str) -> Iterator[Page]:
        """The rows that are not as the cursor knows them, and the rows that are gone."""
        known = _known(cursor)
        tables = {resource: self._table(resource) for resource in FILES}  # before the first page: what comes is next
        following = _cursor(tables)
        for resource, table in tables.items():
            before = known.get(resource, {})
            changed = [row for row in table.rows.values() if before.get(row.id) != row.digest]
            lost = [one for one in before if one not in table.rows and not is_nameless(one)]
            for start in range(0, len(changed), _PAGE):
                yield _page(resource, changed[start : start + _PAGE], table, following)
            gone = tuple(Deleted(resource, one, table.at) for one in lost)
            yield Page(resource, gone, (), following, len(gone))

    def refresh(self, customer_ids: Collection[str], *, cursor: str) -> Iterator[Page]:
        """These customers, what they owe, and their money that is new since the cursor."""
        known = _known(cursor)
        yield from self.records(Resource.CUSTOMERS, customer_ids)
        for resource in (Resource.INVOICES, Resource.PAYMENTS):
            table, before = self._table(resource), known.get(resource, {})
            theirs = [row for row in table.rows.values() if row.fields.get("customer") in customer_ids]
            rows = [row for row in theirs if before.get(row.id) != row.digest or _is_owed(resource, row, table)]
            yield _page(resource, rows, table, cursor)

    def records(self, resource: Resource, remote_ids: Collection[str]) -> Iterator[Page]:
        """These rows; what has none is `Deleted`, as of the file's last change."""
        table = self._table(resource)
        found = _page(resource, [table.rows[one] for one in remote_ids if one in table.rows], table, "")
        gone = tuple(Deleted(resource, one, table.at) for one in remote_ids if one not in table.rows)
        yield Page(resource, (*found.records, *gone), found.broken, "", found.seen)

    def _table(self, resource: Resource) -> Table:
        if resource not in FILES:
            return Table({}, self._table(Resource.INVOICES).at)
        name, columns = FILES[resource]
        return read(self._folder / name, columns)

    def _wanted(self, resource: Resource, table: Table, since: date) -> list[Row]:
        rows = sorted(table.rows.values(), key=lambda row: row.id)
        return [row for row in rows if _matters(record(resource, row, table.at), since)]

    # --- notes --------------------------------------------------------------------------------------------

    def write_note(self, note: NoteDraft) -> str:
        """Appends to notes.csv, once for a key."""
        if note.target.remote_id not in self._table(_KIND[note.target.kind]).rows:
            raise Rejected(f"there is no {note.target.kind} {note.target.remote_id}")
        return self._notes.write(note)

    def find_note(self, target: NoteTarget, marker: str) -> str | None:
        """The key of the note at that target whose text holds the marker."""
        return self._notes.find(target, marker)


def _page(resource: Resource, rows: Iterable[Row], table: Table, cursor: str) -> Page:
    items = [record(resource, row, table.at) for row in rows]
    broken = tuple(item for item in items if isinstance(item, Broken))
    whole: tuple[Record, ...] = tuple(item for item in items if not isinstance(item, Broken))
    return Page(resource, whole, broken, cursor, len(items))


def _matters(found: Record | Broken, since: date) -> bool:
    """What is owed or free, what is since that day, and what cannot be told."""
    match found:
        case Invoice():
            return found.state is InvoiceState.OPEN or found.issued_on >= since
        case Payment():
            return bool(found.unapplied) or found.received_on >= since
        case _:
            return True


def _is_owed(resource: Resource, row: Row, table: Table) -> bool:
    found = record(resource, row, table.at)
    return isinstance(found, Invoice) and found.state is InvoiceState.OPEN


# --- cursors: a delta's is the digest of each row, so some thousand rows are what this connector is good for ------


def _cursor(tables: Mapping[Resource, Table]) -> str:
    known = {resource: {row.id: row.digest for row in table.rows.values()} for resource, table in tables.items()}
    return base64.b64encode(zlib.compress(json.dumps(known).encode())).decode()


def _known(cursor: str) -> dict[str, dict[str, str]]:
    try:
        known: dict[str, dict[str, str]] = json.loads(zlib.decompress(base64.b64decode(cursor, validate=True)))
    except (binascii.Error, zlib.error, ValueError):
        raise Stale("not a cursor of this connector") from None
    return known


def _last_id(cursor: str | None) -> str:
    try:
        return str(json.loads(cursor)["after"]) if cursor else ""
    except (ValueError, KeyError, TypeError):
        return ""  # to read all of it once more loses nothing
