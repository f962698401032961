"""Our own people are told once when something begins, and once when it is over, by each path for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import requests
from tests.integration.outbox.office import Office

from arsync.bootstrap import App
from arsync.cli.app import run
from arsync.cli.approving import approve_messages
from arsync.connector import Limits
from arsync.domain.posted import PostKind, Reception
from arsync.domain.states import Health, MessageState
from arsync.errors import ConfigurationError, Rejected, RetryLater
from arsync.ops.alerts import ByWebhook, ping, standing, tell
from arsync.store import connections, doors, duties, events, messages, posts
from arsync.store.budgets import SharedBudget
from arsync.store.engine import Store
from arsync.testing.ports import FixedClock

Opened = Callable[..., Office]
NOW = datetime(2026, 6, 9, 14, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Phone:
    """A path that keeps what it was told, or is out of order."""

    heard: list[list[str]] = field(default_factory=list)
    dead: bool = False

    def tell(self, subject: str, lines: list[str]) -> None:
        if self.dead:
            raise RetryLater("no answer")
        self.heard.append([subject, *lines])


def never(_company: object) -> None:
    """No allowance is used up."""


# --- telling ------------------------------------------------------------------------------------------------------


def test_a_state_is_told_once_and_once_when_it_is_over_and_again_when_it_comes_back(store: Store) -> None:
    clock, phone = FixedClock(NOW), Phone()
    down = {"a": "A is down"}
    for found in (down, down, {**down, "b": "B too"}, {"b": "B too"}, {}, {}, {"a": "A"}):
        assert tell(store, clock, {"webhook": phone}, found) == []
        clock.advance(300)
    assert phone.heard == [
        ["arsync: 1 to look at", "A is down"],
        ["arsync: 1 to look at", "B too"],
        ["arsync: 1 over", "over: A is down"],
        ["arsync: 1 over", "over: B too"],
        ["arsync: 1 to look at", "A"],
    ]


def test_a_path_that_fails_is_told_later_and_the_other_at_once(store: Store) -> None:
    clock, mail, webhook = FixedClock(NOW), Phone(dead=True), Phone()
    paths = {"mail": mail, "webhook": webhook}
    (wrong,) = tell(store, clock, paths, {"a": "A is down"})
    assert wrong.startswith("alerts.mail: ")
    tell(store, clock, paths, {"a": "A is down"})
    mail.dead = False
    tell(store, clock, paths, {"a": "A is down"})
    tell(store, clock, paths, {"a": "A is down"})
    assert mail.heard == webhook.heard == [["arsync: 1 to look at", "A is down"]]


def test_a_fault_of_ours_on_one_path_keeps_nobody_from_being_told_by_the_other(store: Store) -> None:
    class Broken:
        def tell(self, subject: str, lines: list[str]) -> None:
            raise ValueError("the address with its s3cret")

    webhook = Phone()
    wrong = tell(store, FixedClock(NOW), {"mail": Broken(), "webhook": webhook}, {"a": "A is down"})
    assert wrong == ["alerts.mail: unexpected ValueError"]
    assert webhook.heard == [["arsync: 1 to look at", "A is down"]]


def test_two_who_tell_at_once_tell_once(store: Store) -> None:
    """A run by hand tells while the worker is about to."""
    clock, phone = FixedClock(NOW), Phone()

    class Slow:
        def tell(self, subject: str, lines: list[str]) -> None:
            assert tell(store, clock, {"webhook": phone}, {"a": "A is down"}) == []
            phone.tell(subject, lines)

    assert tell(store, clock, {"webhook": Slow()}, {"a": "A is down"}) == []
    assert tell(store, clock, {"webhook": phone}, {"a": "A is down"}) == []
    assert phone.heard == [["arsync: 1 to look at", "A is down"]]


def test_what_begins_and_ends_while_nobody_can_be_told_is_not_told(store: Store) -> None:
    clock, phone = FixedClock(NOW), Phone(dead=True)
    tell(store, clock, {"mail": phone}, {"a": "A is down"})
    phone.dead = False
    tell(store, clock, {"mail": phone}, {})
    assert phone.heard == []


def test_what_comes_back_before_its_end_was_told_goes_on(store: Store) -> None:
    clock, phone = FixedClock(NOW), Phone()
    tell(store, clock, {"mail": phone}, {"a": "A is down"})
    phone.dead = True
    tell(store, clock, {"mail": phone}, {})
    phone.dead = False
    tell(store, clock, {"mail": phone}, {"a": "A is down"})
    assert len(phone.heard) == 1


# --- what is told ------------------------------------------------------------------------------------------------


@pytest.fixture
def office(open_office: Opened) -> Office:
    """One Ltd owes 900.00; a person approves each message."""
    opened = open_office("quickbooks", channel="file")
    books = opened.books[0]
    books.invoice(books.customer("One Ltd", "jane@one.example"), "900.00", days_late=5)
    return opened


def by_approval(office: Office) -> App:
    """Loaded; nothing leaves without a person's yes."""
    office.load()
    said = office.config.read_text(encoding="utf-8")
    office.config.write_text(said.replace('mode = "auto"', 'mode = "approve"'), encoding="utf-8")
    return office.app()


