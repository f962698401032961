"""What a person speaks of."""

from __future__ import annotations

from dataclasses import dataclass

from arsync.store.finding import FoundInvoice


@dataclass(frozen=True, slots=True)
class Whom:
    """What a person speaks of: an invoice, or all that a customer pays for."""

    connection_id: int
    payer_id: str
    invoice: FoundInvoice | None
    what: str

    @property
    def invoice_id(self) -> str | None:
        return self.invoice.invoice_id if self.invoice else None
