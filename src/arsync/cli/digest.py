"""The morning's page: what will go out, what waits for a person, what is held back; on screen, or by mail to us."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

import typer

from arsync.acts.locking import locked
from arsync.bootstrap import App
from arsync.channel.contract import Envelope
from arsync.cli.context import Author, Connections, OfGroup, author_or_me, chosen, linked, opened
from arsync.cli.output import complain, counted, say, so_many
from arsync.domain.chase import Intent, Plan, Rendered, Rule, Verdict
from arsync.domain.policy import StepMode
from arsync.domain.states import MessageState
from arsync.errors import (
    ArsyncError,
    ConfigurationError,
    ConnectorError,
    DatabaseUnusable,
    Locked,
    OutcomeUnknown,
    Stopped,
    UsageError,
)
from arsync.playbook.going_live import Payer
from arsync.playbook.places import Place
from arsync.render.digest import Chapter
from arsync.render.digest import digest as page_of
from arsync.session import before_first_byte
from arsync.store import connections, events, leases, messages
from arsync.store.connections import Connection
from arsync.store.messages import Message
from arsync.worker import jobs, pulling, tasks
from arsync.worker.openings import next_opening

_logger: Final = logging.getLogger(__name__)
_COLUMNS: Final = ("payer", "step", "demands", "to", "how")
#: What holds a message back though its step has come.
_BACK: Final = (Rule.NOT_LIVE, Rule.CAP, Rule.BREAKER, Rule.REJECTED, Rule.CALENDAR)
#: So many reasons are told of what is held back; the rest is a number.
_MOST_BACK: Final = 20
#: Held while the page of the day is made and mailed; its pulls may take long.
_LEASE: Final = "digest"
_TERM: Final = timedelta(minutes=30)
#: Pages of so many companies or groups in a day are told apart.
_PAGES: Final = 1000
_BEGUN, _SENT, _FAILED = "digest_begun", "digest_sent", "digest_failed"


def register(program: typer.Typer) -> None:
    """Adds this group's commands."""
    program.command()(digest)


def digest(
    context: typer.Context,
    names: Connections = None,
    group: OfGroup = None,
    html: Annotated[Path | None, typer.Option(help="Write the page to this file.")] = None,
    send: Annotated[bool, typer.Option("--send", help="Mail it to delivery.digest_to, once a day.")] = False,
    again: Annotated[bool, typer.Option("--again", help="With --send: also where today's has gone.")] = False,
    author: Author = None,
) -> None:
    """Tells what will go out, what waits for a person and what is held back, on the data as they were last pulled."""
    if again and not send:
        raise UsageError("--again is for --send")
    with opened(context) as app:
        if group is not None and names:
            raise UsageError("companies or --group, not both")
        those = linked(app, names) if group is None else chosen(app, None, group) or []
        page = _page(app, those)
        if html is not None:
            try:
                html.write_text(page.html, encoding="utf-8")
            except OSError as error:
                raise UsageError(f"{html} cannot be written: {error.strerror}") from None
            say(f"wrote {html}")
        if send:
            whose = ", ".join(sorted(set(names or ()))) if group is None else f"group {group}"
            day = f"{_day(app, those)} ({whose})" if whose else _day(app, those)
            _send(app, page, day, again=again, author=author_or_me(author))
        elif html is None:
            say(page.subject, style="bold")
            say()
            say(page.text.rstrip())


def _page(app: App, those: list[Connection]) -> Rendered:
    chosen: set[Payer] = set()
    chapters = [chapter for one in those for chapter in _chapters(app, one, chosen)]
    with app.store.reading() as work:
        own = connections.installation(work)
    mornings = [(one, app.today(one)) for one in those]
    todo = [
        *tasks.tasks(app.store, _only(app, those)),
        *tasks.unanswered(app.store, mornings),
        *tasks.follow_ups(app.store, mornings),
    ]
    if todo:
        chapters.append(Chapter(f"To do: {len(todo)}", ("what",), tuple((line,) for line in todo)))
    if own.stopped_at is not None:
        said = f"Nothing goes out: stopped by {own.stopped_by}: {own.stop_reason} (arsync start)"
        chapters.insert(0, Chapter("Stopped", (), (), said))
    day = max((day for _one, day in mornings), default=app.clock.now().date())
    return page_of(f"arsync: what goes out, {day:%A, %Y-%m-%d}", chapters)


