"""What a template may use: every value formatted for the reader's locale and made harmless.

The fields of `MessageView` are the names that templates know: the lint reads them, the guide to playbooks names each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import quote

from babel import Locale

from arsync.domain.behaviour import Behaviour
from arsync.domain.chase import Intent, Item, Letterhead, Seller
from arsync.domain.documents import Contact
from arsync.domain.money import totals
from arsync.domain.people import Owner
from arsync.domain.policy import StepChannel
from arsync.render.colors import NIGHT, PAPER, color_of, readable, text_on
from arsync.render.wording import address_of, day_text, font_stack, lines_of, locale_of, money_text, one_line, web_image

_REMITTANCE_LIMIT: Final = 140  # what a SEPA transfer carries
_LINES_NAMED: Final = 3
_SIGNATURE_LINES: Final = 8


@dataclass(frozen=True, slots=True)
class ItemView:
    """One invoice as a template sees it; amounts and days are text in the reader's locale."""

    number: str
    reference: str | None  # the customer's own; its purchase order number where it gave no other
    purchase_order: str | None
    terms: str | None  # as the source words them
    pay_link: str | None
    customer: str | None  # whom it was billed to, where that is not the payer
    issued_on: str
    due_on: str | None
    days_late: int | None  # negative before the due date; None without one
    days_left: int | None
    purpose: str | None  # what it was for
    balance: str
    amount: str  # what it was written for
    total: str | None  # the same, only where a part is paid
    disputed: str | None  # open as well, contested and not asked for
    currency: str


@dataclass(frozen=True, slots=True)
class BankView:
    """Where to pay one currency."""

    currency: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PersonView:
    """Somebody at the payer."""

    name: str
    email: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class SellerView:
    """Who writes."""

    name: str
    reply_to: str
    reply_link: str  # the mailto: address, quoted
    legal: tuple[str, ...]
    logo: str | None  # where its picture lies
    font: str  # a CSS list of families
    color: str
    on_color: str  # white or black: what is read better on `color`
    link: str  # `color`, darkened where it could not be read on white
    link_dark: str  # ... and lightened where it could not be read on the dark card


@dataclass(frozen=True, slots=True)
class SenderView:
    """Who of the seller's people signs."""

    name: str
    email: str | None
    phone: str | None
    signature: tuple[str, ...]  # the lines below the greeting; its name where it has none of its own


@dataclass(frozen=True, slots=True)
class HabitView:
    """How the payer has paid so far; for our own people, never for the payer."""

    rating: str  # A to D, or new
    days_late: int | None  # as the money comes in; negative is before the due date
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MessageView:
    """All the names that a template knows, beside its language's `words` and, in HTML, the `subject`."""

    language: str
    payer_language: str  # its name, in the language of the message
    payer: str
    greeted: str  # the one reader's name, else the payer's
    named: bool  # whether that is a person's name, and not the payer's again
    people: tuple[PersonView, ...]
    demanded: tuple[ItemView, ...]
    listed: tuple[ItemView, ...]  # all younger ones
    not_due: tuple[ItemView, ...]  # those of them that are not due yet
    recently_due: tuple[ItemView, ...]  # ... and that are
    totals: tuple[str, ...]  # open, of what is demanded, one sum per currency
    received: tuple[str, ...]  # come in already for what is demanded, likewise
    oldest_days: int
    unapplied: str | None
    bank: tuple[BankView, ...]
    remittance: str
    today: str
    seller: SellerView
    sender: SenderView | None  # where the customer has an owner
    habit: HabitView | None  # where the payer's behaviour is known
    on_paper: bool  # it is a letter: nobody can answer it where it is read
    day: date  # what `days_from_today` counts from
    locale: Locale


