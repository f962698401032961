"""The first load: all of it, whatever happens meanwhile, and never twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from tests.integration.sync.mirror import Mirror

from arsync.connector import Resource
from arsync.domain.states import Health
from arsync.errors import ConnectorError, RetryLater, UsageError
from arsync.sandbox.launch import SandboxControl
from arsync.store import connections
from arsync.store.engine import Store

#: Three pages of invoices, and three short ones.
SEVERAL = 2300
SHORT = 230


class Killed(BaseException):
    """The process ended here."""


def killing_after(pages: int) -> Callable[[Resource, int, int | None], None]:
    """Progress that ends the process when so many pages are stored."""
    left = pages

    def told(_resource: Resource, _seen: int, _of: int | None) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Killed

    return told


def test_a_first_load_shows_the_company_as_it_is(quiet: SandboxControl, provider: str, store: Store) -> None:
    mirror = Mirror.of(quiet, provider, store, invoices=300)
    heard: list[tuple[Resource, int]] = []
    loaded = mirror.backfill(lambda resource, seen, _of: heard.append((resource, seen)))
    assert mirror.differences() == []
    assert loaded.differences == []
    assert (loaded.resumed, loaded.quarantined) == (False, 0)
    assert mirror.connection.health is Health.OK
    assert mirror.connection.synced_at is not None
    assert loaded.seen == {str(resource): seen for resource, seen in heard if seen}
    truth = mirror.truth()
    assert loaded.seen["invoices"] == len(truth["invoices"]) == 300
    assert mirror.connection.base_currency == "USD"


def test_a_load_that_does_not_add_up_is_no_basis_and_is_done_again(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source counts one invoice more than it gave."""
    mirror = Mirror.of(quiet, provider, make_store(), invoices=60)
    kind = type(mirror.connector())
    honest = kind.count

    def one_more(self: object, resource: Resource, *, since: date) -> int | None:
        counted = honest(self, resource, since=since)  # type: ignore[arg-type]
        return counted if counted is None or resource is not Resource.INVOICES else counted + 1

    with monkeypatch.context() as lie:
        lie.setattr(kind, "count", one_more)
        loaded = mirror.backfill()
    assert loaded.differences == ["invoices: 60 seen, the source counts 61"]
    assert (mirror.connection.health, mirror.connection.synced_at) == (Health.PARTIAL, None)
    with pytest.raises(UsageError, match="not loaded yet"):
        mirror.sync()
    again = mirror.backfill()
    assert (again.resumed, again.seen["invoices"], again.differences) == (False, 60, [])
    assert mirror.connection.health is Health.OK