def found(app: App, *, later: timedelta = timedelta()) -> set[str]:
    """The keys of what stands."""
    now = app.clock.now() + later
    return {key.split(" ")[0] for key in standing(app.store, now, never, app.today, ("backup", "prune"))}


def test_a_missed_night_stands_until_one_begins_in_its_time_and_a_failed_one_until_one_comes_through(
    office: Office,
) -> None:
    """02:00 missed / 10:00 told and made up / two nights that fail / one that comes through / one that fails"""
    app = office.load()
    (company,) = app.linked()
    name, ten = f"nightly {company.name}", app.clock.now()
    two = ten - 8 * HOUR
    with app.store.working() as work:
        events.log(work, "run_missed", at=ten, connection_id=company.id, due=two.isoformat(), runs=1)
        duties.begin(work, name, due=two, now=ten)
        work.commit()
    assert found(app) == {"missed"}
    assert found(app, later=7 * HOUR) == {"missed", "stuck"}
    with app.store.working() as work:
        duties.end(work, name, begun=ten, error=None, now=ten + HOUR)
        work.commit()
    assert found(app) == {"missed"}, "made up, but nobody was told yet"
    assert next(iter(app.alarm.standing().values())).endswith(
        f"run due at {two:%Y-%m-%d %H:%M} UTC did not begin in time"
    )
    failed, well = {"failed"}, set[str]()
    for day, error, before, stands in (
        (1, "harbor is down", well, failed), (2, "still down", failed, failed), (3, None, failed, well),
        (4, "down once more", well, failed),
    ):  # fmt: skip
        begun = two + day * DAY
        with app.store.working() as work:
            duties.begin(work, name, due=begun, now=begun)
            work.commit()
        assert found(app, later=day * DAY - 7 * HOUR) == before, (
            "what is being done has neither failed nor come through"
        )
        with app.store.working() as work:
            duties.end(work, name, begun=begun, error=error, now=begun + HOUR)
            work.commit()
        assert found(app, later=day * DAY) == stands, "what was missed four days ago is long over"


def test_a_backup_that_was_missed_or_fails_stands_until_one_is_made_in_its_time(office: Office) -> None:
    """03:00 missed / 10:00 told and made up / next day 03:00 the disk is full / the day after it is made"""
    app = office.load()
    ten = app.clock.now()
    three = ten - 7 * HOUR
    with app.store.working() as work:
        events.log(work, "backup_missed", at=ten, due=three.isoformat(), runs=1)
        duties.begin(work, "backup", due=three, now=ten)
        duties.end(work, "backup", begun=ten, error=None, now=ten + HOUR)
        work.commit()
    told = standing(app.store, ten, never, app.today, ("backup",))
    assert told == {"backup missed": f"the backup due at {three:%Y-%m-%d %H:%M} UTC did not begin in time"}
    assert standing(app.store, ten, never, app.today, ("prune",)) == {}, "it is off by now"
    for day, error, stands in ((1, "cannot write: No space left on device", {"failed"}), (2, None, set())):
        with app.store.working() as work:
            duties.begin(work, "backup", due=three + day * DAY, now=three + day * DAY)
            duties.end(work, "backup", begun=three + day * DAY, error=error, now=three + day * DAY + HOUR)
            work.commit()
        assert standing(app.store, ten, never, app.today, ("backup",)).keys() == {f"backup {one}" for one in stands}


