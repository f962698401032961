"""What people are to be told of: once when it begins, once when it is over, by two paths that do not fail together."""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol

import requests

from arsync.channel.contract import Channel, Envelope
from arsync.domain.chase import Rule
from arsync.domain.clock import Clock
from arsync.domain.states import Health, MessageState, NoteState
from arsync.errors import (
    ArsyncError,
    ConfigurationError,
    ConnectorError,
    Locked,
    OutcomeUnknown,
    Rejected,
    RetryLater,
)
from arsync.store import alerts, approvals, connections, doors, duties, events, messages, notes, posts, verdicts
from arsync.store.alerts import Told
from arsync.store.connections import Connection
from arsync.store.duties import Duty
from arsync.store.engine import Store, Work
from arsync.store.events import Event
from arsync.store.leases import Lease

_log: Final = logging.getLogger(__name__)
_OLD: Final = timedelta(days=1)
#: An allowance that opens again sooner is no news.
_SOON: Final = timedelta(minutes=15)
#: So many refused posts in a row are no stray one.
_REFUSED: Final = 5
#: What a mail provider posted is taken in within seconds, and tried again for a while where that fails.
_POSTED: Final = timedelta(hours=1)
#: A nightly run that has not ended by then hangs.
_LONG: Final = timedelta(hours=6)
_TIMEOUT: Final = 15.0
#: Held by whoever tells; both paths together answer sooner.
_TERM: Final = timedelta(minutes=10)
_HEALTH: Final = {Health.REAUTHORISE: "consent", Health.SUSPECT: "suspect"}

#: Until when a company's requests wait, and why; None where they do not.
Spent = Callable[[Connection], tuple[datetime, str] | None]
#: A company's calendar day.
Today = Callable[[Connection], date]


class Path(Protocol):
    """A way to people."""

    def tell(self, subject: str, lines: list[str]) -> None:
        """Tells them at once; ConnectorError where that did not succeed."""
        ...


@dataclass(frozen=True, slots=True)
class ByMail:
    """By the installation's own mail channel."""

    channel: Callable[[], Channel]
    sender: str
    to: str
    clock: Clock

    def tell(self, subject: str, lines: list[str]) -> None:
        now, text = self.clock.now(), "\n".join(lines) + "\n"
        envelope = Envelope(
            message_id=f"alert-{now:%Y%m%dT%H%M%S%f}", sender=self.sender, reply_to=self.sender, to=(self.to,), cc=(),
            bcc=(), subject=subject, text=text, html=f"<pre>{html.escape(text)}</pre>", at=now, language="en",
            tags={"step": "alert"},
        )  # fmt: skip
        channel = self.channel()
        try:
            channel.prepare()
            channel.send(envelope)
        except OutcomeUnknown:
            return  # it has perhaps gone: that is enough for what stands in `arsync alerts` as well
        finally:
            channel.finish()


@dataclass(frozen=True, slots=True)
class ByWebhook:
    """A JSON object with `text`, as chat programs take it, posted to an address of their choice."""

    session: Any  # requests.Session
    url: str

    def tell(self, subject: str, lines: list[str]) -> None:
        _ask(lambda: self.session.post(self.url, json={"text": "\n".join([subject, *lines])}, timeout=_TIMEOUT))


def ping(session: Any, url: str) -> None:
    """Says to an outside watch that a run came through; what goes wrong with that is a line of the log."""
    try:
        _ask(lambda: session.get(url, timeout=_TIMEOUT))
    except ConnectorError as error:
        _log.warning("not_pinged", extra={"reason": str(error)})


def _ask(request: Callable[[], Any]) -> None:
    """The address is a secret: no error repeats it."""
    try:
        status = request().status_code
    except requests.RequestException as error:
        raise RetryLater(f"no answer ({type(error).__name__})") from None
    if not 200 <= status < 300:
        raise Rejected(f"it answered with {status}")


def standing(store: Store, now: datetime, spent: Spent, today: Today, house: Collection[str] = ()) -> dict[str, str]:
    """What people are to be told of as things are, a sentence each by its key; `house` are the jobs of the whole
    installation that are to be done."""
    with store.reading() as work:
        every = [one for one in connections.connections(work) if one.health is not Health.DISCONNECTED]
        names = {one.id: one.name for one in every}
        found = {
            **_nights(work, every, now),
            **{
                f"{_HEALTH[one.health]} {one.name}": f"{one.name} is {one.health}: {one.health_reason}"
                for one in every
                if one.health in _HEALTH
            },
            **{
                f"breaker {names[company]}": f"{names[company]}: {reason}"
                for company, reason in verdicts.standing(work, Rule.BREAKER)
                if company in names
            },
            **_waiting(work, names),
            **_unknown(work, names, now - _OLD),
            **_housekeeping(work, house, now),
            **_posted(work, now),
        }
    for one in every:
        try:
            closed = spent(one)
            found |= _unanswered(store, one, today(one))
        except ConfigurationError as error:
            found[f"settings {one.name}"] = f"{one.name}: {error}"
            continue
        if closed is not None and closed[0] - now > _SOON:
            until, why = closed
            found[f"budget {one.name}"] = f"{one.name}: {why}; nothing is pulled before {until:%Y-%m-%d %H:%M} UTC"
    return found


def _nights(work: Work, every: list[Connection], now: datetime) -> dict[str, str]:
    """A nightly run that was missed, until the next one begins in its time; one that failed, until one comes through;
    one that hangs."""
    found = {}
    kept = duties.every(work)
    for one in every:
        missed = events.of_kind(work, one.id, "run_missed")
        for how, said in _by_the_clock("nightly run", kept.get(f"nightly {one.name}"), missed, now):
            found[f"{how} {one.name}"] = f"{one.name}: {said}"
    return found


