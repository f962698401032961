"""The playbook's JSON Schema, for editors that complete and check while one types; `load` remains the judge."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from arsync.domain.replies import Meaning
from arsync.playbook import limits_section, load, match_section, reply_section, step_section, windows


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
            "group": _choice(load.GROUPS, "What one message is about: all of a payer, or one invoice.", "payer"),
            "anchor": _choice(step_section.ANCHORS, "The day that offsets count from.", "due_date"),
            "mode": _choice(step_section.MODES, "Who lets out what its steps send. Absent: as the company says."),
            "caps": {
                "type": "object",
                "description": "The most messages; what a person did by hand counts.",
                "additionalProperties": False,
                "minProperties": 1,
                "properties": {
                    "week": _whole(limits_section.CAP_BOUNDS, "To one payer in 7 days."),
                    "month": _whole(limits_section.CAP_BOUNDS, "To one payer in 30 days."),
                    "mailbox": _whole(limits_section.MAILBOX_BOUNDS, "To all payers of a company in one day."),
                },
            },
            "window": _window(),
            "steps": {
                "type": "array",
                "minItems": 1,
                "description": "The ladder; offsets rise from step to step.",
                "items": _step(),
            },
            "statements": {
                "type": "object",
                "description": "Statements of account beside the ladder.",
                "additionalProperties": False,
                "required": list(limits_section.STATEMENT_REQUIRED),
                "properties": {
                    "business_day": _whole(
                        limits_section.STATEMENT_DAYS, "Of each month. Absent: only when a person sends one."
                    ),
                    "template": _slug("As that of a step."),
                    "mode": _choice(limits_section.STATEMENT_MODES, "Who lets it go out. Absent: as settings say."),
                    "instead": _choice(step_section.INSTEAD, "What it is where an e-mail would reach nobody."),
                    "instead_template": _slug("What it says then; a call needs it."),
                },
            },
            "apology": {
                "type": "object",
                "description": "An e-mail for what was asked for though it had been paid, as the books told later.",
                "additionalProperties": False,
                "required": list(limits_section.APOLOGY_REQUIRED),
                "properties": {
                    "template": _slug("As that of a step."),
                    "mode": _choice(limits_section.STATEMENT_MODES, "Who lets it go out. Absent: as settings say."),
                },
            },
            "on_reply": _on_reply(),
            "end": {
                "type": "object",
                "description": "What a person is asked to do when the ladder is done.",
                "additionalProperties": False,
                "required": list(limits_section.END_REQUIRED),
                "properties": {
                    "id": _slug("Its name."),
                    "mode": _choice(limits_section.END_MODES, "A person's task."),
                    "says": {"type": "string", "minLength": 1, "maxLength": limits_section.LONGEST_SAYING},
                },
            },
        },
    }


def schema_text() -> str:
    """The schema as it stands in playbooks/playbook.schema.json."""
    return json.dumps(schema(), indent=2) + "\n"


def _window() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "When messages may leave, on the payer's business days.",
        "additionalProperties": False,
        "required": list(windows.REQUIRED),
        "properties": {
            "weekdays": {"type": "array", "minItems": 1, "items": {"enum": list(windows.WEEKDAYS)}},
            "opens": _time("The first minute."),
            "closes": _time("The minute after the last."),
            "timezone": _choice(windows.ZONES, "By whose clock: the payer's where it is known.", "customer"),
            "holidays": _choice(windows.HOLIDAYS, "Whose public holidays are no business days.", "both"),
            "blackout": {
                "type": "array",
                "minItems": 1,
                "description": "Days on which nothing goes out, both ends included.",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": list(windows.BLACKOUT_REQUIRED),
                    "properties": {
                        "from": _day("The first day: 12-20 comes every year, 2026-12-20 once."),
                        "to": _day("The last day; before the first it is that of the next year."),
                        "why": {"type": "string", "maxLength": 80, "description": "What explanations call it."},
                    },
                },
            },
        },
    }


def _day(description: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{windows.DAY}$", "description": description}


def _on_reply() -> dict[str, Any]:
    hold = {"type": "string", "pattern": f"^{reply_section.HOLD}$"}
    record = {"type": "string", "pattern": f"^({reply_section.RECORD}|{reply_section.HOLD})$"}
    names = [meaning.value for meaning in reply_section.MEANINGS]
    return {
        "type": "object",
        "description": "What is done because of a reply before a person has read it. Absent: nothing but the pause.",
        "additionalProperties": False,
        "anyOf": [{"required": [name]} for name in names],
        "properties": {
            "confidence": _whole(reply_section.CONFIDENCE_BOUNDS, "Percent that the rules must be sure of it."),
            **{name: record if name == Meaning.PROMISE else hold for name in names},
        },
    }


def _step() -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(step_section.STEP_REQUIRED),
        "properties": {
            "id": _slug("Its lasting name: messages are remembered by it, so renaming it makes it a new step."),
            "act": _choice(step_section.ACTS, "What it does.", "remind"),
            "offset": _whole(step_section.OFFSET_BOUNDS, "Days after the anchor; negative is before. No thank-you's."),
            "anchor": _choice(step_section.ANCHORS, "The day its offset counts from. Absent: as the playbook says."),
            "channel": _choice(step_section.CHANNELS, "How it reaches the payer; a call and a task are a person's."),
            "tone": _choice(step_section.TONES, "How hard it speaks; a final step needs two milder ones before it."),
            "template": _slug("templates/<template>.<locale>.html.j2 and .txt.j2 beside the playbook."),
            "mode": _choice(step_section.MODES, "Who lets it go out. Absent: as the company's settings say."),
            "repeat": {
                "type": "object",
                "description": "It is taken again, until its end or until the next step comes.",
                "additionalProperties": False,
                "required": list(step_section.REPEAT_REQUIRED),
                "oneOf": [{"required": ["times"]}, {"required": ["until"]}],
                "properties": {
                    "every": _whole(step_section.EVERY_BOUNDS, "Days after the last time."),
                    "times": _whole(step_section.TIMES_BOUNDS, "So many times more."),
                    "until": _whole(step_section.OFFSET_BOUNDS, "Not later than so many days after the anchor."),
                },
            },
            "when": _happenings("An answer: taken once where one of these has happened since the ladder's last step."),
            "unless": _happenings("Left out where one of these has happened since the ladder's last step."),
            "before_payment_run": _whole(
                step_section.RUN_BOUNDS,
                "Moved to so many business days before the payer's payment run, where that is known and near.",
            ),
            "attach": _words("What goes with its e-mail.", step_section.ATTACHED),
            "attach_missing": _choice(step_section.MISSING, "What happens where one of them cannot be had.", "wait"),
            "to": _words("Whose e-mail addresses, the first kind that has any.", step_section.ROLES),
            "cc": _words("Whose addresses get a copy, beside those of the role cc.", step_section.ROLES),
            "instead": _choice(step_section.INSTEAD, "What it is where an e-mail would reach nobody."),
            "instead_template": _slug("What it says then; a call needs it."),
        },
    }


def _happenings(description: str) -> dict[str, Any]:
    return _words(description, step_section.HAPPENINGS)


def _words(description: str, words: Iterable[str]) -> dict[str, Any]:
    one = {"enum": list(words)}
    return {"anyOf": [one, {"type": "array", "minItems": 1, "items": one}], "description": description}


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
    return {"type": "string", "pattern": f"^{step_section.SLUG}$", "maxLength": 40, "description": description}


def _whole(bounds: tuple[int, int], description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": bounds[0], "maximum": bounds[1], "description": description}


def _choice(names: Iterable[str], description: str, default: str | None = None) -> dict[str, Any]:
    choice: dict[str, Any] = {"enum": list(names), "description": description}
    return choice if default is None else {**choice, "default": default}


def _time(description: str) -> dict[str, Any]:
    # An unquoted 09:00 is text to YAML 1.2, a number of base 60 to YAML 1.1; arsync reads both.
    return {"type": ["string", "integer"], "description": description}
