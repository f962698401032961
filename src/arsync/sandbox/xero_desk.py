"""What a person does in the organisation: the acts of the control API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from arsync.sandbox.company import ControlError
from arsync.sandbox.xero_books import BookError, Books
from arsync.sandbox.xero_fields import Fields, all_read, cents_of, money_of, one_of, text_of
from arsync.sandbox.xero_life import Life
from arsync.sandbox.xero_records import ZERO, Contact, Credit, CreditKind, Invoice, Line, Payment, Record, Status


class Desk:
    """Does acts on one organisation's books; every act refuses fields it does not know."""

    def __init__(self, books: Books, life: Life) -> None:
        self.books = books
        self.life = life
        self.acts: dict[str, Callable[[Fields], dict[str, Any]]] = {
            "pay": self._pay,
            "pay_unapplied": self._pay_unapplied,
            "apply": self._apply,
            "journal": self._journal,
            "unapply": self._unapply,
            "settle_all": self._settle_all,
            "reopen_all": self._reopen_all,
            "hide": self._hide,
            "halve": self._halve,
            "credit_note": self._credit_note,
            "void": self._void,
            "delete": self._void,
            "delete_payment": self._delete_payment,
            "edit": self._edit,
            "edit_customer": self._edit_customer,
            "new_invoice": self._new_invoice,
            "new_customer": self._new_customer,
            "merge": self._merge,
            "rename_group": self._rename_group,
            "note": self._note,
            "corrupt": self._corrupt,
            "restore": self._restore,
            "lock_period": self._lock_period,
        }

    def act(self, do: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Do one act; the ids touched. Raises ControlError with what is wrong."""
        perform = self.acts.get(do)
        if perform is None:
            raise ControlError(f"no act {do!r}; there are {', '.join(sorted(self.acts))}")
        left = dict(fields)
        try:
            return perform(left)
        except BookError as error:
            raise ControlError(str(error)) from None

    # -- money -----------------------------------------------------------------------------------

    def _pay(self, fields: Fields) -> dict[str, Any]:
        invoice = self._invoice(fields)
        amount = money_of(fields, "amount", invoice.amount_due)
        on = self._day(fields, "date")
        reference = text_of(fields, "reference", invoice.number)
        all_read(fields)
        payment = self.books.pay(invoice, amount, on, reference=reference)
        return _touched(payment, invoice, invoice.contact)

    def _pay_unapplied(self, fields: Fields) -> dict[str, Any]:
        contact = self._contact(fields)
        amount = money_of(fields, "amount", None)
        on = self._day(fields, "date")
        word = text_of(fields, "kind", "overpayment")
        kinds = {"overpayment": CreditKind.OVERPAYMENT, "prepayment": CreditKind.PREPAYMENT}
        if word not in kinds:
            raise ControlError("kind is overpayment or prepayment")
        currency = text_of(fields, "currency", contact.currency or self.books.currency)
        reference = text_of(fields, "reference", "")
        all_read(fields)
        credit = self.life.put_on_account(contact, amount, on, kind=kinds[word], currency=currency, reference=reference)
        return _touched(credit, contact)

    def _journal(self, fields: Fields) -> dict[str, Any]:
        """A bank rule or conversion balance that lowers what a contact owes: no invoice hears of it."""
        contact = self._contact(fields)
        contact.written_off += money_of(fields, "amount", None)
        fields.pop("silently", None)
        all_read(fields)
        contact.rendered.clear()
        return _touched(contact)

    def _settle_all(self, fields: Fields) -> dict[str, Any]:
        """Every balance is zero, and no money came: what a broken source tells."""
        all_read(fields)
        return self._balances(settled=True)

    def _reopen_all(self, fields: Fields) -> dict[str, Any]:
        """Every invoice is open to its full total."""
        all_read(fields)
        return self._balances(settled=False)

    def _balances(self, *, settled: bool) -> dict[str, Any]:
        for invoice in self.books.invoices.values():
            if invoice.type == "ACCREC" and invoice.status in (Status.AUTHORISED, Status.PAID):
                invoice.paid = invoice.total - invoice.credited if settled else -invoice.credited
                invoice.status = Status.PAID if settled else Status.AUTHORISED
                invoice.contact.rendered.clear()
                self.books.touch(invoice)
        return {"ids": []}

    def _hide(self, fields: Fields) -> dict[str, Any]:
        """Nothing of that kind is listed any more, or again (`on` false)."""
        return self._flag(self.books.hidden, fields)

    def _halve(self, fields: Fields) -> dict[str, Any]:
        """Lists of that kind leave out every second record, or none (`on` false)."""
        return self._flag(self.books.halved, fields)

    def _flag(self, flags: set[str], fields: Fields) -> dict[str, Any]:
        kind = {"invoice": "Invoices", "payment": "Payments", "customer": "Contacts"}[str(fields.pop("kind"))]
        (flags.add if fields.pop("on", True) else flags.discard)(kind)
        all_read(fields)
        self.books.revision += 1
        return {"ids": []}

    def _apply(self, fields: Fields) -> dict[str, Any]:
        credit = self._credit(fields)
        invoice = self._invoice(fields)
        amount = money_of(fields, "amount", min(credit.remaining, invoice.amount_due))
        on = self._day(fields, "date")
        all_read(fields)
        allocation = self.books.allocate(credit, invoice, amount, on)
        return _touched(credit, invoice) | {"allocation": allocation.id}

    def _unapply(self, fields: Fields) -> dict[str, Any]:
        credit = self._credit(fields)
        invoice = self._invoice(fields)
        all_read(fields)
        allocation = next((one for one in credit.allocations if one.invoice is invoice), None)
        if allocation is None:
            raise ControlError(f"{credit.id} has nothing on invoice {invoice.id}")
        self.books.remove_allocation(allocation)
        return _touched(credit, invoice)

    def _credit_note(self, fields: Fields) -> dict[str, Any]:
        apply_to = fields.pop("apply_to", None)
        invoice = self._invoice({"invoice": apply_to}) if apply_to is not None else None
        if invoice is not None and not {"customer", "contact"} & set(fields):
            contact = invoice.contact
        else:
            contact = self._contact(fields)
        amount = money_of(fields, "amount", None)
        on = self._day(fields, "date")
        currency = text_of(fields, "currency", invoice.currency if invoice else contact.currency or self.books.currency)
        all_read(fields)
        if invoice is not None and not 0 < amount <= invoice.amount_due:
            raise ControlError(f"{invoice.number} has {invoice.amount_due} due, not {amount}")
        credit = self.life.give_credit(contact, amount, on, currency=currency)
        if invoice is None:
            return _touched(credit, contact)
        self.books.allocate(credit, invoice, amount, on)
        return _touched(credit, invoice, contact)

    def _delete_payment(self, fields: Fields) -> dict[str, Any]:
        payment_id = str(one_of(fields, "payment", "id"))
        all_read(fields)
        record = self.books.record(payment_id)
        if isinstance(record, Payment):
            self.books.delete_payment(record)
            return _touched(record, record.invoice)
        if isinstance(record, Credit) and record.kind is not CreditKind.CREDIT_NOTE:
            ids = self.books.void_credit(record)
            return _touched(record) | {"ids": ids}
        raise ControlError(f"no payment {payment_id}")

    # -- documents -------------------------------------------------------------------------------

    def _void(self, fields: Fields) -> dict[str, Any]:
        name = str(one_of(fields, "invoice", "credit_note", "credit", "id"))
        all_read(fields)
        record = self.books.record(name) or self._by_number(name)
        if isinstance(record, Invoice):
            ids = self.books.void_invoice(record)
            return _touched(record) | {"ids": ids}
        if isinstance(record, Credit):
            ids = self.books.void_credit(record)
            return _touched(record) | {"ids": ids}
        raise ControlError(f"no invoice or credit {name}")

    def _edit(self, fields: Fields) -> dict[str, Any]:
        invoice = self._invoice(fields)
        for name in list(fields):
            value = fields.pop(name)
            match name:
                case "due" | "due_date":
                    invoice.due = None if value is None else date.fromisoformat(str(value))
                case "memo" | "reference":
                    invoice.reference = str(value)
                case "number":
                    invoice.number = str(value)
                case "expected_payment_date":
                    invoice.expected_payment = None if value is None else date.fromisoformat(str(value))
                case "sent":
                    invoice.sent = bool(value)
                case "status":
                    invoice.status = self._approved(invoice, str(value))
                case "total" | "amount":
                    self._reprice(invoice, cents_of(value, name))
                case _:
                    raise ControlError(f"an invoice has no {name} to edit")
        invoice.contact.rendered.clear()
        for payment in invoice.payments:
            payment.rendered.clear()
        for allocation in invoice.allocations:
            allocation.credit.rendered.clear()
        self.books.touch(invoice)
        return _touched(invoice)

    def _approved(self, invoice: Invoice, word: str) -> Status:
        moves = {
            Status.DRAFT: {Status.SUBMITTED, Status.AUTHORISED, Status.DELETED},
            Status.SUBMITTED: {Status.DRAFT, Status.AUTHORISED, Status.DELETED},
        }
        if word not in moves.get(invoice.status, set()):
            raise ControlError(f"an invoice that is {invoice.status} does not become {word}")
        return Status(word)

    def _reprice(self, invoice: Invoice, total: Decimal) -> None:
        if invoice.paid or invoice.credited or total <= 0:
            raise ControlError("only an invoice without payments or credits gets another, positive total")
        line = invoice.lines[0]
        invoice.lines = (Line(line.id, line.description, Decimal(1), total, ZERO),)
        invoice.subtotal, invoice.tax = total, ZERO

    def edit_served(self, invoice: Invoice) -> None:
        """A small edit such as a person makes in passing: the reference gets a mark, the stamp moves."""
        invoice.reference = f"{invoice.reference.rstrip('*')}{'' if invoice.reference.endswith('*') else '*'}"
        self.books.touch(invoice)

    def _new_invoice(self, fields: Fields) -> dict[str, Any]:
        contact = self._contact(fields)
        amount = money_of(fields, "amount", Decimal("100.00"))
        issued = self._day(fields, "date")
        due = fields.pop("due", fields.pop("due_date", "terms"))
        number = text_of(fields, "number", f"INV-{self.life.next_number}")
        reference = text_of(fields, "reference", "")
        description = text_of(fields, "description", "Consulting hours")
        currency = text_of(fields, "currency", contact.currency or self.books.currency)
        status = Status(text_of(fields, "status", "AUTHORISED"))
        all_read(fields)
        if status not in (Status.DRAFT, Status.SUBMITTED, Status.AUTHORISED) or amount <= 0:
            raise ControlError("a new invoice is DRAFT, SUBMITTED or AUTHORISED, of a positive amount")
        self.life.next_number += 1
        days = contact.terms_days if contact.terms_days is not None else 30
        invoice = self.books.add_invoice(
            Invoice(
                self.books.new_id(),
                self.books.now(),
                "ACCREC",
                number,
                reference,
                contact,
                issued,
                issued + timedelta(days=days)
                if due == "terms"
                else (None if due is None else date.fromisoformat(str(due))),
                currency,
                self.life.rate(currency),
                (Line(self.books.new_id(), description, Decimal(1), amount, ZERO),),
                status,
                amount,
                ZERO,
                self.books.now(),
                sent=status is Status.AUTHORISED,
            )
        )
        return _touched(invoice, contact) | {"number": number}

    # -- people ----------------------------------------------------------------------------------

    def _new_customer(self, fields: Fields) -> dict[str, Any]:
        contact = Contact(
            self.books.new_id(),
            self.books.now(),
            text_of(fields, "name", f"Customer {len(self.books.contacts) + 1}"),
            email=text_of(fields, "email", "") or "",
            phone=text_of(fields, "phone", ""),
            currency=text_of(fields, "currency", self.books.currency),
            terms_days=30,
            country=text_of(fields, "country", ""),
            region=text_of(fields, "region", ""),
        )
        if group := text_of(fields, "group", ""):
            contact.groups = (self.books.group(group),)
        all_read(fields)
        self.books.add_contact(contact)
        return _touched(contact)

    def _edit_customer(self, fields: Fields) -> dict[str, Any]:
        contact = self._contact(fields)
        for name in list(fields):
            value = fields.pop(name)
            match name:
                case "email" | "name" | "phone" | "first_name" | "last_name" | "city" | "country":
                    setattr(contact, name, "" if value is None else str(value))
                case "group":
                    self.books.put_into(contact, [self.books.group(str(value))] if value else [])
                    if not fields:
                        return _touched(contact)
                case "active":
                    contact.status = "ACTIVE" if value else "ARCHIVED"
                case _:
                    raise ControlError(f"a customer has no {name} to edit")
        self.books.contact_changed(contact)
        return _touched(contact)

    def _rename_group(self, fields: Fields) -> dict[str, Any]:
        group = self.books.group(text_of(fields, "group", ""))
        self.books.rename_group(group, text_of(fields, "name", group.name))
        all_read(fields)
        return {"id": group.id, "ids": [group.id]}

    def _merge(self, fields: Fields) -> dict[str, Any]:
        survivor = self._contact({"customer": fields.pop("into", None)})
        gone = self._contact(fields)
        all_read(fields)
        self.books.merge(gone, survivor)
        return _touched(survivor) | {"ids": [gone.id, survivor.id]}

    # -- notes and junk --------------------------------------------------------------------------

    def _note(self, fields: Fields) -> dict[str, Any]:
        record = self._record(fields)
        text = text_of(fields, "text", "")
        all_read(fields)
        note = self.books.add_note(type(record).__name__, record, text, None)
        return _touched(record) | {"note": note.id}

    def _corrupt(self, fields: Fields) -> dict[str, Any]:
        record = self._record(fields)
        junk, drop = fields.pop("fields", None) or {}, fields.pop("drop", None) or []
        all_read(fields)
        if not isinstance(junk, dict) or not isinstance(drop, list) or not (junk or drop):
            raise ControlError('corrupt takes "fields" (raw JSON for the record) and "drop" (names to leave out)')
        record.junk, record.dropped = junk, tuple(map(str, drop))
        self.books.touch(record)
        return _touched(record)

    def _restore(self, fields: Fields) -> dict[str, Any]:
        record = self._record(fields)
        all_read(fields)
        record.junk, record.dropped = None, ()
        self.books.touch(record)
        return _touched(record)

    def _lock_period(self, fields: Fields) -> dict[str, Any]:
        until = fields.pop("until", None)
        all_read(fields)
        self.books.locked_until = None if until is None else date.fromisoformat(str(until))
        return {"until": until}

    # -- finding ---------------------------------------------------------------------------------

    def _record(self, fields: Fields) -> Record:
        name = str(one_of(fields, "id", "invoice", "customer", "payment", "credit_note", "credit"))
        record = self.books.record(name) or self._by_number(name)
        if record is None:
            raise ControlError(f"no record {name}")
        return record

    def _by_number(self, number: str) -> Record | None:
        found: Record | None = next((one for one in self.books.invoices.values() if one.number == number), None)
        return found or next((one for one in self.books.credits.values() if one.number == number), None)

    def _invoice(self, fields: Fields) -> Invoice:
        name = str(one_of(fields, "invoice", "id"))
        record = self.books.invoices.get(name) or self._by_number(name)
        if not isinstance(record, Invoice):
            raise ControlError(f"no invoice {name}")
        return record

    def _contact(self, fields: Fields) -> Contact:
        name = str(one_of(fields, "customer", "contact", "id"))
        contact = self.books.contacts.get(name)
        contact = contact or next((one for one in self.books.contacts.values() if one.name == name), None)
        if contact is None:
            raise ControlError(f"no customer {name}")
        return contact

    def _credit(self, fields: Fields) -> Credit:
        name = str(one_of(fields, "payment", "credit_note", "credit", "id"))
        credit = self.books.credits.get(name) or self._by_number(name)
        if not isinstance(credit, Credit):
            raise ControlError(f"no credit note, overpayment or prepayment {name}")
        return credit

    def _day(self, fields: Fields, name: str) -> date:
        value = fields.pop(name, None)
        return self.books.now().date() if value is None else date.fromisoformat(str(value))


def _touched(*records: Record) -> dict[str, Any]:
    """The ids touched: the first as `id`, all as `ids`, and each under what it is."""
    named = {_word(record): record.id for record in reversed(records)}
    return {"id": records[0].id, "ids": [record.id for record in records], **named}


def _word(record: Record) -> str:
    if isinstance(record, Credit):
        return "credit" if record.kind is CreditKind.CREDIT_NOTE else "payment"
    return {Invoice: "invoice", Contact: "customer", Payment: "payment"}.get(type(record), "record")
