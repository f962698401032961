"""What the rules make of replies that we wrote: their author before and after, and somebody who had not read them."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import date

import pytest
from tests.unit.inbox.corpus import AUTHORS, LANGUAGES, PARTS, Example, examples

from arsync.domain.policy import OnReply
from arsync.domain.replies import MailKind, Meaning
from arsync.inbox.classify import classify, folded, table
from arsync.inbox.days import promised_day
from arsync.inbox.machines import who_wrote
from arsync.inbox.mail import read
from arsync.inbox.plain import says_only
from arsync.inbox.quoting import new_text
from arsync.playbook.reply_section import MEANINGS

#: Precision and recall of each meaning, at least: a little under what was measured.
LEAST = {
    "known": (0.9, 0.9), "held_out": (0.9, 0.7), "later": (0.7, 0.3),
    "outsider": (0.5, 0.3), "outsider_second": (0.5, 0.2),
}  # fmt: skip


def told(one: Example) -> Meaning:
    return classify(new_text(one.text)).meaning


def figures(part: str, languages: tuple[str, ...] = LANGUAGES) -> dict[Meaning, tuple[float, float]]:
    """Precision and recall of each meaning."""
    found = [(one.meaning, told(one)) for one in examples(part) if one.language in languages]
    right = Counter(meaning for meaning, said in found if meaning is said)
    said_at_all, there_are = Counter(said for _, said in found), Counter(meaning for meaning, _ in found)
    return {
        meaning: (right[meaning] / max(1, said_at_all[meaning]), right[meaning] / there_are[meaning])
        for meaning in there_are
    }


def test_every_meaning_has_eight_replies_in_each_language() -> None:
    counted = Counter((one.language, one.meaning) for part in PARTS for one in examples(part))
    assert all(
        counted[language, meaning] >= 8 for language in LANGUAGES for meaning in set(Meaning) - {Meaning.UNCLEAR}
    )


@pytest.mark.parametrize("part", PARTS)
def test_what_a_reply_means_is_mostly_told_and_seldom_wrong(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    of_each = figures(part)
    with capsys.disabled():
        columns = [of_each, *(figures(part, (language,)) for language in LANGUAGES)]
        sys.stdout.write(f"\n{part}: precision / recall of all, {', '.join(LANGUAGES)}\n")
        for meaning in of_each:
            each = "  ".join("{:4.0%} / {:4.0%}".format(*column[meaning]) for column in columns)
            sys.stdout.write(f"  {meaning:15} {each}\n")
    told_by_kind = {Meaning.OUT_OF_OFFICE}  # its subject tells it, whatever the text says
    figures_of_people = [each for meaning, each in of_each.items() if meaning not in told_by_kind]
    precisely, recalled = LEAST[part]
    assert all(precision >= precisely and recall >= recalled for precision, recall in figures_of_people)


@pytest.mark.parametrize("part", PARTS)
def test_whatever_a_person_wrote_is_taken_for_a_person_and_pauses(part: str) -> None:
    by_people = [one for one in examples(part) if one.by_person]
    assert by_people
    assert [one.text for one in by_people if who_wrote(read(one.raw()))[0] is not MailKind.PERSON] == []


@pytest.mark.parametrize("part", AUTHORS)
def test_who_is_away_is_told_by_the_subject_alone(part: str) -> None:
    away = [one for one in examples(part) if not one.by_person]
    assert [one.subject for one in away if who_wrote(read(one.raw()))[0] is not MailKind.AUTO_REPLY] == []


def test_what_is_quoted_and_signed_says_nothing() -> None:
    quoting = next(one for one in examples("known") if "On Mon, 4 May" in one.text)
    assert "dispute it, tell us" in quoting.text
    assert "dispute" not in new_text(quoting.text)
    signed = next(one for one in examples("known") if "Reed & Sons Ltd" in one.text)
    assert "Reed & Sons Ltd" not in new_text(signed.text)


def test_a_meaning_shows_the_phrases_that_spoke_for_it_and_is_never_wholly_sure() -> None:
    said = classify("We will pay on Friday. Apologies for the delay, we will transfer it by tomorrow at the latest.")
    assert said.meaning is Meaning.PROMISE
    assert any("will pay" in phrase for phrase in said.phrases)
    assert said.confidence <= 95


@pytest.mark.parametrize("text", ["", "   ", "ok", "👍", "....", "?"])
def test_what_says_nothing_is_unclear(text: str) -> None:
    assert classify(text).meaning is Meaning.UNCLEAR


@pytest.mark.parametrize(
    "text",
    [
        "Can we pay this on Friday instead?", "Could I pay it in three parts, the first on 1 July?",
        "Können wir am Freitag zahlen?", "Kann ich das in Raten überweisen, die erste am 15.?",
        "Pouvons-nous payer vendredi ?", "Est-il possible de régler le 15 juin ?",
    ],
)  # fmt: skip
def test_who_asks_whether_to_pay_later_promises_nothing(text: str) -> None:
    assert classify(text).meaning is not Meaning.PROMISE


@pytest.mark.parametrize(
    "text",
    ["The transfer will be made by the 15th.", "Wir werden bis zum 15. überweisen.", "Le 15 vous serez payés."],
)
def test_a_day_is_also_told_by_its_number(text: str) -> None:
    assert classify(text).meaning is Meaning.PROMISE


def test_every_phrase_of_the_table_finds_itself() -> None:
    """A phrase that nothing can match would be a slip of the pen: a dash, or a word that folding takes apart."""
    for phrase in table():
        plain = phrase.written.replace("..", "").replace("*", "")
        words = [part.split("|")[0] for part in plain.split()]
        if not any(word.startswith("{") for word in words):
            assert phrase.pattern.search(folded(" ".join(words))), phrase.written


def acted_on(part: str) -> list[tuple[Meaning, Meaning]]:
    """What each reply means, and what a playbook with every key of `on_reply` would take it for by itself."""
    least = OnReply({}).confidence
    acted: list[tuple[Meaning, Meaning]] = []
    for one in examples(part):
        text = new_text(one.text)
        said = classify(text)
        if said.meaning in MEANINGS and said.confidence >= least:
            plain = promised_day(text, date(2026, 6, 9)) if said.meaning is Meaning.PROMISE else None
            if plain is not None or (said.meaning is not Meaning.PROMISE and says_only(text, said.meaning)):
                acted.append((one.meaning, said.meaning))
    return acted


def test_what_a_playbook_may_act_on_by_default_is_never_another_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    acted = {part: acted_on(part) for part in PARTS}
    with capsys.disabled():
        told = ", ".join(f"{len(acted[part])} of {len(examples(part))} of {part}" for part in PARTS)
        sys.stdout.write(f"\nwould be acted on: {told}\n")
    pairs = [pair for part in PARTS for pair in acted[part]]
    assert len(pairs) > 20
    assert (Meaning.PROMISE, Meaning.PROMISE) in pairs
    assert [pair for pair in pairs if pair[0] is not pair[1]] == []
