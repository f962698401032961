"""Settings that change under a worker: taken as a whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from arsync.bootstrap import App, Present
from arsync.bootstrap.present import needs_no_restart
from arsync.cli.timetable import jobs_of
from arsync.errors import ConfigurationError
from arsync.resources import bundled
from arsync.settings import Settings, load
from arsync.store import upgrade
from arsync.worker.stopping import Stopping

FIRST = """
[worker]
poll = "off"
backup = "0 3 * * *"
[xero]
client_id = "ours"
client_secret = "kept-for-xero-4711"
"""


class House:
    """A folder with settings, and a worker's installation by them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.say(FIRST)
        self.present = Present(App(self.read()), self.read)
        upgrade.upgrade(self.present.app.unchecked_store)
        assert self.present.app.store

    def say(self, text: str) -> None:
        (self.folder / "arsync.toml").write_text(text, encoding="utf-8")

    def read(self) -> Settings:
        return load(self.folder / "arsync.toml", environ={})

    def crontabs(self) -> dict[str, str]:
        jobs = jobs_of(self.present.app, Stopping())
        return {job.name: job.times.said[0] for job in jobs if job.name not in ("alerts", "posts")}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.present.app.close()


def test_other_settings_are_taken_on_the_same_database(house: House) -> None:
    before = house.present.app
    house.say(FIRST.replace("0 3 * * *", "0 4 * * *"))
    assert house.crontabs() == {"backup": "0 3 * * *"}
    assert house.present.renew()
    assert house.crontabs() == {"backup": "0 4 * * *"}
    assert house.present.app.store is before.store
    assert before.settings.worker.backup == "0 3 * * *", "whoever has begun goes on with what it began with"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("poll", "pol", "arsync.toml:3: worker.pol: there is no such key (did you mean worker.poll?)"),
        ("[worker]", "[worker", "(at line 2, column 8)"),
        ('client_id = "ours"', "client_id = 7", "arsync.toml:6: xero.client_id: "),
        ("[xero]", '[alerts]\nmail = "us@example.com"\n[xero]', "alerts.mail: "),
        ("[xero]", '[defaults]\nplaybook = "nobodys"\n[xero]', "nobodys"),
        ("[xero]", '[database]\nurl = "sqlite:///other.db"\n[xero]', "another database.url takes a restart of the wo"),
        ("[xero]", 'listen = "127.0.0.1:9999"\n[xero]', "another worker.listen takes a restart of the worker"),
    ],
)
def test_settings_that_cannot_be_taken_change_nothing_and_are_an_alert_until_others_are(
    house: House, caplog: pytest.LogCaptureFixture, old: str, new: str, said: str
) -> None:
    house.say(FIRST.replace(old, new).replace("0 3 * * *", "0 4 * * *"))
    assert not house.present.renew()
    assert house.crontabs() == {"backup": "0 3 * * *"}
    (line,) = [record for record in caplog.records if record.getMessage() == "settings_not_taken"]
    assert said in vars(line)["reason"]
    told = house.present.app.alarm.standing()["settings worker"]
    assert told == f"the worker goes on with its settings of before: {vars(line)['reason']}"
    assert "kept-for-xero" not in told
    house.say(FIRST)
    assert house.present.renew()
    assert house.present.app.alarm.standing() == {}


def test_a_playbook_that_was_edited_comes_along_and_one_that_is_wrong_does_not(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker has read its playbooks once; a slip in one of them must not stop every company's night."""
    own, shipped = house.folder / "playbooks" / "standard.yaml", bundled("playbooks") / "standard.yaml"
    own.parent.mkdir()
    text = shipped.read_text(encoding="utf-8")
    own.write_text(text, encoding="utf-8")
    assert house.present.renew()
    assert house.present.app.volume("standard").playbook.gap == 5
    for gap, taken in (("7", 7), ("seven", 7), ("9", 9)):
        own.write_text(text.replace("gap: 5", f"gap: {gap}"), encoding="utf-8")
        assert house.present.renew() == (gap != "seven")
        assert house.present.app.volume("standard").playbook.gap == taken
    (line,) = [record for record in caplog.records if record.getMessage() == "settings_not_taken"]
    assert "gap must be a whole number" in vars(line)["reason"]


@pytest.mark.parametrize(
    ("more", "key"),
    [("threads = 2", "worker.threads"), ("[delivery]\nfirst_customers = 5", "delivery.first_customers")],
)
def test_workers_of_a_queue_keep_how_many_companies_are_worked_for_at_once(tmp_path: Path, more: str, key: str) -> None:
    """They have told it to the queue, which goes by it over all of them."""
    config = tmp_path / "arsync.toml"
    queued = '[database]\nurl = "postgresql+psycopg://arsync@127.0.0.1:1/arsync"\n[worker]\nqueue = "procrastinate"\n'
    config.write_text(queued, encoding="utf-8")
    app = App(load(config, environ={}))
    config.write_text(f"{queued}{more}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"another {key} takes a restart of the worker"):
        needs_no_restart(app.settings, load(config, environ={}))
