"""The day that an answer names, where it names one and no other: what is doubtful is a person's to read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

#: Who names a later day did not mean it as the day of this payment, or the year was mistaken.
LATEST: Final = timedelta(days=60)
_LONGEST: Final = 4_000
_MONTHS: Final = {
    1: "january|jan|januar|janner|janvier|janv", 2: "february|feb|februar|fevrier|fevr",
    3: "march|mar|marz|maerz|mars", 4: "april|apr|avril|avr", 5: "may|mai", 6: "june|jun|juni|juin",
    7: "july|jul|juli|juillet|juil", 8: "august|aug|aout", 9: "september|sept|sep|septembre",
    10: "october|oct|oktober|okt|octobre", 11: "november|nov|novembre", 12: "december|dec|dezember|dez|decembre",
}  # fmt: skip
_WEEKDAYS: Final = (
    "monday|montag|lundi", "tuesday|dienstag|mardi", "wednesday|mittwoch|mercredi", "thursday|donnerstag|jeudi",
    "friday|freitag|vendredi", "saturday|samstag|sonnabend|samedi", "sunday|sonntag|dimanche",
)  # fmt: skip
_MONTH: Final = {name: number for number, names in _MONTHS.items() for name in names.split("|")}
_WEEKDAY: Final = {name: number for number, names in enumerate(_WEEKDAYS) for name in names.split("|")}
_ANY_MONTH: Final = "|".join(sorted(_MONTH, key=len, reverse=True))
_ISO: Final = re.compile(r"\b(20\d\d)-(\d\d)-(\d\d)\b")
_DOTTED: Final = re.compile(r"\b(\d{1,2})\.\s?(\d{1,2})\.(\s?20\d\d)?(?![\d.])")
_DAY_MONTH: Final = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th|er|\.)?\s+(?:of\s+)?({_ANY_MONTH})\b\.?(?:,?\s+(20\d\d))?"
)
_MONTH_DAY: Final = re.compile(rf"\b({_ANY_MONTH})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?!\s*:)(?:,?\s+(20\d\d))?")
_NAMED: Final = re.compile(rf"\b({'|'.join(_WEEKDAY)})s?\b")
#: Numbers between strokes are another day on the other side of the sea; the rest says that there are several parts,
#: conditions or days that only a person understands.
_DOUBT: Final = re.compile(
    r"\d{1,2}/\d{1,2}|\b(half|part|partial|partly|instal\w*|rate|raten|teil\w*|halfte|acompte|moitie|partie\w*|if|unless|"
    r"wenn|falls|sofern|sobald|si|when|once|until|after|nach|apres|dispute\w*|not|kein\w*|nicht|ne|pas|"
    r"next|nachst\w*|prochain\w*|cannot|unable|impossible|unmoglich|"
    r"tomorrow|morgen|demain|today|heute|aujourd)\b|n['’]t\b|\d[\d.,]*[.,]\d\d\b"
)


def named_day(text: str, said_on: date) -> date | None:
    """The one day that the text names, within the next two months; None where it names none or several, a part of the
    money, a condition, or a day that may be read in two ways."""
    plain = unicodedata.normalize("NFKD", text[:_LONGEST].lower())
    words = "".join(char for char in plain if not unicodedata.combining(char))
    try:
        found = set(_days(words, said_on))
    except ValueError:
        return None  # 31.02.
    if len(found) != 1:
        return None
    rest = _DOTTED.sub(" ", words)
    day = found.pop()
    return day if said_on <= day <= said_on + LATEST and not _DOUBT.search(rest) else None


def _days(words: str, said_on: date) -> Iterator[date]:
    dated = False
    for year, month, number in _ISO.findall(words):
        dated = True
        yield date(int(year), int(month), int(number))
    for number, month, year in _DOTTED.findall(words):
        dated = True
        yield _near(int(number), int(month), year, said_on)
    for number, month, year in _DAY_MONTH.findall(words):
        dated = True
        yield _near(int(number), _MONTH[month], year, said_on)
    for month, number, year in _MONTH_DAY.findall(words):
        dated = True
        yield _near(int(number), _MONTH[month], year, said_on)
    for name in _NAMED.findall(words):
        ahead = (_WEEKDAY[name] - said_on.weekday()) % 7
        if dated:
            continue  # Friday, 12 June: the day is written
        if ahead == 0:
            raise ValueError("today's weekday may be today or in a week")
        yield said_on + timedelta(days=ahead)


def _near(number: int, month: int, year: str, said_on: date) -> date:
    """The day of that year; without one that which comes next."""
    if year.strip():
        return date(int(year), month, number)
    this_year = date(said_on.year, month, number)
    return this_year if this_year >= said_on else date(said_on.year + 1, month, number)
