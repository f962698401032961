"""Tables: what comes back, and the log."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from arsync.domain.feedback import EventKind, SuppressionKind
from arsync.domain.replies import MailKind, Meaning, ReplyState
from arsync.store.append_only import MARK
from arsync.store.tables.frame import metadata, one_of, only, partial
from arsync.store.types import Instant

replies = Table(  # every mail that came in, once
    "replies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("identity", String(64), nullable=False, unique=True),  # of its Message-ID, sender and words
    Column("connection_id", Integer, ForeignKey("connections.id")),  # null: nobody knows to whom it belongs
    Column("payer_id", String(64)),
    Column("message_id", Integer, ForeignKey("messages.id")),  # what it answers; null: not known
    one_of("kind", MailKind),
    one_of("state", ReplyState),
    Column("why", Text, nullable=False),  # how it was told what it is and whose
    Column("origin", Text, nullable=False),  # where it was read
    Column("sender", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),  # without what it quotes
    Column("meaning", String(24)),
    Column("confidence", Integer),  # percent
    Column("phrases", Text, nullable=False),  # JSON: what spoke for that meaning
    Column("received_at", Instant, nullable=False),
    Column("done_at", Instant),
    Column("done_by", Text),
    Column("outcome", Text),
    Column("placed", Text),  # JSON: the holds that stand for the outcome
    partial("ix_replies_waiting", "connection_id", where="state = 'waiting'"),
    Index("ix_replies_payer", "connection_id", "payer_id"),
    Index("ix_replies_message", "message_id"),
    only("kind", MailKind),
    only("state", ReplyState),
    only("meaning", Meaning),
)

mailboxes = Table(  # how far each has been read
    "mailboxes",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("uid_validity", BigInteger, nullable=False),  # the server's: where it changes, the numbers begin anew
    Column("last_uid", BigInteger, nullable=False),
    Column("polled_at", Instant),  # when it was last read to its end
)

#: What mail providers told of messages and addresses; its rows are never changed or deleted.
provider_events = Table(
    "provider_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("event_id", String(200), nullable=False),  # the provider's: what is told twice is one fact
    one_of("kind", EventKind),
    Column("address", String(320), nullable=False),  # bare, in lower case
    Column("at", Instant, nullable=False),  # by the provider's clock
    Column("received_at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("message_id", Integer, ForeignKey("messages.id")),  # null: of an address only
    Column("reference", Text),  # the provider's
    UniqueConstraint("provider", "event_id"),
    Index("ix_provider_events_message", "message_id"),
    Index("ix_provider_events_address", "address"),
    only("kind", EventKind),
    info={MARK: True},
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("address", String(320), nullable=False),  # bare, in lower case
    one_of("kind", SuppressionKind),
    Column("since", Instant, nullable=False),
    Column("source", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("lifted_at", Instant),  # null: nobody writes to it
    Column("lifted_by", Text),
    PrimaryKeyConstraint("address", "kind"),
    only("kind", SuppressionKind),
    sqlite_with_rowid=False,
)

#: Its rows are never changed or deleted.
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("kind", String(32), nullable=False),  # in the past tense: message_accepted
    Column("connection_id", Integer, ForeignKey("connections.id")),
    Column("chase_id", Integer, ForeignKey("chases.id")),
    Column("message_id", Integer, ForeignKey("messages.id")),
    Column("author", Text, nullable=False),
    Column("data", Text, nullable=False),  # JSON; no secrets, no message bodies
    Index("ix_events_chase", "chase_id"),
    partial("ix_events_message", "message_id", where="message_id IS NOT NULL"),
    partial("ix_events_payer_changed", "connection_id", where="kind = 'payer_changed'"),
    info={MARK: True},
)
