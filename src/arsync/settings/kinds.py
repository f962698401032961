"""The kinds of value a key may have; each refuses with words that say what to write instead.

No message repeats a value that may be a secret.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from email.headerregistry import Address
from email.utils import getaddresses, parseaddr
from importlib import import_module
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from arsync.domain.calendar import closed_days
from arsync.domain.payday import PayDay, read

_ANY_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
_LONGEST_STALENESS: Final = 24 * 31
_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+")
_DOMAIN: Final = re.compile(r"localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
#: RFC 5321 allows 64 before the @.
_LONGEST_INBOX: Final = 31
_FAMILY: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*(?: [A-Za-z][A-Za-z0-9-]*)*")
_POSTGRESQL: Final = re.compile(r"(postgres|postgresql)(\+\w+)?://")
_SQLITE: Final = re.compile(r"sqlite(\+pysqlite)?:///(?P<path>[^?]*)(?P<query>\?.*)?", re.DOTALL)


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = get_close_matches(name, sorted(available_timezones()), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "write it like 'Europe/London'"
        raise ValueError(f"no such timezone: {name!r} ({hint})") from None
    return name


def _country(code: str) -> str:
    code = code.upper()
    # A country has a time of day; that leaves out CLDR's groups and placeholders (EU, UN, ZZ).
    if not re.fullmatch("[A-Y][A-Z]|Z[A-Y]", code) or code not in get_global("zone_territories").values():
        raise ValueError(f"no such country: {code!r} (two letters, like 'GB')")
    return code


def _locale(tag: str) -> str:
    try:
        Locale.parse(tag.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise ValueError(f"no such locale: {tag!r} (write it like 'en' or 'de-AT')") from None
    return tag


def _mailbox(text: str) -> str:
    found = getaddresses([text]) if text.isprintable() else []
    local, _, domain = found[0][1].rpartition("@") if len(found) == 1 else ("", "", "")
    try:
        domain = domain.encode("idna").decode("ascii")
        Address(username=local, domain=domain)
    except (ValueError, IndexError):
        domain = ""
    if not _LOCAL_PART.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise ValueError("not a mail address (write it like 'billing@example.com')")
    return text.strip()


def _inbox_address(text: str) -> str:
    local = parseaddr(_mailbox(text))[1].rpartition("@")[0]
    if len(local) > _LONGEST_INBOX:
        raise ValueError(f"at most {_LONGEST_INBOX} letters before the @: a message's key of 32 goes behind them")
    return text.strip()


def _color(text: str) -> str:
    if not re.fullmatch(r"#(?:[0-9a-fA-F]{3}){1,2}", text):
        raise ValueError("not a colour (write it like '#1f4e79')")
    return text


def _font(text: str) -> str:
    families = [family.strip() for family in text.split(",")]
    if len(families) > 5 or not all(map(_FAMILY.fullmatch, families)):
        raise ValueError("names of up to five font families, the best first (write it like 'Georgia, Times New Roman')")
    return ", ".join(families)


def _logo(text: str) -> str:
    if not re.fullmatch(r"https://[A-Za-z0-9.-]+(?::[0-9]+)?/[A-Za-z0-9._~!$&()*+,;=:@/?%-]{1,1000}", text):
        raise ValueError("not a picture on the web (write it like 'https://www.example.com/logo.png')")
    return text


def _currencies(details: Any) -> Any:
    if not isinstance(details, dict):
        raise ValueError("one text per currency, like bank_details.EUR = 'IBAN ...'")
    wrong = sorted(str(code) for code in details if str(code).upper() not in get_global("all_currencies"))
    if wrong:
        raise ValueError(f"no such currency: {', '.join(wrong)} (ISO 4217, like 'EUR')")
    return {str(code).upper(): text for code, text in details.items()}


def _hours(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    try:
        hours = Decimal(str(value))
        if 0 < hours <= _LONGEST_STALENESS:
            return timedelta(seconds=int(hours * 3600))
    except InvalidOperation:
        pass
    raise ValueError(f"a number of hours, above 0 and at most {_LONGEST_STALENESS}")


def _crontab(text: str) -> str:
    """APScheduler counts weekdays from Monday, cron from Sunday: only their names mean the same."""
    how = "five fields as in cron, weekdays by name (write it like '30 2 * * mon-fri')"
    fields = text.split()
    if len(fields) != 5 or re.search(r"\d", fields[4].partition("/")[0]):
        raise ValueError(how)
    cron = import_module("apscheduler.triggers.cron")  # takes long, and few say it
    try:
        comes = cron.CronTrigger.from_crontab(text, timezone=UTC).get_next_fire_time(None, _ANY_DAY)
    except (ValueError, KeyError):
        raise ValueError(how) from None
    if comes is None:
        raise ValueError("a moment that never comes")
    return " ".join(fields)


def _crontab_or_off(text: str) -> str:
    return text if text == "off" else _crontab(text)


def _split(days: Any) -> Any:
    return tuple(part.strip() for part in days.split(";") if part.strip()) if isinstance(days, str) else days


def _closed_days(days: tuple[str, ...]) -> tuple[str, ...]:
    for line in days:
        closed_days(line)  # ValueError where it is none
    return days


def payment_day(line: str) -> tuple[str, PayDay]:
    """The customer and its payment day in a line such as `Acme Ltd: friday`; ValueError where it is none."""
    customer, colon, day = line.rpartition(":")
    if not colon or not customer.strip():
        raise ValueError("write a customer's name or id and its payment day, like 'Acme Ltd: friday' or 'C-17: 15'")
    return customer.strip(), read(day)


def _payment_days(lines: tuple[str, ...]) -> tuple[str, ...]:
    for line in lines:
        payment_day(line)
    return lines


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        raise ValueError("not an address (write it like 'https://api.example.com')")
    return text.rstrip("/")


def _origin(text: str) -> str:
    url = _url(text)
    parts = urlsplit(url)
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("a name alone, without a path (write it like 'https://desk.example.com')")
    return url


def _networks(those: tuple[str, ...]) -> tuple[str, ...]:
    for one in those:
        try:
            ip_network(one, strict=False)
        except ValueError:
            raise ValueError(
                f"{one!r} is no address and no network (write it like '10.0.0.7' or '10.0.0.0/24')"
            ) from None
    return those


def _secret_url(url: SecretStr) -> SecretStr:
    text = _url(url.get_secret_value())
    parts = urlsplit(text)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("not encrypted: https, or an address on this machine")
    return SecretStr(text)


def _listen(text: str) -> str:
    found = re.fullmatch(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]]*):(?P<port>[0-9]{1,5})", text)
    if found is None or not 0 <= int(found["port"]) <= 65535:
        raise ValueError("an address and a port (write it like '127.0.0.1:9464')")
    if found["host"]:
        _host_name(found["host"].strip("[]"))
    return text


def _host_name(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        if not (re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.?", text) and len(text) <= 253):
            raise ValueError("not the name of a machine (write it like 'mail.example.com')") from None
    return text


def database_url(url: SecretStr) -> SecretStr:
    """The URL of a database that arsync can use, its driver included; ValueError for any other."""
    text = url.get_secret_value()
    if found := _SQLITE.fullmatch(text):
        if found["path"] in ("", ":memory:"):
            raise ValueError("needs a file: sqlite:///arsync.db")
        return url
    if found := _POSTGRESQL.match(text):
        if found[2] not in (None, "+psycopg"):
            raise ValueError(f"the driver is psycopg, not {found[2].removeprefix('+')}: postgresql+psycopg://...")
        return SecretStr("postgresql+psycopg://" + text[found.end() :])
    raise ValueError("write it like sqlite:///arsync.db or postgresql+psycopg://host/name")


def sqlite_path(url: str) -> str | None:
    """The file of an SQLite URL as it stands there; None for another database."""
    found = _SQLITE.fullmatch(url)
    return found["path"] if found else None


def sqlite_query(url: str) -> str:
    """What follows the file in an SQLite URL, from the question mark on."""
    found = _SQLITE.fullmatch(url)
    return (found["query"] or "") if found else ""


Timezone = Annotated[str, AfterValidator(_timezone)]
Country = Annotated[str, AfterValidator(_country)]
LocaleTag = Annotated[str, AfterValidator(_locale)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]
InboxAddress = Annotated[str, AfterValidator(_inbox_address)]
Color = Annotated[str, AfterValidator(_color)]
Font = Annotated[str, AfterValidator(_font)]
Logo = Annotated[str, AfterValidator(_logo)]
BankDetails = Annotated[dict[str, str], BeforeValidator(_currencies)]
Hours = Annotated[timedelta, BeforeValidator(_hours)]
Crontab = Annotated[str, AfterValidator(_crontab)]
CrontabOrOff = Annotated[str, AfterValidator(_crontab_or_off)]
Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_split)]
ClosedDays = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_closed_days)]
PaymentDays = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_payment_days)]
Networks = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_networks)]
HostName = Annotated[str, AfterValidator(_host_name)]
Listen = Annotated[str, AfterValidator(_listen)]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
Url = Annotated[str, AfterValidator(_url)]
Origin = Annotated[str, AfterValidator(_origin)]
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(database_url)]
