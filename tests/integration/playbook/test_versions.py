"""A running chase stays with the version it began with until somebody accepts the change."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import text
from tests.integration.playbook.shop import Shop, ladder
from tests.integration.store.books import NOW

from arsync.domain.chase import Rule
from arsync.domain.states import Decision
from arsync.errors import ConfigurationError, NotFound, UsageError
from arsync.store import playbooks


def steps(shop: Shop, on: date | None = None) -> dict[str, str]:
    """Payer -> the step that would go out."""
    return {one.facts.payer_id: one.intent.step.id for one in shop.look(on) if one.intent is not None}


def test_a_running_chase_keeps_its_version_and_a_new_one_takes_the_new(shop: Shop) -> None:
    """
    09-01 C1 is planned: day-3     standard is rewritten to day-5     C1 day-3 still, C2 day-5
    """
    shop.owes("C1", "I1")
    shop.night()
    began = shop.chase("C1")
    shop.write("standard", "", ladder(5, 14, 30))
    shop.owes("C2", "I2")
    assert shop.night().kept == 1, "what was planned still holds"
    assert steps(shop) == {"C1": "day-3", "C2": "day-5"}
    assert shop.chase("C1") == began
    assert shop.chase("C2").playbook_version != began.playbook_version


def test_a_pinned_version_is_read_with_its_templates_from_the_store(shop: Shop) -> None:
    shop.owes("C1", "I1")
    shop.night()
    before = shop.chase().playbook_version
    for path in (shop.folder / "templates").glob("friendly.en.*"):
        path.write_text(path.read_text() + "\nAnd greetings from the new owner.\n")
    assert shop.night().kept == 1
    assert shop.chase().playbook_version == before
    with shop.books.store.reading() as work:
        kept = playbooks.read(work, before or "")
    assert kept is not None
    assert kept.text.startswith("name: standard")
    assert "friendly.en.txt.j2" in kept.templates
    (changed,) = shop.review()
    assert (changed.name, changed.change, changed.chases, changed.moves) == ("standard", "changed", 1, ())
    shop.accept("standard")
    assert shop.night().superseded == 1, "its words are others now"
    assert shop.chase().playbook_version != before


def test_a_change_is_reviewed_and_accepted(shop: Shop) -> None:
    shop.owes("C1", "I1", due_on=date(2026, 8, 27))
    shop.owes("C2", "I2", due_on=date(2026, 8, 1))
    shop.night()
    assert shop.review() == []
    shop.write("standard", "", ladder(7, 14, 30))
    (one,) = shop.review()
    assert (one.name, one.change, one.chases, one.refused) == ("standard", "changed", 2, False)
    assert [(move.payer, move.before, move.after) for move in one.moves] == [
        ("Customer C1", "standard: day-3 today", "standard: day-7 on 2026-09-03")
    ], "the other stands where it stood"
    version = shop.chase("C1").version
    assert shop.accept("standard") == 2
    assert shop.chase("C1").version > version, "what is in flight is planned again"
    assert shop.review() == []
    assert steps(shop).get("C1") is None
    shop.night()
    assert shop.books.rows("SELECT count(*) FROM events WHERE kind = 'playbook_accepted'") == [(1,)]


def test_a_change_that_was_refused_is_not_asked_about_again(shop: Shop) -> None:
    shop.owes("C1", "I1")
    shop.night()
    shop.write("standard", "", ladder(5, 14, 30))
    shop.keep("standard")
    assert [one.refused for one in shop.review()] == [True]
    shop.night()
    assert steps(shop) == {"C1": "day-3"}
    shop.write("standard", "", ladder(6, 14, 30))
    assert [one.refused for one in shop.review()] == [False], "the next change is"


def test_a_new_playbook_takes_no_running_chase_before_it_is_accepted(shop: Shop) -> None:
    shop.owes("C1", "I1")
    shop.night()
    shop.write("never", "{priority: 1}", 'do_nothing: "we are closing"\n')
    shop.owes("C2", "I2")
    shop.night()
    assert steps(shop) == {"C1": "day-3"}
    (one,) = shop.review()
    assert (one.name, one.change, [move.after for move in one.moves]) == ("never", "added", ["never: do_nothing"])
    shop.accept("never")
    assert steps(shop) == {}


def test_a_playbook_that_is_taken_away_goes_on_for_those_who_run_on_it(shop: Shop) -> None:
    shop.write("large", '{priority: 1, balance: {EUR: {from: "5000"}}}', ladder(5))
    shop.owes("C1", "I1", "7000.00")
    shop.night()
    (shop.folder / "large.yaml").unlink()
    assert steps(shop) == {"C1": "day-5"}
    assert [(one.name, one.change) for one in shop.review()] == [("large", "removed")]
    shop.accept("large")
    assert steps(shop) == {"C1": "day-3"}


def test_two_that_swap_their_priorities_are_accepted_together(shop: Shop) -> None:
    for name, priority in (("one", 1), ("two", 2)):
        shop.write(name, f"{{priority: {priority}, tag: [x]}}", ladder(5))
    shop.owes("C1", "I1")
    shop.night()
    for name, priority in (("one", 2), ("two", 1)):
        shop.write(name, f"{{priority: {priority}, tag: [x]}}", ladder(5))
    with pytest.raises(UsageError, match=r"playbook .* has the priority 2, and so has playbook .*: accept these"):
        shop.accept("one")
    assert shop.accept("one", "two") == 1
    with pytest.raises(NotFound, match="a change of playbook 'one'"):
        shop.accept("one")


def test_a_pinned_version_that_cannot_be_read_any_more_holds_its_chases(shop: Shop) -> None:
    """A newer arsync may know a key no more, or know it otherwise: nobody guesses."""
    shop.owes("C1", "I1")
    shop.night()
    shop.write("standard", "", ladder(5, 14, 30))
    shop.owes("C2", "I2")
    shop.night()
    with shop.books.store.working() as work:
        old = shop.chase("C1").playbook_version
        work.execute(
            text("UPDATE playbook_versions SET text = 'name: standard\ngap: 0\n' WHERE version = :v"), {"v": old}
        )
        work.commit()
    said = shop.said("I1")
    assert (said.rule, said.decision, said.next_on) == (Rule.NO_PLAYBOOK, Decision.HOLD, None)
    assert "cannot be read any more: standard.yaml:" in said.reason
    assert said.reason.endswith("arsync playbook accept standard")
    assert steps(shop) == {"C2": "day-5"}, "the others go on"
    shop.accept("standard")
    assert steps(shop) == {"C1": "day-5", "C2": "day-5"}


def test_two_playbooks_of_one_priority_stop_planning_and_name_both_files(shop: Shop) -> None:
    shop.write("one", "{priority: 1, tag: [x]}")
    shop.write("two", "{priority: 1, tag: [y]}")
    with pytest.raises(ConfigurationError, match=r"two\.yaml:1: match: has the priority 1, and so has one\.yaml"):
        shop.policy()


def test_a_chase_that_ends_and_begins_again_takes_the_present_version(shop: Shop) -> None:
    shop.owes("C1", "I1")
    shop.night()
    shop.write("standard", "", ladder(5, 14, 30))
    shop.owes("C1", "I1", "0.00", minutes=1)
    shop.night()
    shop.now = NOW + timedelta(days=1)
    shop.owes("C1", "I2", minutes=2)
    shop.night()
    assert steps(shop) == {"C1": "day-5"}
