"""Tables: what others post to us, until it is taken in."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, String, Table, Text

from arsync.domain.posted import PostKind
from arsync.store.tables.frame import metadata, one_of, only, partial
from arsync.store.types import Instant

hints = Table(  # a vendor told that something changed at the company: somebody shall look
    "hints",
    metadata,
    Column("connection_id", Integer, ForeignKey("connections.id"), primary_key=True),
    Column("told", Integer, nullable=False),  # rises with each webhook that tells something new
    Column("seen", Integer, nullable=False),  # as it stood when a pull began that came through
    Column("since", Instant, nullable=False),  # where the two differ: since when
    partial("ix_hints_open", "connection_id", where="seen < told"),
)

webhook_events = Table(  # what vendors' webhooks told lately: what comes twice tells nothing
    "webhook_events",
    metadata,
    Column("provider", String(32), nullable=False),
    Column("event_id", String(36), nullable=False),
    Column("received_at", Instant, nullable=False),
    PrimaryKeyConstraint("provider", "event_id"),
    Index("ix_webhook_events_received_at", "received_at"),
    sqlite_with_rowid=False,
)

posts = Table(  # what the mail provider posted, until it is taken in: then it goes
    "posts",
    metadata,
    Column("id", Integer, primary_key=True),
    one_of("kind", PostKind),
    Column("digest", String(64), nullable=False, unique=True),  # of its content: twice at once is once
    Column("content", Text, nullable=False),  # JSON, of what it said only what is taken in
    Column("received_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", Instant, nullable=False),  # after a try that failed: later
    Column("reason", Text, nullable=False),  # why the last try failed
    only("kind", PostKind),
)

doors = Table(  # each address that others post to, and what came there
    "doors",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("taken", Integer, nullable=False),
    Column("known", Integer, nullable=False),
    Column("stranger", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("malformed", Integer, nullable=False),
    Column("bad_in_a_row", Integer, nullable=False),  # refused or malformed since the last good one
    Column("good_at", Instant),  # the last one that was whose it said
    Column("bad_at", Instant),  # the last one that was refused or malformed
    Column("bad", Text),  # why
)
