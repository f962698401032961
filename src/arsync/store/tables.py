"""The tables. What must never be possible is made impossible here, by keys and partial unique indexes."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from arsync.domain.documents import ContactRole, CreditState, CustomerState, InvoiceState, PaymentKind
from arsync.domain.feedback import EventKind, SuppressionKind
from arsync.domain.people import CallOutcome, DisputeCode, TouchKind
from arsync.domain.replies import MailKind, Meaning, ReplyState
from arsync.domain.states import (
    ChaseState,
    Decision,
    Health,
    HoldKind,
    HoldState,
    MessageState,
    NoteState,
    PlanState,
    PromiseState,
    WriteKind,
)
from arsync.store.append_only import MARK
from arsync.store.types import Amount, Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(name: str, kind: type[StrEnum], **options: Any) -> Column[str]:
    """A text column that holds a state; the database refuses any other word."""
    return Column(name, String(24), nullable=False, **options)


def _only(name: str, kind: type[StrEnum]) -> CheckConstraint:
    words = ", ".join(f"'{word.value}'" for word in kind)
    return CheckConstraint(f"{name} IN ({words})", name=name)


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index over the rows that matter only."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


def _connection() -> Column[int]:
    return Column("connection_id", Integer, ForeignKey("connections.id"), nullable=False)


# --- who we are, who we may read ------------------------------------------------------------------------

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
    _one_of("health", Health),
    Column("health_reason", Text, nullable=False),
    Column("synced_at", Instant),  # start of the last sync that came through whole
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("provider", "external_id"),
    _only("health", Health),
)

reminder_answers = Table(  # asked once, where the source does not tell whether it reminds customers itself
    "reminder_answers",
    metadata,
    Column("connection_id", Integer, ForeignKey("connections.id"), primary_key=True),
    Column("reminds", Boolean, nullable=False),
    Column("author", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    _connection(),
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
    _connection(),
    Column("day", Date, nullable=False),
    Column("invoices", Integer, nullable=False),  # new in the source that day
    Column("payments", Integer, nullable=False),
    PrimaryKeyConstraint("connection_id", "day"),
    sqlite_with_rowid=False,
)

quarantine = Table(
    "quarantine",
    metadata,
    _connection(),
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

# --- the cache: what the source says ------------------------------------------------------------------------

customers = Table(
    "customers",
    metadata,
    _connection(),
    Column("remote_id", String(64), nullable=False),
    Column("name", Text, nullable=False),
    _one_of("state", CustomerState),
    Column("parent_id", String(64)),
    Column("merged_into", String(64)),
    Column("payer_id", String(64), nullable=False),  # who pays: follows merges and parents to their end
    Column("currency", String(3)),
    Column("country", String(2)),
    Column("language", String(16)),
    Column("balance", Amount),
    Column("updated_at", Instant, nullable=False),
    Column("version", String(32), nullable=False),
    Column("region", Text),
    Column("terms", Text),
    Column("address", Text),  # postal, below the name, a line for each of its own
    Column("group_ids", Text),  # JSON: the source's groups it is in; null: none
    PrimaryKeyConstraint("connection_id", "remote_id"),
    Index("ix_customers_payer", "connection_id", "payer_id"),
    _partial("ix_customers_parent", "connection_id", "parent_id", where="parent_id IS NOT NULL"),
    _partial("ix_customers_grouped", "connection_id", "remote_id", where="group_ids IS NOT NULL"),
    _partial("ix_customers_survivor", "connection_id", "merged_into", where="merged_into IS NOT NULL"),
    _only("state", CustomerState),
    sqlite_with_rowid=False,
)

customer_groups = Table(  # the source's own, by name
    "customer_groups",
    metadata,
    _connection(),
    Column("remote_id", String(64), nullable=False),
    Column("name", Text, nullable=False),
    PrimaryKeyConstraint("connection_id", "remote_id"),
    sqlite_with_rowid=False,
)

contacts = Table(
    "contacts",
    metadata,
    _connection(),
    Column("customer_id", String(64), nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("phone", Text),
    _one_of("role", ContactRole),
    PrimaryKeyConstraint("connection_id", "customer_id", "position"),
    _only("role", ContactRole),
    sqlite_with_rowid=False,
)

invoices = Table(
    "invoices",
    metadata,
    _connection(),
    Column("remote_id", String(64), nullable=False),
    Column("number", Text, nullable=False),
    Column("customer_id", String(64), nullable=False),
    _one_of("state", InvoiceState),
    Column("currency", String(3), nullable=False),
    Column("total", Amount, nullable=False),
    Column("balance", Amount, nullable=False),
    Column("issued_on", Date, nullable=False),
    Column("due_on", Date),
    Column("reference", Text),
    Column("email", Text),
    Column("updated_at", Instant, nullable=False),
    Column("version", String(32), nullable=False),
    Column("purchase_order", Text),
    Column("terms", Text),
    Column("copies", Text),  # comma-separated
    Column("exchange_rate", Text),  # exact: the company's own currency for one unit
    Column("expected_on", Date),
    Column("sent", Boolean),
    PrimaryKeyConstraint("connection_id", "remote_id"),
    Index("ix_invoices_number", "number"),
    Index("ix_invoices_customer", "connection_id", "customer_id"),
    _partial("ix_invoices_open", "connection_id", "due_on", where="state = 'open'"),
    _only("state", InvoiceState),
    sqlite_with_rowid=False,
)

invoice_lines = Table(
    "invoice_lines",
    metadata,
    _connection(),
    Column("invoice_id", String(64), nullable=False),
    Column("position", Integer, nullable=False),
    Column("description", Text, nullable=False),
    Column("quantity", Text),  # exact, as the source wrote it
    Column("amount", Amount, nullable=False),
    PrimaryKeyConstraint("connection_id", "invoice_id", "position"),
    sqlite_with_rowid=False,
)

pay_links = Table(
    "pay_links",
    metadata,
    _connection(),
    Column("invoice_id", String(64), nullable=False),
    Column("url", Text),  # null: there was none when it was asked for
    Column("asked_at", Instant, nullable=False),
    PrimaryKeyConstraint("connection_id", "invoice_id"),
    sqlite_with_rowid=False,
)

payments = Table(
    "payments",
    metadata,
    _connection(),
    Column("remote_id", String(64), nullable=False),
    _one_of("kind", PaymentKind),
    Column("customer_id", String(64)),
    _one_of("state", CreditState),
    Column("currency", String(3), nullable=False),
    Column("amount", Amount, nullable=False),
    Column("unapplied", Amount, nullable=False),
    Column("received_on", Date, nullable=False),
    Column("reference", Text),
    Column("updated_at", Instant, nullable=False),
    Column("version", String(32), nullable=False),
    Column("exchange_rate", Text),  # exact: the company's own currency for one unit
    PrimaryKeyConstraint("connection_id", "remote_id"),
    Index("ix_payments_customer", "connection_id", "customer_id"),
    _partial("ix_payments_unapplied", "connection_id", "currency", where="unapplied <> 0"),
    _only("kind", PaymentKind),
    _only("state", CreditState),
    sqlite_with_rowid=False,
)

credit_notes = Table(
    "credit_notes",
    metadata,
    _connection(),
    Column("remote_id", String(64), nullable=False),
    Column("number", Text, nullable=False),
    Column("customer_id", String(64), nullable=False),
    _one_of("state", CreditState),
    Column("currency", String(3), nullable=False),
    Column("total", Amount, nullable=False),
    Column("unapplied", Amount, nullable=False),
    Column("issued_on", Date, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("version", String(32), nullable=False),
    Column("exchange_rate", Text),  # exact: the company's own currency for one unit
    PrimaryKeyConstraint("connection_id", "remote_id"),
    Index("ix_credit_notes_customer", "connection_id", "customer_id"),
    _partial("ix_credit_notes_unapplied", "connection_id", "currency", where="unapplied <> 0"),
    _only("state", CreditState),
    sqlite_with_rowid=False,
)

allocations = Table(
    "allocations",
    metadata,
    _connection(),
    Column("source", String(16), nullable=False),  # payments | credit_notes
    Column("source_id", String(64), nullable=False),
    Column("position", Integer, nullable=False),
    Column("invoice_id", String(64), nullable=False),
    Column("amount", Amount, nullable=False),
    Column("allocated_on", Date, nullable=False),
    PrimaryKeyConstraint("connection_id", "source", "source_id", "position"),
    Index("ix_allocations_invoice", "connection_id", "invoice_id"),
    sqlite_with_rowid=False,
)

# --- what a person said ------------------------------------------------------------------------------------------

holds = Table(
    "holds",
    metadata,
    Column("id", Integer, primary_key=True),
    _connection(),
    Column("payer_id", String(64)),  # both ids null: the whole connection
    Column("invoice_id", String(64)),
    _one_of("kind", HoldKind),
    _one_of("state", HoldState),
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
    _partial("ix_holds_active", "connection_id", "payer_id", where="state = 'active'"),
    _only("kind", HoldKind),
    _only("state", HoldState),
    _only("code", DisputeCode),
)

plans = Table(  # instalments: promises that were agreed together
    "plans",
    metadata,
    Column("id", Integer, primary_key=True),
    _connection(),
    Column("payer_id", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("total", Amount, nullable=False),
    _one_of("state", PlanState),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    _only("state", PlanState),
)

promises = Table(
    "promises",
    metadata,
    Column("id", Integer, primary_key=True),
    _connection(),
    Column("payer_id", String(64), nullable=False),
    Column("invoice_id", String(64)),  # null: all that the payer owed when it was given, or its plan's
    Column("currency", String(3), nullable=False),
    Column("amount", Amount, nullable=False),
    Column("promised_on", Date, nullable=False),  # the day the customer named
    Column("grace", Integer, nullable=False),  # business days
    _one_of("state", PromiseState),
    Column("author", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("until", Date, nullable=False),  # the last day of grace: broken after it
    Column("reason", Text, nullable=False),
    Column("paid_before", Amount, nullable=False),  # what had been put on its invoices when it was given
    Column("plan_id", Integer, ForeignKey("plans.id")),
    _partial("ix_promises_open", "connection_id", "payer_id", where="state = 'open'"),
    _only("state", PromiseState),
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
    _connection(),
    Column("payer_id", String(64), nullable=False),
    _one_of("kind", TouchKind),
    Column("made_on", Date, nullable=False),
    Column("step_id", String(64)),  # the step of the ladder that it stood for
    Column("comment", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("undone_at", Instant),
    _partial("ix_touches_standing", "connection_id", "payer_id", where="undone_at IS NULL"),
    _only("kind", TouchKind),
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
    _one_of("outcome", CallOutcome),
    Column("made_on", Date, nullable=False),
    Column("comment", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("undone_at", Instant),
    Index("ix_call_outcomes_message", "message_id"),
    _only("outcome", CallOutcome),
)

comments = Table(
    "comments",
    metadata,
    Column("id", Integer, primary_key=True),
    _connection(),
    Column("payer_id", String(64), nullable=False),
    Column("invoice_id", String(64)),
    Column("text", Text, nullable=False),
    Column("follow_up", Date),  # a task from that day on
    Column("author", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("done_at", Instant),
    _partial("ix_comments_due", "connection_id", "follow_up", where="done_at IS NULL AND follow_up IS NOT NULL"),
)

owners = Table(  # who of our people looks after a customer
    "owners",
    metadata,
    _connection(),
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
    _connection(),
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
    _connection(),
    Column("customer_id", String(64), nullable=False),
    Column("email", String(320), nullable=False),  # in lower case, as it is compared
    Column("name", Text, nullable=False),
    Column("phone", Text),
    _one_of("role", ContactRole),
    Column("author", Text, nullable=False),
    Column("added_at", Instant, nullable=False),
    PrimaryKeyConstraint("connection_id", "customer_id", "email"),
    _only("role", ContactRole),
    sqlite_with_rowid=False,
)

customer_tags = Table(  # ours: what a person, or an import, said of a customer
    "customer_tags",
    metadata,
    _connection(),
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
    _connection(),
    Column("payer_id", String(64), nullable=False),
    Column("invoice_id", String(64)),  # null: all that the payer owes
    Column("playbook", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    _partial("ix_playbook_assignments_standing", "connection_id", "payer_id", where="ended_at IS NULL"),
)

# --- what we decide ------------------------------------------------------------------------------------------------

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("summary", Text),  # JSON: counts
)

playbook_versions = Table(  # never changed: what a chase began with can be read as long as it runs
    "playbook_versions",
    metadata,
    Column("version", String(64), primary_key=True),  # the hash of the content
    Column("name", String(64), nullable=False),
    Column("text", Text, nullable=False),  # the YAML as it was written
    Column("templates", Text, nullable=False),  # JSON: file name -> text
    Column("first_seen_at", Instant, nullable=False),
)

rulebooks = Table(  # the playbooks, each in one version, that chases choose from
    "rulebooks",
    metadata,
    Column("id", String(64), primary_key=True),  # the hash of what is in it
    Column("versions", Text, nullable=False),  # JSON: playbook -> version
    Column("first_seen_at", Instant, nullable=False),
)

kept_versions = Table(  # changes that a person refused for running chases
    "kept_versions",
    metadata,
    Column("name", String(64), nullable=False),
    Column("version", String(64), nullable=False),  # of the file; empty: it is gone
    Column("author", Text, nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("name", "version"),
    sqlite_with_rowid=False,
)

chases = Table(
    "chases",
    metadata,
    Column("id", Integer, primary_key=True),
    _connection(),
    Column("payer_id", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    _one_of("state", ChaseState),
    Column("version", Integer, nullable=False),  # bumped by whatever could change the next message
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("rulebook", String(64), ForeignKey("rulebooks.id")),  # what it chooses from; null: it has not been planned
    Column("playbook", String(64)),  # what it chose when it was last planned
    Column("playbook_version", String(64)),
    Index("ix_chases_payer", "connection_id", "payer_id", "currency"),
    # A paid-up payer who owes again gets a new chase; two at the same time there never are.
    _partial(
        "uq_chases_live",
        "connection_id",
        "payer_id",
        "currency",
        where="state IN ('open', 'reopened')",
        unique=True,
    ),
    _only("state", ChaseState),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Integer, primary_key=True),
    _connection(),
    Column("chase_id", Integer, ForeignKey("chases.id"), nullable=False),
    Column("invoice_id", String(64), nullable=False),
    _one_of("decision", Decision),
    Column("rule", String(24), nullable=False),
    Column("reason", Text, nullable=False),
    Column("next_on", Date),
    Column("step_id", String(64)),
    Column("inputs", String(64), nullable=False),  # hash of what the planner saw
    Column("first_run", Integer, ForeignKey("runs.id"), nullable=False),
    Column("first_on", Date, nullable=False),
    Column("last_run", Integer, ForeignKey("runs.id")),  # null: it still stands
    Column("last_on", Date),
    _partial("uq_verdicts_standing", "connection_id", "invoice_id", where="last_run IS NULL", unique=True),
    _partial("ix_verdicts_chase", "chase_id", where="last_run IS NULL"),
    Index("ix_verdicts_invoice", "connection_id", "invoice_id", "first_run"),
    _only("decision", Decision),
)

# --- what leaves -----------------------------------------------------------------------------------------------------

_LIVE = "state IN ('planned', 'approved', 'claimed', 'sending', 'unknown')"

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(32), nullable=False, unique=True),  # ours: Message-ID, custom argument, file name
    _connection(),
    Column("chase_id", Integer, ForeignKey("chases.id"), nullable=False),
    Column("step_id", String(64), nullable=False),
    Column("occurrence", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    _one_of("state", MessageState),
    Column("reason", Text, nullable=False),  # why it stands in this state
    Column("channel", String(16), nullable=False),  # email | letter | call | task
    Column("tone", Integer, nullable=False),
    Column("playbook", String(64), nullable=False),
    Column("playbook_version", String(64), nullable=False),
    Column("locale", String(16), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("recipients", Text, nullable=False),  # JSON: RFC 5322 mailboxes
    Column("copies", Text),  # JSON: the mailboxes that get a copy; null: none does
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount", Amount, nullable=False),  # demanded
    Column("planned_at", Instant, nullable=False),
    Column("planned_on", Date, nullable=False),
    Column("written", String(64)),  # hash of invoices, amounts, recipients and words as generated on planned_on
    Column("frame", String(64)),  # the fingerprint of the same message about no invoice
    Column("resend_of", Integer, ForeignKey("messages.id")),  # a person asked for that one once more
    Column("asked_by", Text),  # who sent this statement of account by hand
    Column("asked_at", Instant),  # since when it waits for a person's answer
    Column("edited_by", Text),  # its words are a person's, and not generated again
    Column("approved_by", Text),
    Column("approved_at", Instant),
    Column("approved_as", String(64)),  # hash of what that person saw
    Column("approved_until", Instant),  # the end of the next send window: then somebody has to look again
    Column("may_shrink", Boolean),  # invoices that are paid meanwhile may drop out without another look
    Column("claim_token", String(32)),
    Column("claimed_by", Text),  # the process; where it is dead, the claim is over
    Column("claimed_until", Instant),
    Column("chase_version", Integer),  # as confirmed under the claim; the last gate compares
    Column("sending_at", Instant),
    Column("accepted_at", Instant),
    Column("sent_on", Date),
    Column("way_out", Text),  # the place of the channel it was last given to
    Column("diverted_to", Text),  # our own address that it went to instead of the customer's
    Column("reference", Text),  # the provider's id, or a path
    Column("attempts", Integer, nullable=False),
    Column("not_before", Instant),
    Column("attached", Text),  # what goes with it, as its step says; fetched right before the gate
    UniqueConstraint("chase_id", "step_id", "occurrence", "revision"),
    _partial("uq_messages_live", "chase_id", where=_LIVE, unique=True),
    Index("ix_messages_state", "state", "connection_id"),
    _only("state", MessageState),
)

message_items = Table(
    "message_items",
    metadata,
    Column("message_id", Integer, ForeignKey("messages.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("invoice_id", String(64), nullable=False),
    Column("number", Text, nullable=False),
    Column("amount", Amount, nullable=False),
    Column("due_on", Date),
    Column("demanded", Boolean, nullable=False),  # false: listed apart
    Column("disputed", Amount),  # open as well, contested and not asked for
    Column("seen", String(64)),  # hash of all that a reader sees of it
    PrimaryKeyConstraint("message_id", "position"),
    Index("ix_message_items_invoice", "invoice_id"),
    sqlite_with_rowid=False,
)

corrections = Table(  # what was asked for though it had been paid, as the books told later
    "corrections",
    metadata,
    Column("message_id", Integer, ForeignKey("messages.id"), nullable=False),
    Column("invoice_id", String(64), nullable=False),
    Column("paid_on", Date, nullable=False),  # the day by which it was paid
    Column("found_at", Instant, nullable=False),
    Column("settled_at", Instant),  # somebody has answered for it
    Column("settled_by", Text),
    PrimaryKeyConstraint("message_id", "invoice_id"),
    sqlite_with_rowid=False,
)

letter_batches = Table(  # letters that are printed together
    "letter_batches",
    metadata,
    Column("id", Integer, primary_key=True),
    _connection(),
    Column("run_id", Integer, ForeignKey("runs.id")),  # the run that gathered them
    Column("made_at", Instant, nullable=False),
)

letter_sheets = Table(  # the paper of a letter
    "letter_sheets",
    metadata,
    Column("message_id", Integer, ForeignKey("messages.id"), primary_key=True),
    Column("batch_id", Integer, ForeignKey("letter_batches.id"), nullable=False),
    Column("prints", Integer, nullable=False),  # how often
    Column("printed_at", Instant),
    Column("printed_by", Text),
    Column("taken_out_at", Instant),  # of the pile, since it must not go out any more
    Column("taken_out_by", Text),
    Index("ix_letter_sheets_batch", "batch_id"),
    sqlite_with_rowid=False,
)

#: Messages that count for a payer though another got them: a customer of it moved away, or came.
shared_messages = Table(
    "shared_messages",
    metadata,
    _connection(),
    Column("payer_id", String(64), nullable=False),
    Column("message_id", Integer, ForeignKey("messages.id"), nullable=False),
    PrimaryKeyConstraint("connection_id", "payer_id", "message_id"),
    sqlite_with_rowid=False,
)

notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    _connection(),
    Column("message_id", Integer, ForeignKey("messages.id")),  # null: a person's doing, no message's
    _one_of("kind", WriteKind),
    Column("value", Text),  # of an invoice's fact: what is to stand there
    Column("target_kind", String(16), nullable=False),
    Column("target_id", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("marker", String(40), nullable=False, unique=True),
    Column("key", String(36), nullable=False, unique=True),  # idempotency key at the vendor
    _one_of("state", NoteState),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claim_token", String(32)),
    Column("claimed_by", Text),  # the process; where it is dead, the claim is over
    Column("claimed_until", Instant),
    Column("tried_at", Instant),  # last try whose answer may be lost
    Column("absent_at", Instant),  # first reading of the source without the marker
    Column("not_before", Instant),
    Column("written_at", Instant),
    Column("remote_id", String(64)),
    UniqueConstraint("message_id", "kind", "target_kind", "target_id"),
    Index("ix_notes_state", "state", "connection_id"),
    Index("ix_notes_target", "connection_id", "target_id"),
    _only("kind", WriteKind),
    _only("state", NoteState),
)

# --- what comes back ----------------------------------------------------------------------------------------

replies = Table(  # every mail that came in, once
    "replies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("identity", String(64), nullable=False, unique=True),  # of its Message-ID, sender and words
    Column("connection_id", Integer, ForeignKey("connections.id")),  # null: nobody knows to whom it belongs
    Column("payer_id", String(64)),
    Column("message_id", Integer, ForeignKey("messages.id")),  # what it answers; null: not known
    _one_of("kind", MailKind),
    _one_of("state", ReplyState),
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
    _partial("ix_replies_waiting", "connection_id", where="state = 'waiting'"),
    Index("ix_replies_payer", "connection_id", "payer_id"),
    Index("ix_replies_message", "message_id"),
    _only("kind", MailKind),
    _only("state", ReplyState),
    _only("meaning", Meaning),
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
    _one_of("kind", EventKind),
    Column("address", String(320), nullable=False),  # bare, in lower case
    Column("at", Instant, nullable=False),  # by the provider's clock
    Column("received_at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("message_id", Integer, ForeignKey("messages.id")),  # null: of an address only
    Column("reference", Text),  # the provider's
    UniqueConstraint("provider", "event_id"),
    Index("ix_provider_events_message", "message_id"),
    Index("ix_provider_events_address", "address"),
    _only("kind", EventKind),
    info={MARK: True},
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("address", String(320), nullable=False),  # bare, in lower case
    _one_of("kind", SuppressionKind),
    Column("since", Instant, nullable=False),
    Column("source", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("lifted_at", Instant),  # null: nobody writes to it
    Column("lifted_by", Text),
    PrimaryKeyConstraint("address", "kind"),
    _only("kind", SuppressionKind),
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
    _partial("ix_events_payer_changed", "connection_id", where="kind = 'payer_changed'"),
    info={MARK: True},
)
