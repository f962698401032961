"""What the database's planner knows of the tables after a load."""

from __future__ import annotations

from tests.integration.store.books import Books, customer, invoice, payment

from arsync.store import statistics


def test_after_a_load_the_planner_knows_how_large_the_tables_are(books: Books, database: str) -> None:
    """
    30 invoices and 30 payments; on SQLite the typical figures stay as they are
    """
    books.keep(
        customer(), *(invoice(f"I{n}", "0.00") for n in range(30)),
        *(payment(f"P{n}", on={f"I{n}": "100.00"}) for n in range(30)),
    )  # fmt: skip
    known = {
        "sqlite": "SELECT tbl, stat FROM sqlite_stat1 WHERE tbl IN ('invoices', 'allocations') ORDER BY tbl, idx",
        "postgresql": "SELECT relname, CAST(reltuples AS INTEGER) FROM pg_class WHERE relname IN"
        " ('customers', 'invoices', 'payments', 'allocations') ORDER BY relname",
    }[database]
    before = books.rows(known)
    with books.store.working() as work:
        statistics.gather(work)
        work.commit()
    counted = [("allocations", 30), ("customers", 1), ("invoices", 30), ("payments", 30)]
    assert books.rows(known) == (before if database == "sqlite" else counted)
    assert before != counted
