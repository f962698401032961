"""Which invoice or customer a person means: one, or a list to choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Final, TypeVar

import typer

from arsync.acts.whom import Whom
from arsync.bootstrap import App
from arsync.cli.output import flat
from arsync.errors import Ambiguous, NotFound, UsageError
from arsync.store import connections, finding
from arsync.store.engine import Work
from arsync.store.finding import FoundCustomer, FoundInvoice

#: Before an id, where a number of one invoice is the id of another.
_BY_ID: Final = "id:"
InvoiceArgument = Annotated[str | None, typer.Argument(help="An invoice's number.")]
CustomerOption = Annotated[
    str | None, typer.Option("--customer", help="A customer's name, id or e-mail instead: all it pays for.")
]

_Kept = TypeVar("_Kept")


def whom(app: App, invoice: str | None, customer: str | None, connection: str | None) -> Whom:
    """The invoice, or all that the customer pays for; UsageError where neither or both are named."""
    if (invoice is None) == (customer is None):
        raise UsageError("name an invoice, or --customer")
    if invoice is not None:
        found = _or_customer(app, invoice, connection)
        return Whom(found.connection_id, found.payer_id, found, f"invoice {found.number} of {found.customer}")
    assert customer is not None
    one = one_payer(app, customer, connection)
    return Whom(one.connection_id, one.payer_id, None, f"everything {one.name} pays for")


def _or_customer(app: App, number: str, connection: str | None) -> FoundInvoice:
    """The invoice; where there is none and a customer is called so, the NotFound says how that is written."""
    try:
        return one_invoice(app, number, connection)
    except NotFound:
        if customers(app, number, connection):
            raise NotFound(f"invoice {number!r}; a customer is called so: --customer {number!r}") from None
        raise


def one_invoice(app: App, number: str, connection: str | None) -> FoundInvoice:
    """The invoice of that number, or of that id where no number fits or it is written `id:...`.

    Ambiguous with the list where there are several.
    """
    by_id = number.startswith(_BY_ID)
    wanted = number.removeprefix(_BY_ID)
    with app.store.reading() as work:
        if connection is not None:
            connections.connection(work, connection)  # or NotFound, with the names there are
        both = finding.find_invoices(work, wanted, connection)
    numbered = [] if by_id else [one for one in both if one.number == wanted]
    found = numbered or [one for one in both if one.invoice_id == wanted]
    if not found:
        raise NotFound(f"invoice {number!r}")
    if len(found) > 1:
        listed = "; ".join(
            f"{_BY_ID}{one.invoice_id} --connection {one.connection} ({flat(one.customer)}, {one.total})"
            for one in found
        )
        raise Ambiguous(f"invoice {number!r}: {listed}")
    return found[0]


def customers(app: App, name: str, connection: str | None) -> list[FoundCustomer]:
    """Every customer of that name (in any case), id (also written `id:...`) or e-mail."""
    by_id, wanted = name.startswith(_BY_ID), name.removeprefix(_BY_ID)
    with app.store.reading() as work:
        if connection is not None:
            connections.connection(work, connection)
        found = finding.find_customers(work, wanted, connection)
    return [one for one in found if one.customer_id == wanted] if by_id else found


def _unknown(app: App, name: str, connection: str | None) -> NotFound:
    """That there is no such customer, with those in whose names the words occur."""
    with app.store.reading() as work:
        near = finding.customers_like(work, name, connection)
    there_are = f"; there are {', '.join(f'{flat(one.name)!r} ({one.connection})' for one in near)}" if near else ""
    return NotFound(f"customer {name!r}{there_are}")


def one_customer(app: App, name: str, connection: str | None) -> FoundCustomer:
    """The customer of that name, id or e-mail; Ambiguous with the list where there are several."""
    found = customers(app, name, connection)
    if not found:
        raise _unknown(app, name, connection)
    if len(found) > 1:
        raise Ambiguous(f"customer {name!r}: {listed(found)}")
    return found[0]


def one_payer(app: App, name: str, connection: str | None) -> FoundCustomer:
    """A customer of that name whose payer is the only one; Ambiguous with the list where there are several."""
    found = customers(app, name, connection)
    if not found:
        raise _unknown(app, name, connection)
    if len({(one.connection_id, one.payer_id) for one in found}) > 1:
        raise Ambiguous(f"customer {name!r}: {listed(found)}")
    return next((one for one in found if one.customer_id == one.payer_id), found[0])


def by_customer(
    app: App, kept: Callable[[Work, int], Mapping[str, _Kept]], only: tuple[int, str] | None
) -> list[tuple[str, str, str, _Kept]]:
    """What is kept by customer, of all connections or of one (connection, customer): each with the connection's name,
    the customer's id and its name, in the order of the names."""
    with app.store.reading() as work:
        rows = [
            (linked.name, customer_id, finding.customer_name(work, linked.id, customer_id), one)
            for linked in connections.connections(work)
            for customer_id, one in kept(work, linked.id).items()
            if only is None or (linked.id, customer_id) == only
        ]
    return sorted(rows, key=lambda row: (row[0], row[2]))


def listed(found: list[FoundCustomer]) -> str:
    """What to write instead."""
    return "; ".join(f"{_BY_ID}{one.customer_id} --connection {one.connection} ({flat(one.name)})" for one in found)
