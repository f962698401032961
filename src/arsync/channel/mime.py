"""An envelope as the message that mail programs and mail servers know (RFC 5322)."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage

from arsync.channel.attached import checked, file_name
from arsync.channel.contract import Envelope
from arsync.channel.mail import addressed


def compose(envelope: Envelope, *, blind_copies: bool = True) -> EmailMessage:
    """Text and HTML as alternatives, then the attachments; Rejected where a header would be forged or the attachments
    are too large. With `blind_copies` the message itself names them, as a file that is still to be sent must."""
    parts = addressed(envelope)
    files = checked(envelope.attachments)
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = parts.sender
    message["Reply-To"] = parts.reply_to
    message["To"] = parts.to
    if parts.cc:
        message["Cc"] = parts.cc
    if parts.bcc and blind_copies:
        message["Bcc"] = parts.bcc
    message["Subject"] = envelope.subject
    message["Date"] = envelope.at
    for header, value in parts.headers.items():
        message[header] = value
    for tag, value in sorted(envelope.tags.items()):
        message["X-Arsync-Tag"] = " ".join(f"{tag}={value}".split())
    message.set_content(envelope.text, cte="quoted-printable")
    message.add_alternative(envelope.html, subtype="html", cte="quoted-printable")
    for file in files:
        kind, _, form = file.media_type.partition("/")
        message.add_attachment(file.content, maintype=kind, subtype=form, filename=file_name(file))
    return message
