"""What the vendors' webhooks say, by whichever connector is installed."""

from __future__ import annotations

from collections.abc import Mapping

from arsync.bootstrap.app import App
from arsync.connector import Changed, ReadsWebhooks
from arsync.errors import NotFound


def reads_webhooks(app: App, provider: str) -> bool:
    """Whether the settings have that vendor, and it sends webhooks that its connector can read."""
    return (
        provider in app.settings.connectors
        and provider in app.providers
        and isinstance(app.providers[provider].load(), ReadsWebhooks)
    )


def get_ready(app: App) -> None:
    """Loads the connectors of the settings: the first webhook shall not wait for that."""
    for provider in app.settings.connectors:
        if reads_webhooks(app, provider):
            app.connector_settings(provider)


def read_webhook(app: App, provider: str, body: bytes, headers: Mapping[str, str]) -> tuple[Changed, ...]:
    """What changed, company by company; Unverified where it is not the vendor's, Malformed where it is none, NotFound
    where nobody sends any."""
    factory = app.providers[provider].load() if provider in app.settings.connectors else None
    if not isinstance(factory, ReadsWebhooks):
        raise NotFound(f"webhooks of {provider!r}")
    return factory.webhook(body, headers, settings=app.connector_settings(provider))
