"""Tables: what leaves."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from arsync.domain.states import (
    MessageState,
    NoteState,
    WriteKind,
)
from arsync.store.tables.frame import connection, metadata, one_of, only, partial
from arsync.store.types import Amount, Instant

_LIVE = "state IN ('planned', 'approved', 'claimed', 'sending', 'unknown')"

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(32), nullable=False, unique=True),  # ours: Message-ID, custom argument, file name
    connection(),
    Column("chase_id", Integer, ForeignKey("chases.id"), nullable=False),
    Column("step_id", String(64), nullable=False),
    Column("occurrence", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    one_of("state", MessageState),
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
    partial("uq_messages_live", "chase_id", where=_LIVE, unique=True),
    # For lists, the newest first. The company comes second: an index of its own on it would be taken for a customer's
    # messages as well.
    Index("ix_messages_state", "state", "connection_id", "id"),
    Index("ix_messages_step", "step_id", "connection_id", "id"),
    only("state", MessageState),
)
# In the order in which they are claimed: the most money first.
partial(
    "ix_messages_due", messages.c.connection_id, messages.c.amount.desc(), messages.c.id, where="state = 'approved'"
)
# For the desk: what went out lately, and what is to be called.
partial("ix_messages_sent", messages.c.connection_id, messages.c.sent_on, where="sent_on IS NOT NULL")
partial("ix_messages_calls", messages.c.chase_id, where="channel IN ('call', 'task')")
partial(  # the rare ones
    "ix_messages_channel", messages.c.channel, messages.c.connection_id, messages.c.id, where="channel <> 'email'"
)

message_words = Table(
    "message_words",
    metadata,
    Column("message_id", Integer, ForeignKey("messages.id"), primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
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
    partial("ix_corrections_open", "message_id", where="settled_at IS NULL"),
    sqlite_with_rowid=False,
)

letter_batches = Table(  # letters that are printed together
    "letter_batches",
    metadata,
    Column("id", Integer, primary_key=True),
    connection(),
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
    connection(),
    Column("payer_id", String(64), nullable=False),
    Column("message_id", Integer, ForeignKey("messages.id"), nullable=False),
    PrimaryKeyConstraint("connection_id", "payer_id", "message_id"),
    sqlite_with_rowid=False,
)

notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    connection(),
    Column("message_id", Integer, ForeignKey("messages.id")),  # null: a person's doing, no message's
    one_of("kind", WriteKind),
    Column("value", Text),  # of an invoice's fact: what is to stand there
    Column("target_kind", String(16), nullable=False),
    Column("target_id", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("marker", String(40), nullable=False, unique=True),
    Column("key", String(36), nullable=False, unique=True),  # idempotency key at the vendor
    one_of("state", NoteState),
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
    partial("ix_notes_written", "connection_id", "written_at", where="written_at IS NOT NULL"),
    only("kind", WriteKind),
    only("state", NoteState),
)
