"""The people and sales of a made-up company, deterministic from a seed and the same for every vendor.

How people pay follows a small-business ledger: net 30, about 36% late and never by more than 45 days, mean 26 days to
settle (deviation 12), 23% disputed, and a customer keeps its habits. On top lies what a credit controller meets: some
stopped paying months ago, some pay in part or on account, a few are billed in another currency or have no address.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
TERMS_DAYS = 30
#: Customers are sorted under these in turn, every fourth under none.
GROUPS = ("Retail", "Trade", None, "Key accounts")
LATEST_DAYS = 45  # a payer who pays at all is never later than this


@dataclass(frozen=True, slots=True)
class Habit:
    """How a customer pays: days relative to the due date (negative is early), shares from 0 to 1."""

    mean_late_days: float
    spread: float
    disputes: float
    part_payments: float
    on_account: float  # share of receipts that nobody applies to an invoice
    stopped_on: date | None = None  # sales from here on are not paid


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address; `country` is ISO 3166 alpha-2."""

    street: str
    city: str
    region: str
    postal_code: str
    country: str


@dataclass(frozen=True, slots=True)
class ContactPerson:
    """Somebody who works at a customer."""

    first_name: str
    last_name: str
    email: str | None
    included_in_emails: bool = True


@dataclass(frozen=True, slots=True)
class Person:
    """A customer. `parent` is the key of the customer who pays for a sub-customer (QuickBooks only)."""

    key: str
    name: str
    email: str | None
    phone: str
    address: Address
    country: str
    language: str
    currency: str
    habit: Habit
    contacts: tuple[ContactPerson, ...]
    parent: str | None = None
    weight: float = 1.0
    group: str | None = None  # what the company's people sort it under


