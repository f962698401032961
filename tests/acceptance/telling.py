"""What SendGrid tells of a night's messages: late, doubled and in whatever order, as its webhook may."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.acceptance.nights import LETTERS, Night

from arsync.domain.states import MessageState
from arsync.inbox.feedback import Heard, hear
from arsync.store.messages import Message

_DOES: Final = {
    "deliver": MessageState.DELIVERED,
    "spam_report": MessageState.DELIVERED,
    "bounce": MessageState.BOUNCED,
    "block": MessageState.BOUNCED,
}


@dataclass
class Telling:
    """All posts of a storm's webhook, told again and again."""

    chance: Random
    does: dict[str, str] = field(default_factory=dict)  # what each mailbox does with its mail
    _posts: list[dict[str, str]] = field(default_factory=list)

    def begin(self, night: Night) -> None:
        """Half the mailboxes take everything; the key of the webhook is known to the installation."""
        for address in LETTERS:
            self.does[address] = self.chance.choice(["deliver", "deliver", "deliver", *_DOES])
            night.office.sandbox.mailbox(address, self.does[address])
        key = night.office.sandbox.sendgrid_webhook()["public_key"]
        said = night.office.config.read_text(encoding="utf-8")
        keyed = said.replace("[sendgrid]\n", f'[sendgrid]\nwebhook_public_key = "{key}"\n')
        night.office.config.write_text(keyed, encoding="utf-8")

    def tell(self, night: Night, *, all_of_it: bool = False) -> Heard:
        """Some of what was told so far, or all of it: each post once or twice, its events in another order."""
        self._posts.append(night.office.sandbox.sendgrid_webhook())
        app = night.look()
        events = []
        for post in self._posts:
            told = app.mailroom.read_events(
                post["body"].encode(), signature=post["signature"], timestamp=post["timestamp"]
            )
            assert told.problems == ()
            times = self.chance.randint(1, 2) if all_of_it else self.chance.randint(0, 2)
            events += list(told.events) * times
        self.chance.shuffle(events)
        return hear(app.store, events, app.clock)

    def count(self, night: Night) -> None:
        """Once all is told every message that arrived stands where its mailbox left it, and nothing moves any more."""
        before = self._states(night)
        again = self.tell(night, all_of_it=True)
        assert again.new == 0, f"told once more: {again}"
        assert self._states(night) == before, "told once more, a message moved"
        every = {one.key: one for one in night.messages()}
        for mail in night.office.sent():
            message, (address,) = every[mail["key"]], mail["to"]
            assert message.state is _DOES[self.does[address]], (address, self.does[address], told(message))

    def _states(self, night: Night) -> dict[str, MessageState]:
        return {one.key: one.state for one in night.messages()}


def told(message: Message) -> str:
    return f"message {message.id} is {message.state}: {message.reason}"
