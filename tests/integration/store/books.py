"""Small books to store: records in one line each, a linked connection, and messages ready to go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import text

from arsync.connector import Broken, Page, Resource
from arsync.domain.chase import Hold, Intent, Item, Rendered
from arsync.domain.documents import (
    Allocation,
    Contact,
    ContactRole,
    CreditNote,
    CreditState,
    Customer,
    CustomerState,
    Deleted,
    Invoice,
    InvoiceLine,
    InvoiceState,
    Payment,
    PaymentKind,
    Record,
)
from arsync.domain.money import Money
from arsync.domain.policy import Step, StepChannel, StepMode, Tone
from arsync.domain.states import Health, HoldKind, MessageState
from arsync.store import chases, claims, connections, gate, messages, planned, records, succession
from arsync.store.connections import Connection
from arsync.store.engine import Store, Work
from arsync.store.messages import Message
from arsync.store.planned import Draft
from arsync.store.records import Stored

NOW: Final = datetime(2026, 9, 1, 12, tzinfo=UTC)
TODAY: Final = date(2026, 9, 1)
FRIENDLY: Final = Step("friendly", 3, StepChannel.EMAIL, Tone.FRIENDLY, "friendly", None)
FIRM: Final = Step("firm", 14, StepChannel.EMAIL, Tone.FIRM, "firm", None)
#: What a claim lasts in these tests.
TERM: Final = timedelta(minutes=10)


def at(minutes: float = 0) -> datetime:
    """An update time, so many minutes after noon."""
    return NOW + timedelta(minutes=minutes)


def customer(remote_id: str = "C1", *, minutes: float = 0, contacts: Iterable[Contact] = (), **facts: Any) -> Customer:
    base = Customer(
        remote_id=remote_id, name=f"Customer {remote_id}", state=CustomerState.ACTIVE, parent_id=None,
        merged_into=None, currency="EUR", country="DE", language="de", contacts=tuple(contacts), balance=None,
        updated_at=at(minutes), version="0",
    )  # fmt: skip
    return replace(base, **facts)


def contact(name: str, role: ContactRole = ContactRole.BILLING) -> Contact:
    return Contact(name, f"{name.lower()}@example.com", None, role)


def invoice(
    remote_id: str = "I1", balance: str = "100.00", *, customer: str = "C1", minutes: float = 0, **facts: Any
) -> Invoice:
    due = Decimal(balance)
    base = Invoice(
        remote_id=remote_id, number=f"No {remote_id}", customer_id=customer,
        state=InvoiceState.OPEN if due else InvoiceState.PAID, currency="EUR", total=Decimal("100.00"), balance=due,
        issued_on=date(2026, 7, 1), due_on=date(2026, 7, 31), reference="PO 7", email=None, lines=(),
        updated_at=at(minutes), version="0",
    )  # fmt: skip
    return replace(base, **facts)


def line(description: str, amount: str = "100.00", quantity: str | None = "1.5000") -> InvoiceLine:
    return InvoiceLine(description, None if quantity is None else Decimal(quantity), Decimal(amount))


def payment(
    remote_id: str = "P1",
    amount: str = "100.00",
    *,
    on: Mapping[str, str] | None = None,
    customer: str | None = "C1",
    minutes: float = 0,
    **facts: Any,
) -> Payment:
    put = {invoice_id: Decimal(part) for invoice_id, part in (on or {}).items()}
    base = Payment(
        remote_id=remote_id, kind=PaymentKind.PAYMENT, customer_id=customer, state=CreditState.ACTIVE, currency="EUR",
        amount=Decimal(amount), unapplied=Decimal(amount) - sum(put.values()), received_on=date(2026, 8, 15),
        reference=None, allocations=tuple(Allocation(name, part, date(2026, 8, 15)) for name, part in put.items()),
        updated_at=at(minutes), version="0",
    )  # fmt: skip
    return replace(base, **facts)


def credit(
    remote_id: str = "N1",
    total: str = "40.00",
    *,
    on: Mapping[str, str] | None = None,
    customer: str = "C1",
    minutes: float = 0,
    **facts: Any,
) -> CreditNote:
    put = {invoice_id: Decimal(part) for invoice_id, part in (on or {}).items()}
    base = CreditNote(
        remote_id=remote_id, number=f"CN {remote_id}", customer_id=customer, state=CreditState.ACTIVE, currency="EUR",
        total=Decimal(total), unapplied=Decimal(total) - sum(put.values()), issued_on=date(2026, 8, 15),
        allocations=tuple(Allocation(name, part, date(2026, 8, 15)) for name, part in put.items()),
        updated_at=at(minutes), version="0",
    )  # fmt: skip
    return replace(base, **facts)


def gone(resource: Resource, remote_id: str, *, minutes: float = 60) -> Deleted:
    return Deleted(resource, remote_id, at(minutes))


def page(*found: Record, broken: Iterable[Broken] = ()) -> Page:
    troubles = tuple(broken)
    return Page(Resource.INVOICES, found, troubles, "next", len(found) + len(troubles))


def unreadable(
    resource: Resource, remote_id: str | None, customer_id: str | None = None, *, raw: str = "{...}"
) -> Broken:
    return Broken(resource, remote_id, customer_id, "Amount: not an amount: 'x'", raw)


@dataclass
class Books:
    """One linked connection, fit to send from."""

    store: Store
    connection: Connection
    _claims: dict[int, str] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return self.connection.id

    def keep(self, *found: Record, broken: Iterable[Broken] = (), now: datetime = NOW, new: bool = False) -> Stored:
        """Stores one page, as a pull does; `new` as a first load says it."""
        with self.store.working(durable=False) as work:
            stored = records.store_page(work, self.id, page(*found, broken=broken), now=now, new=new)
            if stored.customers or stored.for_all:
                succession.follow(work, self.id, stored, now=now)
            work.commit()
        return stored

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What plain SQL answers."""
        with self.store.reading() as work:
            return [tuple(row) for row in work.execute(text(query))]

    def follow(self, now: datetime = NOW) -> tuple[int, int]:
        with self.store.working() as work:
            done = chases.follow(work, self.id, now=now)
            work.commit()
        return done

    def chase(self, payer: str = "C1", currency: str = "EUR") -> chases.Chase:
        """The payer's live chase."""
        with self.store.reading() as work:
            live = chases.live_chases(work, self.id)
        (one,) = [chase for chase in live if (chase.payer_id, chase.currency) == (payer, currency)]
        return one

    def plan(
        self, payer: str = "C1", *, step: Step = FRIENDLY, state: MessageState = MessageState.APPROVED,
        invoices: Iterable[str] = ("I1",), amount: str = "100.00", occurrence: int = 1,
    ) -> int:  # fmt: skip
        """A message to the payer, demanding those invoices."""
        with self.store.working() as work:
            draft = a_draft(
                self.chase(payer), step=step, state=state, invoices=invoices, amount=amount, occurrence=occurrence
            )
            message_id = planned.plan(work, draft, now=NOW, today=TODAY)
            work.commit()
        return message_id

    def claim(self, *, limit: int = 25, now: datetime = NOW) -> list[Message]:
        with self.store.working() as work:
            _, claimed = claims.claim(work, self.id, limit=limit, term=TERM, now=now)
            work.commit()
        return claimed

    def confirm(self, message: Message) -> bool:
        """Says that the message holds at the chase's version of now."""
        assert message.claim_token is not None
        with self.store.working() as work:
            chase = chases.lock(work, message.chase_id)
            kept = claims.confirm(work, message.id, token=message.claim_token, chase_version=chase.version)
            work.commit()
        return kept

    def pass_gate(self, message: Message, *, today: date = TODAY) -> str | None:
        """Asks the last gate, and commits when it lets the message through."""
        with self.store.working() as work:
            refusal = ask_gate(work, message, today=today)
            work.commit()
        return refusal

    def message(self, message_id: int) -> Message:
        with self.store.reading() as work:
            return messages.get(work, message_id)


