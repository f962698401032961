"""The SMTP channel: any mail server, over one encrypted connection per batch.

The server's answer after the final dot is the evidence. Before that dot nothing was sent, whatever goes wrong: a server
that loses its client in the middle of a message throws it away (RFC 5321, 4.1.1.4).
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from arsync import session
from arsync.channel.contract import Envelope, Evidence, Receipt
from arsync.channel.mail import addressed, identity
from arsync.channel.mime import compose
from arsync.channel.sent_folder import SentFolder
from arsync.domain.clock import Clock
from arsync.errors import Barred, ConnectorError, Deferred, OutcomeUnknown, Rejected, RetryLater

_TIMEOUT: Final = 30.0
#: A server may filter a message before it answers; RFC 5321 gives it ten minutes, our own silence ends at five.
_LAST_ANSWER: Final = 150.0
#: A connection that rested for longer is asked whether it is still there.
_RESTED: Final = 20.0
#: A server that has not enough room, or holds back who it does not know, usually does for a quarter of an hour.
_A_WHILE: Final = 900.0
_CLOSING: Final = 421
_ADDRESS: Final = re.compile(r"[^\s<>]+@[^\s<>]+")


class Encryption(StrEnum):
    """How the connection is encrypted; certificates are always checked."""

    STARTTLS = "starttls"  # from the greeting on, port 587
    IMPLICIT = "implicit"  # from the first byte on, port 465
    NONE = "none"  # to this machine only


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, and as whom."""

    host: str
    port: int
    encryption: Encryption = Encryption.STARTTLS
    user: str | None = None
    password: str | None = None


class SmtpChannel:
    """Hands messages in at `server`; with `sent` a copy of each is laid into the mailbox's Sent folder afterwards.

    `observe` is told "before" and "after" the message itself leaves.
    """

    name: ClassVar[str] = "smtp"

    def __init__(
        self,
        server: MailServer,
        *,
        clock: Clock,
        sent: SentFolder | None = None,
        context: ssl.SSLContext | None = None,
        observe: Callable[[str, str], None] = lambda moment, what: None,
    ) -> None:
        self._server = server
        self._clock = clock
        self._sent = sent
        self._context = context or ssl.create_default_context()
        self._observe = observe
        self._line: smtplib.SMTP | None = None
        self._used_at = 0.0
        self._copies: list[tuple[str, bytes]] = []

    @property
    def place(self) -> str:
        """The server, and as whom."""
        return f"smtp {self._server.user or ''}@{self._server.host}:{self._server.port}"

    def prepare(self) -> None:
        """Connects, so that the first message need not wait for it; a server that does not let us in says so then."""
        with contextlib.suppress(Barred):
            self._connected()

    def draw_up(self, envelope: Envelope) -> None:
        """Nothing: no answer is awaited in which there were time for it."""

    def send(self, envelope: Envelope) -> Receipt:
        """The server's own words as receipt."""
        parts = addressed(envelope)
        message = compose(envelope, blind_copies=False)
        content = message.as_bytes()
        recipients = {role: [one.addr_spec for one in getattr(parts, role)] for role in ("to", "cc", "bcc")}
        try:
            line, refused = self._addressed(parts.sender.addr_spec, recipients, len(content))
            self._opened(line)
            said = self._delivered(line, content)
        except (smtplib.SMTPException, OSError) as error:
            self._hang_up()
            raise _unreachable(error) from error
        except ConnectorError:
            raise
        except BaseException:
            self._hang_up()  # the last gate has closed: what was begun is thrown away there
            raise
        if self._sent is not None:
            self._copies.append((str(message["Message-ID"]), compose(envelope).as_bytes()))
        return Receipt(said, "; ".join(f"not taken for {address} ({why})" for address, why in refused.items()))

    def look_up(self, message_id: str) -> tuple[Evidence, str | None]:
        """`sent` where the mailbox's Sent folder has it (many servers keep it there themselves); else `nothing`."""
        if self._sent is None:
            return Evidence.NOTHING, None
        found = self._sent.find(identity(message_id))
        return (Evidence.SENT, found) if found else (Evidence.NOTHING, None)

    def finish(self) -> list[str]:
        """Hangs up, and lays the copies into the Sent folder; what could not be, a sentence each."""
        if self._line is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self._line.quit()
            self._hang_up()
        copies, self._copies = self._copies, []
        return self._sent.keep(copies, self._clock.now()) if self._sent is not None and copies else []

    # --- the conversation --------------------------------------------------------------------------------

    def _addressed(
        self, sender: str, recipients: dict[str, list[str]], size: int
    ) -> tuple[smtplib.SMTP, dict[str, str]]:
        """The line on which the server has taken the sender and somebody of `to`, and whom it did not take."""
        fresh = self._line is None
        line = self._connected()
        try:
            options = [f"size={size}"] if line.has_extn("size") else []
            code, said = line.mail(sender, options)
        except (smtplib.SMTPServerDisconnected, OSError):
            code, said = _CLOSING, b""
        if code == _CLOSING and not fresh:  # it counts messages, or has grown tired of waiting
            self._hang_up()
            return self._addressed(sender, recipients, size)
        if code != 250:
            self._reset(line)
            raise _sender_refused(code, said)
        taken = 0
        refusals: dict[str, tuple[int, bytes]] = {}
        for role, addresses in recipients.items():
            for address in addresses:
                code, said = line.rcpt(address)
                if code in (250, 251):
                    taken += role == "to"
                elif code == _CLOSING:
                    self._hang_up()
                    raise RetryLater(f"the mail server closes the connection: {_words(code, said)}")
                else:
                    refusals[address] = code, said
        if not taken:
            self._reset(line)
            raise _recipients_refused(refusals)
        return line, {address: _words(*answer) for address, answer in refusals.items()}

    def _opened(self, line: smtplib.SMTP) -> None:
        """The server waits for the message."""
        code, said = line.docmd("DATA")
        if code == 354:
            return
        self._reset(line)
        if code == _CLOSING:
            raise RetryLater(f"the mail server closes the connection: {_words(code, said)}")
        raise _message_refused(code, said)

    def _delivered(self, line: smtplib.SMTP, content: bytes) -> str:
        """The server's words when it has the message."""
        self._observe("before", "SMTP DATA")
        session.first_byte()
        # Until its end is marked the message is none, so that what fails before has not left.
        line.send(re.sub(rb"(?m)^\.", b"..", content.removesuffix(b"\r\n")))
        assert line.sock is not None, "it has just written"
        line.sock.settimeout(_LAST_ANSWER)
        try:
            line.send(b"\r\n.\r\n")
            code, said = line.getreply()
        except (smtplib.SMTPException, OSError) as error:
            self._hang_up()
            raise OutcomeUnknown(f"the mail server did not answer ({type(error).__name__})") from error
        self._observe("after", "SMTP DATA")
        line.sock.settimeout(_TIMEOUT)
        self._used_at = self._clock.elapsed()
        if 200 <= code < 300:
            return _words(code, said)
        if code == _CLOSING:
            self._hang_up()
            raise RetryLater(f"the mail server closes the connection: {_words(code, said)}")
        if not 400 <= code < 600:
            self._hang_up()
            raise OutcomeUnknown(f"the mail server answered {_words(code, said)}")
        raise _message_refused(code, said)

    # --- the connection ----------------------------------------------------------------------------------

    def _connected(self) -> smtplib.SMTP:
        """The line that is open, or a new one; RetryLater and Barred where there is none to be had."""
        if self._line is not None and self._clock.elapsed() - self._used_at > _RESTED:
            try:
                alive = self._line.noop()[0] == 250
            except (smtplib.SMTPException, OSError):
                alive = False
            if not alive:
                self._hang_up()
        if self._line is None:
            self._line = self._dialled()
        self._used_at = self._clock.elapsed()
        return self._line

    def _dialled(self) -> smtplib.SMTP:
        server = self._server
        line: smtplib.SMTP | None = None
        try:
            if server.encryption is Encryption.IMPLICIT:
                line = smtplib.SMTP_SSL(
                    server.host, server.port, local_hostname=_NAME, timeout=_TIMEOUT, context=self._context
                )
            else:
                line = smtplib.SMTP(server.host, server.port, local_hostname=_NAME, timeout=_TIMEOUT)
            if server.encryption is Encryption.STARTTLS:
                line.starttls(context=self._context)
            line.ehlo_or_helo_if_needed()
            if server.user is not None:
                line.login(server.user, server.password or "")
        except (smtplib.SMTPException, OSError) as error:
            if line is not None:
                line.close()
            raise _shut_out(error) from error
        return line

    def _reset(self, line: smtplib.SMTP) -> None:
        try:
            line.rset()
        except (smtplib.SMTPException, OSError):
            self._hang_up()

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            with contextlib.suppress(OSError):
                line.close()


