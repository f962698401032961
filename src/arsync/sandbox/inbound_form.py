"""An answer to a mail, as SendGrid's Inbound Parse posts it: the whole mail in a form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any, Final

BOUNDARY: Final = "xYzZY"
CONTENT_TYPE: Final = f"multipart/form-data; boundary={BOUNDARY}"


def inbound_form(order: Mapping[str, Any], number: int, now: datetime) -> bytes:
    """The form of a mail `from` somebody `to` an address of ours, with `subject`, `text` and the `answers` that it
    names; KeyError where it lacks sender or recipient."""
    sender, to = str(order["from"]), str(order["to"])
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, to
    mail["Subject"] = str(order.get("subject", "Re: your invoice"))
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = str(order.get("message_id", f"<sandbox-answer-{number}@mail.example>"))
    if "answers" in order:
        mail["In-Reply-To"] = mail["References"] = str(order["answers"])
    mail.set_content(str(order.get("text", "")))
    envelope = {"to": [parseaddr(to)[1]], "from": parseaddr(sender)[1]}
    fields = {
        "to": to,
        "from": sender,
        "subject": mail["Subject"],
        "envelope": json.dumps(envelope),
        "charsets": json.dumps({"to": "UTF-8", "from": "UTF-8", "subject": "UTF-8"}),
        "SPF": "pass",
        "email": mail.as_bytes().decode("utf-8", "surrogateescape"),
    }
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return "".join([*parts, f"--{BOUNDARY}--\r\n"]).encode("utf-8", "surrogateescape")
