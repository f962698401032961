"""What a playbook's author expects is played day by day, and told in words and as a calendar where it does not come."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from arsync.cli.app import run
from arsync.domain.calendar import blackout
from arsync.domain.chase import Rule
from arsync.domain.matching import Match
from arsync.domain.policy import ON_REQUEST, Playbook, Statements
from arsync.domain.states import HoldKind
from arsync.playbook.expectations import Outcome, check
from arsync.playbook.load import load
from arsync.playbook.scenario_file import read
from arsync.playbook.scenario_schema import schema, schema_text
from arsync.playbook.scenarios import What, file_of
from arsync.playbook.templates import locales

FOLDER = Path(__file__).parents[3] / "playbooks"
NAMES = ("standard", "gentle", "firm", "high-value", "statement-only")
HEAD = "company: {country: GB, region: England, timezone: Europe/London, currency: GBP}\n\nscenarios:\n"
LADDER = """\
  - name: the ladder
    from: 2026-06-01
    to: 2026-07-20
    invoices:
      - {number: INV-1, amount: 1200.00, issued: 2026-06-01, due: 2026-07-01}
    expect:
      - {day: 2026-06-29, step: courtesy}
      - {day: 2026-07-06, step: friendly}
      - {day: 2026-07-15, step: firm}
"""


def shipped(name: str = "standard") -> Playbook:
    found, problems = load(FOLDER / f"{name}.yaml")
    assert problems == ()
    assert found is not None
    return found


def outcomes(text: str, folder: Path, playbook: Playbook | None = None) -> list[Outcome]:
    playbook = playbook or shipped()
    file = folder / "standard.yaml"
    file.write_text(text, encoding="utf-8")
    scenarios, problems = read(file, playbook)
    assert [str(one) for one in problems] == []
    return [check(one, playbook, locales(playbook, FOLDER / "templates")) for one in scenarios]


def told(text: str, folder: Path) -> list[str]:
    file = folder / "standard.yaml"
    file.write_text(text, encoding="utf-8")
    scenarios, problems = read(file, shipped())
    assert not problems or scenarios == ()
    return [str(one).partition("/")[2] for one in problems]


# --- the shipped ones -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_playbook_does_what_its_scenarios_say(name: str) -> None:
    playbook = shipped(name)
    scenarios, problems = read(file_of(FOLDER / f"{name}.yaml"), playbook)
    assert problems == ()
    written = locales(playbook, FOLDER / "templates")
    wrong = [
        f"{one.name}: {each.on}: {each.message}"
        for one in scenarios
        for each in check(one, playbook, written).differences
    ]
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_the_scenarios_of_a_shipped_playbook_tell_all_that_it_is_for(name: str) -> None:
    playbook = shipped(name)
    scenarios, _ = read(file_of(FOLDER / f"{name}.yaml"), playbook)
    happens = {event.what for one in scenarios for event in one.events}
    assert happens >= {What.PAID, What.DISPUTED, What.RESOLVED, What.PROMISED}
    assert {step.id for step in playbook.steps} == {it.step for one in scenarios for it in one.expected}
    assert {"hold", "ladder_done", "not_due"} <= {it.rule for one in scenarios for it in one.why_not}
    said = {word for one in scenarios for word in ("kept", "broken", "year's end", "first day") if word in one.name}
    assert said == {"kept", "broken", "year's end", "first day"}


def test_the_shipped_scenarios_fit_the_schema_that_editors_have() -> None:
    assert (FOLDER / "tests" / "scenarios.schema.json").read_text(encoding="utf-8") == schema_text(), (
        "write it anew: python -c 'from arsync.playbook.scenario_schema import schema_text; "
        'print(schema_text(), end="")\' > playbooks/tests/scenarios.schema.json'
    )
    for name in NAMES:
        written = yaml.safe_load(file_of(FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
        jsonschema.validate(json.loads(json.dumps(written, default=str)), schema())  # editors take a day for text


# --- what does not come as expected ---------------------------------------------------------------------------


def test_what_is_missing_is_told_with_the_planners_own_reason(tmp_path: Path) -> None:
    text = HEAD + LADDER.replace("2026-07-06, step: friendly", "2026-07-04, step: friendly")
    (outcome,) = outcomes(text, tmp_path)
    assert [(one.line, str(one.on), one.message) for one in outcome.differences] == [
        (
            11, "2026-07-04",
            "friendly did not go out; INV-1: not_due (after courtesy, friendly comes 3 days after INV-1 fell due on "
            "2026-07-01: on 2026-07-06, the next business day)",
        ),
        (4, "2026-07-06", "friendly INV-1, 1,200.00 GBP, auto went out, and nobody expected it"),
    ]  # fmt: skip
    assert [(str(day.on), day.expected, day.actual) for day in outcome.days if day.differs] == [
        ("2026-07-04", ("friendly",), ()),
        ("2026-07-06", (), ("friendly INV-1, 1,200.00 GBP, auto",)),
    ]


def test_a_touch_of_another_amount_or_mode_is_told_as_one_difference(tmp_path: Path) -> None:
    text = HEAD + LADDER.replace("step: firm}", "step: firm, amount: 1100.00, mode: auto}")
    (outcome,) = outcomes(text, tmp_path)
    assert [one.message for one in outcome.differences] == [
        "firm went out otherwise: firm INV-1, 1,200.00 GBP, approve, not firm, 1,100.00, auto"
    ]


def test_nothing_may_go_out_where_nothing_is_expected(tmp_path: Path) -> None:
    text = HEAD + LADDER.partition("    expect:")[0] + "    expect: nothing\n"
    (outcome,) = outcomes(text, tmp_path)
    assert [str(one.on) for one in outcome.differences] == ["2026-06-29", "2026-07-06", "2026-07-15"]


def test_a_why_not_asks_for_the_rule_and_for_words_of_its_reason(tmp_path: Path) -> None:
    asked = """\
    why_not:
      - {day: 2026-07-03, rule: gap}
      - {day: 2026-07-07, rule: not_due, says: "after FRIENDLY, firm comes"}
      - {day: 2026-07-08, rule: not_due, says: dispute}
