"""Our own people: by which paths they are told, and of what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arsync.channel.contract import Channel
from arsync.connector import Clock
from arsync.errors import ConfigurationError
from arsync.ops.alerts import ByMail, ByWebhook, Path, Spent, Today, ping, standing, tell
from arsync.settings import Settings
from arsync.store.engine import Store


class Alarm:
    """`[alerts]` of one installation. `session` and `channel` are asked for when somebody is told; `closed` tells until
    when a company's requests wait, `today` its day."""

    def __init__(
        self, settings: Settings, store: Store, clock: Clock, *, session: Callable[[], Any],
        channel: Callable[[], Channel], closed: Spent, today: Today,
    ) -> None:  # fmt: skip
        self._settings, self._store, self._clock = settings, store, clock
        self._session, self._channel, self._closed, self._today = session, channel, closed, today
        self._noted: dict[str, str] = {}

    def note(self, key: str, said: str) -> None:
        """Something that only this process knows, to be told with what stands in the database."""
        self._noted[key] = said

    def paths(self) -> dict[str, Path]:
        """The ways by which they are told, by name; ConfigurationError where mail could not leave."""
        section, sender = self._settings.alerts, self._settings.delivery.sender
        paths: dict[str, Path] = {}
        if section.mail is not None:
            lacking = self._settings.undeliverable()
            if sender is None or lacking:
                raise ConfigurationError(f"{self._settings.source}: alerts.mail: {'; '.join(lacking)}")
            paths["mail"] = ByMail(self._channel, sender, section.mail, self._clock)
        if section.webhook is not None:
            paths["webhook"] = ByWebhook(self._session(), section.webhook.get_secret_value())
        return paths

    def standing(self) -> dict[str, str]:
        """What they are to be told of as things are, a sentence each by its key."""
        worker = self._settings.worker
        house = [name for name, when in (("backup", worker.backup), ("prune", worker.prune)) if when != "off"]
        return standing(self._store, self._clock.now(), self._closed, self._today, house) | self._noted

    def tell(self) -> list[str]:
        """Tells what they were not told yet; why that could not be, a sentence each."""
        paths = self.paths()
        return tell(self._store, self._clock, paths, self.standing()) if paths else []

    def ping(self) -> None:
        """Tells the outside watch that a run came through, where there is one."""
        url = self._settings.alerts.ping_url
        if url is not None:
            ping(self._session(), url.get_secret_value())
