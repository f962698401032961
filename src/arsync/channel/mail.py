"""What every mail channel does to an envelope before it leaves: addresses taken apart, hostile headers refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.utils import parseaddr
from functools import lru_cache
from typing import Final

from arsync.channel.contract import Envelope
from arsync.errors import Rejected

#: It becomes a file's name and a part of a vendor's query.
_MESSAGE_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_REFERENCES: Final = 8
_LINE_BREAKS: Final = frozenset("\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029\0")
_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+")


@dataclass(frozen=True, slots=True)
class DivertedEnvelope(Envelope):
    """An envelope on its way to somebody else than it was written for; the headers say for whom."""

    original: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # header -> the mailboxes it was meant for


@dataclass(frozen=True, slots=True)
class Addressed:
    """An envelope's addresses, each once over to, cc and bcc, and the headers of ours."""

    sender: Address
    reply_to: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    headers: Mapping[str, str]


def mailbox(name: str, address: str) -> str:
    """An RFC 5322 mailbox whose name, however hostile, is only ever a name; Rejected where the address is none."""
    return str(_address(_shown(name), address.strip()))


def identity(message_id: str) -> str:
    """The id, where it is safe in a file's name, a header and a query; Rejected where it is not."""
    if not _MESSAGE_ID.fullmatch(message_id):
        raise Rejected("the message id is not a plain word")
    return message_id


def addressed(envelope: Envelope) -> Addressed:
    """The envelope taken apart; Rejected, naming the field, where a header would be forged or an address is none."""
    identity(envelope.message_id)
    _one_line("subject", envelope.subject)
    seen: set[str] = set()
    to = _distinct("to", envelope.to, seen)
    cc = _distinct("cc", envelope.cc, seen)
    bcc = _distinct("bcc", envelope.bcc, seen)
    if not to:
        raise Rejected("nobody to send it to")
    sender = _parse("from", envelope.sender)
    headers = {
        "Message-ID": f"<{envelope.message_id}@{sender.domain}>",
        "Content-Language": _one_line("language", envelope.language),
        "X-Arsync-Message": envelope.message_id,
    }
    if envelope.thread:
        earlier = [f"<{identity(key)}@{sender.domain}>" for key in envelope.thread]
        headers["In-Reply-To"] = earlier[-1]
        # The first and the newest: a conversation holds together by them, and a header line has its limits.
        headers["References"] = " ".join([*earlier[:1], *earlier[1:][-_REFERENCES:]])
    if isinstance(envelope, DivertedEnvelope):
        for header, mailboxes in envelope.original.items():
            headers[header] = _one_line(header, ", ".join(mailboxes))
    return Addressed(sender, _parse("reply-to", envelope.reply_to), to, cc, bcc, headers)


def same_address(one: str, other: str) -> bool:
    """Whether two mailboxes reach the same place, as the providers compare them."""
    return parseaddr(one)[1].casefold() == parseaddr(other)[1].casefold()


def _distinct(place: str, mailboxes: Iterable[str], seen: set[str]) -> tuple[Address, ...]:
    kept: list[Address] = []
    for text in mailboxes:
        address = _parse(place, text)
        key = address.addr_spec.casefold()
        if key not in seen:
            seen.add(key)
            kept.append(address)
    return tuple(kept)


@lru_cache(maxsize=256)  # nearly every message has the same sender and the same place for answers
def _parse(place: str, text: str) -> Address:
    name, address = parseaddr(_one_line(place, text))
    try:
        # Encoded words (RFC 2047) are undone, since each channel encodes in its own way.
        plain = name.isascii() and "=?" not in name
        return _address(_shown(name if plain else str(make_header(decode_header(name)))), address)
    except (Rejected, HeaderParseError, LookupError, ValueError):
        # Which field and not which address: errors are logged.
        raise Rejected(f"not a mail address in {place}") from None


def _shown(name: str) -> str:
    if name.isascii() and name.isprintable():
        return " ".join(name.split())[:100]
    visible = "".join(" " if unicodedata.category(letter) in {"Cc", "Cf", "Zl", "Zp"} else letter for letter in name)
    return " ".join(visible.split())[:100]


def _address(name: str, address: str) -> Address:
    local, at, domain = address.rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        domain = ""
    if not (at and domain and _LOCAL_PART.fullmatch(local)) or re.search(r"[^A-Za-z0-9.-]", domain):
        raise Rejected("not a mail address")
    try:
        return Address(display_name=name, username=local, domain=domain)
    except (ValueError, IndexError):
        raise Rejected("not a mail address") from None


def _one_line(place: str, text: str) -> str:
    if _LINE_BREAKS.intersection(text):
        raise Rejected(f"a line break in {place}")
    return text
