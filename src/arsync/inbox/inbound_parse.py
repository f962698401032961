"""SendGrid's Inbound Parse: a mail as a form, whole (`email`) or taken apart (`headers`, `text`, `html`).

A pure function over what was posted; whoever serves the address calls it. SendGrid signs inbound mail where a security
policy says so (as it signs its events: over the time stamp and the raw body); without one a secret stands in the
address that it posts to. Where both are set, both must fit.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from arsync.channel.sendgrid_events import SIGNATURE, TIMESTAMP, verify
from arsync.errors import Malformed, Unverified
from arsync.inbox.mail import MOST, READ, Mail, read

_BOUNDARY: Final = re.compile(
    r"""multipart/form-data\s*;.*?boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))""", re.I | re.S
)
#: Of a part: its headers and the empty line. Of a line of the mark: what follows it.
_HEAD: Final = re.compile(rb"(?:[^\r\n]{1,1000}\r?\n){1,20}\r?\n")
_REST: Final = re.compile(rb"(?:--)?[ \t]{0,100}(?:\r?\n|\Z)")
_NAME: Final = re.compile(rb'name="([^"\r\n]{1,100})"', re.I)
_FIELDS: Final = 200
#: Of what is too large so much is looked at, for who sent it.
_BEGINNING: Final = 1_000_000
#: The fields that are read; the others are attachments and SendGrid's own opinion.
_WANTED: Final = frozenset({"email", "headers", "text", "html", "envelope", "charsets", "from", "to", "subject"})


#: SendGrid posts again for three days what was not taken.
_OLDEST: Final = timedelta(days=3, hours=1)


@dataclass(frozen=True, slots=True)
class Door:
    """By what a post is known for SendGrid's; one of the two at least."""

    secret: str = ""  # in the address, or the password of its basic authentication
    public_key: str = ""  # of the security policy, as SendGrid shows it


@dataclass(frozen=True, slots=True)
class Posted:
    """A mail as it was posted: the part of it that is read, and how long it is."""

    raw: bytes
    size: int
    sent_to: tuple[str, ...] = ()  # by its envelope

    @property
    def mail(self) -> Mail:
        """The mail in it, read anew."""
        return read(self.raw, size=self.size, sent_to=self.sent_to)


def read_post(
    url: str, headers: Mapping[str, str], body: bytes, *, door: Door, now: datetime, size: int | None = None
) -> Posted:
    """The mail in a post to `.../<secret>`, `...?secret=<secret>` or with the secret as its password, signed where the
    door has a key.

    Unverified where it is not SendGrid's, or older than SendGrid tries; Malformed where the body is no such form. A
    mail that is too large is a mail that is refused, with its size: whoever sent it is told by a person. Of such a one
    `body` may be its beginning only, and then `size` is how long it is. A mail that is posted again is the same mail,
    and `take` knows it.
    """
    named = {name.lower(): value for name, value in headers.items()}
    check_secret(url, named, door)
    _verify(named, body, door, now)
    size = len(body) if size is None else size
    fields = _fields(named.get("content-type", ""), body if size <= MOST else body[:_BEGINNING])
    envelope = _envelope(fields.get("envelope", b""))
    if "email" in fields:
        mail = fields["email"]
    elif "headers" in fields:
        mail = _assembled(fields)
    elif size > MOST:
        mail = b""
    else:
        raise Malformed("a post without `email` and without `headers` is no Inbound Parse")
    return Posted(mail[:READ], size if size > MOST else len(mail), envelope)


def check_secret(url: str, headers: Mapping[str, str], door: Door) -> None:
    """Unverified where the door has a secret and the address does not hold it, or where it has neither secret nor key:
    what can be said before the body is read. `headers` by names in lower case."""
    if not door.secret and not door.public_key:
        raise Unverified("neither [inbox] inbound_parse_secret nor inbound_parse_public_key is set: nobody is let in")
    if door.secret and not _knows(url, headers.get("authorization", ""), door.secret):
        raise Unverified("the address does not hold the secret of [inbox] inbound_parse_secret")


def _verify(headers: Mapping[str, str], body: bytes, door: Door, now: datetime) -> None:
    if door.public_key:
        signature, timestamp = headers.get(SIGNATURE.lower(), ""), headers.get(TIMESTAMP.lower(), "")
        verify(
            door.public_key, signature, timestamp, body, now=now, oldest=_OLDEST,
            setting="inbox.inbound_parse_public_key",
        )  # fmt: skip


def _knows(url: str, authorization: str, secret: str) -> bool:
    parts = urlsplit(url)
    last = parts.path.rstrip("/").rpartition("/")[2]
    offered = [last, unquote(last), *parse_qs(parts.query).get("secret", [])]
    kind, _, credentials = authorization.partition(" ")
    if kind.lower() == "basic":
        with suppress(binascii.Error, ValueError):
            offered.append(base64.b64decode(credentials, validate=True).decode().partition(":")[2])
    return any(hmac.compare_digest(one.encode(), secret.encode()) for one in offered)


def _fields(content_type: str, body: bytes) -> dict[str, bytes]:
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise Malformed("a post that is no form")
    mark = b"--" + (found[1] or found[2]).encode()
    fields: dict[str, bytes] = {}
    for part in _parts(body, mark):
        head = _HEAD.match(part)
        if head is None:
            continue
        name = _NAME.search(head[0])
        if name is not None and (key := name[1].decode("ascii", "replace")) in _WANTED:
            fields.setdefault(key, part[head.end() :])
    return fields


def _parts(body: bytes, mark: bytes) -> Iterator[bytes]:
    """What stands between lines of the mark. SendGrid's own examples break lines with \\n alone."""
    begins: int | None = None
    count, at = 0, body.find(mark)
    while at >= 0 and count < _FIELDS:
        line = _REST.match(body, at + len(mark))
        if line is not None and (at == 0 or body[at - 1 : at] == b"\n"):
            if begins is not None:
                yield body[begins : at - (2 if body[at - 2 : at] == b"\r\n" else 1)]
            begins, count = line.end(), count + 1
        at = body.find(mark, at + 1)
    if begins is not None:
        yield body[begins:]


def _envelope(written: bytes) -> tuple[str, ...]:
    try:
        said = json.loads(written)["to"]
    except (ValueError, KeyError, TypeError):
        return ()
    return tuple(one for one in said if isinstance(one, str))[:50] if isinstance(said, list) else ()


def _assembled(fields: Mapping[str, bytes]) -> bytes:
    """A mail from the parts, each in the charset that SendGrid says it is in."""
    try:
        charsets = json.loads(fields.get("charsets", b"{}"))
    except ValueError:
        charsets = {}

    def text(name: str) -> str:
        charset = charsets.get(name) if isinstance(charsets, dict) else None
        try:
            return fields.get(name, b"").decode(charset if isinstance(charset, str) else "utf-8", "replace")
        except LookupError:
            return fields.get(name, b"").decode("utf-8", "replace")

    mail = EmailMessage()
    written, page = text("text"), text("html")
    if page and not written.strip():
        mail.set_content(page, subtype="html")
    else:
        mail.set_content(written)
    body = mail.as_bytes()
    kept = [
        line for line in re.split(rb"\r?\n(?![ \t])", fields["headers"].strip())
        if not re.match(rb"(content-type|content-transfer-encoding|mime-version)\s*:", line, re.I)
    ]  # fmt: skip
    # What kind of report it is stands in the type that was taken away.
    return b"\n".join([*kept, body])