def _housekeeping(work: Work, house: Collection[str], now: datetime) -> dict[str, str]:
    """The same of what is done for the whole installation."""
    kept = duties.every(work)
    return {
        f"{name} {how}": said
        for name in house
        for how, said in _by_the_clock(name, kept.get(name), events.of_kind(work, None, f"{name}_missed"), now)
    }


def _posted(work: Work, now: datetime) -> dict[str, str]:
    """What comes to the addresses of `arsync serve` and is refused again and again, or is kept and not taken in."""
    found = {
        f"hook {one.name}": f"/hooks/{one.name}: {one.bad_in_a_row} posts were refused since the last good one, the "
        f"last at {one.bad_at:%Y-%m-%d %H:%M} UTC ({one.bad}): compare the key with the one that is shown where they "
        "come from"
        for one in doors.every(work)
        if one.bad_in_a_row >= _REFUSED
    }
    waiting = posts.waiting(work)
    if waiting is not None and now - waiting.since > _POSTED:
        why = f": {waiting.reason}" if waiting.reason else ""
        have = "post of the mail provider has" if waiting.count == 1 else "posts of the mail provider have"
        found["posts"] = f"{waiting.count} {have} waited since {waiting.since:%Y-%m-%d %H:%M} UTC to be taken in{why}"
    return found


def _by_the_clock(what: str, duty: Duty | None, missed: list[Event], now: datetime) -> Iterator[tuple[str, str]]:
    """How it was missed, hangs or failed. What is being done has ended none of these yet."""
    # One of a later time was told by a clock that stood ahead.
    for event in [event for event in missed if event.at <= now][-1:]:
        # What was made up meanwhile is no reason not to tell: the next one that was taken up in its time is.
        if duty is None or duty.due_at <= event.at:
            due = datetime.fromisoformat(event.data["due"])
            yield "missed", f"the {what} due at {due:%Y-%m-%d %H:%M} UTC did not begin in time"
    since = None if duty is None else duty.begun_at or duty.due_at
    if duty is not None and duty.ended_at is None and since is not None and since < now - _LONG:
        state = "begun at {} UTC has not ended" if duty.begun_at else "due at {} UTC was taken up by no worker"
        yield "stuck", f"the {what} {state.format(f'{since:%Y-%m-%d %H:%M}')}"
    if duty is not None and duty.error is not None:
        yield "failed", f"the last {what} failed: {duty.error}"


def _waiting(work: Work, names: Mapping[int, str]) -> dict[str, str]:
    counts: dict[int, int] = {}
    for message in messages.in_states(work, (MessageState.PLANNED,)):
        counts[message.connection_id] = counts.get(message.connection_id, 0) + 1
    return {
        f"approvals {names[company]}": f"{names[company]}: messages wait for approval ({count}): arsync approve"
        for company, count in counts.items()
        if company in names
    }


def _unanswered(store: Store, company: Connection, day: date) -> dict[str, str]:
    """What nobody has answered for too long: told also to those who know already that something waits."""
    with store.reading() as work:
        late = len(approvals.unanswered(work, company.id, today=day))
    if not late:
        return {}
    have = "message has" if late == 1 else "messages have"
    said = f"{late} {have} waited for an answer for more than {approvals.PATIENCE} business days: arsync approvals"
    return {f"unanswered {company.name}": f"{company.name}: {said}"}


def _unknown(work: Work, names: Mapping[int, str], before: datetime) -> dict[str, str]:
    """What nobody knows the fate of for more than a day."""
    open_messages = messages.in_states(work, (MessageState.UNKNOWN,))
    open_notes = notes.in_states(work, (NoteState.UNKNOWN,))
    counts: dict[int, int] = {}
    for company, at in [
        *((one.connection_id, one.sending_at) for one in open_messages),
        *((one.connection_id, one.tried_at) for one in open_notes),
    ]:
        if company in names and at is not None and at < before:
            counts[company] = counts.get(company, 0) + 1
    return {
        f"unknown {names[company]}": f"{names[company]}: nobody knows of {count} messages or notes since yesterday "
        "whether they went out: arsync outbox"
        for company, count in counts.items()
    }


def tell(store: Store, clock: Clock, paths: Mapping[str, Path], found: Mapping[str, str]) -> list[str]:
    """Tells each path what it was not told yet, unless another does right now; why it could not, a sentence each. What
    could not be told is told the next time."""
    lease = Lease(store, clock, "alerts", _TERM)
    try:
        lease.take()
    except Locked:
        return []
    try:
        return _tell(store, clock, paths, found)
    finally:
        lease.drop()


def _tell(store: Store, clock: Clock, paths: Mapping[str, Path], found: Mapping[str, str]) -> list[str]:
    wrong = []
    with store.working() as work:
        alerts.follow(work, found, list(paths), now=clock.now())
        work.commit()
    for name, path in paths.items():
        with store.reading() as work:
            news = alerts.to_tell(work, name)
        if not news:
            continue
        try:
            path.tell(_subject(news), [f"{'over: ' if one.over else ''}{one.text}" for one in news])
        except ArsyncError as error:
            wrong.append(f"alerts.{name}: {error}")
            continue
        except Exception as error:  # noqa: BLE001 - a fault of ours on one path never stops the other
            _log.exception("not_told", extra={"path": name})
            wrong.append(f"alerts.{name}: unexpected {type(error).__name__}")
            continue
        with store.working() as work:
            alerts.told(work, name, news, now=clock.now())
            work.commit()
    return wrong


def _subject(news: list[Told]) -> str:
    begun, over = sum(not one.over for one in news), sum(one.over for one in news)
    parts = [f"{begun} to look at"] * bool(begun) + [f"{over} over"] * bool(over)
    return f"arsync: {', '.join(parts)}"
