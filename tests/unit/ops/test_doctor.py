"""The doctor: says what is wrong and how to mend it, changes nothing, and survives everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.integration.store.books import customer, invoice

from arsync.cli.init import lay_down
from arsync.connector import Changed, Page, Resource
from arsync.domain.posted import PostKind, Reception
from arsync.domain.states import Health
from arsync.errors import ConfigurationError
from arsync.ops.doctor import examine
from arsync.ops.finding import Finding, Level, exit_status, folded, ok, warn
from arsync.settings import Settings, load
from arsync.store import connections, doors, hints, posts, records, reminders, replies, suspicion, tags, upgrade
from arsync.store.engine import Store
from arsync.store.suspicion import Suspicion, Trouble
from arsync.testing.ports import FixedClock
from arsync.vault import Vault, load_key

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
FROM = '[delivery]\nfrom = "accounts@example.com"\n'


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with a configuration, a key and playbooks; no database yet."""
    lay_down(tmp_path / "arsync.toml")
    say(tmp_path, FROM)
    return tmp_path


def say(house: Path, text: str) -> None:
    (house / "arsync.toml").write_text(text, encoding="utf-8")


def settings(house: Path) -> Settings:
    return load(house / "arsync.toml", environ={})


def doctor(
    house: Path, *, now: datetime = NOW, read_playbook: Callable[[Path], Sequence[str]] = lambda _: ()
) -> list[Finding]:
    return examine(lambda: settings(house), clock=FixedClock(now), read_playbook=read_playbook)


def troubles(findings: list[Finding], subject: str) -> list[str]:
    return [f"{found.level}: {found.detail}" for found in findings if found.subject == subject and found.level != "ok"]


def connect(house: Path, *, health: Health = Health.OK, synced: datetime | None = NOW, seal: bool = True) -> None:
    """One connection `acme` in a database at this arsync's schema."""
    store = Store(settings(house).database_url)
    upgrade.upgrade(store)
    sealed = Vault(load_key(settings(house))).seal("{}") if seal else "sealed by another key"
    with store.working() as work:
        grant = connections.add_grant(work, provider="xero", sealed=sealed, now=NOW)
        linked = connections.link(work, name="acme", provider="xero", external_id="t-1", grant_id=grant, now=NOW)
        connections.set_health(work, linked.id, health, "because", synced_at=synced)
        reminders.answer(work, linked.id, reminds=False, author="Ann", now=NOW)
        work.commit()
    store.close()


class TestSettings:
    def test_a_whole_installation_has_nothing_to_mend(self, house: Path) -> None:
        connect(house)
        found = doctor(house)
        assert [finding for finding in found if finding.level is not Level.OK] == []
        assert {finding.subject for finding in found} == {
            "settings", "clock", "program", "connectors", "disk", "vault", "playbooks", "delivery", "database",
            "connections",
        }  # fmt: skip
        assert exit_status(found) == 0

    def test_without_any_configuration_it_says_what_is_missing_and_how_to_mend_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        found = examine(lambda: load(environ={}), clock=FixedClock(NOW), read_playbook=lambda _: ())
        failed = {finding.subject: finding for finding in found if finding.level is Level.FAIL}
        assert set(failed) == {"settings", "delivery", "database"}
        assert failed["settings"].detail == f"there is no arsync.toml in {tmp_path}"
        assert "arsync init" in str(failed["settings"].mend)
        assert "arsync db upgrade" in str(failed["database"].mend)
        assert exit_status(found) == 1
        assert list(tmp_path.iterdir()) == []

    def test_each_problem_of_a_wrong_configuration_is_a_finding_and_the_rest_is_still_looked_at(
        self, house: Path
    ) -> None:
        say(house, '[delivery]\nchanel = "file"\n[defaults]\ntimezone = "nowhere"\n')
        found = doctor(house)
        assert len(troubles(found, "settings")) == 2
        assert any("did you mean delivery.channel?" in line for line in troubles(found, "settings"))
        assert {"program", "connectors", "clock"} <= {finding.subject for finding in found}

    def test_a_part_that_breaks_down_is_one_finding_and_not_the_end(self, house: Path) -> None:
        def broken(_: Path) -> Sequence[str]:
            raise RuntimeError("a secret detail")

        found = doctor(house, read_playbook=broken)
        assert troubles(found, "playbooks") == ["fail: RuntimeError while looking"]
        assert {"delivery", "database"} <= {finding.subject for finding in found}

    def test_a_finding_as_json_has_its_four_fields(self) -> None:
        assert Finding(Level.WARN, "disk", "little").as_json() == {
            "level": "warn", "subject": "disk", "detail": "little", "mend": None,
        }  # fmt: skip


