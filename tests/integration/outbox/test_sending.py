"""What a mail provider may do to a message, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.outbox.office import Books, Office, clock_of, elsewhere

from arsync.bootstrap import App
from arsync.channel.contract import Envelope, Receipt
from arsync.channel.sendgrid import SendGridChannel
from arsync.cli.approving import approve_messages
from arsync.domain.states import MessageState
from arsync.errors import Stopped
from arsync.outbox import send as sending
from arsync.playbook.passes import consider
from arsync.playbook.review import accept, review
from arsync.resources import bundled
from arsync.session import first_byte
from arsync.store import messages, verdicts
from arsync.worker import jobs
from arsync.worker.stopping import StoppableClock, Stopping

Opened = Callable[..., Office]
MAIL = {"provider": "sendgrid", "path_contains": "mail/send"}


def debtors(open_office: Opened, *amounts: str, **more: Any) -> tuple[Office, Books, list[tuple[str, str]]]:
    """Customers One, Two, ... each owe one invoice, five days late; mail goes by SendGrid."""
    office = open_office("quickbooks", **{"channel": "sendgrid", **more})
    books = office.books[0]
    owed = []
    for name, amount in zip(("One Ltd", "Two Ltd", "Three Ltd"), amounts, strict=False):
        customer = books.customer(name)
        owed.append((customer, books.invoice(customer, amount, days_late=5)))
    return office, books, owed


def in_state(office: Office, app: App, state: str) -> list[messages.Message]:
    return [message for message in office.messages(app) if message.state == state]


def sent_here(office: Office, app: App) -> list[str]:
    """The keys of this office's messages that the provider took."""
    ours = {message.key for message in office.messages(app)}
    return [mail["key"] for mail in office.sent() if mail["key"] in ours]


def reasons(office: Office, app: App) -> list[str]:
    """What the planner says today."""
    with app.store.reading() as work:
        (connection,) = app.linked()
        plans = consider(work, connection, app.policy(connection), now=app.clock.now())
    return [f"{verdict.rule}: {verdict.reason}" for plan in plans for verdict in plan.verdicts]


# --- silence -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "taken"), [("disconnect_after", 1), ("disconnect_before", 0), ("error", 0)])
def test_a_message_without_an_answer_is_never_sent_again(open_office: Opened, fault: str, taken: int) -> None:
    """
    06-09 friendly: no answer                    unknown
    06-10, 06-11  asked, no evidence             unknown
    06-12 10:31   72 hours have passed           presumed sent: on 06-09
    06-13 Saturday, 06-15 the gap is over        firm is not due before 06-18: nothing
    """
    office, _, _ = debtors(open_office, "900.00")
    app = office.load()
    office.sandbox.fault(fault, MAIL)
    night = office.night(app)
    assert [message.id for message, _ in night.shifts[0].dispatched.unknown] == [1]
    (why,) = {why for _, why in night.shifts[0].dispatched.unknown}
    assert why.startswith("SendGrid answered 503" if fault == "error" else "SendGrid did not answer"), "told once"
    assert any(f"nobody knows whether it went out: {why} (whoever knows" in task for task in night.tasks)
    for _ in range(2):
        office.pass_time(days=1)
        assert office.night(app).accepted == 0
        assert office.states(app) == ["unknown"]
    office.pass_time(days=1, minutes=1)
    office.night(app)
    (message,) = office.messages(app)
    assert message.state == "presumed_sent"
    assert str(message.sent_on) == "2026-06-09", "the gap counts from the day on which it may have gone"
    office.pass_time(days=3)
    office.night(app)
    assert office.states(app) == ["presumed_sent"]
    assert len(sent_here(office, app)) == taken
    assert office.books[0].notes() == [], "nobody knows, so nothing is written"


def test_only_the_way_out_that_had_it_can_say_that_a_message_never_left(open_office: Opened) -> None:
    """
    06-09 SendGrid takes the message and the line is cut      unknown
    06-10 the settings say `file` by now, and no file is there   unknown all the same: nobody is chased twice
    """
    office, _, _ = debtors(open_office, "900.00")
    app = office.load()
    office.sandbox.fault("disconnect_after", MAIL)
    office.night(app)
    assert office.states(app) == ["unknown"]
    office.configure(channel="file")
    office.pass_time(days=1)
    elsewhere = office.app()
    assert office.night(elsewhere).accepted == 0
    assert office.states(elsewhere) == ["unknown"]
    assert list((office.folder / "outbox").glob("*.eml")) == []


