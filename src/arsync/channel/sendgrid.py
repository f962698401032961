"""The SendGrid channel: the SDK's mail, over our one session.

The SDK's own client opens a connection per message and waits for ever; only its typed helpers are used.
SendGrid keeps no idempotency key: what was not answered is unknown, and is never sent again from here.
"""

from __future__ import annotations

import contextlib
import logging
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from email.header import Header as EncodedWords
from email.headerregistry import Address
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Final
from urllib.parse import quote

import msgspec
import requests
from sendgrid.helpers.mail import (
    Attachment,
    Bcc,
    Category,
    Cc,
    ClickTracking,
    Content,
    CustomArg,
    Disposition,
    Email,
    FileContent,
    FileName,
    FileType,
    From,
    Header,
    Mail,
    MimeType,
    OpenTracking,
    Personalization,
    ReplyTo,
    SubscriptionTracking,
    To,
    TrackingSettings,
)
from sendgrid.helpers.mail.exceptions import ApiKeyIncludedException

from arsync.channel.attached import checked, file_name
from arsync.channel.contract import Envelope, Evidence, Receipt
from arsync.channel.mail import addressed, identity
from arsync.domain.clock import Clock
from arsync.errors import Barred, OutcomeUnknown, Rejected, RetryLater
from arsync.session import never_left

# At DEBUG it prints the key.
logging.getLogger("python_http_client.client").setLevel(logging.WARNING)

_TIMEOUT: Final = (5.0, 30.0)
#: Answers that SendGrid gives before it takes anything.
_REFUSALS: Final = frozenset({400, 404, 405, 413, 415, 422})
#: The key is wrong or may not send, or the sender is not verified: so it would be with every other message.
_BARRED: Final = frozenset({401, 403})
_CATEGORIES: Final = 10
_CATEGORY_LENGTH: Final = 255
_PAUSE: Final = 60.0  # when a 429 does not say how long
_LONGEST_PAUSE: Final = 3600.0
_CANDIDATES: Final = 5


class SendGridChannel:
    """Sends by `{host}/v3/mail/send`; `activity_lookup` says that the account may read the activity feed."""

    name: ClassVar[str] = "sendgrid"

    def __init__(
        self,
        api_key: str,
        host: str,
        session: requests.Session,
        *,
        clock: Clock,
        activity_lookup: bool = False,
    ) -> None:
        self._key = api_key
        self._host = host.rstrip("/")
        self._session = session
        self._clock = clock
        self._activity_lookup = activity_lookup
        self._letter: requests.PreparedRequest | None = None
        self._drawn_up: tuple[Envelope, requests.PreparedRequest] | None = None

    @property
    def place(self) -> str:
        """SendGrid's address; the account behind the key cannot be told."""
        return f"sendgrid {self._host}"

    def finish(self) -> list[str]:
        """Nothing is held open, and nothing kept."""
        self._drawn_up = None
        return []

    def prepare(self) -> None:
        """Nothing to do: what SendGrid remembers is its own affair."""

    def draw_up(self, envelope: Envelope) -> None:
        """Its request, ready to leave."""
        self._drawn_up = envelope, self._request(payload(envelope))

    def _requested(self, envelope: Envelope) -> requests.PreparedRequest:
        drawn, self._drawn_up = self._drawn_up, None
        if drawn is not None and drawn[0] == replace(envelope, at=drawn[0].at):  # the Date header is SendGrid's
            return drawn[1]
        return self._request(payload(envelope))

    def send(self, envelope: Envelope) -> Receipt:
        """SendGrid's X-Message-Id as receipt."""
        request = self._requested(envelope)
        try:
            # Streamed: an answer that breaks off after its status line is an answer all the same.
            answer = self._session.send(request, timeout=_TIMEOUT, allow_redirects=False, stream=True)
        except requests.RequestException as error:
            if never_left(error):
                raise RetryLater("SendGrid cannot be reached") from error
            raise OutcomeUnknown(f"SendGrid did not answer ({type(error).__name__})") from error
        with answer:
            return self._judge(answer, envelope.message_id)

    def _request(self, body: dict[str, Any]) -> requests.PreparedRequest:
        """All but the body is the same each time."""
        if self._letter is None:
            headers = {**self._authorization(), "Content-Type": "application/json"}
            blank = requests.Request("POST", f"{self._host}/v3/mail/send", headers=headers)
            self._letter = self._session.prepare_request(blank)
        letter = self._letter.copy()
        letter.body = msgspec.json.encode(body)
        letter.headers["Content-Length"] = str(len(letter.body))
        return letter

    def look_up(self, message_id: str) -> tuple[Evidence, str | None]:
        """`sent` where the activity feed shows the message; else `nothing`, since the feed lags behind."""
        if not self._activity_lookup:
            return Evidence.NOTHING, None
        query = f"unique_args['message_id']=\"{identity(message_id)}\""
        found = self._read("/v3/messages", {"query": query, "limit": str(_CANDIDATES)})
        messages = found.get("messages") if isinstance(found, Mapping) else None
        for message in messages[:_CANDIDATES] if isinstance(messages, list) else ():
            reference = message.get("msg_id") if isinstance(message, Mapping) else None
            # The filter is taken at its word only where the message itself carries our id.
            if isinstance(reference, str) and message_id in str(self._custom_args(reference)):
                return Evidence.SENT, reference
        return Evidence.NOTHING, None

    def _custom_args(self, reference: str) -> object:
        details = self._read(f"/v3/messages/{quote(reference, safe='')}", {})
        return details.get("unique_args") if isinstance(details, Mapping) else None

    def _read(self, path: str, query: dict[str, str]) -> object:
        try:
            answer = self._session.get(
                self._host + path,
                params=query,
                headers=self._authorization(),
                timeout=_TIMEOUT,
                allow_redirects=False,
            )
            return answer.json() if answer.status_code == 200 else None
        except requests.RequestException:
            return None  # no answer is no evidence

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"}

    def _judge(self, answer: requests.Response, message_id: str) -> Receipt:
        status = answer.status_code
        if status == 202:
            with contextlib.suppress(requests.RequestException):
                _ = answer.content  # read to its end, so that the connection goes back to the pool
            return Receipt(answer.headers.get("X-Message-Id") or message_id)
        if status == 429:
            raise RetryLater("SendGrid asks to slow down", after=self._pause(answer.headers))
        if status in _BARRED:
            raise Barred(f"SendGrid answered {status}: {self._first_error(answer)}")
        if status in _REFUSALS:
            raise Rejected(f"SendGrid answered {status}: {self._first_error(answer)}")
        raise OutcomeUnknown(f"SendGrid answered {status}")

    def _pause(self, headers: Mapping[str, str]) -> float:
        now = self._clock.now()
        reset, retry_after = headers.get("X-RateLimit-Reset", ""), headers.get("Retry-After", "").strip()
        if retry_after.isdigit():
            pause = float(retry_after)
        elif retry_after:
            try:
                until = parsedate_to_datetime(retry_after)
            except ValueError:
                return _PAUSE
            pause = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
        elif reset.strip().isdigit():
            pause = float(reset) - now.timestamp()
        else:
            return _PAUSE
        return min(max(pause, 1.0), _LONGEST_PAUSE)

    def _first_error(self, answer: requests.Response) -> str:
        try:
            first = answer.json()["errors"][0]
            message, place = str(first["message"]), first.get("field")
        except (requests.RequestException, ValueError, LookupError, TypeError, AttributeError):
            return "no reason given"
        # It is logged and shown: without our key, without anybody's address.
        said = f"{message} ({place})" if place and place != "null" else message
        said = re.sub(r"SG\.[\w.-]+", "<key>", said.replace(self._key, "<key>"))
        said = re.sub(r"[^\s<>\"'@]+@[^\s<>\"'@]+", "<address>", said)
        return " ".join(said.split())[:200]


