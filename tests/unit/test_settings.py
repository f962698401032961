"""Settings: what is written is what holds, and what is wrong is said all at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from arsync.cli.init import initial_config, lay_down
from arsync.errors import ConfigurationError
from arsync.settings import GroupSettings, Settings, check_rehearsal, is_loopback, load, vendor_urls
from arsync.settings.model import KEYS
from arsync.settings.shown import of_company, of_installation

CONNECTORS = ("quickbooks", "xero")


def settings(folder: Path, text: str, **environ: str) -> Settings:
    path = folder / "arsync.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ=environ, connectors=CONNECTORS)


def refusal(folder: Path, text: str, **environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        settings(folder, text, **environ)
    return str(caught.value)


class TestMisspelling:
    def test_an_unknown_key_is_named_with_its_file_and_the_nearest_known_one(self, tmp_path: Path) -> None:
        said = refusal(tmp_path, '[delivery]\nchanel = "file"\n')
        assert f"{tmp_path}/arsync.toml:2: delivery.chanel: there is no such key" in said
        assert "did you mean delivery.channel?" in said

    def test_an_unknown_section_is_named_with_the_nearest_known_one(self, tmp_path: Path) -> None:
        assert "deffaults: there is no such section (did you mean defaults?)" in refusal(tmp_path, "[deffaults]\n")
        assert "did you mean quickbooks?" in refusal(tmp_path, "[quickbook]\n")

    def test_a_key_in_the_wrong_section_is_sent_to_the_right_one(self, tmp_path: Path) -> None:
        assert "did you mean defaults.legal_footer?" in refusal(tmp_path, '[delivery]\nlegal_footer = "x"\n')
        assert "did you mean database.url?" in refusal(tmp_path, 'url = "sqlite:///x.db"\n')

    def test_a_key_of_one_company_and_a_key_within_a_key_are_found_too(self, tmp_path: Path) -> None:
        said = refusal(tmp_path, '[connection.acme]\nplaybok = "x"\nbrand.colour = "#fff"\n')
        assert "did you mean connection.acme.playbook?" in said
        assert "did you mean connection.acme.brand.color?" in said

    def test_an_unknown_variable_is_named_itself(self, tmp_path: Path) -> None:
        said = refusal(tmp_path, "", ARSYNC_DELIVERY__CHANEL="file", ARSYNC_FOO__BAR="1")
        assert "ARSYNC_DELIVERY__CHANEL: delivery.chanel: there is no such key (did you mean delivery.channel?)" in said
        assert "ARSYNC_FOO__BAR: there is no section foo" in said

    def test_one_underscore_for_two_is_not_passed_over(self, tmp_path: Path) -> None:
        said = refusal(tmp_path, "", ARSYNC_DELIVERY_REDIRECT_TO="me@example.com", ARSYNC_XERO_CLIENT_ID="x")
        assert "ARSYNC_DELIVERY_REDIRECT_TO: did you mean ARSYNC_DELIVERY__REDIRECT_TO?" in said
        assert "ARSYNC_XERO_CLIENT_ID: did you mean ARSYNC_XERO__CLIENT_ID?" in said

    def test_variables_of_other_things_are_let_be(self, tmp_path: Path) -> None:
        assert settings(tmp_path, "", ARSYNC_CONFIG="elsewhere.toml", ARSYNC_MATERIAL="/x", PATH="/bin").file


class TestWrongValues:
    def test_all_problems_are_said_at_once(self, tmp_path: Path) -> None:
        said = refusal(
            tmp_path,
            """
            [defaults]
            timezone = "Europe/Lndon"
            country = "zz"
            locale = "xx-yy"
            reply_to = "a@example.com, b@example.com"
            brand.color = "red"
            bank_details.EURO = "IBAN"
            mode = "sometimes"
            banked_through = "soon"
            [connection.acme]
            provider = "quickboks"
            [delivery]
            from = "nobody"
            [safety]
            max_messages_per_run = -1
            max_staleness = nan
            breaker_factor = 0.5
            [database]
            url = "mysql://user:hunter2@host/name"
            """,
            ARSYNC_SANDBOX__CLOCK_URL="localhost",
        )
        assert "15 problems" in said
        for place in (
            "defaults.timezone: no such timezone: 'Europe/Lndon' (did you mean 'Europe/London'?)",
            "defaults.country",
            "defaults.locale",
            "defaults.reply_to: not a mail address",
            "defaults.brand.color",
            "defaults.bank_details: no such currency: EURO",
            "defaults.mode",
            "defaults.banked_through",
            "connection.acme.provider: no such connector (did you mean 'quickbooks'?)",
            "delivery.from: not a mail address",
            "safety.max_messages_per_run",
            "safety.max_staleness",
            "safety.breaker_factor",
            "database.url",
            "ARSYNC_SANDBOX__CLOCK_URL: sandbox.clock_url: not an address",
        ):
            assert place in said
        assert "hunter2" not in said

    def test_a_file_that_is_no_toml_is_named_with_the_line(self, tmp_path: Path) -> None:
        assert re.search(r"arsync\.toml: .*line 2", refusal(tmp_path, "[delivery]\nchannel = \n"))

    def test_a_named_file_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        for environ, config in (({}, tmp_path / "x.toml"), ({"ARSYNC_CONFIG": str(tmp_path / "x.toml")}, None)):
            with pytest.raises(ConfigurationError, match=r"x\.toml: cannot be read: No such file"):
                load(config, environ=environ, connectors=CONNECTORS)

    def test_a_database_in_memory_would_forget_whom_it_wrote_to(self, tmp_path: Path) -> None:
        for url in ("sqlite:///:memory:", "sqlite:///"):
            assert "needs a file" in refusal(tmp_path, f'[database]\nurl = "{url}"\n')

    def test_two_sections_for_one_company_are_one_too_many(self, tmp_path: Path) -> None:
        said = refusal(
            tmp_path,
            """
            [connection.one]
            provider = "xero"
            external_id = "t-1"
            [connection.two]
            provider = "xero"
            external_id = "t-1"
            """,
        )
        assert "connection.two.external_id: is the company of connection.one too" in said

    def test_a_connection_needs_a_plain_name(self, tmp_path: Path) -> None:
        assert "connection.a b" in refusal(tmp_path, '[connection."a b"]\n')


class TestEnvironment:
    def test_every_key_can_come_from_the_environment_which_wins(self, tmp_path: Path) -> None:
        samples = {
            "url": "sqlite:///env.db", "company_name": "Env Ltd", "timezone": "Asia/Tokyo", "country": "jp",
            "locale": "de-AT", "reply_to": "env@example.com", "color": "#abcdef", "font": "Georgia",
            "logo": "https://www.example.com/l.png", "legal_footer": "by law",
            "bank_details": "", "playbook": "soft", "mode": "auto", "writes": "off", "banked_through": "2026-05-31",
            "reminders": "off", "provider": "xero", "external_id": "t-9", "channel": "sendgrid",
            "from": "Env <env@example.com>", "outbox_dir": "out", "redirect_to": "me@example.com",
            "bcc": "copy@example.com", "api_key": "SG.env", "host": "https://mail.example.com",
            "serve.host": "192.0.2.1", "public_url": "https://desk.example.com",
            "trusted_proxies": "10.0.0.7; 10.1.0.0/24", "user_header": "X-Remote-User", "idle_minutes": "30",
            "session_hours": "8",
            "activity_lookup": "true", "key": "k", "key_file": "other.key", "max_messages_per_run": "7",
            "max_staleness": "5", "breaker_factor": "2.5", "breaker_share": "0.4",
            "clock_url": "http://127.0.0.1:8700", "mark_sent": "on",
            "pay_links": "on", "region": "Kanto", "closed": "12-24..01-02 year end; 2027-05-14",
            "payment_days": "Birch: friday; C-17: end of month", "attachments_mb": "5",
            "postal_address": "1 High Street",
            "smtp.host": "mail.example.com", "port": "2525", "user": "ann", "password": "hunter2", "tls": "implicit",
            "suppression_lookup": "true", "webhook_public_key": "MFkw",
            "sent_host": "imap.example.com", "sent_port": "1993", "sent_folder": "Gesendet",
            "undo_minutes": "15", "first_customers": "5", "connections": "harbor; thames", "playbooks": "standard",
            "tags": "pilot", "customers": "Acme Ltd; C-17", "digest_to": "us@example.com", "digest": "daily",
            "address": "in@example.com", "inbox_address": "own@example.com", "folder": "Answers",
            "inbound_parse_secret": "s3cret", "inbound_parse_public_key": "MFkw", "max_silence": "4",
            "inbox.imap.tls": "starttls", "worker.digest": "30 8 * * mon-fri", "nightly": "15 3 * * *",
            "sync": "*/20 * * * *", "dispatch": "off", "reconcile": "0 5 * * sat", "poll": "off",
            "jitter_minutes": "0", "missed_after": "3.5", "threads": "2", "stop_seconds": "20", "format": "json",
            "listen": "127.0.0.1:9464", "level": "debug", "mail": "ops@example.com", "webhook": "https://hooks.example.com/x",
            "ping_url": "https://watch.example.com/y", "collecting_for_others": "on", "group": "acme",
            "words_days": "400", "replies_days": "401", "verdicts_days": "402", "runs_days": "403", "queue": "embedded",
            "backup": "0 3 * * *", "keep_backups": "7", "prune": "0 5 * * sun",
        }  # fmt: skip
        assert {name.rpartition(".")[2] for name in samples} == {place[-1] for place in KEYS}
        environ = {"ARSYNC_DEFAULTS__BANK_DETAILS__EUR": "IBAN"}
        for place in KEYS:
            if value := samples.get(".".join(place), samples.get(place[-1], "")):
                environ["ARSYNC_" + "__".join(place).replace("<name>", "acme").upper()] = value
        read = settings(tmp_path, '[defaults]\ncompany_name = "File Ltd"\n[connection.acme]\n', **environ)
        assert read.database_url == f"sqlite:///{tmp_path}/env.db"
        acme = read.company("acme")
        assert (acme.company_name, acme.timezone, acme.country, acme.locale) == ("Env Ltd", "Asia/Tokyo", "JP", "de-AT")
        assert (acme.mode, acme.writes, acme.reminders, acme.banked_through) == (
            "auto",
            "off",
            "off",
            date(2026, 5, 31),
        )
        assert (acme.mark_sent, acme.pay_links) == ("on", "on")
        assert (acme.region, acme.closed) == ("Kanto", ("12-24..01-02 year end", "2027-05-14"))
        assert acme.payment_days == ("Birch: friday", "C-17: end of month")
        assert (acme.bank_details, acme.brand.color, acme.playbook) == ({"EUR": "IBAN"}, "#abcdef", "soft")
        assert read.name_for("xero", "t-9") == "acme"
        assert read.delivery.sender == "Env <env@example.com>"
        assert (read.delivery.channel, read.outbox_dir) == ("sendgrid", tmp_path / "out")
        assert read.sendgrid.api_key == SecretStr("SG.env")
        assert read.sendgrid.activity_lookup
        assert (read.vault_key, read.key_file) == ("k", tmp_path / "other.key")
        assert read.safety.max_staleness == timedelta(hours=5)
        assert (read.safety.max_messages_per_run, read.safety.breaker_factor) == (7, Decimal("2.5"))
        worker = read.worker
        assert (worker.nightly, worker.digest, worker.dispatch) == ("15 3 * * *", "30 8 * * mon-fri", "off")
        assert (worker.threads, worker.missed_after) == (2, timedelta(hours=3, minutes=30))
        assert read.alerts.webhook == SecretStr("https://hooks.example.com/x")
        assert (read.log.format, read.log.level) == ("json", "debug")
        assert (acme.delivery.bcc, acme.safety.max_messages_per_run) == ("copy@example.com", 7)
        assert acme.collecting_for_others == "on"
        assert read.sandbox.clock_url == "http://127.0.0.1:8700"

    def test_a_connection_is_found_whatever_the_case_of_its_name(self, tmp_path: Path) -> None:
        read = settings(tmp_path, "[connection.Acme-UK]\n", ARSYNC_CONNECTION__ACME_UK__PLAYBOOK="soft")
        assert read.company("Acme-UK").playbook == "soft"
        assert list(read.connections) == ["Acme-UK"]

    def test_an_empty_variable_says_nothing(self, tmp_path: Path) -> None:
        assert settings(tmp_path, '[delivery]\nbcc = "a@example.com"\n', ARSYNC_DELIVERY__BCC="").delivery.bcc

    def test_a_secret_can_lie_in_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("SG.from-file\n", encoding="utf-8")
        (tmp_path / "url").write_text("postgresql://u:p@h/d\n", encoding="utf-8")
        read = settings(
            tmp_path,
            "",
            ARSYNC_SENDGRID__API_KEY_FILE="secret",
            ARSYNC_XERO__CLIENT_SECRET_FILE=str(tmp_path / "secret"),
            ARSYNC_DATABASE__URL_FILE="url",
        )
        assert read.sendgrid.api_key == SecretStr("SG.from-file")
        assert read.connector_section("xero") == {"client_secret": "SG.from-file"}
        assert read.database_url == "postgresql+psycopg://u:p@h/d"

    def test_a_secret_file_that_is_missing_or_given_twice_is_an_error(self, tmp_path: Path) -> None:
        said = refusal(
            tmp_path,
            "",
            ARSYNC_SENDGRID__API_KEY_FILE="absent",
            ARSYNC_XERO__CLIENT_SECRET="one",
            ARSYNC_XERO__CLIENT_SECRET_FILE="two",
            ARSYNC_DELIVERY__BCC_FILE="no-secret",
        )
        assert "ARSYNC_SENDGRID__API_KEY_FILE: the file cannot be read: No such file" in said
        assert "ARSYNC_XERO__CLIENT_SECRET_FILE: ARSYNC_XERO__CLIENT_SECRET is given as well" in said
        assert "delivery.bcc_file: there is no such key" in said


class TestCompany:
    def test_a_company_inherits_the_defaults_key_by_key(self, tmp_path: Path) -> None:
        read = settings(
            tmp_path,
            """
            [defaults]
            company_name = "Acme"
            bank_details.GBP = "sort code"
            bank_details.EUR = "IBAN of the mother"
            brand.color = "#112233"
            mode = "auto"
            [connection.acme-de]
            locale = "de"
            bank_details.EUR = "IBAN of the daughter"
            """,
        )
        daughter = read.company("acme-de")
        assert (daughter.company_name, daughter.locale, daughter.mode) == ("Acme", "de", "auto")
        assert daughter.brand.color == "#112233"
        assert daughter.bank_details == {"GBP": "sort code", "EUR": "IBAN of the daughter"}
        assert read.company("not configured").bank_details["EUR"] == "IBAN of the mother"

    def test_a_group_stands_between_the_defaults_and_the_company(self, tmp_path: Path) -> None:
        read = settings(
            tmp_path,
            """
            [defaults]
            mode = "approve"
            playbook = "standard"
            locale = "en"
            [delivery]
            from = "Ledger LLP <accounts@ledger.example>"
            bcc = "archive@ledger.example"
            [safety]
            max_messages_per_run = 100
            breaker_factor = 2
            [group.retail]
            playbook = "gentle"
            locale = "de"
            brand.color = "#112233"
            delivery.from = "Retail <retail@ledger.example>"
            safety.max_messages_per_run = 50
            [connection.birch]
            group = "retail"
            locale = "fr"
            safety.breaker_share = 0.2
            [connection.elm]
            """,
        )
        birch, elm = read.company("birch"), read.company("elm")
        assert (birch.mode, birch.playbook, birch.locale, birch.brand.color) == ("approve", "gentle", "fr", "#112233")
        assert (birch.delivery.sender, birch.delivery.bcc) == (
            "Retail <retail@ledger.example>", "archive@ledger.example",
        )  # fmt: skip
        assert (birch.safety.max_messages_per_run, birch.safety.breaker_factor, birch.safety.breaker_share) == (
            50, Decimal(2), Decimal("0.2"),
        )  # fmt: skip
        assert (elm.playbook, elm.locale, elm.delivery.sender) == (
            "standard", "en", "Ledger LLP <accounts@ledger.example>",
        )  # fmt: skip
        assert (elm.safety.max_messages_per_run, elm.safety.breaker_share) == (100, Decimal("0.5"))
        assert read.company("not configured") == elm

    def test_a_group_that_is_not_there_is_named_with_its_line_and_the_nearest(self, tmp_path: Path) -> None:
        said = refusal(tmp_path, '[group.retail]\n\n[connection.birch]\n# its own\ngroup = "retial"\n')
        assert said.endswith(
            "arsync.toml:5: connection.birch.group: there is no [group.retial] (did you mean 'retail'?)"
        )

    def test_what_is_one_for_all_cannot_be_said_for_a_group(self, tmp_path: Path) -> None:
        said = refusal(
            tmp_path,
            '[group.retail]\nprovider = "xero"\ngroup = "other"\ndelivery.channel = "smtp"\n',
            ARSYNC_GROUP__RETAIL__MODES="auto",
        )
        assert "arsync.toml:2: group.retail.provider: there is no such key" in said
        assert "arsync.toml:3: group.retail.group: there is no such key" in said
        assert "arsync.toml:4: group.retail.delivery.channel: there is no such key" in said
        assert "ARSYNC_GROUP__RETAIL__MODES: group.retail.modes: there is no such key" in said

    def test_who_sends_in_a_name_of_its_own_needs_none_of_the_installation(self, tmp_path: Path) -> None:
        read = settings(tmp_path, '[connection.birch]\ndelivery.from = "b@example.com"\n[connection.elm]\n')
        assert read.undeliverable("birch") == []
        assert (
            read.undeliverable("elm")
            == read.undeliverable()
            == ["delivery.from is missing: whom the messages come from"]
        )

    def test_a_playbook_is_the_installations_own_before_the_shipped_one(self, tmp_path: Path) -> None:
        read, shipped = settings(tmp_path, ""), tmp_path / "shipped"
        assert read.playbook_file("standard", shipped=shipped) == shipped / "standard.yaml"
        (tmp_path / "playbooks").mkdir()
        (tmp_path / "playbooks" / "standard.yaml").touch()
        assert read.playbook_file("standard", shipped=shipped) == tmp_path / "playbooks" / "standard.yaml"
        assert read.playbook_file("mine/soft.yaml", shipped=shipped) == tmp_path / "mine" / "soft.yaml"


class TestWhereItComesFrom:
    TEXT = """
