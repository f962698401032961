"""A vendor's allowance, shared by every thread and process that works on this database.

One row for a company and one for the app, each an `Account`. A request is booked in a transaction of its own, before
it is sent: at the instant at which it may go, which may lie ahead. So requests queue up in the order in which they
asked, and a killed process costs what it had booked, nothing more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec
from sqlalchemy import bindparam, select, update

from arsync.connector.allowance import Account, Limits, problem, remaining, retry_after
from arsync.connector.budget import is_bulk, patience
from arsync.domain.clock import Clock
from arsync.errors import DatabaseUnusable, Locked, RetryLater
from arsync.store import tables as t
from arsync.store.bulk import Insert
from arsync.store.engine import Store, Work
from arsync.store.leases import holder, is_dead
from arsync.store.prepared import Prepared

T = TypeVar("T")

#: A longer wait is the worker's business: other companies have their own allowance.
_PATIENCE: Final = 90.0
#: A request on its way is over by then: the transport waits 130 s for a byte.
_FLIGHT: Final = 150.0
#: seconds before it is looked again whether a request has come back; each time half as long again
_POLL: Final = 0.1
_log: Final = logging.getLogger(__name__)

_B: Final = t.budgets.c
_READ: Final = Prepared(
    select(_B.scope, _B.account)
    .where(_B.scope.in_((bindparam("one"), bindparam("other"))))
    .order_by(_B.scope)  # everybody locks them in the same order
    .with_for_update()
)
_WRITE: Final = Prepared(update(t.budgets).where(_B.scope == bindparam("of")).values(account=bindparam("text")))
_OPEN: Final = Insert(t.budgets, " ON CONFLICT DO NOTHING")

_decode: Final = msgspec.json.Decoder(Account).decode
_encode: Final = msgspec.json.Encoder().encode


class SharedBudget:
    """A `RateBudget` over the database, for one company at one app."""

    def __init__(self, store: Store, clock: Clock, limits: Limits, *, app: str, company: str) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._app = f"{app} app"
        self._company = f"{app} {company}"
        self._of_app = limits.of_app()
        self._of_company = limits.of_connection()
        self._holder = holder()
        self._opened = False
        self._refused = False

    def spend(self) -> None:
        """Waits for the request's turn; RetryLater where that is too far away, with the reason and the hour.

        What is asked for `in_bulk` leaves the reserve alone.
        """
        bulk = is_bulk()
        waited, poll = 0.0, _POLL
        while True:
            try:
                wait = self._on_accounts(lambda app, company, now: self._book(app, company, now, bulk=bulk))
            except Locked:
                raise RetryLater("the account of requests is locked", after=_POLL) from None
            if wait is None:  # as many requests are on their way as there may be
                if waited > _PATIENCE:
                    raise RetryLater("too many requests are on their way", after=_PATIENCE)
                self._clock.sleep(poll)
                waited, poll = waited + poll, min(poll * 1.5, 5.0)
                continue
            if wait > 0:
                self._clock.sleep(wait)
            return

    def duration(self, requests: int) -> float:
        """Seconds that so many requests in bulk take at least from now on, by the limits and what is spent of them."""
        now = self._clock.now().timestamp()
        with self._store.aside() as work:
            self._open(work)
            texts = self._texts(work)
        company, app = (_decode(texts.get(scope, "{}")) for scope in (self._company, self._app))
        return max(company.duration(self._of_company, requests, now), app.duration(self._of_app, requests, now))

    def closed(self) -> tuple[datetime, str] | None:
        """Until when requests in bulk wait, and why; None where they may go now."""
        now = self._clock.now().timestamp()
        with self._store.aside() as work:
            self._open(work)
            texts = self._texts(work)
        company, app = (_decode(texts.get(scope, "{}")) for scope in (self._company, self._app))
        company.forget(self._of_company, now)
        app.forget(self._of_app, now)
        at, why = max(company.ready(self._of_company, now, bulk=True), app.ready(self._of_app, now, bulk=True))
        return (datetime.fromtimestamp(at, UTC), why) if at > now else None

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Takes in what an answer says: what remains, or for how long nothing may be sent. Never raises."""
        told = remaining(self._limits, headers)
        if status == 429:
            self._quietly(lambda app, company, now: self._refused_by(app, company, now, headers, told))
            self._refused = True
        elif told or self._refused or self._limits.concurrent is not None:
            self._quietly(lambda app, company, now: self._answered(app, company, now, told))
            self._refused = False

    def lose(self) -> None:
        """The request is over. Never raises."""
        if self._limits.concurrent is not None:
            self._quietly(lambda _app, company, _now: self._landed(company))

    # --- under the lock of both accounts --------------------------------------------------------------------

    def _book(self, app: Account, company: Account, now: float, *, bulk: bool) -> float | None:
        """Seconds until the request may go, for which it is booked; None where too many are on their way."""
        limits = self._limits
        company.forget(self._of_company, now)
        app.forget(self._of_app, now)
        if limits.concurrent is not None:
            most = max(1, limits.concurrent - 1) if bulk else limits.concurrent
            if len(company.flights) >= most:
                company.flights = [flight for flight in company.flights if not is_dead(flight[0])]
            if len(company.flights) >= most:
                return None
        ready, reason = max(company.ready(self._of_company, now, bulk=bulk), app.ready(self._of_app, now, bulk=bulk))
        if ready - now > patience(_PATIENCE):
            until = datetime.fromtimestamp(ready, UTC)
            raise RetryLater(f"{reason}; again at {until:%Y-%m-%d %H:%M} UTC", after=ready - now)
        company.spend(self._of_company, ready)
        app.spend(self._of_app, ready)
        if limits.concurrent is not None:
            company.flights.append((self._holder, ready + _FLIGHT))
        if app.refused_since is not None:
            self._refused = True  # by any process, for any company: the next good answer ends it
        return ready - now

    def _refused_by(
        self, app: Account, company: Account, now: float, headers: Mapping[str, str], told: Mapping[str, int]
    ) -> None:
        """A 429 is the company's affair, or the app's where the vendor says so, or where nothing else comes for minutes
        to any company of it: then it is no minute's allowance but the app's for a longer time."""
        self._landed(company)
        self._hear(app, company, now, told)
        named = problem(self._limits, headers)
        pause = retry_after(headers, datetime.fromtimestamp(now, UTC))
        account = app if named == "app_minute" else company
        if pause is None:
            pause = self._limits.pause
        elif named is not None:
            account.told.pop(named, None)  # when there is room again the vendor says itself
        account.refuse(now, pause, "the vendor throttles" + (f" (limit: {named})" if named else ""))
        if named is not None:
            return
        app.count_refusal(now, pause)
        if app.is_spent_for_good(now):
            app.close(
                now, "the vendor has refused everything for minutes: the app's allowance of the month may be used up"
            )

    def _answered(self, app: Account, company: Account, now: float, told: Mapping[str, int]) -> None:
        self._landed(company)
        self._hear(app, company, now, told)
        app.refused_since = None

    def _hear(self, app: Account, company: Account, now: float, told: Mapping[str, int]) -> None:
        company.hear(self._of_company, told, now)
        app.hear(self._of_app, told, now)

    def _landed(self, company: Account) -> None:
        """One request of this process is over, whichever: they are all alike."""
        for place, flight in enumerate(company.flights):
            if flight[0] == self._holder:
                del company.flights[place]
                return

    # --- the accounts ---------------------------------------------------------------------------------------

    def _on_accounts(self, change: Callable[[Account, Account, float], T]) -> T:
        """Changes both accounts under their lock; what `change` raises leaves them as they were."""
        with self._store.aside() as work:
            if not self._opened:
                self._open(work)
            texts = self._texts(work)
            if len(texts) < 2:  # they were emptied meanwhile
                self._open(work)
                texts = self._texts(work)
            app, company = _decode(texts[self._app]), _decode(texts[self._company])
            result = change(app, company, self._clock.now().timestamp())
            for scope, account in ((self._app, app), (self._company, company)):
                text = _encode(account).decode()
                if text != texts[scope]:
                    _WRITE(work, of=scope, text=text)
            work.commit()
            self._opened = True
        return result

    def _open(self, work: Work) -> None:
        if work.dialect == "sqlite":
            t.budgets.create(work.connection, checkfirst=True)  # in its file beside the database
        _OPEN(work, [(self._app, "{}"), (self._company, "{}")])

    def _texts(self, work: Work) -> dict[str, str]:
        return dict(_READ(work, one=self._app, other=self._company))

    def _quietly(self, change: Callable[[Account, Account, float], None]) -> None:
        """An answer that has come is not lost over its accounting."""
        try:
            self._on_accounts(change)
        except (Locked, DatabaseUnusable) as error:
            _log.warning("budget_not_kept", extra={"reason": type(error).__name__})
