"""A made-up office: companies in a sandbox whose ledgers a test writes itself, and an arsync connected to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self

from tests.shortcuts import lay_database

from arsync.bootstrap import App
from arsync.connector import TokenPair
from arsync.domain.states import MessageState, NoteState
from arsync.playbook.decide import decide
from arsync.sandbox.launch import SandboxControl
from arsync.settings import load
from arsync.store import connections, grants, messages, notes, reminders, verdicts
from arsync.store.messages import Message
from arsync.store.notes import Note
from arsync.store.vault import dump_pair
from arsync.worker import jobs, pulling
from arsync.worker.dispatch import Dispatched, dispatch

#: A Tuesday, half past ten in New York, no holiday near.
MORNING = datetime(2026, 6, 9, 14, 30, tzinfo=UTC)
TODAY = MORNING.date()
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)
VENDORS = ("quickbooks", "xero")


class AdvancingClock:
    """The sandbox's time, which stands still; a wait moves it on."""

    def __init__(self, sandbox: SandboxControl) -> None:
        self._sandbox = sandbox
        self._now: datetime | None = None
        self.machine = 0.0  # what `elapsed` says: a test suspends a worker by raising it
        self.waited = 0.0

    def now(self) -> datetime:
        if self._now is None:
            self._now = self._sandbox.now()
        return self._now

    def look_again(self) -> None:
        """The sandbox's clock was moved."""
        self._now = None

    def elapsed(self) -> float:
        return self.machine

    def sleep(self, seconds: float) -> None:
        self.waited += seconds
        self._now = self._sandbox.advance(seconds)


def clock_of(app: App) -> AdvancingClock:
    """The clock that the office gave it."""
    clock = app.clock
    assert isinstance(clock, AdvancingClock)
    return clock


def elsewhere(work: Callable[[], object]) -> None:
    """Does it in a thread of its own, as another process would, and waits for its end."""
    with ThreadPoolExecutor(1) as other:
        other.submit(work).result()


def due(days_late: int) -> str:
    """The due date of what is that many days late on the first morning."""
    return (TODAY - timedelta(days=days_late)).isoformat()


@dataclass
class Books:
    """One company's ledger, kept through the sandbox's control API."""

    sandbox: SandboxControl
    provider: str
    name: str
    card: dict[str, Any]
    shares: str = ""  # the id of the company under whose consent it is

    @property
    def id(self) -> str:
        return str(self.card["id"])

    def act(self, do: str, **fields: Any) -> dict[str, Any]:
        return self.sandbox.act(self.id, do, **fields)

    def customer(self, name: str, email: str | None = None) -> str:
        address = email or f"accounts@{name.split(maxsplit=1)[0].lower()}.example"
        return str(self.act("new_customer", name=name, email=address)["customer"])

    def invoice(self, customer: str, amount: str, *, days_late: int, **more: Any) -> str:
        issued = (TODAY - timedelta(days=days_late + 30)).isoformat()
        made = self.act("new_invoice", customer=customer, amount=amount, date=issued, due_date=due(days_late), **more)
        return str(made["invoice"])

    def notes(self) -> list[dict[str, Any]]:
        return [note for note in self.sandbox.notes() if note["company"] == self.id]


