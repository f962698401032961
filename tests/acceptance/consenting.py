"""A person at the vendor's consent page, in a browser of a few lines; and an installation whose page sends it back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import requests
from tests.acceptance.installation import Installation


def free_address() -> str:
    """A redirect address on a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://localhost:{probe.getsockname()[1]}/callback"


def decide(address: str, companies: Sequence[str] = (), *, allow: bool = True) -> str:
    """Opens the page, picks the companies, and allows or denies: the address that the browser is sent to."""
    shown = requests.get(address, timeout=10)
    assert shown.status_code == 200, shown.text
    assert all(company in shown.text for company in companies)
    form = {"company": list(companies), "decision": "allow" if allow else "deny"}
    sent = requests.post(address, data=form, timeout=10, allow_redirects=False)
    assert sent.status_code == 302, sent.text
    return sent.headers["Location"]


@dataclass
class Person:
    """Stands where the browser stands; `pages` are what it was shown at the end, `addresses` where it was sent."""

    companies: Sequence[str] = ()
    allow: bool = True
    before: Callable[[str, str], None] = lambda asked, back: None
    addresses: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    backs: list[str] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def open(self, address: str) -> bool:
        self.addresses.append(address)
        thread = threading.Thread(target=self._consent, args=(address,))
        self._threads.append(thread)
        thread.start()
        return True

    def _consent(self, address: str) -> None:
        back = decide(address, self.companies, allow=self.allow)
        self.backs.append(back)
        self.before(address, back)
        self.pages.append(requests.get(back, timeout=10).text)

    def leave(self) -> None:
        for thread in self._threads:
            thread.join()


@contextmanager
def consenting(
    monkeypatch: pytest.MonkeyPatch, companies: Sequence[str] = (), *, allow: bool = True
) -> Iterator[Person]:
    """The person who answers whatever page is opened in the block."""
    person = Person(companies, allow)
    with monkeypatch.context() as patch:
        patch.setattr("webbrowser.open", person.open)
        yield person
        person.leave()


def with_redirect(installation: Installation, provider: str = "xero") -> str:
    """Registers a free redirect address with the vendor and writes it into the configuration."""
    address = free_address()
    installation.sandbox.register_redirect(address)
    text = installation.config.read_text()
    installation.config.write_text(text.replace(f"[{provider}]\n", f'[{provider}]\nredirect_uri = "{address}"\n'))
    return address
