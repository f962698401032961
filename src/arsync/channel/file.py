"""The file channel: one .eml per message, which any mail program opens."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import ClassVar, Final

from arsync import session
from arsync.channel.contract import Envelope, Evidence, Receipt
from arsync.channel.mail import addressed, identity
from arsync.errors import OutcomeUnknown, Rejected, RetryLater

_NO_HARD_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}


class FileChannel:
    """Writes `<message id>.eml` into a folder: whole or not at all, and never a second time."""

    name: ClassVar[str] = "file"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def send(self, envelope: Envelope) -> Receipt:
        """The path as receipt, also where an earlier try had already written it."""
        letter = compose(envelope).as_bytes()
        final = self._path(envelope.message_id)
        if not _is_there(final):
            with _draft(final, letter) as draft:
                # The file's name is the first byte that anybody sees.
                session.first_byte()
                _publish(draft, final)
        try:
            _flush_directory(self._directory)
        except OSError as error:
            raise OutcomeUnknown(f"{final.name} may not survive a power cut: {error.strerror}") from error
        return Receipt(str(final))

    def look_up(self, message_id: str) -> tuple[Evidence, str | None]:
        """Not there is not sent: who still means to write the file takes its name once, or finds it taken."""
        final = self._path(message_id)
        try:
            return (Evidence.SENT, str(final)) if _is_there(final) else (Evidence.NOT_SENT, None)
        except RetryLater:
            return Evidence.NOTHING, None

    def _path(self, message_id: str) -> Path:
        return self._directory / f"{identity(message_id)}.eml"


def compose(envelope: Envelope) -> EmailMessage:
    """The envelope as an RFC 5322 message: text and HTML as alternatives; Rejected where a header would be forged."""
    parts = addressed(envelope)
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = parts.sender
    message["Reply-To"] = parts.reply_to
    message["To"] = parts.to
    if parts.cc:
        message["Cc"] = parts.cc
    if parts.bcc:
        message["Bcc"] = parts.bcc
    message["Subject"] = envelope.subject
    message["Date"] = envelope.at
    for header, value in parts.headers.items():
        message[header] = value
    for tag, value in sorted(envelope.tags.items()):
        message["X-Arsync-Tag"] = " ".join(f"{tag}={value}".split())
    message.set_content(envelope.text, cte="quoted-printable")
    message.add_alternative(envelope.html, subtype="html", cte="quoted-printable")
    return message


def _is_there(final: Path) -> bool:
    try:
        return final.exists()
    except OSError as error:
        raise RetryLater(f"cannot read {final.parent}: {error.strerror}") from error


@contextlib.contextmanager
def _draft(final: Path, content: bytes) -> Iterator[Path]:
    """The content on disk under another name, for as long as the block lasts."""
    path = final.with_name(f".{final.stem}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RetryLater(f"cannot write into {path.parent}: {error.strerror}") from error
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _publish(draft: Path, final: Path) -> None:
    try:
        os.link(draft, final)
    except FileExistsError:
        pass  # another try was faster: its file is this message
    except OSError as error:
        if error.errno in _NO_HARD_LINKS:
            raise Rejected(f"the file system of {final.parent} has no hard links") from error
        raise RetryLater(f"cannot write into {final.parent}: {error.strerror}") from error


def _flush_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
