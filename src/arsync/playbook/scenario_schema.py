"""The JSON Schema of scenario files, for editors that complete while one types; `arsync playbook test` is the judge."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from arsync.domain.people import CallOutcome, DisputeCode, TouchKind
from arsync.domain.policy import ACCOUNT
from arsync.domain.states import HoldKind
from arsync.playbook import scenarios as s
from arsync.playbook.match_section import RATINGS
from arsync.playbook.scenarios import What
from arsync.playbook.step_section import MODES, SLUG

_DAY: Final = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_TEXT: Final = {"type": "string", "minLength": 1}
_WORDS: Final = {"type": ["string", "integer"]}
_AMOUNT: Final = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": "^[0-9.]+$"}]}
_STEP: Final = {"type": "string", "pattern": f"^({SLUG}|{ACCOUNT})$", "maxLength": 40}
_CURRENCY: Final = {"type": "string", "pattern": "^[A-Z]{3}$"}
_COUNTRY: Final = {"type": "string", "pattern": "^[A-Z]{2}$"}
_LANGUAGE: Final = {"type": "string", "pattern": "^[a-z]{2,3}$"}


def schema() -> dict[str, Any]:
    """The schema as plain data."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "scenarios of an arsync playbook",
        **_object(
            s.FILE_KEYS,
            ("scenarios",),
            {
                "company": _company(),
                "scenarios": {"type": "array", "minItems": 1, "items": _scenario()},
            },
        ),
    }


def schema_text() -> str:
    """The schema as it stands in playbooks/tests/scenarios.schema.json."""
    return json.dumps(schema(), indent=2) + "\n"


def _company() -> dict[str, Any]:
    return _object(
        s.COMPANY_KEYS,
        (),
        {
            "name": _told(_TEXT, "The connection's name."),
            "country": _told(_COUNTRY, "Whose public holidays count: ISO 3166, such as GB."),
            "region": _TEXT,
            "timezone": _told(_TEXT, "Such as Europe/London."),
            "language": _told(_LANGUAGE, "Of customers who have none."),
            "currency": _told(_CURRENCY, "Of invoices that name none."),
            "mode": _choice(MODES, "Who lets messages out whose step does not say."),
            "replies_read": {"type": "boolean", "description": "Whether arsync reads replies; else firm steps wait."},
            "closed": _several(_TEXT, "Days on which the company is closed: 12-24..01-02 year end."),
        },
    )


def _scenario() -> dict[str, Any]:
    return _object(
        s.SCENARIO_KEYS,
        s.SCENARIO_REQUIRED,
        {
            "name": {"type": "string", "minLength": 1, "maxLength": s.LONGEST_NAME, "description": "What it claims."},
            "from": _told(_DAY, "The first day: the company is connected, and the customer's open invoices are seen."),
            "to": _told(_DAY, "The last day."),
            "customer": _customer(),
            "customers": {
                "type": "array",
                "minItems": 1,
                "maxItems": s.MOST_CUSTOMERS,
                "description": "Where there are several, each with a name; instead of customer.",
                "items": {**_customer(), "required": ["name"]},
            },
            "invoices": {
                "type": "array",
                "minItems": 1,
                "items": _object(
                    s.INVOICE_KEYS,
                    s.INVOICE_REQUIRED,
                    {
                        "number": _WORDS,
                        "customer": _told(_TEXT, "Where there are several."),
                        "amount": _AMOUNT,
                        "currency": _CURRENCY,
                        "issued": _DAY,
                        "due": _DAY,
                    },
                ),
            },
            "happens": {"type": "array", "minItems": 1, "items": {"anyOf": [_event(what) for what in What]}},
            "asleep": {
                "type": "array",
                "minItems": 1,
                "description": "Days on which the worker was off.",
                "items": _object(s.ASLEEP_KEYS, s.ASLEEP_KEYS, {"from": _DAY, "to": _DAY}),
            },
            "approve_after": {
                "type": "integer",
                "minimum": s.APPROVE_BOUNDS[0],
                "maximum": s.APPROVE_BOUNDS[1],
                "description": "Days until a person lets out what waits for one; 0 is the same day.",
            },
            "expect": {
                "description": "Every touch of the scenario and no other; or nothing.",
                "anyOf": [{"const": s.NOTHING}, {"type": "array", "minItems": 1, "items": _expected()}],
            },
            "why_not": {
                "type": "array",
                "minItems": 1,
                "description": "What the planner answers for an invoice on a day.",
                "items": _object(
                    s.WHY_KEYS,
                    s.WHY_REQUIRED,
                    {
                        "day": _DAY,
                        "invoice": _WORDS,
                        "rule": _choice(s.RULES, "The rule that decides."),
                        "says": _told(_TEXT, "Words of its reason."),
                    },
                ),
            },
        },
    )


