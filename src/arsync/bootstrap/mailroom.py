"""The ways that mail goes out and comes back, as the settings say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Any

from arsync.channel.contract import Channel
from arsync.channel.file import FileChannel
from arsync.channel.redirect import Redirected
from arsync.channel.sendgrid import SendGridChannel
from arsync.channel.sendgrid_events import Told, read, verify
from arsync.channel.sendgrid_lists import SendGridLists
from arsync.channel.sent_folder import SentFolder
from arsync.channel.smtp import Encryption, MailServer, SmtpChannel
from arsync.domain.clock import Clock
from arsync.errors import ConfigurationError
from arsync.inbox.imap import ImapMailbox
from arsync.inbox.inbound_parse import Door, Posted, check_secret, read_post
from arsync.settings import GroupSettings, Settings, is_here


class Mailroom:
    """Mail of one installation: out by the channel of the settings, in by its mailbox and by what SendGrid posts.

    `session` is asked for when SendGrid is first spoken to; `observe` is told of what SMTP says.
    """

    def __init__(
        self, settings: Settings, *, session: Callable[[], Any], clock: Clock, observe: Callable[[str, str], None]
    ) -> None:
        self._settings, self._session, self._clock, self._observe = settings, session, clock, observe

    def channel(self, company: GroupSettings | None = None) -> Channel:
        """The way out for that company's mail, or for our own, diverted and copied where the settings say so."""
        delivery = self._settings.delivery
        bcc = delivery.bcc if company is None else company.delivery.bcc
        channel: Channel
        if delivery.channel == "sendgrid":
            section = self._settings.sendgrid
            assert section.api_key is not None, "`desk` has asked `undeliverable`"
            channel = SendGridChannel(
                section.api_key.get_secret_value(),
                section.host,
                self._session(),
                clock=self._clock,
                activity_lookup=section.activity_lookup,
            )
        elif delivery.channel == "smtp":
            channel = self._smtp()
        else:
            channel = FileChannel(self._settings.outbox_dir)
        if delivery.redirect_to or bcc:
            return Redirected(channel, redirect_to=delivery.redirect_to, bcc=bcc)
        return channel

    def _smtp(self) -> Channel:
        section = self._settings.smtp
        assert section.host is not None, "`desk` has asked `undeliverable`"
        encryption = Encryption(section.tls)
        password = section.password.get_secret_value() if section.password else None
        usual = 465 if encryption is Encryption.IMPLICIT else 587
        sent = None
        if section.sent_host is not None:
            assert section.user is not None, "`desk` has asked `undeliverable`"
            sent = SentFolder(
                section.sent_host,
                section.sent_port,
                section.user,
                password or "",
                section.sent_folder or "",
                encrypted=not is_here(section.sent_host) or encryption is not Encryption.NONE,
            )
        server = MailServer(section.host, section.port or usual, encryption, section.user, password)
        return SmtpChannel(server, clock=self._clock, sent=sent, observe=self._observe)

    def mailbox(self) -> ImapMailbox | None:
        """The mailbox that answers are read from; None where none is configured."""
        section = self._settings.inbox.imap
        if section.host is None:
            return None
        if not section.user or section.password is None:
            raise ConfigurationError(
                f"{self._settings.source}: inbox.imap.host goes with inbox.imap.user and .password"
            )
        return ImapMailbox(
            section.host, section.port, section.user, section.password.get_secret_value(), folder=section.folder,
            tls=section.tls,
        )  # fmt: skip

    @property
    def lists(self) -> SendGridLists | None:
        """SendGrid's lists of addresses that it does not write to; None where mail does not go by SendGrid."""
        section = self._settings.sendgrid
        if self._settings.delivery.channel != "sendgrid" or section.api_key is None:
            return None
        return SendGridLists(section.api_key.get_secret_value(), section.host, self._session())

    def read_events(self, body: bytes, *, signature: str, timestamp: str) -> Told:
        """What SendGrid's webhook tells; Unverified where it is not SendGrid's, or old, ConfigurationError where nobody
        has said how to know."""
        key = self._settings.sendgrid.webhook_public_key
        if key is None:
            raise ConfigurationError(f"{self._settings.source}: sendgrid.webhook_public_key is missing")
        verify(key, signature, timestamp, body, now=self._clock.now())
        return read(body)

    def check_reply(self, url: str, headers: Mapping[str, str]) -> None:
        """Before a word of what SendGrid's Inbound Parse posts is read: Unverified where that address does not hold our
        secret, ConfigurationError where nobody has said how to know SendGrid."""
        if not self.takes_posts:
            raise ConfigurationError(
                f"{self._settings.source}: neither inbox.inbound_parse_secret nor .inbound_parse_public_key is set"
            )
        check_secret(url, {name.lower(): value for name, value in headers.items()}, self._door)

    @property
    def takes_posts(self) -> bool:
        """Whether somebody has said how to know SendGrid where it posts answers."""
        return bool(self._door.secret or self._door.public_key)

    def read_reply(self, url: str, headers: Mapping[str, str], body: bytes, *, size: int | None = None) -> Posted:
        """The mail that SendGrid's Inbound Parse posted to that address; Unverified where it is not SendGrid's, or old,
        Malformed where it is no such post. `size` says how long a body is of which this is the beginning."""
        return read_post(url, headers, body, door=self._door, now=self._clock.now(), size=size)

    @property
    def _door(self) -> Door:
        section = self._settings.inbox
        secret = section.inbound_parse_secret
        return Door(secret.get_secret_value() if secret else "", section.inbound_parse_public_key or "")

    def inbox_of(self, company: GroupSettings) -> str | None:
        """Where the company's answers are read, under the name that its customers know."""
        mailbox = company.inbox_address or self._settings.inbox.address
        if mailbox is None or parseaddr(mailbox)[0]:
            return mailbox
        named = parseaddr(company.reply_to or "")[0] or parseaddr(company.delivery.sender or "")[0]
        return str(Address(display_name=named, addr_spec=parseaddr(mailbox)[1]))
