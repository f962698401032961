"""A copy of what was sent in the mailbox's own Sent folder, by IMAP: there once, however often it is laid in."""

from __future__ import annotations

import contextlib
import imaplib
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from arsync.errors import RetryLater

_TIMEOUT: Final = 30.0


@dataclass(frozen=True, slots=True)
class SentFolder:
    """The folder `name` of a mailbox; where `name` is empty, the one that the server marks as \\Sent."""

    host: str
    port: int
    user: str
    password: str
    name: str = ""
    encrypted: bool = True  # without it to this machine only
    context: ssl.SSLContext | None = None

    def keep(self, copies: Sequence[tuple[str, bytes]], at: datetime) -> list[str]:
        """Lays in each message (its Message-ID, its content) that the folder does not have yet; a sentence where that
        failed."""
        kept = 0
        try:
            with self._opened() as (mailbox, folder):
                for message_id, content in copies:
                    if not _numbers(mailbox, "Message-ID", message_id):
                        status, said = mailbox.append(folder, r"(\Seen)", imaplib.Time2Internaldate(at), content)
                        if status != "OK":
                            raise imaplib.IMAP4.error(_words(said))
                    kept += 1
        except (imaplib.IMAP4.error, OSError, UnicodeError) as error:
            lost = len(copies) - kept
            return [f"no copy of {lost} sent message{'s'[: lost > 1]} in the Sent folder: {_reason(error)}"]
        return []

    def find(self, key: str) -> str | None:
        """The Message-ID of the message with that id of ours, where the folder has it; RetryLater where it cannot be
        looked into."""
        try:
            with self._opened() as (mailbox, _folder):
                return f"<{key}>" if _numbers(mailbox, "X-Arsync-Message", key) else None
        except (imaplib.IMAP4.error, OSError, UnicodeError) as error:
            raise RetryLater(f"the Sent folder cannot be read: {_reason(error)}") from error

    @contextmanager
    def _opened(self) -> Iterator[tuple[imaplib.IMAP4, str]]:
        context = self.context or ssl.create_default_context()
        mailbox: imaplib.IMAP4 = (
            imaplib.IMAP4_SSL(self.host, self.port, ssl_context=context, timeout=_TIMEOUT)
            if self.encrypted
            else imaplib.IMAP4(self.host, self.port, timeout=_TIMEOUT)
        )
        try:
            mailbox.login(self.user, self.password)
            folder = _quoted(self.name) if self.name else _marked_as_sent(mailbox)
            status, said = mailbox.select(folder, readonly=True)
            if status != "OK":
                raise imaplib.IMAP4.error(f"there is no folder {folder}: {_words(said)}")
            yield mailbox, folder
        finally:
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                mailbox.logout()


def _numbers(mailbox: imaplib.IMAP4, header: str, value: str) -> list[bytes]:
    status, found = mailbox.search(None, "HEADER", header, _quoted(value))
    if status != "OK":
        raise imaplib.IMAP4.error(_words(found))
    return [number for line in found if line for number in line.split()]


def _marked_as_sent(mailbox: imaplib.IMAP4) -> str:
    """The folder with the flag of RFC 6154, else the plain one."""
    status, folders = mailbox.list()
    for folder in folders if status == "OK" else ():
        line = folder.decode("ascii", "replace") if isinstance(folder, bytes) else ""
        found = re.fullmatch(r"""\((?P<flags>[^)]*)\) (?:"[^"]*"|NIL) (?P<name>.+)""", line)
        if found and r"\sent" in found["flags"].lower().split():
            return found["name"]
    return "Sent"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _words(said: object) -> str:
    first = said[0] if isinstance(said, list) and said else said
    text = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
    return " ".join(text.split())[:200]


def _reason(error: Exception) -> str:
    # A refused sign-in may repeat what was said. A password that is not ASCII is none to IMAP.
    return type(error).__name__ if isinstance(error, OSError | UnicodeError) else _words(str(error))
