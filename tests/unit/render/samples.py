"""One payer's story, told through every template."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

from arsync.domain.chase import Intent, Item, Letterhead, Seller
from arsync.domain.documents import Contact, ContactRole, InvoiceLine, InvoiceState
from arsync.domain.money import Money
from arsync.domain.policy import Step, StepChannel, StepMode, Tone

TEMPLATES = Path(__file__).parents[3] / "playbooks" / "templates"
TODAY = date(2025, 11, 5)
STEPS = {
    "courtesy": Step("courtesy", -7, StepChannel.EMAIL, Tone.COURTESY, "courtesy", None),
    "friendly": Step("friendly", 3, StepChannel.EMAIL, Tone.FRIENDLY, "friendly", None),
    "firm": Step("firm", 14, StepChannel.EMAIL, Tone.FIRM, "firm", None),
    "call": Step("call", 21, StepChannel.CALL, Tone.FIRM, "call", StepMode.TASK),
    "gentle": Step("gentle", 7, StepChannel.EMAIL, Tone.FRIENDLY, "gentle", None),
    "formal": Step("formal", 18, StepChannel.EMAIL, Tone.FIRM, "formal", None),
    "statement": Step("statement", 3, StepChannel.EMAIL, Tone.FRIENDLY, "statement", None),
    "precall": Step("precall", -7, StepChannel.CALL, Tone.COURTESY, "precall", StepMode.TASK),
    "final": Step("final", 30, StepChannel.EMAIL, Tone.FINAL, "final", None),
}
SELLER = Seller(
    name="Northwind Joinery Ltd",
    timezone="Europe/London",
    locale="en-GB",
    reply_to="accounts@northwind.example",
    sender="Northwind Joinery <accounts@northwind.example>",
    legal_footer=(
        "Northwind Joinery Ltd, 4 Wharf Road, Bristol BS1 6XN\nRegistered in England 01234567 · VAT GB 123 4567 89"
    ),
    color="#1f6f54",
    bank_details={
        "EUR": "Northwind Joinery Ltd\nIBAN DE89 3704 0044 0532 0130 00\nBIC COBADEFFXXX",
        "GBP": "Northwind Joinery Ltd\nSort code 60-16-13\nAccount 31926819",
    },
)
JANE = Contact("Jane Okafor", "jane@harbour.example", "+44 117 496 0123", ContactRole.BILLING)


def letterhead(locale: str = "en", **changes: object) -> Letterhead:
    """Northwind writes to the Harbour Hotel on 5 November 2025."""
    plain = Letterhead(SELLER, "Harbour Hotel Group", locale, TODAY, "NW-4711")
    return replace(plain, **changes)  # type: ignore[arg-type]


def invoice(
    number: str,
    balance: str,
    due_on: date | None,
    *,
    total: str | None = None,
    currency: str = "EUR",
    issued_on: date = date(2025, 9, 1),
    reference: str | None = None,
    customer: str = "Harbour Hotel Group",
    lines: tuple[str, ...] = (),
) -> Item:
    """An open invoice of the Harbour Hotel."""
    return Item(
        invoice_id=f"id-{number}",
        number=number,
        customer_name=customer,
        state=InvoiceState.OPEN,
        total=Money(Decimal(total or balance), currency),
        balance=Money(Decimal(balance), currency),
        issued_on=issued_on,
        due_on=due_on,
        reference=reference,
        email=None,
        lines=tuple(InvoiceLine(line, Decimal(1), Decimal("1.00")) for line in lines),
    )


OLDEST = invoice(
    "INV-1041",
    "1200.00",
    date(2025, 10, 1),
    total="2400.00",
    reference="PO-7781",
    lines=("Reception desk, oak, oiled", "Fitting on site"),
)
SECOND = invoice("INV-1058", "345.50", date(2025, 10, 20), issued_on=date(2025, 9, 20), lines=("Door repair",))
RECENT = invoice("INV-1102", "80.00", date(2025, 11, 4), issued_on=date(2025, 10, 5))
NOT_DUE = invoice("INV-1120", "990.00", date(2025, 11, 25), issued_on=date(2025, 10, 26), customer="Harbour Spa")


def intent(step: str = "firm", **changes: object) -> Intent:
    """Two invoices demanded, two listed, money not yet matched; one person to write to."""
    plain = Intent(
        step=STEPS[step],
        occurrence=1,
        mode=StepMode.AUTO,
        demanded=(OLDEST, SECOND),
        listed=(RECENT, NOT_DUE),
        unapplied=Money(Decimal("15.00"), "EUR"),
        recipients=(JANE,),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]
