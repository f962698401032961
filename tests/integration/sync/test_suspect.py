"""Abnormal feeds: each makes the connection suspect with one reason, and nothing normal does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.integration.sync.mirror import Mirror

from arsync.domain.states import Health
from arsync.errors import Abnormal, RetryLater, UsageError
from arsync.sandbox.launch import SandboxControl
from arsync.store import connections
from arsync.store.engine import Store
from arsync.store.stored import Stored
from arsync.sync import delta
from arsync.sync.reconcile import reconcile
from arsync.sync.trust import trust


def suspect(mirror: Mirror) -> str | None:
    one = mirror.connection
    return one.health_reason if one.health is Health.SUSPECT else None


def look_and_trust(mirror: Mirror) -> None:
    trust(mirror.store, mirror.connection, mirror.connector(), mirror.clock, author="Ada", reason="looked")


def bill(mirror: Mirror) -> None:
    """Twenty-five more open invoices, and a sync that knows them."""
    customer = mirror.open_invoices()[0]["customer"]
    for number in range(25):
        mirror.act("new_invoice", customer=customer, amount=f"{100 + number}.00")
    mirror.sync()
    mirror.sandbox.advance(3600)


def test_months_of_life_are_never_suspect(mirror: Mirror, quiet: SandboxControl) -> None:
    for _ in range(5):
        quiet.live(mirror.id, days=25)
        mirror.sync()
        assert suspect(mirror) is None
    mirror.backfill()
    assert suspect(mirror) is None
    with pytest.raises(UsageError, match="is not suspect"):
        look_and_trust(mirror)


def test_another_company_behind_the_same_token_is_not_let_into_the_cache(mirror: Mirror) -> None:
    before = mirror.rows("SELECT remote_id, name FROM customers ORDER BY remote_id")
    name = mirror.connection.company_name
    mirror.act("become", name="Somebody Else Inc", strangers=True)
    with pytest.raises(Abnormal):
        mirror.sync()
    reason = suspect(mirror)
    assert reason is not None
    assert "another company answers: Somebody Else Inc" in reason
    assert f"instead of {name}" in reason
    assert mirror.rows("SELECT remote_id, name FROM customers ORDER BY remote_id") == before
    with pytest.raises(Abnormal):
        mirror.sync()
    look_and_trust(mirror)
    mirror.sync()
    assert mirror.connection.health is Health.OK
    events = [row.kind for row in mirror.rows("SELECT kind FROM events WHERE kind LIKE 'connection_%' ORDER BY id")]
    assert events == ["connection_suspected", "connection_trusted"], "said once, however many syncs"


def test_another_currency_is_another_company_and_a_new_name_alone_is_not(mirror: Mirror) -> None:
    mirror.act("become", name="The Same Firm, Renamed")
    mirror.sync()
    assert (mirror.connection.health, mirror.connection.company_name) == (Health.OK, "The Same Firm, Renamed")
    mirror.act("become", name="The Same Firm, Renamed", currency="JPY")
    with pytest.raises(Abnormal):
        mirror.sync()
    mirror.act("become", name="The Same Firm, Renamed", currency=mirror.card["currency"])
    mirror.sync()
    assert mirror.connection.health is Health.OK, "the right company answers again"


def test_balances_that_are_all_zero_without_money_need_a_person(mirror: Mirror) -> None:
    bill(mirror)
    open_before = len(mirror.open_invoices())
    mirror.act("settle_all")
    mirror.sync()
    reason = suspect(mirror)
    assert reason is not None
    assert f"{open_before} of {open_before} open invoices closed at once" in reason
    mirror.sandbox.advance(3600)
    mirror.sync()
    assert suspect(mirror) == reason, "it does not wear off"
    mirror.backfill()
    assert suspect(mirror) == reason
    look_and_trust(mirror)
    mirror.sync()
    assert suspect(mirror) is None


def test_a_payment_run_that_pays_everything_at_once_is_ordinary(mirror: Mirror) -> None:
    bill(mirror)
    for one in mirror.open_invoices():
        mirror.act("pay", invoice=one["id"])
    mirror.sync()
    assert suspect(mirror) is None
    assert not mirror.open_invoices()


def test_everything_suddenly_open_again_needs_a_person(mirror: Mirror) -> None:
    mirror.act("reopen_all")
    mirror.sync()
    reason = suspect(mirror)
    assert reason is not None
    assert "that were paid are open again at once" in reason


def test_an_upheaval_is_noticed_whichever_pull_stored_it(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """Night 0: paid invoices come back open, and the sync is throttled after that. Night 1: nothing is new."""

    def throttled(*_: object) -> Stored:
        raise RetryLater("slow down", after=60.0)

    mirror.act("reopen_all")
    with monkeypatch.context() as patched:
        patched.setattr(delta, "reread_balances", throttled)
        with pytest.raises(RetryLater):
            mirror.sync()
    mirror.sandbox.advance(86400)
    mirror.sync()
    assert "that were paid are open again at once" in (suspect(mirror) or "")
    look_and_trust(mirror)
    mirror.sync()
    assert suspect(mirror) is None, "judged once"


@pytest.mark.parametrize("pull", ["backfill", "refresh"])
def test_a_load_and_a_reading_before_sending_look_for_an_upheaval(mirror: Mirror, pull: str) -> None:
    payers = {row["customer"] for row in mirror.truth()["invoices"].values()}
    mirror.act("reopen_all")
    if pull == "backfill":
        with mirror.store.working() as work:  # as after a delta that was stale
            connections.move_cursor(
                work, mirror.connection.id, "backfill", position=None, done=False, seen=0, now=mirror.clock.now()
            )
            work.commit()
        mirror.backfill()
    else:
        mirror.refresh(*payers)
    assert "that were paid are open again at once" in (suspect(mirror) or "")


def test_lists_that_leave_out_half_are_found_by_reconcile_and_cleared_by_a_whole_one(mirror: Mirror) -> None:
    bill(mirror)
    mirror.act("halve", kind="invoice")
    mirror.sync()
    found = reconcile(mirror.store, mirror.connection, mirror.connector(), mirror.clock)
    assert found.missed == [], "what is known by id is not believed to be gone"
    reason = suspect(mirror)
    assert reason is not None
    assert "list of open items leaves out" in reason
    mirror.sync()
    assert suspect(mirror) == reason
    mirror.act("halve", kind="invoice", on=False)
    mirror.act("corrupt", invoice=mirror.open_invoices()[0]["id"], fields={"TotalAmt": "n/a", "Total": "n/a"})
    reconcile(mirror.store, mirror.connection, mirror.connector(), mirror.clock)
    assert mirror.connection.health is Health.OK, "one that cannot be read was listed all the same"


@pytest.mark.parametrize("provider", ["quickbooks"])
def test_money_on_no_invoice_that_is_gone_at_once_covers_nobody_any_more_and_is_suspect(mirror: Mirror) -> None:
    """Six customers have paid ahead; no list has a payment any more, and none is found by its id."""
    customers = sorted({row["customer"] for row in mirror.open_invoices()})[:6]
    for customer in customers:
        mirror.act("pay_unapplied", customer=customer, amount="9.00")
    mirror.sync()
    mirror.act("hide", kind="payment")
    reconcile(mirror.store, mirror.connection, mirror.connector(), mirror.clock)
    reason = suspect(mirror)
    assert reason is not None
    assert reason.endswith("payments and credits with something left on them are gone from the source at once")
    mirror.act("hide", kind="payment", on=False)
    reconcile(mirror.store, mirror.connection, mirror.connector(), mirror.clock)
    assert suspect(mirror) == reason, "a person has to look"
    look_and_trust(mirror)
    mirror.sync()
    assert mirror.connection.health is Health.OK


def test_a_lesser_alarm_never_ends_one_that_only_a_person_may_end(mirror: Mirror) -> None:
    """Upheaval; then another company answers, then the right one: upheaval stands until it is named and trusted."""
    mirror.act("reopen_all")
    mirror.sync()
    upheaval = suspect(mirror)
    assert upheaval is not None
    name = mirror.connection.company_name
    mirror.act("become", name=name, currency="JPY")
    with pytest.raises(Abnormal):
        mirror.sync()
    with pytest.raises(UsageError, match="say which by --trouble"):
        look_and_trust(mirror)
    mirror.act("become", name=name, currency=mirror.card["currency"])
    mirror.sync()
    assert suspect(mirror) == upheaval
    mirror.backfill()
    assert suspect(mirror) == upheaval
    look_and_trust(mirror)
    mirror.sync()
    assert mirror.connection.health is Health.OK


@pytest.mark.parametrize("wrong_by", [timedelta(hours=-2), timedelta(hours=2)])
def test_a_clock_that_is_wrong_is_said_and_ends_when_it_is_right(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store], wrong_by: timedelta
) -> None:
    mirror = Mirror.of(quiet, provider, make_store(), invoices=20, customers=5, wrong_by=wrong_by)
    mirror.backfill()
    mirror.sync()
    assert "one of them is wrong" in (suspect(mirror) or "")
    with pytest.raises(UsageError, match="set the clock right"):
        look_and_trust(mirror)
    mirror.clock._wrong_by = timedelta(minutes=10)
    mirror.sync()
    assert suspect(mirror) is None


def test_payments_that_fall_silent_while_invoices_flow(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store]
) -> None:
    mirror = Mirror.of(quiet, provider, make_store(), invoices=700, customers=30)
    mirror.backfill()
    kinds = ["payment"]
    for kind in kinds:
        mirror.act("hide", kind=kind)
    said = None
    for _ in range(12):
        quiet.live(mirror.id, days=7)
        mirror.sync()
        said = suspect(mirror)
        if said:
            break
    assert said is not None
    assert "no payment since" in said
    for kind in kinds:
        mirror.act("hide", kind=kind, on=False)
    paid = mirror.open_invoices()[0]
    mirror.act("pay", invoice=paid["id"])
    mirror.sync()
    assert suspect(mirror) is None, "it ends with the first payment"
