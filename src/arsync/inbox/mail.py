"""One mail as it came, read leniently and within bounds: whatever is wrong with it is said in it, never raised.

Attachments are not opened. What is too deep, too long or too odd to be read is refused with a reason, and its
headers, as far as they can be read, still tell whose it may be.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.utils import getaddresses, parseaddr
from typing import Final

from arsync.inbox.html import plain

#: So much of a mail is read; what comes after it are attachments.
READ: Final = 5_000_000
#: A mail above this is refused: no mail server takes one, and no person writes one.
MOST: Final = 40_000_000
_HEADERS: Final = 200_000
_FIELDS: Final = 1_000
_FIELD: Final = 4_000
_ADDRESSES: Final = 50
_BOUNDARIES: Final = 100
_ENCLOSED: Final = 20
_PARTS: Final = 200
_TEXT: Final = 200_000
_REPORT: Final = 60_000
_ID: Final = re.compile(r"<([^<>\s]{1,250})>")
_TO: Final = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-forwarded-to", "x-envelope-to")


@dataclass(frozen=True, slots=True)
class Mail:
    """What came; every text is without control characters, every address in lower case."""

    message_id: str = ""  # without its brackets; empty where there is none
    answers: tuple[str, ...] = ()  # the mails it answers, the nearest first
    sender: str = ""  # a mailbox: Name <address>
    address: str = ""  # of the sender
    sent_to: tuple[str, ...] = ()  # every address it was sent to
    subject: str = ""
    text: str = ""  # with what it quotes
    headers: Mapping[str, str] = field(default_factory=dict)  # by name in lower case, the first of each
    kinds: tuple[str, ...] = ()  # the content types of its parts
    report: str = ""  # what a mail server reports, and the headers of the mail that it gives back
    refused: str | None = None  # why it was not read
    dated: str = ""  # when it was written or, where it does not say, taken by the first server; as it says

    @property
    def identity(self) -> str:
        """The same for the same mail, however it came and whatever was added on the way. Without an id of its own it is
        known by its day: the same words weeks later are said anew."""
        name = self.message_id or f"at {self.dated}"
        said = "\0".join((name, self.address, " ".join(self.subject.split()), " ".join(self.text.split())))
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def read(raw: bytes, *, size: int | None = None, sent_to: Sequence[str] = ()) -> Mail:
    """The mail in these bytes, which may be its beginning only: then `size` is how long it is. `sent_to`: the
    addresses of its envelope, where they are known."""
    size = len(raw) if size is None else size
    try:
        head = _head(raw, sent_to)
    except Exception as error:  # noqa: BLE001 - a mail is anybody's bytes
        digest = hashlib.sha256(raw).hexdigest()
        return Mail(message_id=digest, refused=f"its headers cannot be read ({type(error).__name__})")
    if (reason := _too_much(raw, size)) is not None:
        return refuse(head, raw, reason)
    try:
        whole = BytesParser().parsebytes(raw[:READ])
        return _filled(head, whole)
    except _TooMuch as error:
        return refuse(head, raw, str(error))
    except (RecursionError, MemoryError):
        return refuse(head, raw, "its parts are nested too deep")
    except Exception as error:  # noqa: BLE001 - as above
        return refuse(head, raw, f"it is not written as a mail ({type(error).__name__})")


class _TooMuch(Exception):
    pass


def refuse(head: Mail, raw: bytes, reason: str) -> Mail:
    """The same mail, of which nothing but its headers is believed."""
    name = head.message_id or hashlib.sha256(raw).hexdigest()
    return Mail(name, head.answers, head.sender, head.address, head.sent_to, head.subject, refused=reason)


def _too_much(raw: bytes, size: int) -> str | None:
    if size > MOST:
        return f"it has {size:,} bytes; more than {MOST:,} are not read"
    start = raw[:READ]
    lowered = start.lower()
    if (found := lowered.count(b"boundary=")) > _BOUNDARIES:
        return f"it has {found:,} parts within parts"
    if (found := lowered.count(b"message/rfc822")) > _ENCLOSED:
        return f"it has {found:,} mails within mails"
    fields = start.partition(b"\n\n")[0].partition(b"\r\n\r\n")[0]
    if len(fields) > _HEADERS or fields.count(b"\n") > _FIELDS:
        return f"its headers have {len(fields):,} bytes"
    return None


# --- headers ------------------------------------------------------------------------------------------------


def _head(raw: bytes, sent_to: Sequence[str]) -> Mail:
    parsed = BytesHeaderParser().parsebytes(raw[:_HEADERS])
    headers: dict[str, str] = {}
    addressed: list[str] = []
    first: dict[str, str] = {}  # raw: what is no ASCII is lost in any other reading
    for name, value in [*parsed.raw_items()][:_FIELDS]:
        key, written = name.lower(), str(value)[:_FIELD]
        first.setdefault(key, str(value))
        headers.setdefault(key, shown(written))
        if key in _TO:
            addressed += [address for _, address in getaddresses([_one_line(written)])[:_ADDRESSES]]
    name, address = parseaddr(_one_line(first.get("from", "")[:_FIELD]))
    name, address = shown(name), shown(address).replace(" ", "")[:320]
    own = _ID.findall(_one_line(first.get("message-id", "")[:_FIELD]))
    answered = _ID.findall(_one_line(first.get("in-reply-to", "")[:_FIELD]))
    # The newest of a long thread come last: of what is too long the end is kept.
    references = _ID.findall(_one_line(first.get("references", "")[-_FIELD:]))
    everybody = [one.strip().strip("<>").lower()[:320] for one in (*sent_to, *addressed) if "@" in one]
    return Mail(
        message_id=own[0] if own else "",
        answers=tuple(dict.fromkeys((*answered, *reversed(references))))[:_ADDRESSES],
        sender=f"{name[:120]} <{address}>" if name and address else address or name[:120],
        address=address.lower(),
        sent_to=tuple(dict.fromkeys(everybody))[:_ADDRESSES],
        subject=shown(first.get("subject", "")[:_FIELD])[:300],
        headers=headers,
        dated=_dated(parsed),
    )


def _dated(parsed: Message) -> str:
    """Its Date; else what stands behind the last point of the first server's Received, which comes last."""
    if said := _one_line(str(parsed.get("Date", ""))[:_FIELD]):
        return said
    oldest = parsed.get_all("Received", [""])[-1]
    return _one_line(str(oldest)[-_FIELD:]).rpartition(";")[2].strip()