[defaults]
mode = "auto"
bank_details.gbp = "sort code"

legal_footer = '''
By law,
we say so'''
brand = { color = "#112233", font = "Georgia" }
[delivery]
from = "Ledger LLP <accounts@ledger.example>"
[group.retail]
playbook = "gentle"
safety.max_messages_per_run = 50
[connection.birch]
group = "retail"
closed = [
  "12-24..01-02",
  "05-14",
]
locale = "de"
[sendgrid]
api_key = "SG.s3cret"
"""

    def test_a_company_is_told_each_value_with_its_section_and_line(self, tmp_path: Path) -> None:
        read = settings(tmp_path, self.TEXT, ARSYNC_CONNECTION__BIRCH__COUNTRY="gb", ARSYNC_SAFETY__BREAKER_FACTOR="2")
        shown = {one.key: (one.value, one.source) for one in of_company(read, "birch")}
        assert shown["mode"] == ("auto", "[defaults], line 3")
        assert shown["bank_details.GBP"] == ("sort code", "[defaults], line 4")
        assert shown["legal_footer"] == ("By law,\nwe say so", "[defaults], line 6")
        assert shown["brand.color"] == ("#112233", "[defaults], line 9")
        assert shown["brand.logo"] == (None, "default")
        assert shown["delivery.from"] == ("Ledger LLP <accounts@ledger.example>", "[delivery], line 11")
        assert shown["playbook"] == ("gentle", "[group.retail], line 13")
        assert shown["safety.max_messages_per_run"] == ("50", "[group.retail], line 14")
        assert shown["closed"] == ("12-24..01-02; 05-14", "[connection.birch], line 17")
        assert shown["locale"] == ("de", "[connection.birch], line 21")
        assert shown["country"] == ("GB", "ARSYNC_CONNECTION__BIRCH__COUNTRY")
        assert shown["safety.breaker_factor"] == ("2", "ARSYNC_SAFETY__BREAKER_FACTOR")
        assert shown["safety.max_staleness"] == ("26", "default")
        assert {key.partition(".")[0] for key in shown} == set(GroupSettings.model_fields)

    def test_the_installation_is_told_every_key_and_no_secret(self, tmp_path: Path) -> None:
        read = settings(tmp_path, self.TEXT)
        shown = {one.key: (one.value, one.source) for one in of_installation(read)}
        assert shown["sendgrid.api_key"] == ("(set)", "[sendgrid], line 23")
        assert shown["database.url"] == ("(set)", "default")
        assert shown["smtp.password"] == (None, "default")
        assert {".".join(place) for place in KEYS if "<name>" not in place} - {"defaults.bank_details"} <= set(shown)
        assert "s3cret" not in repr(shown)


class TestDefaults:
    def test_without_a_file_everything_has_its_default_beside_the_working_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        read = load(environ={}, connectors=CONNECTORS)
        assert read.file is None
        assert read.database_url == f"sqlite:///{tmp_path}/arsync.db"
        assert (read.outbox_dir, read.key_file) == (tmp_path / "outbox", tmp_path / "arsync.key")
        assert (read.defaults.mode, read.defaults.writes, read.defaults.playbook) == ("approve", "on", "standard")
        assert read.safety.max_staleness == timedelta(hours=26)
        assert (read.safety.max_messages_per_run, read.safety.breaker_factor) == (200, Decimal("3.0"))
        assert [line.split()[0] for line in read.undeliverable()] == ["delivery.from"]

    def test_an_amount_in_the_file_is_exact(self, tmp_path: Path) -> None:
        assert settings(tmp_path, "[safety]\nbreaker_factor = 2.10\n").safety.breaker_factor == Decimal("2.10")

    def test_paths_are_relative_to_the_file_and_absolute_ones_stay(self, tmp_path: Path) -> None:
        (tmp_path / "etc").mkdir()
        read = settings(tmp_path / "etc", '[database]\nurl = "sqlite:////var/a.db"\n[vault]\nkey_file = "../k"\n')
        assert read.database_url == "sqlite:////var/a.db"
        assert read.database_file == Path("/var/a.db")
        assert read.key_file.resolve() == tmp_path / "k"

    def test_the_text_of_the_settings_shows_no_secret(self, tmp_path: Path) -> None:
        read = settings(
            tmp_path,
            """
            [database]
            url = "postgresql+psycopg://arsync:s3cret-a@db/arsync"
            [sendgrid]
            api_key = "s3cret-b"
            [vault]
            key = "s3cret-c"
            [xero]
            client_secret = "s3cret-d"
            """,
        )
        assert "s3cret" not in f"{read!r} {read}"
        assert read.database_url.startswith("postgresql+psycopg://arsync:s3cret-a@")


class Vendor(BaseModel):
    """A third party's connector settings."""

    model_config = ConfigDict(extra="forbid")

    client_id: str
    client_secret: SecretStr
    api_url: str = "https://api.vendor.example"
    token_url: str = "https://id.vendor.example"


