"""Files that go with a message: how much a mailbox takes, and names that are only ever names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from arsync.channel.contract import Attachment
from arsync.errors import Rejected

MEGABYTE: Final = 1_000_000
#: What is attached to one message by default, in bytes; encoded for the way it grows by a third.
USUAL_BYTES: Final = 10 * MEGABYTE
#: No channel takes more: SendGrid refuses 30 MB after encoding, many mail servers 25.
MOST_BYTES: Final = 18 * MEGABYTE
_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,100}")
_HARMFUL: Final = re.compile(r"""[\\/:*?"<>|;]+""")
_NAME_LENGTH: Final = 100


def fitting(
    attachments: Iterable[Attachment], most_bytes: int = USUAL_BYTES
) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
    """Those that fit together, the first first, and one line for each that does not: the message goes without it, and
    whoever sends it says so."""
    kept: list[Attachment] = []
    refused: list[str] = []
    room = most_bytes
    for file in attachments:
        if len(file.content) <= room:
            room -= len(file.content)
            kept.append(file)
        else:
            limit = f"at most {_megabytes(most_bytes)} go with one message"
            refused.append(f"{file_name(file)} ({_megabytes(len(file.content))}) is too large: {limit}")
    return tuple(kept), tuple(refused)


def checked(attachments: Sequence[Attachment]) -> Sequence[Attachment]:
    """The same; Rejected where together they are more than any channel takes, or one is of no kind."""
    together = sum(len(file.content) for file in attachments)
    if together > MOST_BYTES:
        names = ", ".join(map(file_name, attachments[:3]))
        raise Rejected(f"the attachments ({names}) are {_megabytes(together)}: at most {_megabytes(MOST_BYTES)}")
    for file in attachments:
        if not _MEDIA_TYPE.fullmatch(file.media_type):
            raise Rejected(f"{file_name(file)} has no media type")
    return attachments


def file_name(attachment: Attachment) -> str:
    """Its name as every system can keep it: no folders, no line breaks, no marks that a shell reads."""
    visible = "".join(
        " " if unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else letter for letter in attachment.name
    )
    stem, dot, ending = " ".join(_HARMFUL.sub("-", visible).split()).strip(". -").rpartition(".")
    name = f"{stem[: _NAME_LENGTH - 1 - len(ending)]}.{ending}" if dot and len(ending) <= 10 else f"{stem}{dot}{ending}"
    return name[:_NAME_LENGTH] or "attachment"


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:.1f} MB"
