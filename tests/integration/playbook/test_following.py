"""Which playbook a chase follows, over the store: conditions, tags, a person's choice, invoices of their own."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from sqlalchemy import text
from tests.integration.playbook.shop import Shop, ladder
from tests.integration.store.books import NOW, customer, payment

from arsync.bootstrap import App
from arsync.cli.app import run
from arsync.domain.chase import Rule
from arsync.domain.documents import Allocation, CustomerGroup, CustomerState
from arsync.domain.payday import PayDay, Rhythm
from arsync.domain.people import TouchKind
from arsync.domain.policy import ACCOUNT
from arsync.domain.states import Decision, MessageState
from arsync.errors import ConfigurationError
from arsync.outbox.send import Post
from arsync.playbook.following import choices
from arsync.settings import load
from arsync.store import assignments, customer_groups, events, messages, tags, touches, verdicts
from arsync.testing.ports import FixedClock
from arsync.worker.dispatch import Desk, dispatch
from arsync.worker.tasks import tasks

NOTHING = 'do_nothing: "they settle among themselves"\n'


def tag(shop: Shop, customer_id: str, *names: str) -> None:
    with shop.books.store.working() as work:
        tags.add(work, shop.books.id, customer_id, names, author="ann", now=NOW)
        work.commit()


def assign(shop: Shop, payer_id: str, playbook: str, invoice_id: str | None = None) -> None:
    with shop.books.store.working() as work:
        assignments.assign(
            work, shop.books.id, payer_id=payer_id, invoice_id=invoice_id, playbook=playbook, reason="they asked",
            author="kim", now=NOW,
        )  # fmt: skip
        work.commit()


def acts(shop: Shop) -> list[tuple[str, str]]:
    """(payer, step) of what would go out today."""
    return sorted((one.facts.payer_id, one.intent.step.id) for one in shop.look() if one.intent is not None)


def told(shop: Shop, kind: str = "playbook_chosen") -> list[str]:
    with shop.books.store.reading() as work:
        every = events.of_kind(work, shop.books.id, kind)
    return [f"{event.data['playbook']}: {event.data['why']}" for event in every]


def test_each_chase_follows_the_first_playbook_that_fits(shop: Shop) -> None:
    """
    09-01, all due 08-25      large: from 5,000 EUR      gentle: tag vip, before it      standard: whoever is left
    """
    shop.write("large", '{priority: 20, balance: {EUR: {from: "5000"}}}', None)
    shop.write("friends", "{priority: 10, tag: [vip]}")
    shop.owes("C1", "I1")
    shop.owes("C2", "I2", "7000.00")
    shop.owes("C3", "I3", "7000.00")
    tag(shop, "C3", "vip")
    shop.night()
    assert {payer: shop.chase(payer).playbook for payer in ("C1", "C2", "C3")} == {
        "C1": "standard", "C2": "large", "C3": "friends",
    }  # fmt: skip
    assert told(shop) == [
        "standard: the settings' playbook, for no other playbook's conditions fit",
        "large: priority 20: EUR open from 5,000",
        "friends: priority 10: tag vip",
    ]
    shop.night()
    assert len(told(shop)) == 3, "nothing changed, nothing said"


def test_a_chase_moves_to_another_playbook_with_its_facts_and_the_log_says_so(shop: Shop) -> None:
    shop.write("friends", "{priority: 10, tag: [vip]}", None)
    shop.owes("C1", "I1")
    shop.night()
    tag(shop, "C1", "VIP")
    shop.night()
    assert shop.chase().playbook == "friends"
    assert told(shop)[1:] == ["friends: priority 10: tag vip"]


def test_do_nothing_never_chases_and_gives_its_reason(shop: Shop) -> None:
    shop.write("never", "{priority: 1, tag: [family]}", NOTHING)
    shop.owes("C1", "I1")
    shop.owes("C2", "I2")
    tag(shop, "C1", "family")
    shop.night()
    said = shop.said("I1")
    assert (said.rule, said.decision, said.next_on) == (Rule.DO_NOTHING, Decision.HOLD, None)
    assert said.reason == (
        "playbook never says never to chase: they settle among themselves (priority 1: tag family); nobody need act"
    )
    assert acts(shop) == [("C2", "day-3")]


def test_who_comes_to_be_left_alone_has_what_was_planned_withdrawn(shop: Shop) -> None:
    shop.write("never", "{priority: 1, tag: [family]}", NOTHING)
    shop.owes("C1", "I1")
    assert shop.night().planned == 1
    tag(shop, "C1", "family")
    assert shop.night().superseded == 1


def test_a_playbook_by_age_is_looked_at_again_on_its_day(shop: Shop) -> None:
    """
    08-25 due      slow from 20 days: does nothing      09-13 standard waits     09-14 slow
    """
    shop.write("slow", "{priority: 1, age: {from: 20}}", 'do_nothing: "an agency has them"\n')
    shop.owes("C1", "I1", due_on=date(2026, 8, 25))
    with shop.books.store.working() as work:
        tags.add(work, shop.books.id, "C1", ["x"], author="ann", now=NOW)
        work.commit()
    assert shop.said("I1").next_on == date(2026, 9, 8), "the day of its next step comes first"
    assert shop.said("I1", shop.look(date(2026, 9, 13))).rule is Rule.SEND
    assert shop.said("I1", shop.look(date(2026, 9, 14))).rule is Rule.DO_NOTHING


def test_autopay_is_not_asked_for_on_the_branch_that_has_it(shop: Shop) -> None:
    shop.owes("C1", "I1")
    shop.owes("B1", "I2", parent_id="C1")
    tag(shop, "B1", "autopay")
    (answer,) = shop.look()
    assert answer.intent is not None
    assert [item.invoice_id for item in answer.intent.demanded] == ["I1"]
    assert (shop.said("I2").rule, shop.said("I2").decision) == (Rule.AUTOPAY, Decision.HOLD)
    tag(shop, "C1", "autopay")
    assert acts(shop) == [], "on who pays it counts for all"


def test_invoices_may_follow_a_playbook_of_their_own_and_one_message_goes(shop: Shop) -> None:
    """
    09-01   I1 due 08-25, standard: day-3      P1 due 08-20, project: day-10   => P1's goes, I1 waits for the gap
    """
    shop.write("project", '{priority: 5, invoice: {number: ["PRJ-*"]}}', None)
    (shop.folder / "project.yaml").write_text(
        (shop.folder / "project.yaml").read_text().replace("day-3", "day-10").replace("offset: 3,", "offset: 10,")
    )
    shop.owes("C1", "I1", due_on=date(2026, 8, 25))
    shop.owes("C1", "P1", number="PRJ-1", due_on=date(2026, 8, 20))
    (answer,) = shop.look()
    assert answer.intent is not None
    assert (answer.intent.step.id, [item.invoice_id for item in answer.intent.demanded]) == ("day-10", ["P1"])
    assert shop.said("P1").rule is Rule.SEND
    waits = shop.said("I1")
    assert (waits.rule, waits.decision, waits.next_on) == (Rule.GAP, Decision.WAIT, date(2026, 9, 6))
    assert waits.reason.startswith("day-10 of playbook project goes to the same payer first")
    assert {one.invoice_id for one in answer.verdicts} == {"I1", "P1"}, "each has one verdict"
    shop.night()
    with shop.books.store.reading() as work:
        (message,) = messages.in_states(work, (MessageState.APPROVED,))
    assert message.step_id == "day-10"
    assert shop.night().kept == 1, "the same tomorrow"


def test_a_person_chooses_for_a_customer_and_for_an_invoice(shop: Shop) -> None:
    shop.write("never", "", NOTHING)
    shop.write("friends", "", None)
    shop.owes("C1", "I1")
    shop.owes("C1", "I2")
    assign(shop, "C1", "friends")
    assign(shop, "C1", "never", "I2")
    shop.night()
    assert shop.chase().playbook == "friends"
    assert told(shop) == ["friends: kim chose it for this customer on 2026-09-01: they asked"]
    assert shop.said("I1").rule is Rule.SEND
    assert "kim chose it for this invoice on 2026-09-01: they asked" in shop.said("I2").reason
    assign(shop, "C1", "standard")
    with shop.books.store.working() as work:
        assert assignments.clear(
            work, shop.books.id, payer_id="C1", invoice_id="I2", author="kim", now=NOW + timedelta(hours=1)
        )
        work.commit()
    shop.night()
    assert shop.chase().playbook == "standard"
    assert shop.said("I2").rule is Rule.SEND


def test_a_customer_group_of_the_source_chooses_the_playbook(shop: Shop) -> None:
    """Trade: C1 and the branch B1 of C2. The group is renamed in the source, and asked for by its new name."""
    trade = CustomerGroup("7", "Trade")
    shop.write("friends", "{priority: 10, group: [Trade]}", NOTHING)
    shop.owes("C1", "I1", groups=(trade,))
    shop.owes("C2", "I2")
    shop.owes("B1", "I3", parent_id="C2", groups=(CustomerGroup("7"),))
    assert acts(shop) == [("C2", "day-3")]
    assert shop.said("I1").reason == (
        "playbook friends says never to chase: they settle among themselves (priority 10: group trade); nobody need act"
    )
    assert (shop.said("I2").rule, shop.said("I3").rule) == (Rule.SEND, Rule.DO_NOTHING)
    with shop.books.store.working() as work:
        customer_groups.remember(work, shop.books.id, (CustomerGroup("7", "Dealers"),))
        work.commit()
    assert acts(shop) == [("C1", "day-3"), ("C2", "day-3")]


def test_a_choice_of_a_playbook_that_is_gone_holds_for_a_person(shop: Shop) -> None:
    shop.write("friends", "", None)
    shop.owes("C1", "I1")
    assign(shop, "C1", "friends")
    (shop.folder / "friends.yaml").unlink()
    said = shop.said("I1")
    assert (said.rule, said.decision) == (Rule.NO_PLAYBOOK, Decision.HOLD)
    assert said.reason.startswith("there is no playbook 'friends' any more (kim chose it for this customer")


def test_a_choice_follows_a_merge_and_the_survivors_own_wins(shop: Shop) -> None:
    shop.write("friends", "", None)
    shop.write("never", "", NOTHING)
    shop.owes("A", "I1")
    shop.owes("B", "I2")
    assign(shop, "A", "friends")
    shop.books.keep(customer("A", state=CustomerState.MERGED, merged_into="B", minutes=1))
    shop.night()
    assert shop.chase("B").playbook == "friends"
    shop.owes("D", "I3")
    assign(shop, "D", "never")
    shop.books.keep(customer("D", state=CustomerState.MERGED, merged_into="B", minutes=2))
    shop.night()
    assert shop.chase("B").playbook == "friends", "who goes on was chosen for by name"


def test_a_choice_stays_with_a_customer_that_leaves_its_payer(shop: Shop) -> None:
    shop.write("friends", "", None)
    shop.owes("P", "I1")
    shop.owes("B", "I2", parent_id="P")
    assign(shop, "P", "friends")
    shop.books.keep(customer("B", parent_id=None, minutes=5))
    shop.books.follow()
    shop.night()
    assert (shop.chase("P").playbook, shop.chase("B").playbook) == ("friends", "friends")


PROJECTS = '{priority: 1, invoice: {number: ["PRJ-*"]}}'
THANKS = "  - {id: thanks, act: thank-you, channel: email, tone: courtesy, template: friendly}\n"


def went_out(shop: Shop) -> None:
    """What the night planned left us that day."""
    with shop.books.store.working() as work:
        work.execute(text("UPDATE messages SET state = 'accepted', accepted_at = planned_at, sent_on = planned_on"))
        work.commit()


def test_a_payer_that_paid_all_stops_nobody_where_invoices_have_playbooks_of_their_own(shop: Shop) -> None:
    shop.write("projects", PROJECTS, ladder(5))
    shop.owes("C1", "I1")
    shop.owes("C2", "I2")
    shop.night()
    shop.owes("C1", "I1", "0.00", total=Decimal(100))
    shop.now += timedelta(days=1)
    shop.night()
    assert acts(shop) == [("C2", "day-3")]


def test_of_several_playbooks_of_a_payer_the_longest_gap_and_the_lowest_cap_hold(shop: Shop) -> None:
    """
    standard: gap 6    projects: gap 2    quiet: 1 in 30 days      09-01 standard / 09-02 projects waits till 09-07
    """
    shop.write("standard", "", ladder(3, 14, 30, gap=6))
    shop.write("projects", PROJECTS, ladder(3, gap=2))
    shop.owes("C1", "I1")
    shop.owes("C1", "I2", number="PRJ-1", due_on=date(2026, 8, 26))
    shop.night()
    assert shop.said("I2").next_on == date(2026, 9, 7)
    went_out(shop)
    shop.now += timedelta(days=3)
    assert (shop.said("I2").rule, shop.said("I2").next_on) == (Rule.GAP, date(2026, 9, 7)), "as it was told"
    shop.now += timedelta(days=3)
    assert acts(shop) == [("C1", "day-3")]
    shop.write("quiet", '{priority: 2, invoice: {number: ["QT-*"]}}', "caps: {month: 1}\n" + ladder(3))
    shop.owes("C1", "I3", number="QT-1", due_on=date(2026, 8, 27))
    shop.accept("quiet")
    assert (shop.said("I2").rule, shop.said("I2").next_on) == (Rule.PAYER_CAP, date(2026, 10, 1))


def test_nobody_is_thanked_while_an_invoice_of_another_playbook_is_overdue(shop: Shop) -> None:
    """09-01 day-3 for I1 / 09-02 I1 is paid / 09-07 PRJ-1, due 08-30, is asked for: no thanks."""
    shop.write("standard", "", ladder(3, 14) + THANKS)
    shop.write("projects", PROJECTS, ladder(3))
    shop.owes("C1", "I1")
    shop.owes("C1", "I2", number="PRJ-1", due_on=date(2026, 8, 30))
    shop.night()
    went_out(shop)
    shop.owes("C1", "I1", "0.00", total=Decimal(100))
    shop.books.keep(payment(allocations=(Allocation("I1", Decimal(100), date(2026, 9, 2)),), unapplied=Decimal(0)))
    shop.now += timedelta(days=6)
    assert acts(shop) == [("C1", "day-3")]
    shop.owes("C1", "I2", "0.00", number="PRJ-1", total=Decimal(100))
    assert acts(shop) == [("C1", "thanks")]


def test_who_paid_an_invoice_with_a_playbook_of_its_own_is_thanked_by_that_one(shop: Shop) -> None:
    """09-01 projects asks for PRJ-1 / 09-02 it is paid, nothing is open / 09-07 projects says thanks."""
    shop.write("projects", '{priority: 1, invoice: {terms: ["*milestone*"]}}', ladder(3, 14) + THANKS)
    shop.owes("C1", "I1", terms="at the milestone")
    shop.night()
    went_out(shop)
    shop.owes("C1", "I1", "0.00", terms="at the milestone", total=Decimal(100))
    shop.books.keep(payment(allocations=(Allocation("I1", Decimal(100), date(2026, 9, 2)),), unapplied=Decimal(0)))
    shop.books.follow(NOW + timedelta(days=1))
    shop.now += timedelta(days=6)
    assert acts(shop) == [("C1", "thanks")]


def test_what_a_person_did_counts_once_however_many_currencies_the_payer_has(shop: Shop) -> None:
    """08-20 a call by hand, two currencies open, 2 in 7 days: both may go 09-01, and one more in 30 days."""
    shop.write("standard", "", "caps: {month: 2}\n" + ladder(3, gap=1))
    shop.owes("C1", "I1")
    shop.owes("C1", "I2", currency="USD")
    with shop.books.store.working() as work:
        touches.keep_touch(
            work, shop.books.id, payer_id="C1", kind=TouchKind.CALL, made_on=date(2026, 8, 20), step_id=None,
            invoice_ids=[], comment="", author="kim", now=NOW,
        )  # fmt: skip
        work.commit()
    rules = {number: shop.said(number).rule for number in ("I1", "I2")}
    assert rules == {"I1": Rule.SEND, "I2": Rule.PAYER_CAP}, "the call and one message are two"


def test_a_chase_waits_for_the_payment_run_though_only_its_own_version_asks_for_it(shop: Shop) -> None:
    """The version that the chase runs on waits for the payer's Fridays; the present one does not."""
    waiting = ladder(3, 14).replace("template: friendly}", "template: friendly, before_payment_run: 1}", 1)
    shop.write("standard", "", waiting)
    shop.payment_days = {"C1": PayDay(Rhythm.WEEKLY, 4)}
    shop.owes("C1", "I1")
    shop.night()
    assert (shop.said("I1").rule, shop.said("I1").next_on) == (Rule.CALENDAR, date(2026, 9, 3))
    shop.write("standard")
    assert (shop.said("I1").rule, shop.said("I1").next_on) == (Rule.CALENDAR, date(2026, 9, 3))


