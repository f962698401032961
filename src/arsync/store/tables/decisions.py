"""Tables: what we decide."""

from __future__ import annotations

from typing import Final

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

from arsync.domain.chase import Rule
from arsync.domain.states import (
    ChaseState,
    Decision,
)
from arsync.store.tables.frame import connection, metadata, one_of, only, partial
from arsync.store.types import Instant

#: Answered so, nothing more goes out before a person acts; in this order in the index over them.
FOR_A_PERSON: Final = tuple(
    rule.value
    for rule in (
        Rule.NO_RECIPIENT, Rule.UNDELIVERED, Rule.UNPLANNABLE, Rule.NO_PLAYBOOK, Rule.NO_PAY_DETAILS, Rule.BREAKER,
        Rule.NO_TEMPLATE, Rule.LADDER_DONE, Rule.MILDER_FIRST,
    )
)  # fmt: skip
_RULES: Final = ", ".join(f"'{rule}'" for rule in FOR_A_PERSON)

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
    connection(),
    Column("payer_id", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    one_of("state", ChaseState),
    Column("version", Integer, nullable=False),  # bumped by whatever could change the next message
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("rulebook", String(64), ForeignKey("rulebooks.id")),  # what it chooses from; null: it has not been planned
    Column("playbook", String(64)),  # what it chose when it was last planned
    Column("playbook_version", String(64)),
    Index("ix_chases_payer", "connection_id", "payer_id", "currency"),
    # A paid-up payer who owes again gets a new chase; two at the same time there never are.
    partial(
        "uq_chases_live",
        "connection_id",
        "payer_id",
        "currency",
        where="state IN ('open', 'reopened')",
        unique=True,
    ),
    only("state", ChaseState),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Integer, primary_key=True),
    connection(),
    Column("chase_id", Integer, ForeignKey("chases.id"), nullable=False),
    Column("invoice_id", String(64), nullable=False),
    one_of("decision", Decision),
    Column("rule", String(24), nullable=False),
    Column("reason", Text, nullable=False),
    Column("next_on", Date),
    Column("step_id", String(64)),
    Column("inputs", String(64), nullable=False),  # hash of what the planner saw
    Column("first_run", Integer, ForeignKey("runs.id"), nullable=False),
    Column("first_on", Date, nullable=False),
    Column("last_run", Integer, ForeignKey("runs.id")),  # null: it still stands
    Column("last_on", Date),
    partial("uq_verdicts_standing", "connection_id", "invoice_id", where="last_run IS NULL", unique=True),
    partial("ix_verdicts_chase", "chase_id", where="last_run IS NULL"),
    partial("ix_verdicts_person", "connection_id", "rule", where=f"last_run IS NULL AND rule IN ({_RULES})"),
    Index("ix_verdicts_invoice", "connection_id", "invoice_id", "first_run"),
    only("decision", Decision),
)
