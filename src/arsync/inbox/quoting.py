"""What somebody wrote, without what the mail quotes and without the signature."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

#: A promise stands at the beginning; the parser's rules grow slow on what is longer.
_LONGEST: Final = 6_000
_LINE: Final = 600
_LANGUAGES: Final = ("en", "de", "fr", "es", "it", "nl")
_BLANK: Final = re.compile(r"\n(?:[ >]*\n){2,}")
#: What the parser leaves: a signature behind its dashes, a line that the phone adds.
_SIGNATURE: Final = re.compile(r"(?m)^-- ?$")

#: The line that a telephone or a mail program puts below what was written on it.
_DEVICE: Final = (
    r"(i(phone|pad)|galaxy|samsung|huawei|pixel|android|blackberry|handy|smartphone|t[ée]l[ée]phone|portable|outlook"
    r"|yahoo)"
)
_FOOTER: Final = re.compile(
    rf"\n\s*(sent (from|via|using) (my |a )?[^\n]{{0,12}}{_DEVICE}|get outlook for|t[ée]l[ée]charge[rz] outlook"
    rf"|von (meinem [^\n]{{0,20}}{_DEVICE}|unterwegs) gesendet|gesendet (von|mit) (meinem |der )?[^\n]{{0,12}}{_DEVICE}"
    rf"|envoy[ée] (de|depuis) (mon |ma )?[^\n]{{0,12}}{_DEVICE})[^\n\d]{{0,20}}\Z",
    re.I,
)


def new_text(text: str) -> str:
    """The answer alone; where the answer stands below or between what is quoted, all that is not quoted. Empty where
    nothing was written."""
    # Many blank lines in a row cost the parser's rules seconds.
    bounded = _BLANK.sub("\n\n", "\n".join(line[:_LINE] for line in text[:_LONGEST].split("\n")))
    replies = _parser().read(bounded).replies
    first = _unquoted(str(replies[0].body)) if replies else ""
    if not first:
        first = _unquoted(str(replies[0].full_body)) if replies else ""  # nothing but a signature
    return first or _unquoted(_below(bounded))


@cache
def _parser() -> Any:
    from mailparser_reply import EmailReplyParser  # noqa: PLC0415 - most commands read no mail

    return EmailReplyParser(languages=list(_LANGUAGES))


def _below(text: str) -> str:
    """Without the line that introduces what is quoted: "On Monday Anna wrote:" right before it."""
    lines = text.split("\n")
    kept = [
        line for number, line in enumerate(lines)
        if not (line.rstrip().endswith(":") and any(after.startswith(">") for after in lines[number + 1 : number + 3]))
    ]  # fmt: skip
    return "\n".join(kept)


def _unquoted(text: str) -> str:
    lines = [line.strip() for line in _SIGNATURE.split(text)[0].split("\n") if not line.lstrip().startswith(">")]
    return _FOOTER.sub("", re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip())
