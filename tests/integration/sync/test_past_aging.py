"""What the source showed as open on each day is what the aging of that day tells later, by column and customer."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

from tests.integration.sync.mirror import Mirror

from arsync.domain.aging import AgingBucket
from arsync.report.aging import Whose, accounts
from arsync.report.sheet import Office

Shown = dict[tuple[str, str], Decimal]
_EDGES = ((0, "current"), (30, "1-30"), (60, "31-60"), (90, "61-90"))


def source_shows(mirror: Mirror, on: date) -> Shown:
    """By customer and column, from the source's own balances at this moment; credit on no invoice is a column."""
    truth = mirror.truth()
    shown: Shown = defaultdict(Decimal)
    for row in truth["invoices"].values():
        if row["state"] == "open" and row["issued"] <= on.isoformat():
            late = (on - date.fromisoformat(row["due"])).days if row["due"] else 0
            column = next((name for last, name in _EDGES if late <= last), "90+")
            shown[row["customer"], column] += Decimal(row["balance"])
    for row in [*truth["payments"].values(), *truth["credits"].values()]:
        if row["state"] not in ("voided", "deleted", "draft"):
            shown[row["customer"], "unapplied"] += Decimal(row["unapplied"])
    return {key: amount for key, amount in shown.items() if amount}


def told(mirror: Mirror, on: date) -> Shown:
    """The same from the cache as it is by now."""
    shown: Shown = defaultdict(Decimal)
    with mirror.store.reading() as work:
        for one in accounts(work, Office(mirror.connection, on, date.max, "UTC"), Whose.CUSTOMER):
            assert one.customer_id is not None
            for name, amount in one.aging.items():
                shown[one.customer_id, name.value] += amount
            shown[one.customer_id, "unapplied"] += one.unapplied
    return {key: amount for key, amount in shown.items() if amount}


def test_the_aging_of_a_past_day_is_what_the_source_showed_on_that_day(mirror: Mirror) -> None:
    """An old debt, and five periods of 17 days: new invoices, payments in full and in part, money that lies, and credit
    that is used at once, or a period later."""
    today = mirror.clock.now().date()
    old = (today - timedelta(days=150)).isoformat()
    mirror.act("new_invoice", customer=mirror.open_invoices()[-1]["customer"], amount="77.00", date=old)
    shown = {today: source_shows(mirror, today)}
    waiting: list[tuple[str, str]] = []
    for period in range(1, 6):
        mirror.sandbox.advance(17 * 86400)
        today += timedelta(days=17)
        on = today.isoformat()
        due, *_ = owed = sorted(mirror.open_invoices(), key=lambda row: (row["issued"], row["id"]))
        mirror.act("new_invoice", customer=due["customer"], amount="311.10", date=on)
        mirror.act("pay", invoice=owed[0]["id"], date=on)
        mirror.act("pay", invoice=owed[1]["id"], amount="1.25", date=on)
        mirror.act("credit_note", apply_to=owed[2]["id"], amount="2.50", date=on)
        for invoice, credit in waiting:
            mirror.act("apply", invoice=invoice, credit=credit, amount="3.75", date=on)
        lies = mirror.act("credit_note", customer=owed[3 + period]["customer"], amount="3.75", date=on)
        waiting = [(owed[3 + period]["id"], lies["credit"])]
        mirror.act("pay_unapplied", customer=owed[4]["customer"], amount="5.00", date=on)
        mirror.sync()
        shown[today] = source_shows(mirror, today)
    for day, figures in shown.items():
        assert told(mirror, day) == figures, day
    assert {column for _, column in told(mirror, today)} == {*(name.value for name in AgingBucket), "unapplied"}
