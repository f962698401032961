"""Looking twice at what was pulled: reconcile, trust, recover."""

from __future__ import annotations

from typing import Annotated

import typer

from arsync.acts.locking import locked
from arsync.cli.context import Author, Connections, Json, author_or_me, linked, opened
from arsync.cli.output import complain, dump, flat, say, table
from arsync.errors import ConnectorError
from arsync.store import drift
from arsync.store.suspicion import Trouble
from arsync.sync.reconcile import Reconciled
from arsync.sync.recover import declare
from arsync.sync.trust import trust as believe
from arsync.worker import pulling


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(reconcile)
    program.command()(trust)
    program.command()(recover)


def reconcile(context: typer.Context, names: Connections = None, as_json: Json = False) -> None:
    """Compares the open items of source and cache completely, repairs the cache, and says what the delta had missed."""
    with opened(context) as app, locked(app, those := linked(app, names)) as lock:
        results: dict[str, object] = {}
        failed = False
        for connection in those:
            lock.renew()
            try:
                found = pulling.reconcile(app.store, app.intake(connection), app.clock)
            except ConnectorError as error:
                complain(f"{connection.name}: {error}")
                results[connection.name] = {"error": str(error)}
                failed = True
                continue
            with app.store.reading() as work:
                drifts = drift.drifting(work, connection.id)
            failed = failed or bool(found.missed) or found.quarantined > 0 or found.suspicion is not None
            results[connection.name] = {
                "compared": found.compared,
                "missed": found.missed,
                "unlisted": found.unlisted,
                "quarantined": found.quarantined,
                "suspect": found.suspicion.reason if found.suspicion else None,
                "drift": [
                    {"invoice": one.number, "id": one.invoice_id, "difference": one.difference, "said": str(one)}
                    for one in drifts
                ],
            }
            if as_json:
                continue
            counted = ", ".join(f"{count} {resource.replace('_', ' ')}" for resource, count in found.compared.items())
            say(f"{connection.name}: {counted} open in the source; {_missed(found)}")
            if found.missed:
                table(
                    ("record", "number", "id", "here"),
                    [(one.resource, one.number, one.remote_id, one.what) for one in found.missed],
                )
            if found.suspicion:
                say(flat(f"{connection.name} is suspect: {found.suspicion.reason}"), style="red")
            if found.quarantined:
                say(f"{connection.name}: {found.quarantined} records could not be read: arsync quarantine")
            if drifts:
                say(f"{connection.name}: {len(drifts)} balances that no known payment explains; the source's rule")
                table(
                    ("invoice", "difference", "currency", "open", "total", "allocated"),
                    [(d.number, d.difference, d.currency, d.balance, d.total, d.allocated) for d in drifts],
                )
        if as_json:
            dump(results)
    if failed:
        raise typer.Exit(1)


def _missed(found: Reconciled) -> str:
    every, repaired = len(found.missed), sum(one.repaired for one in found.missed)
    if not every:
        return "nothing missed"
    return f"{every} missed and repaired" if repaired == every else f"{every} missed, {repaired} of them repaired"


def trust(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="CONNECTION", help="A connection that is suspect.")],
    reason: Annotated[str, typer.Option(help="What was looked at, and why it is right.")],
    trouble: Annotated[Trouble | None, typer.Option(help="Which suspicion; needed where several stand.")] = None,
    author: Author = None,
) -> None:
    """Says that the data of a suspect connection are right after all: messages go out again after the next sync."""
    with opened(context) as app, locked(app, app.linked([name])):
        (connection,) = app.linked([name])
        by = author_or_me(author)
        source = app.connector(connection)
        was = believe(app.store, connection, source, app.clock, author=by, reason=reason, trouble=trouble)
        say(flat(f"{name}: no longer suspect for {was.trouble} ({was.reason})"))
        say(f"next: arsync sync {name}")


def recover(
    context: typer.Context,
    names: Connections = None,
    reason: Annotated[str, typer.Option(help="Restored, copied, made anew.")] = "declared by hand",
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Reads back what stands in the sources as sent, after a restore or a copy; nothing goes out before it is done."""
    with opened(context) as app, locked(app, every := linked(app, names)) as lock:
        results: dict[str, object] = {}
        failed = False
        for connection in every:  # all of them are held before the first is read
            declare(app.store, connection, app.clock, author=author_or_me(author), reason=reason)
        for connection in every:
            lock.renew()
            desk = app.intake(connection)
            try:
                pulling.pull(app.store, desk, app.clock)
                found = pulling.read_back(app.store, desk, app.clock)
            except ConnectorError as error:
                complain(f"{connection.name}: {error}")
                results[connection.name] = {"error": str(error)}
                failed = True
                continue
            documents, adopted = (found.targets, found.adopted) if found else (0, 0)
            foreign = sorted(found.foreign) if found else []
            results[connection.name] = {"documents": documents, "adopted": adopted, "foreign": foreign}
            failed = failed or bool(foreign)
            if not as_json:
                say(f"{connection.name}: the notes of {documents} invoices read, {adopted} messages taken for sent")
                if foreign:
                    say(f"{connection.name}: another arsync wrote some of them: arsync connections", style="red")
        if as_json:
            dump(results)
    if failed:
        raise typer.Exit(1)
