"""What a note of arsync in the source tells of the message that it was written for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from arsync.domain.policy import StepChannel
from arsync.render.note import OPENINGS

_MARKER: Final = re.compile(r"\[arsync:([0-9a-f]{8})-([0-9a-f]{12})\]")
_CHANNELS: Final = {opening: channel for channel, opening in OPENINGS.items()}
_OPENING: Final = re.compile(rf"({'|'.join(OPENINGS.values())}) on (\d{{4}}-\d{{2}}-\d{{2}})")
_CLOSING: Final = re.compile(r"Step (\S+) of playbook (.+?), message ([0-9a-f]{32})")
_ITEM: Final = re.compile(r"(?:^|\n|- )Invoice (.+?): [^:]* open")


@dataclass(frozen=True, slots=True)
class Told:
    """One message as its note tells it; of a note that was cut, the step and the message's key may be lost."""

    marker: str
    installation: str
    channel: StepChannel
    sent_on: date
    step_id: str | None
    playbook: str | None
    message_key: str | None
    numbers: tuple[str, ...]  # the invoices that it lists; what a note on a customer is about, by its text alone
    is_cut: bool  # lines were left out: it names fewer invoices than the message did


def read(text: str) -> Told | None:
    """The message of a note, or None where it is not one of arsync's, or not about a message."""
    markers = _MARKER.findall(text)
    opening = _OPENING.search(text)
    if not markers or opening is None:
        return None
    installation, number = markers[-1]
    closings = _CLOSING.findall(text)
    step_id, playbook, message_key = closings[-1] if closings else (None, None, None)
    try:
        sent_on = date.fromisoformat(opening[2])
    except ValueError:
        return None
    return Told(
        marker=f"[arsync:{installation}-{number}]",
        installation=installation,
        channel=_CHANNELS[opening[1]],
        sent_on=sent_on,
        step_id=step_id,
        playbook=playbook,
        message_key=message_key,
        numbers=tuple(_ITEM.findall(text)),
        is_cut=not closings or "left out" in text,
    )