def test_what_was_counted_with_the_last_page_and_is_gone_is_counted_again(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count is on its way with the last page; one invoice of it was deleted before its page was read."""
    mirror = Mirror.of(quiet, provider, make_store(), invoices=60)
    kind = type(mirror.connector())
    honest = kind.count
    told: list[int | None] = []

    def gone_since(self: object, resource: Resource, *, since: date) -> int | None:
        counted = honest(self, resource, since=since)  # type: ignore[arg-type]
        if resource is not Resource.INVOICES or counted is None:
            return counted
        told.append(counted + 1 if len(told) < 2 else counted)
        return told[-1]

    monkeypatch.setattr(kind, "count", gone_since)
    loaded = mirror.backfill()
    assert told == [61, 61, 60], "in the beginning, with the last page, and again where it differs"
    assert loaded.differences == []
    assert mirror.connection.health is Health.OK


def test_every_page_of_a_large_company_comes(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store]
) -> None:
    mirror = Mirror.of(quiet, provider, make_store(), invoices=SEVERAL, customers=150)
    with mirror.counted() as asked:
        loaded = mirror.backfill()
    assert mirror.differences() == []
    assert loaded.differences == []
    assert len(asked) < 40, "a thousand records to a page"


@pytest.mark.parametrize("pages", [1, pytest.param(3, marks=pytest.mark.long), 6])
@pytest.mark.usefixtures("short_pages")
def test_a_killed_load_goes_on_where_it_was(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store], pages: int
) -> None:
    mirror = Mirror.of(quiet, provider, make_store(), invoices=SHORT, customers=15)
    with pytest.raises(Killed):
        mirror.backfill(killing_after(pages))
    health = mirror.connection.health
    assert health is Health.RECOVERING
    with mirror.store.reading() as work:
        before = {one: connections.cursor(work, mirror.connection.id, str(one)).seen for one in Resource}
    kept = sum(before.values())
    heard = dict(before)
    fresh: list[int] = []

    def count(resource: Resource, seen: int, _of: int | None) -> None:
        fresh.append(seen - heard[resource])
        heard[resource] = seen

    with mirror.counted() as asked:
        loaded = mirror.backfill(count)
    assert loaded.resumed
    assert mirror.differences() == []
    whole = sum(loaded.seen.values())
    assert kept + sum(fresh) < 1.1 * whole, "less than a tenth is read again"
    assert not any("Id IN" in str(one["body"]) or "IDs=" in one["query"] for one in asked), "nothing by its id"
    assert mirror.connection.health is Health.OK


@pytest.mark.usefixtures("short_pages")
def test_a_load_killed_at_every_page_ends_as_one_that_was_not(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store]
) -> None:
    mirror = Mirror.of(quiet, provider, make_store(), invoices=120)
    kills = 0
    while True:
        try:
            loaded = mirror.backfill(killing_after(1))
        except Killed:
            kills += 1
            assert kills < 30
            if kills == 2:
                invoice = mirror.open_invoices()[0]
                mirror.act("pay", invoice=invoice["id"])
            continue
        break
    assert kills >= 5
    assert mirror.differences() == []
    assert loaded.differences == []


@pytest.mark.parametrize("edits", [3, pytest.param(40, marks=pytest.mark.long)])
@pytest.mark.usefixtures("short_pages")
def test_edits_after_every_page_lose_nothing(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store], edits: int
) -> None:
    mirror = Mirror.of(quiet, provider, make_store(), invoices=SHORT, customers=15)
    quiet.rules(edit_after_page=edits)
    loaded = mirror.backfill()
    quiet.rules(edit_after_page=0)
    mirror.sync()
    assert mirror.differences() == [], "0 lost, 0 stale, 0 ghosts"
    assert loaded.differences == []


@pytest.mark.long
@pytest.mark.parametrize("invoices", [5_000, 20_000])
def test_edits_after_every_page_of_a_large_load_lose_nothing(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store], invoices: int
) -> None:
    mirror = Mirror.of(quiet, provider, make_store(), invoices=invoices, customers=invoices // 20)
    quiet.rules(edit_after_page=3)
    assert mirror.backfill().differences == []
    quiet.rules(edit_after_page=0)
    mirror.sync()
    assert mirror.differences() == []


@pytest.mark.parametrize("bumps", [True, False])
def test_what_is_paid_issued_and_voided_during_the_load_is_in_it(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store], bumps: bool
) -> None:
    quiet.switches({f"{provider}.payment_bumps_invoice": bumps})
    mirror = Mirror.of(quiet, provider, make_store(), invoices=400)
    paid, part, void, customer = mirror.open_invoices()[:4]

    def meanwhile(resource: Resource, _seen: int, _of: int | None) -> None:
        if resource is Resource.INVOICES and paid["id"] in {row["id"] for row in mirror.open_invoices()}:
            mirror.act("pay", invoice=paid["id"])
            mirror.act("pay", invoice=part["id"], amount="1.00")
            mirror.act("void", invoice=void["id"])
            mirror.act("new_invoice", customer=customer["customer"], amount="77.00")

    loaded = mirror.backfill(meanwhile)
    assert mirror.differences() == []
    assert loaded.differences == []
    assert mirror.connection.health is Health.OK
    states = dict(tuple(row) for row in mirror.rows("SELECT remote_id, state FROM invoices"))
    assert (states[paid["id"]], states[part["id"]], states[void["id"]]) == ("paid", "open", "void")


def test_a_second_load_meets_no_ghosts(mirror: Mirror) -> None:
    gone, paid = mirror.open_invoices()[:2]
    mirror.act("void" if mirror.provider == "xero" else "delete", invoice=gone["id"])
    mirror.act("pay", invoice=paid["id"])
    mirror.sandbox.advance(days=35)  # longer than QuickBooks remembers a deletion
    mirror.backfill()
    assert mirror.differences() == []


def test_what_an_earlier_try_has_read_is_not_taken_for_left_out(mirror: Mirror) -> None:
    """Loaded once. The second load is killed behind the invoices: what it read there stood in the list, and whoever
    goes on with it knows so."""

    def killing(resource: Resource, _seen: int, _of: int | None) -> None:
        if resource is Resource.PAYMENTS:
            raise Killed

    whole = mirror.backfill()
    assert (whole.resumed, whole.unlisted) == (False, 0)
    with pytest.raises(Killed):
        mirror.backfill(killing)
    kept = mirror.rows("SELECT pull FROM cursors WHERE pull LIKE 'met:%'")
    with mirror.counted() as asked:
        resumed = mirror.backfill()
    assert kept and mirror.rows("SELECT pull FROM cursors WHERE pull LIKE 'met:%'") == []
    assert (resumed.resumed, resumed.unlisted) == (True, 0)
    assert not any("Id IN" in str(one["body"]) or "IDs=" in one["query"] for one in asked), "nothing by its id"
    assert mirror.connection.health is Health.OK
    assert mirror.differences() == []


@pytest.mark.usefixtures("short_pages")
def test_a_load_given_up_long_ago_begins_anew(quiet: SandboxControl, make_store: Callable[[], Store]) -> None:
    mirror = Mirror.of(quiet, "quickbooks", make_store(), invoices=120, history_months=20)
    with pytest.raises(Killed):
        mirror.backfill(killing_after(2))
    gone, paid = mirror.open_invoices()[:2]
    mirror.act("delete", invoice=gone["id"])
    mirror.act("pay", invoice=paid["id"])
    quiet.advance(days=40)
    loaded = mirror.backfill()
    assert mirror.differences() == []
    assert loaded.differences == []
    assert mirror.connection.health is Health.OK


def test_a_load_that_goes_on_in_another_month_keeps_its_first_day(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store]
) -> None:
    """Open invoices before that day come in a pass of their own; a day that moved would leave a gap between the two."""
    now = quiet.now()
    quiet.advance(days=(date(now.year + 1, 1, 25) - now.date()).days)
    mirror = Mirror.of(quiet, provider, make_store(), invoices=60, history_months=12)
    edge = f"{now.year - 1}-01-15"
    owing = next(iter(mirror.truth()["customers"]))
    mirror.act("new_invoice", customer=owing, amount="77.00", date=edge, due_date=edge)
    quiet.advance(3600)
    with pytest.raises(Killed):
        mirror.backfill(killing_after(2))  # the customers, and the pass of what is old and open
    quiet.advance(days=10)
    mirror.backfill()
    assert mirror.differences() == []


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("truncate", {}),
        ("error", {"status": 503}),
        ("error", {"status": 500}),
        ("throttle", {"seconds": 7}),
        ("disconnect_before", {}),
        ("disconnect_after", {}),
        ("expired_token", {}),
    ],
)
@pytest.mark.usefixtures("short_pages")
def test_a_page_that_fails_once_is_asked_for_again(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store], fault: str, options: dict[str, int]
) -> None:
    mirror = Mirror.of(quiet, provider, make_store(), invoices=120)
    resource = {"quickbooks": "query", "xero": "Invoices"}[provider]
    quiet.fault(fault, {"provider": provider, "company": mirror.id, "path_contains": resource}, skip=1, **options)
    mirror.backfill()
    (ordered,) = quiet.call("GET", "faults")
    assert ordered["hits"] == 1
    assert mirror.differences() == []
    if "seconds" in options:
        assert mirror.clock.waited >= options["seconds"]


@pytest.mark.usefixtures("short_pages")
def test_a_source_that_stays_down_stops_the_load_and_keeps_what_came(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store]
) -> None:
    mirror = Mirror.of(quiet, provider, make_store(), invoices=120)
    path = {"quickbooks": "FROM Payment ORDERBY", "xero": "Payments"}[provider]
    skip = 0 if provider == "quickbooks" else 1  # they are counted in the beginning
    quiet.fault("error", {"company": mirror.id, "path_contains": path}, status=503, skip=skip, every=1)
    with pytest.raises(RetryLater):
        mirror.backfill()
    assert mirror.connection.health is Health.RECOVERING
    assert mirror.rows("SELECT 1 FROM customers")
    quiet.clear_faults()
    assert mirror.backfill().resumed
    assert mirror.differences() == []


@pytest.mark.usefixtures("short_pages")
def test_every_tenth_request_throttled_is_waited_out(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store]
) -> None:
    mirror = Mirror.of(quiet, provider, make_store(), invoices=SHORT, customers=10)
    quiet.fault("throttle", {"company": mirror.id}, every=10, seconds=1)
    mirror.backfill()
    assert mirror.differences() == []


def renewals(sandbox: SandboxControl) -> int:
    return sum(str(one["resource"]).startswith("token") for one in sandbox.requests())


@pytest.mark.usefixtures("short_pages")
def test_a_token_that_dies_in_mid_load_is_renewed(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store]
) -> None:
    mirror = Mirror.of(quiet, provider, make_store(), invoices=SHORT, customers=10)
    pages = 0

    def time_passes(_resource: Resource, _seen: int, _of: int | None) -> None:
        nonlocal pages
        pages += 1
        quiet.advance(
            21 * 60
        )  # a token lives for two pages: what is on its way may outlive one, and not the next as well

    before = renewals(quiet)
    mirror.backfill(time_passes)
    assert pages > 6
    assert renewals(quiet) - before >= pages // 4
    assert mirror.differences() == []


@pytest.mark.parametrize("wrong_by", [timedelta(hours=-3), timedelta(hours=3)])
def test_a_clock_that_is_wrong_loses_nothing(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store], wrong_by: timedelta
) -> None:
    """The cursor is the source's time, not ours."""
    mirror = Mirror.of(quiet, provider, make_store(), wrong_by=wrong_by)
    mirror.backfill()
    for _ in range(3):
        paid, void = mirror.open_invoices()[:2]
        mirror.act("pay", invoice=paid["id"])
        mirror.act("void", invoice=void["id"])
        mirror.sync()
        assert mirror.differences() == []
        quiet.advance(600)


def test_a_consent_that_has_ended_is_said_and_changes_nothing(mirror: Mirror) -> None:
    with mirror.store.working() as work:
        sealed = connections.sealed_tokens(work, mirror.connection.grant_id)
        connections.replace_tokens(
            work, mirror.connection.grant_id, sealed.replace('"refresh": "', '"refresh": "x'), now=mirror.clock.now()
        )
        work.commit()
    mirror.sandbox.advance(2 * 3600)
    with pytest.raises(ConnectorError):
        mirror.sync()
    assert mirror.connection.health is Health.REAUTHORISE
