"""Letters: printed in a batch, and posted by a person, who says so. Nothing leaves by itself."""

from __future__ import annotations

from typing import ClassVar, Final

from arsync.channel.contract import Envelope, Evidence, Receipt
from arsync.errors import Refused


class LetterChannel:
    """Stands where a channel must: that a letter was posted is a person's word, and nobody else knows."""

    name: ClassVar[str] = "letter"
    place: Final = "the post"

    def finish(self) -> list[str]:
        """Nothing is held open."""
        return []

    def prepare(self) -> None:
        """Nothing to do."""

    def draw_up(self, envelope: Envelope) -> None:
        """Nothing: no answer is awaited in which there were time for it."""

    def send(self, envelope: Envelope) -> Receipt:
        """Always refused: a letter is accepted when a person says that it was posted."""
        raise Refused("a letter is posted by a person (arsync letters)")

    def look_up(self, message_id: str) -> tuple[Evidence, str | None]:
        """Nothing can be told but by a person."""
        return Evidence.NOTHING, None
