"""The sections of `arsync.toml`. A key stands here from the day on which it works."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from arsync.settings.kinds import (
    BankDetails,
    ClosedDays,
    Color,
    Country,
    Crontab,
    CrontabOrOff,
    DatabaseUrl,
    Font,
    HostName,
    Hours,
    InboxAddress,
    Listen,
    LocaleTag,
    Logo,
    Mailbox,
    Names,
    Networks,
    Origin,
    PaymentDays,
    PortNumber,
    SecretUrl,
    Timezone,
    Url,
)


class Section(BaseModel):
    """A table of the file: an unknown key is an error, and no error repeats a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)


class Database(Section):
    """`[database]`"""

    url: DatabaseUrl = SecretStr("sqlite:///arsync.db")


class Brand(Section):
    """`brand.*` of a company."""

    #: a picture on the web, at least 80 pixels high; mail programs shrink it to 40
    logo: Logo | None = None
    color: Color = "#1f4e79"
    font: Font | None = None


class CompanySettings(Section):
    """What may be said in `[defaults]`, in `[group.<name>]` and, for one company, in `[connection.<name>]`."""

    #: as customers read it; None: as the source calls the company
    company_name: Annotated[str, Field(min_length=1)] | None = None
    #: IANA; None: as the source says
    timezone: Timezone | None = None
    country: Country | None = None
    #: the state, county or the like, by its name or code: whose holidays are the company's own
    region: Annotated[str, Field(min_length=1)] | None = None
    #: days on which the company itself is closed and nothing goes out
    closed: ClosedDays = ()
    #: when customers' payment runs go out, where a person knows better than their payments tell
    payment_days: PaymentDays = ()
    locale: LocaleTag = "en"
    #: whom a customer's answer reaches; None: the sender
    reply_to: Mailbox | None = None
    #: where this company's answers are read, other than `[inbox] address`
    inbox_address: InboxAddress | None = None
    brand: Brand = Brand()
    legal_footer: str = ""
    #: the company's own postal address, several lines: it stands on letters and statements
    postal_address: Annotated[str, Field(max_length=600)] = ""
    #: currency code -> text
    bank_details: BankDetails = Field(default_factory=dict)
    #: a name in the folder `playbooks`, or the path of a .yaml file
    playbook: Annotated[str, Field(min_length=1)] = "standard"
    mode: Literal["approve", "auto", "task"] = "approve"
    #: whether notes are written into the source
    writes: Literal["on", "off"] = "on"
    #: whether an invoice that a message demands is marked as sent in a source that keeps such a mark
    mark_sent: Literal["on", "off"] = "off"
    #: whether messages say where each invoice can be paid online; a request to the source for each invoice, once
    pay_links: Literal["on", "off"] = "off"
    #: the last day whose receipts are booked in the source; None: the books are taken as they are
    banked_through: date | None = None
    #: "off" asserts that the source's own reminders are off, where it cannot be asked
    reminders: Literal["off"] | None = None
    #: whether who runs arsync collects here for somebody else, a client: the law may ask for more
    collecting_for_others: Literal["on", "off"] = "off"


class Sending(Section):
    """What a company may say for itself of `[delivery]`."""

    sender: Mailbox | None = Field(default=None, alias="from")
    #: a blind copy of every message goes here
    bcc: Mailbox | None = None


class Safety(Section):
    """`[safety]`; a company may say all of it for itself."""

    max_messages_per_run: Annotated[int, Field(ge=0)] = 200
    #: written in hours: data older than this lead to no message
    max_staleness: Hours = timedelta(hours=26)
    breaker_factor: Annotated[Decimal, Field(gt=1, allow_inf_nan=False)] = Decimal("3.0")
    #: of the customers who owe anything; 1 switches it off
    breaker_share: Annotated[Decimal, Field(gt=0, le=1, allow_inf_nan=False)] = Decimal("0.5")


class GroupSettings(CompanySettings):
    """`[group.<name>]`: what several companies have in common, other than the whole installation says."""

    delivery: Sending = Sending()
    safety: Safety = Safety()


class ConnectionSettings(GroupSettings):
    """`[connection.<name>]`: which company it is, and what it says other than its group or the installation."""

    #: the group whose word holds where this section is silent
    group: Annotated[str, Field(min_length=1)] | None = None
    provider: Annotated[str, Field(min_length=1)] | None = None
    external_id: Annotated[str, Field(min_length=1, max_length=64, coerce_numbers_to_str=True)] | None = None


class Only(Section):
    """`only.*` of delivery: a part of the customers; where several are said, all must fit."""

    connections: Names = ()
    #: names of playbooks
    playbooks: Names = ()
    tags: Names = ()
    #: names in any case, or ids
    customers: Names = ()


