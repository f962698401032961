"""The address that an answer goes to: it names the message that was answered."""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Final

#: A message's key behind the last plus sign of the local part. Mail programs keep it; some write it in capitals.
_ROUTED: Final = re.compile(r"[^\s@]*\+([0-9a-f]{32})@[^\s@]+", re.IGNORECASE)


def routed(mailbox: str, message_id: str) -> str:
    """The mailbox with the message's key in its address: `Name <local+key@domain>`."""
    name, address = parseaddr(mailbox)
    local, _, domain = address.rpartition("@")
    return str(Address(display_name=name, username=f"{local}+{message_id}", domain=domain))


def key_in(address: str) -> str | None:
    """The message's key in an address that was routed so; None where there is none."""
    found = _ROUTED.fullmatch(address.strip())
    return found[1].lower() if found else None


def unrouted(address: str) -> str:
    """The address as it was before it was routed, in lower case; another one as it is."""
    found = _ROUTED.fullmatch(address.strip())
    if found is None:
        return address.strip().casefold()
    local, _, domain = address.strip().rpartition("@")
    return f"{local.rpartition('+')[0]}@{domain}".casefold()
