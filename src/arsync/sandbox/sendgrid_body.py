"""The body of `mail/send`, checked as strictly as SendGrid documents it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_RECIPIENTS = 1_000
MOST_PERSONALIZATIONS = 1_000
MOST_CUSTOM_ARGS_BYTES = 10_000
_words = str.split
RESERVED_HEADERS = frozenset(
    _words(
        "x-sg-id x-sg-eid received dkim-signature content-type content-transfer-encoding "
        "to from subject reply-to cc bcc"
    )
)
_ADDRESS = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+")

# object -> key -> kind; a kind that is itself the name of an object is checked as one
_OBJECTS: Mapping[str, Mapping[str, str]] = {
    "mail": {
        "personalizations": "list of personalization",
        "from": "sender",
        "reply_to": "person",
        "reply_to_list": "list of person",
        "subject": "text",
        "content": "list of content",
        "attachments": "list of attachment",
        "template_id": "text",
        "headers": "headers",
        "categories": "list of category",
        "custom_args": "arguments",
        "send_at": "integer",
        "batch_id": "text",
        "asm": "asm",
        "ip_pool_name": "text",
        "mail_settings": "mail_settings",
        "tracking_settings": "tracking_settings",
    },
    "personalization": {
        "from": "sender",
        "to": "list of person",
        "cc": "list of person",
        "bcc": "list of person",
        "subject": "text",
        "headers": "headers",
        "substitutions": "arguments",
        "dynamic_template_data": "object",
        "custom_args": "arguments",
        "send_at": "integer",
    },
    "sender": {"email": "address", "name": "any text"},
    "person": {"email": "address", "name": "name"},
    "content": {"type": "text", "value": "text"},
    "attachment": {
        "content": "base64",
        "type": "text",
        "filename": "any text",
        "disposition": "disposition",
        "content_id": "any text",
    },
    "asm": {"group_id": "integer", "groups_to_display": "list of integer"},
    "mail_settings": dict.fromkeys(
        _words(
            "bypass_list_management bypass_spam_management bypass_bounce_management bypass_unsubscribe_management "
            "sandbox_mode"
        ),
        "enable",
    )
    | {"footer": "footer"},
    "enable": {"enable": "flag"},
    "footer": {"enable": "flag", "text": "any text", "html": "any text"},
    "tracking_settings": {
        "click_tracking": "click_tracking",
        "open_tracking": "open_tracking",
        "subscription_tracking": "subscription_tracking",
        "ganalytics": "ganalytics",
    },
    "click_tracking": {"enable": "flag", "enable_text": "flag"},
    "open_tracking": {"enable": "flag", "substitution_tag": "any text"},
    "subscription_tracking": {"enable": "flag", "text": "any text", "html": "any text", "substitution_tag": "any text"},
    "ganalytics": {"enable": "flag"}
    | dict.fromkeys(_words("utm_source utm_medium utm_term utm_content utm_campaign"), "any text"),
}
_REQUIRED: Mapping[str, Sequence[str]] = {
    "mail": ("personalizations", "from"),
    "personalization": ("to",),
    "sender": ("email",),
    "person": ("email",),
    "content": ("type", "value"),
    "attachment": ("content", "filename"),
    "asm": ("group_id",),
}
_LENGTHS = {
    "personalizations": (1, MOST_PERSONALIZATIONS),
    "to": (1, MOST_RECIPIENTS),
    "cc": (0, MOST_RECIPIENTS),
    "bcc": (0, MOST_RECIPIENTS),
    "reply_to_list": (1, 1_000),
    "categories": (0, 10),
    "content": (1, 10),
    "groups_to_display": (0, 25),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and the dotted name of the field."""

    message: str
    field: str


def problems(body: Any) -> list[Problem]:
    """Everything that is wrong with a body; empty where SendGrid would take it."""
    found = list(_check("mail", body, ""))
    return found or list(_check_whole(body))


