"""When each payer's payment run goes out: as a person has said, else as its payments show."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

from arsync.domain.payday import PayDay
from arsync.store import behaviour
from arsync.store.engine import Work


@dataclass(frozen=True, slots=True)
class PaymentDays:
    """What is known of payment runs: by hand (payer's id, or name in any case), and by habit in a currency."""

    by_hand: Mapping[str, PayDay] = field(default_factory=dict)
    by_habit: Mapping[tuple[str, str], PayDay] = field(default_factory=dict)

    def of(self, payer_id: str, payer_name: str, currency: str) -> PayDay | None:
        """The payer's payment day; None where nobody knows it."""
        said = self.by_hand.get(payer_id) or self.by_hand.get(payer_name.casefold())
        return said or self.by_habit.get((payer_id, currency))


def payment_days(
    work: Work, connection_id: int, by_hand: Mapping[str, PayDay], *, today: date, payers: Collection[str] | None = None
) -> PaymentDays:
    """The payment days of a connection's payers, or of these few; it reads their history."""
    if payers is None:
        every = behaviour.every(work, connection_id, today)
    else:
        every = ((payer_id, behaviour.of_payer(work, connection_id, payer_id, today)) for payer_id in payers)
    habits = {
        (payer, one.currency): one.payment_day for payer, found in every for one in found if one.payment_day is not None
    }
    return PaymentDays(by_hand, habits)
