"""Tables: who of our people may come to the desk, and who is there."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, String, Table, Text

from arsync.domain.roles import Role
from arsync.store.tables.frame import connection, metadata, one_of, only
from arsync.store.types import Instant

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(32), nullable=False, unique=True),  # drawn by lot: never another person's
    Column("name", String(64), nullable=False, unique=True),  # in small letters; the author of what they do
    one_of("role", Role),
    Column("everywhere", Boolean, nullable=False),  # sees every company, those to come as well
    Column("password", Text),  # its argon2id hash; null: comes by a trusted proxy alone
    Column("created_at", Instant, nullable=False),
    only("role", Role),
)

user_companies = Table(  # of those who do not see every company
    "user_companies",
    metadata,
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False),
    connection(),
    PrimaryKeyConstraint("user_id", "connection_id"),
    sqlite_with_rowid=False,
)

sessions = Table(  # refers to nothing: it is in no archive, and a restored person is found by the key alone
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_key", String(32), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),  # however often it is seen
    Index("ix_sessions_user", "user_key"),
)

login_tries = Table(
    "login_tries",
    metadata,
    Column("scope", String(80), primary_key=True),  # a name and an address, or one of them
    Column("tries", Integer, nullable=False),
    Column("since", Instant, nullable=False),
)