"""
    (outcome,) = outcomes(HEAD + LADDER + asked, tmp_path)
    assert [(str(one.on), one.message.partition(", and is ")[0]) for one in outcome.differences] == [
        ("2026-07-03", "INV-1 should be gap"),
        ("2026-07-08", "INV-1 should be not_due (dispute)"),
    ]


def test_what_cannot_be_is_told_where_it_is_written(tmp_path: Path) -> None:
    happens = (
        "    happens:\n      - {day: 2026-07-02, bounced: friendly}\n      - {day: 2026-07-03, called: no_answer}\n"
    )
    (outcome,) = outcomes(HEAD + LADDER.replace("    expect:", happens + "    expect:"), tmp_path)
    assert [(one.line, one.message) for one in outcome.differences] == [
        (10, "bounced friendly: this cannot be, friendly had not gone out by then"),
        (11, "called no answer: this cannot be, no call was on the list by then"),
    ]


def test_a_playbook_with_conditions_is_tested_with_whom_it_is_for(tmp_path: Path) -> None:
    playbook = replace(shipped(), match=Match(1, tag=frozenset({"slow"})))
    nobody = LADDER.partition("    expect:")[0].replace("the ladder", "without the tag") + (
        "    expect: nothing\n    why_not: [{day: 2026-07-06, rule: not_matched}]\n"
    )
    tagged = LADDER.replace("    invoices:", "    customer: {tags: slow}\n    invoices:")
    assert [one.differences for one in outcomes(HEAD + nobody + tagged, tmp_path, playbook)] == [(), ()]


def test_what_is_never_chased_is_told_so(tmp_path: Path) -> None:
    nobody = LADDER.partition("    expect:")[0] + "    expect: nothing\n    why_not: [{day: 2026-07-06, rule: RULE}]\n"
    never = replace(shipped(), nothing="sister companies settle among themselves", steps=())
    (outcome,) = outcomes(HEAD + nobody.replace("RULE", "do_nothing, says: sister"), tmp_path, never)
    assert outcome.differences == ()
    collected = nobody.replace("RULE", "autopay").replace(
        "    invoices:", "    customer: {tags: autopay}\n    invoices:"
    )
    (outcome,) = outcomes(HEAD + collected, tmp_path)
    assert outcome.differences == ()


def test_a_customer_whose_days_are_all_closed_is_held_and_stops_no_test(tmp_path: Path) -> None:
    """Open on 25 and 26 December only, and both are holidays in England."""
    closed = replace(shipped().window, weekdays=frozenset(range(7)), blackouts=(blackout("12-27", "12-24", "shut"),))
    text = LADDER[: LADDER.index("    expect:")] + "    expect: nothing\n"
    why = "    why_not:\n      - {day: 2026-07-15, rule: unplannable, says: never opens}\n"
    (found,) = outcomes(HEAD + text + why, tmp_path, replace(shipped(), window=closed))
    assert found.differences == ()


def test_two_currencies_are_two_ladders_of_one_customer(tmp_path: Path) -> None:
    text = LADDER.replace(
        "    expect:\n",
        "      - {number: INV-2, amount: 90.00, currency: USD, issued: 2026-06-01, due: 2026-07-01}\n    expect:\n",
    )
    for step, on in (("courtesy", "06-29"), ("friendly", "07-06"), ("firm", "07-15")):
        both = f"      - {{day: 2026-{on}, step: {step}, invoices: INV-1, amount: 1200.00}}\n"
        text = text.replace(
            f"      - {{day: 2026-{on}, step: {step}}}\n",
            both + f"      - {{day: 2026-{on}, step: {step}, invoices: INV-2, amount: 90.00}}\n",
        )
    (outcome,) = outcomes(HEAD + text, tmp_path)
    assert outcome.differences == ()


SEVERAL = """\
  - name: what the mailbox lets through in a day
    from: 2026-07-06
    to: 2026-07-20
    customers:
      - {name: Acme}
      - {name: Birch, country: GB, tags: vip}
    invoices:
      - {number: A-1, customer: Acme, amount: 100.00, issued: 2026-06-01, due: 2026-07-03}
      - {number: B-1, customer: Birch, amount: 900.00, issued: 2026-06-01, due: 2026-07-03}
    happens:
      - {day: 2026-07-15, held: legal, customer: Birch}
    expect:
      - {day: 2026-07-06, step: friendly, invoices: B-1, amount: 900.00}
      - {day: 2026-07-07, step: friendly, invoices: A-1}
      - {day: 2026-07-17, step: firm, invoices: A-1}
    why_not:
      - {day: 2026-07-06, invoice: A-1, rule: cap, says: larger amounts go first}
      - {day: 2026-07-17, invoice: B-1, rule: hold, says: as the scenario says}