def test_a_night_that_only_a_clock_ahead_of_its_time_missed_is_no_alert(office: Office) -> None:
    """The clock stood a month ahead, and is right again."""
    app = office.load()
    (company,) = app.linked()
    ahead = app.clock.now() + 30 * DAY
    with app.store.working() as work:
        events.log(work, "run_missed", at=ahead, connection_id=company.id, due=ahead.isoformat(), runs=30)
        work.commit()
    assert found(app) == set()


@pytest.mark.parametrize(("health", "key"), [(Health.REAUTHORISE, "consent"), (Health.SUSPECT, "suspect")])
def test_a_company_that_a_person_must_look_at_stands_until_it_is_well(office: Office, health: Health, key: str) -> None:
    app = office.load()
    (company,) = app.linked()
    with app.store.working() as work:
        connections.set_health(work, company.id, health, "the words for it")
        work.commit()
    assert found(app) == {key}
    assert any("the words for it" in text for text in app.alarm.standing().values())


def test_approvals_stand_while_a_message_waits(office: Office) -> None:
    app = by_approval(office)
    office.night(app)
    assert found(app) == {"approvals"}
    assert next(iter(app.alarm.standing().values())).endswith("messages wait for approval (1): arsync approve")


def test_what_nobody_has_answered_for_too_long_is_told_anew(office: Office) -> None:
    """
    06-09 Tuesday      a message waits for approval: told
    06-12 Friday       still the same
    06-15 Monday       three business days are over: told once more
    """
    app = by_approval(office)
    office.night(app)
    office.pass_time(days=3)
    assert found(app) == {"approvals"}
    office.pass_time(days=3)
    assert found(app) == {"approvals", "unanswered"}
    said = app.alarm.standing()["unanswered our-quickbooks"]
    assert said.endswith("1 message has waited for an answer for more than 3 business days: arsync approvals")
    approve_messages(app, [1], "Ada")
    assert found(app) == set()


def test_a_message_that_nobody_knows_about_stands_after_a_day(office: Office) -> None:
    app = office.load()
    office.night(app)
    with app.store.working() as work:
        (one,) = messages.in_states(work, (MessageState.ACCEPTED,))
        work.connection.exec_driver_sql(f"UPDATE messages SET state = 'unknown' WHERE id = {one.id}")
        work.commit()
    assert found(app) == set()
    assert found(app, later=DAY + HOUR) == {"unknown"}


def test_a_company_whose_settings_are_wrong_keeps_nobody_from_hearing_of_another(open_office: Opened) -> None:
    office = open_office("quickbooks", "xero", channel="file")
    app = office.load()
    suspect, _well = app.linked()
    with app.store.working() as work:
        connections.set_health(work, suspect.id, Health.SUSPECT, "half of it is gone", synced_at=NOW)
        work.commit()

    def spent(company: connections.Connection) -> None:
        if company.provider == "xero":
            raise ConfigurationError("[xero] client_id is missing")

    found = standing(app.store, NOW, spent, app.today, ())
    assert found["suspect our-quickbooks"].endswith("half of it is gone")
    assert "[xero] client_id is missing" in found["settings our-xero"]


def test_an_allowance_of_the_day_that_is_used_up_stands_until_it_opens(store: Store) -> None:
    clock = FixedClock(NOW)
    budget = SharedBudget(store, clock, Limits(per_second=50, per_day=3), app="xero", company="c1")
    assert budget.closed() is None
    for _ in range(3):
        budget.spend()
    closed = budget.closed()
    assert closed is not None
    until, why = closed
    assert until > NOW + 12 * HOUR
    assert "allowance of the day is used up" in why
    clock.advance((until - NOW).total_seconds() + 1)
    assert budget.closed() is None


# --- the real paths ------------------------------------------------------------------------------------------------


