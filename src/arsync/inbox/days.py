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
    words = _folded(text)
    try:
        found = set(_days(words, said_on))
    except ValueError:
        return None  # 31.02.
    if len(found) != 1:
        return None
    rest = _DOTTED.sub(" ", words)
    day = found.pop()
    return day if said_on <= day <= said_on + LATEST and not _DOUBT.search(rest) else None


#: All that the sentence of a promise may be made of, besides its day: what else is said, a person reads.
_PAYING: Final = re.compile(
    r"pay|paying|payment|transfer|transferring|settle|remit|zahlen|zahle|zahlung|uberweisen|uberweise|"
    r"uberweisung|begleichen|begleiche|reglerons|payerons|reglement|paiement|virement|virerons"
)
_PLAIN: Final = re.compile(
    r"we|i|ll|will|shall|are|is|be|am|going|to|the|a|full|whole|total|entire|complete|amount|sum|balance|"
    r"outstanding|open|all|everything|it|this|that|your|invoice|invoices|bill|on|by|at|latest|"
    r"made|sent|done|out|goes|of|for|in|wir|ich|werden|wird|die|den|das|der|ganzen|gesamten|vollen|offenen|"
    r"betrag|rechnung|rechnungen|alles|am|bis|zum|spatestens|erfolgt|diese|ihre|nous|je|on|le|la|les|l|votre|"
    r"cette|facture|montant|totalite|au|plus|tard|sera|effectue|fait"
)
_GREETING: Final = re.compile(
    r"^(dear|hi|hello|hey|good (morning|afternoon|evening|day)|guten (tag|morgen)|hallo|sehr geehrte|liebe|bonjour)\b"
    r"[^.!?\d]{0,50}[,!]?$"
)
_CLOSING: Final = re.compile(
    r"^(many thanks|thanks|thank you|(best|kind|warm)( regards)?|regards|sincerely|cheers|mit freundlichen gru\w*"
    r"|vie\w* gru\w*|(beste|freundliche) gru\w*|danke|vielen dank|merci|cordialement)[,.!]?$"
)
_SIGNED: Final = 4


def promised_day(text: str, said_on: date) -> date | None:
    """The day by which a text that says nothing else promises to pay all: one sentence, its day after its verb, between
    a greeting and a name; None where it says anything more or less."""
    day = named_day(text, said_on)
    if day is None:
        return None
    lines = [line.strip() for line in _folded(text).split("\n") if line.strip()]
    lines = lines[1:] if lines and _GREETING.match(lines[0]) else lines
    ends = next((number for number, line in enumerate(lines) if _CLOSING.match(line)), len(lines))
    name = lines[ends + 1 :]
    if len(name) > _SIGNED or any(len(line) > 40 or "?" in line for line in name):
        return None
    said = " ".join(lines[:ends]).replace("no later than", "by")
    for pattern in (_ISO, _DOTTED, _DAY_MONTH, _MONTH_DAY, _NAMED):
        said = pattern.sub(" # ", said)
    words = re.findall(r"[^\W\d_]+|\d+|[^\s\w]", said.strip().rstrip(".! "))
    verbs = [number for number, word in enumerate(words) if _PAYING.fullmatch(word)]
    days = [number for number, word in enumerate(words) if word == "#"]
    known = all(_PAYING.fullmatch(one) or _PLAIN.fullmatch(one) or one in "#,'’" for one in words)
    return day if known and verbs and days and verbs[0] < days[0] else None


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text[:_LONGEST].lower())
    return "".join(char for char in plain if not unicodedata.combining(char))


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