"""


def test_several_customers_share_the_mailbox_and_nothing_else(tmp_path: Path) -> None:
    standard = shipped()
    capped = replace(standard, caps=replace(standard.caps, mailbox=1))
    (outcome,) = outcomes(HEAD + SEVERAL, tmp_path, capped)
    assert [one.message for one in outcome.differences] == []


MONTHLY = """\
  - name: a statement of account each month, beside the ladder
    from: 2026-07-01
    to: 2026-08-07
    invoices:
      - {number: INV-1, amount: 1200.00, issued: 2026-06-01, due: 2026-07-27}
    expect:
      - {day: 2026-07-02, step: account_statement, invoices: INV-1, amount: 1200.00}
      - {day: 2026-07-24, step: courtesy}
      - {day: 2026-07-30, step: friendly}
      - {day: 2026-08-04, step: account_statement}
"""


def test_a_scenario_may_expect_the_months_statement_of_account(tmp_path: Path) -> None:
    monthly = replace(shipped(), statements=Statements(ON_REQUEST, business_day=2))
    (outcome,) = outcomes(HEAD + MONTHLY, tmp_path, monthly)
    assert [one.message for one in outcome.differences] == []


def test_a_playbook_without_monthly_statements_has_no_such_step(tmp_path: Path) -> None:
    said = told(HEAD + MONTHLY, tmp_path)
    assert all(one.endswith("standard has no step 'account_statement'") for one in said)
    assert len(said) == 2


# --- what is wrong with a file --------------------------------------------------------------------------------


def test_all_that_is_wrong_is_told_at_once_with_line_and_suggestion(tmp_path: Path) -> None:
    text = """\
