"""Tables: who we are, whom we may read, and how far we have."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from arsync.domain.states import (
    Health,
)
from arsync.store.tables.frame import connection, metadata, one_of, only, partial
from arsync.store.types import Instant

installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(8), nullable=False),  # stands in every note marker: tells our notes from another's
    Column("created_at", Instant, nullable=False),
    Column("stopped_at", Instant),  # the red button: while set, nothing passes the last gate
    Column("stopped_by", Text),
    Column("stop_reason", Text),
    Column("lists_read_at", Instant),  # the mail provider's lists of addresses not to be written to
    CheckConstraint("id = 1", name="one_row"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("token", String(32), nullable=False),
    Column("holder", Text, nullable=False),  # which process; where that is dead, the lease is over
    Column("until", Instant, nullable=False),
)

budgets = Table(
    "budgets",
    metadata,
    Column("scope", String(128), primary_key=True),  # a company at its vendor, or the app over all its companies
    Column("account", Text, nullable=False),  # what was spent of the vendor's allowance: JSON, of the last day only
)

grants = Table(
    "grants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("sealed", Text, nullable=False),  # the token pair, encrypted; empty: disconnected
    Column("updated_at", Instant, nullable=False),  # when that pair came
    Column("consented_at", Instant),  # null: a token from elsewhere, whose age nobody knows
    Column("idle_until", Instant),  # when the refresh token ends if nobody uses it
    Column("hard_until", Instant),  # when the consent ends however often it is used
    Column("ended_at", Instant),  # the vendor takes the pair no more: no request goes out with it
    Column("ended_reason", Text),
)

connections = Table(
    "connections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("provider", String(32), nullable=False),
    Column("external_id", String(64), nullable=False),
    Column("grant_id", Integer, ForeignKey("grants.id"), nullable=False),
    Column("company_name", Text, nullable=False),
    Column("base_currency", String(3), nullable=False),
    Column("country", String(2)),
    Column("timezone", String(64)),
    Column("reminders_on", Boolean),
    one_of("health", Health),
    Column("health_reason", Text, nullable=False),
    Column("synced_at", Instant),  # start of the last sync that came through whole
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("provider", "external_id"),
    only("health", Health),
)

reminder_answers = Table(  # asked once, where the source does not tell whether it reminds customers itself
    "reminder_answers",
    metadata,
    Column("connection_id", Integer, ForeignKey("connections.id"), primary_key=True),
    Column("reminds", Boolean, nullable=False),
    Column("author", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

duties = Table(  # what a worker does by the clock
    "duties",
    metadata,
    Column("name", String(96), primary_key=True),  # the kind of job, and its company
    Column("due_at", Instant, nullable=False),  # the moment for which it was taken up last
    Column("begun_at", Instant),  # null: it was called for, and nobody does it yet
    Column("ended_at", Instant),  # null: it is being done, or its worker is gone
    Column("error", Text),  # of its last end
    partial("ix_duties_open", "name", where="ended_at IS NULL"),
)

alerts = Table(  # states that people are told of, until they were told that each is over
    "alerts",
    metadata,
    Column("key", String(160), nullable=False),  # what it is, and of which company
    Column("path", String(16), nullable=False),  # by which way they are told
    Column("text", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("told_at", Instant),  # null: not yet
    Column("ended_at", Instant),  # null: it stands
    PrimaryKeyConstraint("key", "path"),
)

cursors = Table(
    "cursors",
    metadata,
    connection(),
    Column("pull", String(32), nullable=False),  # "delta", or the resource of a backfill
    Column("position", Text),  # the connector's own; null before the first page
    Column("done", Boolean, nullable=False),
    Column("seen", Integer, nullable=False),  # records on the wire so far
    Column("updated_at", Instant, nullable=False),
    PrimaryKeyConstraint("connection_id", "pull"),
    sqlite_with_rowid=False,
)

pulse = Table(
    "pulse",
    metadata,
    connection(),
    Column("day", Date, nullable=False),
    Column("invoices", Integer, nullable=False),  # new in the source that day
    Column("payments", Integer, nullable=False),
    PrimaryKeyConstraint("connection_id", "day"),
    sqlite_with_rowid=False,
)

quarantine = Table(
    "quarantine",
    metadata,
    connection(),
    Column("resource", String(16), nullable=False),
    Column("remote_id", String(64), nullable=False),  # or a hash of the text, where no id can be read
    Column("customer_id", String(64)),
    Column("reason", Text, nullable=False),
    Column("raw", Text, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    PrimaryKeyConstraint("connection_id", "resource", "remote_id"),
    sqlite_with_rowid=False,
)
