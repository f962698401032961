"""Our own corpus of debtors' replies, as mails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cache
from pathlib import Path

import yaml

from arsync.domain.replies import Meaning

_FOLDER = Path(__file__).resolve().parents[2] / "corpus" / "replies"
LANGUAGES = ("en", "de", "fr")
#: By the rules' author, who knows their figures; the others by somebody who had not read the rules.
AUTHORS = ("known", "held_out", "later")
OUTSIDERS = ("outsider", "outsider_second", "after")
PARTS = (*AUTHORS, *OUTSIDERS)


@dataclass(frozen=True)
class Example:
    """One reply and what it means."""

    language: str
    meaning: Meaning
    subject: str
    text: str
    also: frozenset[Meaning]  #: what it says beside
    by_person: bool  #: whether somebody wrote it, not a machine

    def raw(self) -> bytes:
        """As a mail program sends it; of an auto-reply without the headers that would tell it."""
        mail = EmailMessage()
        mail["From"] = "Debtor <debtor@reed.example>"
        mail["To"] = "billing@example.com"
        mail["Subject"] = self.subject
        mail["Message-ID"] = f"<{abs(hash(self.text))}@reed.example>"
        mail.set_content(self.text)
        return mail.as_bytes()


@cache
def examples(part: str) -> tuple[Example, ...]:
    """The replies of one folder of the corpus."""
    return tuple(_examples(part))


def _examples(part: str) -> Iterator[Example]:
    for language in LANGUAGES:
        written = yaml.safe_load((_FOLDER / part / f"{language}.yaml").read_text(encoding="utf-8"))
        for meaning, replies in written.items():
            for one in replies:
                entry = {"text": one} if isinstance(one, str) else one
                yield Example(
                    language,
                    Meaning(meaning),
                    entry.get("subject", "Re: your invoice"),
                    entry["text"],
                    frozenset(map(Meaning, entry.get("also", ()))),
                    by_person=meaning != Meaning.OUT_OF_OFFICE or entry.get("by") == "person",
                )
