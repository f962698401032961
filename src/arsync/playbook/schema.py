"""The playbook's JSON Schema, for editors that complete and check while one types; `load` remains the judge."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from arsync.playbook import load, match_section


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a playbook file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "arsync playbook",
        "type": "object",
        "additionalProperties": False,
        "required": ["name"],
        "if": {"required": ["do_nothing"]},
        "then": {"propertyNames": {"enum": list(load.NOTHING_KEYS)}},
        "else": {"required": list(load.REQUIRED)},
        "properties": {
            "name": _slug("The name that connections choose it by."),
            "match": _match(),
            "do_nothing": {
                "type": "string",
                "minLength": 1,
                "maxLength": load.LONGEST_REASON,
                "description": "Whoever this playbook is for is never chased; this is the reason that is given.",
            },
            "gap": _whole(load.GAP_BOUNDS, "Least days between two messages to one payer; beats every offset."),
            "minimum": {
                "type": "object",
                "description": "Least overdue amount that is chased, by currency. Absent: anything above zero.",
                "propertyNames": {"pattern": "^[A-Z]{3}$"},
                "additionalProperties": {
                    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": f"^{load.AMOUNT}$"}]
                },
            },
            "backlog": _choice(
                load.BACKLOGS, "What happens to invoices that were long overdue when the chase began.", "age_step"
            ),
            "reanchor": _choice(load.REANCHORS, "Where the ladder goes on when its oldest invoice is paid.", "fit_age"),
            "window": {
                "type": "object",
                "description": "When messages may leave, in the company's local time, on the payer's business days.",
                "additionalProperties": False,
                "required": list(load.WINDOW_KEYS),
                "properties": {
                    "weekdays": {"type": "array", "minItems": 1, "items": {"enum": list(load.WEEKDAYS)}},
                    "opens": _time("The first minute."),
                    "closes": _time("The minute after the last."),
                },
            },
            "steps": {
                "type": "array",
                "minItems": 1,
                "description": "The ladder; offsets rise from step to step.",
                "items": _step(),
            },
        },
    }


def schema_text() -> str:
    """The schema as it stands in playbooks/playbook.schema.json."""
    return json.dumps(schema(), indent=2) + "\n"


def _step() -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(load.STEP_REQUIRED),
        "properties": {
            "id": _slug("Its lasting name: messages are remembered by it, so renaming it makes it a new step."),
            "offset": _whole(load.OFFSET_BOUNDS, "Days relative to the due date; negative is before it."),
            "channel": _choice(load.CHANNELS, "How it reaches the payer; a call is a task for a person."),
            "tone": _choice(load.TONES, "How hard it speaks; a final step needs two milder ones before it."),
            "template": _slug("templates/<template>.<locale>.html.j2 and .txt.j2 beside the playbook."),
            "mode": _choice(load.MODES, "Who lets it go out. Absent: as the connection says; a call is a task."),
        },
    }


def _match() -> dict[str, Any]:
    listed: dict[str, tuple[str, dict[str, Any]]] = {
        "currency": ("Currencies that are chased by it.", {"pattern": "^[A-Z]{3}$"}),
        "group": ("Customer groups of the accounting system.", {"minLength": 1}),
        "tag": ("Tags of the customer, as `arsync tag` puts them on.", {"pattern": "^[^\\sA-Z_]+$"}),
        "country": ("The payer's country, else the company's: ISO 3166, such as GB.", {"pattern": "^[A-Z]{2}$"}),
        "language": ("The language that the payer is written to in.", {"pattern": "^[a-z]{2,3}$"}),
        "rating": ("How the payer pays: A is best.", {"enum": list(match_section.RATINGS)}),
        "connection": ("Names of connections.", {"minLength": 1}),
    }
    return {
        "type": "object",
        "description": "Which chases it is for: all that is given must hold; of a list, one entry.",
        "additionalProperties": False,
        "required": ["priority"],
        "properties": {
            "priority": _whole(match_section.PRIORITIES, "1 is asked before 2; no two playbooks have the same."),
            "balance": _amounts("All that is open, by currency."),
            "age": {
                "type": "object",
                "description": "Days past due of the oldest open invoice.",
                "additionalProperties": False,
                "minProperties": 1,
                "properties": {
                    "from": _whole(match_section.AGES, "So many or more."),
                    "below": _whole(match_section.AGES, "Fewer than so many."),
                },
            },
            **{key: _any_of(description, entry) for key, (description, entry) in listed.items()},
            "invoice": {
                "type": "object",
                "description": "Single invoices that it is for; the payer's others follow another playbook.",
                "additionalProperties": False,
                "minProperties": 1,
                "properties": {
                    "number": _any_of("Patterns of the number, such as PRJ-*.", {"minLength": 1}),
                    "reference": _any_of("Patterns of the customer's own reference.", {"minLength": 1}),
                    "purchase_order": _any_of("Patterns of the purchase order number.", {"minLength": 1}),
                    "terms": _any_of("Patterns of the terms.", {"minLength": 1}),
                    "total": _amounts("The invoice's total, by currency."),
                },
            },
        },
    }


def _amounts(description: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "propertyNames": {"pattern": "^[A-Z]{3}$"},
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "properties": {"from": _amount("So much or more."), "below": _amount("Less than so much.")},
        },
    }


def _amount(description: str) -> dict[str, Any]:
    text = {"type": "string", "pattern": f"^{load.AMOUNT}$"}
    return {"anyOf": [{"type": "number", "minimum": 0}, text], "description": description}


def _any_of(description: str, entry: dict[str, Any]) -> dict[str, Any]:
    one = {"type": "string", **entry}
    return {"anyOf": [one, {"type": "array", "minItems": 1, "items": one}], "description": description}


def _slug(description: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{load.SLUG}$", "maxLength": 40, "description": description}


def _whole(bounds: tuple[int, int], description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": bounds[0], "maximum": bounds[1], "description": description}


def _choice(names: Iterable[str], description: str, default: str | None = None) -> dict[str, Any]:
    choice: dict[str, Any] = {"enum": list(names), "description": description}
    return choice if default is None else {**choice, "default": default}


def _time(description: str) -> dict[str, Any]:
    # An unquoted 09:00 is text to YAML 1.2, a number of base 60 to YAML 1.1; arsync reads both.
    return {"type": ["string", "integer"], "description": description}
