"""A word of thanks, once, when what was chased is paid."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final

from arsync.domain.chase import ChaseFacts, Item, PastMessage
from arsync.domain.policy import ASKS_NOTHING, Playbook, Tone
from arsync.domain.states import EFFECTIVE
from arsync.playbook.ladder import Rung

#: It comes within so many days of the money; where the gap is longer it waits for the gap's end and this many days
#: more, for weekends and holidays, but never longer than the last of them: a word of thanks gets stale.
THANKS_WITHIN: Final = 7
_AFTER_GAP: Final = 5
_AT_MOST: Final = 30


def thanks_rung(facts: ChaseFacts, playbook: Playbook, paid: Iterable[Item], today: date) -> Rung | None:
    """The thank-you for what was chased and then paid with money lately, never said before; else None."""
    if playbook.shape.thanks is None:
        return None
    step = playbook.steps[playbook.shape.thanks]
    chased: set[str] = set()
    thanked: set[str] = set()
    for past in facts.history:
        if past.step_id == step.id:
            thanked |= past.invoice_ids
        elif past.state in EFFECTIVE and _is_about_debt(past, playbook):
            chased |= past.invoice_ids
    due, within = chased - thanked, thanks_within(playbook)
    settled = [
        item
        for item in paid
        if item.invoice_id in due
        and not any(hold.covers(item.invoice_id, today) for hold in facts.holds)
        and item.paid_on is not None
        and 0 <= (today - item.paid_on).days <= within
    ]
    if not settled:
        return None
    anchor = max(settled, key=lambda item: (item.paid_on or date.min, item.number))
    assert anchor.paid_on is not None
    return Rung(step, anchor, anchor.paid_on, tuple(settled), ())


def thanks_within(playbook: Playbook) -> int:
    """How many days after the money came a thank-you may still be said."""
    return max(THANKS_WITHIN, min(playbook.gap + _AFTER_GAP, _AT_MOST))


def _is_about_debt(past: PastMessage, playbook: Playbook) -> bool:
    place = playbook.shape.places.get(past.step_id)
    if place is None:
        return past.step_id not in ASKS_NOTHING
    return playbook.steps[place].tone is not Tone.COURTESY
