"""Nights that mail by a mail server: who is put off, who is not written to twice, and what belongs together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email import message_from_bytes, policy

import pytest
from tests.integration.outbox.office import Office
from tests.unit.channel.mail_server import Door, mail_server

from arsync.bootstrap import App
from arsync.cli.approving import approve_messages
from arsync.domain.states import MessageState
from arsync.store import messages

Opened = Callable[..., Office]


@pytest.fixture
def door() -> Iterator[Door]:
    with mail_server() as opened:
        yield opened


def by_mail_server(open_office: Opened, door: Door, *names: str) -> tuple[Office, App]:
    """Customers that owe one invoice each, five days late."""
    server = f'[smtp]\nhost = "{door.host}"\nport = {door.port}\ntls = "none"\n'
    office = open_office("quickbooks", channel="smtp", client=server)
    books = office.books[0]
    for place, name in enumerate(names):
        books.invoice(books.customer(name), f"{900 - 100 * place}.00", days_late=5)
    return office, office.load()


def reached(door: Door) -> list[str]:
    return [address for _, addresses, _ in door.taker.taken for address in addresses]


def test_who_is_put_off_goes_out_later_and_a_chase_is_one_conversation(open_office: Opened, door: Door) -> None:
    """
    06-09 Two's mailbox puts us off (greylisting)   the others go out, Two waits a quarter of an hour
    06-09 half an hour later                        Two goes out
    06-15 firm to One, whom a person lets go        names the mail of 06-09
    """
    door.taker.recipients["accounts@two.example"] = "451 4.7.1 greylisted"
    office, app = by_mail_server(open_office, door, "One Ltd", "Two Ltd", "Three Ltd")
    night = office.night(app)
    assert night.accepted == 2
    assert reached(door) == ["accounts@one.example", "accounts@three.example"]
    (waiting,) = [one for one in office.messages(app) if one.state is MessageState.APPROVED]
    assert (waiting.attempts, "greylisted" in waiting.reason) == (1, True)

    door.taker.recipients.clear()
    office.pass_time(minutes=30)
    assert office.night(app).accepted == 1
    assert reached(door)[-1] == "accounts@two.example"

    office.pass_time(days=9)
    office.night(app)
    (first, firm) = [one for one in office.messages(app) if one.recipients[0].endswith("@one.example>")]
    approve_messages(app, [firm.id], "Ann")
    office.night(app)
    mail = message_from_bytes(door.taker.taken[-1][2], policy=policy.default)
    assert mail["Message-ID"] == f"<{firm.key}@harbour.example>"
    assert mail["In-Reply-To"] == mail["References"] == f"<{first.key}@harbour.example>"
    with app.store.reading() as work:
        assert (messages.get(work, firm.id).reference or "").startswith("250 ")


def test_a_message_whose_answer_is_lost_is_not_sent_again(open_office: Opened, door: Door) -> None:
    door.taker.message = "gone"
    office, app = by_mail_server(open_office, door, "One Ltd")
    office.night(app)
    assert office.states(app) == ["unknown"]
    door.taker.message = ""
    office.pass_time(days=1)
    office.night(app)
    assert office.states(app) == ["unknown"]
    assert reached(door) == ["accounts@one.example"]
