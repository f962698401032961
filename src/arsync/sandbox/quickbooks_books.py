"""The books of one QuickBooks company: records, and what happens to them when money moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal

from arsync.sandbox.company import ControlError
from arsync.sandbox.quickbooks_records import (
    Link,
    Row,
    amount,
    credit_record,
    customer_record,
    customer_type_record,
    exchange_rate,
    invoice_record,
    payment_line,
    payment_record,
    set_balance,
    void,
)
from arsync.sandbox.story import CENT, Person, Sale

ENTITIES = ("Customer", "Invoice", "Payment", "CreditMemo", "Attachable", "CompanyInfo", "Preferences", "CustomerType")


class Books:
    """Rows by entity and id. Every change takes the instant that it is stamped with (whole seconds)."""

    def __init__(
        self,
        home: str,
        *,
        payment_bumps_invoice: Callable[[], bool],
        merge_bumps_documents: Callable[[], bool],
        merged_are_deleted: Callable[[], bool],
        converts_balances: Callable[[], bool],
    ) -> None:
        self.home = home
        self._converts_balances = converts_balances
        self._merge_bumps_documents = merge_bumps_documents
        self._merged_are_deleted = merged_are_deleted
        self.rows: dict[str, dict[str, Row]] = {entity: {} for entity in ENTITIES}
        self.revision = dict.fromkeys(ENTITIES, 0)  # rises with each change of an entity: for caches of reads
        self._payment_bumps_invoice = payment_bumps_invoice
        self.hidden: set[str] = set()  # entities of which nothing is told any more
        self.halved: set[str] = set()  # entities of which lists leave out every second record
        self._last_id = {
            "name": 0,
            "transaction": 0,
            "Attachable": 5_000_000_000_000_000_000,
            "type": 5_000_000_000_000_041_000,
        }

    def row(self, entity: str, record_id: str) -> Row:
        """A live record; raises `ControlError`."""
        row = self.rows[entity].get(record_id)
        if row is None or row.deleted:
            raise ControlError(f"no {entity} {record_id}")
        return row

    def add(self, row: Row) -> Row:
        """Keep a new record."""
        self.rows[row.entity][row.id] = row
        self.revision[row.entity] += 1
        return row

    def touch(self, row: Row, now: datetime, *, token: bool = True) -> None:
        """Stamp a changed record."""
        row.touch(now, token=token)
        self.revision[row.entity] += 1

    def next_id(self, sequence: str) -> str:
        """Customers, transactions and attachments are numbered apart."""
        self._last_id[sequence] += 1
        return str(self._last_id[sequence])

    def add_customer(self, person: Person, parent: Row | None, now: datetime) -> Row:
        """A customer, or a job of `parent`."""
        row = customer_record(self.next_id("name"), person, parent, now)
        if person.group is not None:
            row.doc["CustomerTypeRef"] = {"value": self.customer_type(person.group, now).id}
        return self.add(row)

    def customer_type(self, name: str, now: datetime) -> Row:
        """The customer type of that name, made where there is none."""
        for row in self.live("CustomerType"):
            if row.doc["Name"] == name:
                return row
        return self.add(customer_type_record(self.next_id("type"), name, now))

    def add_invoice(self, sale: Sale, customer: Row, now: datetime) -> Row:
        """An invoice, all of it open."""
        row = self.add(invoice_record(self.next_id("transaction"), sale, customer, self.home, now))
        self._owes(customer, sale.total, now)
        return row

    def add_credit(self, sale: Sale, customer: Row, now: datetime) -> Row:
        """A credit memo, all of it open."""
        row = self.add(credit_record(self.next_id("transaction"), sale, customer, self.home, now))
        self._owes(customer, -sale.total, now)
        return row

    def add_payment(self, customer: Row, total: Decimal, *, paid_on: date, now: datetime) -> Row:
        """A payment, none of it applied."""
        row = payment_record(self.next_id("transaction"), customer, total, self.home, paid_on=paid_on, now=now)
        self.add(row)
        self._owes(customer, -total, now)
        return row

    def apply(self, payment: Row, invoice: Row, part: Decimal, now: datetime) -> None:
        """Put a part of a payment's unapplied money on an invoice."""
        if part <= 0 or part > min(Decimal(payment.doc["UnappliedAmt"]), Decimal(invoice.doc["Balance"])):
            raise ControlError(f"{part} is more than is unapplied or open")
        self._link(payment, invoice, part)
        payment.doc["UnappliedAmt"] = amount(payment.doc["UnappliedAmt"] - part)
        payment.changed()
        self.revision["Payment"] += 1
        self._reduce(invoice, payment, part, now)

    def apply_credit(self, credit: Row, invoice: Row, part: Decimal, *, day: date, now: datetime) -> Row:
        """Use credit on an invoice: QuickBooks books a payment of nothing that links both."""
        if part <= 0 or part > min(Decimal(credit.doc["Balance"]), Decimal(invoice.doc["Balance"])):
            raise ControlError(f"{part} is more than the credit or the balance")
        customer = self.row("Customer", invoice.doc["CustomerRef"]["value"])
        payment = payment_record(self.next_id("transaction"), customer, Decimal(0), self.home, paid_on=day, now=now)
        self.add(payment)
        self._link(payment, invoice, part)
        self._link(payment, credit, part)
        self._reduce(invoice, payment, part, now)
        self._reduce(credit, payment, part, now)
        return payment

    def unapply(self, payment: Row, invoice: Row, now: datetime) -> None:
        """Take a payment's money off an invoice again."""
        parts = [link for link in payment.links if link.kind == "Invoice" and link.id == invoice.id]
        if not parts or not payment.doc["TotalAmt"]:
            raise ControlError(f"payment {payment.id} has no money on invoice {invoice.id}")
        self._free(payment, parts, now)
        self.touch(payment, now)

    def merge(self, gone: Row, survivor: Row, now: datetime) -> None:
        """Two customers become one. QuickBooks moves the documents and branches, and leaves the other inactive or
        deleted; it does not say into whom."""
        if gone is survivor or not gone.doc["Active"] or not survivor.doc["Active"] or self._is_above(gone, survivor):
            raise ControlError("a customer is merged into another active one that is not under it")
        self.put_under(gone, None, now)
        for entity in ("Invoice", "CreditMemo", "Payment"):
            for row in list(self.live(entity)):
                if row.doc["CustomerRef"]["value"] != gone.id:
                    continue
                weight = self._weight(row)
                self._owes(gone, -weight, now)
                row.doc["CustomerRef"] = {"value": survivor.id, "name": survivor.doc["DisplayName"]}
                self._owes(survivor, weight, now)
                row.changed()
                self.revision[entity] += 1
                if self._merge_bumps_documents():
                    self.touch(row, now)
        for branch in list(self.live("Customer")):
            if branch.doc.get("ParentRef", {}).get("value") == gone.id:
                self.put_under(branch, survivor, now)
        gone.doc["Active"] = False
        gone.doc["DisplayName"] = f"{gone.doc['DisplayName']} (deleted)"
        gone.deleted = self._merged_are_deleted()
        self.touch(gone, now)

    def put_under(self, customer: Row, parent: Row | None, now: datetime) -> None:
        """Makes a customer a branch of that parent, or its own master."""
        if parent is not None and (parent is customer or self._is_above(customer, parent)):
            raise ControlError(f"{customer.id} cannot be under {parent.id}")
        owed = customer.doc["BalanceWithJobs"]
        for above, change in ((self._parent_of(customer), -owed), (parent, owed)):
            if above is not None:
                above.doc["BalanceWithJobs"] = amount(above.doc["BalanceWithJobs"] + change)
                self.touch(above, now, token=False)
        if parent is None:
            customer.doc.pop("ParentRef", None)
        else:
            customer.doc["ParentRef"] = {"value": parent.id}
        customer.doc["Job"] = customer.doc["BillWithParent"] = parent is not None
        self.touch(customer, now)

    def _parent_of(self, customer: Row) -> Row | None:
        parent = customer.doc.get("ParentRef")
        return self.rows["Customer"][parent["value"]] if parent else None

    def _is_above(self, one: Row, other: Row) -> bool:
        above = self._parent_of(other)
        return above is not None and (above is one or self._is_above(one, above))

    def void(self, row: Row, now: datetime) -> None:
        """Void an invoice, credit memo or payment; what was applied to it is free again."""
        self._unlink(row, now)
        self._owes(self._customer_of(row), -self._weight(row), now)
        void(row)
        self.touch(row, now)

    def delete(self, row: Row, now: datetime) -> None:
        """Take a record out of every query; a tombstone stays for change data capture."""
        if row.entity in ("Invoice", "CreditMemo", "Payment"):
            self._unlink(row, now)
            self._owes(self._customer_of(row), -self._weight(row), now)
        row.deleted = True
        self.touch(row, now)

    def write_off(self, customer: Row, part: Decimal, now: datetime, *, listed: bool) -> None:
        """Lower what a customer owes without an invoice or payment; `listed` is off where no query shows the change."""
        before = customer.updated
        self._owes(customer, -part, now)
        if not listed:
            customer.backdate(before)

    def live(self, entity: str) -> Iterable[Row]:
        """Records that are not deleted, oldest first."""
        if entity in self.hidden:
            return ()
        return (row for row in self.rows[entity].values() if not row.deleted)

    def _customer_of(self, row: Row) -> Row:
        return self.rows["Customer"][row.doc["CustomerRef"]["value"]]

    @staticmethod
    def _weight(row: Row) -> Decimal:
        """What a record adds to its customer's balance."""
        if row.entity == "Payment":
            return -Decimal(row.doc["UnappliedAmt"])
        return Decimal(row.doc["Balance"]) * (1 if row.entity == "Invoice" else -1)

    def _link(self, payment: Row, target: Row, part: Decimal) -> None:
        link = Link(target.entity, target.id, part)
        payment.links.append(link)
        payment.doc.setdefault("Line", []).append(
            payment_line(link, open_balance=Decimal(target.doc["Balance"]), number=target.doc["DocNumber"])
        )

    def _reduce(self, target: Row, payment: Row, part: Decimal, now: datetime) -> None:
        """Lower the open balance of an invoice or credit memo by what a payment puts on it."""
        set_balance(target, Decimal(target.doc["Balance"]) - part)
        linked = target.doc.setdefault("LinkedTxn", [])
        linked.append({"TxnId": payment.id, "TxnType": "Payment"})
        self._bump(target, now)

    def _bump(self, target: Row, now: datetime) -> None:
        self.revision[target.entity] += 1
        if target.entity != "Invoice" or self._payment_bumps_invoice():
            self.touch(target, now)

    def _unlink(self, row: Row, now: datetime) -> None:
        """Undo every allocation that this record is part of."""
        if row.entity == "Payment":
            self._free(row, row.links, now)
            return
        for linked in list(row.doc.get("LinkedTxn", [])):
            if linked["TxnType"] == "Payment":
                payment = self.rows["Payment"][linked["TxnId"]]
                # money of nothing that links a credit has no purpose once one of the two is gone
                parts = payment.links if not payment.doc["TotalAmt"] else [x for x in payment.links if x.id == row.id]
                self._free(payment, parts, now)
                self.touch(payment, now)

    def _free(self, payment: Row, parts: list[Link], now: datetime) -> None:
        for link in list(parts):
            target = self.rows[link.kind][link.id]
            set_balance(target, Decimal(target.doc["Balance"]) + link.amount)
            target.doc["LinkedTxn"] = [x for x in target.doc.get("LinkedTxn", []) if x["TxnId"] != payment.id]
            self._bump(target, now)
            payment.links.remove(link)
            payment.doc["Line"] = [x for x in payment.doc["Line"] if x["LinkedTxn"][0]["TxnId"] != link.id]
            if payment.doc["TotalAmt"]:
                payment.doc["UnappliedAmt"] = amount(payment.doc["UnappliedAmt"] + link.amount)
        payment.changed()

    def _owes(self, customer: Row, change: Decimal, now: datetime) -> None:
        """A customer's balance moves with each transaction, its parent's with it; the token does not."""
        currency = customer.doc["CurrencyRef"]["value"]
        if currency != self.home and self._converts_balances():
            change = (change * exchange_rate(currency, self.home)).quantize(CENT)
        customer.doc["Balance"] = amount(customer.doc["Balance"] + change)
        customer.doc["BalanceWithJobs"] = amount(customer.doc["BalanceWithJobs"] + change)
        self.touch(customer, now, token=False)
        if parent := customer.doc.get("ParentRef"):
            row = self.rows["Customer"][parent["value"]]
            row.doc["BalanceWithJobs"] = amount(row.doc["BalanceWithJobs"] + change)
            self.touch(row, now, token=False)
