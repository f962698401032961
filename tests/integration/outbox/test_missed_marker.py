"""Two installations on one Xero organisation, which has no list of notes: what the first look of the second misses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.store.books import NOW, TODAY, contact, customer, invoice, open_books, page

from arsync.bootstrap import App
from arsync.connector import FoundNote, NoteDraft, NoteTarget, Page
from arsync.domain.documents import Record
from arsync.domain.states import Health
from arsync.outbox.writeback import write_back
from arsync.playbook.decide import decide
from arsync.settings import load
from arsync.store import connections, verdicts
from arsync.store.upgrade import upgrade
from arsync.sync.delta import DELTA
from arsync.sync.recover import LOOK, recover
from arsync.testing.ports import FixedClock
from arsync.worker.dispatch import Dispatched, dispatch


@dataclass
class Organisation:
    """A ledger that shows the notes of one document at a time."""

    ledger: list[Record] = field(default_factory=list)
    written: list[FoundNote] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)

    def refresh(self, customer_ids: Collection[str], *, cursor: str) -> Iterator[Page]:
        yield page(*self.ledger)

    def notes(self, targets: Collection[NoteTarget], *, since: datetime) -> Iterator[FoundNote]:
        for target in targets:
            self.looked_at.append(target.remote_id)
            yield from [note for note in self.written if note.target == target]

    def write_note(self, note: NoteDraft) -> str:
        self.written.append(FoundNote(note.target, note.text))
        return note.marker


class Installation:
    """One arsync in a folder of its own, which has loaded all of the ledger and looked for notes."""

    def __init__(self, folder: Path, organisation: Any) -> None:
        folder.mkdir()
        (folder / "arsync.toml").write_text(
            '[defaults]\ncompany_name = "Harbour Tools"\ntimezone = "Europe/Berlin"\ncountry = "DE"\nmode = "auto"\n'
            'reminders = "off"\nbank_details.EUR = "DE02"\nreply_to = "credit@harbour.example"\n'
            '[delivery]\nfrom = "Harbour <credit@harbour.example>"\n[xero]\nclient_id = "a"\nclient_secret = "b"\n',
            encoding="utf-8",
        )
        self.folder = folder
        self.source = organisation
        self.clock = FixedClock(NOW)
        self.run_id = 0
        self.app = App(load(folder / "arsync.toml", environ={}))
        self.app.__dict__["clock"] = self.clock
        upgrade(self.app.unchecked_store)
        assert self.app.vault, "its key is there before its tokens"
        self.books = open_books(self.app.store, provider="xero")
        self.books.keep(*organisation.ledger)
        with self.app.store.working() as work:
            connections.move_cursor(work, self.books.id, DELTA, position="now", done=True, seen=0, now=NOW)
            work.commit()
        recover(self.app.store, self.books.connection, self.source, self.clock, TODAY)

    @property
    def health(self) -> Health:
        with self.app.store.reading() as work:
            return connections.connection_by_id(work, self.books.id).health

    def plan(self) -> int:
        """Decides; the messages approved."""
        self.books.follow()
        with self.app.store.working() as work:
            self.run_id = verdicts.begin_run(work, "run", now=NOW)
            work.commit()
        connection = self.books.connection
        decide(self.app.store, connection, self.app.policy(connection), now=NOW, run_id=self.run_id)
        return len(self.books.rows("SELECT id FROM messages WHERE state = 'approved'"))

    def dispatch(self) -> Dispatched:
        """What went out, its notes written."""
        desk = replace(self.app.desk(self.books.connection), connector=self.source)
        done = dispatch(self.app.store, desk, self.clock, run_id=self.run_id, beat=lambda: None)
        write_back(self.app.store, self.books.id, self.source, self.clock, beat=lambda: None)
        return done

    def sent(self) -> int:
        return len(list((self.folder / "outbox").glob("*.eml")))


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Callable[[str, Organisation], Installation]]:
    begun: list[Installation] = []

    def begin(name: str, organisation: Organisation) -> Installation:
        begun.append(Installation(tmp_path / name, organisation))
        return begun[-1]

    yield begin
    for one in begun:
        one.app.close()


def owing(number: int, days_late: int) -> tuple[Record, Record]:
    who = contact(f"Firm{number}")
    due = TODAY - timedelta(days=days_late)
    owed = invoice(f"I{number}", customer=f"C{number}", due_on=due, issued_on=due - timedelta(days=30))
    return customer(f"C{number}", contacts=[who]), owed


def test_a_note_that_the_first_look_missed_stops_the_messages_before_they_go(
    install: Callable[[str, Organisation], Installation],
) -> None:
    """
    09-01 12:00  the first installation reminds Firm6, which alone owes; its note stands on I6
          12:10  six younger invoices and seven older ones; the second looks at ten of the fourteen, from the youngest
                 to the oldest, and not at I6: it is ok and plans fourteen messages
          12:20  its dispatch looks at the invoice of each who never heard from it: nothing goes out,
                 and it is suspect, for another arsync is alive
          12:30  all is read back: nothing goes out from it still
    """
    organisation = Organisation([*owing(6, 8)])
    first = install("first", organisation)
    assert first.plan() == 1
    assert len(first.dispatch().accepted) == first.sent() == len(organisation.written) == 1
    for number, late in enumerate([4, 4, 5, 5, 6, 7, 8, 9, 10, 11, 11, 12, 12, 13]):
        if number != 6:
            organisation.ledger += owing(number, late)
    organisation.looked_at.clear()
    second = install("second", organisation)
    assert len(organisation.looked_at) == LOOK and "I6" not in organisation.looked_at
    assert (second.plan(), second.health) == (14, Health.OK)
    done = second.dispatch()
    assert (second.sent(), len(done.postponed), second.health) == (0, 14, Health.SUSPECT)
    assert done.error is not None and "this database does not know" in done.error
    recover(second.app.store, second.books.connection, second.source, second.clock, TODAY)
    second.plan()
    assert second.dispatch().accepted == []
    assert (second.sent(), len(organisation.written)) == (0, 1), "Firm6 has heard once, and nobody from the second"
