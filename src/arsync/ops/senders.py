"""Whether mail in the senders' names is believed: what their domains say in the DNS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email.utils import parseaddr
from typing import Final

import dns.exception
import dns.resolver

from arsync.errors import RetryLater
from arsync.ops.finding import Finding, fail, ok, warn
from arsync.settings import Settings, is_here, is_loopback

#: The texts at a name; None where there is no such name. RetryLater where nobody answers.
Texts = Callable[[str], list[str] | None]
#: seconds for one question
_PATIENCE: Final = 3.0
#: Under these names SendGrid signs, unless others were chosen there.
_SENDGRID: Final = ("s1._domainkey", "s2._domainkey")


def texts(name: str) -> list[str] | None:
    """The TXT records at a name, asked of this machine's resolver."""
    try:
        answer = dns.resolver.resolve(name, "TXT", lifetime=_PATIENCE, search=False)
    except dns.resolver.NXDOMAIN:
        return None
    except dns.resolver.NoAnswer:
        return []
    except (dns.exception.DNSException, OSError) as error:
        raise RetryLater(f"no resolver answers ({type(error).__name__})") from None
    return [b"".join(one.strings).decode("utf-8", "replace") for one in answer]


def examine_senders(settings: Settings, ask: Texts) -> Iterator[Finding]:
    """SPF, DKIM and DMARC of each domain that mail goes out under; nothing where none leaves the machine."""
    if not _mails(settings):
        return
    for domain in _domains(settings):
        try:
            yield from _examine(domain, ask, by_sendgrid=settings.delivery.channel == "sendgrid")
        except RetryLater as error:
            yield warn("sender", f"{domain} was not looked at: {error.detail}", "look again where a resolver answers")
            return  # it answers for no other either


def _mails(settings: Settings) -> bool:
    match settings.delivery.channel:
        case "sendgrid":
            return not is_loopback(settings.sendgrid.host)
        case "smtp":
            return settings.smtp.host is not None and not is_here(settings.smtp.host)
        case _:
            return False


def _domains(settings: Settings) -> list[str]:
    own = [one.delivery.sender for one in (*settings.groups.values(), *settings.connections.values())]
    mailboxes = [mailbox for mailbox in (settings.delivery.sender, *own) if mailbox]
    return list(dict.fromkeys(parseaddr(one)[1].rpartition("@")[2].lower() for one in mailboxes))


def _examine(domain: str, ask: Texts, *, by_sendgrid: bool) -> Iterator[Finding]:
    found, own = [], ask(domain)
    if own is None:
        yield _missing(domain, ask)
        return
    spf = [one for one in own if one.lower().split(" ")[0] == "v=spf1"]
    if len(spf) > 1:
        yield fail("sender", f"{domain} has {len(spf)} SPF records: none of them counts", "put them into one")
    elif spf:
        found.append("SPF")
    elif not by_sendgrid:  # SendGrid's bounces come back to a name of its own, which has one
        yield warn("sender", f"{domain} has no SPF record: mail from it may be refused", "publish your provider's")
    if by_sendgrid:
        if any(ask(f"{name}.{domain}") for name in _SENDGRID):
            found.append("DKIM")
        else:
            names = " and ".join(_SENDGRID)
            yield warn(
                "sender", f"{domain} has no DKIM key of SendGrid's under {names}: mail from it may be refused",
                "authenticate the domain at SendGrid (nothing to do where you chose other names there)",
            )  # fmt: skip
    if any(one.lower().startswith("v=dmarc1") for name in _above(domain) for one in ask(f"_dmarc.{name}") or ()):
        found.append("DMARC")
    else:
        said = f"{domain} has no DMARC record: large mail providers ask for one"
        yield warn("sender", said, f"publish _dmarc.{domain}, 'v=DMARC1; p=none' to begin with")
    if found:
        yield ok("sender", f"{domain}: {', '.join(found)}")


def _missing(domain: str, ask: Texts) -> Finding:
    top = domain.rpartition(".")[2]
    if ask(top) is None:
        raise RetryLater(f"the resolver knows no .{top}, so it sees but a network of its own")
    return fail("sender", f"there is no domain {domain}: mail from it is refused", "correct `delivery.from`")


def _above(domain: str) -> Iterator[str]:
    """The domain, and those above it down to two names: a policy holds below its own domain, too."""
    names = domain.split(".")
    yield from (".".join(names[start:]) for start in range(max(1, len(names) - 1)))
