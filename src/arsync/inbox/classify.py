"""What a person seems to mean, by phrases that can be read in `phrases.yaml`: a suggestion, never an act."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml

from arsync.domain.replies import Meaning

#: So much for a meaning is as sure as rules can be.
_SURE: Final = 8.0
#: Rules are never wholly sure.
_MOST: Final = 95
#: Below this nothing is suggested.
_LEAST: Final = 2.0
#: So much of what the first two meanings weigh must be the first one's: between two nearly equal ones a person decides.
_CLEARLY: Final = 0.6
#: What stands for other words, and for how many.
_GAPS: Final = {"..": r"(?: [^ ]+){0,6}?", "...": r"(?: [^ ]+){0,20}?"}
#: What stands for any number: of a day, or of an amount.
_NUMBER: Final = "{number}"
#: The beginning and the end of the answer.
_ENDS: Final = {"^": r"\A", "$": r"(?= \Z)"}
_LONGEST: Final = 4_000


@dataclass(frozen=True, slots=True)
class Phrase:
    """One line of the table."""

    meaning: Meaning
    language: str
    written: str
    weight: float
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Classified:
    """What an answer seems to mean, how sure that is in percent, and the phrases that spoke for it."""

    meaning: Meaning
    confidence: int
    phrases: tuple[str, ...]


def classify(text: str) -> Classified:
    """The meaning for which clearly most speaks."""
    weights: dict[Meaning, float] = defaultdict(float)
    said: dict[Meaning, list[str]] = defaultdict(list)
    for phrase, found in _found(text):
        weights[phrase.meaning] += phrase.weight
        if phrase.weight > 0:
            said[phrase.meaning].append(f"{found} ({phrase.weight:g})")
    ranked = sorted(weights.items(), key=lambda one: -one[1])
    if not ranked or ranked[0][1] < _LEAST:
        return Classified(Meaning.UNCLEAR, 0, ())
    meaning, best = ranked[0]
    second = max(0.0, ranked[1][1]) if len(ranked) > 1 else 0.0
    if best < _CLEARLY * (best + second):
        return Classified(Meaning.UNCLEAR, 0, ())
    confidence = round(_MOST * min(1.0, best / _SURE) * (best / (best + second)))
    return Classified(meaning, confidence, tuple(said[meaning]))


def weighed(text: str) -> dict[Meaning, float]:
    """How much speaks for each meaning; one for which nothing speaks is left out."""
    weights: dict[Meaning, float] = defaultdict(float)
    for phrase, _ in _found(text):
        weights[phrase.meaning] += phrase.weight
    return dict(weights)


def _found(text: str) -> Iterator[tuple[Phrase, str]]:
    words = folded(text[:_LONGEST])
    for phrase in table():
        if (found := phrase.pattern.search(words)) is not None:
            yield phrase, found[0].strip()


def folded(text: str) -> str:
    """The text as phrases are compared: lower case, without accents and punctuation, one space before each word."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("ß", "ss"))
    words = re.findall(r"[a-z0-9]+|\?", "".join(char for char in plain if not unicodedata.combining(char)))
    return "".join(f" {_spelt(word)}" for word in words) + " "


def _spelt(word: str) -> str:
    """As phrases write it."""
    whole, beginnings = _spellings()
    if word in whole:
        return whole[word]
    return next((right + word[len(typed) :] for typed, right in beginnings if word.startswith(typed)), word)


@cache
def _spellings() -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    written = [pair for language in _written()["spellings"].values() for pair in language.items()]
    beginnings = tuple((typed.rstrip("*"), right) for typed, right in written if typed.endswith("*"))
    return {typed: right for typed, right in written if not typed.endswith("*")}, beginnings


@cache
def table() -> tuple[Phrase, ...]:
    """Every phrase."""
    written = _written()
    words = written["words"]
    return tuple(
        Phrase(Meaning(meaning), language, phrase, float(weight), _compiled(phrase, words[language]))
        for meaning, languages in written["phrases"].items()
        for language, lines in languages.items()
        for weight, _, phrase in (str(line).partition(" ") for line in lines)
    )


@cache
def _written() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the table is long
    page = files("arsync.inbox").joinpath("phrases.yaml").read_text("utf-8")
    written: dict[str, Any] = yaml.load(page, Loader=loader)  # noqa: S506 - one of the safe ones
    return written


def _compiled(phrase: str, words: dict[str, str]) -> re.Pattern[str]:
    fixed = _GAPS | _ENDS
    parts = [fixed[part] if part in fixed else _one_of(part, words) for part in phrase.split()]
    return re.compile("".join(parts) + r"(?= )")


def _one_of(part: str, words: dict[str, str]) -> str:
    choices = []
    for choice in part.split("|"):
        if choice == _NUMBER:
            choices.append(r" [0-9]+(?:st|nd|rd|th|er)?")
        elif choice.startswith("{"):
            choices += [_words(word) for word in words[choice.strip("{}")].split("|")]
        else:
            choices.append(_words(choice))
    return f"(?:{'|'.join(choices)})"


def _words(written: str) -> str:
    """A word, or several that are folded into it (`don't`); a star stands for any end of it."""
    first, *others = (folded(piece).rstrip() for piece in written.split("*"))
    return r"[^ ]*".join(re.escape(piece).replace(r"\ ", " ") for piece in (first, *(one.strip() for one in others)))
