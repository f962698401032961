"""Companies: what of them can be read and for how long, what could not be, and what only a person can say of them."""

from __future__ import annotations

import pytest
from tests.integration.store.books import NOW, unreadable
from tests.integration.web.conftest import House
from tests.integration.web.counting import counted

from arsync.connector import Resource
from arsync.domain.states import Health
from arsync.store import connections, quarantine, reminders


def test_the_list_tells_of_ones_own_alone(house: House) -> None:
    ann, bob = house.comes("ann").get("/connections"), house.comes("bob").get("/connections")
    assert "harbour quickbooks ok" in ann.text
    assert "thames" not in ann.source
    assert "thames quickbooks ok" in bob.text


def test_records_that_could_not_be_read_are_told_with_why(house: House) -> None:
    """Q1 of C1; 120 more of nobody known: a page has a hundred."""
    with house.app.store.working() as work:
        records = [unreadable(Resource.INVOICES, "Q1", "C1")]
        records += [unreadable(Resource.INVOICES, f"R{number}") for number in range(120)]
        quarantine.keep(work, house.harbour.id, records, NOW)
        quarantine.keep(work, house.thames.id, [unreadable(Resource.INVOICES, "T1", "C9")], NOW)
        work.commit()
    ann = house.comes("ann")
    assert "/connections/harbour#unreadable" in ann.get("/connections").links
    page = ann.get("/connections/harbour")
    assert "121 in all" in page.text
    assert "invoices Q1 C1 Amount: not an amount: 'x'" in page.text
    assert "T1" not in page.source
    second = ann.get("/connections/harbour?page=2")
    assert page.source.count("not an amount") == 100
    assert second.source.count("not an amount") == 21
    assert ann.get("/connections/thames").status == 404


def test_the_list_takes_as_many_queries_for_ten_records_as_for_a_thousand(house: House) -> None:
    bob = house.comes("bob")

    def queries(path: str) -> int:
        return counted(house.app.store, lambda: bob.get(path))[0]

    found = []
    for count in (10, 1000):
        with house.app.store.working() as work:
            records = [unreadable(Resource.INVOICES, f"R{count}-{number}", "C1") for number in range(count)]
            quarantine.keep(work, house.harbour.id, records, NOW)
            work.commit()
        found.append([queries("/connections"), queries("/connections/harbour")])
    assert found[0] == found[1]
    assert max(found[0]) <= 15


def test_only_an_admin_says_whether_the_source_reminds_by_itself(house: House) -> None:
    with house.app.store.working() as work:
        work.connection.exec_driver_sql("UPDATE connections SET reminders_on = NULL")
        work.commit()
    assert "Does it send payment reminders itself?" not in house.comes("ann").get("/connections/harbour").text
    bob = house.comes("bob")
    assert "Does it send payment reminders itself?" in bob.get("/connections/harbour").text
    assert bob.send("/connections/harbour/reminders", reminds="perhaps").status == 422
    assert bob.send("/connections/harbour/reminders", reminds="off").to == "/connections/harbour"
    with house.app.store.reading() as work:
        answer = reminders.answered(work, house.harbour.id)
    assert answer is not None
    assert (answer.reminds, answer.author) == (False, "bob")
    assert ("reminders_answered", "bob") in house.log()
    assert "off, as bob said" in bob.get("/connections/harbour").text


def test_parting_is_asked_twice_and_the_company_is_gone_from_the_desk(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(house.app), "consent", lambda _self, _provider: None)
    bob = house.comes("bob")
    assert "Disconnect harbour?" in bob.get("/connections/harbour/disconnect").text
    assert bob.send("/connections/harbour/disconnect").to == "/connections"
    with house.app.store.reading() as work:
        assert connections.connection(work, "harbour").health is Health.DISCONNECTED
    assert bob.get("/connections/harbour").status == 404
    assert "disconnected" in bob.get("/connections").text
    assert "harbour" not in house.comes("ann").get("/connections").text
    assert [who for what, who in house.log() if "disconnect" in what] == ["bob"]
