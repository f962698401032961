"""What has gone out of one chase, as far as it counts: for each invoice the steps that it was in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from arsync.domain.chase import PastMessage
from arsync.domain.policy import ASKS_NOTHING, Act, Shape, Step, Tone
from arsync.domain.states import EFFECTIVE, MessageState

#: What left us, also where it came back: it counts for the gap, so that a bad address is not hammered.
TOUCHED: Final = EFFECTIVE | {MessageState.BOUNCED}
_NOTICED: Final = frozenset({MessageState.ACCEPTED, MessageState.DELIVERED})


class History:
    """A chase's messages laid over the steps of its playbook; places are those of the steps, days are ordinals."""

    __slots__ = ("_messages", "_shape", "_steps", "contacted", "last_on", "milder", "reached", "taken")

    def __init__(self, messages: Sequence[PastMessage], steps: Sequence[Step], shape: Shape) -> None:
        self._messages, self._steps, self._shape = messages, steps, shape
        self.contacted = False  # they have heard from us about a debt
        self.reached: dict[str, int] = {}  # the furthest place of the ladder at which the invoice was demanded
        self.milder: dict[str, int] = {}  # in how many milder messages, not known to be undelivered, they were told
        self.taken: dict[tuple[str, int], tuple[int, int]] = {}  # how often, and the last day
        self.last_on: dict[str, int] = {}  # the day of the last step that was on the ladder
        for message in messages:
            # A bounce or a refusal steps the ladder back: as if it had never been sent. An answer is given once.
            if message.state in EFFECTIVE or (message.state is MessageState.BOUNCED and self._is_aside(message)):
                self._read(message)

    def _is_aside(self, message: PastMessage) -> bool:
        return self._shape.places.get(message.step_id, -1) in self._shape.asides

    def _read(self, message: PastMessage) -> None:
        if message.step_id in ASKS_NOTHING:
            return  # it asked for nothing: it counts for the gap and the caps, and moves nobody on the ladder
        place = self._shape.places.get(message.step_id)
        if place is None:
            self.contacted = True  # a step of an older playbook, or a person's own: they have heard from us
            return
        step = self._steps[place]
        if step.act is Act.THANK_YOU:
            return
        early, aside, on = step.tone is Tone.COURTESY, bool(step.when), message.on.toordinal()
        self.contacted |= not early
        milder = not early and step.tone < Tone.FINAL and message.state in _NOTICED and message.told
        if aside or step.repeat is not None:
            for invoice_id in message.invoice_ids:
                count, last = self.taken.get((invoice_id, place), (0, 0))
                self.taken[invoice_id, place] = count + 1, max(last, on)
        if milder:
            had = self.milder
            for invoice_id in message.invoice_ids:
                had[invoice_id] = had.get(invoice_id, 0) + 1
        if aside:
            return
        reached, last_on = self.reached, self.last_on
        for invoice_id in message.invoice_ids:
            if reached.get(invoice_id, -1) < place:
                reached[invoice_id] = place
            if last_on.get(invoice_id, 0) < on:
                last_on[invoice_id] = on

    def last_touch(self) -> PastMessage | None:
        """The latest message that left us; one that came back counts too, so that a bad address is not hammered."""
        latest: PastMessage | None = None
        for past in self._messages:
            if past.state in TOUCHED and (latest is None or past.on > latest.on):
                latest = past
        return latest

    def occurrence(self, step: Step) -> int:
        """Which time this step is meant for this chase, from 1; one that never left us is still the same intent."""
        spent = (past.occurrence for past in self._messages if past.step_id == step.id and past.state in TOUCHED)
        return 1 + max(spent, default=0)
