"""The database and what it says of its connections."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from arsync.domain.clock import Clock
from arsync.domain.states import Health
from arsync.errors import ArsyncError, ConfigurationError, NotFound, SchemaMismatch
from arsync.ops.archives import examine_backups
from arsync.ops.desk import examine_desk
from arsync.ops.finding import Finding, fail, ok, warn
from arsync.ops.going_live import examine_going_live
from arsync.ops.posted import examine_posted
from arsync.ops.queue import examine_queue
from arsync.ops.tenancy import examine_tenancy
from arsync.ops.times import examine_worker
from arsync.settings import Settings
from arsync.store import (
    approvals,
    balances,
    connections,
    drift,
    finding,
    grants,
    reminders,
    replies,
    suspicion,
    upgrade,
)
from arsync.store.connections import Connection
from arsync.store.engine import Store, Work
from arsync.store.grants import Grant
from arsync.vault import Vault, load_key

#: Clocks of two machines differ; by more than this one of them is wrong.
_TOLERANCE: Final = timedelta(minutes=5)
#: So long before a consent ends a person is told.
_SOON: Final = timedelta(days=14)
_SOON_FOR_GOOD: Final = timedelta(days=60)
_PATIENCE: Final = "connect_timeout=5"


def examine_store(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """The database can be reached, has this arsync's schema, and holds connections in good health."""
    file = settings.database_file
    if file is not None and not file.is_file():
        yield fail("database", f"there is no {file} yet", "run `arsync db upgrade`")
        return
    store = Store(_patient(settings.database_url) if file is None else settings.database_url)
    try:
        try:
            upgrade.check(store)
        except SchemaMismatch as error:
            yield fail("database", str(error), "run `arsync db upgrade`")
            return
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - the store's drivers have no error in common that ops may name
            yield fail("database", f"cannot be used: {_said(error, settings.database_url)}", "correct database.url")
            return
        yield ok("database", f"{file or 'PostgreSQL'}, at this arsync's schema")
        with store.reading() as work:
            yield from _stop(work)
            yield from _inbox(settings, clock, work)
            yield from _connections(settings, clock, work)
            yield from examine_tenancy(settings, [one.name for one in connections.connections(work)])
            yield from examine_going_live(settings, work)
            yield from examine_worker(settings, clock, work)
            yield from examine_backups(work, clock)
            yield from examine_queue(settings, clock, store, work)
            yield from examine_posted(settings, clock, work)
            yield from examine_desk(settings, work)
    finally:
        store.close()


def _patient(url: str) -> str:
    """A doctor does not wait two minutes for a server that is not there."""
    return url if "connect_timeout=" in url else f"{url}{'&' if '?' in url else '?'}{_PATIENCE}"


def _said(error: Exception, url: str) -> str:
    """The driver's own first line, without what the URL keeps secret."""
    said = error.detail if isinstance(error, ArsyncError) else str(error)
    line = next(iter(said.splitlines()), type(error).__name__)
    password = url.rpartition("@")[0].rpartition("//")[2].partition(":")[2]
    return line.replace(password, "***") if password else line


def _stop(work: Work) -> Iterator[Finding]:
    try:
        here = connections.installation(work)
    except NotFound:
        return
    if here.stopped_at is not None:
        said = f"pressed by {here.stopped_by} at {here.stopped_at:%Y-%m-%d %H:%M} UTC: {here.stop_reason}"
        yield warn("stop switch", said, "`arsync start` lets messages go out again")


def _inbox(settings: Settings, clock: Clock, work: Work) -> Iterator[Finding]:
    """Where customers' answers are read: that they reach it, and that it was read lately."""
    inbox = settings.inbox
    if inbox.imap.host is None:
        return
    addressed = inbox.address is not None or any(
        settings.company(one.name).inbox_address for one in connections.connections(work)
    )
    if not addressed:
        yield warn("inbox", "a mailbox is read, and no message asks for answers there", "set inbox.address")
    polled_at = replies.last_polled(work)
    if polled_at is None:
        yield warn("inbox", "never read: firm messages wait for approval", "run `arsync inbox poll`")
    elif clock.now() - polled_at > inbox.max_silence:
        said = f"last read to its end on {polled_at:%Y-%m-%d %H:%M} UTC: firm messages wait for approval"
        yield warn("inbox", said, "run `arsync inbox poll`")
    else:
        yield ok("inbox", f"read to its end on {polled_at:%Y-%m-%d %H:%M} UTC")


def _connections(settings: Settings, clock: Clock, work: Work) -> Iterator[Finding]:
    there = connections.connections(work)
    if not there:
        yield warn("connections", "none yet", "run `arsync connect`")
    for connection in there:
        yield from _health(settings, clock, work, connection)
        yield from _tokens(settings, clock, work, connection)
        yield from _reminders(settings, work, connection)
        yield from _quarantine(work, connection)
        yield from _accounts(work, connection)
        yield from _unanswered(clock, work, connection)


def _unanswered(clock: Clock, work: Work, connection: Connection) -> Iterator[Finding]:
    """Nobody is chased while nobody answers."""
    late = approvals.unanswered(work, connection.id, today=clock.now().date())
    if late:
        many = "1 message has" if len(late) == 1 else f"{len(late)} messages have"
        days = f"for more than {approvals.PATIENCE} business days"
        yield warn("approvals", f"{connection.name}: {many} waited {days}", "`arsync approvals`")


