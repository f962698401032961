"""Where invoices can be paid online, asked for once each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import insert, or_, select, update

from arsync.store import tables as t
from arsync.store.bulk import among
from arsync.store.engine import Work


def unasked(work: Work, connection_id: int, invoice_ids: Collection[str], *, since: datetime) -> list[str]:
    """Those without a link that were not asked for since then, in the order given."""
    p = t.pay_links.c
    known = select(p.invoice_id).where(
        p.connection_id == connection_id,
        among(work, p.invoice_id, invoice_ids),
        or_(p.url.is_not(None), p.asked_at >= since),
    )
    settled = set(work.execute(known).scalars())
    return [invoice_id for invoice_id in dict.fromkeys(invoice_ids) if invoice_id not in settled]


def keep(work: Work, connection_id: int, invoice_id: str, url: str | None, *, now: datetime) -> None:
    """Keeps a link, or that there is none today."""
    p = t.pay_links
    here = (p.c.connection_id == connection_id, p.c.invoice_id == invoice_id)
    if not work.execute(update(p).where(*here).values(url=url, asked_at=now)).rowcount:
        work.execute(insert(p).values(connection_id=connection_id, invoice_id=invoice_id, url=url, asked_at=now))


def of(work: Work, connection_id: int, invoice_ids: Collection[str]) -> Mapping[str, str]:
    """The links that are known, by invoice."""
    p = t.pay_links.c
    query = select(p.invoice_id, p.url).where(
        p.connection_id == connection_id, among(work, p.invoice_id, invoice_ids), p.url.is_not(None)
    )
    return {row.invoice_id: row.url for row in work.execute(query)}
