"""QuickBooks' customers, their addresses and countries."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

from babel import Locale
from babel.core import get_global

from arsync.domain.documents import Contact, ContactRole, Customer, CustomerGroup, CustomerState, Deleted, Resource
from arsync.domain.postal import postal_address
from arsync_quickbooks import wire
from arsync_quickbooks.fields import Home, amount_of, id_of, name_of, text_of, tombstone, updated_at, value_of

_SEPARATOR: Final = re.compile(r'[,;](?=(?:[^"]*"[^"]*")*[^"]*$)')  # but not inside quotes
_IS_LIST: Final = re.compile("[,;<]")
_IN_BRACKETS: Final = re.compile(r"<([^<>]*)>\s*$")


def customer_of(found: wire.Customer, home: Home) -> Customer | Deleted:
    """A customer with its contacts, or that it is gone."""
    if found.status == "Deleted":
        return tombstone(Resource.CUSTOMERS, found)
    remote_id = id_of(found)
    name = found.display_name or found.fully_qualified_name or found.company_name or ""
    address = found.bill_addr
    return Customer(
        remote_id=remote_id,
        name=name,
        state=CustomerState.ARCHIVED if found.active is False else CustomerState.ACTIVE,
        # The debt of a sub-customer stands on the sub-customer; who pays is the one above.
        parent_id=value_of(found.parent_ref),
        merged_into=None,
        currency=value_of(found.currency_ref),
        country=country_code(address.country) if isinstance(address, wire.Address) else None,
        language=None,
        contacts=_contacts(found, name),
        balance=_owed(found, home),
        updated_at=updated_at(found),
        version=text_of(found.sync_token) or "",
        region=text_of(address.country_sub_division_code) if isinstance(address, wire.Address) else None,
        terms=name_of(found.sales_term_ref),
        address=_postal(address, name) if isinstance(address, wire.Address) else None,
        groups=(CustomerGroup(kind),) if (kind := value_of(found.customer_type_ref)) else (),
    )


def _postal(address: wire.Address, name: str) -> str | None:
    every = (address.line1, address.line2, address.line3, address.line4, address.line5)
    return postal_address(
        (text_of(line) for line in every),
        city=text_of(address.city),
        region=text_of(address.country_sub_division_code),
        code=text_of(address.postal_code),
        country=country_code(address.country),
        name=name,
    )


def _owed(found: wire.Customer, home: Home) -> Decimal | None:
    """A customer in another currency than the company's own owes nothing, or it is not known what: whether QuickBooks
    converts the balance is not documented, and nothing is nothing in either."""
    if found.balance is None:
        return None
    owed, currency = amount_of(found.balance, "Balance"), value_of(found.currency_ref)
    return owed if owed <= 0 or currency is None or currency == home() else None


def _contacts(found: wire.Customer, name: str) -> tuple[Contact, ...]:
    """The customer's address; where it is a list, the others are sent the invoices too."""
    person = " ".join(part for part in (found.given_name, found.family_name) if part) or name
    phone = _phone(found.primary_phone) or _phone(found.mobile)
    addresses = addresses_in(found.primary_email_addr)
    if not addresses:
        return (Contact(name=person, email=None, phone=phone, role=ContactRole.PRIMARY),) if phone else ()
    first, *others = addresses
    return (
        Contact(name=person, email=first, phone=phone, role=ContactRole.PRIMARY),
        *(Contact(name=person, email=other, phone=None, role=ContactRole.BILLING) for other in others),
    )


def sent_to(found: wire.Invoice) -> tuple[str | None, tuple[str, ...]]:
    """The address that the invoice was sent to, and the others, each once."""
    billed = found.bill_email
    if found.bill_email_cc is None and isinstance(billed, wire.Email):
        address = billed.address
        if not address or not _IS_LIST.search(address):
            return (address.strip() or None if address else None), ()
    every = addresses_in(billed)
    others = dict.fromkeys(every[1:] + addresses_in(found.bill_email_cc))
    first = every[0] if every else None
    return first, tuple(other for other in others if other != first)


def addresses_in(email: wire.Email | str | None) -> list[str]:
    """The addresses of a list with commas or semicolons, each bare: `"Doe, Jane" <jane@x.example>` is one."""
    text = email.address if isinstance(email, wire.Email) else email
    found = [bare for part in _SEPARATOR.split(text) if (bare := _bare(part))] if text else []
    return list(dict.fromkeys(found))


def _bare(part: str) -> str:
    inside = _IN_BRACKETS.search(part)
    return (inside[1] if inside else part).strip()


def _phone(phone: wire.Phone | str | None) -> str | None:
    return text_of(phone.free_form_number) if isinstance(phone, wire.Phone) else None


@lru_cache(maxsize=512)
def country_code(text: str | None) -> str | None:
    """ISO 3166-1 alpha-2 of a code of two or three letters or an English name; None where it is neither."""
    name = (text or "").strip()
    if len(name) in (2, 3) and name.isascii() and name.isalpha():
        code = name.upper()
        codes: list[str] = get_global("territory_aliases").get(code) or [code]
        return codes[0] if len(codes) == 1 and codes[0] in get_global("territory_currencies") else None
    return _country_names().get(name.casefold())


@lru_cache(maxsize=1)
def _country_names() -> dict[str, str]:
    return {
        name.casefold(): code for code, name in Locale("en").territories.items() if len(code) == 2 and code.isalpha()
    }