company: {country: XX, timezone: Europe/Lundon, currency: EURO}
scenarios:
  - name: everything
    from: 2026-07-31
    to: 2026-06-01
    invoices:
      - {number: INV-1, amount: "12,00", issued: 2026-06-01}
      - {number: INV-2, amount: 10.00, issued: 2026-06-31}
      - {number: INV-3, amount: 10.00, issued: 2026-06-02, due: 2026-06-01}
    hapens: []
    expect:
      - {day: 2026-07-06, step: freindly, mode: automatic}
  - name: a ledger
    from: 2026-06-01
    to: 2026-07-31
    invoices:
      - {number: INV-1, amount: 100.00, issued: 2026-06-01, due: 2026-07-01}
    happens:
      - {day: 2026-07-08, resolvd: INV-1}
      - {day: 2026-07-08, paid: INV-2}
      - {day: 2026-07-09, paid: INV-1, voided: INV-1}
      - {day: 2026-07-10, paid: INV-1, amount: 60.00}
      - {day: 2026-07-11, paid: INV-1, amount: 60.00}
      - {day: 2026-08-11, paid: INV-1}
      - {day: 2026-07-12, promised: 2026-07-01}
      - {day: 2026-07-12, held: leagal}
      - {day: 2026-07-13, allocated: INV-1}
    expect: nothing
    why_not:
      - {day: 2026-07-06, rule: gapp}
"""
    assert [one.removeprefix("standard.yaml:") for one in told(text, tmp_path)] == [
        "1: company: there is no timezone 'Europe/Lundon'",
        "1: company: 'XX' is no country whose holidays are known: GB, DE, US, ...",
        "1: company: 'EURO' is no ISO 4217 currency (did you mean 'EUR'?)",
        "5: 'everything' ends before it begins, on 2026-07-31",
        "7: 'everything': invoice 1: amount must be an amount above zero such as 1200.00, not '12,00'",
        "8: 'everything': invoice 2: issued must be a day such as 2026-06-30, not '2026-06-31'",
        "9: 'everything': invoice INV-3 falls due before it was issued",
        "10: scenario 1 has no key 'hapens' (did you mean 'happens'?)",
        "12: 'everything': 2026-07-06 is not between 2026-07-31 and 2026-06-01",
        "12: 'everything': standard has no step 'freindly' (did you mean 'friendly'?)",
        "12: 'everything': expected 1: mode must be one of auto, approve, task, not 'automatic' (did you mean 'auto'?)",
        f"19: 'a ledger': happening 1 must say what happens: one of {', '.join(What)} (did you mean 'resolved'?)",
        "20: 'a ledger': there is no invoice 'INV-2'",
        "21: 'a ledger': happening 3 is paid and voided in one: write one line for each",
        "23: 'a ledger': 40.00 is open on INV-1 on 2026-07-11: 60.00 is more",
        "24: 'a ledger': 2026-08-11 is not between 2026-06-01 and 2026-07-31",
        "25: 'a ledger': promised 2026-07-01: that day has passed on 2026-07-12",
        f"26: 'a ledger': happening 8: held must be one of {', '.join(HoldKind)}, not 'leagal' (did you mean 'legal'?)",
        "27: 'a ledger': 0 EUR is on no invoice on 2026-07-13: 40.00 is more",
        f"30: 'a ledger': why_not 1: rule must be one of {', '.join([*Rule, 'not_matched'])}, "
        "not 'gapp' (did you mean 'gap'?)",
    ]


def test_what_is_wrong_with_whose_it_is_is_told(tmp_path: Path) -> None:
    text = (
        SEVERAL.replace("customer: Acme, ", "")
        .replace("customer: Birch, amount", "customer: Brich, amount")
        .replace("held: legal, customer: Birch", "held: legal")
        .replace("    happens:\n", "    happens:\n      - {day: 2026-07-08, instalments: 3, customer: Acme}\n")
    )
    said = [one.partition("in a day': ")[2] for one in told(HEAD + text, tmp_path)]
    assert said == [
        "invoice A-1 names its customer where there are several",
        "invoice B-1: there is no customer 'Brich' (did you mean 'Birch'?)",
        "happening 1 needs the key 'first'",
        "held names its customer where there are several",
    ]


def test_a_day_out_of_all_calendars_is_a_problem(tmp_path: Path) -> None:
    assert told(HEAD + LADDER.replace("due: 2026-07-01", "due: 9999-12-31"), tmp_path) == [
        "standard.yaml:8: 'the ladder': invoice 1: due must be a day such as 2026-06-30, not '9999-12-31'"
    ]


def test_an_empty_file_and_a_list_are_no_scenarios(tmp_path: Path) -> None:
    assert told("", tmp_path) == ["standard.yaml:1: a file of scenarios is a mapping of keys: company, scenarios"]
    assert told("- a\n", tmp_path) == ["standard.yaml:1: a file of scenarios is a mapping of keys: company, scenarios"]
    assert told("company: {}\n", tmp_path) == ["standard.yaml:1: the file needs the key 'scenarios'"]


# --- the command ----------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with the shipped playbooks and one scenario each of the standard one: it passes, it fails."""
    copytree(FOLDER, tmp_path / "playbooks")
    (tmp_path / "arsync.toml").touch()
    for name in ("high-value", "statement-only"):
        (tmp_path / "playbooks" / f"{name}.yaml").unlink()
    wrong = LADDER.replace("the ladder", "a friendly word too soon").replace("2026-07-06", "2026-07-03")
    (tmp_path / "playbooks" / "tests" / "standard.yaml").write_text(HEAD + LADDER + wrong, encoding="utf-8")
    return tmp_path


