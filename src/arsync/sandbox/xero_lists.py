"""Reading Xero's lists: which records a request means, which page of them, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from arsync.sandbox.http import Request
from arsync.sandbox.xero_books import Books
from arsync.sandbox.xero_filter import Predicate, parse_order, parse_where
from arsync.sandbox.xero_nouns import Noun
from arsync.sandbox.xero_render import Depth
from arsync.sandbox.xero_wire import Refusal, envelope, invalid, is_guid

PAGE_SIZE = 100
LARGEST_PAGE = 1_000
LONGEST_URL = 2_000  # about 52 identifiers in one list
_VENDOR_ORIGIN = len("https://api.xero.com")
_REMEMBERED = 8  # lists kept per organisation while nothing changes


@dataclass(frozen=True, slots=True)
class Listing:
    """An answer's body and the ids of the records in it."""

    body: bytes
    ids: tuple[str, ...]


class Lists:
    """Answers list requests of one organisation, keeping the last few lists until something changes."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self._kept: dict[tuple[str, ...], tuple[int, list[Any]]] = {}

    def read(self, noun: Noun, request: Request) -> Listing:
        """The records a request asks for; raises Refusal where the vendor would not answer."""
        if _VENDOR_ORIGIN + len(request.path) + 1 + len(unquote(request.query_string)) > LONGEST_URL:
            raise Refusal(414, b"Request-URI Too Long", "text/plain; charset=utf-8")
        query = _parameters(request, noun)
        summary = _flag(query, "summaryOnly")
        paged = summary or "page" in query or "pageSize" in query
        page, size = _whole(query, "page", 1), _whole(query, "pageSize", PAGE_SIZE)
        if page < 1:
            raise invalid(["page starts at 1"])
        if not 1 <= size <= LARGEST_PAGE:
            raise invalid([f"pageSize is from 1 to {LARGEST_PAGE}"])
        size = min(size, int(str(self.books.switch("xero.largest_page"))))
        if _whole(query, "unitdp", 4) not in (2, 4):
            raise invalid(["unitdp is 2 or 4"])
        records = self._records(noun, query, request.header("if-modified-since"))
        pagination = None
        depth = Depth.PLAIN
        if paged:
            depth = Depth.SUMMARY if summary else Depth.PAGED
            pagination = {
                "page": page,
                "pageSize": size,
                "pageCount": math.ceil(len(records) / size),
                "itemCount": len(records),
            }
            records = records[(page - 1) * size : page * size]
        now = self.books.now()
        today = now.date()
        body = envelope(now, noun.name, [noun.write(record, depth, today) for record in records], pagination)
        return Listing(body, tuple(record.id for record in records))

    def _records(self, noun: Noun, query: dict[str, str], modified_since: str) -> list[Any]:
        inclusive = bool(self.books.switch("xero.modified_since_inclusive"))
        chosen = tuple(f"{name}={value}" for name, value in sorted(query.items()) if name not in ("page", "pageSize"))
        key = (noun.name, modified_since, str(inclusive), *chosen)
        kept = self._kept.get(key)
        if kept is not None and kept[0] == self.books.revision:
            return kept[1]
        tests = _tests(noun, query)
        if modified_since:
            tests.append(_modified(modified_since, inclusive=inclusive))
        records = [] if noun.name in self.books.hidden else list(noun.records(self.books))
        for test in tests:
            records = list(filter(test, records))
        if "order" in query:
            records = parse_order(query["order"], noun.properties, noun.one)(records)
        else:
            records.sort(key=lambda record: (record.updated, record.id))
        if noun.name in self.books.halved and "IDs" not in query and not modified_since:
            records = records[::2]
        while len(self._kept) >= _REMEMBERED:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (self.books.revision, records)
        return records


def _parameters(request: Request, noun: Noun) -> dict[str, str]:
    query: dict[str, str] = {}
    for name, values in request.query.items():
        if name not in noun.parameters:
            raise invalid([f"Unknown query parameter '{name}' for {noun.name}"])
        if len(values) > 1:
            raise invalid([f"Query parameter '{name}' is given twice"])
        query[name] = values[0]
    return query


def _tests(noun: Noun, query: dict[str, str]) -> list[Predicate]:
    tests: list[Predicate] = []
    if "IDs" in query:
        tests.append(_among(_guids(query, "IDs"), lambda record: record.id))
    if "ContactIDs" in query:
        tests.append(_among(_guids(query, "ContactIDs"), lambda record: record.contact.id))
    if "InvoiceNumbers" in query:
        tests.append(_among(_listed(query, "InvoiceNumbers"), lambda record: record.number))
    if "References" in query:
        tests.append(_among(_listed(query, "References"), lambda record: record.reference))
    if "Statuses" in query:
        statuses = _listed(query, "Statuses")
        if unknown := statuses - {"DRAFT", "SUBMITTED", "AUTHORISED", "PAID", "VOIDED", "DELETED"}:
            raise invalid([f"Unknown status '{word}'" for word in sorted(unknown)])
        tests.append(_among(statuses, lambda record: record.status))
    archived = _flag(query, "includeArchived")
    if noun.name == "Contacts" and not archived:
        tests.append(lambda record: record.status != "ARCHIVED")
    if _flag(query, "createdByMyApp"):
        tests.append(lambda record: False)  # people made everything here
    if term := query.get("searchTerm", "").lower():
        tests.append(lambda record: any(term in text.lower() for text in _searched(record)))
    if "where" in query:
        tests.extend(parse_where(query["where"], noun.properties, noun.one))
    return tests


def _searched(record: Any) -> Iterable[str]:
    names = ("number", "reference", "name", "first_name", "last_name", "email")
    return (str(getattr(record, name)) for name in names if hasattr(record, name))


def _among(wanted: set[str], read: Callable[[Any], str]) -> Predicate:
    return lambda record: read(record) in wanted


def _listed(query: dict[str, str], name: str) -> set[str]:
    return {part.strip() for part in query[name].split(",") if part.strip()}


def _guids(query: dict[str, str], name: str) -> set[str]:
    parts = {part.lower() for part in _listed(query, name)}
    if wrong := sorted(part for part in parts if not is_guid(part)):
        raise invalid([f"{name}: '{wrong[0]}' is not a valid identifier"])
    return parts


def _flag(query: dict[str, str], name: str) -> bool:
    word = query.get(name, "false").lower()
    if word not in ("true", "false"):
        raise invalid([f"{name} is true or false"])
    return word == "true"


def _whole(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise invalid([f"{name} is a whole number"])
    return int(text)


def _modified(text: str, *, inclusive: bool) -> Predicate:
    """UTC `yyyy-mm-ddThh:mm:ss`, a zone allowed; compared with the whole milliseconds of UpdatedDateUTC."""
    try:
        since = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(["If-Modified-Since is UTC as yyyy-mm-ddThh:mm:ss"]) from None
    if "T" not in text:
        raise invalid(["If-Modified-Since is UTC as yyyy-mm-ddThh:mm:ss"])
    since = since.replace(tzinfo=UTC) if since.tzinfo is None else since.astimezone(UTC)
    if inclusive:
        return lambda record: record.updated >= since
    following = since + timedelta(milliseconds=1)  # stamps are cut to milliseconds
    return lambda record: record.updated >= following
