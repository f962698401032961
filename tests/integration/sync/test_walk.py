"""Whatever people do while deltas run, fail and are killed: after a quiet delta the cache equals the source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.sync.mirror import Mirror
from tests.postgres import Server

from arsync.domain.chase import Hold
from arsync.domain.states import HoldKind
from arsync.errors import ConnectorError
from arsync.sandbox.launch import SandboxControl
from arsync.store import chases, holds
from arsync.store.engine import Store

#: What a person does, and how often beside the others.
_ACTS: Final = (
    "new_invoice", "new_invoice", "new_customer", "pay", "pay", "part_pay", "pay_unapplied", "apply", "unapply",
    "credit", "void", "delete", "delete_payment", "merge", "move", "archive", "due", "number",
)  # fmt: skip
_SYNCS: Final = ("delta", "delta", "faulty", "faulty", "killed", "killed", "refresh", "hold")
_FAULTS: Final[tuple[dict[str, Any], ...]] = (
    {"fault": "throttle", "seconds": 1},
    {"fault": "error", "status": 503},
    {"fault": "error", "status": 500, "every": 1},
    {"fault": "truncate"},
    {"fault": "expired_token"},
    {"fault": "timeout_before", "seconds": 0.01},
    {"fault": "disconnect_before"},
    {"fault": "throttle", "seconds": 1, "every": 2},
)

Step = tuple[str, int, int]
STEPS: Final = st.tuples(st.sampled_from(_ACTS * 2 + _SYNCS), st.integers(0, 999), st.integers(0, 999))
_CALM: Final = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


class Killed(BaseException):
    """The process ends here."""


class Assassin:
    """Ends the process before or after the commit of a number, once."""

    def __init__(self) -> None:
        self.victim = 0  # counts down; odd: before a commit, even: after it

    def __call__(self, moment: str, what: str) -> None:
        if self.victim:
            self.victim -= 1
            if not self.victim:
                raise Killed


class Walk:
    """A small company that people work in, and the cache of it."""

    def __init__(self, sandbox: SandboxControl, provider: str, url: str, answers: int) -> None:
        self._assassin = Assassin()
        self._store = Store(url, observe=self._assassin)
        self._sandbox = sandbox
        names = {
            "quickbooks": (
                "quickbooks.payment_bumps_invoice", "quickbooks.merge_bumps_documents", "quickbooks.merged_customer",
            ),
            "xero": ("xero.merge_bumps_invoices", "xero.modified_since_inclusive", "xero.deleted_payment_modified"),
        }[provider]  # fmt: skip
        for place, name in enumerate(names):
            values: tuple[Any, Any] = ("inactive", "deleted") if name.endswith("customer") else (False, True)
            sandbox.switches({name: values[answers >> place & 1]})
        # A token that is lost with a killed process is another test's matter; for Xero's grace see `_sync`.
        sandbox.switches({"quickbooks.old_refresh_token": "24h"})
        self.mirror = Mirror.of(sandbox, provider, self._store, invoices=10, customers=4, seed=answers)
        self.mirror.backfill()
        self._stopped: dict[str, set[str]] = {}  # hold -> the open invoices that it stopped

    def close(self) -> None:
        self._sandbox.clear_faults()
        self._store.close()

    def go(self, steps: Sequence[Step]) -> None:
        for kind, one, other in steps:
            self._sandbox.advance(one * other % 500)
            if kind in _ACTS:
                try:
                    self._act(kind, one, other)
                except RuntimeError as error:  # the books refuse it, as they would a person
                    assert "sandbox refused" in str(error) or "there is none" in str(error)
            else:
                self._sync(kind, one, other)
        self.settle()

    def settle(self) -> None:
        """A quiet delta, and all is as in the source."""
        self._sandbox.clear_faults()
        self._assassin.victim = 0
        self.mirror.sync()
        assert self.mirror.differences(of_closed=False) == []
        assert self._strangers() == []
        assert self._let_go() == []
        again = self.mirror.sync()
        assert (again.written, again.customers) == (0, 0), "nothing new is told twice"

    # --- people ---------------------------------------------------------------------------------------------

    def _act(self, kind: str, one: int, other: int) -> None:  # noqa: PLR0912 - a line or two for each act
        mirror, truth = self.mirror, self.mirror.truth()
        books = mirror.provider == "quickbooks"

        def pick(rows: list[dict[str, Any]], number: int = one) -> dict[str, Any]:
            if not rows:
                raise RuntimeError("there is none")
            return rows[number % len(rows)]

        customers = [row for row in truth["customers"].values() if row["active"]]
        opened = [row for row in truth["invoices"].values() if row["state"] == "open"]
        payments = [row for row in truth["payments"].values() if row["state"] == "received"]
        amount = f"{1 + one % 90}.{other % 100:02}"
        match kind:
            case "new_customer":
                parent = {"parent": pick(customers)["id"]} if books and other % 3 == 0 else {}
                mirror.act("new_customer", name=f"New {one} {other} {len(truth['customers'])}", **parent)
            case "new_invoice":
                mirror.act("new_invoice", customer=pick(customers)["id"], amount=amount)
            case "pay":
                mirror.act("pay", invoice=pick(opened)["id"])
            case "part_pay":
                mirror.act("pay", invoice=pick(opened)["id"], amount="0.50")
            case "pay_unapplied":
                mirror.act("pay_unapplied", customer=pick(customers)["id"], amount=amount)
            case "apply":
                free = [row for row in payments if Decimal(row["unapplied"])]
                mirror.act("apply", payment=pick(free)["id"], invoice=pick(opened, other)["id"])
            case "unapply":
                put = [(row["id"], part["id"]) for row in payments for part in row["allocations"]]
                payment, invoice = put[one % len(put)] if put else ("none", "none")
                mirror.act("unapply", payment=payment, invoice=invoice)
            case "credit":
                on = {"apply_to": pick(opened, other)["id"]} if other % 2 else {"customer": pick(customers)["id"]}
                mirror.act("credit_note", amount="0.75", **on)
            case "void":
                mirror.act("void", invoice=pick(opened)["id"])
            case "delete":
                mirror.act("delete", invoice=pick(opened)["id"])
            case "delete_payment":
                mirror.act("delete_payment", payment=pick(payments)["id"])
            case "merge":
                mirror.act("merge", customer=pick(customers)["id"], into=pick(customers, other)["id"])
            case "move" if books:
                parent_id = pick(customers, other)["id"] if other % 3 else None
                mirror.act("edit_customer", customer=pick(customers)["id"], parent=parent_id)
            case "archive":
                mirror.act(
                    "edit_customer", customer=pick(list(truth["customers"].values()))["id"], active=bool(other % 2)
                )
            case "due":
                mirror.act("edit", invoice=pick(opened)["id"], due_date=f"2031-01-{1 + other % 28:02}")
            case "number":
                mirror.act("edit", invoice=pick(opened)["id"], number=f"N-{one}-{other}")

    # --- arsync ---------------------------------------------------------------------------------------------

    def _sync(self, kind: str, one: int, other: int) -> None:
        mirror, was_killed = self.mirror, False
        try:
            match kind:
                case "faulty":
                    order = dict(_FAULTS[one % len(_FAULTS)])
                    name = order.pop("fault")
                    self._sandbox.fault(name, {"company": mirror.id}, skip=other % 9, **order)
                    mirror.sync()
                case "killed":
                    self._assassin.victim = 1 + other % 16
                    mirror.sync()
                case "refresh":
                    payers = sorted(mirror.truth()["customers"])
                    mirror.refresh(payers[one % len(payers)])
                case "hold":
                    self._hold(one)
                case _:
                    mirror.sync()
        except ConnectorError:
            pass
        except Killed:
            was_killed = True
        finally:
            self._assassin.victim = 0
            self._sandbox.clear_faults()
        if was_killed:
            mirror.connector().company()  # started again at once, within the half hour that Xero honours a lost refresh

    def _hold(self, one: int) -> None:
        """Somebody stops a payer who owes, knowing how the books stand."""
        mirror = self.mirror
        mirror.sync()
        owed = {payer: items for (payer, _), items in mirror.ledger().items.items() if items}
        if not owed:
            return
        payer = sorted(owed)[one % len(owed)]
        now = mirror.clock.now()
        reason = f"dispute {len(self._stopped)}"
        with mirror.store.working() as work:
            chases.follow(work, mirror.connection.id, now=now)
            hold = Hold(HoldKind.DISPUTE, reason, "ann", payer, None, now.date(), None)
            holds.place(work, mirror.connection.id, hold, now=now)
            work.commit()
        self._stopped[reason] = {item.invoice_id for item in owed[payer]}

    # --- what must hold ---------------------------------------------------------------------------------------

    def _strangers(self) -> list[str]:
        """Customers for whom the cache says that another pays than the books do."""
        truth = self.mirror.truth()["customers"]
        cached = {row.remote_id: row.payer_id for row in self.mirror.rows("SELECT remote_id, payer_id FROM customers")}

        def root(name: str) -> str:
            above = truth[name].get("merged_to") or truth[name]["parent"]
            return root(above) if above else name

        return [name for name in truth if cached[name] != root(name)]

    def _let_go(self) -> list[str]:
        """Open invoices that were stopped by a hold and are no more, though nobody lifted it."""
        with self.mirror.store.reading() as work:
            placed = [one.hold for one in holds.active(work, self.mirror.connection.id)]
        payer_of = {
            item.invoice_id: payer for (payer, _), items in self.mirror.ledger().items.items() for item in items
        }
        stops = {(hold.reason, hold.payer_id if hold.invoice_id is None else hold.invoice_id) for hold in placed}
        return [
            f"{reason}: {invoice_id}"
            for reason, invoices in self._stopped.items()
            for invoice_id in invoices & payer_of.keys()
            if not {(reason, invoice_id), (reason, payer_of[invoice_id])} & stops
        ]


def walk(sandbox: SandboxControl, provider: str, url: str, answers: int, steps: Sequence[Step]) -> None:
    one = Walk(sandbox, provider, url, answers)
    try:
        one.go(steps)
    finally:
        one.close()


@settings(max_examples=3, deadline=None, suppress_health_check=_CALM, derandomize=True)
@given(answers=st.integers(0, 7), steps=st.lists(STEPS, min_size=30, max_size=45))
def test_after_a_quiet_delta_the_cache_equals_the_source(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store], answers: int, steps: list[Step]
) -> None:
    walk(quiet, provider, make_store().url, answers, steps)


@settings(max_examples=1, deadline=None, suppress_health_check=_CALM, derandomize=True)
@given(answers=st.integers(0, 7), steps=st.lists(STEPS, min_size=20, max_size=30))
def test_so_it_does_on_postgresql(
    quiet: SandboxControl, provider: str, postgres: Server, migrated_postgres: str, answers: int, steps: list[Step]
) -> None:
    name = postgres.fresh(migrated_postgres)
    try:
        walk(quiet, provider, postgres.url(name), answers, steps)
    finally:
        postgres.drop(name)


@pytest.mark.long
@settings(max_examples=125, deadline=None, suppress_health_check=_CALM)
@given(answers=st.integers(0, 7), steps=st.lists(STEPS, min_size=80, max_size=80))
def test_ten_thousand_steps_at_each_vendor(
    quiet: SandboxControl, provider: str, make_store: Callable[[], Store], answers: int, steps: list[Step]
) -> None:
    walk(quiet, provider, make_store().url, answers, steps)
