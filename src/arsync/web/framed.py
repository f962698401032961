"""Pages that are not ours, such as a message, to be shown within one that is."""

from __future__ import annotations

from typing import Final

from starlette.responses import HTMLResponse, Response

#: Its styles hold, and nothing else: no script, no form, no picture or font from anywhere but the page itself.
_POLICY: Final = "; ".join((
    "default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", "base-uri 'none'", "form-action 'none'",
    "frame-ancestors 'self'", "sandbox",
))  # fmt: skip


def framed(html: str) -> Response:
    """A whole document for a sandboxed frame of a page of ours; alone it is as harmless."""
    headers = {"Content-Security-Policy": _POLICY, "X-Frame-Options": "SAMEORIGIN", "Cache-Control": "no-store"}
    return HTMLResponse(html, headers=headers)
