"""One installation, wired."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from email.utils import parseaddr
from functools import cached_property
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from arsync.bootstrap.alarm import Alarm
from arsync.bootstrap.mailroom import Mailroom
from arsync.channel.attached import MEGABYTE
from arsync.channel.call import CallChannel
from arsync.channel.letter import LetterChannel
from arsync.connector import Clock, Connector, ConnectorFactory, Consent, Consenting, Limits, Linked
from arsync.domain.calendar import Blackout, closed_days
from arsync.domain.chase import Seller
from arsync.domain.clock import SystemClock, local_date
from arsync.domain.payday import PayDay
from arsync.domain.policy import Playbook, StepChannel, StepMode
from arsync.domain.rollout import Rollout
from arsync.domain.states import Health, WriteKind
from arsync.errors import ConfigurationError
from arsync.inbox.matching import Front
from arsync.inbox.poll import Polled, poll
from arsync.inbox.posted import are_posted_within
from arsync.logs import keep_secret
from arsync.outbox.send import Post
from arsync.playbook.calendars import House, never_at_home
from arsync.playbook.facts import Policy
from arsync.playbook.places import Place
from arsync.playbook.shelves import Library, Shelf, Volume
from arsync.playbook.windows import never_opens
from arsync.render.wording import at_home
from arsync.resources import bundled
from arsync.sandbox.rehearsal import RehearsalClock
from arsync.session import pooled_session
from arsync.settings import CompanySettings, Settings, check_rehearsal, connector_points, secrets_in, vendor_urls
from arsync.settings.kinds import payment_day
from arsync.store import connections, replies, tags, upgrade
from arsync.store.budgets import SharedBudget
from arsync.store.connections import Connection
from arsync.store.engine import Store
from arsync.store.vault import StoredVault
from arsync.vault import Vault, load_key
from arsync.worker.dispatch import Desk, Intake
from arsync.worker.stopping import StoppableClock, Stopping

#: of a connector that does not say what its vendor allows
_MODEST: Final = Limits(per_second=5, per_minute=60)


def _unobserved(moment: str, what: str) -> None:
    pass


class App:
    """One installation, wired. `observe` is told before and after every commit and outbound request; where `stopping`
    was told no wait goes on."""

    def __init__(
        self,
        settings: Settings,
        *,
        observe: Callable[[str, str], None] = _unobserved,
        stopping: Stopping | None = None,
    ) -> None:
        keep_secret(settings.secrets())
        self.settings = settings
        self._observe = observe
        self._stopping = stopping

    def anew(self, settings: Settings) -> App:
        """The same installation by other settings, on this one's database, clock and HTTP connections."""
        other = App(settings, observe=self._observe, stopping=self._stopping)
        shared = ("clock", "unchecked_store", "store", "_session")
        vars(other).update({name: vars(self)[name] for name in shared if name in vars(self)})
        return other

    @cached_property
    def clock(self) -> Clock:
        """The machine's clock, or the sandbox's in a rehearsal."""
        url = self.settings.sandbox.clock_url
        clock = RehearsalClock(url) if url else SystemClock()
        return clock if self._stopping is None else StoppableClock(clock, self._stopping)

    @cached_property
    def unchecked_store(self) -> Store:
        """The database at whatever schema it is."""
        return Store(self.settings.database_url, observe=self._observe)

    @cached_property
    def store(self) -> Store:
        """The database, at this arsync's schema; SchemaMismatch otherwise. Looking for it makes no file."""
        file = self.settings.database_file
        if file is not None and not file.exists():
            raise ConfigurationError(f"there is no {file}: run `arsync db upgrade`, or name another --config")
        upgrade.check(self.unchecked_store)
        store = self.unchecked_store
        with store.reading() as work:
            founded = connections.is_founded(work)
        if not founded:
            with store.working() as work:
                connections.found_installation(work, now=self.clock.now())
                work.commit()
        return store

    @cached_property
    def vault(self) -> Vault:
        """What seals tokens. A key that is lost is not made anew over tokens that it sealed."""
        if self.settings.vault_key is None and not self.settings.key_file.exists():
            with self.store.reading() as work:
                sealed = connections.has_grants(work)
            if sealed:
                raise ConfigurationError(
                    f"the key {self.settings.key_file} is gone: put it back, or run `arsync init` for a new one and "
                    "connect every company again"
                )
        return Vault(load_key(self.settings))

    @cached_property
    def _session(self) -> Any:
        return pooled_session(observe=self._observe)

    @cached_property
    def mailroom(self) -> Mailroom:
        """How mail goes out and comes back."""
        return Mailroom(self.settings, session=lambda: self._session, clock=self.clock, observe=self._observe)

    # --- connectors -------------------------------------------------------------------------------------

    @property
    def providers(self) -> Mapping[str, EntryPoint]:
        """The installed connectors by name."""
        return connector_points()

    def connector_settings(self, provider: str) -> BaseModel:
        """The provider's own section of the settings, validated by its connector."""
        sections = {name: self._section(name) for name in {provider, *self.settings.connectors}}
        urls = {key: url for name, section in sections.items() for key, url in vendor_urls(name, section).items()}
        check_rehearsal(self.settings, urls)
        return sections[provider]

    def _section(self, provider: str) -> BaseModel:
        model: type[BaseModel] = importlib.import_module(self._provider(provider).module).Settings
        section = self.settings.connector(provider, model)
        keep_secret(secrets_in(section))
        return section

    def _provider(self, provider: str) -> EntryPoint:
        found = self.providers
        if provider not in found:
            raise ConfigurationError(f"no connector {provider!r} is installed (there is: {', '.join(sorted(found))})")
        return found[provider]

    def connector(self, connection: Connection) -> Connector:
        """The connection's way to its company file."""
        return self.reach(connection.provider, connection.external_id, connection.grant_id)

    def reach(self, provider: str, external_id: str, grant_id: int) -> Connector:
        """The way to a company file by a grant, linked or not yet."""
        factory: ConnectorFactory = self._provider(provider).load()
        return factory(
            settings=self.connector_settings(provider),
            linked=Linked(external_id),
            vault=self.tokens(grant_id),
            budget=self.budget(provider, external_id),
            clock=self.clock,
            session=self._session,
        )

    def tokens(self, grant_id: int) -> StoredVault:
        """The durable tokens of a grant."""
        _ = self.vault  # a key that is gone is said before anybody is asked
        return StoredVault(self.store, self.clock, grant_id, seal=self._sealed, unseal=self._unsealed)

    def _sealed(self, text: str) -> str:
        return self.vault.seal(text)

    def _unsealed(self, token: str) -> str:
        """The token's text; the key file is read again where the key was changed under this process."""
        try:
            return self.vault.open(token)
        except ConfigurationError:
            self.__dict__.pop("vault", None)
            return self.vault.open(token)

    def consent(self, provider: str) -> Consent | None:
        """How people let the provider's app into their companies; None where its connector needs no consent."""
        factory = self._provider(provider).load()
        if not isinstance(factory, Consenting):
            return None
        return factory.consent(settings=self.connector_settings(provider), session=self._session, clock=self.clock)

    def budget(self, provider: str, external_id: str) -> SharedBudget:
        """What the vendor allows for that company, and what is spent of it."""
        limits = _limits(self.connector_settings(provider))
        return SharedBudget(self.store, self.clock, limits, app=provider, company=external_id)

    # --- policy and delivery --------------------------------------------------------------------------------

    @cached_property
    def shelves(self) -> Library:
        """Every playbook of this installation, as it is and as it was."""
        shipped = bundled("playbooks")
        return Library(
            own=lambda: sorted(self.settings.playbook_folder.glob("*.yaml")),
            shipped=lambda name: shipped / f"{name}.yaml",
            templates=shipped / "templates",
        )

    def playbook(self, name: str) -> tuple[Playbook, Path]:
        """A playbook without problems, and the folder of its templates; ConfigurationError with every problem."""
        volume = self.volume(name)
        return volume.playbook, volume.templates

    def volume(self, name: str) -> Volume:
        """The same, ready to be followed."""
        return self.shelves.read(self._playbook_file(name))

    def _playbook_file(self, name: str) -> Path:
        path = self.settings.playbook_file(name, shipped=bundled("playbooks"))
        if not path.is_file():
            raise ConfigurationError(f"playbook {name!r}: there is no {path}")
        return path

    def today(self, connection: Connection) -> date:
        """The company's calendar day; asks no playbook, so that a hold can be placed whatever is wrong with it."""
        return local_date(self.clock.now(), self.timezone(connection))

    def timezone(self, connection: Connection) -> str:
        """The company's IANA timezone."""
        return self.settings.company(connection.name).timezone or connection.timezone or "UTC"

    def policy(self, connection: Connection) -> Policy:
        """How that connection's customers are chased; ConfigurationError where a window never opens for customers
        where the company is."""
        company = self.settings.company(connection.name)
        default = self._playbook_file(company.playbook)
        shelf = self.shelves.present(default)
        volume = self.shelves.read(default)
        sender = company.delivery.sender or ""
        country = company.country or connection.country
        seller = Seller(
            name=company.company_name or connection.company_name,
            timezone=self.timezone(connection),
            locale=at_home(company.locale, country),
            reply_to=self.mailroom.inbox_of(company) or company.reply_to or sender,
            sender=sender,
            legal_footer=company.legal_footer,
            color=company.brand.color,
            logo=company.brand.logo or "",
            font=company.brand.font or "",
            bank_details=dict(company.bank_details),
            address=company.postal_address,
            country=country,
        )
        policy = Policy(
            playbook=volume.playbook,
            templates=volume.templates,
            locales=volume.locales,
            shelves=self.shelves,
            shelf=shelf,
            seller=seller,
            country=country,
            mode=StepMode(company.mode),
            replies_read=self._replies_are_read(company),
            banked_through=company.banked_through,
            reminders_off=company.reminders == "off",
            max_per_run=company.safety.max_messages_per_run,
            max_staleness=company.safety.max_staleness,
            breaker_factor=company.safety.breaker_factor,
            breaker_share=company.safety.breaker_share,
            region=company.region,
            closed=self._closed(company, shelf),
            payment_days=_by_customer(company.payment_days),
            rollout=self._rollout(),
            pay_links=company.pay_links == "on",
        )
        self._check_windows(policy)
        return policy

    def _check_windows(self, policy: Policy) -> None:
        """What is left of a window beside holidays is known for customers where the company is; of the others each
        verdict says so."""
        today = policy.today(self.clock.now())
        house = House(Place(policy.country, policy.region), policy.seller.timezone, policy.closed)
        for playbook in policy.shelf.playbooks:
            if why := never_at_home(playbook.window, house, today):
                raise ConfigurationError(f"{self.settings.source}: playbook {playbook.name}: {why}")

    def _rollout(self) -> Rollout:
        """Who is written to so far; ConfigurationError where no such tag can be."""
        delivery = self.settings.delivery
        only = delivery.only
        try:
            tagged = frozenset(tags.normal(tag) for tag in only.tags)
        except ValueError as error:
            raise ConfigurationError(f"{self.settings.source}: delivery.only.tags: {error}") from None
        return Rollout(
            first=delivery.first_customers,
            connections=frozenset(only.connections),
            playbooks=frozenset(only.playbooks),
            tags=tagged,
            customers=frozenset(name.casefold() for name in only.customers),
        )

    def _closed(self, company: CompanySettings, shelf: Shelf) -> tuple[Blackout, ...]:
        """The days on which the company is closed; ConfigurationError where a playbook's window never opens beside
        them."""
        closed = tuple(closed_days(line) for line in company.closed)
        for playbook in shelf.playbooks:
            if never := never_opens(playbook.window.weekdays, (*playbook.window.blackouts, *closed)):
                raise ConfigurationError(f"{self.settings.source}: closed, beside playbook {playbook.name}: {never}")
        return closed

    # --- what comes back -----------------------------------------------------------------------------------

    def fronts(self) -> list[Front]:
        """Each company as its customers reach it."""
        found = []
        for one in self.linked():
            company = self.settings.company(one.name)
            known = (self.mailroom.inbox_of(company), company.reply_to, company.delivery.sender)
            addresses = frozenset(parseaddr(mailbox)[1].casefold() for mailbox in known if mailbox)
            found.append(Front(one.id, one.name, addresses, self.timezone(one), company.writes == "on"))
        return found

    def poll(self) -> Polled | None:
        """Reads the mailbox to its end; None where none is configured."""
        mailbox = self.mailroom.mailbox()
        return None if mailbox is None else poll(self.store, mailbox, self.fronts(), self.clock)

    def polled_within(self, span: timedelta) -> bool:
        """Whether there is a mailbox, and it was read to its end so lately."""
        mailbox = self.mailroom.mailbox()
        if mailbox is None:
            return False
        with self.store.reading() as work:
            place = replies.place(work, mailbox.name)
        polled_at = place.polled_at if place is not None else None
        return polled_at is not None and self.clock.now() - polled_at <= span

    def _replies_are_read(self, company: CompanySettings) -> bool:
        """Whether answers reach a mailbox that was read to its end lately, or are posted to us."""
        inbox = self.settings.inbox
        if (company.inbox_address or inbox.address) is None:
            return False
        return self.polled_within(inbox.max_silence) or self._posted_within(inbox.max_silence)

    def _posted_within(self, span: timedelta) -> bool:
        if not self.mailroom.takes_posts:
            return False
        with self.store.reading() as work:
            return are_posted_within(work, span, now=self.clock.now())

    @cached_property
    def alarm(self) -> Alarm:
        """How our own people are told of what they must look at."""
        return Alarm(
            self.settings, self.store, self.clock, session=lambda: self._session, channel=self.mailroom.channel,
            closed=lambda one: self.budget(one.provider, one.external_id).closed(), today=self.today,
        )  # fmt: skip

    def intake(self, connection: Connection) -> Intake:
        """What pulling one connection needs; nobody has to be able to send."""
        return Intake(connection, self.connector(connection), self.policy(connection))

    def desk(self, connection: Connection) -> Desk:
        """Everything that one connection's night needs; ConfigurationError where a message could not leave."""
        lacking = self.settings.undeliverable(connection.name)
        if lacking:
            raise ConfigurationError(f"{self.settings.source}: " + "; ".join(lacking))
        policy = self.policy(connection)
        company = self.settings.company(connection.name)
        post = Post(
            channels={
                **dict.fromkeys(StepChannel, CallChannel()),
                StepChannel.EMAIL: self.mailroom.channel(company),
                StepChannel.LETTER: LetterChannel(),
            },
            sender=policy.seller.sender,
            reply_to=policy.seller.reply_to,
            connection=connection.name,
            most_attached=self.settings.delivery.attachments_mb * MEGABYTE,
            inbox=self.mailroom.inbox_of(company),
        )
        return Desk(
            connection=connection,
            connector=self.connector(connection),
            policy=policy,
            post=post,
            writes=company.writes == "on",
            diverted_to=self.settings.delivery.redirect_to,
            marks_sent=company.mark_sent == "on" and WriteKind.SENT in self.keeps(connection),
            lists=self.mailroom.lists if self.settings.sendgrid.suppression_lookup else None,
        )

    def keeps(self, connection: Connection) -> frozenset[WriteKind]:
        """The facts that may be written onto that company's invoices; none where nothing may be written."""
        if self.settings.company(connection.name).writes != "on":
            return frozenset()
        kinds: frozenset[WriteKind] = getattr(self._provider(connection.provider).load(), "facts", frozenset())
        return kinds

    def linked(self, names: Sequence[str] = ()) -> list[Connection]:
        """The connections of these names, or all that are not disconnected; NotFound where one is unknown."""
        with self.store.reading() as work:
            return [connections.connection(work, name) for name in names] or [
                one for one in connections.connections(work) if one.health is not Health.DISCONNECTED
            ]

    def close(self) -> None:
        """Lets go of the database and of every HTTP connection."""
        if "_session" in self.__dict__:
            self._session.close()
        if "unchecked_store" in self.__dict__:
            self.unchecked_store.close()


def _limits(section: BaseModel) -> Limits:
    found = getattr(section, "limits", _MODEST)
    if not isinstance(found, Limits):
        raise ConfigurationError(f"{type(section).__module__}: `limits` of its settings must be a Limits, not a method")
    return found


def _by_customer(lines: Iterable[str]) -> dict[str, PayDay]:
    """Payment days as people said them, by the customer's id and by its name in any case."""
    found: dict[str, PayDay] = {}
    for customer, day in map(payment_day, lines):
        found[customer] = found[customer.casefold()] = day
    return found
