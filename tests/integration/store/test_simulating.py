"""A past that was lived night by night, read back from the cache alone: the same playbook would have done the same."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import event, text
from tests.integration.store.books import Books, a_hold, contact, credit, customer, invoice, open_books, page, payment

from arsync.cli.app import run
from arsync.domain.chase import Rendered, Seller
from arsync.domain.documents import Allocation, Invoice, InvoiceState, Record
from arsync.domain.policy import StepMode
from arsync.domain.states import MessageState
from arsync.playbook.choosing import Following, chooses, tried
from arsync.playbook.facts import Policy
from arsync.playbook.passes import consider
from arsync.playbook.shelves import Library
from arsync.playbook.simulate import simulate
from arsync.playbook.simulated import Simulation
from arsync.resources import bundled
from arsync.store import assignments, chases, holds, past, planned, records, tags
from arsync.store.engine import Store, Work
from arsync.store.planned import Draft

FIRST = date(2026, 3, 2)
DAYS = 60
LAST = FIRST + timedelta(days=DAYS - 1)
NIGHTS = 36
SHIPPED = bundled("playbooks")


def a_policy(name: str = "standard") -> Policy:
    library = Library(own=list, shipped=lambda other: SHIPPED / f"{other}.yaml", templates=SHIPPED / "templates")
    volume = library.read(SHIPPED / f"{name}.yaml")
    seller = Seller(
        name="Acme", timezone="UTC", locale="en", reply_to="a@acme.example", sender="a@acme.example",
        legal_footer="", color="#000000", bank_details={"EUR": "IBAN 1", "USD": "routing 1"},
    )  # fmt: skip
    return Policy(
        playbook=volume.playbook, templates=volume.templates, locales=volume.locales, shelves=library,
        shelf=library.present(SHIPPED / f"{name}.yaml"), seller=seller, country="DE",
        mode=StepMode.AUTO, replies_read=False, banked_through=None, reminders_off=True, max_per_run=3,
        max_staleness=timedelta(days=3650), breaker_factor=Decimal(3),
    )  # fmt: skip


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def a_past(books: Books, policy: Policy, *, first: date = FIRST, last: date = LAST) -> past.Past:
    with books.store.reading() as work:
        return past.read(work, books.id, first=first, last=last, local=policy.today, habits=True)


def sayings(found: Simulation) -> list[str]:
    return [
        f"{touch.on:%m-%d} {touch.payer_id} {touch.amount.currency} {touch.step_id} "
        f"{' '.join(one.invoice_id for one in touch.demanded)}"
        for touch in found.touches
    ]


# --- lived --------------------------------------------------------------------------------------------------------


class Life:
    """Some customers' months: what is written, paid, credited and put aside on each day."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.days: defaultdict[date, list[Record]] = defaultdict(list)
        for number in range(12):
            self._invoice(f"I{number}")

    def _invoice(self, name: str) -> None:
        chance = self.chance
        issued = FIRST + timedelta(days=chance.randint(-60, NIGHTS - 10))
        total = Decimal(chance.randint(2000, 90_000)) / 100
        made = invoice(
            name, str(total), customer=f"C{chance.randint(1, 3)}", total=total, issued_on=issued,
            due_on=issued + timedelta(days=chance.choice([10, 14, 30])), currency=chance.choice(["EUR", "EUR", "USD"]),
            minutes=self._minutes(issued),
        )  # fmt: skip
        self._happens(issued, made)
        left = total
        days = sorted(chance.randint(1, 50) for _ in range(chance.choice([0, 1, 1, 2])))
        for place, ahead in enumerate(days):
            on = max(issued, FIRST) + timedelta(days=ahead)
            part = left if chance.random() < 0.7 else (left / 2).quantize(Decimal("0.01"))
            left -= part
            self._reduced(made, f"{name}-{place}", on, part, left)
            if not left:
                break

    def _reduced(self, made: Invoice, name: str, on: date, part: Decimal, left: Decimal) -> None:
        put = {"on": {made.remote_id: str(part)}, "customer": made.customer_id, "currency": made.currency}
        minutes = self._minutes(on)
        part_of = (Allocation(made.remote_id, part, on),)
        if self.chance.random() < 0.2:
            note = credit(f"N{name}", str(part), minutes=minutes, issued_on=on, **put)  # type: ignore[arg-type]
            self._happens(on, replace(note, allocations=part_of))
        else:
            came = payment(f"P{name}", str(part), minutes=minutes, received_on=on, **put)  # type: ignore[arg-type]
            came = replace(came, allocations=part_of)
            early = on - timedelta(days=self.chance.randint(1, 6))
            if self.chance.random() < 0.3 and early > max(made.issued_on, FIRST):
                # It lay on no invoice for some days.
                came = replace(came, received_on=early)
                loose = replace(came, allocations=(), unapplied=part, updated_at=noon(early))
                self._happens(early, loose)
            self._happens(on, came)
        state = InvoiceState.OPEN if left else InvoiceState.PAID
        self._happens(on, replace(made, balance=left, state=state, updated_at=noon(on), version=name))

    def _minutes(self, on: date) -> float:
        return (noon(on) - noon(date(2026, 9, 1))).total_seconds() / 60

    def _happens(self, on: date, record: Record) -> None:
        self.days[max(on, FIRST)].append(record)