class TestConnectorSection:
    def test_a_connector_reads_its_own_section_environment_included(self, tmp_path: Path) -> None:
        read = settings(tmp_path, '[xero]\nclient_id = "file"\n', ARSYNC_XERO__CLIENT_SECRET="env")
        section = read.connector("xero", Vendor)
        assert (section.client_id, section.client_secret.get_secret_value()) == ("file", "env")

    def test_all_that_is_wrong_with_it_is_said_without_its_values(self, tmp_path: Path) -> None:
        read = settings(tmp_path, '[xero]\nclient_secrt = "hunter2"\n', ARSYNC_XERO__API_URL="x", ARSYNC_XERO__KEY="h2")
        with pytest.raises(ConfigurationError) as caught:
            read.connector("xero", Vendor)
        said = str(caught.value)
        assert "xero.client_id: is missing" in said
        assert "xero.client_secrt: there is no such key (did you mean xero.client_secret?)" in said
        assert "ARSYNC_XERO__KEY: xero.key: there is no such key" in said
        assert "hunter2" not in said


REAL = {"xero.api_url": "https://api.xero.com", "xero.token_url": "https://identity.xero.com"}
HERE = {"xero.api_url": "http://127.0.0.1:8700/xero", "xero.token_url": "http://localhost:8700/token"}
BY_SMTP = '[delivery]\nchannel = "smtp"\n[smtp]\nhost = "{host}"\ntls = "{tls}"\n'
BY_SENDGRID = '[delivery]\nchannel = "sendgrid"\n[sendgrid]\nhost = "{host}"\n'


