"""Every secret that the settings know of, found by its type: in no text of theirs, no output, error, line or traceback.

A secret key that is added tomorrow is in these tests by itself: they enumerate the settings and the connectors'.
"""

from __future__ import annotations

import logging
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from tests.acceptance.installation import arsync_here

from arsync.bootstrap import App
from arsync.errors import ConfigurationError, RetryLater
from arsync.logs import configure, masked
from arsync.settings import connector_points, load
from arsync.settings.model import KEYS

#: Secrets that must be of a kind; {} is the secret in them.
_FORMS = {
    "database.url": "postgresql+psycopg://arsync:{}@127.0.0.1:1/arsync",
    "alerts.webhook": "https://127.0.0.1:1/{}",
    "alerts.ping_url": "https://127.0.0.1:1/{}",
}
_NEEDED = {"ARSYNC_QUICKBOOKS__CLIENT_ID": "q", "ARSYNC_XERO__CLIENT_ID": "x", "ARSYNC_DELIVERY__FROM": "a@example.com"}


def _secret_keys() -> list[str]:
    own = [".".join(place) for place, secret in KEYS.items() if secret]
    theirs = [
        f"{name}.{key}"
        for name, entry in connector_points().items()
        for key, option in import_module(entry.module).Settings.model_fields.items()
        if "SecretStr" in f"{option.annotation}"
    ]
    return sorted([*own, *theirs])


SECRETS = _secret_keys()


def variable(key: str) -> str:
    return "ARSYNC_" + key.replace(".", "__").upper()


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Each secret of its own, given by its variable: key -> what must not be seen."""
    monkeypatch.chdir(tmp_path)
    Path("arsync.toml").touch()
    told = {key: f"s3cret{number:02}-{key.replace('.', '-')}" for number, key in enumerate(SECRETS)}
    key = Fernet.generate_key().decode()
    for name, value in {
        **_NEEDED,
        **{variable(one): _FORMS.get(one, "{}").format(told[one]) for one in SECRETS},
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(variable("vault.key"), key)
    told["vault.key"] = key
    return told


def seen(text: str, environ: dict[str, str]) -> list[str]:
    return [key for key, secret in environ.items() if secret in text]


def test_there_are_secrets_to_look_for() -> None:
    assert {"database.url", "vault.key", "sendgrid.api_key", "smtp.password", "alerts.webhook"} < set(SECRETS)
    assert {"quickbooks.client_secret", "xero.client_secret"} < set(SECRETS)


def test_the_text_of_the_settings_and_of_every_section_shows_none(environ: dict[str, str]) -> None:
    settings = load()
    sections = [settings, *(getattr(settings, name) for name in ("database", "vault", "sendgrid", "smtp", "alerts"))]
    sections += [
        settings.connector(name, import_module(one.module).Settings) for name, one in connector_points().items()
    ]
    for section in sections:
        assert seen(f"{section!r} {section}", environ) == []


@pytest.mark.parametrize(
    "command",
    [
        ("settings", "show"), ("settings", "show", "--json"), ("doctor",), ("doctor", "--json"), ("connections",),
        ("run",), ("db", "upgrade"), ("connect", "xero", "--no-browser", "--wait", "0.1"),
    ],
)  # fmt: skip
def test_no_command_shows_one_though_nothing_can_be_reached(
    environ: dict[str, str], command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARSYNC_TRACEBACK", "1")
    monkeypatch.setenv("ARSYNC_LOG__LEVEL", "debug")
    told = _ran(*command)
    assert told.strip()
    assert seen(told, environ) == []


def _ran(*command: str) -> str:
    try:
        ran = arsync_here(*command, status=None)
    except AssertionError as trouble:  # a traceback was asked for
        return re.sub(r"(?s)^.*?\n", "", str(trouble), count=1)
    return ran.said


@pytest.mark.parametrize("key", SECRETS)
@pytest.mark.parametrize("wrong", ['["{}"]', '{{ a = "{}" }}', '"not an address {}"'])
def test_a_secret_of_a_wrong_kind_is_not_repeated(tmp_path: Path, key: str, wrong: str) -> None:
    section, _, name = key.rpartition(".")
    file = tmp_path / "arsync.toml"
    file.write_text(f"[{section}]\n{name} = {wrong.format('s3cret-value')}\n", encoding="utf-8")
    try:
        read: Any = load(file, environ={})
        if section in connector_points():
            read.connector(section, import_module(connector_points()[section].module).Settings)
    except ConfigurationError as error:
        assert "s3cret-value" not in str(error)
        assert f"{file}:2: {key}" in str(error) or "client_id: is missing" in str(error)
    else:
        assert "s3cret-value" not in repr(read)


@pytest.mark.parametrize("fault", [RuntimeError, RetryLater, ConfigurationError])
def test_what_gets_into_an_error_does_not_get_out_of_it(
    environ: dict[str, str], fault: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody forgets himself: every secret is in the words of an error, with and without a traceback asked for."""
    words = "; ".join(f"{key}={secret}" for key, secret in environ.items())

    def forgetful(*_given: Any, **_named: Any) -> None:
        raise fault(words)

    monkeypatch.setattr(App, "store", property(forgetful))
    for asked in ("", "1"):
        monkeypatch.setenv("ARSYNC_TRACEBACK", asked)
        monkeypatch.setattr("arsync.bootstrap.app.App.clock", property(forgetful))
        assert seen(_ran("connections"), environ) == []


def test_no_line_of_the_log_shows_one_wherever_it_stands(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    App(load()).close()
    configure("json", "debug")
    log = logging.getLogger("arsync.test")
    own = {key: value for key, value in environ.items() if key.partition(".")[0] not in connector_points()}
    for key, secret in own.items():
        log.warning("told", extra={"harmless": f"it is {secret} indeed", "several": [secret], "inner": {"why": secret}})
        log.warning("in the words: %s", secret)
        try:
            raise RuntimeError(f"{key}: {secret}")
        except RuntimeError:
            log.exception("failed")
    assert seen(capsys.readouterr().err, own) == []


def test_a_password_is_hidden_where_it_stands_without_its_address(environ: dict[str, str]) -> None:
    App(load()).close()
    assert masked(f"FATAL: password {environ['database.url']} refused") == "FATAL: password [hidden] refused"
    assert isinstance(load().sendgrid.api_key, SecretStr)