def view(intent: Intent, letterhead: Letterhead, locale: Locale) -> MessageView:
    """The message's values in that locale."""
    demanded = tuple(_item(item, letterhead, locale) for item in intent.demanded)
    listed = tuple(_item(item, letterhead, locale) for item in intent.listed)
    owed = totals(item.balance for item in intent.demanded)
    # What is contested is off the balance and has not come in.
    still_open = [item.balance + item.disputed if item.disputed else item.balance for item in intent.demanded]
    received = totals(item.total - left for item, left in zip(intent.demanded, still_open, strict=True))
    people = tuple(_person(contact) for contact in intent.recipients)
    payer = one_line(letterhead.payer_name)
    reader = people[0].name if len(people) == 1 else ""
    details = letterhead.seller.bank_details
    return MessageView(
        language=str(locale).replace("_", "-"),
        payer_language=str(locale_of(letterhead.locale).get_display_name(locale)),
        payer=payer,
        greeted=reader or payer,
        named=bool(reader) and reader.casefold() != payer.casefold(),  # a source that knows nobody says that
        people=people,
        demanded=demanded,
        listed=listed,
        not_due=tuple(item for item in listed if item.days_late is None or item.days_late <= 0),
        recently_due=tuple(item for item in listed if item.days_late is not None and item.days_late > 0),
        totals=tuple(money_text(money, locale) for money in owed.values()),
        received=tuple(money_text(money, locale) for money in received.values() if money),
        oldest_days=max((item.days_late for item in demanded if item.days_late is not None), default=0),
        unapplied=money_text(intent.unapplied, locale) if intent.unapplied else None,
        bank=tuple(BankView(currency, lines_of(details[currency])) for currency in owed if currency in details),
        remittance=one_line(letterhead.remittance, _REMITTANCE_LIMIT),
        today=day_text(letterhead.today, locale),
        seller=_seller(letterhead.seller),
        sender=_sender(intent.owner) if intent.owner else None,
        habit=_habit(letterhead.behaviour) if letterhead.behaviour else None,
        on_paper=intent.step.way is StepChannel.LETTER,
        day=letterhead.today,
        locale=locale,
    )


def _item(item: Item, letterhead: Letterhead, locale: Locale) -> ItemView:
    late = (letterhead.today - item.due_on).days if item.due_on else None
    amount = money_text(item.total, locale)
    return ItemView(
        number=one_line(item.number, 40),
        reference=one_line(item.reference or item.purchase_order or "", 60) or None,
        purchase_order=one_line(item.purchase_order or "", 60) or None,
        terms=one_line(item.terms or "", 80) or None,
        pay_link=item.pay_link,
        customer=one_line(item.customer_name) if item.customer_name != letterhead.payer_name else None,
        issued_on=day_text(item.issued_on, locale),
        due_on=day_text(item.due_on, locale) if item.due_on else None,
        days_late=late,
        days_left=-late if late is not None else None,
        purpose=_purpose(line.description for line in item.lines),
        balance=money_text(item.balance, locale),
        amount=amount,
        total=amount if item.balance != item.total else None,
        disputed=money_text(item.disputed, locale) if item.disputed else None,
        currency=item.balance.currency,
    )


def _purpose(descriptions: Iterable[str]) -> str | None:
    named = list(dict.fromkeys(short for text in descriptions if (short := one_line(text, 60))))
    more = f" (+{len(named) - _LINES_NAMED})" if len(named) > _LINES_NAMED else ""
    return "; ".join(named[:_LINES_NAMED]) + more if named else None


def _person(contact: Contact) -> PersonView:
    return PersonView(
        name=one_line(contact.name),
        email=one_line(contact.email) if contact.email else None,
        phone=one_line(contact.phone, 40) if contact.phone else None,
    )


def _seller(seller: Seller) -> SellerView:
    color = color_of(seller.color)
    reply_to = address_of(seller.reply_to)
    return SellerView(
        name=one_line(seller.name),
        reply_to=reply_to,
        reply_link="mailto:" + quote(reply_to, safe="@.+-_"),
        legal=lines_of(seller.legal_footer, 300),
        logo=web_image(seller.logo),
        font=font_stack(seller.font),
        color=color,
        on_color=text_on(color),
        link=readable(color, PAPER),
        link_dark=readable(color, NIGHT),
    )


def _sender(owner: Owner) -> SenderView:
    name = one_line(owner.name)
    return SenderView(
        name=name,
        email=one_line(owner.email, 254) if owner.email else None,
        phone=one_line(owner.phone, 40) if owner.phone else None,
        signature=lines_of(owner.signature or "")[:_SIGNATURE_LINES] or (name,),
    )


def _habit(behaviour: Behaviour) -> HabitView:
    return HabitView(
        rating=behaviour.rating.value,
        days_late=round(behaviour.days_late) if behaviour.days_late is not None else None,
        reasons=tuple(one_line(reason, 200) for reason in behaviour.reasons),
    )