class TestRehearsal:
    @pytest.mark.parametrize(
        ("text", "urls", "rehearsal"),
        [
            ("", REAL, False),
            ("", {}, False),
            ("", HERE, True),
            (BY_SENDGRID.format(host="https://api.sendgrid.com"), REAL, False),
            (BY_SENDGRID.format(host="http://127.0.0.1:8700/sendgrid"), HERE, True),
            ('[delivery]\nchannel = "sendgrid"\nredirect_to = "me@example.com"\n', HERE, True),
            (BY_SMTP.format(host="mail.example.com", tls="implicit"), REAL, False),
            (BY_SMTP.format(host="127.0.0.1", tls="none"), REAL, False),  # a relay of one's own
            (BY_SMTP.format(host="::1", tls="none"), HERE, True),
            ('[sandbox]\nclock_url = "http://127.0.0.1:8700"\n', HERE, True),
        ],
    )
    def test_a_whole_rehearsal_and_the_real_thing_may_go_on(
        self, tmp_path: Path, text: str, urls: Mapping[str, str], rehearsal: bool
    ) -> None:
        assert check_rehearsal(settings(tmp_path, text), urls) is rehearsal

    @pytest.mark.parametrize(
        ("text", "urls", "said"),
        [
            ("", {**HERE, "quickbooks.api_url": "https://q.example"}, "but not quickbooks.api_url"),
            ("", {**HERE, "xero.token_url": REAL["xero.token_url"]}, "but not xero.token_url"),
            (BY_SENDGRID.format(host="https://api.sendgrid.com"), HERE, "would mail real people"),
            (BY_SENDGRID.format(host="http://127.0.0.1:8700"), REAL, "sendgrid.host is on this machine"),
            ('[sandbox]\nclock_url = "http://127.0.0.1:8700"\n', REAL, "for a rehearsal only"),
            ('[sandbox]\nclock_url = "http://127.0.0.1:8700"\n', {}, "for a rehearsal only"),
            ('[sandbox]\nclock_url = "http://clock.example"\n', HERE, "clock_url is not on this machine"),
            ("", {"xero.api_url": "http://api.xero.com"}, "xero.api_url is neither https nor on this machine"),
            (BY_SENDGRID.format(host="http://mail.example"), REAL, "sendgrid.host is neither https"),
            (BY_SMTP.format(host="mail.example.com", tls="starttls"), HERE, "would mail real people"),
            (BY_SMTP.format(host="mail.example.com", tls="none"), REAL, "nothing travels in clear"),
        ],
    )
    def test_half_a_rehearsal_is_refused(self, tmp_path: Path, text: str, urls: Mapping[str, str], said: str) -> None:
        with pytest.raises(ConfigurationError, match=said):
            check_rehearsal(settings(tmp_path, text), urls)

    @pytest.mark.parametrize(
        ("url", "loopback"),
        [
            ("http://127.0.0.1:1/x", True),
            ("http://127.8.9.1", True),
            ("http://[::1]:8700", True),
            ("http://LOCALHOST.:8700", True),
            ("http://qb.localhost", True),
            ("http://localhost@evil.example", False),
            ("http://127.0.0.1.evil.example", False),
            ("https://10.0.0.1", False),
            ("http://[broken", False),
            ("", False),
        ],
    )
    def test_loopback_is_this_machine_and_nothing_that_looks_like_it(self, url: str, loopback: bool) -> None:
        assert is_loopback(url) is loopback

    def test_the_addresses_of_a_connector_are_its_keys_that_end_in_url(self) -> None:
        section = Vendor(client_id="x", client_secret=SecretStr("y"))
        assert vendor_urls("v", section) == {
            "v.api_url": "https://api.vendor.example",
            "v.token_url": "https://id.vendor.example",
        }


