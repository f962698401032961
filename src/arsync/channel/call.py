"""The call list: a task for a person; nothing leaves the house."""

from __future__ import annotations

from typing import ClassVar, Final

from arsync import session
from arsync.channel.contract import Envelope, Evidence, Receipt

_LIST: Final = "call list"


class CallChannel:
    """Accepts every task: the list is the store's own rows, so that the row is the delivery."""

    name: ClassVar[str] = "call"
    place: Final = _LIST

    def finish(self) -> list[str]:
        """Nothing is held open."""
        return []

    def prepare(self) -> None:
        """Nothing to do."""

    def draw_up(self, envelope: Envelope) -> None:
        """Nothing: no answer is awaited in which there were time for it."""

    def send(self, envelope: Envelope) -> Receipt:
        """Always accepted, unless the last gate has closed."""
        session.first_byte()  # a suspended worker must not ask for a call about what was paid meanwhile
        return Receipt(_LIST)

    def look_up(self, message_id: str) -> tuple[Evidence, str | None]:
        """Always on the list: whoever asks has the row."""
        return Evidence.SENT, _LIST
