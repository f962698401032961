"""Storms: nights that are killed or suspended while the vendors throttle, fail and fall silent, and customers pay.

What SendGrid tells of its mails comes late, doubled and in another order.

Each storm is told by one number. What it came to is counted at the sandbox, once the weather is calm: at most one
message for each intent, an `unknown` only where lightning or a lost answer can have made one, one note for each target
of what was accepted, nothing to whom nothing is owed, and nothing lost.

    make soak                    thousands of storms
    make soak STORMS=200 FROM=4659 AT_ONCE=24

A storm mostly waits for leases and guards that count real seconds, so many are told at once.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from tests.acceptance.harbour import Harbour
from tests.acceptance.nights import CALLS, FILE, LETTERS, MAIL, MAIL_WITH_FEED, Night, Way
from tests.acceptance.telling import Telling
from tests.integration.outbox.office import MORNING, VENDORS

from arsync.domain.states import EFFECTIVE, Health, MessageState
from arsync.outbox import send, writeback
from arsync.store import connections

#: About so many effects has a whole night; lightning that would strike later misses.
_EFFECTS = 130
#: Whose letter is not asked for any more once the money came, or the invoice was contested.
_VICTIM = "accounts@aldgate.example"
#: A message in one of these states was tried, and its fate is known or asked about.
_ANSWERED = EFFECTIVE | {MessageState.UNKNOWN, MessageState.BOUNCED}
_STORMS = int(os.environ.get("ARSYNC_STORMS", "2000"))
_FROM = int(os.environ.get("ARSYNC_STORM_FROM", "1"))
#: Who asks again cannot be told whether the first try came through.
_SILENT = ("error", "disconnect_before", "disconnect_after", "timeout_before", "timeout_after", "truncate")
#: Of these the vendor has done what was asked, and its answer never came whole.
_UNHEARD = ("disconnect_after", "timeout_after", "truncate")


@dataclass
class Storm:
    """One storm: what strikes, drawn from its number."""

    number: int
    chance: Random = field(init=False)
    strikes: int = 0
    last_requests: set[int] = field(default_factory=set)  # by number, of nights that were struck
    spoilt: bool = False
    spared: str | None = None  # whose letter must not go out any more
    remarks: Counter[tuple[str, str]] = field(default_factory=Counter)  # notes that no message owes
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = Random(self.number)

    def gather(self, night: Night) -> None:
        """What the vendors do wrong in this storm."""
        for _ in range(self.chance.randint(1, 4)):
            provider = self.chance.choice(["quickbooks", "xero", *(["sendgrid"] * 3 if night.way is not FILE else [])])
            kinds = ["throttle", *_SILENT, *(["expired_token"] if provider != "sendgrid" else [])]
            fault = self.chance.choice(kinds)
            options = {"times": self.chance.randint(1, 3), "skip": self.chance.randint(0, 12)}
            if provider == "sendgrid":
                options["skip"] = self.chance.randint(0, 3)
            match = {"provider": provider}
            if self.chance.random() < 0.3:
                match["method"] = "POST"
            if fault == "throttle" or fault.startswith("timeout"):
                options["seconds"] = 1 if fault == "throttle" else 0
            night.office.sandbox.fault(fault, match, **options)
            self.log.append(f"{fault} {match} {options}")

    def strike(self, night: Night, harbour: Harbour, *, suspends: bool) -> None:
        """One night, struck by lightning at one of its effects, or not at all where it has fewer."""
        point = f"{self.chance.choice(['before', 'after'])}:{self.chance.randint(1, _EFFECTS)}"
        if not suspends or self.chance.random() < 0.7:
            self.log.append(f"killed {point}")
            if night.run("--kill", point) == -9:
                self._struck(night)
            return
        child, stopped, _ = night.begin("--freeze", point)
        self.log.append(f"suspended {point}")
        if stopped:
            self._struck(night)
            # The guards of the first byte count real seconds, for they guard real bytes.
            guard = writeback.FIRST_BYTE if night.has_claimed_notes() else send.FIRST_BYTE
            began = time.monotonic()
            night.office.sandbox.advance(15 * 60)
            Night(night.office, night.way, harbour.another_nursery()).run()
            time.sleep(max(0.0, guard + 0.5 - (time.monotonic() - began)))
            harbour.nursery.go_on(child)

    def _struck(self, night: Night) -> None:
        self.strikes += 1
        self.last_requests |= {one["n"] for one in night.office.sandbox.requests()[-1:]}

    def spoil(self, night: Night) -> None:
        """Between two nights, once, Aldgate may pay or contest: its letter goes out no more, if it has not."""
        act = self.chance.choice(["pays", "contests", ""])
        if self.spoilt or not act:
            return
        self.spoilt = True
        self.log.append(f"Aldgate {act}")
        books = night.office.book("quickbooks")
        truth = night.office.sandbox.truth(books.id)
        owner = next(one["id"] for one in truth["customers"] if one["name"] == "Aldgate Ltd")
        (invoice,) = (one for one in truth["invoices"] if one["customer"] == owner)
        if act == "pays":
            books.act("pay", invoice=invoice["id"], amount="900.00", date=str(night.office.sandbox.now().date()))
        else:
            *_, status = night.say("dispute", str(invoice["number"]), "--reason", "the goods were wet")
            assert status == 0, night.said
            self.remarks["invoice", invoice["id"]] += 1
        if not night.letters()[_VICTIM]:
            self.spared = _VICTIM


def weather(folder: Path, harbour: Harbour, number: int, *, suspends: bool = True) -> tuple[Storm, Counter[str]]:
    """One storm and the calm after it, and the states of its messages."""
    storm = Storm(number)
    way: Way = storm.chance.choice([FILE, MAIL, MAIL_WITH_FEED])
    database = storm.chance.choice(["sqlite", "postgresql"])
    storm.log.append(f"storm {number}: {way.name}, {database}")
    office = folder / str(number)
    try:
        with harbour.evening(office, way, database) as night:
            storm.gather(night)
            telling = None if way is FILE else Telling(Random(number))
            if telling is not None:
                telling.begin(night)
                storm.log.append(f"mailboxes: {telling.does}")
            for _ in range(storm.chance.randint(1, 3)):
                storm.strike(night, harbour, suspends=suspends)
                _consent(night, storm)
                night.office.sandbox.advance(400)
                storm.spoil(night)
                if telling is not None:
                    storm.log.append(f"told: {telling.tell(night)}")
            lost = sum(
                order["hits"]
                for order in night.office.sandbox.call("GET", "faults")
                if order["match"].get("provider") == "sendgrid" and order["fault"] in _SILENT
            )
            night.office.sandbox.clear_faults()
            calm(night, storm)
            if telling is not None:
                storm.log.append(f"told: {telling.tell(night, all_of_it=True)}")
                night.run()  # what was told is evidence of what nobody knew
                telling.count(night)
            storm.log.append(f"ended {night.statuses}, {lost} answers lost")
            states = count(night, storm, unknowns=storm.strikes + lost)
            storm.log.append(str(dict(states)))
    except AssertionError as error:
        raise AssertionError("\n".join([*storm.log, str(error)])) from error
    if os.environ.get("ARSYNC_STORM_TOLD"):
        sys.stdout.write("\n".join([*storm.log, ""]))
    shutil.rmtree(office)
    return storm, states


def _consent(night: Night, storm: Storm) -> None:
    """A person connects again where the answer with the new tokens was lost: QuickBooks ends the old token at once,
    Xero half an hour later."""
    for vendor in VENDORS:
        if night.health(vendor) is Health.REAUTHORISE:
            storm.log.append(f"consents again to {vendor}")
            exchanges = [one for one in night.office.sandbox.requests() if one["provider"] == vendor]
            last = next(one for one in reversed(exchanges) if one["resource"] == "token" and one["status"] == 200)
            heard = last["fault"] not in _UNHEARD and last["n"] not in storm.last_requests
            assert not heard, f"{vendor} gave new tokens, and they are lost: {last}"
            night.consent_again(vendor)


def calm(night: Night, storm: Storm) -> None:
    """Nights without faults until one has nothing left to do: minutes apart, then on the next morning, when whatever
    was to wait for an hour is due, and the customers' send windows are open again."""
    for minutes in (7, 7, 7, None, 7):
        _consent(night, storm)
        to_the_morning = (MORNING - night.office.sandbox.now()) % timedelta(days=1)
        night.office.sandbox.advance(minutes * 60 if minutes else to_the_morning.total_seconds())
        if night.run() == 0 and not any(one.state is MessageState.APPROVED for one in night.messages()):
            return


