"""Whether what was promised came: asked of the ledger before every plan, and told in the accounting system."""

from __future__ import annotations

from datetime import date, datetime

from arsync.domain.states import PromiseState
from arsync.outbox.remarks import remark
from arsync.store import finding, holds, promises
from arsync.store.engine import Work
from arsync.store.promises import Settled


def settle(work: Work, connection_id: int, *, today: date, now: datetime, writes: bool) -> list[Settled]:
    """Settles the promises and instalments that are decided by today's ledger, then ends the holds whose last day has
    passed; with `writes` each answer is a note on its invoice, else on the customer. The caller commits."""
    answers = promises.settle(work, connection_id, today=today, now=now)
    holds.expire(work, connection_id, today=today, now=now)
    if writes:
        for answer in answers:
            promise = answer.promise
            single = answer.invoice_ids[0] if len(answer.invoice_ids) == 1 else None
            remark(
                work, connection_id, payer_id=promise.payer_id, invoice_id=promise.invoice_id or single, on=today,
                what=tell(work, answer), by="arsync, by the ledger", now=now,
            )  # fmt: skip
    return answers


def tell(work: Work, answer: Settled) -> str:
    """What became of it, in a sentence."""
    promise = answer.promise
    name = "Instalment" if answer.plan else "Promise"
    about = ""
    if promise.invoice_id is not None:
        about = f" for invoice {finding.invoice_number(work, promise.connection_id, promise.invoice_id)}"
    kept = promise.state is PromiseState.KEPT
    end = ""
    if answer.plan_ended:
        end = "; the plan is paid" if kept else "; the plan is broken, and the rest is chased again"
    elif not kept:
        end = "; it is chased again"
    return f"{name} of {promise.amount} by {promise.promised_on}{about} {promise.state}: {answer.why}{end}"
