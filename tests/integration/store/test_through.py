"""What no step will come for by itself, as it is told to a person."""

from __future__ import annotations

from datetime import date

from tests.integration.store.books import NOW, Books, customer, invoice

from arsync.domain.chase import Rule, Verdict
from arsync.domain.documents import InvoiceState
from arsync.domain.states import Decision
from arsync.store import verdicts


def answered(books: Books, payer: str, *answers: tuple[str, Rule]) -> None:
    said = [
        (books.chase(payer).id, Verdict(name, Decision.HOLD, rule, f"{name}: {rule}", None)) for name, rule in answers
    ]
    with books.store.working() as work:
        run_id = verdicts.begin_run(work, "run", now=NOW)
        recording = verdicts.Recording(work, books.id, run_id=run_id, today=NOW.date())
        recording.keep(said, [books.chase(payer).id])
        work.commit()


def told(books: Books) -> list[tuple[str, int, str, str]]:
    with books.store.reading() as work:
        return [(one.payer_id, one.invoices, str(one.open), one.reason) for one in verdicts.through(work)]


def test_it_is_told_by_payer_and_currency_the_most_money_first_with_the_reason_of_the_oldest(books: Books) -> None:
    books.keep(customer("A"), customer("B"))
    for name, whose, amount, due in (
        ("I1", "A", "100.00", date(2026, 7, 2)), ("I2", "A", "50.00", date(2026, 7, 1)),
        ("I3", "B", "700.00", date(2026, 7, 3)), ("I4", "B", "9.00", date(2026, 7, 1)),
    ):  # fmt: skip
        books.keep(invoice(name, amount, customer=whose, due_on=due))
    books.follow()
    answered(books, "A", ("I1", Rule.LADDER_DONE), ("I2", Rule.MILDER_FIRST))
    answered(books, "B", ("I3", Rule.LADDER_DONE), ("I4", Rule.HOLD))
    assert told(books) == [
        ("B", 1, "700.00 EUR", "I3: ladder_done"),
        ("A", 2, "150.00 EUR", "I2: milder_first"),
    ]
    books.keep(invoice("I3", "0.00", customer="B", state=InvoiceState.PAID, minutes=60))
    assert [payer for payer, *_ in told(books)] == ["A"], "what is paid since is nobody's to decide"
