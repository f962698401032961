"""No statement forgets whose records it asks for: every text of SQL that the tests cause is read once.

Companies share tables, and their sources give the same ids: two companies may well have an invoice 1 of a customer 1.
So a statement that reads or changes a company's table names that table's `connection_id`, in a condition or as a column
of its answer, or goes by a key of our own (`id`, `chase_id`, `message_id` ...), which no two companies share. Where it
goes by an id of the source, only the company will do.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from sqlalchemy import Engine, event

from arsync.store import prepared, tables

#: What the sources call their records, and what people call them: the same at several companies.
_THEIRS: Final = (
    "remote_id", "customer_id", "payer_id", "invoice_id", "parent_id", "merged_into", "source_id", "target_id",
    "number",
)  # fmt: skip
#: Keys of ours, each of one company.
_OURS: Final = (
    "id", "chase_id", "message_id", "promise_id", "plan_id", "call_id", "reply_id", "batch_id", "touch_id", "key",
    "marker", "identity", "claim_token",
)  # fmt: skip
_COMPANY: Final = frozenset(name for name, table in tables.metadata.tables.items() if "connection_id" in table.c)
#: Rows that belong to a row of a company, by its key.
_PARTS: Final = frozenset(
    name
    for name, table in tables.metadata.tables.items()
    if "connection_id" not in table.c and any(column in table.c for column in _THEIRS)
)
#: Asked of the whole installation, and why that tells nobody of another company.
ALLOWED: Final = {
    r"UPDATE chases SET version=\(chases\.version \+ .{1,40}\)$": "the red button is for all",
    r"SELECT (messages|notes)\.state, count\(\*\) AS count_1 FROM \1 GROUP BY \1\.state$": "counts for the metrics",
    r"SELECT chases\.rulebook FROM chases WHERE chases\.state IN \(.*\) AND chases\.rulebook": "rulebooks in use",
    r"UPDATE chases SET rulebook=.{1,40} WHERE chases\.rulebook = ": "a rulebook is the installation's",
    r"SELECT max\(events\.id\)": "how far the log goes",
    r"SELECT .* FROM events WHERE events\.kind IN \(.*\) ORDER BY events\.id DESC": "when the digest went",
    r"SELECT messages\.id, messages\.recipients, messages\.state FROM messages WHERE messages\.channel = ": (
        "a provider's list of addresses is of the account that all companies send by"
    ),
    r"DELETE FROM user_companies WHERE user_companies\.user_id = .{1,40}$": "what a person sees is said anew",
    r"INSERT INTO events \(at, kind, author, data\)": "what is of no company",
    r"SELECT \S+ AS anon_1 FROM \w+ LIMIT": "whether the database holds anything that somebody could miss",
    r"SELECT max\(\w+\.id\) AS max_1 FROM \w+$": "from where on a restored table is numbered",
    r"SELECT (replies\.id|count\(\*\) AS count_1) FROM .*replies\.state != .*coalesce\(replies\.done_at": (
        "what is old is forgotten, whoever's it is"
    ),
    r"SELECT (runs\.id|count\(\*\) AS count_1) FROM .*runs\.started_at < ": "a run is of several companies",
}  # fmt: skip
_TABLE: Final = re.compile(r"(?i)\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)(?:\s+AS\s+(\w+))?")
_BOUND: Final = r"(?:\?|%\(\w+\)s|%s)"


def forgotten(sql: str) -> list[str]:
    """The tables of companies that a statement reads or changes without saying whose."""
    text = " ".join(re.sub(r"'(?:[^']|'')*'", "''", sql).replace('"', "").split())
    if text.startswith(("CREATE", "DROP", "PRAGMA")) or any(re.match(allowed, text) for allowed in ALLOWED):
        return []
    there = sorted({(table, alias or table) for table, alias in _TABLE.findall(text)})
    return [
        f"{alias} ({name})" if alias != name else name
        for name, alias in there
        if (name in _COMPANY and not _says_whose(text, alias, [one for _, one in there]))
        or (name in _PARTS and not _says_whose_part(text, alias))
    ]


def _says_whose(text: str, alias: str, others: list[str]) -> bool:
    if re.search(rf"\b{alias}\.connection_id\b", text):
        return True
    if re.match(rf"INSERT INTO {alias}\b|DELETE FROM {alias} WHERE connection_id = ", text):
        return "connection_id" in text
    if any(re.search(rf"\b{alias}\.{key} (?:= {_BOUND}|IN \({_BOUND})", text) for key in _OURS):
        return True
    by_theirs = any(_compares(text, alias, column) for column in _THEIRS)
    if not by_theirs and any(_compares(text, alias, key) for key in _OURS):
        return True
    return any(_joined(text, alias, other) and f"{other}.connection_id" in text for other in others if other != alias)


def _says_whose_part(text: str, alias: str) -> bool:
    if text.startswith("INSERT") or not any(_compares(text, alias, column) for column in _THEIRS):
        return True
    if any(re.search(rf"\b{alias}\.{key} = {_BOUND}", text) for key in _OURS):
        return True
    return ".connection_id" in text and any(f"{alias}.{key}" in text for key in _OURS)


def _joined(text: str, alias: str, other: str) -> bool:
    ours = "|".join(_OURS)
    here, there = rf"\b{alias}\.(?:{ours})\b", rf"\b{other}\.(?:{ours})\b"
    return re.search(rf"{here} = {there}|{there} = {here}", text) is not None


def _compares(text: str, alias: str, column: str) -> bool:
    named = rf"\b{alias}\.{column}\b"
    return (
        re.search(rf"{named}\)* (?:=|!=|IN|NOT IN|LIKE|<|>)|(?:=|IN|ANY) \(?{named}|{named}[^()]*\) IN", text)
        is not None
    )


#: They hand on whatever anybody says.
_MACHINERY: Final = ("arsync.store.engine", "arsync.store.prepared", "arsync.store.seats")


class Watch:
    """Reads each statement once; keeps what it found until it is asked."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._found: list[str] = []

    def read(self, sql: str) -> None:
        if sql in self._seen:
            return
        self._seen.add(sql)
        if _is_of_the_program() and (those := forgotten(sql)):
            self._found.append(f"whose rows of {', '.join(those)}? {' '.join(sql.split())}")

    def found(self) -> list[str]:
        """What was found since it was last asked."""
        found, self._found = self._found, []
        return found


def _is_of_the_program() -> bool:
    """Whether arsync says it, not a test."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith(("tests.", "arsync.")) and name != __name__ and name not in _MACHINERY:
            return not name.startswith(("tests.", "arsync.store.upgrade"))  # a migration goes over all there is
        frame = frame.f_back
    return False


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Every statement of every store goes by it."""

    def told(_connection: Any, _cursor: Any, sql: str, *_more: Any) -> None:
        watch.read(sql)

    whole = prepared._Lite.__init__

    def written(self: Any, *given: Any) -> None:
        whole(self, *given)
        watch.read(self._text)

    event.listen(Engine, "before_cursor_execute", told)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared._Lite, "__init__", written)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", told)