class TestMachine:
    def test_a_clock_that_was_never_set_fails(self, house: Path) -> None:
        assert "long past" in troubles(doctor(house, now=datetime(1970, 1, 2, tzinfo=UTC)), "clock")[0]

    def test_a_sync_in_the_future_means_a_wrong_clock(self, house: Path) -> None:
        connect(house, synced=NOW + timedelta(hours=1))
        assert "which is in the future" in troubles(doctor(house), "clock")[0]

    def test_a_key_that_others_can_read_fails_with_the_command_that_mends_it(self, house: Path) -> None:
        (house / "arsync.key").chmod(0o644)
        failed = [finding for finding in doctor(house) if finding.subject == "vault"]
        assert [(finding.level, finding.mend) for finding in failed] == [
            (Level.FAIL, f"chmod 600 {house / 'arsync.key'}")
        ]

    def test_a_key_that_is_none_fails(self, house: Path) -> None:
        (house / "arsync.key").write_text("password", encoding="utf-8")
        assert troubles(doctor(house), "vault") == ["fail: the vault's key is not a key (`arsync init` makes one)"]

    def test_a_key_that_is_not_there_yet_is_told_of_and_not_made(self, house: Path) -> None:
        (house / "arsync.key").unlink()
        assert troubles(doctor(house), "vault") == [f"warn: there is no key file {house / 'arsync.key'} yet"]
        assert not (house / "arsync.key").exists()

    def test_a_disk_that_is_nearly_full_fails(self, house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for free, level in ((50, "fail"), (500, "warn")):
            monkeypatch.setattr(
                "arsync.ops.machine.shutil.disk_usage",
                lambda _, free=free: type("Usage", (), {"free": free * 2**20}),
            )
            assert [line.split(":")[0] for line in troubles(doctor(house), "disk")] == [level]

    def test_an_outbox_that_is_no_folder_fails(self, house: Path) -> None:
        (house / "outbox").write_text("a file", encoding="utf-8")
        assert "cannot write into" in troubles(doctor(house), "delivery")[0]

    def test_an_outbox_is_left_as_it_was_found(self, house: Path) -> None:
        (house / "outbox").mkdir()
        assert troubles(doctor(house), "delivery") == []
        assert list((house / "outbox").iterdir()) == []


class TestPlaybooks:
    def test_a_playbook_that_is_missing_names_those_there_are(self, house: Path) -> None:
        say(house, FROM + '[connection.acme]\nplaybook = "soft"\n')
        failed = [finding for finding in doctor(house) if finding.subject == "playbooks" and finding.mend]
        assert failed[0].detail.startswith("soft (acme): there is no ")
        assert failed[0].mend == "use one of: firm, gentle, high-value, standard, statement-only"

    def test_each_problem_of_a_playbook_in_use_is_said(self, house: Path) -> None:
        def read(path: Path) -> Sequence[str]:
            return ("standard.yaml:3: no such key", "standard.yaml:9: no such channel") if house in path.parents else ()

        assert troubles(doctor(house, read_playbook=read), "playbooks") == [
            "fail: standard (defaults): standard.yaml:3: no such key",
            "fail: standard (defaults): standard.yaml:9: no such channel",
        ]


class TestDelivery:
    def test_what_is_missing_before_a_message_can_leave_is_said(self, house: Path) -> None:
        say(house, '[delivery]\nchannel = "sendgrid"\n')
        said = troubles(doctor(house), "delivery")
        assert [line.split()[1] for line in said] == ["delivery.from", "sendgrid.api_key"]

    def test_a_redirection_is_told_of(self, house: Path) -> None:
        say(house, FROM + 'redirect_to = "me@example.com"\n')
        assert troubles(doctor(house), "delivery") == [
            "warn: every message goes to me@example.com instead of the customer"
        ]

    def test_half_a_rehearsal_fails(self, house: Path) -> None:
        say(house, FROM + '[xero]\nclient_id = "x"\nclient_secret = "y"\napi_url = "http://127.0.0.1:8700"\n')
        assert "a rehearsal is a whole one" in troubles(doctor(house), "delivery")[0]


class TestConnectors:
    def test_a_section_that_is_wrong_is_said_key_by_key_without_its_values(self, house: Path) -> None:
        say(house, FROM + '[xero]\nclient_secrt = "hunter2"\n')
        said = troubles(doctor(house), "connectors")
        assert len(said) == 3
        assert "hunter2" not in " ".join(said)

    def test_a_connection_without_its_connectors_section_fails(self, house: Path) -> None:
        say(house, FROM + '[connection.acme]\nprovider = "xero"\n')
        assert troubles(doctor(house), "connectors") == ["fail: acme needs [xero], which is missing"]


class TestDatabase:
    def test_a_database_that_is_not_there_is_not_made(self, house: Path) -> None:
        assert troubles(doctor(house), "database") == [f"fail: there is no {house / 'arsync.db'} yet"]
        assert not (house / "arsync.db").exists()

    def test_an_empty_one_has_to_be_upgraded(self, house: Path) -> None:
        (house / "arsync.db").touch()
        assert "run `arsync db upgrade`" in troubles(doctor(house), "database")[0]

    def test_a_file_that_is_no_database_is_a_finding(self, house: Path) -> None:
        (house / "arsync.db").write_text("not a database at all, only text " * 50, encoding="utf-8")
        assert "cannot be used" in troubles(doctor(house), "database")[0]

    def test_a_server_that_is_not_there_is_a_finding_without_the_password(self, house: Path) -> None:
        say(house, FROM + '[database]\nurl = "postgresql+psycopg://arsync:hunter2@127.0.0.1:1/hunter2"\n')
        said = troubles(doctor(house), "database")
        assert len(said) == 1
        assert said[0].startswith("fail: cannot be used: ")
        assert "hunter2" not in said[0]

    def test_a_rehearsal_whose_sandbox_does_not_run_is_a_finding(self, house: Path) -> None:
        connect(house)
        say(house, FROM + '[sandbox]\nclock_url = "http://127.0.0.1:1/_sandbox/clock"\n')
        assert any("no clock at http://127.0.0.1:1/" in line for line in troubles(doctor(house), "database"))

    def test_a_pressed_stop_switch_is_told_of(self, house: Path) -> None:
        connect(house)
        store = Store(settings(house).database_url)
        with store.working() as work:
            connections.found_installation(work, now=NOW)
            connections.press_stop(work, author="Ann", reason="the bank is down", now=NOW)
            work.commit()
        store.close()
        assert troubles(doctor(house), "stop switch") == [
            "warn: pressed by Ann at 2026-09-01 12:00 UTC: the bank is down"
        ]


class TestInbox:
    def test_that_nobody_reads_it_or_that_nothing_reaches_it_is_told_of(self, house: Path) -> None:
        connect(house)
        box = '[inbox]\nimap.host = "127.0.0.1"\nimap.user = "mia"\n'
        say(house, FROM + box)
        unread, silent = "never read", "last read to its end on 2026-08-30 12:00 UTC"
        assert [line.partition(":")[2].strip() for line in troubles(doctor(house), "inbox")] == [
            "a mailbox is read, and no message asks for answers there", f"{unread}: firm messages wait for approval",
        ]  # fmt: skip
        say(house, FROM + box + 'address = "billing@example.com"\n')
        store = Store(settings(house).database_url)
        with store.working() as work:
            replies.move_place(work, "mia", uid_validity=1, last_uid=0)
            replies.polled(work, "mia", now=NOW - timedelta(days=2))
            work.commit()
        store.close()
        assert troubles(doctor(house), "inbox") == [f"warn: {silent}: firm messages wait for approval"]
        assert troubles(doctor(house, now=NOW - timedelta(days=1)), "inbox") == []


class TestConnections:
    def test_none_is_told_of(self, house: Path) -> None:
        store = Store(settings(house).database_url)
        upgrade.upgrade(store)
        store.close()
        say(house, FROM + "[connection.acme]\n")
        assert troubles(doctor(house), "connections") == [
            "warn: none yet",
            "warn: connection.acme is configured, not connected",
        ]

    @pytest.mark.parametrize(
        ("health", "synced", "said"),
        [
            (Health.OK, NOW - timedelta(hours=26), None),
            (
                Health.OK,
                NOW - timedelta(hours=26, minutes=1),
                "fail: acme: data of 2026-08-31 09:59 UTC, older",
            ),
            (Health.OK, None, "warn: acme: never synced"),
            (Health.RECOVERING, None, "warn: acme: because"),
            (Health.PARTIAL, NOW, "warn: acme: the last sync did not come through (because)"),
            (Health.SUSPECT, NOW, "fail: acme: the data look abnormal (because)"),
            (Health.REAUTHORISE, NOW, "fail: acme: the consent has ended (because)"),
        ],
    )
    def test_health_and_age_of_the_data(
        self, house: Path, health: Health, synced: datetime | None, said: str | None
    ) -> None:
        connect(house, health=health, synced=synced)
        found = troubles(doctor(house), "connections")
        assert len(found) == (0 if said is None else 1)
        assert said is None or found[0].startswith(said)

    def test_a_clock_is_set_right_and_not_trusted(self, house: Path) -> None:
        connect(house)
        store = Store(settings(house).database_url)
        with store.working() as work:
            (acme,) = connections.connections(work)
            suspicion.raise_(work, acme.id, Suspicion(Trouble.CLOCK, "its clock is wrong"), now=NOW)
            work.commit()
        store.close()
        (found,) = [one for one in doctor(house) if "its clock is wrong" in one.detail]
        assert found.mend == "set the clock right; the next sync ends it"

    def test_who_owes_less_than_the_invoices_say_is_called_by_name(self, house: Path) -> None:
        connect(house)
        store = Store(settings(house).database_url)
        with store.working() as work:
            (acme,) = connections.connections(work)
            debtor = customer("C1", name="Dune Hotel", balance=Decimal("25.00"))
            told = Page(Resource.CUSTOMERS, (debtor, invoice("I1")), (), "next", 2)
            records.store_page(work, acme.id, told, now=NOW)
            work.commit()
        store.close()
        (said,) = troubles(doctor(house), "balances")
        assert "1 payer is held" in said
        assert "first Dune Hotel: 25.00 instead of 100.00" in said

    @pytest.mark.parametrize(
        ("only", "said"),
        [
            ('customers = ["dune hotel", "C1", "Ähre GmbH"]', []),
            (
                'customers = ["Dune Hotl", "Nobody & Sons"]',
                [
                    "delivery.only.customers: no customer has that name or id: Dune Hotl; write Dune Hotel; until then",
                    "delivery.only.customers: no customer has that name or id: Nobody & Sons; correct it or take",
                ],
            ),
            (
                'customers = ["Dune Bar"]',
                ["delivery.only.customers: Dune Bar is not written to, for Dune Hotel pays its invoices; name Dune"],
            ),
            ('connections = ["acme"]', []),
            ('connections = ["acne"]', ["delivery.only.connections: no connection has that name: acne; write acme;"]),
            ('playbooks = ["gentle"]', []),
            ('playbooks = ["gentel"]', ["delivery.only.playbooks: no playbook has that name: gentel; write gentle;"]),
            ('tags = ["Key account"]', []),
            ('tags = ["vip"]', ["delivery.only.tags: no customer has that tag: vip; correct it or take it out;"]),
        ],
    )
    def test_who_is_let_in_while_going_live_is_somebody(self, house: Path, only: str, said: list[str]) -> None:
        """The bar's bills go to the hotel."""
        say(house, f"{FROM}only.{only}\n")
        connect(house)
        store = Store(settings(house).database_url)
        with store.working() as work:
            (acme,) = connections.connections(work)
            payers = customer("C1", name="Dune Hotel"), customer("C3", name="ähre gmbh")
            told = Page(Resource.CUSTOMERS, (*payers, customer("C2", name="Dune Bar", parent_id="C1")), (), "next", 3)
            records.store_page(work, acme.id, told, now=NOW)
            tags.add(work, acme.id, "C1", ["key-account"], author="Ann", now=NOW)
            work.commit()
        store.close()
        found = [one for one in doctor(house) if one.subject == "delivery" and one.level is Level.WARN]
        assert [f"{one.detail}; {one.mend}".startswith(line) for one, line in zip(found, said, strict=True)] == (
            [True] * len(said)
        )

    def test_tokens_that_the_key_does_not_open_fail(self, house: Path) -> None:
        connect(house, seal=False)
        assert "acme: the vault's key does not open what is stored" in troubles(doctor(house), "vault")[0]

    def test_tokens_without_their_key_file_fail(self, house: Path) -> None:
        connect(house)
        (house / "arsync.key").unlink()
        assert any("its tokens are sealed, and there is no" in line for line in troubles(doctor(house), "vault"))


class TestMany:
    """A firm with three hundred clients reads what is to be done, not three hundred times that all is well."""

    def linked(self, house: Path, *, suspect: str) -> None:
        connect(house)
        store = Store(settings(house).database_url)
        with store.working() as work:
            grant = connections.connections(work)[0].grant_id
            for number in range(299):
                name = f"client-{number}"
                linked = connections.link(work, name=name, provider="xero", external_id=name, grant_id=grant, now=NOW)
                health = Health.SUSPECT if name == suspect else Health.OK
                connections.set_health(work, linked.id, health, "because", synced_at=NOW)
                reminders.answer(work, linked.id, reminds=False, author="Ann", now=NOW)
            work.commit()
        store.close()

    def test_what_is_well_with_many_is_one_line_and_what_is_not_is_a_line_each(self, house: Path) -> None:
        sections = "".join(f'[connection.client-{n}]\nprovider = "xero"\nplaybook = "firm"\n' for n in range(299))
        say(house, f"{FROM}{sections}")
        self.linked(house, suspect="client-7")
        found = doctor(house)
        assert len([one for one in found if one.subject == "connections"]) == 300
        told = folded(found)
        assert [f"{one.level}: {one.detail}" for one in told if one.subject == "connections"] == [
            "ok: acme: data of 2026-09-01 12:00 UTC; and as well 298 more",
            "fail: client-7: the data look abnormal (because)",
        ]
        assert len(told) < 20
        assert max(len(one.detail) for one in told) < 200 + len(str(house))
        assert exit_status(told) == exit_status(found) == 1

    def test_the_few_are_told_each_and_nothing_that_is_to_be_mended_is_left_out(self) -> None:
        few = [ok("disk", f"disk {n}") for n in range(5)]
        assert folded(few) == few
        bad = [warn("inbox", f"mailbox {n}", "mend it") for n in range(9)]
        assert folded([*few, *bad]) == [*few, *bad]


def test_a_load_that_is_refused_outright_is_one_finding() -> None:
    def refused() -> Settings:
        raise ConfigurationError("x.toml: cannot be read: No such file or directory")

    found = examine(refused, clock=FixedClock(NOW), read_playbook=lambda _: ())
    assert troubles(found, "settings") == ["fail: x.toml: cannot be read: No such file or directory"]


# --- what is posted ---------------------------------------------------------------------------------------------------


def test_the_last_post_that_was_refused_says_which_key_to_compare(house: Path) -> None:
    connect(house)
    with closing(Store(settings(house).database_url)) as store, store.working() as work:
        doors.note(work, "xero", Reception.TAKEN, now=NOW - timedelta(hours=2))
        doors.note(work, "xero", Reception.REFUSED, now=NOW - timedelta(hours=1), why="x-xero-signature")
        doors.note(work, "quickbooks", Reception.REFUSED, now=NOW - timedelta(hours=2), why="intuit-signature")
        doors.note(work, "quickbooks", Reception.STRANGER, now=NOW - timedelta(hours=1), count=3)
        work.commit()
    found = [one for one in doctor(house) if one.subject == "hooks"]
    strangers = "3 told of companies that are not linked here"
    assert [(one.level, one.detail) for one in found] == [
        ("ok", f"/hooks/quickbooks: the last post came at 2026-09-01 11:00 UTC; {strangers}"),
        ("warn", "/hooks/xero: the last post, at 2026-09-01 11:00 UTC, was refused: x-xero-signature"),
    ]  # fmt: skip


def test_hints_and_posts_that_nobody_takes_up_are_told_after_a_while(house: Path) -> None:
    """11:50 told and posted: at 12:00 nothing is said, at 12:30 both are; one that we failed on is said at once."""
    connect(house)
    then = NOW - timedelta(minutes=10)
    with closing(Store(settings(house).database_url)) as store, store.working() as work:
        one = connections.connection(work, "acme")
        changed = Changed(one.external_id, {Resource.INVOICES: frozenset({"I1"})}, frozenset({"e-1"}), None)
        hints.tell(work, one.provider, changed, now=then)
        posts.keep(work, PostKind.EVENTS, "[]", now=then)
        work.commit()
    assert troubles(doctor(house), "hooks") == []
    assert troubles(doctor(house, now=NOW + timedelta(minutes=30)), "hooks") == [
        "warn: acme: its vendor tells of changes since 2026-09-01 11:50 UTC, and nobody has looked",
        "warn: 1 post of the mail provider waits since 2026-09-01 11:50 UTC to be taken in",
    ]
    with closing(Store(settings(house).database_url)) as store, store.working() as work:
        post = posts.next_due(work, after=0, now=NOW)
        assert post is not None
        posts.postpone(work, post, reason="arsync failed on it (KeyError)", now=NOW)
        work.commit()
    assert troubles(doctor(house), "hooks") == [
        "fail: 1 post of the mail provider waits since 2026-09-01 11:50 UTC and cannot be taken in: "
        "arsync failed on it (KeyError)"
    ]


def test_where_sendgrid_could_tell_at_once_it_is_said_that_it_does_not(house: Path) -> None:
    connect(house)
    served = '[serve]\npublic_url = "https://desk.example.com"\n'
    mail = '[delivery]\nchannel = "sendgrid"\nfrom = "a@example.com"\n[sendgrid]\napi_key = "SG.x"\n'
    say(house, served + mail)
    (told,) = [one for one in doctor(house) if one.subject == "hooks"]
    assert "https://desk.example.com/hooks/sendgrid/events" in str(told.mend)
    say(house, f'{served}{mail}webhook_public_key = "MFkw"\n')
    assert troubles(doctor(house), "hooks") == []
