"""What every request shares: the installation, how pages look, and what lies beside them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from arsync.bootstrap import App
from arsync.errors import ConfigurationError
from arsync.web.assets import Asset
from arsync.web.entry import Entry
from arsync.web.figures import Figures
from arsync.web.look import Look
from arsync.web.sheets import Sheets

#: addresses that mean every network of this machine, and no name by which people could reach it
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, not listened at


@dataclass(frozen=True, slots=True)
class Site:
    """One installation as it is served. `hosts` are the names by which it may be asked for."""

    app: App
    look: Look
    assets: dict[str, Asset]
    hosts: frozenset[str]
    encrypted: bool  # people reach it by https
    entry: Entry
    figures: Figures
    sheets: Sheets


def hosts(app: App) -> frozenset[str]:
    """The names by which this installation may be asked for; ConfigurationError where nobody could know them."""
    serve = app.settings.serve
    if serve.public_url is not None:
        return frozenset({(urlsplit(serve.public_url).hostname or "").casefold(), "localhost", "127.0.0.1", "::1"})
    if serve.host in _EVERYWHERE:
        raise ConfigurationError(
            f"{app.settings.source}: serve.public_url is missing: with serve.host = {serve.host!r} say by which "
            "address people reach it"
        )
    return frozenset({serve.host.casefold(), "localhost", "127.0.0.1", "::1"})
