"""What somebody wrote, without what the mail quotes and without the signature."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

from arsync.inbox.classify import weighed

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

_PARAGRAPH: Final = re.compile(r"\n[ \t]*(?:\n|(?=\W*(?:p\.? ?p?\.? ?s|n\.? ?b)\b[.:]?[ \t]))", re.I)
_POSTSCRIPT: Final = re.compile(r"\W*(p\.? ?p?\.? ?s|n\.? ?b|nachtrag|post-?scriptum)\b[.:]?\s", re.I)
_BOILERPLATE: Final = re.compile(
    r"confidential|privileged|intended recipient|vertraulich|adressat|confidentiel|destinataire pr[ée]vu|unsubscribe",
    re.I,
)
#: The parser takes every line that begins so for a telephone's.
_SENT: Final = re.compile(r"(sent|gesendet|envoy)", re.I)
_SAYS_SO: Final = 2.0


def new_text(text: str) -> str:
    """The answer alone; where the answer stands below or between what is quoted, all that is not quoted. Empty where
    nothing was written."""
    bounded = _bounded(text)
    replies = _parser().read(bounded).replies
    first = _unquoted(str(replies[0].body)) if replies else ""
    if not first:
        first = _unquoted(str(replies[0].full_body)) if replies else ""  # nothing but a signature
    return first or _unquoted(_below(bounded))


def _bounded(text: str) -> str:
    # Many blank lines in a row cost the parser's rules seconds.
    return _BLANK.sub("\n\n", "\n".join(line[:_LINE] for line in text[:_LONGEST].split("\n")))


def left_out(text: str) -> str:
    """What `new_text` leaves out and a person should read all the same: a postscript, what is said below the closing,
    and answers between the lines quoted. It may be a signature's words as well: they tell no meaning."""
    replies = _parser().read(_bounded(text)).replies
    if not replies:
        return ""
    kept = new_text(text)
    signed = [part.strip() for part in _PARAGRAPH.split(str(replies[0].signatures or ""))]
    below = [part for part in signed if _POSTSCRIPT.match(part) or _says_something(part)]
    between = [_between(str(one.body)) for one in replies[1:]]
    return "\n\n".join(part for part in (*below, *between) if part and part not in kept)


def _says_something(paragraph: str) -> bool:
    if _BOILERPLATE.search(paragraph) or _FOOTER.search(f"\n{paragraph}"):
        return False
    return bool(_SENT.match(paragraph)) or any(weight >= _SAYS_SO for weight in weighed(paragraph).values())


def _between(body: str) -> str:
    """The lines that are not quoted, of a mail that is quoted with `>`."""
    lines = [line.strip() for line in _below(body).split("\n")]
    quoting = any(line.startswith(">") for line in lines)
    return "\n".join(line for line in lines if line and not line.startswith(">")) if quoting else ""


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
