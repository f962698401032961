"""Consent of a vendor, by way of the browser: what goes along, and what comes back from it is told from a stranger's.

Nothing of it is kept: what goes along is signed with what only this browser keeps, and is good for a quarter of an
hour.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from arsync.bootstrap import App
from arsync.connector import Consent, TokenPair
from arsync.connector.oauth import challenge
from arsync.errors import ConfigurationError, Rejected, UsageError
from arsync.store.vault import dump_pair, load_pair
from arsync.web.site import Site

#: Where a vendor sends the browser back to.
ANSWER: Final = "/link/answer"
_LASTS: Final = timedelta(minutes=15)
_STRANGE: Final = "that is no answer to a question of this browser's last quarter of an hour: begin again"


def leads_here(consent: Consent, site: Site) -> bool:
    """Whether the vendor's page sends the browser back to this desk."""
    there = urlsplit(consent.redirect_uri)
    return there.path == ANSWER and (there.hostname or "") in site.hosts


def address(consent: Consent, provider: str, *, kept: str, now: datetime) -> str:
    """The vendor's page; `kept` is what only this browser has."""
    nonce = secrets.token_urlsafe(16)
    told = f"{provider}.{nonce}.{int(now.timestamp())}"
    proof = challenge(_verifier(kept, nonce)) if consent.proves else None
    return consent.address(state=f"{told}.{_sign(kept, told)}", challenge=proof)


@dataclass(frozen=True, slots=True)
class Came:
    """What came back from a vendor's page."""

    provider: str
    code: str
    verifier: str
    others: Mapping[str, str]


def came(query: Mapping[str, str], *, kept: str, now: datetime) -> Came:
    """What the vendor's page sent back to this browser. UsageError where it is no answer to a question of it; Rejected
    where the person or the vendor said no."""
    told, _, signature = query.get("state", "").rpartition(".")
    provider, nonce, began = [*told.split("."), "", "", ""][:3]
    if not hmac.compare_digest(signature.encode(), _sign(kept, told).encode()):
        raise UsageError(_STRANGE)
    if not timedelta() <= now - datetime.fromtimestamp(int(began), now.tzinfo) <= _LASTS:
        raise UsageError(_STRANGE)
    if "error" in query:
        said = query["error"]
        known = said if said.replace("_", "").isalnum() and len(said) <= 40 else "an error"
        denied = "access was denied there" if said == "access_denied" else f"it answered {known}"
        raise Rejected(f"the vendor's page did not consent ({denied}): nothing was linked")
    code = query.get("code", "")
    if not code:
        raise UsageError("the vendor's page sent no code: begin again")
    others = {name: value for name, value in query.items() if name not in ("state", "code")}
    return Came(provider, code, _verifier(kept, nonce), others)


def _sign(kept: str, told: str) -> str:
    return hmac.new(kept.encode(), f"consent:{told}".encode(), hashlib.sha256).hexdigest()


def _verifier(kept: str, nonce: str) -> str:
    return hmac.new(kept.encode(), f"verifier:{nonce}".encode(), hashlib.sha256).hexdigest()


# --- between the answer and the choice of companies -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """Tokens that wait for a person to say for which companies they are."""

    provider: str
    pair: TokenPair
    others: Mapping[str, str]


def seal(app: App, held: Held, *, kept: str, now: datetime) -> str:
    """What a form carries meanwhile: sealed with the installation's key, and of use to this browser alone."""
    told = {
        "provider": held.provider, "pair": dump_pair(held.pair), "others": dict(held.others),
        "until": (now + _LASTS).isoformat(), "for": _sign(kept, "held"),
    }  # fmt: skip
    return app.vault.seal(json.dumps(told))


def unseal(app: App, text: str, *, kept: str, now: datetime) -> Held:
    """The same again; UsageError where it is not this browser's, or too old."""
    try:
        told = json.loads(app.vault.open(text))
    except (ConfigurationError, ValueError):
        raise UsageError(_STRANGE) from None
    mine = isinstance(told, dict) and hmac.compare_digest(str(told.get("for")).encode(), _sign(kept, "held").encode())
    if not mine or datetime.fromisoformat(told["until"]) < now:
        raise UsageError(_STRANGE)
    return Held(told["provider"], load_pair(told["pair"]), told["others"])
