"""Mail that comes back: the ladder steps back, the address is let go, and the next one is written to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from tests.integration.outbox.office import Office

from arsync.bootstrap import App
from arsync.cli.app import run
from arsync.domain.documents import Contact, ContactRole
from arsync.playbook.passes import consider
from arsync.store import own_contacts, suppressions

Opened = Callable[..., Office]


def debtor(open_office: Opened, address: str, days_late: int = 5) -> tuple[Office, App, str]:
    """One customer with one invoice; mail goes by SendGrid."""
    office = open_office("quickbooks", channel="sendgrid")
    books = office.books[0]
    customer = books.customer("One Ltd", address)
    books.invoice(customer, "900.00", days_late=days_late)
    return office, office.load(), customer


def reached(office: Office, app: App) -> list[list[str]]:
    """To whom this office's messages went: another test's may lie in the sandbox as well."""
    ours = {message.key for message in office.messages(app)}
    return [mail["to"] for mail in office.sent() if mail["key"] in ours]


def reasons(app: App) -> list[str]:
    with app.store.reading() as work:
        (connection,) = app.linked()
        plans = consider(work, connection, app.policy(connection), now=app.clock.now())
    return [f"{verdict.rule}: {verdict.reason}" for plan in plans for verdict in plan.verdicts]


@pytest.mark.parametrize("how", ["unsubscribe", "spam_report"])
def test_nobody_looks_for_another_address_of_who_wants_no_mail(open_office: Opened, how: str) -> None:
    """
    06-10 friendly, 3 days late: they want no such mail
    06-22 firm is due: a letter, a call or nothing, and a person says which
    """
    jane = f"jane@{how.replace('_', '-')}.example"
    office, app, _ = debtor(open_office, jane, days_late=2)
    office.sandbox.mailbox(jane, how)
    for days in (1, 1, 12):
        office.night(app)
        office.pass_time(days=days)
    office.night(app)
    why = f"nobody writes to {jane} ({how} of 2026-06-10): arsync suppressions"
    so = "a person writes a letter or calls (arsync touch), or leaves it be (arsync hold)"
    assert reasons(app) == [f"no_recipient: One Ltd wants no e-mail ({why}); {so}"]


def test_a_bounce_on_the_providers_list_steps_back_and_the_next_address_is_written_to(open_office: Opened) -> None:
    """
    06-10 friendly to jane, 3 days late: SendGrid takes it
    06-11 jane stands on the list of bounces        the message has bounced
    06-15 the gap is over                           nobody else is known: a person must act
    06-15 a person names another address            friendly goes there
    """
    jane = "jane@bounces.example"
    office, app, customer = debtor(open_office, jane, days_late=2)
    office.sandbox.mailbox(jane, "bounce")
    office.night(app)
    office.pass_time(days=1)
    office.night(app)
    assert office.states(app) == ["accepted"]
    office.pass_time(days=1)
    office.night(app)
    assert office.states(app) == ["bounced"]
    office.pass_time(days=4)
    office.night(app)
    assert [reason.split(":")[0] for reason in reasons(app)] == ["no_recipient"]
    assert f"nobody writes to {jane} (bounce of 2026-06-10): arsync suppressions" in reasons(app)[0]
    assert "a person must enter one in the accounting system" in reasons(app)[0]
    with app.store.working() as work:
        (connection,) = app.linked()
        other = Contact("Bo", "bo@one.example", None, ContactRole.BILLING)
        own_contacts.put(work, connection.id, customer, other, author="Ann", now=app.clock.now())
        work.commit()
    office.night(app)
    assert reached(office, app) == [[jane], ["bo@one.example"]]
    assert [message.step_id for message in office.messages(app)] == ["friendly", "friendly"]


def test_a_signed_webhook_is_taken_once_and_a_forged_one_not_at_all(
    open_office: Opened, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jane = "jane@complains.example"
    office, app, _ = debtor(open_office, jane)
    office.sandbox.mailbox(jane, "spam_report")
    office.sandbox.sendgrid_webhook()  # what other tests have left
    office.night(app)
    post = office.sandbox.sendgrid_webhook()
    said = office.config.read_text(encoding="utf-8")
    keyed = f'[sendgrid]\nwebhook_public_key = "{post["public_key"]}"\n'
    office.config.write_text(said.replace("[sendgrid]\n", keyed), encoding="utf-8")
    body = tmp_path / "body.json"

    def took(text: str) -> tuple[int, str]:
        body.write_bytes(text.encode())
        said = ["events", "import", str(body), "--signature", post["signature"], "--timestamp", post["timestamp"]]
        status = run(["--config", str(office.config), *said])
        out, err = capsys.readouterr()
        return status, out + err

    assert took(post["body"].replace("spamreport", "delivered")) == (
        1,
        "The message does not carry its vendor's signature: the signature does not fit the body\n",
    )
    assert office.states(app) == ["accepted"]
    status, told = took(post["body"])
    assert (status, told) == (
        0,
        "3 new, 0 known before, 0 about other mail; messages: 1 delivered, 0 came back; 1 addresses suppressed\n",
    )
    assert office.states(app) == ["delivered"]
    assert took(post["body"])[1].startswith("0 new, 3 known before")
    assert run(["--config", str(office.config), "suppressions", "lift", jane, "--reason", "they asked for it"]) == 0
    assert run(["--config", str(office.config), "events", "poll"]) == 0
    with app.store.reading() as work:
        assert suppressions.of(work, [jane]) == {}, "it is off SendGrid's own list, too"


def test_a_key_that_may_not_read_lists_is_told_and_stops_nobody(open_office: Opened) -> None:
    office, app, _ = debtor(open_office, "jane@one.example")
    office.sandbox.fault("error", {"provider": "sendgrid", "path_contains": "suppression"}, status=403)
    night = office.night(app)
    assert night.accepted == 1
    assert ["suppression_lookup" in error for error in night.shifts[0].errors] == [True]


def test_every_list_is_read_as_sendgrids_document_has_it(open_office: Opened) -> None:
    """Each exchange is held against the document after the test. What is only blocked may be written to again."""
    does = ("bounce", "block", "spam_report", "invalid", "unsubscribe")
    office = open_office("quickbooks", channel="sendgrid")
    books = office.books[0]
    for one in does:
        office.sandbox.mailbox(f"{one}@mail.example", one)
        books.invoice(books.customer(f"{one.title()} Ltd", f"{one}@mail.example"), "900.00", days_late=5)
    app = office.load()
    office.night(app)
    office.pass_time(days=1)
    office.night(app)
    with app.store.reading() as work:
        known = suppressions.standing(work)
    assert {one: str(known[f"{one}@mail.example"].kind) for one in does if f"{one}@mail.example" in known} == {
        "bounce": "bounce",
        "spam_report": "spam_report",
        "invalid": "invalid",
        "unsubscribe": "unsubscribe",
    }
    assert sorted(office.states(app)) == ["accepted", "accepted", "bounced", "bounced", "bounced"]
    for wrong in ({"limit": "501"}, {"offset": "-1"}, {"since": "1"}):
        url = f"{office.sandbox.sendgrid_host}/v3/suppression/bounces"
        refused = requests.get(url, params=wrong, headers={"Authorization": "Bearer SG.sandbox"}, timeout=5)
        assert refused.status_code == 400


def test_a_copy_goes_along_and_one_that_comes_back_undoes_nothing(open_office: Opened) -> None:
    """
    06-09 friendly to jane, a copy to books        one message, whose note names both
    06-10 books stands on the list of bounces      the message stands
    06-22 firm                                     to jane only
    """
    books, jane = "books@copied.example", "jane@copied.example"
    office, app, customer = debtor(open_office, jane)
    with app.store.working() as work:
        (connection,) = app.linked()
        copied = Contact("Books", books, None, ContactRole.CC)
        own_contacts.put(work, connection.id, customer, copied, author="Ann", now=app.clock.now())
        work.commit()
    office.sandbox.mailbox(books, "bounce")
    office.night(app)
    mails = [mail for mail in office.sandbox.messages() if jane in mail["to"]]
    assert [(mail["to"], mail["cc"]) for mail in mails] == [([jane], [books])]
    assert f"Books <{books}> (copy)" in office.books[0].notes()[0]["text"]
    office.pass_time(days=13)
    office.night(app)
    first, second = office.messages(app)
    assert (first.state.value, first.copies) == ("accepted", (f"Books <{books}>",))
    assert (second.step_id, second.copies) == ("firm", ())
