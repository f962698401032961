"""Holds QuickBooks exchanges against Intuit's field list: there is no OpenAPI document of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from arsync.sandbox.recording import Exchange

_TEXT = {"string", "id", "date", "dateTime", "IdType"}
_NUMBER = {"decimal", "int", "integer", "positiveInteger", "long", "float"}
#: the ids of records that can be corrupted, with both vendors
IDS = ("Id", "InvoiceID", "ContactID", "PaymentID", "CreditNoteID", "OverpaymentID", "PrepaymentID")
#: of IntuitResponse and its kin, and what every recorded answer has beside the list's own keys
_AROUND = {"time", "sparse", "domain", "status", "requestId"}


class QuickBooksFields:
    """The vendor's field list, as a judge of exchanges."""

    def __init__(self, material: Path) -> None:
        content = json.loads((material / "qbo_fields.json").read_text())
        self._entities: dict[str, dict[str, dict[str, Any]]] = {
            entity: {name.lstrip("@"): rule for name, rule in fields.items()}
            for entity, fields in content["entities"].items()
        }
        self._passed: set[Hashable] = set()
        self.checked = 0  # records whose shape was new

    def problems(self, exchange: Exchange) -> list[str]:
        """What is wrong with one exchange, in words."""
        if exchange.resource == "authorize":
            return []  # the consent page, which people see
        found = [] if exchange.authorized else ["the request carries no credential"]
        if exchange.resource in ("token", "revoke"):
            return found
        try:
            if exchange.resource.capitalize() in self._entities and exchange.body and (exchange.status or 0) < 400:
                body = msgspec.json.decode(exchange.body)
                found += self._record(exchange.resource.capitalize(), body, "request")
            if exchange.status == 200 and exchange.answer_type.startswith("application/pdf"):
                found += [] if exchange.answer.startswith("%PDF-") else ["the answer is no PDF"]
            elif exchange.status == 200:
                for entity, record in self._records(whole(msgspec.json.decode(exchange.answer), exchange.spoilt)):
                    found += self._record(entity, record, entity)
        except msgspec.DecodeError as error:
            found.append(f"not JSON: {error}")
        return found

    def _records(self, answer: Any) -> Iterator[tuple[str, Any]]:
        """Every record in an answer, however deep its envelope."""
        if isinstance(answer, dict):
            for name, value in answer.items():
                if name in self._entities and name not in ("QueryResponse", "CDCResponse", "Fault", "Error"):
                    for record in value if isinstance(value, list) else [value]:
                        yield name, record
                else:
                    yield from self._records(value)
        elif isinstance(answer, list):
            for value in answer:
                yield from self._records(value)

    def _record(self, entity: str, record: Any, place: str) -> list[str]:
        kind = (entity, _shape(record))
        if kind in self._passed:
            return []
        found = list(self._wrong(entity, record, place))
        if not found:
            self._passed.add(kind)
            self.checked += 1
        return found

    def _wrong(self, entity: str, record: Any, place: str) -> Iterator[str]:
        if not isinstance(record, dict):
            yield f"{place} is no object"
            return
        fields = self._entities[entity]
        for name, value in record.items():
            where, rule = f"{place}.{name}", fields.get(name)
            if rule is None:
                if name not in _AROUND:
                    yield f"{where} is not in the vendor's list"
                continue
            if rule.get("many"):
                if not isinstance(value, list):
                    yield f"{where} is no list"
                    continue
                members = value
            else:
                members = [value]
            for member in members:
                yield from self._value(str(rule["type"]), member, where)

    def _value(self, kind: str, value: Any, where: str) -> Iterator[str]:
        if kind in _TEXT:
            good = isinstance(value, str)
        elif kind in _NUMBER:
            good = isinstance(value, int | float) and not isinstance(value, bool)
        elif kind == "boolean":
            good = isinstance(value, bool)
        elif kind == "ReferenceType":
            good = isinstance(value, dict) and set(value) <= {"value", "name", "type"}
        elif kind in self._entities and isinstance(value, dict):
            yield from self._wrong(kind, value, where)
            return
        else:
            return
        if not good:
            yield f"{where} is no {kind}: {value!r}"


def _shape(value: Any) -> Hashable:
    """Keys and JSON types without values."""
    if isinstance(value, dict):
        return frozenset((name, _shape(part)) for name, part in value.items())
    if isinstance(value, list):
        return frozenset(map(_shape, value)), "list"
    return type(value).__name__


def whole(answer: Any, spoilt: Collection[str]) -> Any:
    """An answer without the records that a test corrupted, in whichever list they stand."""
    if not spoilt:
        return answer
    if isinstance(answer, dict):
        kept = {
            name: value for name, value in answer.items() if not (isinstance(value, dict) and value.get("Id") in spoilt)
        }
        return {name: whole(value, spoilt) for name, value in kept.items()}
    if isinstance(answer, list):
        return [
            whole(value, spoilt)
            for value in answer
            if not isinstance(value, dict) or not any(_is_spoilt(value[name], spoilt) for name in IDS if name in value)
        ]
    return answer


def _is_spoilt(record_id: Any, spoilt: Collection[str]) -> bool:
    """Whether an id is one of the corrupted, or was itself corrupted."""
    return not isinstance(record_id, str) or record_id in spoilt