def lived(books: Books, policy: Policy, life: Life) -> list[str]:
    """Each day what happens is stored, then planned as every night; whatever is planned goes out. One transaction."""
    people = [customer(f"C{number}", contacts=[contact("Ada")], minutes=-900_000) for number in range(1, 4)]
    books.keep(*people)
    with books.store.working() as work:
        for ahead in range(NIGHTS + 60):
            day = FIRST + timedelta(days=ahead)
            for record in life.days.get(day, ()):
                records.store_page(work, books.id, page(record), now=noon(day))
            if ahead < NIGHTS:
                a_night(work, books, policy, day, stop=ahead == 20)
        work.commit()
    return sent(books)


def a_night(work: Work, books: Books, policy: Policy, day: date, *, stop: bool) -> None:
    now = noon(day)
    if stop:
        holds.place(work, books.id, a_hold(payer="C2", begins=day, until=day + timedelta(days=9)), now=now)
    chases.follow(work, books.id, now=now)
    holds.expire(work, books.id, today=day, now=now)
    for answer in consider(work, books.connection, policy, now=now):
        if answer.intent is None:
            continue
        draft = Draft(
            connection_id=books.id, chase_id=answer.facts.chase_id, intent=answer.intent,
            rendered=Rendered("Your invoice", "Dear Ada", "<p>Dear Ada</p>"), recipients=("ada@example.com",),
            playbook=policy.playbook.name, playbook_version="1", locale="en", fingerprint="f" * 64,
            state=MessageState.APPROVED, reason="as planned",
        )  # fmt: skip
        number = planned.plan(work, draft, now=now, today=day)
        person = None if answer.intent.mode is StepMode.AUTO else "kim"
        sent_now = "UPDATE messages SET state = 'accepted', sent_on = :on, approved_by = :by WHERE id = :id"
        work.execute(text(sent_now), {"on": day.isoformat(), "by": person, "id": number})


def sent(books: Books) -> list[str]:
    rows = books.rows(
        "SELECT m.id, m.sent_on, h.payer_id, h.currency, m.step_id, k.invoice_id FROM messages m "
        "JOIN chases h ON h.id = m.chase_id JOIN message_items k ON k.message_id = m.id "
        "WHERE m.state = 'accepted' AND k.demanded ORDER BY m.id, k.invoice_id"
    )
    named: dict[int, list[str]] = {}
    for key, on, payer, currency, step, invoice_id in rows:
        named.setdefault(key, [f"{on[5:]} {payer} {currency} {step}"]).append(invoice_id)
    return sorted(" ".join(words) for words in named.values())


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_past_lived_night_by_night_and_simulated_at_once_has_the_same_touches(books: Books, seed: int) -> None:
    policy = a_policy(["standard", "firm", "gentle"][seed - 1])
    told = lived(books, policy, Life(seed))
    assert len(told) > 5
    known = a_past(books, policy, last=FIRST + timedelta(days=NIGHTS - 1))
    assert sorted(sayings(simulate(known, policy))) == told


WINDOW = "window: {weekdays: [mon, tue, wed, thu, fri], opens: '09:00', closes: '17:00'}\n"
STEP = "  - {{id: {0}, offset: {1}, channel: email, tone: friendly, template: friendly}}\n"
#: name -> its conditions, its gap and the days of its steps
SEVERAL: dict[str, tuple[str, int, tuple[int, ...]]] = {
    "standard": ("", 4, (2, 9, 20)),
    "large": ('{priority: 30, balance: {EUR: {from: "300"}, USD: {from: "300"}}}', 7, (1, 15)),
    "aged": ("{priority: 20, age: {from: 18}}", 3, (18, 24, 30)),
    "single": ('{priority: 10, invoice: {number: ["No I1*"]}}', 5, (4, 8)),
    "friends": ("{priority: 5, tag: [friend]}", 9, (10,)),
    "chosen": ("", 2, (3, 6, 12)),
}


