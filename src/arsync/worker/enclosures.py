"""What goes with an e-mail: fetched after its payer was read again and before the last gate, and kept nowhere.

So what is attached is as fresh as the message, a worker that is killed leaves nothing behind, and no fetching stands
between the gate and the first byte. What cannot be had makes the message wait, or it goes without, as its step says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from arsync.channel.contract import Attachment
from arsync.connector import Clock, Connector, PrintsInvoices
from arsync.domain.policy import Attach, Lacking
from arsync.errors import ArsyncError, ConnectorError, Malformed, Reauthorise, RetryLater, TemplateError
from arsync.playbook.facts import Policy
from arsync.render.paper import words_of
from arsync.render.statement import statement_pdf
from arsync.render.wording import fill, one_line
from arsync.store import ledger, messages, statements
from arsync.store.engine import Store
from arsync.store.messages import Message, MessageItem

#: How the reason of a message begins that waits for its attachments.
WAITS: Final = "it waits for what goes with it"
#: So many invoices are fetched for one message at most: each is a request, and mailboxes have an end.
MOST_INVOICES: Final = 20
_PDF: Final = "application/pdf"


class Missing(ArsyncError):
    """An attachment cannot be had."""

    def __str__(self) -> str:
        return self.detail  # what it is about is said around it, in one line


@dataclass(frozen=True, slots=True)
class Enclosures:
    """The files, and a line for each that could not be had."""

    attachments: tuple[Attachment, ...] = ()
    without: tuple[str, ...] = ()


def fetch(store: Store, connector: Connector, policy: Policy, message: Message, clock: Clock) -> Enclosures:
    """All that goes with the message; Missing where something cannot be had and its step says that it waits then.

    Raises RetryLater and Reauthorise as the source says them.
    """
    wanted, lacking = message.enclosed
    if not wanted:
        return Enclosures()
    files: list[Attachment] = []
    without: list[str] = []
    for found in _each(store, connector, policy, message, clock, wanted):
        if isinstance(found, Attachment):
            files.append(found)
        else:
            without.append(found)
    if without and lacking is Lacking.WAIT:
        raise Missing("; ".join(without))
    beyond = len(_demanded(store, message)) - MOST_INVOICES if Attach.INVOICES in wanted else 0
    if beyond > 0:  # a rule of size, as that of too large a file: waiting would not help
        without.append(f"{beyond} more invoices: at most {MOST_INVOICES} go with one message")
    return Enclosures(tuple(files), tuple(without))


def _each(
    store: Store, connector: Connector, policy: Policy, message: Message, clock: Clock, wanted: Sequence[Attach]
) -> Iterator[Attachment | str]:
    """Each file, or why it cannot be had."""
    language = message.locale.partition("-")[0].partition("_")[0]
    words = words_of(language)
    if Attach.STATEMENT in wanted:
        yield _statement(store, policy, message, clock, words["statement"])
    if Attach.INVOICES not in wanted:
        return
    for item in _demanded(store, message)[:MOST_INVOICES]:
        number = one_line(item.number or item.invoice_id, 60)
        if not isinstance(connector, PrintsInvoices):
            yield f"invoice {number}: the accounting system does not print invoices for others"
        else:
            try:
                body = connector.invoice_pdf(item.invoice_id)
            except (RetryLater, Reauthorise):
                raise
            except ConnectorError as error:
                yield f"invoice {number}: {error.detail if isinstance(error, Malformed) else error}"
            else:
                yield Attachment(f"{fill(words['invoice'], number)}.pdf", _PDF, body)


def _demanded(store: Store, message: Message) -> list[MessageItem]:
    with store.reading() as work:
        return [item for item in messages.items(work, message.id) if item.demanded]


def _statement(store: Store, policy: Policy, message: Message, clock: Clock, title: str) -> Attachment | str:
    """The payer's statement in the message's currency, as the source has just told it."""
    on = policy.today(clock.now())
    with store.reading() as work:
        every = statements.of_payer(work, message.connection_id, message.payer_id, on=on)
        payer = ledger.read(work, message.connection_id, message.payer_id).payers.get(message.payer_id)
    mine = next((one for one in every if one.currency == message.currency), None)
    if mine is None:
        return f"the statement: nothing is open in {message.currency}"
    locale = policy.seller.locale if policy.seller.locale.lower().startswith(message.locale.lower()) else message.locale
    try:
        body = statement_pdf(
            mine, policy.seller, locale=locale, address=payer.address if payer else None,
            country=payer.country if payer else None,
        )  # fmt: skip
    except TemplateError as error:
        return f"the statement: {error}"
    return Attachment(f"{title} {on} {message.currency}.pdf", _PDF, body)