class TestCrontabs:
    @pytest.mark.parametrize(
        ("said", "why"),
        [
            ("at two", "five fields"),
            ("0 2 * *", "five fields"),
            ("61 2 * * *", "five fields"),
            ("0 2 * * 0", "weekdays by name"),  # Sunday for cron, Monday for the scheduler
            ("0 2 * * 1-5", "weekdays by name"),
            ("0 2 30 feb *", "never comes"),
            ("", "five fields"),
        ],
    )
    def test_what_is_none_or_may_mean_another_day_is_refused_where_it_stands(
        self, tmp_path: Path, said: str, why: str
    ) -> None:
        told = refusal(tmp_path, f'[worker]\nsync = "{said}"\n')
        assert "worker.sync" in told
        assert why in told

    def test_only_the_night_cannot_be_off(self, tmp_path: Path) -> None:
        read = settings(tmp_path, '[worker]\nsync = "off"\ndigest = "0 9 * * mon,wed"\n').worker
        assert (read.sync, read.digest) == ("off", "0 9 * * mon,wed")
        assert "worker.nightly" in refusal(tmp_path, '[worker]\nnightly = "off"\n')

    def test_the_defaults_are_what_may_be_written(self, tmp_path: Path) -> None:
        bare = settings(tmp_path, "").worker
        assert type(bare).model_validate(bare.model_dump()) == bare


