"""What SQLite's planner is told of the tables.

Without it the planner takes a company for one of many, and walks through all of its invoices to find those of one
customer. The figures are typical ones and not counted: plans are the same for every company, and on its first day.
PostgreSQL counts for itself, some time after the rows have come; after a load it is asked to count at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, text

from arsync.store.engine import Work

_CACHE: Final = ("customers", "invoices", "payments", "credit_notes", "allocations")
#: By table and index (a primary key has its table's name): rows, then how many of them are alike in the first column,
#: in the first two, and so on; as sqlite.org/fileformat2.html#stat1tab has it.
TYPICAL: Final[Mapping[str, Mapping[str, str]]] = {
    "customers": {
        "customers": "10000 10000 1",
        "ix_customers_payer": "10000 10000 2",
        "ix_customers_parent": "1000 1000 5",
        "ix_customers_grouped": "5000 5000 1",
        "ix_customers_survivor": "100 100 2",
    },
    "contacts": {"contacts": "20000 20000 2 1"},
    "invoices": {
        "invoices": "200000 200000 1",
        "ix_invoices_number": "200000 2",
        "ix_invoices_customer": "200000 200000 20 15",
        "ix_invoices_open": "20000 20000 200",
    },
    "invoice_lines": {"invoice_lines": "600000 600000 3 1"},
    "payments": {
        "payments": "150000 150000 1",
        "ix_payments_customer": "150000 150000 15",
        "ix_payments_unapplied": "500 500 250",
    },
    "credit_notes": {
        "credit_notes": "10000 10000 1",
        "ix_credit_notes_customer": "10000 10000 2",
        "ix_credit_notes_unapplied": "100 100 50",
    },
    "allocations": {
        "allocations": "200000 200000 100000 2 1",
        "ix_allocations_invoice": "200000 200000 2",
    },
    "chases": {"ix_chases_payer": "10000 10000 2 2", "uq_chases_live": "3000 3000 2 1"},
}


def tell(connection: Connection) -> None:
    """Tells them to a SQLite database; the caller commits."""
    if connection.dialect.name != "sqlite":
        return
    connection.execute(text("ANALYZE installation"))  # makes the planner's own table where there is none
    for table, indexes in TYPICAL.items():
        connection.execute(text("DELETE FROM sqlite_stat1 WHERE tbl = :tbl"), {"tbl": table})
        rows = [{"tbl": table, "idx": index, "stat": stat} for index, stat in indexes.items()]
        connection.execute(text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:tbl, :idx, :stat)"), rows)
    connection.execute(text("ANALYZE sqlite_schema"))  # read anew by this connection; others read it as they open


def gather(work: Work) -> None:
    """Has PostgreSQL count the tables of the cache, those that nobody else counts at this moment: until then it takes
    them for empty, and reads one table again for each row of another. SQLite knows already."""
    if work.dialect == "postgresql":
        work.execute(text(f"ANALYZE (SKIP_LOCKED) {', '.join(_CACHE)}"))