def test_an_invoice_with_a_playbook_of_its_own_is_said_to_follow_that_one(shop: Shop) -> None:
    shop.write("projects", PROJECTS)
    shop.write("standard")
    shop.owes("C1", "I1", number="PRJ-1")
    shop.owes("C1", "I2", number="A-1")
    assign(shop, "C1", "gentle", "I2")
    with shop.books.store.reading() as work:
        found = choices(work, shop.books.connection, shop.policy(), "C1", now=shop.now)
    assert (found["I1"].name, found["I2"].name) == ("projects", "gentle")
    assert "PRJ-1" in found["I1"].why and "kim chose it for this invoice" in found["I2"].why


LATE_HOURS = ladder(5).replace("opens: '00:00', closes: '23:59'", "opens: '20:00', closes: '21:00'")


def test_a_message_of_another_playbook_waits_for_the_hours_of_that_one(shop: Shop) -> None:
    """Two in Berlin: projects writes from eight in the evening, standard all day. What waits is not even claimed."""
    shop.write("projects", PROJECTS, LATE_HOURS)
    shop.owes("C1", "I1", number="PRJ-1")
    shop.night()
    desk = Desk(shop.books.connection, cast(Any, None), shop.policy(), Post({}, "us@x.example", "", "harbour"), True)
    done = dispatch(shop.books.store, desk, FixedClock(shop.now), run_id=1, beat=lambda: None)
    assert (done.closed, done.leaving, f"{done.opens_at:%m-%d %H:%M}") == (1, 0, "09-01 18:00")