def count(night: Night, storm: Storm, *, unknowns: int) -> Counter[str]:
    """The promises, counted where messages and notes arrived."""
    app = night.look()
    with app.store.reading() as work:
        standing = {one.name: (one.health, one.health_reason) for one in connections.connections(work)}
    assert {health for health, _ in standing.values()} == {Health.OK}, standing
    every = night.messages()
    intents = {one.key: (one.chase_id, one.step_id, one.occurrence) for one in every}
    sent = Counter(intents[letter["key"]] for letter in night.office.sent())
    assert set(sent.values()) <= {1}, f"twice: {sent}"
    letters = night.letters()
    assert set(letters) <= set(LETTERS)
    assert set(letters.values()) <= {1}
    states = Counter(one.state.value for one in every if one.state is not MessageState.SUPERSEDED)
    assert states["unknown"] <= unknowns, f"{states['unknown']} unknown for {unknowns} strikes and lost answers"
    assert night.notes() == night.owed_notes() + storm.remarks
    assert "Traceback" not in night.said, night.said[-3000:]
    if storm.spared:
        assert not letters[storm.spared], "chased for what is not owed"
    for address in LETTERS:
        known = [one for one in every if address in str(one.recipients)]
        answered = any(one.state in _ANSWERED for one in known)
        assert answered or address == _VICTIM, f"lost: {address}: {[(one.state, one.reason) for one in known]}"
        assert not letters[address] or answered, f"sent, and not known: {address}"
    calls = [one for one in every if one.channel == "call" and one.state in EFFECTIVE]
    assert len(calls) == CALLS
    return states


@pytest.mark.parametrize("number", [63])
def test_a_storm_sends_nothing_twice_and_loses_nothing(tmp_path: Path, harbour: Harbour, number: int) -> None:
    weather(tmp_path, harbour, number, suspends=False)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(_FROM, _FROM + _STORMS))
def test_thousands_of_storms_send_nothing_twice_and_lose_nothing(
    tmp_path: Path, harbour: Harbour, number: int, record_property: Callable[[str, object], None]
) -> None:
    storm, states = weather(tmp_path, harbour, number)
    record_property("strikes", storm.strikes)
    for state, messages in states.items():
        record_property(f"messages {state}", messages)