@dataclass(frozen=True, slots=True)
class SaleLine:
    """One line; the amount is quantity times unit price, rounded to cents."""

    description: str
    quantity: Decimal
    unit_price: Decimal

    @property
    def amount(self) -> Decimal:
        """Net amount."""
        return (self.quantity * self.unit_price).quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money that comes in (or will: the date may lie ahead) for a sale; unapplied money sits on account."""

    date: date
    amount: Decimal
    applied: bool = True


@dataclass(frozen=True, slots=True)
class Credit:
    """A credit note for a sale; unapplied credit stays open on the customer."""

    date: date
    amount: Decimal
    applied: bool


@dataclass(frozen=True, slots=True)
class Sale:
    """An invoice to be. Receipts dated after today have yet to happen: `live` posts them when their day comes."""

    number: str
    person: str
    issued: date
    due: date | None
    lines: tuple[SaleLine, ...]
    tax_rate: Decimal
    tax: Decimal
    total: Decimal
    reference: str  # the customer's purchase order number, or ""
    payments: tuple[Receipt, ...]
    credit: Credit | None = None
    disputed: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """People and sales in order of number; `sales_per_day` is the pace at which new ones keep coming."""

    people: tuple[Person, ...]
    sales: tuple[Sale, ...]
    seed: int
    as_of: date
    currency: str
    sales_per_day: float
    next_number: int

    def person(self, key: str) -> Person:
        """A person by key; raises `KeyError`."""
        return next(person for person in self.people if person.key == key)


_words = str.split
_FIRST = _words(
    "Amy Grace Sasha Mark Russ Kirby Nadia Tom Ines Paul Lena Omar Ruth Viktor Joan Carlos Mei Anton Clara Hugo "
    "Priya Sean Julia Marek Elena David Noor Peter Sofia Liam"
)
_LAST = _words(
    "Abbott Becker Castro Dubois Eriksen Fischer Garcia Hughes Ivanov Jensen Kaur Laurent Meyer Novak O'Brien Price "
    "Quinn Rossi Silva Tanaka Ueda Vogel Walsh Xu Young Zeller Marsh Bolton Haynes Frost"
)
_STEM = _words(
    "Alder Birch Copper Delta Ember Falcon Granite Harbour Iris Juniper Kestrel Linden Maple Northgate Orchard Pine "
    "Quarry Ridge Summit Tidal Upland Vale Willow Yarrow Zephyr Crown Bright Silver Stone River"
)
_TRADE = _words(
    "Landscaping Engineering Dental Logistics Bakery Printing Joinery Interiors Catering Architects Plumbing Software "
    "Textiles Motors Pharmacy Roofing Design Brewing Optics Surveyors"
)
_STREET = _words("Ocean_Drive Willow_Road Finch_Street Mill_Lane Station_Road Cypress_Hill Market_Street Harbour_Way")
# country -> currency, language, company suffix
_COUNTRY = {
    "US": ("USD", "en", "LLC"),
    "GB": ("GBP", "en", "Ltd"),
    "DE": ("EUR", "de", "GmbH"),
    "FR": ("EUR", "fr", "SARL"),
    "ES": ("EUR", "es", "SL"),
    "IT": ("EUR", "it", "Srl"),
    "NL": ("EUR", "nl", "BV"),
    "AU": ("AUD", "en", "Pty Ltd"),
    "NZ": ("NZD", "en", "Ltd"),
    "CA": ("CAD", "en", "Inc"),
}
_HOME = {"USD": "US", "GBP": "GB", "EUR": "DE", "AUD": "AU", "NZD": "NZ", "CAD": "CA"}
_CITY = {
    "US": (
        ("Middlefield", "CA", "94303"),
        ("Half Moon Bay", "CA", "94213"),
        ("Austin", "TX", "78701"),
        ("Albany", "NY", "12207"),
    ),
    "GB": (("Leeds", "", "LS1 4AP"), ("Bristol", "", "BS1 5TR"), ("York", "", "YO1 7HH")),
    "DE": (("Köln", "", "50667"), ("Leipzig", "", "04109")),
    "FR": (("Lyon", "", "69002"), ("Nantes", "", "44000")),
    "ES": (("Sevilla", "", "41001"),),
    "IT": (("Bologna", "", "40121"),),
    "NL": (("Utrecht", "", "3511"),),
    "AU": (("Geelong", "VIC", "3220"), ("Newcastle", "NSW", "2300")),
    "NZ": (("Napier", "", "4110"),),
    "CA": (("Hamilton", "ON", "L8P 1A1"),),
}
_WORK = (
    ("Weekly maintenance", "45.00"),
    ("Consulting hours", "120.00"),
    ("Installation", "85.00"),
    ("Spare parts", "37.50"),
    ("Design work", "95.00"),
    ("Delivery", "24.90"),
    ("Annual service plan", "640.00"),
    ("Materials", "12.35"),
    ("Site survey", "275.00"),
    ("Training day", "890.00"),
    ("Support retainer", "410.00"),
    ("Repairs", "68.00"),
)
TAX_RATE = {
    currency: Decimal(percent)
    for currency, percent in {"USD": 8, "GBP": 20, "EUR": 19, "AUD": 10, "NZD": 15, "CAD": 5}.items()
}


def write_story(
    *,
    seed: int,
    customers: int,
    invoices: int,
    currency: str,
    as_of: date,
    history_months: int,
    country: str | None = None,
) -> Story:
    """A story that ends on `as_of`; the same arguments give the same story."""
    rng = random.Random(f"{seed}/{customers}/{invoices}/{currency}")
    home = country or _HOME.get(currency, "US")
    days = max(30, round(history_months * 30.44))
    people = tuple(_people(rng, customers, home=home, currency=currency, as_of=as_of))
    issued = sorted(as_of - timedelta(days=rng.randrange(days)) for _ in range(invoices))
    weights = [person.weight for person in people]
    buyers = rng.choices(people, weights, k=invoices) if people else []
    numbered = enumerate(zip(buyers, issued, strict=True), start=1001)
    sales = tuple(write_sale(rng, person, number=number, issued=_workday(day)) for number, (person, day) in numbered)
    return Story(people, sales, seed, as_of, currency, invoices / days, 1001 + invoices)


def continue_story(story: Story, *, since: date, until: date, next_number: int) -> tuple[Sale, ...]:
    """The sales of the days after `since` up to and including `until`, at the story's pace."""
    sales: list[Sale] = []
    weights = [person.weight for person in story.people]
    for offset in range(1, (until - since).days + 1):
        day = since + timedelta(days=offset)
        rng = random.Random(f"{story.seed}/{day.isoformat()}")
        count = int(story.sales_per_day) + (rng.random() < story.sales_per_day % 1)
        for person in rng.choices(story.people, weights, k=count) if story.people else ():
            sales.append(write_sale(rng, person, number=next_number + len(sales), issued=day))
    return tuple(sales)


def write_sale(rng: random.Random, person: Person, *, number: int, issued: date) -> Sale:
    """One sale to a person with all that will come of it, dates ahead included."""
    size = 0.4 + 3.2 * rng.random() ** 2
    lines = tuple(
        SaleLine(text, Decimal(max(1, round(size * rng.randrange(1, 9)))), Decimal(price))
        for text, price in rng.sample(_WORK, rng.choices((1, 2, 3, 4), (40, 30, 20, 10))[0])
    )
    net = sum((line.amount for line in lines), Decimal(0))
    rate = TAX_RATE.get(person.currency, Decimal(0)) if rng.random() < 0.8 else Decimal(0)
    tax = (net * rate / 100).quantize(CENT, ROUND_HALF_UP)
    total = net + tax
    due = None if rng.random() < 0.004 else issued + timedelta(days=TERMS_DAYS)
    disputed = rng.random() < person.habit.disputes
    credit = None
    if rng.random() < 0.025:
        share = Decimal(rng.randrange(5, 35)) / 100
        credit = Credit(
            issued + timedelta(days=rng.randrange(3, 25)), (total * share).quantize(CENT), rng.random() < 0.7
        )
    owed = total - (credit.amount if credit and credit.applied else 0)
    reference = f"PO-{rng.randrange(10_000, 99_999)}" if rng.random() < 0.45 else ""
    receipts = _receipts(rng, person.habit, owed, issued=issued, disputed=disputed)
    return Sale(f"{number}", person.key, issued, due, lines, rate, tax, total, reference, receipts, credit, disputed)


