"""The installation as the settings have it now: a process that goes on for months takes other ones without an end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from arsync.bootstrap.app import App
from arsync.errors import ConfigurationError
from arsync.resources import bundled
from arsync.settings import Settings

_log: Final = logging.getLogger(__name__)
#: What a process is begun with, and keeps to its end.
_BEGUN_WITH: Final[dict[str, Callable[[Settings], object]]] = {
    "database.url": lambda settings: settings.database_url,
    "sandbox.clock_url": lambda settings: settings.sandbox.clock_url,
    "worker.listen": lambda settings: settings.worker.listen,
    "worker.queue": lambda settings: settings.worker.queue,
}
#: What workers that answer a queue keep as well: how many companies at once, over all of them.
_QUEUED_WITH: Final[dict[str, Callable[[Settings], object]]] = {
    "worker.threads": lambda settings: settings.worker.threads,
    "delivery.first_customers": lambda settings: settings.delivery.first_customers is None,
}


class Present:
    """One installation; `app` is replaced as a whole, and whoever has taken one up goes on with it. `read` reads the
    settings anew."""

    def __init__(self, app: App, read: Callable[[], Settings]) -> None:
        self.app = app
        self._read = read

    def renew(self) -> bool:
        """Takes the settings as they are now. Those that cannot be taken change nothing: False, a line of the log says
        why, and so does an alert until others are taken."""
        try:
            settings = self._read()
            needs_no_restart(self.app.settings, settings)
            renewed = self.app.anew(settings)
            _check(renewed)
        except ConfigurationError as error:
            return self._not_taken(str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours in what is not yet in use ends no worker
            return self._not_taken(f"unexpected {type(error).__name__}")
        self.app = renewed
        _log.info("settings_taken")
        return True

    def _not_taken(self, reason: str) -> bool:
        _log.error("settings_not_taken", extra={"reason": reason})
        self.app.alarm.note("settings worker", f"the worker goes on with its settings of before: {reason}")
        return False


def needs_no_restart(held: Settings, settings: Settings) -> None:
    """ConfigurationError where a process that was begun with `held` cannot go on with the others."""
    kept = _BEGUN_WITH if settings.worker.queue == "embedded" else {**_BEGUN_WITH, **_QUEUED_WITH}
    changed = [key for key, value in kept.items() if value(settings) != value(held)]
    if changed:
        raise ConfigurationError(f"{settings.source}: another {', '.join(changed)} takes a restart of the worker")


def _check(app: App) -> None:
    """ConfigurationError where the section of a connector or a playbook in use is wrong, or our own people could not be
    told."""
    settings, shipped = app.settings, bundled("playbooks")
    for provider in settings.connectors:
        app.connector_settings(provider)
    for name in {settings.defaults.playbook, *(settings.company(one).playbook for one in settings.connections)}:
        app.volume(name)
        app.shelves.present(settings.playbook_file(name, shipped=shipped))
    app.alarm.paths()
