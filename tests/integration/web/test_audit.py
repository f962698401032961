"""The log: who did what, of the companies that are one's own."""

from __future__ import annotations

import pytest
from tests.integration.store.books import NOW
from tests.integration.web.conftest import House
from tests.integration.web.counting import counted

from arsync.store import audit, events


def keep(house: House, *lines: tuple[str, str, int | None]) -> None:
    with house.app.store.working() as work:
        for kind, author, connection_id in lines:
            events.log(work, kind, at=NOW, author=author, connection_id=connection_id, reason=f"by {author}")
        work.commit()


def test_it_tells_of_ones_own_companies_alone(house: House) -> None:
    keep(house, ("hold_placed", "eve", house.harbour.id), ("call_logged", "tom", house.thames.id))
    ann, bob = house.comes("ann").get("/audit"), house.comes("bob").get("/audit")
    assert "eve hold placed harbour" in ann.text
    assert "call logged" not in ann.text
    assert "logged in" not in ann.text  # log-ins are the whole installation's
    assert "tom call logged thames" in bob.text
    assert "bob logged in" in bob.text


def test_it_is_asked_who_and_what(house: House) -> None:
    """By itself arsync does much: it is left out unless asked for."""
    keep(
        house, ("hold_placed", "eve", house.harbour.id), ("hold_lifted", "kim", house.harbour.id),
        ("message_accepted", "arsync", house.harbour.id),
    )  # fmt: skip
    ann = house.comes("ann")
    assert "by arsync" not in ann.get("/audit").text
    assert "by arsync" in ann.get("/audit?people=no").text
    assert "by eve" in (eves := ann.get("/audit?author=eve&people=no").text)
    assert "by kim" not in eves
    assert "by kim" in (lifted := ann.get("/audit?kind=hold_lifted").text)
    assert "by eve" not in lifted
    assert ann.get("/audit?company=thames").status == 404


def test_a_long_log_is_told_a_page_at_a_time(house: House) -> None:
    keep(house, *((f"call_{number}", "eve", house.harbour.id) for number in range(250)))
    ann = house.comes("ann")
    queries, page = counted(house.app.store, lambda: ann.get("/audit"))
    seen = [page.text.count("by eve")]
    while older := next((link for link in page.links if "before=" in link), None):
        page = ann.get(older)
        seen.append(page.text.count("by eve"))
    assert seen == [100, 100, 50]
    assert queries <= 12


def test_one_question_looks_at_a_window_of_the_log_and_goes_on_from_there(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(house, ("hold_placed", "eve", house.harbour.id), *([("payer_changed", "arsync", house.harbour.id)] * 30))
    wanted = audit.Wanted([house.harbour.id], people=True)
    monkeypatch.setattr(audit, "WINDOW", 20)
    with house.app.store.reading() as work:
        first = audit.told(work, wanted, before=None, most=10)
        assert (first.entries, first.kinds) == ((), ("payer_changed",))
        second = audit.told(work, wanted, before=first.further, most=10)
    assert [(one.kind, one.author) for one in second.entries] == [("hold_placed", "eve")]
