"""What every answer says to the browser, and which names may be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arsync.web.site import Site

#: Nothing is loaded from elsewhere, no script or style stands in a page, and no page stands in another's frame.
_POLICY: Final = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
    "form-action 'self'", "frame-src 'self'", "frame-ancestors 'none'", "base-uri 'none'",
))  # fmt: skip
_ALWAYS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: who watches asks by the machine's address
_ANY_NAME: Final = frozenset({"/healthz"})
#: who posts here is known by a signature or a secret, and a mail that is sent away is lost
_HOOKS: Final = "/hooks/"


class Doorman:
    """Answers only to the names that the site has, and gives every answer its headers."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        elapsed = self._site.app.clock.elapsed
        began = elapsed()
        scope.setdefault("state", {})["began"] = began

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                if self._site.encrypted:
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
                headers["Server-Timing"] = f"app;dur={(elapsed() - began) * 1000:.1f}"
            await send(message)

        by_any_name = scope["path"] in _ANY_NAME or scope["path"].startswith(_HOOKS)
        if not by_any_name and _name(Headers(scope=scope).get("host", "")) not in self._site.hosts:
            await PlainTextResponse("this installation is not called so\n", 421)(scope, receive, answer)
            return
        await self._app(scope, receive, answer)


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").casefold()
    except ValueError:
        return ""
