"""Going live with care: every message to one address of our own, or a copy of each to it."""

from __future__ import annotations

from dataclasses import fields

from arsync.channel.contract import Channel, Envelope, Evidence, Receipt
from arsync.channel.mail import DivertedEnvelope, same_address


class Redirected:
    """A channel whose messages all reach `redirect_to` instead (where given), with a blind copy to `bcc`.

    For whom a diverted message was meant stands in its X-Arsync-Original-* headers; subject and text stay as they are.
    """

    def __init__(self, channel: Channel, *, redirect_to: str | None = None, bcc: str | None = None) -> None:
        self.channel = channel
        self._redirect_to = redirect_to
        self._bcc = bcc

    @property
    def name(self) -> str:
        """As of the wrapped channel, which takes the message."""
        return self.channel.name

    @property
    def place(self) -> str:
        """As of the wrapped channel."""
        return self.channel.place

    def prepare(self) -> None:
        """As the wrapped channel does."""
        self.channel.prepare()

    def finish(self) -> list[str]:
        """As the wrapped channel does."""
        return self.channel.finish()

    def draw_up(self, envelope: Envelope) -> None:
        """As the wrapped channel does."""
        self.channel.draw_up(self.divert(envelope))

    def send(self, envelope: Envelope) -> Receipt:
        """As the wrapped channel does, with its errors."""
        return self.channel.send(self.divert(envelope))

    def look_up(self, message_id: str) -> tuple[Evidence, str | None]:
        """As the wrapped channel does."""
        return self.channel.look_up(message_id)

    def divert(self, envelope: Envelope) -> Envelope:
        """The envelope as it will leave; an address stands in it once, most openly."""
        content = {part.name: getattr(envelope, part.name) for part in fields(envelope)}
        if self._redirect_to:
            content["original"] = {
                f"X-Arsync-Original-{place.title()}": mailboxes
                for place in ("to", "cc", "bcc")
                if (mailboxes := getattr(envelope, place))
            }
            content |= {"to": (self._redirect_to,), "cc": (), "bcc": ()}
        if self._bcc:
            taken = (*content["to"], *content["cc"], *content["bcc"])
            if not any(same_address(self._bcc, other) for other in taken):
                content["bcc"] = (*content["bcc"], self._bcc)
        return DivertedEnvelope(**content)
