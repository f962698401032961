"""Where invoices can be paid online: asked of the source right before a message is written, and kept."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from arsync.connector import Clock, Connector, OffersPayLinks
from arsync.errors import ConnectorError, Reauthorise, RetryLater
from arsync.store import pay_links
from arsync.store.engine import Store

#: An invoice that cannot be paid online today may be next week.
_AGAIN_AFTER: Final = timedelta(days=7)
#: A link costs a request each: no more than these in one run.
_AT_MOST: Final = 300
_LONGEST: Final = 2000


def fetch(store: Store, connection_id: int, connector: Connector, invoice_ids: Collection[str], clock: Clock) -> int:
    """Asks for the links of these invoices that are not known yet; how many were found.

    It harms nothing where the source fails: a message without a link is as good as before.
    """
    if not invoice_ids or not isinstance(connector, OffersPayLinks):
        return 0
    with store.reading() as work:
        wanted = pay_links.unasked(work, connection_id, invoice_ids, since=clock.now() - _AGAIN_AFTER)
    found = 0
    for invoice_id in wanted[:_AT_MOST]:
        try:
            url = connector.pay_link(invoice_id)
        except (RetryLater, Reauthorise):
            break  # what holds for one holds for all
        except ConnectorError:
            url = None
        url = url if url is not None and _is_safe(url) else None
        with store.working(durable=False) as work:
            pay_links.keep(work, connection_id, invoice_id, url, now=clock.now())
            work.commit()
        found += url is not None
    return found


def _is_safe(url: str) -> bool:
    """It will stand in a letter to a customer: https, a host, nothing that breaks a line or an attribute."""
    if (
        len(url) > _LONGEST
        or not url.isascii()
        or not url.isprintable()
        or any(letter in url for letter in " \"'<>\\`")
    ):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False
