"""What nothing more would be said about without a person is a task of the run; told once, whatever it is about."""

from __future__ import annotations

from collections.abc import Callable

from tests.integration.outbox.office import Office

from arsync.worker import tasks


def test_what_is_one_task_for_several_companies_is_told_once(open_office: Callable[..., Office]) -> None:
    """Both companies write to their customers in Dutch, and nobody has written that yet."""
    office = open_office("quickbooks", "xero", defaults='locale = "nl"')
    for books in office.books:
        books.invoice(books.customer("One Ltd"), "100.00", days_late=5)
        books.invoice(books.customer("Two Ltd"), "200.00", days_late=5)
    app = office.load()
    night = office.night(app)
    assert night.accepted == 0
    assert night.tasks == [
        "our-quickbooks, our-xero: playbook standard has no templates in 'nl' (there is: de, en, fr); a person must "
        "write them (for One Ltd, Two Ltd)"
    ]
    assert tasks.tasks(app.store) == night.tasks


def test_a_currency_without_a_bank_account_is_a_task(open_office: Callable[..., Office]) -> None:
    """Dollars can be paid, euros cannot."""
    office = open_office("xero")
    (books,) = office.books
    made = books.act("new_customer", name="Deux SARL", email="a@deux.example", currency="EUR")
    books.invoice(str(made["customer"]), "100.00", days_late=5)
    books.invoice(books.customer("One Ltd"), "100.00", days_late=5)
    night = office.night(office.load())
    assert night.accepted == 1
    assert night.tasks == ["our-xero: no bank details for EUR are set; a person must add them"]
