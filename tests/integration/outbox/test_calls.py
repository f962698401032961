"""The call list tells what is at stake today, and a call is read again when it is opened."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.outbox.office import Office

from arsync.cli.app import run
from arsync.resources import bundled

Opened = Callable[..., Office]
PLAYBOOK = """\
name: ringing
gap: 1
window: {weekdays: [mon, tue, wed, thu, fri], opens: "09:00", closes: "17:00"}
steps:
  - {id: ring, offset: 3, channel: call, tone: friendly, template: call}
"""


def test_a_call_tells_what_is_owed_when_it_is_opened_and_is_withdrawn_when_nothing_is(
    open_office: Opened, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    06-09 on the list: Borough over 900.00, then Aldgate over 500.00 and 100.00
    06-09 Borough pays, and Aldgate its 500.00: opened, Borough is off the list, Aldgate is asked for 100.00
    """
    own = tmp_path / "own"
    shutil.copytree(bundled("playbooks") / "templates", own / "templates")
    (own / "ringing.yaml").write_text(PLAYBOOK)
    office = open_office("quickbooks", playbook=str(own / "ringing.yaml"))
    books = office.books[0]
    aldgate = books.customer("Aldgate Ltd")
    paid = [books.invoice(aldgate, "500.00", days_late=5)]
    books.invoice(aldgate, "100.00", days_late=5)
    paid += [books.invoice(books.customer("Borough Ltd"), "900.00", days_late=5)]
    office.night(office.load())

    def calls(*words: str) -> Any:
        capsys.readouterr()
        assert run(["--config", str(office.config), "calls", *words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    first, second = calls()
    assert [(one["amount"], one["at_stake"]) for one in (first, second)] == [("900.00", "900.00"), ("600.00", "600.00")]
    for invoice in paid:
        books.act("pay", invoice=invoice)
    office.pass_time(minutes=5)
    assert calls(str(first["id"])) == {"withdrawn": "nothing that it was about is owed any more"}
    told = calls(str(second["id"]))
    assert told["at_stake"] == "100.00"
    assert "100.00" in told["subject"]
    assert "500.00" not in told["text"], "the script says what is owed by now"
    assert told["local_time"].startswith("2026-06-09T10:35")
    assert [(one["id"], one["at_stake"]) for one in calls()] == [(second["id"], "100.00")]
    assert run(["--config", str(office.config), "calls", str(second["id"])]) == 0
    out = capsys.readouterr().out
    assert "it is Tuesday 10:35 there (America/New_York)" in out
    assert "it was 600.00 when the call was put on the list" in out


def test_a_call_that_took_a_mails_place_has_a_script_of_its_own(
    open_office: Opened, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can write to Aldgate: on the list, and when it is opened, it reads as a call."""
    own = tmp_path / "own"
    shutil.copytree(bundled("playbooks") / "templates", own / "templates")
    step = "channel: email, instead: call, instead_template: call, tone: friendly, template: friendly"
    (own / "ringing.yaml").write_text(PLAYBOOK.replace("channel: call, tone: friendly, template: call", step))
    office = open_office("quickbooks", playbook=str(own / "ringing.yaml"))
    books = office.books[0]
    nobody = str(books.act("new_customer", name="Aldgate Ltd", email="")["customer"])
    books.invoice(nobody, "500.00", days_late=5)
    app = office.load()
    office.night(app)
    (message,) = office.messages(app)
    assert (message.channel, message.state) == ("call", "accepted")
    capsys.readouterr()
    assert run(["--config", str(office.config), "calls", str(message.id), "--json"]) == 0
    opened = json.loads(capsys.readouterr().out)
    for subject, text in ((message.subject, message.text), (opened["subject"], opened["text"])):
        assert subject.startswith("Call Aldgate Ltd")
        assert "What to ask:" in text
