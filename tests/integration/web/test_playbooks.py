"""Playbooks: shown as they are, previewed in each language, tried on the past, and their changes answered."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from tests.integration.store.books import NOW, contact, customer, invoice
from tests.integration.web.conftest import House

from arsync.resources import bundled


def own(house: House, *names: str) -> Path:
    """The installation's own folder with these, as they are shipped."""
    folder = house.app.settings.playbook_folder
    folder.mkdir()
    for name in names:
        (folder / f"{name}.yaml").write_text((bundled("playbooks") / f"{name}.yaml").read_text(encoding="utf-8"))
    return folder


def begun(house: House) -> None:
    """The chases of Harbour run on the playbooks as they are now."""
    policy = house.app.anew(house.app.settings).policy(house.harbour.connection)
    with house.app.store.working() as work:
        rulebook = policy.shelves.keep(work, policy.shelf, now=NOW)
        mine = text("UPDATE chases SET rulebook = :rulebook WHERE connection_id = :own")
        work.execute(mine, {"rulebook": rulebook, "own": house.harbour.id})
        work.commit()


def test_a_ladder_is_a_picture_and_a_table_with_the_same_numbers(house: House) -> None:
    ann = house.comes("ann")
    assert "/playbooks/standard" in ann.get("/playbooks").links
    page = ann.get("/playbooks/standard")
    assert "1: courtesy on 3 days before the due date, 2: friendly on 3 days after the due date" in page.source
    assert "2 friendly 3 days after the due date email friendly as the settings say" in page.text
    assert page.links.count("/playbooks/standard/friendly?language=de") == 1
    assert ann.get("/playbooks/nobody-wrote-it").status == 404


def test_a_step_is_shown_in_each_language_in_a_frame_without_rights(house: House) -> None:
    ann = house.comes("ann")
    german = ann.get("/playbooks/standard/friendly?language=de")
    assert "<iframe" in german.source
    assert 'sandbox src="/playbooks/standard/friendly/message?language=de&amp;company=harbour"' in german.source
    message = ann.get("/playbooks/standard/friendly/message?language=de&company=harbour")
    assert "Harbour Hotel Group" in message.source or "Okafor" in message.source
    policy = message.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert policy.endswith("sandbox")
    assert "script" not in policy
    assert message.headers["x-frame-options"] == "SAMEORIGIN"
    for wrong in ("friendly?language=tlh", "friendly/message?language=../en", "unwritten", "friendly?company=thames"):
        assert ann.get(f"/playbooks/standard/{wrong}").status == 404, wrong


def test_what_is_wrong_is_told_with_its_line_and_mended_without_a_restart(house: House) -> None:
    file = own(house, "standard") / "standard.yaml"
    right = file.read_text(encoding="utf-8")
    ann = house.comes("ann")
    assert "Nothing is wrong" in ann.get("/playbooks").text
    file.write_text(right.replace("gap:", "gapp:"), encoding="utf-8")
    page = ann.get("/playbooks")
    assert "standard.yaml:" in page.text
    assert "did you mean gap ?" in page.text
    file.write_text(right, encoding="utf-8")
    assert "Nothing is wrong" in ann.get("/playbooks").text


def test_two_playbooks_are_tried_on_the_past_beside_each_other(house: House) -> None:
    """07-31 J1 of Bee falls due, and has been known since it was written"""
    early = -900_000
    house.harbour.keep(
        customer("C7", name="Bee", contacts=[contact("Ada")], minutes=early),
        invoice("J1", customer="C7", minutes=early),
    )
    ann = house.comes("ann")
    assert "What would have come of it" not in ann.get("/simulate").text
    asked = "/simulate?company=harbour&playbook=standard&against=gentle&from=2026-07-01&to=2026-08-31"
    page = ann.get(asked)
    assert page.status == 200
    assert "customers who hear from us 1 1" in page.text
    assert "standard: who would have heard most" in page.text
    assert "Bee" in page.text
    assert house.harbour.rows("SELECT id FROM messages") == []
    assert ann.get("/simulate?playbook=nobody-wrote-it").status == 404
    assert ann.get("/simulate?company=thames").status == 404
    assert ann.get("/simulate?playbook=standard&from=2024-01-01&to=2026-08-31").status == 422


@pytest.mark.parametrize(("answer", "moved"), [("accept", True), ("keep", False)])
def test_a_change_is_accepted_or_kept_from_running_chases_as_it_was_seen(
    house: House, answer: str, moved: bool
) -> None:
    file = own(house, "standard") / "standard.yaml"
    begun(house)
    written = file.read_text(encoding="utf-8")
    file.write_text(written.replace("gap: 5", "gap: 6"), encoding="utf-8")
    bob = house.comes("bob")
    page = bob.get("/review")
    assert "standard was changed" in page.text
    version = page.form(f"/review/{answer}").fields["version"]
    file.write_text(written.replace("gap: 5", "gap: 7"), encoding="utf-8")
    assert bob.send(f"/review/{answer}", name="standard", version=version).status == 422
    version = bob.get("/review").form(f"/review/{answer}").fields["version"]
    assert bob.send(f"/review/{answer}", name="standard", version=version).to == "/review"
    assert ("playbook_accepted" if moved else "playbook_kept", "bob") in house.log()
    after = bob.get("/review").text
    assert ("Every running chase is on the present playbooks" in after) is moved
    assert ("Somebody has said that they stay" in after) is not moved
