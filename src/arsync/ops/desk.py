"""The desk in the browser: that people can come to it, that nobody else can, and that its address can be had."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Final
from urllib.parse import urlsplit

import requests

from arsync.domain.roles import Role
from arsync.ops.finding import Finding, fail, ok, warn
from arsync.settings import Settings, connector_points
from arsync.settings.model import Serve
from arsync.store import users
from arsync.store.engine import Work

#: Networks that have more addresses than this are no proxy's.
_WIDE: Final = 2**24
_HOME: Final = ("127.0.0.1", "localhost", "::1")
_PATIENCE: Final = 2.0
_PROXY: Final = "name the address of your proxy, and nothing wider"

#: Whether a desk of ours answers at that host and port.
Answers = Callable[[str, int], bool]


def answers(host: str, port: int) -> bool:
    """Whether one answers there right now."""
    try:
        asked = requests.get(f"http://{f'[{host}]' if ':' in host else host}:{port}/healthz", timeout=_PATIENCE)
    except requests.RequestException:
        return False
    return asked.status_code == 200 and asked.text == "ok\n"


def examine_desk(settings: Settings, work: Work, ask: Answers = answers) -> Iterator[Finding]:
    """Nothing where nobody was let in and no address is set: then there is no desk."""
    serve, people = settings.serve, users.everyone(work)
    if not people and serve.public_url is None and serve.user_header is None:
        return
    rulers = [one.person.name for one in people if one.person.role is Role.ADMIN and one.person.companies is None]
    if not people:
        yield warn("desk", "nobody may come to it", "arsync user add NAME --role admin --everywhere")
    elif not rulers:
        yield warn(
            "desk", "nobody is an admin who sees every company: none can be linked there, nor the whole log be read",
            "arsync user add NAME --role admin --everywhere",
        )  # fmt: skip
    else:
        many = "1 person may" if len(people) == 1 else f"{len(people)} people may"
        yield ok("desk", f"{many} come to it, {len(rulers)} of them as admin of everything")
    yield from _proxies(serve)
    yield from _reached(settings)
    yield from _listens(serve, ask)


def _proxies(serve: Serve) -> Iterator[Finding]:
    wide = [one for one in serve.trusted_proxies if ip_network(one, strict=False).num_addresses >= _WIDE]
    if wide and serve.user_header:
        said = f"serve.trusted_proxies has {wide[0]}: whoever sends {serve.user_header} from there comes as anybody"
        yield fail("desk", said, _PROXY)
    elif wide:
        said = (
            f"serve.trusted_proxies has {wide[0]}: from there anybody says where they come from, and guesses passwords"
        )
        yield fail("desk", f"{said} without a limit", _PROXY)
    if serve.user_header and not serve.trusted_proxies:
        yield fail("desk", "serve.user_header is set, and no proxy is trusted: nobody can come", _PROXY)


def _reached(settings: Settings) -> Iterator[Finding]:
    serve = settings.serve
    here = urlsplit(serve.public_url or f"http://{serve.host}:{serve.port}")
    if here.scheme == "http" and here.hostname not in _HOME:
        yield warn(
            "desk",
            f"people reach it at {here.geturl()}, without encryption: passwords and sessions can be read on the way",
            "put a proxy before it that encrypts, and say serve.public_url with https",
        )  # fmt: skip
    for vendor in sorted(connector_points()):
        redirect = str(settings.connector_section(vendor).get("redirect_uri", ""))
        there = urlsplit(redirect)
        if there.path != "/link/answer":
            continue
        if (there.scheme, there.hostname, there.port) != (here.scheme, here.hostname, here.port):
            yield fail(
                "desk",
                f"{vendor}.redirect_uri is {redirect}, and people reach the desk at {here.geturl()}: the vendor's page "
                "would send them to where they are not logged in",
                "say the same scheme, name and port in both, and in your app at the vendor",
            )  # fmt: skip


def _listens(serve: Serve, ask: Answers) -> Iterator[Finding]:
    if serve.port == 0:
        return
    family = socket.AF_INET6 if ":" in serve.host else socket.AF_INET
    place = f"{serve.host}:{serve.port}"
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((serve.host, serve.port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                yield fail(
                    "desk", f"nothing can listen at {place}: {error.strerror}", "say another serve.host or serve.port"
                )
            elif ask(serve.host, serve.port):
                yield ok("desk", f"it answers at {place}")
            else:
                yield fail("desk", f"something else listens at {place}", "stop that, or say another serve.port")
        else:
            yield ok("desk", f"it is not running; {place} is free")
