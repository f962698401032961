"""Tables: the cache: what the source says."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from arsync.domain.documents import ContactRole, CreditState, CustomerState, InvoiceState, PaymentKind
from arsync.store.tables.frame import connection, metadata, one_of, only, partial
from arsync.store.types import Amount, Instant

customers = Table(
    "customers",
    metadata,
    connection(),
    Column("remote_id", String(64), nullable=False),
    Column("name", Text, nullable=False),
    one_of("state", CustomerState),
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
    partial("ix_customers_parent", "connection_id", "parent_id", where="parent_id IS NOT NULL"),
    partial("ix_customers_grouped", "connection_id", "remote_id", where="group_ids IS NOT NULL"),
    partial("ix_customers_survivor", "connection_id", "merged_into", where="merged_into IS NOT NULL"),
    only("state", CustomerState),
    sqlite_with_rowid=False,
)

customer_groups = Table(  # the source's own, by name
    "customer_groups",
    metadata,
    connection(),
    Column("remote_id", String(64), nullable=False),
    Column("name", Text, nullable=False),
    PrimaryKeyConstraint("connection_id", "remote_id"),
    sqlite_with_rowid=False,
)

contacts = Table(
    "contacts",
    metadata,
    connection(),
    Column("customer_id", String(64), nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("phone", Text),
    one_of("role", ContactRole),
    PrimaryKeyConstraint("connection_id", "customer_id", "position"),
    only("role", ContactRole),
    sqlite_with_rowid=False,
)

invoices = Table(
    "invoices",
    metadata,
    connection(),
    Column("remote_id", String(64), nullable=False),
    Column("number", Text, nullable=False),
    Column("customer_id", String(64), nullable=False),
    one_of("state", InvoiceState),
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
    Index("ix_invoices_customer", "connection_id", "customer_id", "state"),
    partial("ix_invoices_open", "connection_id", "due_on", where="state = 'open'"),
    only("state", InvoiceState),
    sqlite_with_rowid=False,
)

invoice_lines = Table(
    "invoice_lines",
    metadata,
    connection(),
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
    connection(),
    Column("invoice_id", String(64), nullable=False),
    Column("url", Text),  # null: there was none when it was asked for
    Column("asked_at", Instant, nullable=False),
    PrimaryKeyConstraint("connection_id", "invoice_id"),
    sqlite_with_rowid=False,
)

payments = Table(
    "payments",
    metadata,
    connection(),
    Column("remote_id", String(64), nullable=False),
    one_of("kind", PaymentKind),
    Column("customer_id", String(64)),
    one_of("state", CreditState),
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
    partial("ix_payments_unapplied", "connection_id", "currency", where="unapplied <> 0"),
    only("kind", PaymentKind),
    only("state", CreditState),
    sqlite_with_rowid=False,
)

credit_notes = Table(
    "credit_notes",
    metadata,
    connection(),
    Column("remote_id", String(64), nullable=False),
    Column("number", Text, nullable=False),
    Column("customer_id", String(64), nullable=False),
    one_of("state", CreditState),
    Column("currency", String(3), nullable=False),
    Column("total", Amount, nullable=False),
    Column("unapplied", Amount, nullable=False),
    Column("issued_on", Date, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("version", String(32), nullable=False),
    Column("exchange_rate", Text),  # exact: the company's own currency for one unit
    PrimaryKeyConstraint("connection_id", "remote_id"),
    Index("ix_credit_notes_customer", "connection_id", "customer_id"),
    partial("ix_credit_notes_unapplied", "connection_id", "currency", where="unapplied <> 0"),
    only("state", CreditState),
    sqlite_with_rowid=False,
)

allocations = Table(
    "allocations",
    metadata,
    connection(),
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