def _customer() -> dict[str, Any]:
    return _object(
        s.CUSTOMER_KEYS,
        (),
        {
            "name": _TEXT,
            "country": _COUNTRY,
            "region": _TEXT,
            "language": _LANGUAGE,
            "email": _told(_TEXT, "An address; none where nobody knows one."),
            "tags": _several(_TEXT, "For playbooks that match by them."),
            "groups": _several(_TEXT, "Of the accounting system."),
            "rating": _choice(RATINGS, "How the customer pays: A is best."),
            "payment_day": _told(_WORDS, "When its payment run goes out: 15, end of month, friday."),
        },
    )


def _expected() -> dict[str, Any]:
    return _object(
        s.EXPECT_KEYS,
        s.EXPECT_REQUIRED,
        {
            "day": _DAY,
            "step": _STEP,
            "invoices": _several(_WORDS, "Those that are demanded; left out: any."),
            "amount": _told(_AMOUNT, "What is demanded in all; left out: any."),
            "mode": _choice(MODES, "Who lets it out; left out: anybody."),
        },
    )


def _event(what: What) -> dict[str, Any]:
    own: dict[What, dict[str, Any]] = {
        What.RECEIVED: _AMOUNT,
        What.PROMISED: _DAY,
        What.PAUSED: _DAY,
        What.INSTALMENTS: {
            "type": "integer",
            "minimum": s.INSTALMENT_BOUNDS[0],
            "maximum": s.INSTALMENT_BOUNDS[1],
        },
        What.HELD: {"enum": [kind.value for kind in HoldKind]},
        What.LIFTED: {"enum": [*(kind.value for kind in HoldKind), "all"]},
        What.TOUCHED: {"enum": [kind.value for kind in TouchKind]},
        What.CALLED: {"enum": [outcome.value for outcome in CallOutcome]},
        What.BOUNCED: _STEP,
    }
    beside: dict[str, dict[str, Any]] = {
        "amount": _AMOUNT,
        "currency": _CURRENCY,
        "code": {"enum": [code.value for code in DisputeCode]},
        "until": _DAY,
        "why": _TEXT,
        "invoice": _WORDS,
        "grace": {"type": "integer", "minimum": s.GRACE_BOUNDS[0], "maximum": s.GRACE_BOUNDS[1]},
        "step": _STEP,
        "customer": _TEXT,
        "first": _DAY,
        "every": {"enum": list(s.EVERY)},
    }
    keys = ("day", what.value, *s.BESIDE[what])
    said = {key: beside[key] for key in s.BESIDE[what]}
    return _object(
        keys, ("day", what.value, *s.NEEDED.get(what, ())), {"day": _DAY, what.value: own.get(what, _WORDS), **said}
    )


def _object(keys: Iterable[str], required: Iterable[str], properties: dict[str, Any]) -> dict[str, Any]:
    assert set(keys) == set(properties)
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {key: properties[key] for key in keys},
    }


def _told(entry: dict[str, Any], description: str) -> dict[str, Any]:
    return {**entry, "description": description}


def _choice(names: Iterable[str], description: str) -> dict[str, Any]:
    return {"enum": list(names), "description": description}


def _several(entry: dict[str, Any], description: str) -> dict[str, Any]:
    return {"anyOf": [entry, {"type": "array", "minItems": 1, "items": entry}], "description": description}
