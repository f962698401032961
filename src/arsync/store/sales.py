"""What was sold on credit, day by day, from the cache."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy import select

from arsync.domain.documents import CreditState, InvoiceState
from arsync.store import tables as t
from arsync.store.aged import halves, whole
from arsync.store.engine import Work
from arsync.store.types import units

_SOLD: Final = (InvoiceState.OPEN.value, InvoiceState.PAID.value)


def by_day(work: Work, connection_id: int, first: date, last: date) -> dict[str, Mapping[date, Decimal]]:
    """By currency: the totals of invoices less those of credit notes that bear each day of these, both included; tax
    and all."""
    i, n = t.invoices.c, t.credit_notes.c
    invoiced = select(i.currency, i.issued_on, *halves(units(i.total))).where(
        i.connection_id == connection_id, i.state.in_(_SOLD), i.issued_on.between(first, last)
    )
    credited = select(n.currency, n.issued_on, *halves(units(n.total))).where(
        n.connection_id == connection_id, n.state == CreditState.ACTIVE.value, n.issued_on.between(first, last)
    )
    found: defaultdict[str, defaultdict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for currency, day, high, low in work.execute(invoiced.group_by(i.currency, i.issued_on)):
        found[currency][day] += whole(high, low)
    for currency, day, high, low in work.execute(credited.group_by(n.currency, n.issued_on)):
        found[currency][day] -= whole(high, low)
    return dict(found)
