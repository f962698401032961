"""Mail servers of this machine that a test writes the answers of: one that takes mail, one that keeps it."""

from __future__ import annotations

import socketserver
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

USER, PASSWORD = "ann", "correct horse"


@dataclass
class Taker:
    """What the server answers; nothing said, and it takes everything. "gone": it goes away without an answer."""

    sender: str = ""
    recipients: dict[str, str] = field(default_factory=dict)
    message: str = ""
    taken: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)

    async def handle_MAIL(  # noqa: N802 - as aiosmtpd asks for it
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.connections.add(session.peer)
        if self.sender:
            answer, self.sender = self.sender, ""
            return answer
        envelope.mail_from = address
        return "250 fine"

    async def handle_RCPT(  # noqa: N802 - as aiosmtpd asks for it
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.recipients:
            return self.recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.message.startswith(("4", "5")):
            return self.message
        assert envelope.mail_from is not None
        assert isinstance(envelope.content, bytes)
        self.taken.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        if self.message == "gone":
            server.transport.abort()
        return f"250 2.0.0 queued as {len(self.taken)}"


def _sign_in(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=right, auth_data=data)


@dataclass(frozen=True)
class Door:
    """Where the server is, and what it answers."""

    host: str
    port: int
    taker: Taker


class _AnyPort(Controller):  # type: ignore[misc, unused-ignore]
    """At whatever port is free."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[attr-defined, unused-ignore]
        super()._trigger_server()  # type: ignore[no-untyped-call, unused-ignore]


@contextmanager
def mail_server(
    taker: Taker | None = None, *, tls: ssl.SSLContext | None = None, implicit: bool = False
) -> Iterator[Door]:
    """An SMTP server; with `tls` it wants STARTTLS (or all of it encrypted, `implicit`) and a sign-in."""
    taker = taker or Taker()
    more: dict[str, Any] = {}
    if tls is not None:
        more = {"authenticator": _sign_in, "auth_required": not implicit, "auth_require_tls": not implicit}
        more |= {"ssl_context": tls} if implicit else {"tls_context": tls, "require_starttls": True}
    controller = _AnyPort(taker, hostname="127.0.0.1", port=0, **more)
    controller.start()
    try:
        yield Door("127.0.0.1", controller.port, taker)
    finally:
        controller.stop()


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's side with a certificate of its own making, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example")])
    today = datetime(2026, 1, 1, tzinfo=UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=9_000))
        .not_valid_after(today + timedelta(days=9_000))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        signed.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


@dataclass
class Mailbox:
    """An IMAP mailbox: its folders with the messages in them."""

    folders: dict[str, list[bytes]] = field(default_factory=lambda: {"INBOX": [], "Gesendet": []})
    sent: str = "Gesendet"
    refuses: bool = False  # nothing can be laid in
    laid_in: int = 0


@contextmanager
def mailbox_server(mailbox: Mailbox) -> Iterator[int]:
    """Its port. It speaks as much IMAP as laying in and searching by a header need."""

    class Conversation(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def say(self, line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

        def handle(self) -> None:
            self.say("* OK here")
            chosen = "INBOX"
            while line := self.rfile.readline().decode().strip():
                tag, _, rest = line.partition(" ")
                verb, _, rest = rest.partition(" ")
                answer = "OK done"
                if verb == "LOGIN" and PASSWORD not in rest:
                    answer = "NO wrong password"
                elif verb == "CAPABILITY":
                    self.say("* CAPABILITY IMAP4rev1")
                elif verb == "LIST":
                    for name in mailbox.folders:
                        flag = r" \Sent" if name == mailbox.sent else ""
                        self.say(f'* LIST (\\HasNoChildren{flag}) "/" "{name}"')
                elif verb in ("SELECT", "EXAMINE"):
                    chosen = rest.strip('"')
                    answer = "OK [READ-ONLY] done" if chosen in mailbox.folders else "NO no such folder"
                    self.say(f"* {len(mailbox.folders.get(chosen, ()))} EXISTS")
                elif verb == "SEARCH":
                    _, header, value = rest.split(" ", 2)
                    wanted = f"{header}: {value.strip(chr(34))}".encode()
                    hits = [str(n + 1) for n, one in enumerate(mailbox.folders[chosen]) if wanted in one]
                    self.say(" ".join(["* SEARCH", *hits]))
                elif verb == "APPEND":
                    size = int(rest.rpartition("{")[2].rstrip("}"))
                    self.say("+ go on")
                    content = self.rfile.read(size)
                    self.rfile.readline()
                    if mailbox.refuses:
                        answer = "NO [OVERQUOTA] full"
                    else:
                        mailbox.laid_in += 1
                        mailbox.folders[rest.split()[0].strip('"')].append(content)
                elif verb == "LOGOUT":
                    self.say("* BYE")
                self.say(f"{tag} {answer}")
                if verb == "LOGOUT":
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as server:
        server.daemon_threads = True
        running = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        running.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            running.join()
