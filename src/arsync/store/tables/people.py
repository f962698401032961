"""Tables: what a person said."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from arsync.domain.documents import ContactRole
from arsync.domain.people import CallOutcome, DisputeCode, TouchKind
from arsync.domain.states import (
    HoldKind,
    HoldState,
    PlanState,
    PromiseState,
)
from arsync.store.tables.frame import connection, metadata, one_of, only, partial
from arsync.store.types import Amount, Instant

holds = Table(
    "holds",
    metadata,
    Column("id", Integer, primary_key=True),
    connection(),
    Column("payer_id", String(64)),  # both ids null: the whole connection
    Column("invoice_id", String(64)),
    one_of("kind", HoldKind),
    one_of("state", HoldState),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("begins", Date, nullable=False),
    Column("until", Date),  # inclusive
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("code", String(24)),  # of a dispute: what is contested
    Column("amount", Amount),  # of a dispute about a part of its invoice: how much; the rest is chased
    Column("currency", String(3)),
    Column("promise_id", Integer),  # what it stands for, and ends with
    Column("plan_id", Integer),
    Column("call_id", Integer),  # the outcome of a call that it was said with, and is taken back with
    Column("reply_id", Integer),  # whose answer it waits for
    partial("ix_holds_active", "connection_id", "payer_id", where="state = 'active'"),
    Index("ix_holds_payer", "connection_id", "payer_id"),
    partial("ix_holds_invoice", "connection_id", "invoice_id", where="invoice_id IS NOT NULL"),
    only("kind", HoldKind),
    only("state", HoldState),
    only("code", DisputeCode),
)

plans = Table(  # instalments: promises that were agreed together
    "plans",
    metadata,
    Column("id", Integer, primary_key=True),
    connection(),
    Column("payer_id", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("total", Amount, nullable=False),
    one_of("state", PlanState),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    only("state", PlanState),
)

promises = Table(
    "promises",
    metadata,
    Column("id", Integer, primary_key=True),
    connection(),
    Column("payer_id", String(64), nullable=False),
    Column("invoice_id", String(64)),  # null: all that the payer owed when it was given, or its plan's
    Column("currency", String(3), nullable=False),
    Column("amount", Amount, nullable=False),
    Column("promised_on", Date, nullable=False),  # the day the customer named
    Column("grace", Integer, nullable=False),  # business days
    one_of("state", PromiseState),
    Column("author", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("until", Date, nullable=False),  # the last day of grace: broken after it
    Column("reason", Text, nullable=False),
    Column("paid_before", Amount, nullable=False),  # what had been put on its invoices when it was given
    Column("plan_id", Integer, ForeignKey("plans.id")),
    partial("ix_promises_open", "connection_id", "payer_id", where="state = 'open'"),
    Index("ix_promises_payer", "connection_id", "payer_id"),
    partial("ix_promises_settled", "connection_id", "settled_at", where="settled_at IS NOT NULL"),
    only("state", PromiseState),
)

plan_invoices = Table(  # what a plan is about
    "plan_invoices",
    metadata,
    Column("plan_id", Integer, ForeignKey("plans.id"), nullable=False),
    Column("invoice_id", String(64), nullable=False),
    PrimaryKeyConstraint("plan_id", "invoice_id"),
    sqlite_with_rowid=False,
)

promise_invoices = Table(  # what a promise for all that a payer owes is about: what was open when it was given
    "promise_invoices",
    metadata,
    Column("promise_id", Integer, ForeignKey("promises.id"), nullable=False),
    Column("invoice_id", String(64), nullable=False),
    PrimaryKeyConstraint("promise_id", "invoice_id"),
    sqlite_with_rowid=False,
)

touches = Table(  # made by hand, without arsync
    "touches",
    metadata,
    Column("id", Integer, primary_key=True),
    connection(),
    Column("payer_id", String(64), nullable=False),
    one_of("kind", TouchKind),
    Column("made_on", Date, nullable=False),
    Column("step_id", String(64)),  # the step of the ladder that it stood for
    Column("comment", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("undone_at", Instant),
    partial("ix_touches_standing", "connection_id", "payer_id", where="undone_at IS NULL"),
    only("kind", TouchKind),
)

touched_invoices = Table(  # what it was about
    "touched_invoices",
    metadata,
    Column("touch_id", Integer, ForeignKey("touches.id"), nullable=False),
    Column("invoice_id", String(64), nullable=False),
    PrimaryKeyConstraint("touch_id", "invoice_id"),
    sqlite_with_rowid=False,
)

call_outcomes = Table(
    "call_outcomes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("message_id", Integer, ForeignKey("messages.id"), nullable=False),
    one_of("outcome", CallOutcome),
    Column("made_on", Date, nullable=False),
    Column("comment", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("undone_at", Instant),
    Index("ix_call_outcomes_message", "message_id"),
    only("outcome", CallOutcome),
)

comments = Table(
    "comments",
    metadata,
    Column("id", Integer, primary_key=True),
    connection(),
    Column("payer_id", String(64), nullable=False),
    Column("invoice_id", String(64)),
    Column("text", Text, nullable=False),
    Column("follow_up", Date),  # a task from that day on
    Column("author", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("done_at", Instant),
    Index("ix_comments_payer", "connection_id", "payer_id"),
    partial("ix_comments_due", "connection_id", "follow_up", where="done_at IS NULL AND follow_up IS NOT NULL"),
)

owners = Table(  # who of our people looks after a customer
    "owners",
    metadata,
    connection(),
    Column("customer_id", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("phone", Text),
    Column("signature", Text),
    Column("author", Text, nullable=False),
    Column("since", Instant, nullable=False),
    PrimaryKeyConstraint("connection_id", "customer_id"),
    sqlite_with_rowid=False,
)

own_languages = Table(  # what a customer is written to in, as a person said; before what the source says
    "own_languages",
    metadata,
    connection(),
    Column("customer_id", String(64), nullable=False),
    Column("language", String(16), nullable=False),
    Column("author", Text, nullable=False),
    Column("said_at", Instant, nullable=False),
    PrimaryKeyConstraint("connection_id", "customer_id"),
    sqlite_with_rowid=False,
)

own_contacts = Table(  # people whom we know and the source does not; no sync takes them away
    "own_contacts",
    metadata,
    connection(),
    Column("customer_id", String(64), nullable=False),
    Column("email", String(320), nullable=False),  # in lower case, as it is compared
    Column("name", Text, nullable=False),
    Column("phone", Text),
    one_of("role", ContactRole),
    Column("author", Text, nullable=False),
    Column("added_at", Instant, nullable=False),
    PrimaryKeyConstraint("connection_id", "customer_id", "email"),
    only("role", ContactRole),
    sqlite_with_rowid=False,
)

customer_tags = Table(  # ours: what a person, or an import, said of a customer
    "customer_tags",
    metadata,
    connection(),
    Column("customer_id", String(64), nullable=False),
    Column("tag", String(64), nullable=False),  # in lower case, words joined by hyphens
    Column("author", Text, nullable=False),
    Column("added_at", Instant, nullable=False),
    PrimaryKeyConstraint("connection_id", "customer_id", "tag"),
    sqlite_with_rowid=False,
)

playbook_assignments = Table(  # a person's choice; the newest that has not ended counts
    "playbook_assignments",
    metadata,
    Column("id", Integer, primary_key=True),
    connection(),
    Column("payer_id", String(64), nullable=False),
    Column("invoice_id", String(64)),  # null: all that the payer owes
    Column("playbook", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    partial("ix_playbook_assignments_standing", "connection_id", "payer_id", where="ended_at IS NULL"),
)
