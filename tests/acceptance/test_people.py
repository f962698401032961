"""What people say, seen by a night: the customer's letter, the books, and what happens when nothing comes."""

from __future__ import annotations

from datetime import timedelta

from tests.acceptance.installation import TODAY, Installation


def letter_to(shop: Installation, name: str) -> str | None:
    """The text of the last message to them."""
    found = [mail for mail in shop.letters() if name in str(mail["To"])]
    body = found[-1].get_body(("plain",)) if found else None
    return None if body is None else str(body.get_content())


def test_a_contested_part_is_off_the_sum_of_the_letter_and_stands_in_the_note(shop: Installation) -> None:
    """Birch owes H-3 over 250.00, of which 100.00 is contested; then 150.00 comes."""
    shop.arsync("dispute", "H-3", "--amount", "100", "--code", "quality", "--reason", "two broken", "--author", "mia")
    shop.arsync("run")
    told = letter_to(shop, "birchcafe")
    assert told is not None
    assert "150.00" in told
    assert "100.00 more is in dispute" in told.replace("$", "").replace("US", "")
    ((amount,),) = shop.rows(
        "SELECT m.amount FROM messages m JOIN chases h ON h.id = m.chase_id JOIN customers c "
        "ON c.remote_id = h.payer_id AND c.connection_id = h.connection_id WHERE c.name = 'Birch Cafe'"
    )
    assert amount == 150 * 10_000
    notes = [note["text"] for note in shop.books["harbor"].notes()]
    assert sum("Dispute (hold 1) of 100.00 USD of invoice H-3" in text for text in notes) == 1
    assert sum("150.00 USD open and asked for, 100.00 USD more in dispute" in text for text in notes) == 1
    (invoice,) = [row[0] for row in shop.rows("SELECT remote_id FROM invoices WHERE number = 'H-3'")]
    shop.books["harbor"].act("pay", invoice=invoice, amount="150.00")
    shop.sandbox.advance(days=7)
    shop.arsync("run", status=None)
    assert "all that is open, 100.00 USD, is contested" in shop.arsync("explain", "H-3").out
    shop.arsync("run", status=None)
    assert sum("Dispute (hold 1)" in note["text"] for note in shop.books["harbor"].notes()) == 1


def test_a_dispute_of_a_part_after_the_plan_rewrites_the_message_at_the_last_look(shop: Installation) -> None:
    shop.configure(mode="approve")
    shop.arsync("run")
    shop.arsync("approve", "--all")
    shop.arsync("dispute", "T-1", "--amount", "200", "--reason", "two broken")
    shop.arsync("run", status=None)
    assert letter_to(shop, "cedarbooks") is None, "what was approved asked for 700.00"
    shop.arsync("approve", "--all")
    shop.arsync("run")
    told = letter_to(shop, "cedarbooks")
    assert told is not None
    assert "500.00" in told
    assert "Total" not in told or "700.00" not in told.partition("Total")[2]


def test_a_broken_promise_lets_the_chase_go_on_and_a_kept_one_ends(shop: Installation) -> None:
    """
    09-15 Birch promises H-3 for 09-16, Cedar T-1 for 09-16; grace until 09-18
    09-17 Cedar pays
    09-21 Birch has not: it is chased, and both answers stand in the books
    """
    for number in ("H-3", "T-1"):
        day = (TODAY + timedelta(days=1)).isoformat()
        shop.arsync("promise", number, "--date", day, "--reason", "by phone", "--author", "mia")
    shop.arsync("run")
    assert letter_to(shop, "birchcafe") is None
    assert letter_to(shop, "cedarbooks") is None
    (invoice,) = [row[0] for row in shop.rows("SELECT remote_id FROM invoices WHERE number = 'T-1'")]
    shop.books["thames"].act("pay", invoice=invoice)
    shop.sandbox.advance(days=6)
    shop.arsync("run", status=None)
    assert letter_to(shop, "birchcafe") is not None
    assert letter_to(shop, "cedarbooks") is None
    assert shop.json("holds") == []
    assert dict(shop.rows("SELECT n.name, p.state FROM promises p JOIN connections n ON n.id = p.connection_id")) == {
        "harbor": "broken", "thames": "kept",
    }  # fmt: skip
    (broken,) = [note for note in shop.books["harbor"].notes() if "broken: of 250.00 USD 0.00 USD came" in note["text"]]
    assert "it is chased again" in broken["text"]
    assert sum("kept: nothing of it is owed" in note["text"] for note in shop.books["thames"].notes()) == 1
    assert "promise of 250.00 USD by 2026-09-16: broken" in shop.arsync("explain", "H-3").out


def test_a_touch_by_hand_counts_for_the_gap_until_it_is_taken_back(shop: Installation) -> None:
    shop.arsync("touch", "--customer", "Birch Cafe", "--comment", "left a message", "--author", "mia")
    shop.arsync("run")
    assert letter_to(shop, "birchcafe") is None
    assert "a call by hand" in shop.arsync("explain", "H-3").out
    shop.arsync("undo", "touch", "1")
    shop.arsync("run")
    assert letter_to(shop, "birchcafe") is not None