def _health(settings: Settings, clock: Clock, work: Work, connection: Connection) -> Iterator[Finding]:
    name, synced, reason = connection.name, connection.synced_at, connection.health_reason
    match connection.health:
        case Health.REAUTHORISE:
            yield fail(
                "connections",
                f"{name}: the consent has ended ({reason})",
                f"run `arsync connect {connection.provider}`",
            )
            return
        case Health.DISCONNECTED:
            yield warn("connections", f"{name}: {reason}", f"`arsync connect {connection.provider}` resumes it")
            return
        case Health.SUSPECT:
            yield fail(
                "connections",
                f"{name}: the data look abnormal ({reason})",
                suspicion.ends_by(work, connection.id, name),
            )
            return
        case Health.RECOVERING:
            yield warn("connections", f"{name}: {reason}", f"run `arsync sync {name}`")
            return
        case Health.PARTIAL:
            yield warn("connections", f"{name}: the last sync did not come through ({reason})", "run `arsync sync`")
        case Health.OK:
            pass
    if synced is None:
        yield warn("connections", f"{name}: never synced", f"run `arsync backfill {name}`")
        return
    age = clock.now() - synced
    said = f"{name}: data of {synced:%Y-%m-%d %H:%M} UTC"
    if age < -_TOLERANCE:
        yield fail("clock", f"{said}, which is in the future: a clock was or is wrong", "set the machine's clock (NTP)")
    elif age > (most := settings.company(name).safety.max_staleness):
        hours = most // timedelta(hours=1)
        yield fail("connections", f"{said}, older than {hours} hours: nothing goes out", "run `arsync sync`")
    elif connection.health is Health.OK:
        yield ok("connections", said)


def _tokens(settings: Settings, clock: Clock, work: Work, connection: Connection) -> Iterator[Finding]:
    if settings.vault_key is None and not settings.key_file.exists():
        mend = "put the key file back, or connect again"
        yield fail("vault", f"{connection.name}: its tokens are sealed, and there is no {settings.key_file}", mend)
        return
    grant = grants.grants(work)[connection.grant_id]
    if not grant.has_tokens:
        return
    token = connections.sealed_tokens(work, connection.grant_id)
    try:
        vault = Vault(load_key(settings))
        vault.open(token)
    except ConfigurationError as error:
        yield fail("vault", f"{connection.name}: {error.detail}", "put the right key back, or connect again")
        return
    if not vault.is_newest(token):
        yield warn("vault", f"{connection.name}: its tokens are sealed by an old key", "run `arsync rotate-key`")
    yield from _consent_ends(clock, connection, grant)


def _consent_ends(clock: Clock, connection: Connection, grant: Grant) -> Iterator[Finding]:
    """A consent that ends soon is renewed while it still works."""
    mend = f"run `arsync connect {connection.provider}` before"
    now = clock.now()
    if grant.ended_at is not None:
        return
    if grant.ends_at is not None and grant.ends_at <= now:
        said = f"{connection.name}: the consent expired on {grant.ends_at:%Y-%m-%d}"
        yield fail("connections", said, f"run `arsync connect {connection.provider}`")
        return
    if grant.hard_until is not None and grant.hard_until - now < _SOON_FOR_GOOD:
        said = f"{connection.name}: the consent ends on {grant.hard_until:%Y-%m-%d}, however often it is used"
        yield warn("connections", said, mend)
    if grant.idle_until is not None and grant.idle_until - now < _SOON:
        said = f"{connection.name}: the consent ends on {grant.idle_until:%Y-%m-%d} unless it is used"
        yield warn("connections", said, f"run `arsync sync {connection.name}`")


def _reminders(settings: Settings, work: Work, connection: Connection) -> Iterator[Finding]:
    """Two machines that remind the same customer make fools of both."""
    name = connection.name
    if settings.company(name).reminders == "off" or connection.health is Health.DISCONNECTED:
        return
    told, answer = connection.reminders_on, reminders.answered(work, connection.id)
    if told is None and answer is None:
        said = f"{name}: whether it sends reminders itself is not known, and it cannot be asked: nothing goes out"
        yield warn("reminders", said, f"look there, then `arsync reminders {name} off` (or on)")
    elif told or (told is None and answer is not None and answer.reminds):
        by = "" if told or answer is None else f", as {answer.author} said on {answer.at:%Y-%m-%d}"
        said = f"{name}: it sends reminders itself{by}: nothing goes out"
        mend = "" if told else f", then `arsync reminders {name} off`"
        yield warn("reminders", said, f"turn them off there{mend}")


def _quarantine(work: Work, connection: Connection) -> Iterator[Finding]:
    broken = connections.quarantined(work, connection.id)
    if broken:
        first = broken[0]
        said = (
            f"{connection.name}: {len(broken)} in quarantine, first {first.resource} {first.remote_id}: {first.reason}"
        )
        yield warn("connections", said, "correct it in the source, then `arsync sync`")


def _accounts(work: Work, connection: Connection) -> Iterator[Finding]:
    """Where invoices, money and the source's own figures do not agree."""
    drifts = drift.drifting(work, connection.id)
    if drifts:
        said = f"{connection.name}: {len(drifts)} open invoices with a balance that no known payment explains"
        yield warn(
            "balances", f"{said}, first {drifts[0]}", "nothing to do if a journal entry or write-off explains it"
        )
    short = [one for one in balances.accounts(work, connection.id).values() if one.falls_short]
    if short:
        first = short[0]
        held = "1 payer is held" if len(short) == 1 else f"{len(short)} payers are held"
        who = finding.customer_name(work, connection.id, first.payer_id)
        said = (
            f"{connection.name}: {held}, for the source says that less is owed than the invoices come to; "
            f"first {who}: {first.told} instead of {first.net}"
        )
        yield warn("balances", said, "put what lowered the balance on the invoices, in the source")
