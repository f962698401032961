"""QuickBooks Online records as its sandbox was recorded to send them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from arsync.sandbox.http import encode
from arsync.sandbox.quickbooks_wire import seconds
from arsync.sandbox.story import Person, Sale, SaleLine

CURRENCY_NAME = {
    "USD": "United States Dollar",
    "GBP": "British Pound Sterling",
    "EUR": "Euro",
    "AUD": "Australian Dollar",
    "NZD": "New Zealand Dollar",
    "CAD": "Canadian Dollar",
}
# home units per unit, fixed: a sandbox is no place for a rate feed
_PER_USD = {"USD": "1", "GBP": "0.79", "EUR": "0.92", "AUD": "1.52", "NZD": "1.66", "CAD": "1.37"}
_NAME_VALUE = {
    "name": "{http://schema.intuit.com/finance/v3}NameValue",
    "declaredType": "com.intuit.schema.finance.v3.NameValue",
    "scope": "javax.xml.bind.JAXBElement$GlobalScope",
}
_ISO3 = {
    "US": "USA", "GB": "GBR", "DE": "DEU", "FR": "FRA", "ES": "ESP", "IT": "ITA", "NL": "NLD", "AU": "AUS", "NZ": "NZL",
    "CA": "CAN",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Link:
    """A part of a payment on an invoice, or of a credit memo that it uses."""

    kind: str  # Invoice or CreditMemo
    id: str
    amount: Decimal


@dataclass(slots=True, eq=False)
class Row:
    """One record with its bytes: JSON is made once after each change."""

    entity: str
    id: str
    doc: dict[str, Any]
    updated: datetime
    created: datetime
    deleted: bool = False
    links: list[Link] = field(default_factory=list)  # of a payment
    junk: Mapping[str, Any] | None = None  # what `corrupt` puts over the record on the wire
    dropped: Sequence[str] = ()
    _json: bytes | None = None

    def touch(self, now: datetime, *, token: bool = True) -> None:
        """Stamp a change; `token` is off for what QuickBooks computes, such as a customer's balance."""
        self.updated = now
        self.doc["MetaData"]["LastUpdatedTime"] = seconds(now)
        if token:
            self.doc["SyncToken"] = str(int(self.doc["SyncToken"]) + 1)
        self._json = None

    def backdate(self, at: datetime) -> None:
        """Put back the stamp of an earlier change, as where QuickBooks does not list a customer for its balance."""
        self.updated = at
        self.doc["MetaData"]["LastUpdatedTime"] = seconds(at)
        self._json = None

    def changed(self) -> None:
        """The record changed without a time stamp."""
        self._json = None

    def json(self) -> bytes:
        """The record on the wire; a deleted one is its tombstone."""
        if self._json is None:
            doc: dict[str, Any] = self.doc
            if self.deleted:
                doc = {
                    "Id": self.id,
                    "MetaData": {"LastUpdatedTime": doc["MetaData"]["LastUpdatedTime"]},
                    "domain": "QBO",
                    "status": "Deleted",
                }
            elif self.junk is not None:
                doc = {name: value for name, value in (doc | dict(self.junk)).items() if name not in self.dropped}
            self._json = encode(doc)
        return self._json


def amount(value: Decimal) -> Decimal | int:
    """An amount as QuickBooks writes it: a bare 0 for nothing."""
    return value if value else 0


def exchange_rate(currency: str, home: str) -> Decimal:
    """Home units per unit of a currency."""
    return (Decimal(_PER_USD.get(home, "1")) / Decimal(_PER_USD.get(currency, "1"))).quantize(Decimal("0.000001"))


def currency_reference(currency: str) -> dict[str, str]:
    """A CurrencyRef."""
    return {"value": currency, "name": CURRENCY_NAME.get(currency, currency)}


def head(record_id: str, now: datetime) -> dict[str, Any]:
    """What every record begins with."""
    stamp = seconds(now)
    return {
        "domain": "QBO",
        "sparse": False,
        "Id": record_id,
        "SyncToken": "0",
        "MetaData": {"CreateTime": stamp, "LastUpdatedTime": stamp},
    }


def customer_record(record_id: str, person: Person, parent: Row | None, now: datetime) -> Row:
    """A customer, or a job under its parent."""
    contact = person.contacts[0]
    address: dict[str, Any] = {
        "Id": str(10_000 + int(record_id)),
        "Line1": person.address.street,
        "City": person.address.city,
        "Country": _ISO3.get(person.country, person.country),
        "CountrySubDivisionCode": person.address.region,
        "PostalCode": person.address.postal_code,
    }
    if not person.address.region:
        del address["CountrySubDivisionCode"]
    doc: dict[str, Any] = {
        "Taxable": False,
        "BillAddr": address,
        "ShipAddr": address,
        "Job": parent is not None,
        "BillWithParent": parent is not None,
        "Balance": 0,
        "BalanceWithJobs": 0,
        "CurrencyRef": currency_reference(person.currency),
        "PreferredDeliveryMethod": "Email" if person.email else "Print",
        **head(record_id, now),
        "GivenName": contact.first_name,
        "FamilyName": contact.last_name,
        "FullyQualifiedName": f"{parent.doc['FullyQualifiedName']}:{person.name}" if parent else person.name,
        "CompanyName": parent.doc["DisplayName"] if parent else person.name,
        "DisplayName": person.name,
        "PrintOnCheckName": person.name,
        "Active": True,
        "PrimaryPhone": {"FreeFormNumber": person.phone},
    }
    if parent is not None:
        doc["ParentRef"] = {"value": parent.id}
        doc["Level"] = 1
    if person.email:
        doc["PrimaryEmailAddr"] = {"Address": person.email}
    return Row("Customer", record_id, doc, now, now)


