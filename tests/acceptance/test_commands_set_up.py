"""init, connect, connections, db upgrade, backfill, quarantine: from an empty folder to a loaded cache."""

from __future__ import annotations

import stat
from contextlib import closing
from pathlib import Path

import pytest
from tests.acceptance.installation import Installation, arsync_here

from arsync.settings import load
from arsync.store import connections, suspicion
from arsync.store.engine import Store
from arsync.store.suspicion import Suspicion, Trouble


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where one is, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_lays_down_a_configuration_that_loads_and_never_overwrites(folder: Path) -> None:
    first = arsync_here("init")
    assert f"wrote {folder / 'playbooks' / 'standard.yaml'}" in first.out
    shipped = list((folder / "playbooks" / "templates").iterdir())
    assert f"wrote {folder / 'playbooks' / 'templates'}: {len(shipped)} files" in first.out
    assert len(first.out.splitlines()) < 20
    assert load(folder / "arsync.toml", environ={}).defaults.mode == "approve"
    assert stat.S_IMODE((folder / "arsync.key").stat().st_mode) == 0o600
    assert arsync_here("playbook", "lint").out == "5 playbooks, 0 problems\n"

    mine = {"arsync.toml": '[delivery]\nfrom = "me@seller.example"\n', "playbooks/standard.yaml": "# mine\n"}
    for name, text in mine.items():
        (folder / name).write_text(text)
    key = (folder / "arsync.key").read_bytes()
    (folder / "playbooks" / "templates" / shipped[0].name).unlink()
    second = arsync_here("init")
    wrote = [line for line in second.out.splitlines() if line.startswith("wrote ")]
    assert wrote == [f"wrote {folder / 'playbooks' / 'templates'}: 1 file"]
    assert f"kept  {folder / 'playbooks' / 'templates'}: {len(shipped) - 1} files" in second.out
    assert {name: (folder / name).read_text() for name in mine} == mine
    assert (folder / "arsync.key").read_bytes() == key


def test_init_writes_where_config_points(folder: Path) -> None:
    arsync_here("--config", "deep/er/my.toml", "init")
    assert (folder / "deep" / "er" / "my.toml").is_file()
    assert (folder / "deep" / "er" / "playbooks" / "standard.yaml").is_file()
    assert "cannot write" in arsync_here("init", "deep/er/my.toml", status=2).err


def test_looking_into_a_folder_without_an_installation_leaves_nothing_behind(folder: Path) -> None:
    for command in (["plan"], ["run"], ["sync"], ["holds"], ["stop"], ["explain", "1"]):
        refused = arsync_here(*command, status=2)
        assert "run `arsync db upgrade`" in refused.err
        assert list(folder.iterdir()) == []


def test_db_upgrade_creates_the_database_and_may_be_repeated(folder: Path) -> None:
    assert arsync_here("db", "upgrade").out.startswith("the database is at ")
    arsync_here("db", "upgrade")
    for listing in ("connections", "holds", "quarantine", "approve"):
        assert arsync_here(listing, "--json").json() == []
    assert "arsync connect" in arsync_here("run").err


@pytest.mark.parametrize("provider", ["quickbooks", "xero"])
def test_a_wrong_refresh_token_is_told_in_a_sentence_and_nothing_is_kept(empty: Installation, provider: str) -> None:
    empty.found("harbor", provider)
    empty.configure()
    refused = empty.connect("harbor", token="not-a-token", status=1)
    assert "The consent has ended: a person must connect again" in refused.err
    assert "not-a-token" not in refused.said
    assert empty.json("connections") == []
    assert empty.rows("SELECT * FROM grants") == []
    assert empty.connect("harbor").out.startswith("harbor: The harbor company")


@pytest.mark.parametrize("provider", ["quickbooks", "xero"])
def test_a_company_that_the_consent_does_not_cover_is_not_linked(empty: Installation, provider: str) -> None:
    harbor = empty.found("harbor", provider)
    empty.configure()
    empty.arsync(
        "connect", provider, "--refresh-token", harbor.card["refresh_token"], "--external-id", "123145",
        status=1,
    )  # fmt: skip
    assert empty.json("connections") == []
    assert empty.rows("SELECT * FROM grants") == []


def test_connected_companies_are_listed_under_the_names_of_the_configuration(empty: Installation) -> None:
    for name, provider in (("harbor", "quickbooks"), ("thames", "xero")):
        empty.found(name, provider)
    empty.configure()
    for name in empty.books:
        linked = empty.connect(name)
        assert f"next: arsync backfill {name}" in linked.out
    listed = {one["name"]: one for one in empty.json("connections")}
    assert {name: (one["provider"], one["base_currency"]) for name, one in listed.items()} == {
        "harbor": ("quickbooks", "USD"),
        "thames": ("xero", "GBP"),
    }
    assert listed["harbor"]["company_name"] == "The harbor company"
    assert {one["health"] for one in listed.values()} == {"recovering"}
    assert {one["consent"]["consented_at"] for one in listed.values()} == {None}, "a token tells no age"


def test_a_dry_run_says_how_long_a_load_takes_after_what_is_spent(empty: Installation) -> None:
    """Thirty-five in bulk a minute are enough for it, but for those that connecting and counting have taken."""
    empty.found("thames", "xero", invoices=60)
    empty.configure()
    empty.config.write_text(empty.config.read_text().replace("[xero]\n", "[xero]\nper_minute = 40\n"))
    empty.connect("thames")
    told = empty.json("backfill", "--dry-run")["thames"]
    assert told["counts"]["invoices"] == 60
    assert told["requests"] <= 35
    assert 30 < told["seconds_by_the_vendors_limits"] <= 63
    assert empty.rows("SELECT count(*) FROM invoices") == [(0,)]