class Delivery(Sending):
    """`[delivery]`"""

    channel: Literal["file", "sendgrid", "smtp"] = "file"
    outbox_dir: Path = Path("outbox")
    #: every message goes here instead of to the customer
    redirect_to: Mailbox | None = None
    #: in megabytes, of one message together; what is larger stays behind, and is named
    attachments_mb: Annotated[int, Field(ge=1, le=18)] = 10
    #: while going live: nobody but the first so many customers is written to
    first_customers: Annotated[int, Field(ge=1)] | None = None
    #: while going live: nobody but these is written to
    only: Only = Only()
    #: our own people, to whom `arsync digest --send` goes
    digest_to: Mailbox | None = None
    #: "daily": the first run of a company's day sends it, before anything of that day goes out
    digest: Literal["off", "daily"] = "off"
    #: so long after a person's approval nothing leaves, so that it can be taken back
    undo_minutes: Annotated[int, Field(ge=0, le=1440)] = 0


class SendGrid(Section):
    """`[sendgrid]`"""

    api_key: SecretStr | None = None
    host: Url = "https://api.sendgrid.com"
    #: the account may read the Email Activity Feed
    activity_lookup: bool = False
    #: once a day the lists of addresses are read that SendGrid does not write to; the key has to be allowed to
    suppression_lookup: bool = True
    #: as SendGrid shows it for the signed event webhook
    webhook_public_key: Annotated[str, Field(min_length=1)] | None = None


class Smtp(Section):
    """`[smtp]`"""

    host: HostName | None = None
    #: None: 587, or 465 where `tls` is "implicit"
    port: PortNumber | None = None
    user: Annotated[str, Field(min_length=1)] | None = None
    password: SecretStr | None = None
    #: "starttls": encrypted from the greeting on; "implicit": from the first byte on; "none": only to this machine
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    #: where a copy of each message is laid into the Sent folder, by IMAP and as the same user; None: nowhere
    sent_host: HostName | None = None
    sent_port: PortNumber = 993
    #: None: the folder that the server marks as the one for sent messages
    sent_folder: Annotated[str, Field(min_length=1)] | None = None