def customer_type_record(record_id: str, name: str, now: datetime) -> Row:
    """A customer type; it has no more than a name."""
    return Row("CustomerType", record_id, {**head(record_id, now), "Name": name, "Active": True}, now, now)


def _address_block(customer: Row) -> dict[str, Any]:
    address = customer.doc["BillAddr"]
    line = f"{address.get('City', '')}, {address.get('CountrySubDivisionCode', '')}  {address.get('PostalCode', '')}"
    return {
        "Id": address["Id"],
        "Line1": f"{customer.doc['GivenName']} {customer.doc['FamilyName']}",
        "Line2": customer.doc["DisplayName"],
        "Line3": address["Line1"],
        "Line4": line,
        "Lat": "INVALID",
        "Long": "INVALID",
    }


def _sale_lines(lines: Sequence[SaleLine], *, taxed: bool) -> list[dict[str, Any]]:
    net = sum((line.amount for line in lines), Decimal(0))
    items = [
        {
            "Id": str(number),
            "LineNum": number,
            "Description": line.description,
            "Amount": line.amount,
            "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": {
                "ItemRef": {"value": str(1 + len(line.description) % 20), "name": line.description},
                "UnitPrice": line.unit_price,
                "Qty": line.quantity,
                "TaxCodeRef": {"value": "TAX" if taxed else "NON"},
            },
        }
        for number, line in enumerate(lines, start=1)
    ]
    return [*items, {"Amount": net, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}]


def _sales_form(
    record_id: str, sale: Sale, customer: Row, home: str, now: datetime, lines: Sequence[SaleLine], total: Decimal
) -> dict[str, Any]:
    """What an invoice and a credit memo have in common."""
    currency = customer.doc["CurrencyRef"]["value"]
    custom: dict[str, Any] = {"DefinitionId": "1", "Name": "P.O. Number", "Type": "StringType"}
    if sale.reference:
        custom["StringValue"] = sale.reference
    doc: dict[str, Any] = {
        **head(record_id, now),
        "CustomField": [custom],
        "DocNumber": sale.number,
        "TxnDate": sale.issued.isoformat(),
        "CurrencyRef": customer.doc["CurrencyRef"],
    }
    if currency != home:
        rate = exchange_rate(currency, home)
        doc |= {"ExchangeRate": rate, "HomeTotalAmt": (total * rate).quantize(Decimal("0.01"))}
    doc |= {
        "Line": _sale_lines(lines, taxed=bool(sale.tax)),
        "TxnTaxDetail": {"TotalTax": amount(sale.tax)},
        "CustomerRef": {"value": customer.id, "name": customer.doc["DisplayName"]},
        "CustomerMemo": {"value": "Thank you for your business and have a great day!"},
        "BillAddr": _address_block(customer),
        "ShipAddr": customer.doc["ShipAddr"],
        "TotalAmt": total,
        "ApplyTaxAfterDiscount": False,
        "PrintStatus": "NeedToPrint",
        "EmailStatus": "NotSet",
    }
    if email := customer.doc.get("PrimaryEmailAddr"):
        doc["BillEmail"] = dict(email)
    return doc


def invoice_record(record_id: str, sale: Sale, customer: Row, home: str, now: datetime) -> Row:
    """An unpaid invoice."""
    doc = {
        "AllowIPNPayment": False,
        "AllowOnlinePayment": False,
        "AllowOnlineCreditCardPayment": False,
        "AllowOnlineACHPayment": False,
        **_sales_form(record_id, sale, customer, home, now, sale.lines, sale.total),
        "LinkedTxn": [],
        "SalesTermRef": {"value": "3", "name": "Net 30"},
        "Balance": sale.total,
    }
    if sale.tax:
        net = sale.total - sale.tax
        detail = {
            "TaxRateRef": {"value": "3"},
            "PercentBased": True,
            "TaxPercent": sale.tax_rate,
            "NetAmountTaxable": net,
        }
        line = {"Amount": sale.tax, "DetailType": "TaxLineDetail", "TaxLineDetail": detail}
        doc["TxnTaxDetail"] = {"TxnTaxCodeRef": {"value": "2"}, "TotalTax": sale.tax, "TaxLine": [line]}
    if sale.due is not None:
        doc["DueDate"] = sale.due.isoformat()
    row = Row("Invoice", record_id, doc, now, now)
    _home_balance(row)
    return row


