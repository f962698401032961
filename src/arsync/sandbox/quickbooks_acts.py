"""What people do in a QuickBooks company, as the control API orders it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from arsync.sandbox.company import ControlError
from arsync.sandbox.quickbooks_books import Books
from arsync.sandbox.quickbooks_records import Row, set_balance
from arsync.sandbox.story import CENT, Address, ContactPerson, Habit, Person, Sale, SaleLine

_KINDS = {"invoice": "Invoice", "payment": "Payment", "credit": "CreditMemo", "customer": "Customer"}
_PLAIN_HABIT = Habit(mean_late_days=0, spread=4, disputes=0, part_payments=0, on_account=0)


class Acts:
    """Each act changes the books now and answers with the ids touched; raises `ControlError`."""

    def __init__(
        self, books: Books, *, currency: str, now: Callable[[], datetime], next_number: Callable[[], str]
    ) -> None:
        self._books = books
        self._currency = currency
        self._now = now
        self._next_number = next_number
        self._number = 0

    def do(self, act: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a person in the company would do; see `company.Company.act`."""
        acts: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "pay": self._pay,
            "pay_unapplied": self._pay_unapplied,
            "apply": self._apply,
            "credit_note": self._credit_note,
            "void": self._void,
            "delete": self._delete,
            "edit": self._edit,
            "edit_customer": self._edit_customer,
            "merge": self._merge,
            "rename_group": self._rename_group,
            "unapply": self._unapply,
            "delete_payment": self._delete,
            "journal": self._journal,
            "become": self._become,
            "settle_all": self._settle_all,
            "reopen_all": self._reopen_all,
            "hide": self._hide,
            "halve": self._halve,
            "new_customer": self._new_customer,
            "new_invoice": self._new_invoice,
            "corrupt": self._corrupt,
            "restore": self._restore,
        }
        if act not in acts:
            raise ControlError(f"unknown act {act!r}; there are {', '.join(acts)}")
        return acts[act](fields)

    def edit_memos(self, ids: Sequence[str]) -> None:
        """Change the memo of these invoices."""
        for record_id in ids:
            row = self._books.rows["Invoice"][record_id]
            if not row.deleted:
                row.doc["CustomerMemo"] = {"value": f"Edited, revision {row.doc['SyncToken']}"}
                self._books.touch(row, self._now())

    def _pay(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        invoice = self._given(fields, "invoice")
        part = _money(fields.get("amount"), default=Decimal(invoice.doc["Balance"]))
        customer = self._books.row("Customer", invoice.doc["CustomerRef"]["value"])
        if part > Decimal(invoice.doc["Balance"]):
            raise ControlError(f"invoice {invoice.id} has {invoice.doc['Balance']} open, not {part}")
        payment = self._books.add_payment(customer, part, paid_on=self._day(fields), now=self._now())
        self._books.apply(payment, invoice, part, self._now())
        return {"invoice": invoice.id, "payment": payment.id, "customer": customer.id}

    def _pay_unapplied(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        customer = self._given(fields, "customer")
        part = _money(fields.get("amount"))
        payment = self._books.add_payment(customer, part, paid_on=self._day(fields), now=self._now())
        return {"payment": payment.id, "customer": customer.id}

    def _journal(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A journal entry against receivables, as for a write-off: no invoice hears of it."""
        customer = self._given(fields, "customer")
        self._books.write_off(customer, _money(fields.get("amount")), self._now(), listed=not fields.get("silently"))
        return {"customer": customer.id}

    def _become(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Another company behind the same realm (its customers are others, too), or only its new name."""
        info, preferences = self._books.row("CompanyInfo", "1"), self._books.row("Preferences", "1")
        info.doc["CompanyName"] = info.doc["LegalName"] = str(fields["name"])
        if fields.get("currency"):
            preferences.doc["CurrencyPrefs"]["HomeCurrency"]["value"] = str(fields["currency"])
        others = list(self._books.live("Customer")) if fields.get("strangers") else []
        for place, customer in enumerate(others):
            customer.doc["DisplayName"] = f"Stranger {place}"
        for row in (info, preferences, *others):
            self._books.touch(row, self._now())
        return {}

    def _settle_all(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Every balance is zero, and no money came: what a broken source tells."""
        return {"invoices": self._balances(lambda total: Decimal(0), fields)}

    def _reopen_all(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Every invoice is open to its full total."""
        return {"invoices": self._balances(lambda total: total, fields)}

    def _balances(self, of: Callable[[Decimal], Decimal], fields: Mapping[str, Any]) -> list[str]:
        touched = []
        for row in self._books.live("Invoice"):
            balance = of(Decimal(row.doc["TotalAmt"]))
            if balance != Decimal(row.doc["Balance"]):
                set_balance(row, balance)
                self._books.touch(row, self._now())
                touched.append(row.id)
        return touched

    def _hide(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing of that kind is told any more, or again (`on` false)."""
        return self._flag(self._books.hidden, fields)

    def _halve(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Lists of that kind leave out every second record, or none (`on` false)."""
        return self._flag(self._books.halved, fields)

    def _flag(self, flags: set[str], fields: Mapping[str, Any]) -> dict[str, Any]:
        entity = _KINDS[str(fields["kind"])]
        (flags.add if fields.get("on", True) else flags.discard)(entity)
        self._books.revision[entity] += 1
        return {}

    def _apply(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        invoice = self._given(fields, "invoice")
        source = self._given(fields, "payment", "credit")
        free = Decimal(source.doc["UnappliedAmt" if source.entity == "Payment" else "Balance"])
        part = _money(fields.get("amount"), default=min(free, Decimal(invoice.doc["Balance"])))
        if source.entity == "Payment":
            self._books.apply(source, invoice, part, self._now())
            self._books.touch(source, self._now())
            return {"invoice": invoice.id, "payment": source.id}
        payment = self._books.apply_credit(source, invoice, part, day=self._day(fields), now=self._now())
        return {"invoice": invoice.id, "credit": source.id, "payment": payment.id}

    def _credit_note(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        part = _money(fields.get("amount"))
        invoice = self._books.row("Invoice", str(fields["apply_to"])) if fields.get("apply_to") else None
        customer_id = invoice.doc["CustomerRef"]["value"] if invoice else str(fields.get("customer"))
        customer = self._books.row("Customer", customer_id)
        self._number += 1
        sale = credit_sale(f"CM-A{self._number}", "", self._day(fields), part)
        credit = self._books.add_credit(sale, customer, self._now())
        touched = {"credit": credit.id, "customer": customer.id}
        if invoice is not None:
            part = min(part, Decimal(invoice.doc["Balance"]))
            payment = self._books.apply_credit(credit, invoice, part, day=self._day(fields), now=self._now())
            touched |= {"invoice": invoice.id, "payment": payment.id}
        return touched

    def _void(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        row = self._given(fields, "invoice", "payment", "credit")
        self._books.void(row, self._now())
        return {_word(row): row.id}

    def _delete(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        row = self._given(fields, "invoice", "payment", "credit")
        self._books.delete(row, self._now())
        return {_word(row): row.id}

    def _edit(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        row = self._given(fields, "invoice")
        for name, value in fields.items():
            match name:
                case "invoice":
                    pass
                case "due_date" if value is None:
                    row.doc.pop("DueDate", None)
                case "due_date":
                    row.doc["DueDate"] = date.fromisoformat(str(value)).isoformat()
                case "memo":
                    row.doc["CustomerMemo"] = {"value": str(value)}
                case "number":
                    row.doc["DocNumber"] = str(value)
                case "email":
                    row.doc["BillEmail"] = {"Address": str(value)}
                case "cc":
                    row.doc["BillEmailCc"] = {"Address": str(value)}
                case "reference":
                    row.doc["CustomField"][0]["StringValue"] = str(value)
                case "online_payment":
                    row.doc["AllowOnlinePayment"] = row.doc["AllowOnlineCreditCardPayment"] = bool(value)
                case _:
                    raise ControlError(
                        f"edit takes due_date, memo, number, email, cc, reference, online_payment, not {name}"
                    )
        self._books.touch(row, self._now())
        return {"invoice": row.id}

    def _edit_customer(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        row = self._given(fields, "customer")
        for name, value in fields.items():
            match name:
                case "customer":
                    pass
                case "email" if not value:
                    row.doc.pop("PrimaryEmailAddr", None)
                case "email":
                    row.doc["PrimaryEmailAddr"] = {"Address": str(value)}
                case "name":
                    row.doc["DisplayName"] = row.doc["FullyQualifiedName"] = str(value)
                case "active":
                    row.doc["Active"] = bool(value)
                case "notes":
                    row.doc["Notes"] = str(value)
                case "group" if not value:
                    row.doc.pop("CustomerTypeRef", None)
                case "group":
                    row.doc["CustomerTypeRef"] = {"value": self._books.customer_type(str(value), self._now()).id}
                case "parent":
                    self._books.put_under(row, self._books.row("Customer", str(value)) if value else None, self._now())
                case _:
                    raise ControlError(f"edit_customer takes email, name, active, notes, parent, group, not {name}")
        self._books.touch(row, self._now())
        return {"customer": row.id}

    def _rename_group(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A customer type has another name from now on; the customers do not hear of it."""
        row = self._books.customer_type(str(fields["group"]), self._now())
        row.doc["Name"] = str(fields["name"])
        self._books.touch(row, self._now())
        return {"group": row.id}

    def _merge(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        gone = self._given(fields, "customer")
        survivor = self._books.row("Customer", str(fields.get("into")))
        self._books.merge(gone, survivor, self._now())
        return {"customer": survivor.id, "merged": gone.id}

    def _unapply(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        payment = self._given(fields, "payment")
        invoice = self._given(fields, "invoice")
        self._books.unapply(payment, invoice, self._now())
        return {"payment": payment.id, "invoice": invoice.id}

    def _new_customer(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        self._number += 1
        parent = self._books.row("Customer", str(fields["parent"])) if fields.get("parent") else None
        name = str(fields.get("name") or f"New Customer {self._number}")
        email = fields.get("email", f"accounts{self._number}@newcustomer.example")
        country, region = str(fields.get("country", "US")), str(fields.get("region", "NY"))
        person = Person(
            key=f"act{self._number}",
            name=name,
            email=email,
            phone="(555) 200-1000",
            address=Address("1 Market Street", "Albany", region, "12207", country),
            country=country,
            language="en",
            currency=str(fields.get("currency") or self._currency),
            habit=_PLAIN_HABIT,
            contacts=(ContactPerson("Alex", "Doe", email),),
            parent=None,
            group=str(fields["group"]) if fields.get("group") else None,
        )
        row = self._books.add_customer(person, parent, self._now())
        return {"customer": row.id}

    def _new_invoice(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        customer = self._given(fields, "customer")
        total = _money(fields.get("amount"))
        issued = self._day(fields)
        due = fields.get("due_date", (issued + timedelta(days=30)).isoformat())
        number = str(fields.get("number") or self._next_number())
        sale = Sale(
            number=number,
            person="",
            issued=issued,
            due=None if due is None else date.fromisoformat(str(due)),
            lines=(SaleLine(str(fields.get("description") or "Consulting hours"), Decimal(1), total),),
            tax_rate=Decimal(0),
            tax=Decimal(0),
            total=total,
            reference=str(fields.get("reference") or ""),
            payments=(),
        )
        row = self._books.add_invoice(sale, customer, self._now())
        return {"invoice": row.id, "customer": customer.id}

    def _corrupt(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        row = self._given(fields, *_KINDS)
        row.junk = dict(fields.get("fields") or {})
        row.dropped = tuple(fields.get("drop") or ())
        self._books.touch(row, self._now())
        return {_word(row): row.id}

    def _restore(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        row = self._given(fields, *_KINDS)
        row.junk, row.dropped = None, ()
        self._books.touch(row, self._now())
        return {_word(row): row.id}

    def _given(self, fields: Mapping[str, Any], *names: str) -> Row:
        """The record that the act names, by the first of these names that is there."""
        for name in names:
            if fields.get(name) is not None:
                return self._books.row(_KINDS[name], str(fields[name]))
        raise ControlError(f"say which {' or '.join(names)}")

    def _day(self, fields: Mapping[str, Any]) -> date:
        value = fields.get("date")
        return self._now().date() if value is None else date.fromisoformat(str(value))


def credit_sale(number: str, person: str, day: date, total: Decimal) -> Sale:
    """The lines of a credit memo."""
    line = SaleLine("Credit for returned goods", Decimal(1), total)
    return Sale(number, person, day, None, (line,), Decimal(0), Decimal(0), total, "", ())


def _money(value: Any, default: Decimal | None = None) -> Decimal:
    if value is None and default is not None:
        return default
    if value is None:
        raise ControlError("say what amount")
    result = Decimal(str(value)).quantize(CENT, ROUND_HALF_UP)
    if result <= 0:
        raise ControlError("an amount is more than zero")
    return result


def _word(row: Row) -> str:
    return next(word for word, entity in _KINDS.items() if entity == row.entity)
