"""Whole nights in processes of their own, ended or suspended at one of their effects, each in a town of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.integration.outbox.office import VENDORS, Office

from arsync.bootstrap import App
from arsync.domain.states import Health, MessageState, NoteState
from arsync.resources import bundled
from arsync.sandbox.launch import running_sandbox
from arsync.store import connections, messages
from arsync.store.messages import Message, MessageItem

_ROOT = Path(__file__).resolve().parents[2]
#: Sandbox seconds in one machine second: the waits before a lost note is read are minutes.
_SPEED = 40
_COMPANIES = {"quickbooks": "9341452900000777", "xero": "85e1c50a-61a7-494f-aa4d-aada91720356"}
_PLAYBOOK = """\
name: night
gap: 5
backlog: age_step
window: {weekdays: [mon, tue, wed, thu, fri], opens: "09:00", closes: "17:00"}
steps:
  - {id: courtesy, offset: -3, channel: email, tone: courtesy, template: courtesy}
  - {id: friendly, offset: +3, channel: email, tone: friendly, template: friendly}
  - {id: call, offset: +14, channel: call, tone: firm, template: call, mode: task}
"""
#: Imports and compiles everything once, then forks a process for each line of arguments: a night begins at once.
_NURSERY = """
import json, os, sys
from contextlib import ExitStack
import arsync_quickbooks, arsync_xero
from arsync.testing.trace import main
from tests.shortcuts import playbooks_read_once, statements_compiled_once
shortcuts = ExitStack()
shortcuts.enter_context(statements_compiled_once())
shortcuts.enter_context(playbooks_read_once())
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    order = json.loads(line)
    if order["here"]:
        print(os.getpid(), 0, main(order["argv"]), file=answers, flush=True)
        continue
    child = os.fork()
    if child == 0:
        said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(said, 1)
        os.dup2(said, 2)
        status = 99
        try:
            status = main(order["argv"])
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        print(child, os.WSTOPSIG(status) if os.WIFSTOPPED(status) else 0,
              0 if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status), file=answers, flush=True)
        if not os.WIFSTOPPED(status):
            break
        if sys.stdin.readline() != "go on\\n":
            os.kill(child, 9)