def credit_record(record_id: str, sale: Sale, customer: Row, home: str, now: datetime) -> Row:
    """An open credit memo."""
    doc = {
        "RemainingCredit": sale.total,
        **_sales_form(record_id, sale, customer, home, now, sale.lines, sale.total),
        "Balance": sale.total,
    }
    return Row("CreditMemo", record_id, doc, now, now)


def payment_record(record_id: str, customer: Row, total: Decimal, home: str, *, paid_on: date, now: datetime) -> Row:
    """A payment, all of it unapplied so far."""
    currency = customer.doc["CurrencyRef"]["value"]
    doc: dict[str, Any] = {
        "CustomerRef": {"value": customer.id, "name": customer.doc["DisplayName"]},
        "DepositToAccountRef": {"value": "4"},
        "TotalAmt": amount(total),
        "UnappliedAmt": amount(total),
        "ProcessPayment": False,
        **head(record_id, now),
        "TxnDate": paid_on.isoformat(),
        "CurrencyRef": customer.doc["CurrencyRef"],
    }
    if currency != home:
        doc["ExchangeRate"] = exchange_rate(currency, home)
    return Row("Payment", record_id, doc, now, now)


def payment_line(link: Link, *, open_balance: Decimal, number: str) -> dict[str, Any]:
    """A line of a payment; `txnOpenBalance` is what was open before this payment."""
    facts = {"txnId": link.id, "txnOpenBalance": f"{open_balance:.2f}", "txnReferenceNumber": number}
    return {
        "Amount": link.amount,
        "LinkedTxn": [{"TxnId": link.id, "TxnType": link.kind}],
        "LineEx": {
            "any": [
                {
                    **_NAME_VALUE,
                    "value": {"Name": name, "Value": value},
                    "nil": False,
                    "globalScope": True,
                    "typeSubstituted": False,
                }
                for name, value in facts.items()
            ]
        },
    }


def set_balance(row: Row, balance: Decimal) -> None:
    """Write what is still open on an invoice or a credit memo."""
    row.doc["Balance"] = amount(balance)
    if row.entity == "CreditMemo":
        row.doc["RemainingCredit"] = amount(balance)
    _home_balance(row)
    row.changed()


def _home_balance(row: Row) -> None:
    if row.entity == "Invoice" and "ExchangeRate" in row.doc:
        home = (Decimal(row.doc["Balance"]) * row.doc["ExchangeRate"]).quantize(Decimal("0.01"))
        row.doc["HomeBalance"] = amount(home)


def void(row: Row) -> None:
    """A void is no status: the amounts are zero and the private note says so."""
    row.doc |= {"TotalAmt": 0, "PrivateNote": "Voided"}
    if row.entity == "Payment":
        row.doc["UnappliedAmt"] = 0
        row.doc.pop("Line", None)
    else:
        set_balance(row, Decimal(0))
        row.doc["TxnTaxDetail"] = {"TotalTax": 0}
        if "HomeTotalAmt" in row.doc:
            row.doc["HomeTotalAmt"] = 0
        row.doc["Line"] = [_zero_line(line) for line in row.doc["Line"]]
    row.changed()


def _zero_line(line: Mapping[str, Any]) -> dict[str, Any]:
    zero = {**line, "Amount": 0}
    if "SalesItemLineDetail" in line:
        zero["SalesItemLineDetail"] = {**line["SalesItemLineDetail"], "UnitPrice": 0, "Qty": 0}
    return zero


def company_info_record(realm: str, name: str, *, country: str, timezone: str, now: datetime) -> Row:
    """The company itself."""
    address = {
        "Id": "1",
        "Line1": "123 Sierra Way",
        "City": "San Pablo",
        "CountrySubDivisionCode": "CA",
        "PostalCode": "87999",
    }
    doc = {
        "CompanyName": name,
        "LegalName": name,
        "CompanyAddr": address,
        "CustomerCommunicationAddr": address,
        "LegalAddr": address,
        "CompanyStartDate": now.date().isoformat(),
        "FiscalYearStartMonth": "January",
        "Country": country,
        "Email": {"Address": "office@sandbox.example"},
        "WebAddr": {},
        "SupportedLanguages": "en",
        "DefaultTimeZone": timezone,
        "NameValue": [{"Name": "CompanyType", "Value": "Other"}],
        **head("1", now),
    }
    return Row("CompanyInfo", "1", doc, now, now)


def preferences_record(currency: str, now: datetime) -> Row:
    """The preferences that matter to somebody who reads invoices."""
    doc = {
        "SalesFormsPrefs": {
            "CustomField": [],
            "AllowDeposit": True,
            "AllowDiscount": True,
            "DefaultTerms": {"value": "3"},
        },
        "CurrencyPrefs": {"MultiCurrencyEnabled": True, "HomeCurrency": {"value": currency}},
        **head("1", now),
    }
    return Row("Preferences", "1", doc, now, now)
