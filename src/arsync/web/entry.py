"""Who comes: by a session that a log-in began, or by the word of a trusted proxy; and the counting of failed tries."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from arsync.bootstrap import App
from arsync.domain.roles import Person
from arsync.errors import ArsyncError, ConfigurationError, NotFound
from arsync.store import events, sessions, users
from arsync.web import passwords

_TOKEN: Final = re.compile(r"[\w-]{43}")
#: Tries to log in within a quarter of an hour: of one name from one address, of all from it, of one name from anywhere.
_WITHIN: Final = timedelta(minutes=15)
_MOST: Final = (5, 30, 100)


class TooOften(ArsyncError):
    """Too many tries to log in: come again in a quarter of an hour."""


@dataclass(frozen=True, slots=True)
class Came:
    """Who it is, None a stranger; `token` is what their browser keeps, `fresh` where it has yet to be told."""

    person: Person | None
    token: str
    fresh: bool


class Entry:
    """The door of one installation."""

    def __init__(self, app: App, *, encrypted: bool) -> None:
        self._app = app
        serve = app.settings.serve
        self._idle = timedelta(minutes=serve.idle_minutes)
        self._lasts = timedelta(hours=serve.session_hours)
        self._proxies = [ip_network(one, strict=False) for one in serve.trusted_proxies]
        self._header = serve.user_header
        if self._header is not None and not self._proxies:
            raise ConfigurationError(
                f"{app.settings.source}: serve.user_header: serve.trusted_proxies is missing: whose word it is"
            )
        self._encrypted = encrypted
        #: with this prefix a browser takes it from this very host alone, and by https
        self._cookie = "__Host-arsync" if encrypted else "arsync"

    @property
    def by_proxy(self) -> bool:
        """Whether a proxy says who comes, and nobody else."""
        return self._header is not None

    def who(self, request: Request) -> Came:
        """Who comes with this request."""
        kept = request.cookies.get(self._cookie, "")
        known = bool(_TOKEN.fullmatch(kept))
        token = kept if known else secrets.token_urlsafe(32)
        if self._header is not None:
            return Came(self._told_by_proxy(request, self._header), token, not known)
        return Came(self._of_session(token) if known else None, token, not known)

    def _told_by_proxy(self, request: Request, header: str) -> Person | None:
        named = request.headers.getlist(header)
        if len(named) != 1 or not self._is_proxy(_peer(request)):
            return None
        with self._app.store.reading() as work, suppress(NotFound):
            return users.by_name(work, named[0]).person
        return None

    def _of_session(self, token: str) -> Person | None:
        now = self._app.clock.now()
        with self._app.store.reading() as work:
            found = sessions.whose(work, token, now=now, idle=self._idle)
            user = users.by_key(work, found[0]) if found is not None else None
        if found is None or user is None:
            return None
        if found[1]:
            with suppress(ArsyncError), self._app.store.working(durable=False) as work:
                sessions.seen(work, token, now=now)
                work.commit()
        return user.person

    def log_in(self, request: Request, name: str, password: str) -> str | None:
        """The token of a new session; None where name or password is wrong, which takes as long whichever it is.
        TooOften where too many were wrong."""
        now, address, known = self._app.clock.now(), self.address(request), name.strip().casefold()
        scopes = [_scope("both", known, address), _scope("address", address), _scope("name", known)]
        with self._app.store.working() as work:
            counts = sessions.count_tries(work, scopes, now=now, within=_WITHIN)
            work.commit()
        if any(count > most for count, most in zip(counts, _MOST, strict=True)):
            raise TooOften
        user = None
        with self._app.store.reading() as work, suppress(NotFound):
            user = users.by_name(work, known)
        right = passwords.is_right(password, user.password if user is not None else None)
        with self._app.store.working() as work:
            if user is None or not right:
                whose = user.person.name if user is not None else None
                events.log(work, "login_refused", at=now, author="nobody", address=address, user=whose)
                work.commit()
                return None
            token = secrets.token_urlsafe(32)
            sessions.begin(work, token, user.key, now=now, lasts=self._lasts)
            sessions.forget_tries(work, scopes[0])
            sessions.forgive(work, scopes[1:])
            if user.password is not None and passwords.wants_rehash(user.password):
                users.rehash(work, user.key, passwords.hashed(password, known))
            events.log(work, "logged_in", at=now, author=user.person.name, address=address)
            work.commit()
        return token

    def log_out(self, token: str, person: Person | None) -> None:
        """Ends the session of that token."""
        with self._app.store.working() as work:
            sessions.end(work, token)
            if person is not None:
                events.log(work, "logged_out", at=self._app.clock.now(), author=person.name)
            work.commit()

    def keep(self, answer: Response, token: str) -> None:
        """Has the browser keep that token, until it is closed."""
        answer.set_cookie(self._cookie, token, secure=self._encrypted, httponly=True, samesite="lax", path="/")

    def address(self, request: Request) -> str:
        """From where it comes: the peer, or what a trusted proxy says of it."""
        peer = _peer(request)
        told = [one.strip() for line in request.headers.getlist("x-forwarded-for") for one in line.split(",")]
        while told and self._is_proxy(peer):
            peer = told.pop()
        return peer

    def _is_proxy(self, address: str) -> bool:
        try:
            known = ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in self._proxies)


def form_token(token: str) -> str:
    """What stands in the forms of whose browser keeps that token: nobody else can know it."""
    return hashlib.sha256(f"form:{token}".encode()).hexdigest()


def is_own_form(request: Request, token: str, given: str) -> bool:
    """Whether a form was sent from a page of ours that this browser was shown."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    return hmac.compare_digest(form_token(token).encode(), given.encode())


def _peer(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _scope(kind: str, *parts: str) -> str:
    return f"{kind}:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()}"