@pytest.fixture
def watch() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """An outside watch and a chat, on this machine."""
    asked: list[tuple[str, bytes]] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((f"{self.command} {self.path}", self.rfile.read(int(self.headers.get("Content-Length", 0)))))
            self.send_response(404 if "gone" in self.path else 200)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - as the base calls it

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_run_tells_by_mail_and_webhook_and_pings_where_it_came_through(
    office: Office, watch: tuple[str, list[tuple[str, bytes]]]
) -> None:
    url, asked = watch
    by_approval(office)
    said = office.config.read_text(encoding="utf-8")
    alerts = f'[alerts]\nmail = "ops@harbour.example"\nwebhook = "{url}/chat/s3cret"\nping_url = "{url}/ping/s3cret"\n'
    office.config.write_text(f"{said}\n{alerts}", encoding="utf-8")
    for _ in range(2):
        assert run(["--config", str(office.config), "run"]) == 0
    assert [line for line, _ in asked] == ["POST /chat/s3cret", "GET /ping/s3cret", "GET /ping/s3cret"]
    assert b"messages wait for approval (1)" in asked[0][1]
    (mail,) = (office.folder / "outbox").glob("alert-*.eml")
    assert "ops@harbour.example" in mail.read_text(encoding="utf-8")


def test_what_stands_is_listed_and_told_on_demand(
    office: Office, watch: tuple[str, list[tuple[str, bytes]]], capsys: pytest.CaptureFixture[str]
) -> None:
    app = by_approval(office)
    alerts = ["--config", str(office.config), "alerts"]
    assert run(alerts) == 0
    assert capsys.readouterr().out == "nothing\n"
    office.night(app)
    assert run(alerts) == 1
    assert "messages wait for approval (1): arsync approve" in capsys.readouterr().out
    assert run([*alerts, "--tell"]) == 2, "no path is set"
    said = office.config.read_text(encoding="utf-8")
    office.config.write_text(f'{said}\n[alerts]\nwebhook = "{watch[0]}/chat"\n', encoding="utf-8")
    for _ in range(2):
        assert run([*alerts, "--tell"]) == 1
    assert [line for line, _ in watch[1]] == ["POST /chat"]


def test_an_address_that_does_not_take_it_is_an_error_that_does_not_repeat_it(
    watch: tuple[str, list[tuple[str, bytes]]], caplog: pytest.LogCaptureFixture
) -> None:
    with requests.Session() as session:
        with pytest.raises(Rejected, match="404") as gone:
            ByWebhook(session, f"{watch[0]}/gone/s3cret").tell("subject", ["line"])
        with pytest.raises(RetryLater) as away:
            ByWebhook(session, "http://127.0.0.1:9/s3cret").tell("subject", ["line"])
        ping(session, f"{watch[0]}/gone/s3cret")
    assert "s3cret" not in f"{gone.value} {away.value}"
    assert [record.message for record in caplog.records if record.name.startswith("arsync")] == ["not_pinged"]
    assert "s3cret" not in str([vars(record) for record in caplog.records if record.name.startswith("arsync")])


# --- what is posted -----------------------------------------------------------------------------------------------


def test_posts_that_are_refused_again_and_again_are_told_until_a_good_one_comes(store: Store) -> None:
    """14:00 four stray ones: nothing / the fifth: told / a good one: over"""

    def stands() -> dict[str, str]:
        return standing(store, NOW, never, lambda _company: NOW.date())

    def post(reception: Reception, count: int = 1) -> None:
        with store.working() as work:
            doors.note(work, "xero", reception, now=NOW, why="x-xero-signature", count=count)
            work.commit()

    post(Reception.REFUSED, 4)
    assert stands() == {}
    post(Reception.MALFORMED)
    assert "/hooks/xero: 5 posts were refused since the last good one" in stands()["hook xero"]
    post(Reception.STRANGER)
    assert stands() == {}


def test_what_was_posted_and_is_not_taken_in_is_told_after_an_hour(store: Store) -> None:
    with store.working() as work:
        posts.keep(work, PostKind.EVENTS, "[]", now=NOW)
        work.commit()
    assert standing(store, NOW + HOUR, never, lambda _company: NOW.date()) == {}
    told = standing(store, NOW + HOUR + timedelta(minutes=1), never, lambda _company: NOW.date())
    assert told == {"posts": "1 post of the mail provider has waited since 2026-06-09 14:00 UTC to be taken in"}
