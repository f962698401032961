"""The file channel: one .eml per message, which any mail program opens."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar, Final

from arsync import session
from arsync.channel.contract import Envelope, Evidence, Receipt
from arsync.channel.mail import identity
from arsync.channel.mime import compose
from arsync.errors import OutcomeUnknown, Rejected, RetryLater

_NO_HARD_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}


class FileChannel:
    """Writes `<message id>.eml` into a folder: whole or not at all, and never a second time, also where somebody has
    meanwhile taken the file away."""

    name: ClassVar[str] = "file"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def place(self) -> str:
        """The folder with its memory: another disk under the same name knows nothing of our messages."""
        try:
            memory = self._memory.read_text(encoding="ascii").strip()
        except OSError:
            memory = "without memory"
        return f"file {self._directory.absolute()} {memory}"

    def finish(self) -> list[str]:
        """Nothing is held open."""
        return []

    def prepare(self) -> None:
        """Makes the folder and its memory, where they are missing."""
        try:
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            if not self._memory.exists():
                with _draft(self._memory, secrets.token_hex(8).encode("ascii")) as draft, suppress(FileExistsError):
                    os.link(draft, self._memory)
                _flush_directory(self._memory.parent)
        except OSError as error:
            raise RetryLater(f"cannot write into {self._directory}: {error.strerror}") from error

    def draw_up(self, envelope: Envelope) -> None:
        """Nothing: no answer is awaited in which there were time for it."""

    def send(self, envelope: Envelope) -> Receipt:
        """The path as receipt, also where an earlier try had already written it."""
        letter = compose(envelope).as_bytes()
        final = self._path(envelope.message_id)
        if not _is_there(final):
            with _draft(final, letter) as draft:
                # The file's name is the first byte that anybody sees.
                session.first_byte()
                with self._only_once(envelope.message_id, final):
                    _publish(draft, final)
        try:
            _flush_directory(self._directory)
        except OSError as error:
            raise OutcomeUnknown(f"{final.name} may not survive a power cut: {error.strerror}") from error
        return Receipt(str(final))

    def look_up(self, message_id: str) -> tuple[Evidence, str | None]:
        """Sent where the file is there. Not sent where it was never begun in this `place`: who still means to write it
        begins once, or finds it begun. Begun and not there, it may have been taken away, and nothing can be told."""
        final = self._path(message_id)
        try:
            if _is_there(final):
                return Evidence.SENT, str(final)
            return (Evidence.NOTHING if _is_there(self._mark(message_id)) else Evidence.NOT_SENT), None
        except RetryLater:
            return Evidence.NOTHING, None

    @contextmanager
    def _only_once(self, message_id: str, final: Path) -> Iterator[None]:
        """Marks the message as begun, for good unless the block says that nothing was written."""
        mark = self._mark(message_id)
        try:
            mark.parent.mkdir(exist_ok=True)
            mark.touch(exist_ok=False)
        except FileExistsError:
            if _is_there(final):
                yield  # another try was faster: its file is this message
                return
            raise OutcomeUnknown(f"{final.name} was begun before, and may have been taken away") from None
        except OSError as error:
            raise RetryLater(f"cannot write into {mark.parent}: {error.strerror}") from error
        try:
            try:
                _flush_directory(mark.parent)
            except OSError as error:
                raise RetryLater(f"cannot write into {mark.parent}: {error.strerror}") from error
            yield
        except (Rejected, RetryLater):
            with suppress(OSError):
                mark.unlink()
            raise

    @property
    def _memory(self) -> Path:
        return self._directory / ".begun" / "memory"

    def _mark(self, message_id: str) -> Path:
        return self._directory / ".begun" / identity(message_id)

    def _path(self, message_id: str) -> Path:
        return self._directory / f"{identity(message_id)}.eml"


def _is_there(final: Path) -> bool:
    try:
        return final.exists()
    except OSError as error:
        raise RetryLater(f"cannot read {final.parent}: {error.strerror}") from error


@contextmanager
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
        with suppress(OSError):
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
