"""Settings from `arsync.toml` and the environment, typed, with all that is wrong reported at once."""

from __future__ import annotations

from arsync.settings.load import DEFAULT_NAME, connector_points, installed_connectors, load
from arsync.settings.model import CompanySettings, ConnectionSettings, Delivery, GroupSettings
from arsync.settings.rehearsal import check_rehearsal, is_here, is_loopback, vendor_urls
from arsync.settings.resolved import Settings, database_at, secrets_in

__all__ = [
    "DEFAULT_NAME",
    "CompanySettings",
    "ConnectionSettings",
    "Delivery",
    "GroupSettings",
    "Settings",
    "check_rehearsal",
    "connector_points",
    "database_at",
    "installed_connectors",
    "is_here",
    "is_loopback",
    "load",
    "secrets_in",
    "vendor_urls",
]
