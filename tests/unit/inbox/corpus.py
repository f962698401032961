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


@dataclass(frozen=True)
class Example:
    """One reply and what it means."""

    language: str
    meaning: Meaning
    subject: str
    text: str

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
    """The replies of `known`, `held_out` or `later`."""
    return tuple(_examples(part))


def _examples(part: str) -> Iterator[Example]:
    for language in LANGUAGES:
        written = yaml.safe_load((_FOLDER / part / f"{language}.yaml").read_text(encoding="utf-8"))
        for meaning, replies in written.items():
            for one in replies:
                subject, text = ("Re: your invoice", one) if isinstance(one, str) else (one["subject"], one["text"])
                yield Example(language, Meaning(meaning), subject, text)