@pytest.mark.parametrize("provider", ["quickbooks", "xero"])
def test_connecting_again_renews_the_grant_and_a_failed_try_breaks_nothing(empty: Installation, provider: str) -> None:
    harbor = empty.found("harbor", provider)
    empty.configure()
    empty.load()
    before = empty.json("connections")
    sealed = empty.rows("SELECT sealed FROM grants")

    empty.connect("harbor", token="not-a-token", status=1)
    empty.arsync("sync")

    assert (
        "next: arsync sync harbor" in empty.connect("harbor", token=empty.sandbox.grant(harbor.id)["refresh_token"]).out
    )
    after = empty.json("connections")
    assert [one["id"] for one in after] == [one["id"] for one in before]
    renewed = empty.rows("SELECT sealed FROM grants")
    assert len(renewed) == 1
    assert renewed != sealed
    empty.arsync("sync")


def test_a_consent_that_ended_is_mended_by_connecting_again(empty: Installation) -> None:
    harbor = empty.found("harbor", "quickbooks")
    empty.configure()
    empty.load()
    empty.sandbox.advance(days=200)  # longer than any refresh token lives
    assert "connect again" in empty.arsync("sync", status=1).err
    assert [one["health"] for one in empty.json("connections", status=1)] == ["reauthorise"]
    empty.connect("harbor", token=empty.sandbox.grant(harbor.id)["refresh_token"])
    assert [one["health"] for one in empty.json("connections")] == ["partial"]
    empty.arsync("sync")
    assert [one["health"] for one in empty.json("connections")] == ["ok"]


def test_two_companies_never_share_a_name(empty: Installation) -> None:
    first, second = empty.found("one", "quickbooks"), empty.found("two", "quickbooks")
    empty.configure()
    empty.config.write_text(empty.config.read_text().partition("[connection.")[0])

    def link(card: dict[str, str], *name: str, status: int = 0) -> str:
        return empty.arsync(
            "connect", "quickbooks", "--refresh-token", card["refresh_token"], "--external-id", card["id"], *name,
            status=status,
        ).said  # fmt: skip

    link(first.card, "--name", "acme")
    assert "called 'acme' already" in link(second.card, "--name", "acme", status=2)
    assert "letters, digits" in link(second.card, "--name", "no good", status=2)
    assert len(empty.rows("SELECT id FROM grants")) == 1
    link(empty.sandbox.grant(second.id))
    link(empty.sandbox.grant(first.id))  # and a renewal without a name renames nothing
    names = [one["name"] for one in empty.json("connections")]
    assert names == ["acme", f"quickbooks-{second.id[:8]}"]


def test_a_backfill_may_be_repeated_and_counts_as_the_source_does(installation: Installation) -> None:
    before = installation.rows("SELECT connection_id, remote_id, balance, state FROM invoices ORDER BY 1, 2")
    again = installation.json("backfill")
    assert set(again) == {"harbor", "thames"}
    for one in again.values():
        assert one["seen"]["invoices"] == one["source_counts"]["invoices"] == 100
        assert one["quarantined"] == 0
    assert installation.rows("SELECT connection_id, remote_id, balance, state FROM invoices ORDER BY 1, 2") == before
    assert "(as the source counts)" in installation.arsync("backfill", "harbor").out
    assert "thames" not in installation.arsync("backfill", "harbor").out


def test_sync_pulls_what_changed(shop: Installation) -> None:
    (invoice,) = [row[0] for row in shop.rows("SELECT remote_id FROM invoices WHERE number = 'H-3'")]
    shop.books["harbor"].act("pay", invoice=invoice)
    assert shop.json("sync", "harbor")["harbor"]["written"] >= 2  # the invoice and its payment
    assert "it is paid" in shop.arsync("explain", "H-3").out
    assert "harbor: 0 records changed" in shop.arsync("sync", "harbor").out
    assert "there are: harbor, thames" in shop.arsync("sync", "hrbor", status=2).err


def test_what_cannot_be_read_is_listed_with_its_reason_and_makes_the_backfill_say_so(shop: Installation) -> None:
    harbor = shop.books["harbor"]
    (invoice,) = [row[0] for row in shop.rows("SELECT remote_id FROM invoices WHERE number = 'H-3'")]
    harbor.act("corrupt", invoice=invoice, fields={"TotalAmt": "a lot"})
    told = shop.arsync("backfill", "harbor", status=1)
    assert "1 records could not be read: arsync quarantine" in told.out
    (jailed,) = shop.json("quarantine")
    assert (jailed["connection"], jailed["resource"], jailed["remote_id"]) == ("harbor", "invoices", invoice)
    assert jailed["reason"]
    assert invoice in shop.arsync("quarantine").out
    assert "1 record cannot be read: arsync quarantine" in shop.arsync("sync", "harbor", status=1).err
    harbor.act("restore", invoice=invoice)
    shop.arsync("sync", "harbor")
    assert shop.json("quarantine") == []


def test_a_load_says_too_that_nothing_is_sent_from_what_it_loaded(shop: Installation) -> None:
    harbor = shop.books["harbor"]
    with closing(Store(f"sqlite:///{shop.database}")) as store, store.working() as work:
        known = connections.connection(work, "harbor")
        found = Suspicion(Trouble.FOREIGN, "another arsync wrote notes here")
        suspicion.raise_(work, known.id, found, now=harbor.sandbox.now())
        work.commit()
    told = shop.arsync("backfill", "harbor", status=1).err
    assert "harbor is suspect, nothing is sent from it: another arsync wrote notes here" in told
    assert "`arsync trust harbor --reason TEXT`" in told