@dataclass
class Office:
    """An installation in a folder, on the sandbox's clock."""

    sandbox: SandboxControl
    folder: Path
    books: list[Books]
    channel: str = "file"
    writes: str = "on"
    activity: bool = False
    playbook: str = "standard"
    defaults: str = ""  # further lines of [defaults]
    answered: bool = True  # a person has said that QuickBooks does not remind by itself
    client: str = ""  # further lines of the vendor's own section
    database: str = ""  # the URL of one that is laid already; else a file in the folder
    more: str = ""  # further sections
    _apps: list[App] = field(default_factory=list)

    # --- set-up ---------------------------------------------------------------------------------------

    @classmethod
    def opened(
        cls,
        sandbox: SandboxControl,
        folder: Path,
        providers: Sequence[str] = VENDORS,
        *,
        ids: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Self:
        """Companies with empty ledgers, as of yesterday, and a clock that stands still.

        Where `ids` names the companies, the ids of all their records are the same in every sandbox.
        """
        folder.mkdir(parents=True, exist_ok=True)
        sandbox.speed(0)
        sandbox.set_clock(MORNING - timedelta(days=1))
        sandbox.clear_faults()
        for provider in VENDORS:
            sandbox.limits(provider, minute=None, second=None, batch_minute=None)
        books = []
        for provider in providers:
            card = sandbox.create_company(
                provider,
                name="Harbour Tools",
                invoices=0,
                customers=1,
                timezone="America/New_York",
                **({"id": ids[provider]} if ids else {}),
            )
            books.append(Books(sandbox, provider, f"our-{provider}", card))
        return cls(sandbox, folder, books, **more)

    def book(self, provider: str) -> Books:
        return next(book for book in self.books if book.provider == provider)

    def begin_day(self) -> None:
        """The first morning."""
        self._set(MORNING)

    @property
    def config(self) -> Path:
        return self.folder / "arsync.toml"

    def configure(self, **changes: str) -> None:
        """Writes arsync.toml as the office stands."""
        for name, value in changes.items():
            setattr(self, name, value)
        cards = {book.provider: book.card for book in self.books}
        clients = "".join(
            f'[{provider}]\nclient_id = "{card["client_id"]}"\nclient_secret = "{card["client_secret"]}"\n'
            + "".join(f'{key} = "{url}"\n' for key, url in self._urls(provider).items())
            + self.client
            for provider, card in cards.items()
        )
        companies = "".join(
            f'[connection.{book.name}]\nprovider = "{book.provider}"\nexternal_id = "{book.id}"\n'
            for book in self.books
        )
        database = f'[database]\nurl = "{self.database}"\n' if self.database else ""
        self.config.write_text(
            f'{database}[defaults]\ncompany_name = "Harbour Tools"\ntimezone = "America/New_York"\ncountry = "US"\n'
            f'reply_to = "credit@harbour.example"\nmode = "auto"\nwrites = "{self.writes}"\n'
            f'bank_details.USD = "Bank of Harbour, 12345678"\nplaybook = "{self.playbook}"\n{self.defaults}\n'
            f'[delivery]\nchannel = "{self.channel}"\nfrom = "Harbour Tools <credit@harbour.example>"\n'
            f'[sendgrid]\napi_key = "SG.sandbox"\nhost = "{self.sandbox.sendgrid_host}"\n'
            f"activity_lookup = {str(self.activity).lower()}\n"
            f'[sandbox]\nclock_url = "{self.sandbox.url}/_sandbox/clock"\n'
            f"{clients}{companies}{self.more}",
            encoding="utf-8",
        )

    def _urls(self, provider: str) -> dict[str, str]:
        if provider == "quickbooks":
            base = f"{self.sandbox.url}/quickbooks"
            return {
                "api_url": self.sandbox.quickbooks_api,
                "token_url": self.sandbox.quickbooks_token,
                "authorize_url": f"{base}/authorize",
            }
        return {
            "api_url": self.sandbox.xero_api,
            "token_url": self.sandbox.xero_token,
            "authorize_url": f"{self.sandbox.url}/xero/authorize",
            "connections_url": self.sandbox.xero_connections,
        }

    def app(self, observe: Callable[[str, str], None] | None = None) -> App:
        """The installation, wired anew as another process would be; its waits move the sandbox's clock."""
        settings = load(self.config, environ={})
        app = App(settings, observe=observe) if observe else App(settings)
        app.__dict__["clock"] = AdvancingClock(self.sandbox)
        self._apps.append(app)
        return app

    def pass_time(self, **span: float) -> None:
        """Moves the sandbox's clock on."""
        self._set(self.sandbox.now() + timedelta(**span))

    def _set(self, instant: datetime) -> None:
        self.sandbox.set_clock(instant)
        for app in self._apps:
            clock_of(app).look_again()

    def found(self) -> App:
        """An empty database with the companies linked."""
        self.configure()
        if not self.database:
            lay_database(self.folder / "arsync.db")
        app = self.app()
        consents: dict[str, int] = {}
        for book in self.books:
            with app.store.working() as work:
                grant = consents.get(book.shares)
                if grant is None:
                    sealed = app.vault.seal(dump_pair(TokenPair("", book.card["refresh_token"], _NEVER)))
                    grant = connections.add_grant(work, provider=book.provider, sealed=sealed, now=MORNING)
                    consents[book.id] = grant
                linked = connections.link(
                    work, name=book.name, provider=book.provider, external_id=book.id, grant_id=grant, now=MORNING
                )
                if self.answered and book.provider == "quickbooks":
                    reminders.answer(work, linked.id, reminds=False, author="Ada", now=MORNING)
                work.commit()
        return app

    def load(self) -> App:
        """Linked and backfilled an hour before the first morning, which then begins."""
        app = self.found()
        self._set(MORNING - timedelta(hours=1))
        for connection in app.linked():
            pulling.load(app.store, app.desk(connection), app.clock)
        self.begin_day()
        return app

    def regrant(self, app: App, *providers: str) -> None:
        """A person consents again."""
        self.consent(app, *map(self.book, providers))

    def consent(self, app: App, *books: Books) -> None:
        """A person consents again to each of these companies."""
        with app.store.working() as work:
            for book in books:
                fresh = self.sandbox.grant(book.id)["refresh_token"]
                connection = connections.connection(work, book.name)
                sealed = app.vault.seal(dump_pair(TokenPair("", fresh, _NEVER)))
                connections.replace_tokens(work, connection.grant_id, sealed, now=app.clock.now())
                grants.revive(work, connection.grant_id, now=app.clock.now())
            work.commit()

    def close(self) -> None:
        for app in self._apps:
            app.close()

    # --- what came of it -----------------------------------------------------------------------------------

    def night(self, app: App | None = None) -> jobs.Night:
        """One run over every connection."""
        running = app or self.app()
        return jobs.run(running.store, [running.desk(one) for one in running.linked()], running.clock)

    def plan(self, app: App) -> None:
        """The night up to its plan: whatever happens before `dispatch` happens in between."""
        with app.store.working() as work:
            run_id = verdicts.begin_run(work, "run", now=app.clock.now())
            work.commit()
        for linked in app.linked():
            pulling.update(app.store, app.desk(linked), app.clock)
            (connection,) = app.linked([linked.name])
            decide(app.store, connection, app.policy(connection), now=app.clock.now(), run_id=run_id)

    def dispatch(self, app: App) -> Dispatched:
        """The rest of the night but for the notes, for an office with one company."""
        (connection,) = app.linked()
        with app.store.working() as work:
            run_id = verdicts.begin_run(work, "dispatch", now=app.clock.now())
            work.commit()
        return dispatch(app.store, app.desk(connection), app.clock, run_id=run_id, beat=lambda: None)

    def messages(self, app: App) -> list[Message]:
        """Every message with every revision, oldest first."""
        with app.store.reading() as work:
            return messages.in_states(work, list(MessageState))

    def states(self, app: App) -> list[str]:
        return [message.state.value for message in self.messages(app)]

    def stored_notes(self, app: App) -> list[Note]:
        with app.store.reading() as work:
            return notes.in_states(work, list(NoteState))

    def sent(self) -> list[dict[str, Any]]:
        """What went out: our key, the addressee, the words; by mail from the sandbox, else from the folder."""
        if self.channel == "sendgrid":
            names = {book.name for book in self.books}
            return [
                {"key": mail["custom_args"]["message_id"], "to": mail["to"], "text": mail["text"]}
                for mail in self.sandbox.messages()
                if mail["custom_args"]["connection"] in names
            ]
        return [_letter(path) for path in sorted((self.folder / "outbox").glob("*.eml"))]


def _letter(path: Path) -> dict[str, Any]:
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("plain",))
    assert body is not None
    return {"key": path.stem, "to": [one.addr_spec for one in mail["To"].addresses], "text": body.get_content()}


@contextmanager
def an_office(sandbox: SandboxControl, folder: Path, *providers: str, **more: Any) -> Iterator[Office]:
    """An office whose databases are closed when the block ends."""
    office = Office.opened(sandbox, folder, providers or VENDORS, **more)
    try:
        yield office
    finally:
        office.close()
