"""Amounts, days and foreign text, as a reader of that locale writes them."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable
from datetime import date
from email.utils import parseaddr
from typing import Any, Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency

from arsync.domain.money import Money
from arsync.errors import ConfigurationError

TEXT_WIDTH: Final = 78
#: So many invoices are named for the payer to quote.
_QUOTED: Final = 5
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FAMILY: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*(?: [A-Za-z][A-Za-z0-9-]*)*")
_IMAGE: Final = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]+)?/[A-Za-z0-9._~!$&()*+,;=:@/?%-]{1,1000}")
_FONTS: Final = "Helvetica Neue, Helvetica, Arial, sans-serif"
_JOINERS: Final = frozenset("\u200c\u200d")  # Persian and emoji need them; they reorder nothing


def locale_of(tag: str) -> Locale:
    """The locale of a BCP 47 tag or of `de_AT`, less parts that nobody knows; ConfigurationError for no language."""
    parts = tag.replace("-", "_").split("_")
    for kept in range(len(parts), 0, -1):
        try:
            return Locale.parse("_".join(parts[:kept]), resolve_likely_subtags=False)
        except (UnknownLocaleError, ValueError):
            continue
    raise ConfigurationError(f"no such locale: {tag!r}")


def at_home(tag: str, country: str | None) -> str:
    """The locale as it is spoken in that country, where the tag names no region and CLDR knows it there: "en" in GB is
    "en-GB", with days and amounts as they are written there."""
    locale = locale_of(tag)
    if locale.territory is not None or not country:
        return tag
    try:
        Locale.parse(f"{locale}_{country.upper()}", resolve_likely_subtags=False)
    except (UnknownLocaleError, ValueError):
        return tag
    return f"{tag}-{country.upper()}"


def money_text(money: Money, locale: Locale) -> str:
    """The exact amount, no digit rounded away; a currency without cents has none, one with three places has three."""
    text = str(format_currency(money.amount, money.currency, locale=locale, decimal_quantization=False))
    # A code needs air beside its number ("KWD 1.500"); Babel knows the patterns but not CLDR's spacing.
    return re.sub(r"(?<=[A-Z]{3})(?=\d)", "\u00a0", text)


def fonts_of(name: str) -> tuple[str, ...]:
    """The families of a list; what is no plain name of a family is left out."""
    return tuple(family for part in name.split(",") if _FAMILY.fullmatch(family := part.strip()))


def font_stack(name: str) -> str:
    """A CSS list of families, the house's own last; what is no plain name of a family is left out."""
    # Without quotes, which an HTML template would turn into entities that no style sheet understands.
    return ", ".join([*fonts_of(name), _FONTS])


def web_image(address: str) -> str | None:
    """The address, where it is one of a picture on the web by https."""
    return address if _IMAGE.fullmatch(address) else None


def day_text(day: date, locale: Locale) -> str:
    """The day in its long form, which no reader takes for another."""
    text = str(format_date(day, format="long", locale=locale))
    # CLDR's patterns cannot say that the first of a French month is an ordinal.
    return f"1er{text[1:]}" if locale.language == "fr" and text.startswith("1 ") else text


def one_line(text: str, limit: int = 80) -> str:
    """Foreign text made harmless: one line, no control or direction characters, at most `limit` characters."""
    if text.isascii() and text.isprintable():
        visible = text  # as nearly always
    else:
        visible = "".join(
            " " if unicodedata.category(letter) in _HIDDEN and letter not in _JOINERS else letter for letter in text
        )
    flat = " ".join(visible.split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def quoted(numbers: Iterable[str | None]) -> str:
    """What a payer is asked to quote: the first numbers, and that there are more."""
    known = [number for number in numbers if number]
    return ", ".join(known[:_QUOTED]) + (" …" if len(known) > _QUOTED else "")


def address_of(mailbox: str) -> str:
    """The bare address of `Name <address>`, as a reader would type it; harmless on one line."""
    return one_line(parseaddr(one_line(mailbox, 400))[1] or mailbox, 254)


def lines_of(text: str, limit: int = 120) -> tuple[str, ...]:
    """Several lines of our own (bank details, legal footer), each made harmless."""
    return tuple(line for raw in text.splitlines() if (line := one_line(raw, limit)))


def fill(pattern: str, *values: Any) -> str:
    """The words with each `{}` replaced in turn; nothing in a value is read as words."""
    parts = str(pattern).split("{}")
    filled = [parts[0]]
    for place, part in enumerate(parts[1:]):
        filled += [str(values[place]), part]
    return "".join(filled)


def counted(forms: list[str], number: int) -> str:
    """`[one, many]` with the number in it."""
    return fill(forms[0] if number == 1 else forms[1], number)


def beside(left: str, right: str) -> str:
    """Both on one line of the text, the right one flush with the margin; below it where they do not fit."""
    gap = TEXT_WIDTH - columns(left) - columns(right)
    if gap >= 2:
        return left + " " * gap + right
    return left + "\n" + " " * max(0, TEXT_WIDTH - columns(right)) + right


def columns(text: str) -> int:
    """How many columns of a fixed-width font the text takes."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def folded(text: str) -> str:
    """Plain text with no line beyond the margin, indents kept, no more than one empty line together."""
    lines: list[str] = []
    for raw in text.splitlines():
        line = raw.rstrip()
        if not line and lines and not lines[-1]:
            continue
        if columns(line) <= TEXT_WIDTH:
            lines.append(line)
            continue
        indent = " " * (len(line) - len(line.lstrip()))
        lines += textwrap.wrap(
            line.strip(),
            TEXT_WIDTH,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    # Only now, so that no amount is torn apart: in plain text a search finds what is written with plain spaces.
    return _plain_spaces("\n".join(lines).strip("\n") + "\n")


def _plain_spaces(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")
