"""Many companies in one installation, as the doctor sees them."""

from __future__ import annotations

from pathlib import Path

from arsync.ops.tenancy import examine_tenancy
from arsync.settings import load

FIRM = """
[defaults]
collecting_for_others = "on"
[group.retail]
legal_footer = "Sent by Ledger LLP for its clients"
[group.wholesale]
[connection.birch]
group = "retail"
[connection.elm]
[connection.own]
collecting_for_others = "off"
"""


def findings(folder: Path, text: str, *linked: str) -> list[str]:
    (folder / "arsync.toml").write_text(text, encoding="utf-8")
    read = load(folder / "arsync.toml", environ={})
    return [f"{found.level} {found.subject}: {found.detail}" for found in examine_tenancy(read, linked)]


def test_a_group_without_a_company_and_a_company_without_a_consent_are_told(tmp_path: Path) -> None:
    found = findings(tmp_path, FIRM, "birch", "elm", "own")
    assert found[0] == "warn settings: no company is in [group.wholesale]: it holds for nobody"
    assert findings(tmp_path, FIRM, "birch", "own")[0] == (
        "warn connections: connection.elm is configured, not connected"
    )


def test_who_collects_for_others_is_warned_of_the_law_and_of_a_message_that_does_not_say_so(tmp_path: Path) -> None:
    _unused, law, silent = findings(tmp_path, FIRM, "birch", "elm", "own")
    assert law.startswith("warn law: birch, elm: you collect here for somebody else:")
    assert silent.startswith("warn law: elm: collected for somebody else, and no message says who you are")


def test_who_collects_for_itself_hears_nothing(tmp_path: Path) -> None:
    assert findings(tmp_path, '[defaults]\nlegal_footer = "x"\n', "birch") == []


def test_of_three_hundred_clients_a_few_are_named(tmp_path: Path) -> None:
    clients = [f"client-{number:03}" for number in range(300)]
    law, _silent = findings(tmp_path, '[defaults]\ncollecting_for_others = "on"\n', *clients)
    assert "client-004 and 295 more: you collect" in law
