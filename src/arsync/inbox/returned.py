"""What a mail server tells of a mail of ours that it gives back: who did not get it, why, and whether it ever will be.

Reports follow RFC 3464; older ones are read by their words.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from arsync.domain.feedback import EventKind, ProviderEvent, SuppressionKind
from arsync.inbox.mail import Mail

#: Who tells it, where SendGrid's webhook would be `sendgrid`.
PROVIDER: Final = "mail"
#: A server that goes on trying.
_LATE: Final = re.compile(
    r"delayed|warning: (message|could not)|still (being )?tr(y|ied)|will (be retried|retry)", re.I
)
_FIELD: Final = re.compile(r"^(action|status|diagnostic-code|(?:final|original)-recipient):[ \t]*(.*)$", re.MULTILINE)
#: Where a report without parts goes on with the mail that it gives back.
_COPY: Final = re.compile(r"^>?\s*(received|return-path|message-id|dkim-signature|mime-version):", re.MULTILINE)
#: So near an address stands what is said of it.
_BEFORE, _AFTER = 80, 300
#: Whom the mail that is given back was for: not only those who did not get it.
_ADDRESSED: Final = re.compile(r"^(to|cc):.*$", re.MULTILINE)
_STATUS: Final = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
#: There is nobody there, by RFC 3463: a bad or moved address, a mailbox switched off, a host that does not exist.
_NOBODY_THERE: Final = frozenset({(1, 1), (1, 2), (1, 3), (1, 4), (1, 6), (1, 10), (2, 1), (4, 1), (4, 4)})
#: Nor by these words, whatever the number: many servers say 5.7.1 to everything.
_NOBODY: Final = re.compile(
    r"(user|recipient|mailbox|address|account)[^.;\n]{0,40}(unknown|not found|does ?n.t exist|does not exist|disabled)"
    r"|(unknown|no such|invalid) (user|recipient|mailbox|address|local part|host|domain)"
    r"|(host|domain) (not found|unknown)"
    r"|no (mailbox|such person|user)\b|unrouteable|empf[äa]nger unbekannt|destinataire inconnu",
    re.I,
)
#: It is about this one mail, or this one day.
_THIS_TIME: Final = re.compile(
    r"quota|\bfull\b|too (large|big|long)|spam|block(ed|list)|blacklist|reputation|policy|virus|content|sender|greylist"
    r"|time[d -]*out|expired|temporar|too many|relay|authentication|dmarc|dkim|\bspf\b|\bloop",
    re.I,
)


@dataclass(slots=True)
class _Told:
    """What a report says of one recipient, in lower case."""

    recipients: str = ""
    action: str = ""
    status: str = ""
    why: str = ""


def losses(mail: Mail, addresses: Collection[str], key: str, *, now: datetime) -> list[ProviderEvent] | None:
    """Who of the `addresses` that the message `key` was written to did not get it; empty where that is somebody of
    whom the report does not say who; None where the mail is merely late, or was delivered.

    An address where nobody is there is not written to again: one that the report names as failed, or its text as one
    of nobody. Of another's address, a forward's perhaps, it says nothing about ours but that this mail failed.
    """
    said = f"{mail.subject}\n{mail.report}\n{mail.text}".lower()
    told = _report(said)
    actions = [one.action for one in told if one.action]
    if (not any(action.startswith("failed") for action in actions)) if actions else _LATE.search(said):
        return None
    failed = [one for one in told if one.action.startswith("failed")]
    named = mail.headers.get("x-failed-recipients", "").lower()
    if len(addresses) == 1:
        missed = set(addresses)
    else:
        words = f"{named} {' '.join(one.recipients for one in failed)}".strip() or _ADDRESSED.sub("", said)
        missed = {address for address in addresses if _names(words, address)}
    return [_loss(mail, address, failed, key, now) for address in sorted(missed)]


def _report(said: str) -> list[_Told]:
    """What a report says of each recipient; a field that comes again begins the next one."""
    every: list[_Told] = []
    seen: set[str] = set()
    for name, value in _FIELD.findall(said):
        kind = "recipient" if name.endswith("recipient") else name
        if not every or name in seen or (kind == "recipient" and "action" in seen):
            every.append(_Told())
            seen = set()
        seen.add(name)
        one = every[-1]
        if kind == "recipient":
            one.recipients = f"{one.recipients} {value}"
        elif kind == "action":
            one.action = value
        elif kind == "status":
            one.status = value
        else:
            one.why = value
    return [one for number, one in enumerate(every) if one not in every[:number]]  # some name each twice


def _loss(mail: Mail, address: str, failed: list[_Told], key: str, now: datetime) -> ProviderEvent:
    own = next((one for one in failed if _names(one.recipients, address)), None)
    told = own or (failed[0] if len(failed) == 1 else None)
    why = (told and f"{told.status} {told.why}".strip()) or mail.subject
    if own is not None or _names(mail.headers.get("x-failed-recipients", "").lower(), address):
        words = own.why if own and own.why else f"{mail.subject}\n{mail.text}"
        for_good = _nobody_there(own.status if own else "", words)
    else:
        for_good = not any(one.recipients for one in failed) and _said_of_nobody(mail.text.lower(), address)
    return ProviderEvent(
        provider=PROVIDER,
        event_id=hashlib.sha256(f"{mail.identity} {address}".encode()).hexdigest(),
        kind=EventKind.BOUNCED if for_good else EventKind.BLOCKED,
        address=address,
        at=now,
        reason=" ".join(why.split())[:300],
        message_key=key,
        reference=key,
        suppresses=SuppressionKind.BOUNCE if for_good else None,
    )


def _nobody_there(status: str, words: str) -> bool:
    """Whether mail to that address will come back tomorrow as well."""
    if _NOBODY.search(words):
        return True
    code = _STATUS.search(status) or _STATUS.search(words)
    if code is None:
        return not _THIS_TIME.search(words)
    family, number = int(code[2]), int(code[3])
    if code[1] != "5":
        return False
    if number == 0 and family in (0, 1, 2):  # it does not say which
        return not _THIS_TIME.search(words)
    return (family, number) in _NOBODY_THERE


def _said_of_nobody(text: str, address: str) -> bool:
    """Whether a report in words says of that address that nobody is there."""
    text = _ADDRESSED.sub("", _COPY.split(text, maxsplit=1)[0])
    for found in _address(address).finditer(text):
        near = text[max(0, found.start() - _BEFORE) : found.end() + _AFTER]
        if _NOBODY.search(near) or any(code[1] == "5" and code[2] == "1" for code in _STATUS.finditer(near)):
            return True
    return False


def _names(words: str, address: str) -> bool:
    """Whether the address stands there by itself: `bo@x.example` is not in `jimbo@x.example`."""
    return _address(address).search(words) is not None


def _address(address: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.+-]){re.escape(address)}(?![\w-]|\.\w)")
