"""What the DNS says of those in whose names mail goes out; a book of names stands in for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from arsync.errors import RetryLater
from arsync.ops.senders import examine_senders
from arsync.settings import load

SMTP = '[delivery]\nchannel = "smtp"\nfrom = "Ledger <a@ledger.example>"\n[smtp]\nhost = "mail.provider.example"\n'
SENDGRID = '[delivery]\nchannel = "sendgrid"\nfrom = "Ledger <a@mail.ledger.example>"\n'
WHOLE = {"ledger.example": ["v=spf1 include:x -all", "other"], "_dmarc.ledger.example": ["v=DMARC1; p=none"]}


def findings(folder: Path, text: str, book: Mapping[str, list[str]]) -> list[str]:
    (folder / "arsync.toml").write_text(text, encoding="utf-8")
    read = load(folder / "arsync.toml", environ={})
    there = {"example": [], "ledger.example": [], "mail.ledger.example": [], **book}
    return [f"{one.level}: {one.detail}" for one in examine_senders(read, there.get)]


def test_a_domain_that_says_all_is_well(tmp_path: Path) -> None:
    assert findings(tmp_path, SMTP, WHOLE) == ["ok: ledger.example: SPF, DMARC"]


def test_what_is_missing_is_told_with_what_it_costs(tmp_path: Path) -> None:
    assert findings(tmp_path, SMTP, {}) == [
        "warn: ledger.example has no SPF record: mail from it may be refused",
        "warn: ledger.example has no DMARC record: large mail providers ask for one",
    ]


def test_two_spf_records_are_as_bad_as_none(tmp_path: Path) -> None:
    twice = {**WHOLE, "ledger.example": ["v=spf1 -all", "v=spf1 include:x -all"]}
    assert findings(tmp_path, SMTP, twice)[0] == "fail: ledger.example has 2 SPF records: none of them counts"


def test_sendgrid_signs_under_its_own_names_and_a_policy_holds_below_its_domain(tmp_path: Path) -> None:
    book = {"s1._domainkey.mail.ledger.example": ["k=rsa; p=MIG"], "_dmarc.ledger.example": ["v=DMARC1; p=reject"]}
    assert findings(tmp_path, SENDGRID, book) == ["ok: mail.ledger.example: DKIM, DMARC"]
    assert "has no DKIM key of SendGrid's" in findings(tmp_path, SENDGRID, {})[0]


def test_each_companys_sender_is_looked_at_once(tmp_path: Path) -> None:
    own = '[group.g]\ndelivery.from = "b@birch.example"\n[connection.c]\ndelivery.from = "c@Birch.example"\n'
    assert findings(tmp_path, SMTP + own, {**WHOLE, "birch.example": ["v=spf1 -all"]}) == [
        "ok: ledger.example: SPF, DMARC",
        "warn: birch.example has no DMARC record: large mail providers ask for one",
        "ok: birch.example: SPF",
    ]


@pytest.mark.parametrize(
    "text", ['[delivery]\nfrom = "a@ledger.example"\n', SMTP.replace("mail.provider.example", "127.0.0.1")]
)
def test_where_no_mail_leaves_the_machine_nobody_is_asked(tmp_path: Path, text: str) -> None:
    assert findings(tmp_path, text, {}) == []


def test_a_domain_that_is_not_there_is_a_slip(tmp_path: Path) -> None:
    slip = SMTP.replace("a@ledger.example", "a@ledgr.example")
    assert findings(tmp_path, slip, {}) == ["fail: there is no domain ledgr.example: mail from it is refused"]


def test_a_resolver_that_knows_no_top_level_proves_nothing(tmp_path: Path) -> None:
    (said,) = findings(tmp_path, SMTP.replace("ledger.example", "ledger.com"), {})
    assert said.startswith("warn: ledger.com was not looked at: the resolver knows no .com")


def test_without_a_resolver_it_is_said_once(tmp_path: Path) -> None:
    def nobody(_name: str) -> list[str]:
        raise RetryLater("no resolver answers (LifetimeTimeout)")

    (tmp_path / "arsync.toml").write_text(SMTP + '[group.g]\ndelivery.from = "b@birch.example"\n', encoding="utf-8")
    (only,) = examine_senders(load(tmp_path / "arsync.toml", environ={}), nobody)
    assert only.detail == "ledger.example was not looked at: no resolver answers (LifetimeTimeout)"