def several(folder: Path) -> Policy:
    """Six playbooks in a folder, five of which choose for themselves or are chosen."""
    shutil.copytree(SHIPPED / "templates", folder / "templates")
    for name, (match, gap, days) in SEVERAL.items():
        told = f"match: {match}\n" if match else ""
        steps = "".join(STEP.format(f"{name}-{day}", day) for day in days)
        (folder / f"{name}.yaml").write_text(f"name: {name}\n{told}gap: {gap}\n{WINDOW}steps:\n{steps}")
    library = Library(
        own=lambda: sorted(folder.glob("*.yaml")), shipped=lambda name: SHIPPED / f"{name}.yaml",
        templates=folder / "templates",
    )  # fmt: skip
    return tried(
        replace(a_policy(), shelves=library, shelf=library.present(folder / "standard.yaml")),
        library.read(folder / "standard.yaml"),
    )


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_simulation_follows_the_playbooks_that_every_night_would(books: Books, tmp_path: Path) -> None:
    """By balance, age, invoice and tag, and as a person has chosen; else the playbook that is simulated."""
    policy = several(tmp_path / "several")
    books.keep(*(customer(f"C{number}", contacts=[contact("Ada")], minutes=-900_000) for number in range(1, 4)))
    with books.store.working() as work:
        tags.add(work, books.id, "C3", ["friend"], author="kim", now=noon(FIRST))
        assignments.assign(
            work, books.id, payer_id="C2", invoice_id=None, playbook="chosen", reason="so", author="kim",
            now=noon(FIRST),
        )  # fmt: skip
        work.commit()
    told = lived(books, policy, Life(13))
    known = a_past(books, policy, last=FIRST + timedelta(days=NIGHTS - 1))
    with books.store.reading() as work:
        assert chooses(work, books.connection, policy)
        found = [
            simulate(
                known,
                policy,
                every_day=every_day,
                following=Following(work, books.connection, policy, {}, today=known.last),
            )
            for every_day in (False, True)
        ]
    assert found[0].touches == found[1].touches
    assert sorted(sayings(found[0])) == told
    used = {touch.step_id.partition("-")[0] for touch in found[0].touches}
    assert used == set(SEVERAL)


# --- a small ledger -------------------------------------------------------------------------------------------------


def put(name: str, amount: str, day: str, on: str, **facts: Any) -> Record:
    made = payment(name, amount, on={on: amount}, received_on=date.fromisoformat(day), **facts)
    return replace(made, allocations=(Allocation(on, Decimal(amount), date.fromisoformat(day)),))


def of_march(name: str, balance: str, due: str, **facts: Any) -> Invoice:
    due_on = date.fromisoformat(due)
    return invoice(name, balance, issued_on=due_on - timedelta(days=30), due_on=due_on, **facts)


def a_small_ledger(books: Books) -> None:
    """A: due 02-27, paid 03-25. B: due 03-20, paid 03-25. C: due 03-27, never paid, contested from 04-01 to 04-10."""
    books.keep(
        customer("C1", contacts=[contact("Ada")]), customer("C2", contacts=[contact("Bob")]),
        of_march("A", "0.00", "2026-02-27"), put("PA", "100.00", "2026-03-25", "A"),
        of_march("B", "0.00", "2026-03-20", customer="C2"), put("PB", "100.00", "2026-03-25", "B", customer="C2"),
        of_march("C", "100.00", "2026-03-27", customer="C2"),
        of_march("V", "100.00", "2026-03-20", customer="C2", state=InvoiceState.VOID),
        of_march("W", "0.00", "2026-03-20", customer="C2"),  # written off: no payment explains it
    )  # fmt: skip
    with books.store.working() as work:
        stop = a_hold(payer="C2", invoice="C", begins=date(2026, 4, 1), until=date(2026, 4, 30))
        number = holds.place(work, books.id, stop, now=noon(date(2026, 4, 1)))
        assert holds.lift(work, number, now=noon(date(2026, 4, 11)))
        work.commit()


