"""The address that an answer goes to."""

from __future__ import annotations

from email.utils import parseaddr

import pytest

from arsync.channel.routing import key_in, routed, unrouted

KEY = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("mailbox", ["billing@example.com", '"Acme, Ltd." <billing@example.com>', "a+b@example.com"])
def test_what_is_routed_is_found_again(mailbox: str) -> None:
    address = parseaddr(routed(mailbox, KEY))[1]
    assert key_in(address) == KEY
    assert key_in(address.upper()) == KEY
    assert unrouted(address) == parseaddr(mailbox)[1]


@pytest.mark.parametrize("address", ["", "billing@example.com", f"{KEY}@example.com", f"billing+{KEY[1:]}@example.com"])
def test_no_key_is_seen_where_there_is_none(address: str) -> None:
    assert key_in(address) is None
    assert unrouted(address) == address