def test_evidence_from_the_activity_feed_settles_an_unknown_message_and_writes_its_note(open_office: Opened) -> None:
    """
    06-09 friendly: taken, the answer is lost    unknown
    06-11 the feed shows it                      accepted, one note that says 06-09
    """
    office, books, _ = debtors(open_office, "900.00", activity=True)
    office.sandbox.switches({"sendgrid.activity": True})
    app = office.load()
    office.sandbox.fault("disconnect_after", MAIL)
    office.night(app)
    assert office.states(app) == ["unknown"]
    office.pass_time(days=2)
    assert office.night(app).settled.accepted == 1
    (message,) = office.messages(app)
    assert (message.state, str(message.sent_on)) == ("accepted", "2026-06-09")
    (note,) = books.notes()
    assert "2026-06-09" in note["text"]
    assert len(sent_here(office, app)) == 1


def test_the_next_step_waits_out_the_gap_after_a_presumed_message(open_office: Opened) -> None:
    """
    due 05-27, 13 days late on 06-09
    06-09 friendly: no answer       unknown
    06-12 presumed sent on 06-09
    06-12 firm has been due since 06-10, yet the gap of 5 days lasts until 06-14, a Sunday
    06-15 firm waits for a person
    """
    office = open_office("quickbooks", channel="sendgrid")
    books = office.books[0]
    books.invoice(books.customer("One Ltd"), "900.00", days_late=13)
    app = office.load()
    office.sandbox.fault("disconnect_after", MAIL)
    office.night(app)
    office.pass_time(days=3, minutes=1)
    office.night(app)
    assert office.states(app) == ["presumed_sent"]
    office.pass_time(days=3)
    office.night(app)
    assert [(one.step_id, one.state.value) for one in office.messages(app)] == [
        ("friendly", "presumed_sent"),
        ("firm", "planned"),
    ]


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_refused_message_is_a_task_and_stops_nobody_else(open_office: Opened) -> None:
    """
    06-09 900.00 refused by the provider, 500.00 and 100.00 go out
    06-10 held: a person must act; not planned anew
    06-11 the address is mended and the message approved: it goes to the new address, once
    """
    office, books, owed = debtors(open_office, "900.00", "500.00", "100.00")
    app = office.load()
    office.sandbox.fault("error", MAIL, status=400)
    night = office.night(app)
    assert night.accepted == 2
    assert [task for task in night.tasks if "could not be sent" in task]
    office.pass_time(days=1)
    night = office.night(app)
    assert night.accepted == 0
    assert sorted(office.states(app)) == ["accepted", "accepted", "failed"]
    assert any(reason.startswith("failed_message: ") and "a person must" in reason for reason in reasons(office, app))

    office.pass_time(days=1)
    customer, _ = owed[0]
    books.act("edit_customer", customer=customer, email="mended@one.example")
    (failed,) = in_state(office, app, "failed")
    approve_messages(app, [failed.id], "Ann")
    assert office.night(app).accepted == 1
    assert sorted(office.states(app)) == ["accepted", "accepted", "accepted", "superseded"]
    ours = {message.key for message in office.messages(app)}
    assert [mail["to"] for mail in office.sent() if mail["key"] in ours].count(["mended@one.example"]) == 1
    assert len(books.notes()) == 3


def test_a_refused_message_is_nobodys_task_once_it_is_paid(open_office: Opened) -> None:
    office, books, owed = debtors(open_office, "900.00")
    app = office.load()
    office.sandbox.fault("error", MAIL, status=400)
    office.night(app)
    books.act("pay", invoice=owed[0][1])
    office.pass_time(days=1)
    assert office.night(app).tasks == []
    assert office.states(app) == ["superseded"]


def test_a_throttled_provider_is_left_alone_until_it_says(open_office: Opened) -> None:
    """One message meets the 429; the others are not even tried, and lose none of their tries."""
    office, books, _ = debtors(open_office, "900.00", "500.00", "100.00")
    app = office.load()
    office.sandbox.fault("throttle", MAIL, seconds=90)
    before = len(office.sandbox.requests())
    night = office.night(app)
    assert night.accepted == 0
    mails = [one for one in office.sandbox.requests()[before:] if "mail/send" in one["path"]]
    assert len(mails) == 1
    assert [(message.state, message.attempts) for message in office.messages(app)] == [
        ("approved", 0),
        ("approved", 0),
        ("approved", 0),
    ], "to be asked for patience is no try"
    office.pass_time(minutes=1)
    assert office.night(app).accepted == 2, "the first is not tried before its time"
    office.pass_time(minutes=1)
    assert office.night(app).accepted == 1
    assert len(set(sent_here(office, app))) == len(sent_here(office, app)) == 3
    assert len(books.notes()) == 3


