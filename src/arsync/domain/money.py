"""Exact amounts with their currency; two currencies never add."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Final

from arsync.domain.record import record

#: Amounts are stored as integers of one ten-thousandth: enough for every ISO 4217 currency (CLF and UYW have 4 places).
SCALE: Final = 4
_QUANTUM: Final = Decimal(1).scaleb(-SCALE)
_UNITS: Final = 1 / _QUANTUM
_CENT: Final = Decimal("0.01")
_NOTHING: Final = Decimal("0.00")
#: What a signed 64-bit column holds at that scale.
LIMIT: Final = Decimal("900000000000000")
_ADJUSTED: Final = LIMIT.adjusted()


class CurrencyMismatch(ValueError):
    """Two currencies never add."""


def amount(value: Decimal | int | str) -> Decimal:
    """An exact amount from text or an integer, or ValueError where it cannot be stored without loss.

    Floats are refused: they have lost the cents before they get here.
    """
    # Every amount of every record comes this way: the common case first.
    if type(value) is Decimal:
        try:
            if not value % _QUANTUM and value.adjusted() < _ADJUSTED:
                return value
        except InvalidOperation:
            pass  # infinite, or too many digits
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise ValueError(f"not an amount: {value!r}")
    try:
        exact = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"not an amount: {value!r}") from None
    if not exact.is_finite() or abs(exact) > LIMIT:
        raise ValueError(f"not an amount: {value!r}")
    if exact != exact.quantize(_QUANTUM):
        raise ValueError(f"an amount with more than {SCALE} decimal places: {value!r}")
    return exact


def to_units(exact: Decimal) -> int:
    """The amount as a whole number of ten-thousandths, as the store keeps it."""
    return int(exact * _UNITS) if exact else 0  # most balances are nothing


def from_units(units: int) -> Decimal:
    """The amount that `to_units` made; at least two decimal places, as people write money."""
    return units // 100 * _CENT if units % 100 == 0 else units * _QUANTUM


@record(frozen=True, slots=True)
class Money:
    """An exact amount in one currency (ISO 4217 code)."""

    amount: Decimal
    currency: str

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __bool__(self) -> bool:
        return self.amount != 0

    def __str__(self) -> str:
        return f"{self.amount:,.2f} {self.currency}"

    def _same(self, other: Money) -> Decimal:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency}")
        return other.amount


def total(items: Iterable[Money], currency: str) -> Money:
    """The sum in that currency; CurrencyMismatch where an item has another."""
    found = _NOTHING
    for item in items:
        if item.currency != currency:
            raise CurrencyMismatch(f"{currency} and {item.currency}")
        found += item.amount
    return Money(found, currency)


def totals(items: Iterable[Money]) -> dict[str, Money]:
    """One sum per currency, in the order of the currencies' codes."""
    sums: dict[str, Money] = {}
    for item in items:
        sums[item.currency] = sums[item.currency] + item if item.currency in sums else item
    return dict(sorted(sums.items()))