def _only(app: App, those: list[Connection]) -> set[int] | None:
    """None where these are all companies: then what else there is is told, too."""
    ids = {one.id for one in those}
    return None if ids >= {one.id for one in app.linked()} else ids


def _chapters(app: App, company: Connection, chosen: set[Payer]) -> list[Chapter]:
    desk = app.desk(company)
    plans = jobs.preview(app.store, desk, app.clock, chosen=chosen)
    with app.store.reading() as work:
        pending = messages.in_states(work, (MessageState.PLANNED, MessageState.APPROVED), company.id)
    known = {one.chase_id: one for one in pending}
    going: list[tuple[str, ...]] = []
    asking: list[tuple[str, ...]] = []
    acting: list[tuple[Decimal, bool, tuple[str, ...]]] = []
    back: list[Verdict] = []
    for plan in plans:
        back.extend(one for one in plan.verdicts if one.rule in _BACK)
        if plan.intent is None:
            continue
        message = known.get(plan.facts.chase_id)
        waits = message.state is MessageState.PLANNED if message else plan.intent.mode is StepMode.APPROVE
        acting.append((plan.intent.at_stake.amount, waits, _row(plan, plan.intent, message)))
    for _amount, waits, row in sorted(acting, key=lambda one: -one[0]):
        (asking if waits else going).append(row)
    opens = next_opening(desk.policy, Place(), app.clock.now())
    when = "now" if opens is None else f"{opens:%Y-%m-%d %H:%M %Z}"
    diverted = f"; every one goes to {desk.diverted_to}" if desk.diverted_to else ""
    goes = so_many(len(going), "goes out", "go out")
    note = f"The send window opens: {when}{diverted}."
    found = [Chapter(f"{company.name}: {goes}", _COLUMNS, tuple(going), note)]
    if asking:
        waits_for = so_many(len(asking), "waits for a person", "wait for a person")
        note = "arsync approvals shows them, arsync approve lets them go."
        found.append(Chapter(f"{company.name}: {waits_for}", _COLUMNS, tuple(asking), note))
    if back:
        found.append(held_back(company.name, back))
    return found


def held_back(name: str, back: list[Verdict]) -> Chapter:
    """What is held back, by reason; who is not written to yet is one row, however many they are."""
    reasons: dict[tuple[Rule, str], str] = {}
    invoices: Counter[tuple[Rule, str]] = Counter()
    for one in back:
        key = (one.rule, "" if one.rule is Rule.NOT_LIVE else one.reason)
        reasons.setdefault(key, f"for example: {one.reason}" if one.rule is Rule.NOT_LIVE else one.reason)
        invoices[key] += 1
    told = invoices.most_common(_MOST_BACK)
    rows = tuple((key[0].value, counted(count, "invoice"), reasons[key]) for key, count in told)
    rest = invoices.total() - sum(count for _key, count in told)
    note = f"... and {counted(rest, 'invoice')} more: arsync plan --all" if rest else ""
    return Chapter(f"{name}: held back", ("rule", "how many", "why"), rows, note)


def _row(plan: Plan, intent: Intent, message: Message | None) -> tuple[str, ...]:
    to = ", ".join(contact.email or contact.name for contact in intent.recipients)
    to += "".join(f", cc {contact.email}" for contact in intent.copies)
    how = message.reason if message else "planned at the next run"
    return plan.facts.payer_name, intent.step.id, str(intent.at_stake), to, f"{intent.mode}: {how}"


@dataclass(frozen=True, slots=True)
class Mailed:
    """What became of the page, in a sentence."""

    told: str
    failed: bool = False


