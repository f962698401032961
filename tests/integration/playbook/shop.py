"""One company, its folder of playbooks, and nights that plan and send nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.integration.store.books import NOW, Books, contact, customer, invoice

from arsync.domain.chase import Plan, Seller, Verdict
from arsync.domain.payday import PayDay
from arsync.domain.policy import StepMode
from arsync.playbook.decide import Decided, decide
from arsync.playbook.facts import Policy
from arsync.playbook.passes import consider
from arsync.playbook.review import Review, accept, keep, review
from arsync.playbook.shelves import Library
from arsync.resources import bundled
from arsync.store import reminders, verdicts
from arsync.store.chases import Chase

SHIPPED = bundled("playbooks")
SELLER = Seller("Harbour", "UTC", "en", "us@x.example", "us@x.example", "", "#123456", {"EUR": "IBAN 1", "USD": "2"})


def ladder(*offsets: int, gap: int = 5) -> str:
    """Keys of an ordinary playbook with a friendly step on each of these days."""
    steps = "".join(
        f"  - {{id: day-{day}, offset: {day}, channel: email, tone: friendly, template: friendly}}\n" for day in offsets
    )
    window = "window: {weekdays: [mon, tue, wed, thu, fri, sat, sun], opens: '00:00', closes: '23:59'}\n"
    return f"gap: {gap}\n{window}steps:\n{steps}"


@dataclass
class Shop:
    """`now` is noon of the day; each night plans and saves."""

    books: Books
    folder: Path
    now: datetime = NOW
    default: str = "standard"
    payment_days: Mapping[str, PayDay] = field(default_factory=dict)

    def write(self, name: str, match: str = "", rest: str | None = None) -> None:
        """A playbook file; they all have one template."""
        templates = self.folder / "templates"
        if not templates.is_dir():
            templates.mkdir(parents=True)
            (templates / "friendly.en.html.j2").write_text("<p>Please pay {{ payer }}</p>")
            (templates / "friendly.en.txt.j2").write_text("Subject: About {{ payer }}\n\nPlease pay.\n")
        told = f"match: {match}\n" if match else ""
        text = f"name: {name}\n{told}{ladder(3, 14, 30) if rest is None else rest}"
        (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    def policy(self) -> Policy:
        """As a new process would read it."""
        library = Library(
            own=lambda: sorted(self.folder.glob("*.yaml")),
            shipped=lambda name: SHIPPED / f"{name}.yaml",
            templates=SHIPPED / "templates",
        )
        default = self.folder / f"{self.default}.yaml"
        volume = library.read(default)
        return Policy(
            playbook=volume.playbook, templates=volume.templates, locales=volume.locales, shelves=library,
            shelf=library.present(default), seller=SELLER, country="DE", mode=StepMode.AUTO, replies_read=True,
            banked_through=None, reminders_off=True, max_per_run=100, max_staleness=timedelta(days=900),
            breaker_factor=Decimal(100), payment_days=self.payment_days,
        )  # fmt: skip

    def owes(self, payer: str, invoice_id: str, balance: str = "100.00", **facts: Any) -> None:
        known = {"email": f"{payer}@x.example", "due_on": date(2026, 8, 25), "total": Decimal(balance), **facts}
        of_customer = {key: known.pop(key) for key in ("country", "language", "parent_id", "groups") if key in known}
        billed = customer(payer, contacts=[contact("Ada")], **{"language": "en", **of_customer})
        self.books.keep(billed, invoice(invoice_id, balance, customer=payer, **known))
        self.books.follow()

    def night(self) -> Decided:
        with self.books.store.working() as work:
            reminders.answer(work, self.books.id, reminds=False, author="ann", now=self.now)
            run_id = verdicts.begin_run(work, "run", now=self.now)
            work.commit()
        return decide(self.books.store, self.books.connection, self.policy(), now=self.now, run_id=run_id)

    def look(self, on: date | None = None) -> tuple[Plan, ...]:
        with self.books.store.reading() as work:
            return consider(work, self.books.connection, self.policy(), now=self.now, today=on)

    def said(self, invoice_id: str, plans: tuple[Plan, ...] | None = None) -> Verdict:
        found = [one for plan in plans or self.look() for one in plan.verdicts if one.invoice_id == invoice_id]
        (verdict,) = found
        return verdict

    def chase(self, payer: str = "C1") -> Chase:
        return self.books.chase(payer)

    # --- versions ---------------------------------------------------------------------------------------------

    def review(self) -> list[Review]:
        with self.books.store.reading() as work:
            return review(work, [(self.books.connection, self.policy())], now=self.now)

    def accept(self, *names: str) -> int:
        with self.books.store.working() as work:
            moved = accept(work, [(self.books.connection, self.policy())], names, author="ann", now=self.now)
            work.commit()
        return moved

    def keep(self, name: str) -> None:
        with self.books.store.working() as work:
            keep(work, [(self.books.connection, self.policy())], name, author="ann", now=self.now)
            work.commit()