def test_a_small_ledger_is_replayed_as_a_calendar(books: Books) -> None:
    a_small_ledger(books)
    policy = a_policy()
    known = a_past(books, policy)
    found = simulate(known, policy)
    assert sayings(found) == [
        "03-02 C1 EUR friendly A",
        "03-13 C1 EUR firm A",
        "03-17 C2 EUR courtesy B",
        "03-20 C1 EUR call A",
        "03-23 C2 EUR friendly B",
        "03-25 C1 EUR thanks A",
        "03-30 C2 EUR friendly C",
        "04-13 C2 EUR firm C",
        "04-20 C2 EUR call C",
        "04-27 C2 EUR final C",
    ]
    assert [touch.on.isoformat() for touch in found.touches if touch.paid_anyway] == ["2026-03-23"]
    assert known.left_out == {"void": 1, "unexplained": 1}
    assert simulate(known, policy) == found
    with books.store.working() as work:
        tags.add(work, books.id, "C2", ["autopay"], author="kim", now=noon(FIRST))
        work.commit()
    assert {touch.payer_id for touch in simulate(a_past(books, policy), policy).touches} == {"C1"}


def test_reading_the_past_and_replaying_it_asks_the_database_and_tells_it_nothing(books: Books) -> None:
    a_small_ledger(books)
    asked: list[str] = []
    event.listen(books.store.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
    simulate(a_past(books, a_policy()), a_policy())
    assert 5 < len(asked) < 25
    assert {statement.split(maxsplit=1)[0] for statement in asked} <= {"SELECT", "BEGIN", "SET", "PRAGMA"}


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path, store_url: str) -> Path:
    store = Store(store_url)
    a_small_ledger(open_books(store))
    store.close()
    path = tmp_path / "arsync.toml"
    path.write_text(
        f'[database]\nurl = "{store_url}"\n[defaults]\nplaybook = "standard"\nmode = "auto"\ncountry = "DE"\n'
        'timezone = "UTC"\nbank_details.EUR = "IBAN 1"\n[connection.harbour]\nprovider = "quickbooks"\n'
        'external_id = "harbour"\n',
        encoding="utf-8",
    )
    return path


def contents(store_url: str) -> list[str]:
    """All that the database says."""
    store = Store(store_url)
    with store.reading() as work:
        raw = work.connection.connection.driver_connection
        found = list(raw.iterdump())  # type: ignore[union-attr]
    store.close()
    return found


@pytest.mark.parametrize("database", ["sqlite"])
def test_the_command_writes_nothing_and_says_the_same_twice(
    config: Path, store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(store_url)
    asked = ["--config", str(config), "simulate", "standard", "--against", "firm", "--from", "2026-03-02"]
    asked += ["--to", "2026-04-30", "--picture", str(tmp_path / "touches.svg")]
    said, drawn = [], []
    for more in ([], [], ["--json"], ["--json"]):
        assert run([*asked, *more]) == 0
        said.append(capsys.readouterr().out)
        drawn.append((tmp_path / "touches.svg").read_bytes())
    assert contents(store_url) == before
    assert said[0] == said[1]
    assert said[2] == said[3]
    assert len(set(drawn)) == 1
    assert "touches to invoices paid within 3 days anyway" in said[0]
    assert "not known to a simulation:\n- what customers had heard before the first day" in said[0]
    assert len(json.loads(said[2])["harbour"]["not_known"]) == 4
    told = json.loads(said[2])["harbour"]["playbooks"]
    assert [one["playbook"] for one in told] == ["standard", "firm"]
    assert told[0]["figures"]["touches"] == len(told[0]["touches"]) == 10
    assert told[0]["figures"]["tasks"] == 2
    assert told[1]["figures"]["touches"] > 10


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize(
    ("days", "wrong"),
    [
        (("2026-04-30", "2026-03-02"), "--to 2026-03-02 is before --from 2026-04-30"),
        (("2026-03-02", "2026-12-31"), "the cache knows nothing after 2026-09-01"),
        (("2026-03-02", "2026-03-09"), "touches.svg cannot be written: Not a directory"),
    ],
)
def test_what_cannot_be_told_or_drawn_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str], days: tuple[str, str], wrong: str
) -> None:
    asked = ["--config", str(config), "simulate", "standard", "--from", days[0], "--to", days[1]]
    assert run([*asked, "--picture", str(config / "touches.svg")]) == 2
    assert wrong in capsys.readouterr().err
