"""Answers that wait for a person, a sentence each."""

from __future__ import annotations

from collections.abc import Collection

from arsync.domain.replies import MailKind, Meaning
from arsync.store import finding, replies
from arsync.store.engine import Work
from arsync.store.replies import Reply


def unread_replies(work: Work, only: Collection[int] | None = None) -> list[str]:
    """Every mail that a person must read, oldest first; `only` of these companies, and of nobody that is known."""
    return [
        f"reply {one.id}{_whose(work, one)}: {one.sender} {_said(one)} (arsync replies show {one.id})"
        for one in replies.waiting(work)
        if only is None or one.connection_id is None or one.connection_id in only
    ]


def _whose(work: Work, one: Reply) -> str:
    if one.connection_id is None or one.payer_id is None:
        return " of nobody that is known"
    return f" of {finding.customer_name(work, one.connection_id, one.payer_id)}"


def _said(one: Reply) -> str:
    """What a mail that waits is, in a few words."""
    match one.kind:
        case MailKind.PERSON:
            meaning = (one.meaning or Meaning.UNCLEAR).replace("_", " ")
            return f"answered, by the rules {meaning} ({one.confidence}%): {' '.join(one.text.split())[:80]}"
        case MailKind.UNREADABLE:
            return f"sent a mail that was refused: {one.why.partition(';')[0]}"
        case MailKind.COMPLAINT:
            return "complained of our mail as spam"
        case MailKind.BOUNCE | MailKind.AUTO_REPLY:
            return f"says: {one.why.rpartition('; ')[2]}"
