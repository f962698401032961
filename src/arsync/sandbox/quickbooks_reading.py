"""Reading a company's books: queries, pages, change data capture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from arsync.sandbox.quickbooks_books import Books
from arsync.sandbox.quickbooks_query import Condition, Query, QueryRefused, parse
from arsync.sandbox.quickbooks_records import Row
from arsync.sandbox.quickbooks_wire import PACIFIC, Refused, invalid_property, query_response

CDC_LOOK_BACK = timedelta(days=30)
CDC_CAP = 1_000
_NO_CDC = ("Attachable", "CompanyInfo", "Preferences", "CustomerType")

_META = {"MetaData.CreateTime": "created", "MetaData.LastUpdatedTime": "updated"}
_TRANSACTION = {"Id": "id", "TxnDate": "date", "DocNumber": "text", "CustomerRef": "reference", "TotalAmt": "amount"}
# What may stand in WHERE and ORDERBY. An amount that is computed (UnappliedAmt, RemainingCredit) may not.
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "Invoice": {**_TRANSACTION, **_META, "DueDate": "date", "Balance": "amount"},
    "Payment": {name: kind for name, kind in {**_TRANSACTION, **_META}.items() if name != "DocNumber"},
    "CreditMemo": {**_TRANSACTION, **_META},
    "Customer": {
        "Id": "id",
        "DisplayName": "text",
        "FullyQualifiedName": "text",
        "CompanyName": "text",
        "GivenName": "text",
        "FamilyName": "text",
        "PrintOnCheckName": "text",
        "Active": "flag",
        "Job": "flag",
        "Balance": "amount",
        **_META,
    },
    "Attachable": {
        "Id": "id",
        "AttachableRef.EntityRef.value": "target",
        "AttachableRef.EntityRef.type": "target type",
        "FileName": "text",
        "Note": "text",
        **_META,
    },
    "CompanyInfo": {"Id": "id", **_META},
    "Preferences": {"Id": "id", **_META},
    "CustomerType": {"Id": "id", "Name": "text", "Active": "flag", **_META},
}
_KINDS = {name.lower(): name for name in _FIELDS}


class Reader:
    """Answers queries on books; lists are kept until the entity changes, so that paging costs one sort."""

    def __init__(self, books: Books, *, numeric_ids: Callable[[], bool], now: Callable[[], datetime]) -> None:
        self._books = books
        self._numeric_ids = numeric_ids
        self._now = now
        self._lists: dict[str, tuple[object, list[Row]]] = {}
        self._billed: dict[str, tuple[object, dict[str, list[Row]]]] = {}

    def query(self, text: str) -> tuple[bytes, list[str]]:
        """(the `QueryResponse` object, ids of the invoices served); raises `Refused`."""
        try:
            query = parse(text)
            entity = _KINDS.get(query.entity.lower())
            if entity is None:
                raise QueryRefused("4001", f"QueryValidationError: invalid context declaration: {query.entity}")
            rows = self._list(entity, query)
        except QueryRefused as error:
            message = "Error parsing query" if error.code == "4000" else "Invalid query"
            raise Refused(error.code, message, error.detail) from None
        if query.count:
            return b'{"totalCount":%d}' % len(rows), []
        page = rows[query.start - 1 : query.start - 1 + query.results]
        served = [row.id for row in page] if entity == "Invoice" else []
        return query_response(entity, [row.json() for row in page], query.start), served

    def changes(self, entities: str, since: str, *, cap_in_total: bool) -> bytes:
        """A `CDCResponse` list: one QueryResponse per entity asked for, `{}` where nothing changed."""
        start = _instant(since)
        if start is None:
            raise invalid_property("changedSince", f"{since!r} is no date and time")
        if start < self._now() - CDC_LOOK_BACK:
            raise invalid_property("changedSince", "the look-back is limited to 30 days")
        left, answers = CDC_CAP, []
        for name in entities.split(","):
            entity = _KINDS.get(name.strip().lower())
            if entity is None or entity in _NO_CDC:
                raise invalid_property("entities", f"{name.strip()!r} has no change data capture")
            told = () if entity in self._books.hidden else self._books.rows[entity].values()
            changed = [row for row in told if row.updated >= start]
            changed.sort(key=lambda row: (row.updated, int(row.id)))
            page = changed[: left if cap_in_total else CDC_CAP]
            left -= len(page)
            response = query_response(entity, [row.json() for row in page], 1)
            # totalCount is often, not always, there
            answers.append(response[:-1] + b',"totalCount":%d}' % len(page) if len(page) > 1 else response)
        return b'[{"QueryResponse":[%s]}]' % b",".join(answers)

    def _list(self, entity: str, query: Query) -> list[Row]:
        key = f"{entity}/{query.where}/{query.order}"
        version = (self._books.revision[entity], self._numeric_ids())
        kept = self._lists.get(key)
        if kept is not None and kept[0] == version:
            return kept[1]
        tests = [self._test(entity, condition) for condition in query.where]
        if entity in ("Customer", "CustomerType") and not any(
            condition.field.lower() == "active" for condition in query.where
        ):
            tests.append(lambda row: row.doc["Active"] is True)  # lists of names leave the inactive out
        rows = [row for row in self._named(entity, query) if all(test(row) for test in tests)]
        if entity in self._books.halved and not any(condition.field.lower() == "id" for condition in query.where):
            rows = rows[::2]
        # without an order the newest come first, which nobody may rely on
        rows.sort(key=lambda row: int(row.id), reverse=not query.order)
        for field, descending in reversed(query.order):
            _, kind = _field(entity, field)
            rows.sort(key=self._sort_key(entity, field, kind), reverse=descending)
        if len(self._lists) > 50:
            self._lists.clear()
        self._lists[key] = (version, rows)
        return rows

    def _named(self, entity: str, query: Query) -> Iterable[Row]:
        """The records that the query's ids or customers leave in question: a large company is not gone through for a
        few of them, be they asked for once or twice."""
        for condition in query.where:
            name, kind = _field(entity, condition.field)
            if condition.operator not in ("=", "IN"):
                continue
            if kind == "id" and entity not in self._books.hidden:
                known = self._books.rows[entity]
                ids = (str(int(one)) if self._numeric_ids() else one for one in condition.values)
                found = (known.get(one) for one in dict.fromkeys(ids))
                return [row for row in found if row is not None and not row.deleted]
            if name == "CustomerRef":
                billed = self._by_customer(entity)
                return [row for one in dict.fromkeys(condition.values) for row in billed.get(one, ())]
        return self._books.live(entity)

    def _by_customer(self, entity: str) -> dict[str, list[Row]]:
        version = (self._books.revision[entity], entity in self._books.hidden)
        kept = self._billed.get(entity)
        if kept is None or kept[0] != version:
            billed: dict[str, list[Row]] = {}
            for row in self._books.live(entity):
                billed.setdefault(row.doc["CustomerRef"]["value"], []).append(row)
            kept = self._billed[entity] = (version, billed)
        return kept[1]

    def _sort_key(self, entity: str, field: str, kind: str) -> Callable[[Row], Any]:
        read = self._value(entity, field, kind)
        empty = {"amount": Decimal(0), "flag": False}.get(kind, "")
        return lambda row: empty if (value := read(row)) is None else value

    def _value(self, entity: str, field: str, kind: str) -> Callable[[Row], Any]:
        name, _ = _field(entity, field)
        if kind == "id":
            return (lambda row: int(row.id)) if self._numeric_ids() else (lambda row: row.id)
        if kind == "updated":
            return lambda row: row.updated
        if kind == "created":
            return lambda row: row.created
        if kind == "reference":
            return lambda row: row.doc[name]["value"]
        if kind.startswith("target"):
            part = "type" if kind == "target type" else "value"
            return lambda row: row.doc.get("AttachableRef", [{"EntityRef": {}}])[0]["EntityRef"].get(part, "").lower()
        return lambda row: row.doc.get(name)

    def _test(self, entity: str, condition: Condition) -> Callable[[Row], bool]:
        name, kind = _field(entity, condition.field)
        read = self._value(entity, condition.field, kind)
        if condition.operator == "LIKE":
            return _like(name, kind, condition.values[0], read)
        wanted = [self._constant(name, kind, value) for value in condition.values]
        match condition.operator:
            case "=":
                return lambda row: read(row) == wanted[0]
            case "IN":
                values = set(wanted)
                return lambda row: read(row) in values
            case "<":
                return lambda row: (value := read(row)) is not None and value < wanted[0]
            case ">":
                return lambda row: (value := read(row)) is not None and value > wanted[0]
            case "<=":
                return lambda row: (value := read(row)) is not None and value <= wanted[0]
            case _:
                return lambda row: (value := read(row)) is not None and value >= wanted[0]

    def _constant(self, name: str, kind: str, text: str) -> Any:
        value: Any = text
        if kind == "id":
            value = (int(text) if text.isdigit() else None) if self._numeric_ids() else text
        elif kind == "amount":
            try:
                value = Decimal(text)
            except InvalidOperation:
                value = None
        elif kind in ("created", "updated"):
            value = _instant(text)
        elif kind == "date":
            value = text if _is_date(text) else None
        elif kind == "flag":
            value = {"true": True, "false": False}.get(text.lower())
        elif kind.startswith("target"):
            value = text.lower()
        if value is None:
            raise QueryRefused("4001", f"QueryValidationError: value {text} is not valid for {name}")
        return value


def _field(entity: str, name: str) -> tuple[str, str]:
    for known, kind in _FIELDS[entity].items():
        if known.lower() == name.lower():
            return known, kind
    raise QueryRefused("4001", f"QueryValidationError: Property {name} not found for Entity {entity}")


def _like(name: str, kind: str, pattern: str, read: Callable[[Row], Any]) -> Callable[[Row], bool]:
    if kind != "text":
        raise QueryRefused("4001", f"QueryValidationError: LIKE is not supported for {name}")
    starts, ends = not pattern.startswith("%"), not pattern.endswith("%")
    core = pattern.strip("%").lower()

    def test(row: Row) -> bool:
        value = str(read(row) or "").lower()
        if starts and ends:
            return value == core
        return value.startswith(core) if starts else value.endswith(core) if ends else core in value

    return test


def _instant(text: str) -> datetime | None:
    """An ISO instant; one without a zone is Pacific time, as the vendor takes it."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    return value.replace(tzinfo=PACIFIC) if value.tzinfo is None else value


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