def shown(written: str) -> str:
    """A header's value as people read it, on one line."""
    text = _one_line(written)
    if "=?" not in text:
        return text
    try:
        text = str(make_header(decode_header(text)))
    except Exception:  # noqa: BLE001 - an encoded word may be anything
        text = written
    return _one_line(text)


def _one_line(text: str) -> str:
    # Bytes that are no ASCII come as surrogates.
    whole = text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if whole.isprintable():
        return " ".join(whole.split())
    return " ".join("".join(char if char.isprintable() else " " for char in whole).split())


# --- body ---------------------------------------------------------------------------------------------------


def _filled(head: Mail, whole: Message) -> Mail:
    kinds: list[str] = []
    texts: list[str] = []
    pages: list[str] = []
    reports: list[str] = []
    enclosed = 0
    for part in whole.walk():
        kind = part.get_content_type()
        kinds.append(kind)
        if len(kinds) > _PARTS:
            raise _TooMuch(f"it has more than {_PARTS} parts")
        if kind == "message/rfc822" or part.get_content_maintype() == "message":
            enclosed = len(kinds)  # what follows is of the mail given back
            reports.append(_written(part)[:_REPORT])
        elif enclosed or kind == "text/rfc822-headers":
            reports.append(_written(part)[:_REPORT])
        elif part.get_content_disposition() == "attachment" or part.is_multipart():
            continue
        elif kind == "text/plain" and len(texts) < 4:
            texts.append(_content(part))
        elif kind == "text/html" and not pages:
            pages.append(_content(part))
    text = "\n".join(texts)
    if not text.strip() and pages:
        text = plain(pages[0])
    return Mail(
        head.message_id, head.answers, head.sender, head.address, head.sent_to, head.subject,
        text=cleaned(text)[:_TEXT], headers=head.headers, kinds=tuple(kinds), report="\n".join(reports)[:_REPORT],
        dated=head.dated,
    )  # fmt: skip


def _content(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    payload = payload[: 2 * _TEXT]
    charset = str(part.get_content_charset("utf-8"))
    try:
        return payload.decode(charset, "replace")
    except (LookupError, ValueError):
        return payload.decode("utf-8", "replace")


def _written(part: Message) -> str:
    """The part's headers, and its text where it has one."""
    lines = [f"{name}: {_one_line(str(value)[:_FIELD])}" for name, value in part.items()[:_FIELDS]]
    payload = part.get_payload()
    if isinstance(payload, list):  # the fields of a report, or the mail given back
        lines += [f"{name}: {_one_line(str(value)[:_FIELD])}" for one in payload[:_ENCLOSED] if isinstance(one, Message)
                  for name, value in one.items()[:_FIELDS]]  # fmt: skip
    elif part.get_content_maintype() in ("text", "message"):
        lines.append(_content(part)[:_REPORT])
    return "\n".join(lines)


def cleaned(text: str) -> str:
    """The text without control characters but for line breaks, and with the breaks of one kind."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").replace("\xa0", " ")
    return "\n".join(
        line if line.isprintable() else "".join(filter(str.isprintable, line)) for line in text.split("\n")
    )