"""


class Nursery:
    """Where nights are born: each is a process of its own."""

    def __init__(self, process: subprocess.Popen[str], playbook: Path) -> None:
        self._process = process
        self.playbook = playbook

    @classmethod
    @contextmanager
    def open(cls, playbook: Path) -> Iterator[Self]:
        """All its nights follow that playbook."""
        command = [sys.executable, "-c", _NURSERY]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ARSYNC_")}
        environment["PYTHONPATH"] = str(_ROOT)
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            try:
                yield cls(process, playbook)
            finally:
                process.kill()

    def begin(self, argv: Sequence[str], said: Path) -> tuple[int, int, int]:
        """Runs a night until it ends or stands still: process id, the signal that stopped it, its exit status."""
        return self._tell(json.dumps({"argv": list(argv), "said": str(said), "here": False}))

    def warm_up(self, night: Night) -> None:
        """One night in the nursery itself: what it imports and compiles every later one has from its birth."""
        argv = ["--config", str(night.office.config), "run"]
        assert self._tell(json.dumps({"argv": argv, "said": "", "here": True}))[2] == 0

    def go_on(self, child: int) -> tuple[int, int, int]:
        """Wakes a night that stood still, and waits for its end."""
        os.kill(child, signal.SIGCONT)
        return self._tell("go on")

    def _tell(self, line: str) -> tuple[int, int, int]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        child, stopped, status = map(int, self._process.stdout.readline().split())
        return child, stopped, status


@dataclass(frozen=True)
class Way:
    """How messages leave."""

    name: str
    channel: str
    activity: bool = False


FILE = Way("file", "file")
MAIL = Way("sendgrid", "sendgrid")
MAIL_WITH_FEED = Way("sendgrid with its activity feed", "sendgrid", activity=True)
WAYS = (FILE, MAIL, MAIL_WITH_FEED)


@dataclass(frozen=True)
class Effect:
    """One numbered effect of a traced night."""

    number: int
    what: str


@dataclass
class Night:
    """One installation on the evening before its first night, in a sandbox of its own."""

    office: Office
    way: Way
    nursery: Nursery
    statuses: list[int] = field(default_factory=list)

    @classmethod
    @contextmanager
    def prepared(
        cls,
        folder: Path,
        way: Way,
        nursery: Nursery,
        *,
        copy_of: Path | None = None,
        database: str = "",
        **switches: Any,
    ) -> Iterator[Self]:
        """From a snapshot of the database where there is one, every id in the sandbox the same as then; `database` is
        the URL of one that is no file, and a copy already."""
        with ExitStack() as stack:
            sandbox = stack.enter_context(running_sandbox())
            sandbox.switches({"sendgrid.activity": way.activity, **switches})
            office = Office.opened(
                sandbox,
                folder,
                ids=_COMPANIES,
                channel=way.channel,
                activity=way.activity,
                playbook=str(nursery.playbook),
                database=database,
            )
            stack.callback(office.close)
            _write_ledgers(office)
            if copy_of is None:
                office.load()
            else:
                for name in ("arsync.key",) if database else ("arsync.db", "arsync.key"):
                    shutil.copyfile(copy_of / name, folder / name)
                office.configure()
                office.begin_day()
                office.regrant(office.app(), *VENDORS)
            office.close()
            sandbox.speed(_SPEED)
            yield cls(office, way, nursery)

    # --- running -----------------------------------------------------------------------------------------

    @property
    def said(self) -> str:
        """All that the nights printed."""
        path = self.office.folder / "said.txt"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def run(self, *options: str) -> int:
        """One night; its exit status, negative where a signal ended it."""
        *_, status = self.begin(*options)
        self.statuses.append(status)
        return status

    def begin(self, *options: str) -> tuple[int, int, int]:
        """As `Nursery.begin`."""
        return self.say(*options, "run")

    def say(self, *words: str) -> tuple[int, int, int]:
        """Another command than a night's, in a process of its own."""
        return self.nursery.begin(["--config", str(self.office.config), *words], self.office.folder / "said.txt")

    def trace(self) -> list[Effect]:
        """One whole night; its effects."""
        log = self.office.folder / "effects.log"
        assert self.run("--log", str(log)) == 0, self.said
        lines = [line.split(" ", 2) for line in log.read_text(encoding="utf-8").splitlines()]
        return [Effect(int(number), _general(what)) for number, moment, what in lines if moment == "before"]

    def recover(self) -> None:
        """Runs again, minutes later, until nothing is left to do or a person must act first."""
        for _ in range(2):
            self.office.sandbox.advance(400)
            if self.run() == 0:
                return

    # --- counting ------------------------------------------------------------------------------------------

    def look(self) -> App:
        """The installation as it stands."""
        return self.office.app()

    def health(self, provider: str) -> Health:
        app = self.look()
        with app.store.reading() as work:
            return connections.connection(work, self.office.book(provider).name).health

    def consent_again(self, provider: str) -> None:
        self.office.regrant(self.look(), provider)

    def messages(self) -> list[Message]:
        return self.office.messages(self.look())

    def has_claimed_notes(self) -> bool:
        return any(note.state is NoteState.CLAIMED for note in self.office.stored_notes(self.look()))

    def letters(self) -> Counter[str]:
        """How many letters each address got, counted where they arrived."""
        return Counter(address for letter in self.office.sent() for address in letter["to"])

    def notes(self) -> Counter[tuple[str, str]]:
        """How many notes each target has, counted in the sandbox."""
        return Counter((note["target_type"], note["target_id"]) for note in self.office.sandbox.notes())

    def owed_notes(self) -> Counter[tuple[str, str]]:
        """The targets of what was accepted: each invoice, from five on the customer and the oldest invoice."""
        owed: Counter[tuple[str, str]] = Counter()
        app = self.look()
        with app.store.reading() as work:
            went = [MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.BOUNCED]
            for message in messages.in_states(work, went):
                owed.update(targets(message, messages.items(work, message.id)))
        return owed


def targets(message: Message, items: Sequence[MessageItem]) -> list[tuple[str, str]]:
    """What a note of that message is written on: each invoice, from five on the customer and the oldest invoice."""
    if len(items) < 5:
        return [("invoice", item.invoice_id) for item in items]
    oldest = min(items, key=lambda item: (str(item.due_on), item.number))
    return [("customer", message.payer_id), ("invoice", oldest.invoice_id)]


def write_playbook(folder: Path) -> Path:
    """In English only: every night reads all its templates."""
    (folder / "templates").mkdir(parents=True)
    (folder / "night.yaml").write_text(_PLAYBOOK, encoding="utf-8")
    for path in (bundled("playbooks") / "templates").iterdir():
        step, language, *_ = path.name.split(".")
        if language == "en" or step.startswith("_"):
            shutil.copyfile(path, folder / "templates" / path.name)
    return folder / "night.yaml"


def _write_ledgers(office: Office) -> None:
    """Four letters (one with six invoices, one with two, one before the due date) and a call."""
    quickbooks, xero = office.books
    quickbooks.invoice(quickbooks.customer("Aldgate Ltd"), "900.00", days_late=5)
    bigelow = quickbooks.customer("Bigelow Inc")
    for late in range(5, 11):
        quickbooks.invoice(bigelow, f"1{late:02}.00", days_late=late)
    quickbooks.invoice(quickbooks.customer("Carver Co"), "300.00", days_late=24)
    eastman = xero.customer("Eastman plc")
    for late in (5, 6):
        xero.invoice(eastman, f"2{late:02}.00", days_late=late)
    xero.invoice(xero.customer("Foster LLC"), "50.00", days_late=-2)


LETTERS = Counter(f"accounts@{name}.example" for name in ("aldgate", "bigelow", "eastman", "foster"))
CALLS = 1
NOTES = 7


def _general(what: str) -> str:
    """The effect without its port."""
    return re.sub(r"http://127\.0\.0\.1:\d+", "", what)