def asked(house: Path, *more: str) -> int:
    return run(["--config", str(house / "arsync.toml"), "playbook", "test", *more])


def test_a_failed_scenario_is_shown_as_a_calendar(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(house, "standard") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "passed  standard: the ladder"
    assert lines[1] == "FAILED  standard: a friendly word too soon"
    rows = [re.split(r" {2,}", line.rstrip()) for line in lines[2:9]]
    assert rows == [
        ["", "day", "what happens", "expected", "what the playbook does"],
        ["", "Mon 2026-06-01", "INV-1 over 1,200.00 GBP"],
        ["", "Mon 2026-06-29", "courtesy", "courtesy INV-1"],
        ["", "Wed 2026-07-01", "INV-1 falls due"],
        ["!", "Fri 2026-07-03", "friendly", "nothing"],
        ["!", "Mon 2026-07-06", "nothing", "friendly INV-1, 1,200.00 GBP, auto"],
        ["", "Wed 2026-07-15", "firm", "firm INV-1"],
    ]
    assert lines[9].startswith("tests/standard.yaml:20: 2026-07-03: friendly did not go out; INV-1: not_due (after")
    assert lines[10].startswith("tests/standard.yaml:13: 2026-07-06: friendly INV-1, 1,200.00 GBP, auto went out,")
    assert lines[11:] == ["", "2 scenarios, 1 failed"]


def test_json_tells_the_same(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(house, "standard", "--json") == 1
    (said,) = json.loads(capsys.readouterr().out)
    good, bad = said["scenarios"]
    assert (said["playbook"], said["problems"], good["passed"], bad["passed"]) == ("standard", [], True, False)
    assert [one["on"] for one in bad["differences"]] == ["2026-07-03", "2026-07-06"]
    assert [day["on"] for day in bad["days"] if day["differs"]] == ["2026-07-03", "2026-07-06"]


def test_every_playbook_is_tested_without_a_name(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (house / "playbooks" / "tests" / "gentle.yaml").unlink()
    assert asked(house) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "gentle: no scenarios" in lines
    assert lines[-1].endswith(" scenarios, 1 failed")
    assert asked(house, "firm") == 0


def test_a_playbook_asked_for_by_name_must_have_scenarios(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (house / "playbooks" / "tests" / "gentle.yaml").unlink()
    assert asked(house, "gentle") == 1
    assert "gentle.yaml:1: has no scenarios: write them into tests/gentle.yaml" in capsys.readouterr().out
    assert asked(house, "gentel") == 2
    assert "did you mean gentle?" in capsys.readouterr().err
