"""Whose a mail is: by the address that it was sent to, by the mail that it answers, else by who sent it.

A sender is looked for only within the one company whose address received the mail. Where two payers fit, or two
companies, nobody guesses: the mail waits for a person.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from arsync.channel.routing import key_in, unrouted
from arsync.inbox.mail import Mail
from arsync.store import messages, replies
from arsync.store.engine import Work

#: Our key, wherever a mail that is given back carries it: in its Message-ID, its Reply-To or a header of ours.
_KEY: Final = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", re.IGNORECASE)
_CANDIDATES: Final = 20


@dataclass(frozen=True, slots=True)
class Front:
    """One company as its customers reach it."""

    connection_id: int
    name: str
    addresses: frozenset[str]  # in lower case, not routed
    timezone: str
    writes: bool  # notes are written into its source


@dataclass(frozen=True, slots=True)
class Match:
    """Whose a mail is, as far as that is known, and how it was told."""

    why: str
    connection_id: int | None = None
    payer_id: str | None = None
    message_id: int | None = None


def match(work: Work, mail: Mail, fronts: Sequence[Front]) -> Match:
    """The message that a mail answers, else its payer, else why nobody can say."""
    if (found := _by_names(work, _tokens(mail.sent_to), "by the address that it was sent to")) is not None:
        return found
    if (found := _by_names(work, _answered(mail.answers), "by the mail that it answers")) is not None:
        return found
    return _by_sender(work, mail, fronts)


def match_given_back(work: Work, mail: Mail) -> Match:
    """The message of ours that a mail server gives back, or a recipient complains of."""
    keys = [*_tokens(mail.sent_to), *(key.lower() for key in _KEY.findall(f"{mail.report}\n{mail.text}"))]
    named = _answered(mail.answers)
    found = _by_names(work, list(dict.fromkeys((*keys, *named)))[:_CANDIDATES], "by our key in the mail given back")
    return found or Match("no message of ours is named in it")


def _tokens(addresses: Sequence[str]) -> list[str]:
    return [key for address in addresses if (key := key_in(address)) is not None]


def _answered(ids: Sequence[str]) -> list[str]:
    """Our keys are the local parts of our Message-IDs; so are the references of channels that write their own."""
    return [one.partition("@")[0] for one in ids][:_CANDIDATES]


def _by_names(work: Work, names: Sequence[str], how: str) -> Match | None:
    known = replies.messages_named(work, names)
    message_id = next((known[name] for name in names if name in known), None)
    if message_id is None:
        return None
    message = messages.get(work, message_id)
    return Match(how, message.connection_id, message.payer_id, message_id)


def _by_sender(work: Work, mail: Mail, fronts: Sequence[Front]) -> Match:
    if not mail.address:
        return Match("it names no sender")
    front = _received_by(mail, fronts)
    if front is None:
        return Match("it names no message, and no one company's address received it")
    payers = replies.payers_at(work, front.connection_id, front.name, mail.address)
    if not payers:
        return Match(f"{mail.address} is nobody's address in {front.name}", front.connection_id)
    if len(payers) > 1:
        return Match(f"{mail.address} is an address of {len(payers)} payers of {front.name}", front.connection_id)
    return Match(f"by its sender, in {front.name}", front.connection_id, payers.pop())


def _received_by(mail: Mail, fronts: Sequence[Front]) -> Front | None:
    """The one company that has an address which the mail was sent to."""
    sent_to = {unrouted(address) for address in mail.sent_to}
    found = [front for front in fronts if front.addresses & sent_to]
    return found[0] if len(found) == 1 else None
