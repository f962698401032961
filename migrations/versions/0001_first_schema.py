"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from arsync.store import append_only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("path", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", "path", name=op.f("pk_alerts")),
    )
    op.create_table(
        "budgets",
        sa.Column("scope", sa.String(length=128), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_budgets")),
    )
    op.create_table(
        "doors",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("stranger", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("malformed", sa.Integer(), nullable=False),
        sa.Column("bad_in_a_row", sa.Integer(), nullable=False),
        sa.Column("good_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bad_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bad", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_doors")),
    )
    op.create_table(
        "duties",
        sa.Column("name", sa.String(length=96), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_duties")),
    )
    with op.batch_alter_table("duties", schema=None) as batch_op:
        batch_op.create_index(
            "ix_duties_open",
            ["name"],
            unique=False,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "grants",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("consented_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("idle_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hard_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_by", sa.Text(), nullable=True),
        sa.Column("stop_reason", sa.Text(), nullable=True),
        sa.Column("lists_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "kept_versions",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_kept_versions")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "login_tries",
        sa.Column("scope", sa.String(length=80), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_login_tries")),
    )
    op.create_table(
        "mailboxes",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("uid_validity", sa.BigInteger(), nullable=False),
        sa.Column("last_uid", sa.BigInteger(), nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_mailboxes")),
    )
    op.create_table(
        "playbook_versions",
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("templates", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_playbook_versions")),
    )
    op.create_table(
        "posts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('events', 'mail')", name=op.f("ck_posts_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
        sa.UniqueConstraint("digest", name=op.f("uq_posts_digest")),
    )
    op.create_table(
        "rulebooks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rulebooks")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_key", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index("ix_sessions_user", ["user_key"], unique=False)

    op.create_table(
        "suppressions",
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('bounce', 'invalid', 'spam_report', 'unsubscribe', 'group_unsubscribe')",
            name=op.f("ck_suppressions_kind"),
        ),
        sa.PrimaryKeyConstraint("address", "kind", name=op.f("pk_suppressions")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.Column("everywhere", sa.Boolean(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('viewer', 'collector', 'admin')", name=op.f("ck_users_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("key", name=op.f("uq_users_key")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "webhook_events",
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", "event_id", name=op.f("pk_webhook_events")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("webhook_events", schema=None) as batch_op:
        batch_op.create_index("ix_webhook_events_received_at", ["received_at"], unique=False)

    op.create_table(
        "connections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("external_id", sa.String(length=64), nullable=False),
        sa.Column("grant_id", sa.Integer(), nullable=False),
        sa.Column("company_name", sa.Text(), nullable=False),
        sa.Column("base_currency", sa.String(length=3), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("timezone", sa.String(length=64), nullable=True),
        sa.Column("reminders_on", sa.Boolean(), nullable=True),
        sa.Column("health", sa.String(length=24), nullable=False),
        sa.Column("health_reason", sa.Text(), nullable=False),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "health IN ('ok', 'recovering', 'partial', 'suspect', 'reauthorise', 'disconnected')",
            name=op.f("ck_connections_health"),
        ),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name=op.f("fk_connections_grant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
        sa.UniqueConstraint("name", name=op.f("uq_connections_name")),
        sa.UniqueConstraint("provider", "external_id", name=op.f("uq_connections_provider_external_id")),
    )
    op.create_table(
        "allocations",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("source_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.String(length=64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("allocated_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_allocations_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "source", "source_id", "position", name=op.f("pk_allocations")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("allocations", schema=None) as batch_op:
        batch_op.create_index("ix_allocations_invoice", ["connection_id", "invoice_id"], unique=False)

    op.create_table(
        "chases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("payer_id", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rulebook", sa.String(length=64), nullable=True),
        sa.Column("playbook", sa.String(length=64), nullable=True),
        sa.Column("playbook_version", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'clear', 'reopened', 'handed_off', 'written_off')", name=op.f("ck_chases_state")
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_chases_connection_id")),
        sa.ForeignKeyConstraint(["rulebook"], ["rulebooks.id"], name=op.f("fk_chases_rulebook")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chases")),
    )
    with op.batch_alter_table("chases", schema=None) as batch_op:
        batch_op.create_index("ix_chases_payer", ["connection_id", "payer_id", "currency"], unique=False)
        batch_op.create_index(
            "uq_chases_live",
            ["connection_id", "payer_id", "currency"],
            unique=True,
            sqlite_where=sa.text("state IN ('open', 'reopened')"),
            postgresql_where=sa.text("state IN ('open', 'reopened')"),
        )

    op.create_table(
        "comments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("payer_id", sa.String(length=64), nullable=False),
        sa.Column("invoice_id", sa.String(length=64), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("follow_up", sa.Date(), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_comments_connection_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
    )
    with op.batch_alter_table("comments", schema=None) as batch_op:
        batch_op.create_index("ix_comments_payer", ["connection_id", "payer_id"], unique=False)
        batch_op.create_index(
            "ix_comments_due",
            ["connection_id", "follow_up"],
            unique=False,
            sqlite_where=sa.text("done_at IS NULL AND follow_up IS NOT NULL"),
            postgresql_where=sa.text("done_at IS NULL AND follow_up IS NOT NULL"),
        )

    op.create_table(
        "contacts",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.CheckConstraint(
            "role IN ('primary', 'billing', 'escalation', 'cc', 'other')", name=op.f("ck_contacts_role")
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_contacts_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "customer_id", "position", name=op.f("pk_contacts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "credit_notes",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("remote_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("unapplied", sa.BigInteger(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("exchange_rate", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('active', 'void', 'deleted')", name=op.f("ck_credit_notes_state")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_credit_notes_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "remote_id", name=op.f("pk_credit_notes")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("credit_notes", schema=None) as batch_op:
        batch_op.create_index("ix_credit_notes_customer", ["connection_id", "customer_id"], unique=False)
        batch_op.create_index(
            "ix_credit_notes_unapplied",
            ["connection_id", "currency"],
            unique=False,
            sqlite_where=sa.text("unapplied <> 0"),
            postgresql_where=sa.text("unapplied <> 0"),
        )

    op.create_table(
        "cursors",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("pull", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Text(), nullable=True),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_cursors_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "pull", name=op.f("pk_cursors")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "customer_groups",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("remote_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_customer_groups_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "remote_id", name=op.f("pk_customer_groups")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "customer_tags",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_customer_tags_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "customer_id", "tag", name=op.f("pk_customer_tags")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "customers",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("remote_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=True),
        sa.Column("merged_into", sa.String(length=64), nullable=True),
        sa.Column("payer_id", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("balance", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("terms", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("group_ids", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('active', 'archived', 'merged', 'deleted')", name=op.f("ck_customers_state")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_customers_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "remote_id", name=op.f("pk_customers")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.create_index(
            "ix_customers_grouped",
            ["connection_id", "remote_id"],
            unique=False,
            sqlite_where=sa.text("group_ids IS NOT NULL"),
            postgresql_where=sa.text("group_ids IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_customers_parent",
            ["connection_id", "parent_id"],
            unique=False,
            sqlite_where=sa.text("parent_id IS NOT NULL"),
            postgresql_where=sa.text("parent_id IS NOT NULL"),
        )
        batch_op.create_index("ix_customers_payer", ["connection_id", "payer_id"], unique=False)
        batch_op.create_index(
            "ix_customers_survivor",
            ["connection_id", "merged_into"],
            unique=False,
            sqlite_where=sa.text("merged_into IS NOT NULL"),
            postgresql_where=sa.text("merged_into IS NOT NULL"),
        )

    op.create_table(
        "hints",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_hints_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_hints")),
    )
    with op.batch_alter_table("hints", schema=None) as batch_op:
        batch_op.create_index(
            "ix_hints_open",
            ["connection_id"],
            unique=False,
            sqlite_where=sa.text("seen < told"),
            postgresql_where=sa.text("seen < told"),
        )

    op.create_table(
        "holds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("payer_id", sa.String(length=64), nullable=True),
        sa.Column("invoice_id", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("begins", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code", sa.String(length=24), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("promise_id", sa.Integer(), nullable=True),
        sa.Column("plan_id", sa.Integer(), nullable=True),
        sa.Column("call_id", sa.Integer(), nullable=True),
        sa.Column("reply_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "code IN ('price', 'quantity', 'quality', 'not_received', 'duplicate', 'wrong_customer', 'paid_already', 'other')",
            name=op.f("ck_holds_code"),
        ),
        sa.CheckConstraint(
            "kind IN ('dispute', 'promise', 'plan', 'pause', 'autopay', 'legal', 'opt_out', 'exclude', 'reply')",
            name=op.f("ck_holds_kind"),
        ),
        sa.CheckConstraint("state IN ('active', 'lifted', 'expired')", name=op.f("ck_holds_state")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_holds_connection_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.create_index(
            "ix_holds_invoice",
            ["connection_id", "invoice_id"],
            unique=False,
            sqlite_where=sa.text("invoice_id IS NOT NULL"),
            postgresql_where=sa.text("invoice_id IS NOT NULL"),
        )
        batch_op.create_index("ix_holds_payer", ["connection_id", "payer_id"], unique=False)
        batch_op.create_index(
            "ix_holds_active",
            ["connection_id", "payer_id"],
            unique=False,
            sqlite_where=sa.text("state = 'active'"),
            postgresql_where=sa.text("state = 'active'"),
        )

    op.create_table(
        "invoice_lines",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_invoice_lines_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "invoice_id", "position", name=op.f("pk_invoice_lines")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "invoices",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("remote_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("purchase_order", sa.Text(), nullable=True),
        sa.Column("terms", sa.Text(), nullable=True),
        sa.Column("copies", sa.Text(), nullable=True),
        sa.Column("exchange_rate", sa.Text(), nullable=True),
        sa.Column("expected_on", sa.Date(), nullable=True),
        sa.Column("sent", sa.Boolean(), nullable=True),
        sa.CheckConstraint("state IN ('draft', 'open', 'paid', 'void', 'deleted')", name=op.f("ck_invoices_state")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_invoices_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "remote_id", name=op.f("pk_invoices")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.create_index("ix_invoices_customer", ["connection_id", "customer_id", "state"], unique=False)
        batch_op.create_index("ix_invoices_number", ["number"], unique=False)
        batch_op.create_index(
            "ix_invoices_open",
            ["connection_id", "due_on"],
            unique=False,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "letter_batches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_letter_batches_connection_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_letter_batches_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter_batches")),
    )
    op.create_table(
        "own_contacts",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('primary', 'billing', 'escalation', 'cc', 'other')", name=op.f("ck_own_contacts_role")
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_own_contacts_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "customer_id", "email", name=op.f("pk_own_contacts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "own_languages",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_own_languages_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "customer_id", name=op.f("pk_own_languages")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "owners",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("signature", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_owners_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "customer_id", name=op.f("pk_owners")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pay_links",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_pay_links_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "invoice_id", name=op.f("pk_pay_links")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payments",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("remote_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("unapplied", sa.BigInteger(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("exchange_rate", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('payment', 'overpayment', 'prepayment')", name=op.f("ck_payments_kind")),
        sa.CheckConstraint("state IN ('active', 'void', 'deleted')", name=op.f("ck_payments_state")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_payments_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "remote_id", name=op.f("pk_payments")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.create_index("ix_payments_customer", ["connection_id", "customer_id"], unique=False)
        batch_op.create_index(
            "ix_payments_unapplied",
            ["connection_id", "currency"],
            unique=False,
            sqlite_where=sa.text("unapplied <> 0"),
            postgresql_where=sa.text("unapplied <> 0"),
        )

    op.create_table(
        "plans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("payer_id", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('on_track', 'paid', 'broken', 'withdrawn')", name=op.f("ck_plans_state")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_plans_connection_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
    )
    op.create_table(
        "playbook_assignments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("payer_id", sa.String(length=64), nullable=False),
        sa.Column("invoice_id", sa.String(length=64), nullable=True),
        sa.Column("playbook", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_playbook_assignments_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playbook_assignments")),
    )
    with op.batch_alter_table("playbook_assignments", schema=None) as batch_op:
        batch_op.create_index(
            "ix_playbook_assignments_standing",
            ["connection_id", "payer_id"],
            unique=False,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "pulse",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("invoices", sa.Integer(), nullable=False),
        sa.Column("payments", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_pulse_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "day", name=op.f("pk_pulse")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quarantine",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("resource", sa.String(length=16), nullable=False),
        sa.Column("remote_id", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_quarantine_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "resource", "remote_id", name=op.f("pk_quarantine")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reminder_answers",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("reminds", sa.Boolean(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_reminder_answers_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_reminder_answers")),
    )
    op.create_table(
        "touches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("payer_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.Column("step_id", sa.String(length=64), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('call', 'mail', 'letter', 'visit')", name=op.f("ck_touches_kind")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_touches_connection_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_touches")),
    )
    with op.batch_alter_table("touches", schema=None) as batch_op:
        batch_op.create_index(
            "ix_touches_standing",
            ["connection_id", "payer_id"],
            unique=False,
            sqlite_where=sa.text("undone_at IS NULL"),
            postgresql_where=sa.text("undone_at IS NULL"),
        )

    op.create_table(
        "user_companies",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_user_companies_connection_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_companies_user_id")),
        sa.PrimaryKeyConstraint("user_id", "connection_id", name=op.f("pk_user_companies")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("chase_id", sa.Integer(), nullable=False),
        sa.Column("step_id", sa.String(length=64), nullable=False),
        sa.Column("occurrence", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("tone", sa.Integer(), nullable=False),
        sa.Column("playbook", sa.String(length=64), nullable=False),
        sa.Column("playbook_version", sa.String(length=64), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("recipients", sa.Text(), nullable=False),
        sa.Column("copies", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("planned_on", sa.Date(), nullable=False),
        sa.Column("written", sa.String(length=64), nullable=True),
        sa.Column("frame", sa.String(length=64), nullable=True),
        sa.Column("resend_of", sa.Integer(), nullable=True),
        sa.Column("asked_by", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("edited_by", sa.Text(), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_as", sa.String(length=64), nullable=True),
        sa.Column("approved_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("may_shrink", sa.Boolean(), nullable=True),
        sa.Column("claim_token", sa.String(length=32), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("chase_version", sa.Integer(), nullable=True),
        sa.Column("sending_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_on", sa.Date(), nullable=True),
        sa.Column("way_out", sa.Text(), nullable=True),
        sa.Column("diverted_to", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attached", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('planned', 'approved', 'claimed', 'sending', 'accepted', 'delivered', 'bounced', 'failed', 'unknown', 'presumed_sent', 'superseded', 'cancelled')",
            name=op.f("ck_messages_state"),
        ),
        sa.ForeignKeyConstraint(["chase_id"], ["chases.id"], name=op.f("fk_messages_chase_id")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_messages_connection_id")),
        sa.ForeignKeyConstraint(["resend_of"], ["messages.id"], name=op.f("fk_messages_resend_of")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint(
            "chase_id",
            "step_id",
            "occurrence",
            "revision",
            name=op.f("uq_messages_chase_id_step_id_occurrence_revision"),
        ),
        sa.UniqueConstraint("key", name=op.f("uq_messages_key")),
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index(
            "ix_messages_channel",
            ["channel", "connection_id", "id"],
            unique=False,
            sqlite_where=sa.text("channel <> 'email'"),
            postgresql_where=sa.text("channel <> 'email'"),
        )
        batch_op.create_index("ix_messages_step", ["step_id", "connection_id", "id"], unique=False)
        batch_op.create_index(
            "ix_messages_calls",
            ["chase_id"],
            unique=False,
            sqlite_where=sa.text("channel IN ('call', 'task')"),
            postgresql_where=sa.text("channel IN ('call', 'task')"),
        )
        batch_op.create_index(
            "ix_messages_due",
            ["connection_id", sa.literal_column("amount DESC"), "id"],
            unique=False,
            sqlite_where=sa.text("state = 'approved'"),
            postgresql_where=sa.text("state = 'approved'"),
        )
        batch_op.create_index(
            "ix_messages_sent",
            ["connection_id", "sent_on"],
            unique=False,
            sqlite_where=sa.text("sent_on IS NOT NULL"),
            postgresql_where=sa.text("sent_on IS NOT NULL"),
        )
        batch_op.create_index("ix_messages_state", ["state", "connection_id", "id"], unique=False)
        batch_op.create_index(
            "uq_messages_live",
            ["chase_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('planned', 'approved', 'claimed', 'sending', 'unknown')"),
            postgresql_where=sa.text("state IN ('planned', 'approved', 'claimed', 'sending', 'unknown')"),
        )

    op.create_table(
        "plan_invoices",
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_plan_invoices_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", "invoice_id", name=op.f("pk_plan_invoices")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "promises",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("payer_id", sa.String(length=64), nullable=False),
        sa.Column("invoice_id", sa.String(length=64), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("promised_on", sa.Date(), nullable=False),
        sa.Column("grace", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("paid_before", sa.BigInteger(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'kept', 'broken', 'withdrawn')", name=op.f("ck_promises_state")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_promises_connection_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_promises_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promises")),
    )
    with op.batch_alter_table("promises", schema=None) as batch_op:
        batch_op.create_index("ix_promises_payer", ["connection_id", "payer_id"], unique=False)
        batch_op.create_index(
            "ix_promises_settled",
            ["connection_id", "settled_at"],
            unique=False,
            sqlite_where=sa.text("settled_at IS NOT NULL"),
            postgresql_where=sa.text("settled_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_promises_open",
            ["connection_id", "payer_id"],
            unique=False,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "touched_invoices",
        sa.Column("touch_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["touch_id"], ["touches.id"], name=op.f("fk_touched_invoices_touch_id")),
        sa.PrimaryKeyConstraint("touch_id", "invoice_id", name=op.f("pk_touched_invoices")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("chase_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.String(length=64), nullable=False),
        sa.Column("decision", sa.String(length=24), nullable=False),
        sa.Column("rule", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("next_on", sa.Date(), nullable=True),
        sa.Column("step_id", sa.String(length=64), nullable=True),
        sa.Column("inputs", sa.String(length=64), nullable=False),
        sa.Column("first_run", sa.Integer(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_run", sa.Integer(), nullable=True),
        sa.Column("last_on", sa.Date(), nullable=True),
        sa.CheckConstraint("decision IN ('act', 'wait', 'hold')", name=op.f("ck_verdicts_decision")),
        sa.ForeignKeyConstraint(["chase_id"], ["chases.id"], name=op.f("fk_verdicts_chase_id")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_verdicts_connection_id")),
        sa.ForeignKeyConstraint(["first_run"], ["runs.id"], name=op.f("fk_verdicts_first_run")),
        sa.ForeignKeyConstraint(["last_run"], ["runs.id"], name=op.f("fk_verdicts_last_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
    )
    with op.batch_alter_table("verdicts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_verdicts_chase",
            ["chase_id"],
            unique=False,
            sqlite_where=sa.text("last_run IS NULL"),
            postgresql_where=sa.text("last_run IS NULL"),
        )
        batch_op.create_index("ix_verdicts_invoice", ["connection_id", "invoice_id", "first_run"], unique=False)
        batch_op.create_index(
            "ix_verdicts_person",
            ["connection_id", "rule"],
            unique=False,
            sqlite_where=sa.text(
                "last_run IS NULL AND rule IN ('no_recipient', 'undelivered', 'unplannable', 'no_playbook', 'no_pay_details', 'breaker', 'no_template', 'ladder_done', 'milder_first')"
            ),
            postgresql_where=sa.text(
                "last_run IS NULL AND rule IN ('no_recipient', 'undelivered', 'unplannable', 'no_playbook', 'no_pay_details', 'breaker', 'no_template', 'ladder_done', 'milder_first')"
            ),
        )
        batch_op.create_index(
            "uq_verdicts_standing",
            ["connection_id", "invoice_id"],
            unique=True,
            sqlite_where=sa.text("last_run IS NULL"),
            postgresql_where=sa.text("last_run IS NULL"),
        )

    op.create_table(
        "call_outcomes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('promised', 'disputed', 'paid', 'no_answer', 'wrong_number')",
            name=op.f("ck_call_outcomes_outcome"),
        ),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_call_outcomes_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_outcomes")),
    )
    with op.batch_alter_table("call_outcomes", schema=None) as batch_op:
        batch_op.create_index("ix_call_outcomes_message", ["message_id"], unique=False)

    op.create_table(
        "corrections",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.String(length=64), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_corrections_message_id")),
        sa.PrimaryKeyConstraint("message_id", "invoice_id", name=op.f("pk_corrections")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("corrections", schema=None) as batch_op:
        batch_op.create_index(
            "ix_corrections_open",
            ["message_id"],
            unique=False,
            sqlite_where=sa.text("settled_at IS NULL"),
            postgresql_where=sa.text("settled_at IS NULL"),
        )

    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=True),
        sa.Column("chase_id", sa.Integer(), nullable=True),
        sa.Column("message_id", sa.Integer(), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["chase_id"], ["chases.id"], name=op.f("fk_events_chase_id")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_events_connection_id")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_events_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        info={"append_only": True},
    )
    append_only.protect(op.get_bind(), "events")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_events_message",
            ["message_id"],
            unique=False,
            sqlite_where=sa.text("message_id IS NOT NULL"),
            postgresql_where=sa.text("message_id IS NOT NULL"),
        )
        batch_op.create_index("ix_events_chase", ["chase_id"], unique=False)
        batch_op.create_index(
            "ix_events_payer_changed",
            ["connection_id"],
            unique=False,
            sqlite_where=sa.text("kind = 'payer_changed'"),
            postgresql_where=sa.text("kind = 'payer_changed'"),
        )

    op.create_table(
        "letter_sheets",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("prints", sa.Integer(), nullable=False),
        sa.Column("printed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("printed_by", sa.Text(), nullable=True),
        sa.Column("taken_out_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_out_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["letter_batches.id"], name=op.f("fk_letter_sheets_batch_id")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_letter_sheets_message_id")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_letter_sheets")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("letter_sheets", schema=None) as batch_op:
        batch_op.create_index("ix_letter_sheets_batch", ["batch_id"], unique=False)

    op.create_table(
        "message_items",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("demanded", sa.Boolean(), nullable=False),
        sa.Column("disputed", sa.BigInteger(), nullable=True),
        sa.Column("seen", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_message_items_message_id")),
        sa.PrimaryKeyConstraint("message_id", "position", name=op.f("pk_message_items")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("message_items", schema=None) as batch_op:
        batch_op.create_index("ix_message_items_invoice", ["invoice_id"], unique=False)

    op.create_table(
        "message_words",
        sa.Column("message_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_message_words_message_id")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_message_words")),
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("target_kind", sa.String(length=16), nullable=False),
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("marker", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claim_token", sa.String(length=32), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("absent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remote_id", sa.String(length=64), nullable=True),
        sa.CheckConstraint("kind IN ('note', 'expected_on', 'sent')", name=op.f("ck_notes_kind")),
        sa.CheckConstraint(
            "state IN ('pending', 'claimed', 'written', 'failed', 'unknown', 'superseded')", name=op.f("ck_notes_state")
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_notes_connection_id")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_notes_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
        sa.UniqueConstraint("key", name=op.f("uq_notes_key")),
        sa.UniqueConstraint("marker", name=op.f("uq_notes_marker")),
        sa.UniqueConstraint(
            "message_id",
            "kind",
            "target_kind",
            "target_id",
            name=op.f("uq_notes_message_id_kind_target_kind_target_id"),
        ),
    )
    with op.batch_alter_table("notes", schema=None) as batch_op:
        batch_op.create_index("ix_notes_state", ["state", "connection_id"], unique=False)
        batch_op.create_index("ix_notes_target", ["connection_id", "target_id"], unique=False)
        batch_op.create_index(
            "ix_notes_written",
            ["connection_id", "written_at"],
            unique=False,
            sqlite_where=sa.text("written_at IS NOT NULL"),
            postgresql_where=sa.text("written_at IS NOT NULL"),
        )

    op.create_table(
        "promise_invoices",
        sa.Column("promise_id", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["promise_id"], ["promises.id"], name=op.f("fk_promise_invoices_promise_id")),
        sa.PrimaryKeyConstraint("promise_id", "invoice_id", name=op.f("pk_promise_invoices")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "provider_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('processed', 'delivered', 'deferred', 'bounced', 'blocked', 'dropped', 'spam_report', 'unsubscribed', 'group_unsubscribed', 'group_resubscribed')",
            name=op.f("ck_provider_events_kind"),
        ),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_provider_events_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_events")),
        sa.UniqueConstraint("provider", "event_id", name=op.f("uq_provider_events_provider_event_id")),
        info={"append_only": True},
    )
    append_only.protect(op.get_bind(), "provider_events")
    with op.batch_alter_table("provider_events", schema=None) as batch_op:
        batch_op.create_index("ix_provider_events_address", ["address"], unique=False)
        batch_op.create_index("ix_provider_events_message", ["message_id"], unique=False)

    op.create_table(
        "replies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=True),
        sa.Column("payer_id", sa.String(length=64), nullable=True),
        sa.Column("message_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("meaning", sa.String(length=24), nullable=True),
        sa.Column("confidence", sa.Integer(), nullable=True),
        sa.Column("phrases", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("placed", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('person', 'auto_reply', 'bounce', 'complaint', 'unreadable')", name=op.f("ck_replies_kind")
        ),
        sa.CheckConstraint(
            "meaning IN ('promise', 'dispute', 'says_paid', 'copy_request', 'not_received', 'po_missing', 'payment_run', 'wrong_contact', 'question', 'out_of_office', 'unclear')",
            name=op.f("ck_replies_meaning"),
        ),
        sa.CheckConstraint("state IN ('waiting', 'done', 'filed')", name=op.f("ck_replies_state")),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_replies_connection_id")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_replies_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replies")),
        sa.UniqueConstraint("identity", name=op.f("uq_replies_identity")),
    )
    with op.batch_alter_table("replies", schema=None) as batch_op:
        batch_op.create_index("ix_replies_message", ["message_id"], unique=False)
        batch_op.create_index("ix_replies_payer", ["connection_id", "payer_id"], unique=False)
        batch_op.create_index(
            "ix_replies_waiting",
            ["connection_id"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )

    op.create_table(
        "shared_messages",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("payer_id", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_shared_messages_connection_id")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_shared_messages_message_id")),
        sa.PrimaryKeyConstraint("connection_id", "payer_id", "message_id", name=op.f("pk_shared_messages")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("shared_messages")
    with op.batch_alter_table("replies", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_replies_waiting",
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )
        batch_op.drop_index("ix_replies_payer")
        batch_op.drop_index("ix_replies_message")

    op.drop_table("replies")
    with op.batch_alter_table("provider_events", schema=None) as batch_op:
        batch_op.drop_index("ix_provider_events_message")
        batch_op.drop_index("ix_provider_events_address")

    op.drop_table("provider_events")
    append_only.release(op.get_bind(), "provider_events")
    op.drop_table("promise_invoices")
    with op.batch_alter_table("notes", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_notes_written",
            sqlite_where=sa.text("written_at IS NOT NULL"),
            postgresql_where=sa.text("written_at IS NOT NULL"),
        )
        batch_op.drop_index("ix_notes_target")
        batch_op.drop_index("ix_notes_state")

    op.drop_table("notes")
    op.drop_table("message_words")
    with op.batch_alter_table("message_items", schema=None) as batch_op:
        batch_op.drop_index("ix_message_items_invoice")

    op.drop_table("message_items")
    with op.batch_alter_table("letter_sheets", schema=None) as batch_op:
        batch_op.drop_index("ix_letter_sheets_batch")

    op.drop_table("letter_sheets")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_events_message",
            sqlite_where=sa.text("message_id IS NOT NULL"),
            postgresql_where=sa.text("message_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_events_payer_changed",
            sqlite_where=sa.text("kind = 'payer_changed'"),
            postgresql_where=sa.text("kind = 'payer_changed'"),
        )
        batch_op.drop_index("ix_events_chase")

    op.drop_table("events")
    append_only.release(op.get_bind(), "events")
    with op.batch_alter_table("corrections", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_corrections_open",
            sqlite_where=sa.text("settled_at IS NULL"),
            postgresql_where=sa.text("settled_at IS NULL"),
        )

    op.drop_table("corrections")
    with op.batch_alter_table("call_outcomes", schema=None) as batch_op:
        batch_op.drop_index("ix_call_outcomes_message")

    op.drop_table("call_outcomes")
    with op.batch_alter_table("verdicts", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_verdicts_standing",
            sqlite_where=sa.text("last_run IS NULL"),
            postgresql_where=sa.text("last_run IS NULL"),
        )
        batch_op.drop_index("ix_verdicts_invoice")
        batch_op.drop_index(
            "ix_verdicts_person",
            sqlite_where=sa.text(
                "last_run IS NULL AND rule IN ('no_recipient', 'undelivered', 'unplannable', 'no_playbook', 'no_pay_details', 'breaker', 'no_template', 'ladder_done', 'milder_first')"
            ),
            postgresql_where=sa.text(
                "last_run IS NULL AND rule IN ('no_recipient', 'undelivered', 'unplannable', 'no_playbook', 'no_pay_details', 'breaker', 'no_template', 'ladder_done', 'milder_first')"
            ),
        )
        batch_op.drop_index(
            "ix_verdicts_chase", sqlite_where=sa.text("last_run IS NULL"), postgresql_where=sa.text("last_run IS NULL")
        )

    op.drop_table("verdicts")
    op.drop_table("touched_invoices")
    with op.batch_alter_table("promises", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_promises_settled",
            sqlite_where=sa.text("settled_at IS NOT NULL"),
            postgresql_where=sa.text("settled_at IS NOT NULL"),
        )
        batch_op.drop_index("ix_promises_payer")
        batch_op.drop_index(
            "ix_promises_open", sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'")
        )

    op.drop_table("promises")
    op.drop_table("plan_invoices")
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_index("ix_messages_step")
        batch_op.drop_index(
            "ix_messages_channel",
            sqlite_where=sa.text("channel <> 'email'"),
            postgresql_where=sa.text("channel <> 'email'"),
        )
        batch_op.drop_index(
            "uq_messages_live",
            sqlite_where=sa.text("state IN ('planned', 'approved', 'claimed', 'sending', 'unknown')"),
            postgresql_where=sa.text("state IN ('planned', 'approved', 'claimed', 'sending', 'unknown')"),
        )
        batch_op.drop_index("ix_messages_state")
        batch_op.drop_index(
            "ix_messages_sent",
            sqlite_where=sa.text("sent_on IS NOT NULL"),
            postgresql_where=sa.text("sent_on IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_messages_due",
            sqlite_where=sa.text("state = 'approved'"),
            postgresql_where=sa.text("state = 'approved'"),
        )
        batch_op.drop_index(
            "ix_messages_calls",
            sqlite_where=sa.text("channel IN ('call', 'task')"),
            postgresql_where=sa.text("channel IN ('call', 'task')"),
        )

    op.drop_table("messages")
    op.drop_table("user_companies")
    with op.batch_alter_table("touches", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_touches_standing",
            sqlite_where=sa.text("undone_at IS NULL"),
            postgresql_where=sa.text("undone_at IS NULL"),
        )

    op.drop_table("touches")
    op.drop_table("reminder_answers")
    op.drop_table("quarantine")
    op.drop_table("pulse")
    with op.batch_alter_table("playbook_assignments", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_playbook_assignments_standing",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.drop_table("playbook_assignments")
    op.drop_table("plans")
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_payments_unapplied", sqlite_where=sa.text("unapplied <> 0"), postgresql_where=sa.text("unapplied <> 0")
        )
        batch_op.drop_index("ix_payments_customer")

    op.drop_table("payments")
    op.drop_table("pay_links")
    op.drop_table("owners")
    op.drop_table("own_languages")
    op.drop_table("own_contacts")
    op.drop_table("letter_batches")
    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_invoices_open", sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'")
        )
        batch_op.drop_index("ix_invoices_number")
        batch_op.drop_index("ix_invoices_customer")

    op.drop_table("invoices")
    op.drop_table("invoice_lines")
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.drop_index("ix_holds_payer")
        batch_op.drop_index(
            "ix_holds_invoice",
            sqlite_where=sa.text("invoice_id IS NOT NULL"),
            postgresql_where=sa.text("invoice_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_holds_active", sqlite_where=sa.text("state = 'active'"), postgresql_where=sa.text("state = 'active'")
        )

    op.drop_table("holds")
    with op.batch_alter_table("hints", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_hints_open", sqlite_where=sa.text("seen < told"), postgresql_where=sa.text("seen < told")
        )

    op.drop_table("hints")
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_customers_survivor",
            sqlite_where=sa.text("merged_into IS NOT NULL"),
            postgresql_where=sa.text("merged_into IS NOT NULL"),
        )
        batch_op.drop_index("ix_customers_payer")
        batch_op.drop_index(
            "ix_customers_parent",
            sqlite_where=sa.text("parent_id IS NOT NULL"),
            postgresql_where=sa.text("parent_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_customers_grouped",
            sqlite_where=sa.text("group_ids IS NOT NULL"),
            postgresql_where=sa.text("group_ids IS NOT NULL"),
        )

    op.drop_table("customers")
    op.drop_table("customer_tags")
    op.drop_table("customer_groups")
    op.drop_table("cursors")
    with op.batch_alter_table("credit_notes", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_credit_notes_unapplied",
            sqlite_where=sa.text("unapplied <> 0"),
            postgresql_where=sa.text("unapplied <> 0"),
        )
        batch_op.drop_index("ix_credit_notes_customer")

    op.drop_table("credit_notes")
    op.drop_table("contacts")
    with op.batch_alter_table("comments", schema=None) as batch_op:
        batch_op.drop_index("ix_comments_payer")
        batch_op.drop_index(
            "ix_comments_due",
            sqlite_where=sa.text("done_at IS NULL AND follow_up IS NOT NULL"),
            postgresql_where=sa.text("done_at IS NULL AND follow_up IS NOT NULL"),
        )

    op.drop_table("comments")
    with op.batch_alter_table("chases", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_chases_live",
            sqlite_where=sa.text("state IN ('open', 'reopened')"),
            postgresql_where=sa.text("state IN ('open', 'reopened')"),
        )
        batch_op.drop_index("ix_chases_payer")

    op.drop_table("chases")
    with op.batch_alter_table("allocations", schema=None) as batch_op:
        batch_op.drop_index("ix_allocations_invoice")

    op.drop_table("allocations")
    op.drop_table("connections")
    with op.batch_alter_table("webhook_events", schema=None) as batch_op:
        batch_op.drop_index("ix_webhook_events_received_at")

    op.drop_table("webhook_events")
    op.drop_table("users")
    op.drop_table("suppressions")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_index("ix_sessions_user")

    op.drop_table("sessions")
    op.drop_table("runs")
    op.drop_table("rulebooks")
    op.drop_table("posts")
    op.drop_table("playbook_versions")
    op.drop_table("mailboxes")
    op.drop_table("login_tries")
    op.drop_table("leases")
    op.drop_table("kept_versions")
    op.drop_table("installation")
    op.drop_table("grants")
    with op.batch_alter_table("duties", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_duties_open", sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL")
        )

    op.drop_table("duties")
    op.drop_table("doors")
    op.drop_table("budgets")
    op.drop_table("alerts")
