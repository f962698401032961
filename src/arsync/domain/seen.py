"""What somebody saw of a message, as hashes: an approval is for that and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from arsync.domain.chase import Intent, Item, Rendered, seen_of


def item_seen(item: Item) -> str:
    """A hash of all that a reader sees of one invoice but the relative day counts, and of where it can be paid."""
    return _hash([seen_of(item), item.pay_link])


def written(intent: Intent, recipients: Sequence[str], rendered: Rendered) -> str:
    """A hash of invoices, amounts, recipients, copies and words; words as of one day, so that a later day compares with
    words generated anew as of that same day."""
    copies = [[contact.name, contact.email] for contact in intent.copies]
    return _hash([
        [[item_seen(item), demanded] for item, demanded in named(intent)],
        str(intent.unapplied), list(recipients), *([copies] if copies else []), rendered.subject, rendered.text,
        rendered.html,
    ])  # fmt: skip


def sealed(as_written: str | None, edited: Rendered | None) -> str:
    """What a person approves: the message as it was generated, and the words that a person put in their place."""
    words = [] if edited is None else [edited.subject, edited.text, edited.html]
    return _hash([as_written, *words])


def named(intent: Intent) -> Iterable[tuple[Item, bool]]:
    """The invoices of a message in its own order, and whether each is demanded."""
    yield from ((item, True) for item in intent.demanded)
    yield from ((item, False) for item in intent.listed)


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
