"""What a person said, noted in the company's books, where that is wanted and possible."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from arsync.bootstrap import App
from arsync.domain.states import WriteKind
from arsync.errors import ConfigurationError
from arsync.outbox.remarks import remark
from arsync.store.connections import Connection
from arsync.store.engine import Work


def note(
    app: App, work: Work, connection: Connection, payer_id: str | None, invoice_id: str | None, *, what: str,
    more: Sequence[str] = (), by: str, now: datetime,
) -> None:  # fmt: skip
    """Plans the note of what a person said, where notes are written."""
    if app.settings.company(connection.name).writes == "on":
        remark(
            work, connection.id, payer_id=payer_id, invoice_id=invoice_id, on=app.today(connection), what=what,
            more=more, by=by, now=now,
        )  # fmt: skip


def kept(app: App, connection: Connection) -> frozenset[WriteKind]:
    """The facts that may be written into the company's books, none where something is wrong with its connector."""
    try:
        return app.keeps(connection)
    except ConfigurationError:
        return frozenset()  # what a person says is kept whatever is wrong with the connector
