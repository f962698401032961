"""A mailbox by IMAP: read, never changed. Its mails are found by their numbers, which only grow; where the server
begins them anew (UIDVALIDITY), all are looked at again, and those that are known are not taken twice."""

from __future__ import annotations

import imaplib
import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Protocol

from arsync.errors import Barred, ConfigurationError, RetryLater
from arsync.inbox.mail import READ

_TIMEOUT: Final = 30.0
_WHOLE: Final = f"BODY.PEEK[]<0.{READ}>"
_HEADERS: Final = f"BODY.PEEK[HEADER]<0.{READ}>"


@dataclass(frozen=True, slots=True)
class Fetched:
    """The beginning of a mail, its number and how long it is."""

    uid: int
    raw: bytes
    size: int
    headers_only: bool = False  # the server did not hand over the rest, though it was asked again


class Mailbox(Protocol):
    """A folder of mails."""

    @property
    def name(self) -> str:
        """What its place is kept under."""
        ...

    def opened(self) -> Any:
        """A context in which it can be read: an `Opened`. RetryLater or Barred where it cannot be."""
        ...


class Opened(Protocol):
    """A folder that is being read."""

    uid_validity: int

    def after(self, uid: int, *, since: date) -> list[int]:
        """The numbers of the mails after that one that came on that day or later, in order."""
        ...

    def fetch(self, uids: list[int]) -> Iterator[Fetched]:
        """These mails, in order; those that are gone are left out."""
        ...


class ImapMailbox:
    """A folder on a server, by TLS; without it only on this machine."""

    def __init__(self, host: str, port: int, user: str, password: str, *, folder: str, tls: str) -> None:
        if tls == "off" and not _is_here(host):
            raise ConfigurationError(f"[inbox.imap] tls: off goes with a server on this machine, not with {host}")
        self._host, self._port, self._user, self._password = host, port, user, password
        self._folder, self._tls = folder, tls

    @property
    def name(self) -> str:
        """Whose, where and which."""
        return f"{self._user}@{self._host}:{self._port}/{self._folder}"[:255]

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        """Logged in, the folder read-only."""
        from imapclient import IMAPClient  # noqa: PLC0415 - most commands read no mailbox
        from imapclient.exceptions import IMAPClientError, LoginError  # noqa: PLC0415 - as above

        client = None
        try:
            client = IMAPClient(self._host, self._port, ssl=self._tls == "tls", timeout=_TIMEOUT)
            if self._tls == "starttls":
                client.starttls(ssl.create_default_context())
            client.login(self._user, self._password)
            folder = client.select_folder(self._folder, readonly=True)
            yield _Folder(client, int(folder[b"UIDVALIDITY"]))
        except LoginError:
            raise Barred(f"the mail server {self._host} does not take the user or the password") from None
        except ssl.SSLError as error:
            raise Barred(f"the mail server {self._host} has no certificate to trust ({error.reason})") from None
        except (IMAPClientError, imaplib.IMAP4.error) as error:
            raise RetryLater(f"the mail server {self._host} said: {_safe(error)}") from None
        except OSError as error:
            raise RetryLater(f"the mail server {self._host} cannot be reached ({type(error).__name__})") from None
        finally:
            if client is not None:
                with suppress(Exception):
                    client.logout()


class _Folder:
    def __init__(self, client: Any, uid_validity: int) -> None:
        self._client = client
        self.uid_validity = uid_validity

    def after(self, uid: int, *, since: date) -> list[int]:
        found = self._client.search(["UID", f"{uid + 1}:*", "SINCE", since])
        return sorted(number for number in found if number > uid)  # `n:*` always names the last one

    def fetch(self, uids: list[int]) -> Iterator[Fetched]:
        for uid in uids:  # one by one: of many large ones only one is held
            for part in (_WHOLE, _WHOLE, _HEADERS):  # a server's store may be busy: NIL once is no answer
                answer = self._client.fetch([uid], ["RFC822.SIZE", part]).get(uid)
                if answer is None:
                    break  # it is gone
                raw = next((value for key, value in answer.items() if key.startswith(b"BODY[")), None)
                if isinstance(raw, bytes) or part is _HEADERS:
                    raw = raw if isinstance(raw, bytes) else b""
                    yield Fetched(uid, raw, int(answer.get(b"RFC822.SIZE", len(raw))), part is _HEADERS)
                    break


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _safe(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
