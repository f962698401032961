"""What lies beside the pages: one stylesheet, one small script, a mark."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from arsync.errors import NotFound

_KEPT = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, and the address at which it never changes."""

    name: str
    body: bytes
    kind: str

    @property
    def version(self) -> str:
        """Of its content."""
        return hashlib.sha256(self.body).hexdigest()[:12]

    @property
    def url(self) -> str:
        """Where it lies in this version."""
        return f"/static/{self.name}?v={self.version}"


def load() -> dict[str, Asset]:
    """All of them, by name."""
    found = {}
    for one in files("arsync.web").joinpath("static").iterdir():
        kind = mimetypes.guess_type(one.name)[0]
        if one.is_file() and kind is not None:
            found[one.name] = Asset(one.name, one.read_bytes(), kind)
    return found


async def asset(request: Request) -> Response:
    """One of them; kept for ever by whoever asks for the version that it has."""
    found = request.app.state.site.assets.get(request.path_params["name"])
    if found is None:
        raise NotFound(f"a file {request.path_params['name']!r}")
    kept = _KEPT if request.query_params.get("v") == found.version else "no-cache"
    return Response(found.body, media_type=found.kind, headers={"Cache-Control": kept, "ETag": f'"{found.version}"'})