def ask_gate(work: Work, message: Message, *, today: date = TODAY) -> str | None:
    assert message.claim_token is not None
    return gate.pass_gate(work, message.id, token=message.claim_token, now=NOW, today=today, way_out="a folder")


def a_draft(
    chase: chases.Chase, *, step: Step = FRIENDLY, state: MessageState = MessageState.APPROVED,
    invoices: Iterable[str] = ("I1",), amount: str = "100.00", occurrence: int = 1,
) -> Draft:  # fmt: skip
    items = tuple(an_item(invoice_id, amount, chase.currency) for invoice_id in invoices)
    intent = Intent(
        step=step, occurrence=occurrence, mode=StepMode.AUTO, demanded=items,
        listed=(an_item("I-young", "1.00", chase.currency),), unapplied=Money(Decimal("0.00"), chase.currency),
        recipients=(contact("Ada"),),
    )  # fmt: skip
    return Draft(
        connection_id=chase.connection_id, chase_id=chase.id, intent=intent,
        rendered=Rendered("Your invoice", "Dear Ada", "<p>Dear Ada</p>"), recipients=("Ada <ada@example.com>",),
        playbook="standard", playbook_version="1", locale="en", fingerprint="f" * 64, state=state, reason="as planned",
    )  # fmt: skip


def an_item(invoice_id: str, amount: str, currency: str) -> Item:
    money = Money(Decimal(amount), currency)
    return Item(
        invoice_id=invoice_id, number=f"No {invoice_id}", customer_name="Customer", state=InvoiceState.OPEN,
        total=money, balance=money, issued_on=date(2026, 7, 1), due_on=date(2026, 7, 31), reference=None, email=None,
    )  # fmt: skip


def a_hold(
    *, payer: str | None = "C1", invoice: str | None = None, begins: date = TODAY, until: date | None = None,
    kind: HoldKind = HoldKind.DISPUTE,
) -> Hold:  # fmt: skip
    return Hold(kind, "they say the goods were broken", "ann", payer, invoice, begins, until)


def open_books(store: Store, name: str = "harbour", *, provider: str = "quickbooks") -> Books:
    """Links a connection and declares it healthy."""
    with store.working() as work:
        connections.found_installation(work, now=NOW)
        grant = connections.add_grant(work, provider=provider, sealed="sealed", now=NOW)
        linked = connections.link(work, name=name, provider=provider, external_id=name, grant_id=grant, now=NOW)
        connections.set_health(work, linked.id, Health.OK, "complete", synced_at=NOW)
        linked = connections.connection(work, name)
        work.commit()
    return Books(store, linked)