class TestInitialConfiguration:
    def test_it_loads_as_it_stands_and_says_the_defaults(self, tmp_path: Path) -> None:
        (tmp_path / "empty.toml").touch()
        bare = load(tmp_path / "empty.toml", environ={}, connectors=CONNECTORS)
        written = settings(tmp_path, initial_config())
        for section in (
            "database",
            "defaults",
            "delivery",
            "sendgrid",
            "smtp",
            "inbox",
            "vault",
            "safety",
            "sandbox",
            "worker",
            "alerts",
            "log",
        ):
            assert getattr(written, section) == getattr(bare, section)

    def test_it_names_every_key_and_each_of_its_examples_is_right(self, tmp_path: Path) -> None:
        everything = re.sub(r"(?m)^#(?=[a-z\[])", "", initial_config())
        read = settings(tmp_path, everything)
        tables: dict[str, BaseModel] = {
            section: getattr(read, section) for section in {place[0] for place in KEYS} - {"connection", "group"}
        }
        for section, table in {**tables, "defaults.brand": read.defaults.brand}.items():
            unsaid = set(type(table).model_fields) - table.model_fields_set
            assert not unsaid, f"[{section}] does not name {unsaid}"
        assert set(read.connectors) == set(CONNECTORS)
        assert {"provider", "external_id", "group"} < read.connections["acme"].model_fields_set
        assert {"delivery", "safety"} < read.groups["retail"].model_fields_set

    def test_it_is_laid_down_beside_the_playbooks_and_never_over_anything(self, tmp_path: Path) -> None:
        config = tmp_path / "here" / "arsync.toml"
        first = lay_down(config)
        assert all(laid.made for laid in first)
        assert {laid.path.name for laid in first} >= {
            "arsync.toml",
            "arsync.key",
            "standard.yaml",
            "friendly.en.txt.j2",
        }
        assert config.stat().st_mode & 0o077 == 0
        playbook = tmp_path / "here" / "playbooks" / "standard.yaml"
        playbook.write_text("mine", encoding="utf-8")
        key = (tmp_path / "here" / "arsync.key").read_bytes()
        assert not any(laid.made for laid in lay_down(config))
        assert playbook.read_text(encoding="utf-8") == "mine"
        assert (tmp_path / "here" / "arsync.key").read_bytes() == key
