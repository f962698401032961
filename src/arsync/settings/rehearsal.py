"""A rehearsal never mails a real person, and real tokens never travel in clear."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import BaseModel

from arsync.errors import ConfigurationError
from arsync.settings.resolved import Settings


def is_loopback(url: str) -> bool:
    """Whether the address can only be this machine."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".").lower()
        return host == "localhost" or host.endswith(".localhost") or ip_address(host).is_loopback
    except ValueError:
        return False


def is_here(host: str) -> bool:
    """Whether a machine of that name can only be this one."""
    return is_loopback(f"//[{host}]" if ":" in host else f"//{host}")


def vendor_urls(name: str, section: BaseModel) -> dict[str, str]:
    """The addresses in a connector's settings, `quickbooks.api_url` and so on: every key that ends in `_url`."""
    return {
        f"{name}.{key}": value for key, value in section if key.endswith("_url") and isinstance(value, str) and value
    }


def check_rehearsal(settings: Settings, urls: Mapping[str, str]) -> bool:
    """Whether this is a rehearsal; ConfigurationError where it is half of one.

    `urls` are the vendors' addresses in use, by their keys. If one is loopback, all must be, and then only the file
    channel, a loopback SendGrid or SMTP host or `delivery.redirect_to` may deliver.
    """
    by_sendgrid = settings.delivery.channel == "sendgrid"
    emulated_mail = by_sendgrid and is_loopback(settings.sendgrid.host)
    by_smtp = settings.delivery.channel == "smtp" and settings.smtp.host is not None
    smtp_here = settings.smtp.host is not None and is_here(settings.smtp.host)
    here = sorted(key for key, url in urls.items() if is_loopback(url))
    away = sorted(set(urls) - set(here))
    wrong = [f"{key} is neither https nor on this machine" for key in away if not _encrypted(urls[key])]
    if by_sendgrid and not emulated_mail and not _encrypted(settings.sendgrid.host):
        wrong.append("sendgrid.host is neither https nor on this machine")
    if by_smtp and settings.smtp.tls == "none" and not smtp_here:
        wrong.append("smtp.tls = 'none' is for a mail server on this machine: nothing travels in clear")
    if here and away:
        wrong.append(f"{', '.join(here)} on this machine, but not {', '.join(away)}: a rehearsal is a whole one")
    if here and by_sendgrid and not emulated_mail and settings.delivery.redirect_to is None:
        wrong.append(
            f"a rehearsal ({here[0]} is on this machine) would mail real people: "
            "delivery.channel = 'file', a sendgrid.host on this machine, or delivery.redirect_to"
        )
    if here and by_smtp and not smtp_here and settings.delivery.redirect_to is None:
        wrong.append(
            f"a rehearsal ({here[0]} is on this machine) would mail real people: "
            "delivery.channel = 'file', an smtp.host on this machine, or delivery.redirect_to"
        )
    if away and emulated_mail:
        wrong.append(f"sendgrid.host is on this machine, but {', '.join(away)} is not: a rehearsal is a whole one")
    if settings.sandbox.clock_url is not None:
        if not is_loopback(settings.sandbox.clock_url):
            wrong.append("sandbox.clock_url is not on this machine")
        if not here or away:
            wrong.append("sandbox.clock_url is for a rehearsal only: no real company runs on the sandbox's clock")
    if wrong:
        raise ConfigurationError(f"{settings.source}: " + "\n  ".join(wrong))
    return bool(here)


def _encrypted(url: str) -> bool:
    return url.lower().startswith("https://")
