"""Consent in the browser, and the way out again: what a person does, and what comes of it at vendor and database."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import requests
from tests.acceptance.consenting import consenting, decide, with_redirect
from tests.acceptance.installation import Books, Installation


@pytest.mark.parametrize("provider", ["quickbooks", "xero"])
def test_a_company_is_linked_by_consent_in_the_browser(
    empty: Installation, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    harbor = empty.found("harbor", provider)
    empty.configure()
    with_redirect(empty, provider)
    with consenting(monkeypatch, [harbor.id]) as person:
        ran = empty.arsync("connect", provider, "--author", "ann")
    assert "harbor: The harbor company" in ran.out
    assert [tuple(row) for row in empty.rows("SELECT author FROM events WHERE kind = 'connection_linked'")] == [
        ("ann",)
    ]
    assert "arsync will read" in ran.out
    assert "and write notes" in ran.out
    assert "next: arsync backfill harbor" in ran.out
    assert "Thank you" in person.pages[0]
    (listed,) = empty.json("connections")
    consent = listed["consent"]
    assert (listed["name"], listed["health"]) == ("harbor", "recovering")
    # QuickBooks: 8,726,400 seconds unused, five years at the latest. Xero: 60 days unused.
    expected = {"quickbooks": (100, True), "xero": (59, False)}[provider]
    assert (consent["days_left"], consent["ends_at_the_latest"] is not None) == expected
    empty.arsync("backfill")
    assert [one["health"] for one in empty.json("connections")] == ["ok"]


def test_one_xero_consent_links_several_organisations(empty: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    thames = empty.found("thames", "xero")
    isis = empty.sandbox.create_company("xero", name="The isis company", invoices=0, customers=1, grant_of=thames.id)
    tyne = empty.sandbox.create_company("xero", name="The tyne company", invoices=0, customers=1, grant_of=thames.id)
    empty.configure()
    with_redirect(empty)
    with consenting(monkeypatch, [thames.id, isis["id"], tyne["id"]]):
        ran = empty.arsync("connect", "xero", "--company", thames.id, "--company", "The isis company")
    assert "The tyne company" not in ran.out
    assert len(empty.rows("SELECT id FROM grants")) == 1
    grants = {one["grant_id"] for one in empty.json("connections")}
    assert len(empty.json("connections")) == 2
    assert len(grants) == 1


def test_several_organisations_without_a_choice_are_listed_and_nothing_is_kept(
    empty: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    thames = empty.found("thames", "xero")
    isis = empty.sandbox.create_company("xero", name="The isis company", invoices=0, customers=1, grant_of=thames.id)
    empty.configure()
    empty.config.write_text(empty.config.read_text().partition("[connection.")[0])
    with_redirect(empty)
    with consenting(monkeypatch, [thames.id, isis["id"]]):
        ran = empty.arsync("connect", "xero", status=2)
    assert "pick by --company, or take all by --yes" in ran.err
    assert "The isis company" in ran.err
    assert empty.rows("SELECT * FROM grants") == []
    with consenting(monkeypatch, [thames.id, isis["id"]]):
        empty.arsync("connect", "xero", "--yes")
    assert len(empty.json("connections")) == 2


@pytest.mark.parametrize("provider", ["quickbooks", "xero"])
def test_access_denied_is_told_and_nothing_is_linked(
    empty: Installation, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    empty.found("harbor", provider)
    empty.configure()
    with_redirect(empty, provider)
    with consenting(monkeypatch, allow=False) as person:
        ran = empty.arsync("connect", provider, status=1)
    assert "access was denied on the consent page: nothing was linked" in ran.err
    assert "Not connected" in person.pages[0]
    assert empty.json("connections") == []


def test_what_is_not_the_answer_changes_nothing(empty: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    thames = empty.found("thames", "xero")
    empty.configure()
    with_redirect(empty)
    seen: list[int] = []

    def meddle(_asked: str, back: str) -> None:
        place = back.partition("?")[0]
        forged = ("?code=forged&state=guessed", "?error=access_denied&state=x", "/else?x=1")
        seen.extend(requests.get(place + ending, timeout=10).status_code for ending in forged)
        seen.append(requests.post(back, timeout=10).status_code)
        seen.append(requests.get(back, headers={"Host": "evil.example"}, timeout=10).status_code)

    with consenting(monkeypatch, [thames.id]) as person:
        person.before = meddle
        ran = empty.arsync("connect", "xero")
    assert seen == [400, 400, 404, 405, 404]
    assert "thames: The thames company" in ran.out


def test_nobody_is_waited_for_longer_than_said(empty: Installation) -> None:
    empty.found("thames", "xero")
    empty.configure()
    with_redirect(empty)
    ran = empty.arsync("connect", "xero", "--no-browser", "--wait", "0.1", status=1)
    assert "nobody consented within 0 seconds: nothing was linked" in ran.err
    assert "/identity/connect/authorize?response_type=code" in ran.out


@pytest.mark.parametrize("provider", ["quickbooks", "xero"])
def test_without_a_browser_the_address_is_pasted(
    empty: Installation, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    harbor = empty.found("harbor", provider)
    empty.configure()
    elsewhere = "https://seller.example/registered"
    empty.sandbox.register_redirect(elsewhere)
    empty.config.write_text(
        empty.config.read_text().replace(f"[{provider}]\n", f'[{provider}]\nredirect_uri = "{elsewhere}"\n')
    )
    printed: list[str] = []

    def asked(question: str, **_: object) -> str:
        assert elsewhere in question
        (address,) = [line for line in printed if "response_type=code" in line]
        return decide(address, [harbor.id])

    monkeypatch.setattr("arsync.cli.connect.say", printed.append)
    monkeypatch.setattr("typer.prompt", asked)
    empty.arsync("connect", provider, "--paste")
    assert [one["name"] for one in empty.json("connections")] == ["harbor"]


@pytest.mark.parametrize(("answers", "kept"), [(["perhaps", "Off"], "off"), (["later"], None)])
def test_a_terminal_asks_once_whether_quickbooks_reminds_by_itself(
    empty: Installation, monkeypatch: pytest.MonkeyPatch, answers: list[str], kept: str | None
) -> None:
    harbor = empty.found("harbor", "quickbooks")
    empty.configure()
    asked: list[str] = []

    def prompt(question: str, **_: object) -> str:
        asked.append(question)
        return answers[len(asked) - 1]

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    for _ in range(2 if kept else 1):
        token = empty.sandbox.grant(harbor.id)["refresh_token"]
        ran = empty.arsync("connect", "quickbooks", "--refresh-token", token, "--external-id", harbor.id)
    assert len(asked) == len(answers), "linked again, nobody is asked again"
    (listed,) = empty.json("reminders")
    assert listed["answer"] == (None if kept is None else {**listed["answer"], "reminds": False})
    assert ("arsync reminders harbor off (or on)" in ran.out) is (kept is None)


def test_without_a_terminal_the_answer_is_an_option(empty: Installation) -> None:
    """Not given: how to answer is said, and the doctor says that nothing goes out. Xero tells it itself."""
    harbor, thames = empty.found("harbor", "quickbooks"), empty.found("thames", "xero")
    empty.configure()

    def connect(books: Books, *more: str) -> str:
        token = empty.sandbox.grant(books.id)["refresh_token"]
        return empty.arsync(
            "connect", books.provider, "--refresh-token", token, "--external-id", books.id, *more
        ).out  # fmt: skip

    assert "arsync reminders harbor off (or on)" in connect(harbor)
    said = [one["detail"] for one in empty.json("doctor") if one["subject"] == "reminders"]
    assert len(said) == 1
    assert "is not known" in said[0]
    assert "its own reminders are off, says Ann" in connect(harbor, "--reminders", "off", "--author", "Ann")
    assert "reminders" not in connect(thames, "--reminders", "on")
    assert [one["told"] for one in empty.json("reminders")] == [None, False]


def test_a_custom_connection_is_its_own_consent(empty: Installation) -> None:
    empty.found("thames", "xero")
    empty.configure()
    empty.arsync("connect", "xero", "--client-credentials")
    (listed,) = empty.json("connections")
    assert (listed["consent"]["days_left"], listed["consent"]["ends_if_unused_at"]) == (None, None)
    empty.arsync("backfill")
    empty.sandbox.advance(days=400)  # long after every refresh token would have ended
    empty.arsync("sync")
    assert [one["health"] for one in empty.json("connections")] == ["ok"]


def test_connecting_again_renews_all_companies_of_the_consent_and_keeps_their_data(
    empty: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    thames = empty.found("thames", "xero")
    isis = empty.sandbox.create_company("xero", name="The isis company", invoices=5, customers=1, grant_of=thames.id)
    empty.configure()
    with_redirect(empty)
    with consenting(monkeypatch, [thames.id, isis["id"]]):
        empty.arsync("connect", "xero", "--yes")
    empty.arsync("backfill")
    invoices = empty.rows("SELECT remote_id FROM invoices")
    empty.sandbox.advance(days=61)

    told = empty.arsync("sync", status=1).err
    assert told.count("a person must connect again") == 2
    assert {one["health"] for one in empty.json("connections", status=1)} == {"reauthorise"}
    before = empty.sandbox.requests()
    ran = empty.arsync("run", status=1)
    assert "to do: thames is reauthorise" in ran.out
    assert "(arsync connect xero)" in ran.out
    assert empty.arsync("doctor", status=1).out.count("the consent has ended") == 2
    assert empty.sandbox.requests(len(before) and before[-1]["n"]) == []  # not even a token was asked for

    with consenting(monkeypatch, [thames.id]):
        again = empty.arsync("connect", "xero", "--name", "thames")
    assert "lives by this consent as well" in again.out
    assert {one["health"] for one in empty.json("connections")} == {"partial"}
    assert len(empty.rows("SELECT id FROM grants")) == 1
    empty.arsync("sync")
    assert {one["health"] for one in empty.json("connections")} == {"ok"}
    assert empty.rows("SELECT remote_id FROM invoices") == invoices


def test_a_consent_for_another_company_is_refused(empty: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    harbor, pier = empty.found("harbor", "quickbooks"), empty.found("pier", "quickbooks")
    empty.configure()
    with_redirect(empty, "quickbooks")
    with consenting(monkeypatch, [harbor.id]):
        empty.arsync("connect", "quickbooks", "--name", "harbor")
    before = empty.rows("SELECT * FROM grants")
    with consenting(monkeypatch, [pier.id]):
        ran = empty.arsync("connect", "quickbooks", "--name", "harbor", status=2)
    assert f"harbor is the company {harbor.id}, and this consent is for {pier.id}: nothing was linked" in ran.err
    assert empty.rows("SELECT * FROM grants") == before
    assert [one["name"] for one in empty.json("connections")] == ["harbor"]


def test_disconnecting_one_organisation_leaves_the_others_and_the_last_one_ends_the_consent(
    empty: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    thames = empty.found("thames", "xero")
    isis = empty.sandbox.create_company("xero", name="The isis company", invoices=5, customers=1, grant_of=thames.id)
    empty.configure(more=f'[connection.isis]\nprovider = "xero"\nexternal_id = "{isis["id"]}"\n')
    with_redirect(empty)
    with consenting(monkeypatch, [thames.id, isis["id"]]):
        empty.arsync("connect", "xero", "--yes")
    empty.arsync("backfill")

    mark = empty.sandbox.requests()[-1]["n"]
    assert "its data stay" in empty.arsync("disconnect", "isis", "--yes").out
    sent = [(one["method"], one["resource"]) for one in empty.sandbox.requests(mark)]
    assert ("DELETE", "connections") in sent
    assert "revoke" not in [resource for _, resource in sent]
    empty.arsync("sync")
    mark = empty.sandbox.requests()[-1]["n"]
    assert "isis" not in empty.json("sync")
    assert {one["company"] for one in empty.sandbox.requests(mark)} <= {thames.id, None}
    assert len(empty.rows("SELECT remote_id FROM invoices")) == 5

    empty.arsync("disconnect", "thames", "--yes")
    assert "revoke" in [one["resource"] for one in empty.sandbox.requests(mark)]
    assert empty.rows("SELECT sealed FROM grants WHERE sealed <> ''") == []
    mark = empty.sandbox.requests()[-1]["n"]
    assert "no company is linked" in empty.arsync("run").err
    refused = empty.arsync("sync", "isis", status=1)
    assert "a person must connect again" in refused.err
    assert empty.sandbox.requests(mark) == []

    with consenting(monkeypatch, [thames.id, isis["id"]]):
        empty.arsync("connect", "xero", "--company", isis["id"])
    empty.arsync("sync")
    health = {one["name"]: one["health"] for one in empty.json("connections")}
    assert health == {"isis": "ok", "thames": "disconnected"}


def test_a_vendor_that_does_not_answer_does_not_keep_us_connected(empty: Installation) -> None:
    empty.found("harbor", "quickbooks")
    empty.configure()
    empty.load()
    empty.sandbox.fault("error", {"provider": "quickbooks", "resource": "revoke"})
    ran = empty.arsync("disconnect", "harbor", "--yes", status=1)
    assert "could not be told" in ran.err
    assert [one["health"] for one in empty.json("connections")] == ["disconnected"]
    empty.arsync("disconnect", "harbor", "--yes")
    assert empty.rows("SELECT sealed FROM grants WHERE sealed <> ''") == []
    refused = empty.sandbox.call("GET", "requests?since=0")[-1]
    assert (refused["resource"], refused["status"]) == ("revoke", 200)