class Imap(Section):
    """`imap.*` of the inbox."""

    host: Annotated[str, Field(min_length=1)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 993
    user: str = ""
    password: SecretStr | None = None
    folder: Annotated[str, Field(min_length=1)] = "INBOX"
    #: "off" goes with a server on this machine only
    tls: Literal["tls", "starttls", "off"] = "tls"


class Inbox(Section):
    """`[inbox]`"""

    #: whom customers answer: each message has an address of its own, `local+key@domain`
    address: InboxAddress | None = None
    imap: Imap = Imap()
    #: in the address that SendGrid's Inbound Parse posts to
    inbound_parse_secret: SecretStr | None = None
    #: of the security policy of that address
    inbound_parse_public_key: Annotated[str, Field(min_length=1)] | None = None
    #: written in hours: an inbox not read for longer counts as not read
    max_silence: Hours = timedelta(hours=26)


class VaultSection(Section):
    """`[vault]`"""

    #: Fernet keys, the first seals; wins over `key_file`
    key: SecretStr | None = None
    key_file: Path = Path("arsync.key")


class Worker(Section):
    """`[worker]`; its crontabs are on each company's own clock, those of the whole installation on `[defaults]`'."""

    model_config = ConfigDict(validate_default=False)  # to read a crontab takes long

    #: "embedded": by the one process that decides what is due; "procrastinate": by any number, on PostgreSQL
    queue: Literal["embedded", "procrastinate"] = "embedded"
    #: so many companies are worked for at once by a process
    threads: Annotated[int, Field(ge=1, le=64)] = 8
    nightly: Crontab = "0 2 * * *"
    sync: CrontabOrOff = "0 6-20 * * *"
    #: a run where something may leave at that moment
    dispatch: CrontabOrOff = "*/30 * * * *"
    reconcile: CrontabOrOff = "0 4 * * sun"
    #: the mailbox, and the mail provider's lists
    poll: CrontabOrOff = "*/15 * * * *"
    #: where `delivery.digest` wants it
    digest: CrontabOrOff = "0 7 * * *"
    #: an archive of the whole database, of which so many are kept
    backup: CrontabOrOff = "off"
    keep_backups: Annotated[int, Field(ge=1)] = 14
    #: what `[retention]` does not want kept is forgotten
    prune: CrontabOrOff = "off"
    #: each begins so much later at most, by chance
    jitter_minutes: Annotated[int, Field(ge=0, le=60)] = 5
    #: written in hours: a nightly run that begins later than that was missed
    missed_after: Hours = timedelta(hours=2)
    #: where /healthz, /readyz and /metrics are answered; None: nowhere
    listen: Listen | None = None
    #: for so long a worker that is told to stop waits for what is in flight
    stop_seconds: Annotated[int, Field(ge=1, le=3600)] = 60


class Serve(Section):
    """`[serve]`"""

    #: where the desk listens; a public one goes behind a proxy that encrypts
    host: HostName = "127.0.0.1"
    #: 0: any that is free
    port: Annotated[int, Field(ge=0, le=65535)] = 8600
    #: by which address browsers and vendors reach it; None: by `host`
    public_url: Origin | None = None
    #: addresses or networks of proxies whose word is taken for where a request comes from
    trusted_proxies: Networks = ()
    #: the header by which such a proxy says who comes; then nobody logs in by password
    user_header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{2,63}$")] | None = None
    #: a session ends when it was not used for so long
    idle_minutes: Annotated[int, Field(ge=5, le=1440)] = 60
    #: and after so long however it was used
    session_hours: Annotated[int, Field(ge=1, le=168)] = 12


class Alerts(Section):
    """`[alerts]`: how our own people are told of what they must look at."""

    #: by the mail channel of `[delivery]`
    mail: Mailbox | None = None
    #: an address that a JSON object with `text` is posted to, as chat programs take it
    webhook: SecretUrl | None = None
    #: an address of an outside watch, asked after each nightly run that came through
    ping_url: SecretUrl | None = None


#: What is younger may still be needed by an answer to it, or by a person who asks why.
KeptDays = Annotated[int, Field(ge=90, le=36500)]


class Retention(Section):
    """`[retention]`: after how many days `arsync db prune` forgets what; None: never."""

    #: what messages said, of which nothing is open any more
    words_days: KeptDays | None = None
    #: what customers wrote, since it was done with
    replies_days: KeptDays | None = None
    #: what was decided day by day about invoices that are not open any more
    verdicts_days: KeptDays | None = None
    #: runs that no kept decision names
    runs_days: KeptDays | None = None

    def said(self) -> dict[str, int]:
        """Those that are said, by key."""
        return {key: days for key, days in self.model_dump().items() if days is not None}


class Log(Section):
    """`[log]`"""

    #: "auto": text in a terminal, else JSON
    format: Literal["auto", "text", "json"] = "auto"
    #: None: "info" in a worker, else "warning"
    level: Literal["debug", "info", "warning", "error"] | None = None


class Sandbox(Section):
    """`[sandbox]`"""

    #: where the sandbox tells its time, on which a rehearsal runs
    clock_url: Url | None = None


#: of a connection or a group
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


class Document(Section):
    """The whole file but for the connectors' own sections."""

    database: Database = Database()
    defaults: CompanySettings = CompanySettings()
    group: dict[Name, GroupSettings] = Field(default_factory=dict)
    connection: dict[Name, ConnectionSettings] = Field(default_factory=dict)
    delivery: Delivery = Delivery()
    sendgrid: SendGrid = SendGrid()
    smtp: Smtp = Smtp()
    inbox: Inbox = Inbox()
    vault: VaultSection = VaultSection()
    safety: Safety = Safety()
    worker: Worker = Worker()
    serve: Serve = Serve()
    alerts: Alerts = Alerts()
    retention: Retention = Retention()
    log: Log = Log()
    sandbox: Sandbox = Sandbox()


#: A place in the file: section, key, and below.
Place = tuple[str, ...]

_ANY: Final = "<name>"
#: sections of which there may be several, each under a name
_NAMED: Final = {"group": GroupSettings, "connection": ConnectionSettings}


def _walk(model: type[BaseModel], above: Place = ()) -> Iterator[tuple[Place, bool]]:
    for name, field in model.model_fields.items():
        place = (*above, field.alias or name)
        kind = field.annotation
        if name in _NAMED and not above:
            yield from _walk(_NAMED[name], (name, _ANY))
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _walk(kind, place)
        else:
            yield place, "SecretStr" in f"{kind} {field.metadata}"


#: Every key there is, and whether it is a secret; `<name>` stands for the name of a connection or a group.
KEYS: Final[dict[Place, bool]] = dict(_walk(Document))


def general(place: Place) -> Place:
    """The place with `<name>` for the name of a connection or a group."""
    return (place[0], _ANY, *place[2:]) if len(place) > 1 and place[0] in _NAMED else place


def known(place: Place) -> Place | None:
    """The place as `KEYS` has it, or None where there is no such key."""
    return general(place) if general(place) in KEYS else None