def payload(envelope: Envelope) -> dict[str, Any]:
    """The request body of mail/send; Rejected where SendGrid or a mail reader would misread the envelope."""
    parts = addressed(envelope)
    mail = Mail(from_email=_named(From, parts.sender), subject=envelope.subject)
    mail.reply_to = _named(ReplyTo, parts.reply_to)
    personalization = Personalization()
    for kind, addresses in ((To, parts.to), (Cc, parts.cc), (Bcc, parts.bcc)):
        for address in addresses:
            personalization.add_email(_named(kind, address))
    personalization.add_custom_arg(CustomArg("message_id", envelope.message_id))
    for tag, value in sorted(envelope.tags.items()):
        personalization.add_custom_arg(CustomArg(tag, str(value)))
    mail.add_personalization(personalization)
    try:
        mail.add_content(Content(MimeType.text, envelope.text))
        mail.add_content(Content(MimeType.html, envelope.html))
    except ApiKeyIncludedException:
        raise Rejected("the text contains an API key") from None
    categories = dict.fromkeys(f"{tag}:{value}" for tag, value in sorted(envelope.tags.items()))
    for category in list(categories)[:_CATEGORIES]:
        mail.add_category(Category(category.encode("ascii", "replace").decode()[:_CATEGORY_LENGTH]))
    for header, content in parts.headers.items():
        # SendGrid copies headers as they are.
        plain = content if content.isascii() else EncodedWords(content, "utf-8").encode(linesep="", maxlinelen=0)
        mail.add_header(Header(header, plain))
    for file in checked(envelope.attachments):
        encoded = FileContent(b64encode(file.content).decode("ascii"))
        kind = FileType(file.media_type)
        mail.add_attachment(Attachment(encoded, FileName(file_name(file)), kind, Disposition("attachment")))
    # No pixel and no rewritten links: a debtor's reading habits are nobody's business.
    tracking = TrackingSettings()
    tracking.click_tracking = ClickTracking(enable=False, enable_text=False)
    tracking.open_tracking = OpenTracking(enable=False)
    tracking.subscription_tracking = SubscriptionTracking(enable=False)
    mail.tracking_settings = tracking
    body: dict[str, Any] = mail.get()
    return body


def _named(kind: type[Email], address: Address) -> Email:
    # SendGrid takes no comma and no semicolon in a name.
    name = " ".join(re.sub(r"[,;]", " ", address.display_name).split())
    # Built by its fields: the helper would parse a name with an address in it a second time.
    email = kind()
    email.email = address.addr_spec
    email.name = name or None
    return email