#: What we call ourselves: the name of a machine in an office says nothing to a server, and to look it up takes time.
_NAME: Final = "[127.0.0.1]"


def _is_temporary(code: int) -> bool:
    return 400 <= code < 500


def _words(code: int, said: bytes | str) -> str:
    """A server's answer on one line, without anybody's address."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    visible = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(f"{code} {_ADDRESS.sub('<address>', visible)}".split())[:200]


def _message_refused(code: int, said: bytes) -> ConnectorError:
    if _is_temporary(code):
        return Deferred(f"the mail server takes it later: {_words(code, said)}", after=_A_WHILE)
    return Rejected(f"the mail server refused it: {_words(code, said)}")


def _sender_refused(code: int, said: bytes) -> ConnectorError:
    if code == 552:
        return Rejected(f"the mail server takes no message of this size: {_words(code, said)}")
    if _is_temporary(code):
        return RetryLater(f"the mail server takes nothing for now: {_words(code, said)}", after=_A_WHILE)
    return Barred(f"the mail server takes nothing from delivery.from: {_words(code, said)}")


def _recipients_refused(refusals: dict[str, tuple[int, bytes]]) -> ConnectorError:
    """Everybody of `to` was refused: for now where any of them may be taken later."""
    temporary = [answer for answer in refusals.values() if _is_temporary(answer[0])]
    said = _words(*(temporary or list(refusals.values()))[0])
    if temporary:
        return Deferred(f"the recipient's mailbox takes nothing for now: {said}", after=_A_WHILE)
    return Rejected(f"no recipient was taken: {said}")


def _unreachable(error: Exception) -> RetryLater:
    """Of a line that broke before the end of the message was marked."""
    return RetryLater(f"the connection to the mail server broke before the message had left ({type(error).__name__})")


def _shut_out(error: Exception) -> ConnectorError:
    match error:
        case ssl.SSLCertVerificationError():
            return Barred(f"the mail server's certificate is not to be trusted ({error.verify_message})")
        case smtplib.SMTPNotSupportedError():
            return Barred("the mail server offers no encryption (STARTTLS), or no sign-in that arsync knows")
        case smtplib.SMTPResponseException() if not _is_temporary(error.smtp_code):
            # A sign-in's answer may repeat what was said: its number tells enough.
            return Barred(f"the mail server does not let us in ({error.smtp_code})")
    return RetryLater(f"the mail server cannot be reached ({type(error).__name__})")
