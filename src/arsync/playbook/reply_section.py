"""The `on_reply` section of a playbook file: what is done because of a reply before a person has read it."""

from __future__ import annotations

import re
from typing import Final

import yaml

from arsync.domain.policy import OnReply
from arsync.domain.replies import Meaning
from arsync.playbook.nodes import Section
from arsync.playbook.problems import Problems

#: The others ask for something that only a person can give, or contest what only a person can judge.
MEANINGS: Final = (Meaning.PROMISE, Meaning.SAYS_PAID, Meaning.PAYMENT_RUN)
KEYS: Final = ("confidence", *(meaning.value for meaning in MEANINGS))
CONFIDENCE_BOUNDS: Final = (70, 95)
RECORD: Final = "record"
HOLD: Final = r"hold ([1-9]|[12][0-9]|30) days?"


def read_on_reply(root: Section, problems: Problems) -> OnReply | None:
    """What is done because of replies; None where nothing is written."""
    node = root.mapping("on_reply")
    if node is None:
        return None
    section = Section(node, "on_reply", problems, known=KEYS, required=())
    confidence = section.whole("confidence", *CONFIDENCE_BOUNDS)
    acts: dict[Meaning, int | None] = {}
    for meaning in MEANINGS:
        written = section.node(meaning.value)
        if written is None:
            continue
        said = written.value if isinstance(written, yaml.ScalarNode) else ""
        if said == RECORD and meaning is Meaning.PROMISE:
            acts[meaning] = None
        elif match := re.fullmatch(HOLD, said):
            acts[meaning] = int(match[1])
        else:
            record = "record, or " if meaning is Meaning.PROMISE else ""
            problems.add(
                section.line_of(meaning.value),
                f"on_reply: {meaning} must be {record}hold N days (1 to 30), not {said!r}",
            )
    if not acts and not problems:
        problems.add(section.line, f"on_reply needs one of {', '.join(KEYS[1:])}")
    return OnReply(acts) if confidence is None else OnReply(acts, confidence)
