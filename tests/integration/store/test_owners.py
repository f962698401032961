"""Who of our people looks after a customer, and what becomes of that over a merge."""

from __future__ import annotations

from tests.integration.store.books import NOW, Books, customer, invoice

from arsync.domain.documents import CustomerState
from arsync.domain.people import Owner
from arsync.store import languages, owners

MIA = Owner("Mia Wong", "mia@seller.example", "+1 555 0100", "Mia Wong\nAccounts")
TOM = Owner("Tom Reed")


def put(books: Books, who: str, owner: Owner) -> bool:
    with books.store.working() as work:
        changed = owners.put(work, books.id, who, owner, author="ann", now=NOW)
        work.commit()
    return changed


def owned(books: Books) -> dict[str, Owner]:
    with books.store.reading() as work:
        return owners.of_customers(work, books.id)


def test_a_new_owner_takes_the_place_of_the_old_one_and_wakes_the_chase(books: Books) -> None:
    books.keep(customer("A"), invoice("I1", customer="A"))
    books.follow()
    before = books.chase("A").version
    assert put(books, "A", TOM)
    assert put(books, "A", MIA)
    assert not put(books, "A", MIA), "said again, nothing changes"
    assert owned(books) == {"A": MIA}
    assert books.chase("A").version == before + 2


def test_who_was_taken_away_is_told(books: Books) -> None:
    books.keep(customer("A"))
    put(books, "A", MIA)
    with books.store.working() as work:
        assert owners.take_away(work, books.id, "A") == MIA
        assert owners.take_away(work, books.id, "A") is None
        work.commit()
    assert owned(books) == {}


def test_the_survivor_of_a_merge_keeps_its_owner_or_gets_the_others(books: Books) -> None:
    books.keep(customer("A"), customer("B"), customer("C"), customer("D"))
    books.keep(invoice("I1", customer="A"), invoice("I2", customer="C"))
    books.follow()
    for who, owner in (("A", MIA), ("C", MIA), ("D", TOM)):
        put(books, who, owner)
    books.keep(customer("A", state=CustomerState.MERGED, merged_into="B", minutes=1))
    books.keep(customer("C", state=CustomerState.MERGED, merged_into="D", minutes=1))
    found = owned(books)
    assert (found["B"], found["D"]) == (MIA, TOM)


def test_language_and_owner_of_a_branch_are_not_its_heads(books: Books) -> None:
    books.keep(customer("HEAD"), customer("BRANCH"), invoice("I1", customer="BRANCH"))
    books.follow()
    with books.store.working() as work:
        languages.put(work, books.id, "BRANCH", "de", author="ann", now=NOW)
        work.commit()
    put(books, "BRANCH", TOM)
    books.keep(customer("BRANCH", parent_id="HEAD", minutes=5))
    books.follow()
    with books.store.reading() as work:
        assert languages.of_customers(work, books.id) == {"BRANCH": "de"}
    assert owned(books) == {"BRANCH": TOM}
