"""Tags stand on customers, each once, and go along when one customer is merged into another."""

from __future__ import annotations

import pytest
from tests.integration.store.books import NOW, Books, customer, invoice

from arsync.domain.documents import CustomerState
from arsync.store import events, tags


def tagged(books: Books, customer_id: str, *names: str) -> tuple[str, ...]:
    with books.store.working() as work:
        added = tags.add(work, books.id, customer_id, names, author="ann", now=NOW)
        work.commit()
    return added


def there(books: Books) -> dict[str, list[str]]:
    with books.store.reading() as work:
        return {name: sorted(found) for name, found in tags.of_connection(work, books.id).items()}


def test_a_tag_is_written_one_way_and_stands_once(books: Books) -> None:
    assert tagged(books, "C1", "Key account", "VIP ") == ("key-account", "vip")
    assert tagged(books, "C1", "vip", "key_account", "slow") == ("slow",), "only what is new"
    assert there(books) == {"C1": ["key-account", "slow", "vip"]}


@pytest.mark.parametrize("written", ["", "  ", "a,b", "<b>", "x" * 65])
def test_what_can_be_no_tag_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is no tag"):
        tags.normal(written)


def test_a_tag_put_on_or_taken_off_plans_anew_and_is_in_the_log(books: Books) -> None:
    books.keep(customer("P"), customer("B", parent_id="P"), invoice("I1", customer="B"))
    books.follow()
    before = books.chase("P").version
    assert tagged(books, "B", "vip") == ("vip",)
    assert books.chase("P").version == before + 1, "who pays for the branch is planned anew"
    with books.store.working() as work:
        assert tags.remove(work, books.id, "B", ["VIP", "never-there"], author="ben", now=NOW) == ("vip",)
        assert tags.remove(work, books.id, "B", ["vip"], author="ben", now=NOW) == ()
        work.commit()
    assert books.chase("P").version == before + 2
    assert there(books) == {}
    with books.store.reading() as work:
        (added,) = events.of_kind(work, books.id, "tags_added")
        (removed,) = events.of_kind(work, books.id, "tags_removed")
    assert (added.author, added.data["customer"], added.data["tags"]) == ("ann", "B", ["vip"])
    assert (removed.author, removed.data["tags"]) == ("ben", ["vip"])


def test_after_a_merge_the_survivor_has_the_tags_of_both(books: Books) -> None:
    books.keep(customer("A"), customer("B"), invoice("I1", customer="A"))
    books.follow()
    tagged(books, "A", "vip", "slow")
    tagged(books, "B", "vip", "gold")
    books.keep(customer("A", state=CustomerState.MERGED, merged_into="B", minutes=1))
    assert there(books) == {"B": ["gold", "slow", "vip"]}