def _check(kind: str, value: Any, field: str) -> Iterator[Problem]:
    if kind in _OBJECTS:
        yield from _check_object(kind, value, field)
    elif kind.startswith("list of "):
        yield from _check_list(kind.removeprefix("list of "), value, field)
    elif kind in ("headers", "arguments"):
        if not isinstance(value, dict):
            yield Problem("must be an object", field)
            return
        for name, text in value.items():
            if not isinstance(text, str):
                yield Problem("each value must be a string", f"{field}.{name}")
            if kind == "headers" and name.lower() in RESERVED_HEADERS:
                yield Problem(f"The header {name} is reserved", f"{field}.{name}")
            if kind == "headers" and not (name.isascii() and re.fullmatch(r"[!-9;-~]+", name)):
                yield Problem("a header name has printable ASCII letters and no colon", f"{field}.{name}")
    elif reason := _wrong(kind, value):
        yield Problem(reason, field)


def _check_object(kind: str, value: Any, field: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem("must be an object", field or "null")
        return
    known = _OBJECTS[kind]
    for name, part in value.items():
        where = f"{field}.{name}" if field else name
        if name not in known:
            yield Problem(f"Additional property {name} is not allowed", where)
        else:
            yield from _check(known[name], part, where)
    for name in _REQUIRED.get(kind, ()):
        if name not in value:
            yield Problem(f"The {name} field is required", f"{field}.{name}" if field else name)


def _check_list(kind: str, value: Any, field: str) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield Problem("must be an array", field)
        return
    least, most = _LENGTHS.get(field.rpartition(".")[2], (0, 1_000))
    if not least <= len(value) <= most:
        yield Problem(f"must have {least} to {most} members", field)
    if kind == "category" and len({str(item) for item in value}) < len(value):
        yield Problem("categories must be unique", field)
    for number, item in enumerate(value):
        yield from _check(kind, item, f"{field}.{number}")


def _wrong(kind: str, value: Any) -> str:
    match kind:
        case "integer":
            return "" if isinstance(value, int) and not isinstance(value, bool) else "must be an integer"
        case "flag":
            return "" if isinstance(value, bool) else "must be a boolean"
        case "object":
            return "" if isinstance(value, dict) else "must be an object"
    if not isinstance(value, str):
        return "must be a string"
    match kind:
        case "text" if not value:
            return "must not be empty"
        case "name" if ";" in value or "," in value:
            return "must not contain ; or ,"
        case "address" if not _ADDRESS.fullmatch(value):
            return "Does not contain a valid address."
        case "address" if not value.isascii():
            return "Unicode addresses are not supported."
        case "category" if len(value) > 255:
            return "must have at most 255 characters"
        case "disposition" if value not in ("inline", "attachment"):
            return "must be inline or attachment"
        case "base64" if not _is_base64(value):
            return "The attachment content must be base64 encoded."
    return ""


def _check_whole(body: Mapping[str, Any]) -> Iterator[Problem]:
    """What one field alone does not tell."""
    blocks = body["personalizations"]
    if not body.get("template_id"):
        if "content" not in body:
            yield Problem("The content field is required unless a template_id is given", "content")
        if "subject" not in body and not all("subject" in block for block in blocks):
            yield Problem("The subject is required. You can get around this with a template.", "subject")
    types = [part["type"] for part in body.get("content", [])]
    plain_late = "text/plain" in types[1:]
    if plain_late or ("text/html" in types and types.index("text/html") > 1):
        yield Problem("If present, text/plain must be first, followed by text/html", "content")
    if "reply_to" in body and "reply_to_list" in body:
        yield Problem("reply_to and reply_to_list exclude each other", "reply_to_list")
    seen: set[str] = set()
    for number, block in enumerate(blocks):
        for role in ("to", "cc", "bcc"):
            for person in block.get(role, []):
                address = person["email"].lower()
                if address in seen:
                    where = f"personalizations.{number}.{role}"
                    yield Problem("Each email address in the personalization block should be unique", where)
                seen.add(address)
        arguments = {**body.get("custom_args", {}), **block.get("custom_args", {})}
        size = sum(len(name.encode()) + len(value.encode()) for name, value in arguments.items())
        if size >= MOST_CUSTOM_ARGS_BYTES:
            yield Problem("custom_args must be less than 10,000 bytes", f"personalizations.{number}.custom_args")
        subject = block.get("subject", body.get("subject", ""))
        if "\n" in subject or "\r" in subject:
            yield Problem("The subject must be one line", f"personalizations.{number}.subject")
    if len(seen) > MOST_RECIPIENTS:
        yield Problem(f"at most {MOST_RECIPIENTS} recipients", "personalizations")


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False
