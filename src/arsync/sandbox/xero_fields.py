"""What the fields of an act say; each is taken out as it is read, so that what is left is unknown."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from arsync.sandbox.company import ControlError

Fields = dict[str, Any]
_CENT = Decimal("0.01")


def one_of(fields: Fields, *names: str) -> Any:
    """The first of these that is given; ControlError where none is."""
    for name in names:
        if fields.get(name) is not None:
            return fields.pop(name)
    raise ControlError(f"the act needs {' or '.join(names)}")


def text_of(fields: Fields, name: str, default: str) -> str:
    """A text, or what stands where none is given."""
    value = fields.pop(name, None)
    return default if value is None else str(value)


def money_of(fields: Fields, name: str, default: Decimal | None) -> Decimal:
    """An amount; ControlError where it must be given and is not."""
    value = fields.pop(name, None)
    if value is None:
        if default is None:
            raise ControlError(f"the act needs {name}")
        return default
    return cents_of(value, name)


def cents_of(value: Any, name: str) -> Decimal:
    """An amount in whole cents."""
    try:
        amount = Decimal(str(value))
        if amount != amount.quantize(_CENT):
            raise ControlError(f"{name} has at most two decimal places")
    except InvalidOperation:
        raise ControlError(f"{name} is an amount, not {value!r}") from None
    return amount.quantize(_CENT)


def all_read(fields: Fields) -> None:
    """Refuses what no act knows."""
    if fields:
        raise ControlError(f"the act does not know {', '.join(sorted(fields))}")
