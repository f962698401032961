"""A person at the approval queue of a shop: what is planned, answered, claimed and confirmed there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from tests.integration.playbook.shop import Shop, ladder
from tests.integration.store.books import TERM, invoice, payment

from arsync.domain.chase import Rendered
from arsync.domain.policy import StepMode
from arsync.domain.states import MessageState
from arsync.playbook.approval import lasts_until
from arsync.playbook.confirm import Confirmation, confirm
from arsync.playbook.decide import Decided, decide
from arsync.playbook.facts import Policy
from arsync.store import approvals, claims, connections, gate, messages, reminders, verdicts
from arsync.store.messages import Message
from arsync.store.planned import Approval

#: Office hours only, so that an approval can outlive them.
OFFICE_HOURS = ladder(3, 14, 30).replace("opens: '00:00', closes: '23:59'", "opens: '09:00', closes: '17:00'")


@dataclass
class Desk:
    shop: Shop
    mode: StepMode = StepMode.APPROVE
    _read: Policy | None = None

    def policy(self, **changes: Any) -> Policy:
        """The playbooks are read once."""
        self._read = self._read or self.shop.policy()
        return replace(self._read, mode=self.mode, **changes)

    @property
    def now(self) -> datetime:
        return self.shop.now

    def pass_time(self, **span: float) -> None:
        self.shop.now += timedelta(**span)

    def night(self, **changes: Any) -> Decided:
        with self.shop.books.store.working() as work:
            reminders.answer(work, self.shop.books.id, reminds=False, author="ann", now=self.now)
            run_id = verdicts.begin_run(work, "run", now=self.now)
            work.commit()
        return decide(self.shop.books.store, self.shop.books.connection, self.policy(**changes), now=self.now,
                      run_id=run_id)  # fmt: skip

    # --- what the person does ---------------------------------------------------------------------------------

    def approve(self, message: Message, *, may_shrink: bool = False, undo: float = 0) -> bool:
        with self.shop.books.store.working() as work:
            until = lasts_until(work, self.policy(), message, now=self.now)
            yes = Approval("ann", self.now, until, may_shrink=may_shrink)
            wait = self.now + timedelta(minutes=undo) if undo else None
            gone = approvals.approve(work, message, yes, not_before=wait, now=self.now)
            work.commit()
        return gone

    def edit(self, message: Message, text: str, subject: str = "As we spoke") -> bool:
        with self.shop.books.store.working() as work:
            words = Rendered(subject, text, f"<p>{text}</p>")
            done = approvals.edit(work, message, words, author="kim", now=self.now)
            work.commit()
        return done

    def reject(self, message: Message) -> bool:
        with self.shop.books.store.working() as work:
            done = approvals.reject(work, message, reason="wrong tone", author="ann", now=self.now)
            work.commit()
        return done

    def take_back(self, message: Message) -> bool:
        with self.shop.books.store.working() as work:
            done = approvals.take_back(
                work, message, reason="kim took it back", author="kim", told="approval_taken_back", now=self.now
            )
            work.commit()
        return done

    # --- what the worker does -----------------------------------------------------------------------------------

    def claim(self) -> list[Message]:
        with self.shop.books.store.working() as work:
            _, claimed = claims.claim(work, self.shop.books.id, limit=9, term=TERM, now=self.now)
            work.commit()
        return claimed

    def confirm(self, message: Message, **changes: Any) -> tuple[Confirmation, str]:
        with self.shop.books.store.working() as work:
            run_id = verdicts.begin_run(work, "dispatch", now=self.now)
            connection = connections.connection_by_id(work, self.shop.books.id)
            work.commit()
        return confirm(self.shop.books.store, connection, self.policy(**changes), message, now=self.now, run_id=run_id)

    def pass_gate(self, message: Message) -> str | None:
        assert message.claim_token is not None
        with self.shop.books.store.working() as work:
            refusal = gate.pass_gate(
                work, message.id, token=message.claim_token, now=self.now, today=self.now.date(), way_out="a folder"
            )
            work.commit()
        return refusal

    # --- what there is ------------------------------------------------------------------------------------------

    def messages(self) -> list[Message]:
        with self.shop.books.store.reading() as work:
            return messages.in_states(work, list(MessageState))

    def last(self) -> Message:
        return self.messages()[-1]

    def items(self, message: Message) -> list[tuple[str, str]]:
        with self.shop.books.store.reading() as work:
            return [(item.invoice_id, f"{item.amount:.2f}") for item in messages.items(work, message.id)]

    def log(self, message: Message) -> list[str]:
        return [
            f"{kind} by {author}"
            for kind, author in self.shop.books.rows(
                f"SELECT kind, author FROM events WHERE message_id = {message.id} ORDER BY id"
            )
        ]

    # --- what happens meanwhile -----------------------------------------------------------------------------------

    def pays(self, payer: str, invoice_id: str, amount: str = "100.00", left: str = "0.00") -> None:
        self.shop.books.keep(
            invoice(invoice_id, left, customer=payer, due_on=date(2026, 8, 25), minutes=60),
            payment(f"P-{invoice_id}", amount, on={invoice_id: amount}, customer=payer, minutes=60),
        )