CHRISTMAS = ladder(3).replace(
    "weekdays: [mon, tue, wed, thu, fri, sat, sun]",
    "holidays: customer, blackout: [{from: 12-27, to: 12-24}], weekdays: [mon, tue, wed, thu, fri, sat, sun]",
)


def test_a_customer_whose_days_are_all_closed_is_held_with_the_reason(shop: Shop) -> None:
    """Open on 25 and 26 December: both are holidays in Germany, one in France."""
    shop.write("standard", "", CHRISTMAS)
    shop.owes("C1", "I1")
    shop.owes("C2", "I2", country="FR")
    assert shop.said("I2").rule is Rule.NOT_DUE
    said = shop.said("I1")
    assert (said.rule, said.next_on) == (Rule.UNPLANNABLE, None)
    assert said.reason.startswith("the send window of playbook standard never opens for ")
    assert said.reason.endswith("leave no business day of two years in DE; a person must widen the window")
    shop.night()
    with shop.books.store.reading() as work:
        assert [line for _connection, line in verdicts.standing(work, Rule.UNPLANNABLE)] == [said.reason]
    assert f"harbour: {said.reason}" in tasks(shop.books.store), "a person hears of it at every run"


def test_who_is_told_of_a_change_hears_of_a_window_that_never_opens(shop: Shop) -> None:
    shop.write("standard", "", ladder(3))
    shop.owes("C1", "I1")
    shop.night()
    shop.write("standard", "", CHRISTMAS)
    (found,) = shop.review()
    assert [one.after for one in found.moves] == ["standard: unplannable"]


