"""Two clients whose books look alike, and their mail: what is enclosed, what comes back, what is answered."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from tests.acceptance.clients import NORTH, OWN, SOUTH
from tests.acceptance.installation import Installation
from tests.integration.inbox.imap_server import running_mailbox

SIGNS = {name: (b"The %s company" % name.encode(), b"%s Ltd" % name.title().encode()) for name in (NORTH, SOUTH)}
RETURNED = """\
From: MAILER-DAEMON@mx.acme.example
To: accounts@north.example
Subject: Undelivered Mail Returned to Sender
Message-ID: <returned@mx.acme.example>
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.acme.example

Final-Recipient: rfc822; ap@acme.example
Action: failed
Status: 5.1.1
--b
Content-Type: message/rfc822

Message-ID: {id}

Dear Acme
--b--
"""


def mailed(firm: Installation) -> dict[str, EmailMessage]:
    """The first message of each company."""
    return {str(mail["From"]).partition("@")[2].partition(".")[0]: mail for mail in firm.letters()}


def read(firm: Installation, *mails: str) -> None:
    """The mailbox that all clients share holds these, and is read."""
    with running_mailbox({number: mail.encode() for number, mail in enumerate(mails, 1)}) as box:
        text = firm.config.read_text(encoding="utf-8").partition("[inbox.imap]")[0]
        said = f'host = "127.0.0.1"\nport = {box.port}\nuser = "mia"\npassword = "pass word"\ntls = "off"\n'
        firm.config.write_text(f"{text}[inbox.imap]\n{said}", encoding="utf-8")
        firm.arsync("inbox", "poll", status=None)


def companies(firm: Installation, query: str) -> list[str]:
    """The names of the companies of such rows."""
    return [name for (name,) in firm.rows(f"SELECT c.name FROM {query} JOIN connections c ON c.id = x.connection_id")]


def test_what_is_enclosed_is_of_the_company_that_writes(firm: Installation) -> None:
    """The statement, and the invoice as the source prints it; both invoices have one number and one id."""
    firm.arsync("init")
    playbook = firm.folder / "playbooks" / "standard.yaml"
    text = playbook.read_text(encoding="utf-8")
    playbook.write_text(
        text.replace("template: friendly\n", "template: friendly\n    attach: [statement, invoices]\n", 1)
    )
    firm.arsync("run")
    found = mailed(firm)
    assert set(found) == {NORTH, SOUTH}
    for name, mail in found.items():
        other = SOUTH if name == NORTH else NORTH
        files = [part.get_content() for part in mail.iter_attachments()]
        assert [any(sign in body for sign in SIGNS[name]) for body in files] == [True, True]
        assert [sign for body in files for sign in SIGNS[other] if sign in body] == []


def test_a_mail_that_comes_back_is_one_companys(firm: Installation) -> None:
    firm.arsync("run")
    read(firm, RETURNED.format(id=mailed(firm)[NORTH]["Message-ID"]))
    states = "SELECT c.name, x.state FROM messages x JOIN connections c ON c.id = x.connection_id"
    assert dict(firm.rows(states)) == {NORTH: "bounced", SOUTH: "accepted"}
    assert {company for (company,) in firm.rows("SELECT connection_id FROM replies")} == {1}


@pytest.mark.parametrize("by", ["the address it answers to", "the company's address and its sender"])
def test_an_answer_is_one_companys_though_the_same_person_owes_both(firm: Installation, by: str) -> None:
    """What they tell South is not told to North, and stops nothing there."""
    firm.arsync("run")
    to = str(mailed(firm)[SOUTH]["Reply-To"]) if by.startswith("the address") else "answers@south.example"
    answer = (
        f"From: Ann <ap@acme.example>\nTo: {to}\nSubject: Re: your invoice\nMessage-ID: <a1@acme.example>\n\n"
        "We dispute INV-1, the goods were broken.\n"
    )
    read(firm, answer)
    assert companies(firm, "replies x") == [SOUTH]
    assert companies(firm, "holds x") == [SOUTH]
    before = len(firm.books[NORTH].notes())
    firm.arsync("run", status=None)
    assert "goods were broken" not in str(firm.books[NORTH].notes())
    assert len(firm.books[NORTH].notes()) == before
    assert "goods were broken" in str(firm.books[SOUTH].notes())
    assert "broken" not in firm.arsync("replies", "list", "--connection", NORTH).out
    assert OWN[SOUTH][0] not in firm.arsync("explain", "INV-1", "--connection", NORTH).out