def test_a_key_that_the_provider_does_not_take_spoils_no_message(open_office: Opened) -> None:
    """
    06-09 401: nothing goes out, and no message loses a try
    06-10 the key is right again: each goes out once
    """
    office, _, _ = debtors(open_office, "900.00", "500.00")
    app = office.load()
    office.sandbox.fault("error", MAIL, status=401, times=None)
    night = office.night(app)
    assert night.accepted == 0
    assert "SendGrid answered 401" in night.shifts[0].errors[0]
    assert [(message.state.value, message.attempts) for message in office.messages(app)] == [("approved", 0)] * 2
    office.sandbox.clear_faults()
    office.pass_time(days=1)
    assert office.night(app).accepted == 2
    assert len(set(sent_here(office, app))) == len(sent_here(office, app)) == 2


def test_days_of_throttling_cost_a_message_no_try(open_office: Opened) -> None:
    """
    06-09 to 06-11 429 each day    approved, untried
    06-12                          sent, once
    """
    office, _, _ = debtors(open_office, "900.00")
    app = office.load()
    office.sandbox.fault("throttle", MAIL, times=None)
    for _ in range(3):
        office.night(app)
        assert [(message.state.value, message.attempts) for message in office.messages(app)] == [("approved", 0)]
        office.pass_time(days=1)
    office.sandbox.clear_faults()
    assert office.night(app).accepted == 1
    assert len(sent_here(office, app)) == 1


def test_tries_are_bounded(open_office: Opened) -> None:
    """A worker that sleeps after every gate finds out before its first byte; the fifth time is a person's task."""
    app: App

    def sleep_before_the_mail(moment: str, what: str) -> None:
        if moment == "before" and what.endswith("mail/send"):
            clock_of(app).machine += sending.FIRST_BYTE + 1

    office, _, _ = debtors(open_office, "900.00")
    office.load()
    app = office.app(sleep_before_the_mail)
    for _ in range(2 * sending.TRIES):
        night = office.night(app)
        office.pass_time(hours=1)
        if office.states(app) != ["approved"]:
            break
    (message,) = office.messages(app)
    assert (message.state, message.attempts) == ("failed", sending.TRIES)
    assert any("could not be sent" in task for task in night.tasks)
    assert sent_here(office, app) == []


# --- the source right before ---------------------------------------------------------------------------------------


def test_where_the_source_cannot_be_read_again_nothing_leaves_and_the_claims_go_back(
    open_office: Opened, vendor: str
) -> None:
    office = open_office(vendor, channel="sendgrid")
    books = office.books[0]
    for name in ("One Ltd", "Two Ltd"):
        books.invoice(books.customer(name), "900.00", days_late=5)
    app = office.load()
    office.plan(app)
    office.sandbox.fault("error", {"provider": vendor}, times=None, status=503)
    done = office.dispatch(app)
    assert done.error is not None
    assert office.states(app) == ["approved", "approved"]
    assert all(message.claim_token is None for message in office.messages(app))
    assert sent_here(office, app) == []
    office.sandbox.clear_faults()
    assert office.night(app).accepted == 2


