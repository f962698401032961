"""How pages are drawn: templates, and values as a reader of that language writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal, format_percent
from jinja2 import Environment, PackageLoader, StrictUndefined

from arsync.domain.money import Money
from arsync.render.wording import locale_of
from arsync.web.assets import Asset


class Look:
    """Draws pages; a name that a template does not know is an error, and everything is escaped."""

    def __init__(self, *, locale: str, assets: Mapping[str, Asset]) -> None:
        #: the places of the desk, as its head lists them
        self.places = (
            ("/", "Today"), ("/customers", "Customers"), ("/approvals", "Approvals"), ("/calls", "Calls"),
            ("/messages", "Messages"), ("/playbooks", "Playbooks"), ("/reports", "Reports"),
            ("/connections", "Companies"), ("/audit", "Log"),
        )  # fmt: skip
        self.locale: Locale = locale_of(locale)
        self._templates = Environment(
            loader=PackageLoader("arsync.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(
            money=self.money,
            amount=self.amount,
            plain=self.plain,
            number=self.number,
            day=self.day,
            moment=self.moment,
            words=words,
            days=self.days,
            since=self.since,
            left=self.left,
        )
        self._templates.globals.update(asset=lambda name: assets[name].url)

    def page(self, template: str, **told: Any) -> str:
        """The page of that template."""
        return self._templates.get_template(template).render(**told)

    def money(self, value: Money) -> str:
        """`£1,250.00`, `1.250,00 €`"""
        return str(format_currency(value.amount, value.currency, locale=self.locale))

    def amount(self, value: Decimal, currency: str) -> str:
        """The same, of an amount and its currency."""
        return self.money(Money(value, currency))

    def plain(self, value: Decimal, currency: str) -> str:
        """`1,250.00`: an amount whose currency stands beside it."""
        pattern = self.locale.decimal_formats[None].pattern
        return str(format_currency(value, currency, format=pattern, locale=self.locale))

    def percent(self, value: Decimal) -> str:
        """`12.5%`, of a value in hundredths."""
        return str(format_percent(value / 100, locale=self.locale, decimal_quantization=False))

    def days(self, value: Decimal | int) -> str:
        """`12.5 days`"""
        return f"{self.number(value)} {'day' if value == 1 else 'days'}"

    def number(self, value: int | Decimal) -> str:
        """`12,345`"""
        return str(format_decimal(value, locale=self.locale))

    def day(self, value: date | None, none: str = "") -> str:
        """`24 Nov 2026`"""
        return none if value is None else str(format_date(value, format="medium", locale=self.locale))

    def since(self, value: datetime, now: datetime) -> str:
        """`12 days old`"""
        return f"{self.days(max((now - value).days, 0))} old"

    def left(self, value: datetime, now: datetime) -> str:
        """`12 days left`"""
        return "over" if value <= now else f"{self.days((value - now).days)} left"

    def moment(self, value: datetime | None, timezone: str, none: str = "") -> str:
        """`24 Nov 2026, 09:30 CET`, on that clock, which is named."""
        if value is None:
            return none
        there = value.astimezone(ZoneInfo(timezone))
        day = format_date(there.date(), format="medium", locale=self.locale)
        return f"{day}, {format_datetime(there, format='HH:mm', locale=self.locale)} {there.tzname()}"


def words(value: str) -> str:
    """A state or a reason as people read it: `not_received` is "not received"."""
    return str(value).replace("_", " ")