def test_a_window_that_holidays_close_where_the_company_is_is_an_error_at_load(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.write("standard", "", CHRISTMAS)
    config = shop.folder.parent / "arsync.toml"
    for country, wrong in (
        ("FR", None),
        ("DE", "playbook standard: public holidays, blackouts and closed"),
    ):
        config.write_text(f'[defaults]\nplaybook = "{shop.folder}/standard.yaml"\ncountry = "{country}"\n')
        app = App(load(config, environ={}))
        with nullcontext() if wrong is None else pytest.raises(ConfigurationError, match=wrong):
            app.policy(shop.books.connection)
        app.close()
        status = run(["--config", str(config), "playbook", "lint", f"{shop.folder}/standard.yaml"])
        assert status == (0 if wrong is None else 1)
        assert ("leave no day of two years to send on, where DE is" in capsys.readouterr().out) is (wrong is not None)


def test_a_months_statement_is_of_all_that_is_open_but_for_what_is_never_chased(shop: Shop) -> None:
    """09-01, the first business day: of two playbooks one has statements; I3 follows one that does nothing."""
    shop.write("standard", rest="statements: {business_day: 1, template: friendly}\n" + ladder(3, 14, 30))
    shop.write("second")
    shop.write("never", rest=NOTHING)
    for number in (1, 2, 3):
        shop.owes("C1", f"I{number}", due_on=date(2026, 12, 24 + number))
    with shop.books.store.working() as work:
        work.execute(text("UPDATE chases SET opened_at = '2026-08-01 12:00:00'"))
        work.commit()
    assign(shop, "C1", "second", "I2")
    assign(shop, "C1", "never", "I3")
    (plan,) = shop.look()
    assert plan.intent is not None
    assert plan.intent.step.id == ACCOUNT
    assert [item.invoice_id for item in plan.intent.demanded] == ["I1", "I2"]
    said = {verdict.invoice_id: verdict.decision for verdict in plan.verdicts}
    assert said == {"I1": Decision.ACT, "I2": Decision.ACT, "I3": Decision.HOLD}


def test_a_step_of_one_playbook_goes_before_the_statement_of_another(shop: Shop) -> None:
    """09-01: I1 has been late longer, and its ladder begins after 90 days; I2 has a step today."""
    shop.write("standard", rest="statements: {business_day: 1, template: friendly}\n" + ladder(90))
    shop.write("second", rest=ladder(3, 14))
    shop.owes("C1", "I1", due_on=date(2026, 8, 20))
    shop.owes("C1", "I2", due_on=date(2026, 8, 25))
    with shop.books.store.working() as work:
        work.execute(text("UPDATE chases SET opened_at = '2026-08-01 12:00:00'"))
        work.commit()
    assign(shop, "C1", "second", "I2")
    (plan,) = shop.look()
    assert plan.intent is not None
    assert [item.invoice_id for item in plan.intent.demanded] == ["I2"]