def _receipts(rng: random.Random, habit: Habit, owed: Decimal, *, issued: date, disputed: bool) -> tuple[Receipt, ...]:
    late = rng.gauss(habit.mean_late_days, habit.spread) + (rng.uniform(1, 8) if disputed else 0)
    fate = rng.random()
    if (habit.stopped_on and issued >= habit.stopped_on) or fate < 0.006 or (disputed and fate < 0.03):
        return ()
    latest = TERMS_DAYS + LATEST_DAYS
    days = max(1, min(latest, TERMS_DAYS + round(late)))
    paid_on = issued + timedelta(days=days)
    applied = rng.random() >= habit.on_account
    if rng.random() < habit.part_payments:
        first = (owed * Decimal(rng.randrange(20, 80)) / 100).quantize(CENT)
        rest = Receipt(issued + timedelta(days=min(latest, days + rng.randrange(10, 40))), owed - first)
        return (Receipt(paid_on, first),) if rng.random() < 0.2 else (Receipt(paid_on, first), rest)
    return (Receipt(paid_on, owed, applied),)


def _people(rng: random.Random, count: int, *, home: str, currency: str, as_of: date) -> Sequence[Person]:
    people: list[Person] = []
    names: set[str] = set()
    for index in range(count):
        parent = rng.choice(people) if index > 4 and rng.random() < 0.05 else None
        if parent is not None and parent.parent is not None:
            parent = None
        foreign = rng.random() < 0.08
        elsewhere = rng.choice([code for code in _COUNTRY if code != home])
        country = parent.country if parent else (elsewhere if foreign else home)
        billed_in = parent.currency if parent else (_COUNTRY[country][0] if foreign else currency)
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        name = _name(rng, first, last, country, names, job=parent is not None)
        domain = "".join(letter for letter in name.lower() if letter.isalnum() and letter.isascii())
        contacts = [ContactPerson(first, last, f"{first.lower()}@{domain}.example")]
        if rng.random() < 0.25:
            colleague = rng.choice(_FIRST), rng.choice(_LAST)
            contacts.append(ContactPerson(*colleague, f"ap@{domain}.example", rng.random() < 0.6))
        street = f"{rng.randrange(1, 400)} {rng.choice(_STREET).replace('_', ' ')}"
        people.append(
            Person(
                key=f"p{index + 1}",
                name=name,
                email=None if rng.random() < 0.04 else f"accounts@{domain}.example",
                phone=f"(555) {rng.randrange(200, 999)}-{rng.randrange(1000, 9999)}",
                address=Address(street, *rng.choice(_CITY[country]), country),
                country=country,
                language=_COUNTRY[country][1],
                currency=billed_in,
                habit=_habit(rng, as_of),
                contacts=tuple(contacts),
                parent=parent.key if parent else None,
                weight=rng.paretovariate(1.6),
                group=GROUPS[index % len(GROUPS)],
            )
        )
    return people


def _habit(rng: random.Random, as_of: date) -> Habit:
    stopped = as_of - timedelta(days=rng.randrange(40, 170)) if rng.random() < 0.04 else None
    return Habit(
        mean_late_days=rng.gauss(-6.2, 9),
        spread=rng.uniform(3, 8),
        disputes=rng.choice((0.05, 0.15, 0.25, 0.47)),
        part_payments=rng.choice((0.0, 0.02, 0.04, 0.2)),
        on_account=rng.choice((0.0, 0.0, 0.01, 0.06)),
        stopped_on=stopped,
    )


def _name(rng: random.Random, first: str, last: str, country: str, taken: set[str], *, job: bool) -> str:
    while True:
        if job:
            name = f"{rng.randrange(100, 9999):04d} {rng.choice(_STREET).replace('_', ' ')}"
        elif rng.random() < 0.12:
            name = f"{first} {last}"
        else:
            name = f"{rng.choice(_STEM)} {rng.choice(_TRADE)} {_COUNTRY[country][2]}"
        if name in taken:
            name = f"{name} {len(taken)}"
        if name not in taken:
            taken.add(name)
            return name


def _workday(day: date) -> date:
    return day - timedelta(days=max(0, day.weekday() - 4))
