"""What a step would say, to a customer of the cache or to one made up; nothing is planned and nothing is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from arsync.domain.behaviour import Behaviour, Rating, Trend
from arsync.domain.chase import ChaseFacts, Intent, Item, Letterhead, Seller, by_age
from arsync.domain.documents import Contact, ContactRole, InvoiceLine, InvoiceState
from arsync.domain.money import Money
from arsync.domain.people import Owner
from arsync.domain.policy import Act, Step, StepMode, Tone
from arsync.render.wording import quoted


def intended(step: Step, facts: ChaseFacts, today: date) -> Intent:
    """The step as it would be about all that this payer has open, whether or not it is due."""
    open_now = [item for item in facts.items if item.state is InvoiceState.OPEN and item.balance] or list(facts.items)
    late = [item for item in open_now if item.due_on is not None and item.due_on < today]
    ahead = [item for item in open_now if item not in late]
    demanded = (ahead or late) if step.tone is Tone.COURTESY else (late or ahead)
    if step.act is Act.THANK_YOU:
        demanded = [_paid(item) for item in late or ahead]
    # As on the ladder: a final notice names nothing that it does not demand.
    alone = step.act is Act.THANK_YOU or step.tone is Tone.FINAL
    listed = [] if alone else [item for item in open_now if item not in demanded]
    return Intent(
        step=step,
        occurrence=1,
        mode=step.mode or StepMode.APPROVE,
        demanded=tuple(by_age(demanded)),
        listed=tuple(by_age(listed)),
        unapplied=facts.unapplied,
        recipients=facts.recipients,
        owner=facts.owner,
    )


def sample(step: Step, seller: Seller, locale: str, today: date) -> tuple[Intent, Letterhead]:
    """A payer made up, with everything that a message can have: part payments, references, an owner, several ages."""

    def invoice(number: str, late: int, balance: str, total: str, what: str) -> Item:
        due_on = today - timedelta(days=late)
        return Item(
            invoice_id=number, number=number, customer_name="Harbour Hotel Group", state=InvoiceState.OPEN,
            total=Money(Decimal(total), "EUR"), balance=Money(Decimal(balance), "EUR"),
            issued_on=due_on - timedelta(days=30), due_on=due_on,
            reference="PO-7781" if late > 30 else None, email=None,
            lines=(InvoiceLine(what, Decimal(1), Decimal(total)),),
        )  # fmt: skip

    facts_items = [
        invoice("INV-1041", 35, "1200.00", "2400.00", "Reception desk, oak, oiled"),
        invoice("INV-1058", 16, "345.50", "345.50", "Door repair"),
        invoice("INV-1120", -20, "990.00", "990.00", "Spare keys, set of 40"),
    ]
    late, ahead = facts_items[:2], facts_items[2:]
    demanded = ahead if step.tone is Tone.COURTESY else late
    listed: list[Item] = [] if step.tone in (Tone.COURTESY, Tone.FINAL) else ahead
    if step.act is Act.THANK_YOU:
        demanded, listed = [_paid(item) for item in late], []
    intent = Intent(
        step=step, occurrence=1, mode=step.mode or StepMode.APPROVE, demanded=tuple(demanded), listed=tuple(listed),
        unapplied=Money(Decimal("0.00"), "EUR"),
        recipients=(Contact("Jane Okafor", "jane@harbour.example", "+44 117 496 0123", ContactRole.BILLING),),
        owner=Owner("Ines Roth", "ines@example.com", "+44 117 496 0777"),
    )  # fmt: skip
    habit = Behaviour(
        currency="EUR", paid=12, late=8, share_late=Decimal("0.7"), days_late=Decimal(12), median_late=Decimal(10),
        days_to_pay=Decimal(42), recent_late=None, before_late=None, trend=Trend.STEADY, payment_day=None,
        rating=Rating.B, reasons=("a little late",),
    )  # fmt: skip
    letterhead = Letterhead(
        seller=seller,
        payer_name="Harbour Hotel Group",
        locale=locale,
        today=today,
        remittance=quoted(item.number for item in intent.demanded),
        behaviour=habit,
    )
    return intent, letterhead


def _paid(item: Item) -> Item:
    return replace(item, state=InvoiceState.PAID, balance=Money(Decimal("0.00"), item.balance.currency))