def of_the_day(app: App, *, pull: bool = True) -> Mailed | None:
    """With `delivery.digest = "daily"` mails the page of the day, once, on data pulled for it (unless not to `pull`);
    None where it has gone, is being mailed by another, or is not wanted. What fails is told, and stops no run."""
    those = app.linked()
    if app.settings.delivery.digest == "off" or not those or _has_gone(app, _day(app, those)):
        return None
    lease = leases.Lease(app.store, app.clock, _LEASE, _TERM)
    try:
        lease.take()
    except Locked:
        return None
    try:
        for company in those if pull else ():
            _pull(app, company)
        fresh = app.linked()
        if _has_gone(app, _day(app, fresh)):
            return None
        return _mailed(app, _page(app, fresh), _day(app, fresh), author="arsync")
    except (Locked, DatabaseUnusable):
        raise
    except ArsyncError as error:
        return Mailed(f"the digest could not be sent: {error}", failed=True)
    except Exception as error:
        _logger.exception("digest_failed")
        return Mailed(f"the digest could not be sent: unexpected {type(error).__name__}", failed=True)
    finally:
        lease.drop()


def _pull(app: App, company: Connection) -> None:
    """What is wrong the run tells; the page, that the data are old. It leaves alone whom another works for."""
    try:
        with locked(app, [company]):
            pulling.update(app.store, app.desk(company), app.clock)
    except Stopped:
        raise
    except (ConnectorError, Locked):
        return


def _day(app: App, those: list[Connection]) -> str:
    """The latest of the companies' days."""
    return max((app.today(one) for one in those), default=app.clock.now().date()).isoformat()


def _has_gone(app: App, day: str) -> bool:
    with app.store.reading() as work:
        lately = events.lately(work, (_BEGUN, _FAILED), most=_PAGES)
    last = next((one for one in lately if one.data.get("day") == day), None)
    return last is not None and last.kind == _BEGUN


def _send(app: App, page: Rendered, day: str, *, again: bool, author: str) -> None:
    """At a person's word."""
    if not again and _has_gone(app, day):
        say(f"the digest of {day} has gone already (--again sends another)")
        return
    done = _mailed(app, page, day, author=author)
    if done.failed:
        complain(done.told)
        raise typer.Exit(1)
    say(done.told)


def _mailed(app: App, page: Rendered, day: str, *, author: str) -> Mailed:
    """By the mail channel: a message to our own people, and no customer's."""
    settings = app.settings
    to, sender = settings.delivery.digest_to, settings.delivery.sender
    lacking = settings.undeliverable()
    if to is None or sender is None or lacking:
        raise ConfigurationError(f"{settings.source}: " + "; ".join(lacking or ["delivery.digest_to is missing"]))
    with app.store.working() as work:
        own, now = connections.installation(work), app.clock.now()
        events.log(work, _BEGUN, at=now, author=author, day=day, to=to)
        work.commit()
    envelope = Envelope(
        message_id=f"digest-{own.key}-{now:%Y%m%dT%H%M%S}", sender=sender, reply_to=sender, to=(to,), cc=(), bcc=(),
        subject=page.subject, text=page.text, html=page.html, at=now, language="en", tags={"step": "digest"},
    )  # fmt: skip
    channel, begun = app.mailroom.channel(), False

    def begins() -> None:
        nonlocal begun
        begun = True

    try:
        channel.prepare()
        with before_first_byte(begins):
            channel.send(envelope)
        kind, done = _SENT, Mailed(f"the digest of {day} was sent to {to}")
    except OutcomeUnknown as error:
        kind, done = _SENT, Mailed(f"the digest of {day} was perhaps sent to {to}: {error}")
    except ConnectorError as error:
        kind, done = _FAILED, Mailed(f"the digest of {day} could not be sent: {error}", failed=True)
    except Exception as error:
        if not begun:
            _log(app, _FAILED, author, day, to)  # the next run sends it
            raise
        _logger.exception("digest_failed")
        kind = _SENT
        done = Mailed(f"the digest of {day} was perhaps sent to {to}: unexpected {type(error).__name__}", failed=True)
    finally:
        channel.finish()
    _log(app, kind, author, day, to)
    return done


def _log(app: App, kind: str, author: str, day: str, to: str) -> None:
    with app.store.working() as work:
        events.log(work, kind, at=app.clock.now(), author=author, day=day, to=to)
        work.commit()