def test_one_payer_whom_the_source_will_not_show_stops_nobody_else(
    open_office: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arsync.errors import Malformed
    from arsync.sync import refresh as refreshing
    from arsync.worker import dispatch as dispatching

    office, _, owed = debtors(open_office, "900.00", "500.00", "100.00")
    app = office.load()
    office.plan(app)
    original = refreshing.refresh

    def refresh(store: Any, connection: Any, connector: Any, payers: set[str], clock: Any) -> Any:
        if owed[0][0] in payers:
            raise Malformed("this customer")
        return original(store, connection, connector, payers, clock)

    monkeypatch.setattr(dispatching, "refresh", refresh)
    done = office.dispatch(app)
    assert len(done.accepted) == 2
    assert "this customer" in done.unread[0]
    assert done.error is None
    assert [message.amount for message in in_state(office, app, "approved")] == [900]


# --- the first byte ------------------------------------------------------------------------------------------------


def test_no_first_byte_leaves_ten_seconds_after_the_gate(open_office: Opened) -> None:
    """The worker sleeps between the gate and its request; it finds out before its first byte, and tries again."""
    slept: list[float] = []
    app: App

    def sleep_before_the_mail(moment: str, what: str) -> None:
        if moment == "before" and what.endswith("mail/send") and not slept:
            slept.append(sending.FIRST_BYTE + 1)
            clock_of(app).machine += slept[0]

    office, _, _ = debtors(open_office, "900.00")
    office.load()
    app = office.app(sleep_before_the_mail)
    before = len(office.sandbox.requests())
    night = office.night(app)
    mails = [one for one in office.sandbox.requests()[before:] if "mail/send" in one["path"]]
    assert slept and len(mails) == 1, "the sandbox saw one request only: the second"
    assert night.accepted == 1
    (message,) = office.messages(app)
    assert (message.state, message.attempts) == ("accepted", 2)


def test_a_worker_that_wakes_late_takes_back_nothing_that_another_has_sent(open_office: Opened) -> None:
    """
    the worker passes the gate and is suspended; six minutes later another calls the message unknown;
    a person finds that it is not there, and the second worker sends it and hears nothing;
    the first wakes: its own request never left, but that says nothing about the second's
    """
    office, _, _ = debtors(open_office, "900.00")
    office.load()
    other = office.app()
    app: App
    woken: list[str] = []

    def meanwhile(moment: str, what: str) -> None:
        if moment != "before" or not what.endswith("mail/send") or woken:
            return
        woken.append(what)
        clock_of(app).machine += 1000
        office.pass_time(minutes=6)
        with other.store.working() as work:
            one = messages.get(work, 1)
            steps = (MessageState.UNKNOWN, MessageState.FAILED, MessageState.APPROVED)
            for origin, target in zip((one.state, *steps), steps, strict=False):
                messages.move(work, 1, origin, target, reason="not there", now=other.clock.now())
            work.commit()
        office.sandbox.fault("disconnect_after", MAIL)
        elsewhere(lambda: office.dispatch(other))

    app = office.app(meanwhile)
    office.night(app)
    assert woken
    assert office.states(app) == ["unknown"], "the second's request may have left: the first may not free it"
    assert len(sent_here(office, app)) == 1


@pytest.mark.parametrize(("status", "left"), [(400, "failed"), (429, "approved")])
def test_a_refusal_that_comes_late_is_evidence_that_nothing_left(open_office: Opened, status: int, left: str) -> None:
    """
    the worker is suspended while it waits for the answer; six minutes later another calls the message unknown;
    the first wakes to a refusal: it never left, and nobody need look for it or presume that it was sent
    """
    office, _, _ = debtors(open_office, "900.00")
    office.load()
    other = office.app()
    app: App
    given_up: list[str] = []

    def meanwhile(moment: str, what: str) -> None:
        if moment == "before" and what.endswith("mail/send"):
            with other.store.working() as work:
                given_up.append(messages.get(work, 1).state.value)
                messages.move(
                    work, 1, MessageState.SENDING, MessageState.UNKNOWN, reason="its worker was gone after the gate",
                    now=other.clock.now(),
                )  # fmt: skip
                work.commit()

    app = office.app(meanwhile)
    office.sandbox.fault(
        "throttle" if status == 429 else "error", MAIL, **({} if status == 429 else {"status": status})
    )
    office.night(app)
    assert given_up == ["sending"]
    assert office.states(app) == [left]
    assert sent_here(office, app) == []


# --- told to stop --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [False, True])
def test_a_worker_that_is_told_to_stop_within_a_channel(
    open_office: Opened, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    """
    before the first byte      as if it had never been begun: approved, no try counted; the next run sends it
    after it                   unknown: nobody knows whether it left, and it is never sent again
    its batch                  was not begun: another worker sends it at once
    """
    office, _, _ = debtors(open_office, "900.00", "500.00")
    app = office.load()

    def stop(_channel: object, _envelope: object) -> None:
        if begun:
            first_byte()
        raise Stopped

    with monkeypatch.context() as stopped:
        stopped.setattr(SendGridChannel, "send", stop)
        with pytest.raises(Stopped):
            office.night(app)
    states = [(one.state, one.attempts) for one in office.messages(app)]
    assert states == [("unknown", 1) if begun else ("approved", 0), ("approved", 0)]
    office.night(again := office.app())
    assert office.states(again) == (["unknown", "accepted"] if begun else ["accepted", "accepted"])


def test_a_worker_that_is_told_to_stop_sends_no_other_message(
    open_office: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was ten seconds, and whatever went out in them."""
    office, _, _ = debtors(open_office, "900.00", "500.00")
    app = office.load()
    stopping, send = Stopping(), SendGridChannel.send

    def sent(channel: SendGridChannel, envelope: Envelope) -> Receipt:
        stopping.tell()
        return send(channel, envelope)

    with monkeypatch.context() as stopped:
        stopped.setattr(SendGridChannel, "send", sent)
        with pytest.raises(Stopped):
            jobs.run(app.store, [app.desk(one) for one in app.linked()], StoppableClock(app.clock, stopping))
    assert office.states(app) == ["accepted", "approved"]
    office.night(again := office.app())
    assert office.states(again) == ["accepted", "accepted"]


# --- poison --------------------------------------------------------------------------------------------------------


def test_an_address_that_the_provider_refuses_stops_nobody_else(open_office: Opened) -> None:
    office, books, owed = debtors(open_office, "900.00", "500.00")
    books.act("edit_customer", customer=owed[0][0], email="bücher@one.example")
    app = office.load()
    assert office.night(app).accepted == 1
    assert sorted(office.states(app)) == ["accepted", "failed"]


def test_a_message_that_cannot_be_put_into_an_envelope_stops_nobody_else(
    open_office: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mail libraries fail in many ways; before the first byte nothing has left, whatever it was."""
    from arsync.channel import sendgrid

    original = sendgrid.payload

    def payload(envelope: Any) -> Any:
        if "900" in envelope.text:
            raise IndexError("list index out of range")
        return original(envelope)

    office, _, _ = debtors(open_office, "900.00", "500.00")
    app = office.load()
    monkeypatch.setattr(sendgrid, "payload", payload)
    assert office.night(app).accepted == 1
    assert sorted(office.states(app)) == ["accepted", "failed"]


def test_a_template_that_fails_for_one_customer_stops_nobody_else_and_is_told_once(open_office: Opened) -> None:
    office, _, owed = debtors(open_office, "900.00", "500.00")
    playbook_of_our_own(office.folder, "friendly.en.txt.j2", "{% if payer == 'One Ltd' %}{{ 1 // 0 }}{% endif %}")
    app = office.load()
    night = office.night(app)
    assert night.accepted == 1
    assert night.shifts[0].errors == []
    (task,) = [one for one in night.tasks if "cannot be written" in one]
    assert "friendly cannot be written: A message template is wrong" in task
    assert task.endswith("a person must mend the template (for One Ltd)")
    (linked,) = app.linked()
    with app.store.reading() as work:
        said = [verdicts.of_invoice(work, linked.id, str(invoice))[0].rule for _customer, invoice in owed]
    assert said == ["no_template", "send"]


def test_a_template_that_breaks_overnight_stops_the_message_and_not_the_night(open_office: Opened) -> None:
    """A message approved yesterday is worded anew today; where that fails it does not go out."""
    office, _, _ = debtors(open_office, "900.00", "500.00")
    poison = "{% if payer == 'One Ltd' and oldest_days > 5 %}{{ 1 // 0 }}{% endif %}"
    playbook_of_our_own(office.folder, "friendly.en.txt.j2", poison)
    app = office.load()
    office.plan(app)
    office.pass_time(days=1)
    done = office.dispatch(app)
    assert len(done.accepted) == 1
    assert ["cannot be written any more" in reason for _, reason in done.withdrawn] == [True]


@pytest.mark.parametrize("accepted", [False, True])
def test_a_template_changed_between_plan_and_dispatch_waits_until_somebody_accepts_it(
    open_office: Opened, accepted: bool
) -> None:
    """Running chases go on with the words they began with; accepted, another template is another message: both are
    written anew, and one of them cannot be."""
    office, _, _ = debtors(open_office, "900.00", "500.00")
    playbook_of_our_own(office.folder, "friendly.en.txt.j2", "")
    app = office.load()
    office.plan(app)
    playbook_of_our_own(office.folder, "friendly.en.txt.j2", "{% if payer == 'One Ltd' %}{{ 1 // 0 }}{% endif %}")
    app = office.app()
    with app.store.working() as work:
        those = [(one, app.policy(one)) for one in app.linked()]
        assert [one.name for one in review(work, those, now=app.clock.now())] == ["standard"]
        if accepted:
            assert accept(work, those, ["standard"], author="ann", now=app.clock.now()) == 2
        work.commit()
    done = office.dispatch(app)
    if not accepted:
        assert (len(done.accepted), done.withdrawn) == (2, [])
        return
    assert len(done.accepted) == 1
    assert sum("cannot be written" in reason for _, reason in done.withdrawn) == 1


def playbook_of_our_own(folder: Path, template: str, poison: str) -> None:
    """The standard playbook beside the configuration, with one template made longer."""
    own = folder / "playbooks"
    (own / "templates").mkdir(parents=True, exist_ok=True)
    (own / "standard.yaml").write_bytes((bundled("playbooks") / "standard.yaml").read_bytes())
    for path in (bundled("playbooks") / "templates").iterdir():
        (own / "templates" / path.name).write_bytes(path.read_bytes())
    path = own / "templates" / template
    path.write_text(path.read_text(encoding="utf-8") + poison, encoding="utf-8")
