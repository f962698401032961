"""The settings as the program uses them: paths absolute, companies merged, secrets wrapped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError

from arsync.errors import ConfigurationError, UsageError
from arsync.settings.kinds import database_url, sqlite_path, sqlite_query
from arsync.settings.lines import Lines
from arsync.settings.model import (
    Alerts,
    CompanySettings,
    ConnectionSettings,
    Database,
    Delivery,
    GroupSettings,
    Inbox,
    Log,
    Place,
    Retention,
    Safety,
    Sandbox,
    SendGrid,
    Sending,
    Serve,
    Smtp,
    VaultSection,
    Worker,
)
from arsync.settings.problems import Problems, merged

Model = TypeVar("Model", bound=BaseModel)
_HUSH: Final = re.compile(r"(secret|token|password|key)$")


def database_at(written: str, folder: Path) -> str:
    """The URL of a database as the store takes it: an SQLite file counts from that folder. UsageError for what is
    none."""
    try:
        url = database_url(SecretStr(written)).get_secret_value()
    except ValueError as error:
        raise UsageError(str(error)) from None
    path = sqlite_path(url)
    return url if path is None else f"sqlite:///{folder / path}{sqlite_query(url)}"


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one installation; its text never shows a secret."""

    #: the file they came from; None where there is none
    file: Path | None
    #: what relative paths are relative to
    folder: Path
    database: Database
    defaults: CompanySettings
    groups: Mapping[str, GroupSettings]
    connections: Mapping[str, ConnectionSettings]
    delivery: Delivery
    sendgrid: SendGrid
    smtp: Smtp
    inbox: Inbox
    vault: VaultSection
    safety: Safety
    worker: Worker
    serve: Serve
    alerts: Alerts
    retention: Retention
    log: Log
    sandbox: Sandbox
    connectors: Mapping[str, Mapping[str, Any]] = field(repr=False)
    origins: Mapping[Place, str] = field(repr=False)
    lines: Lines = field(repr=False)

    @property
    def database_url(self) -> str:
        """For the store; it may hold a password. An SQLite file is absolute."""
        return database_at(self.database.url.get_secret_value(), self.folder)

    @property
    def database_file(self) -> Path | None:
        """The SQLite file; None for PostgreSQL."""
        path = sqlite_path(self.database.url.get_secret_value())
        return None if path is None else self.folder / path

    @property
    def outbox_dir(self) -> Path:
        """Where the file channel writes."""
        return self.folder / self.delivery.outbox_dir.expanduser()

    @property
    def key_file(self) -> Path:
        """Where the key lies that seals the tokens, unless `vault_key` is given."""
        return self.folder / self.vault.key_file.expanduser()

    @property
    def vault_key(self) -> str | None:
        """The key itself, where the settings hold it."""
        return self.vault.key.get_secret_value() if self.vault.key else None

    @property
    def playbook_folder(self) -> Path:
        """Where the installation's own playbooks lie; it need not exist."""
        return self.folder / "playbooks"

    @property
    def backup_folder(self) -> Path:
        """Where archives go that nobody has named."""
        return self.folder / "backups"

    def company(self, connection: str) -> GroupSettings:
        """What holds for that connection: what `[defaults]`, `[delivery]` and `[safety]` say, its group's section laid
        over it and its own over both, key by key."""
        own = self.connections.get(connection)
        group = self.groups[own.group] if own is not None and own.group is not None else None
        said = {
            **_said(self.defaults),
            "delivery": _said(self.delivery, only=set(Sending.model_fields)),
            "safety": _said(self.safety),
        }
        for section in (group, own):
            if section is not None:
                said = merged(said, _said(section, only=set(GroupSettings.model_fields)))
        return GroupSettings.model_validate(said)

    def name_for(self, provider: str, external_id: str) -> str | None:
        """The name under which the settings know that company."""
        wanted = (provider, external_id)
        return next((name for name, own in self.connections.items() if (own.provider, own.external_id) == wanted), None)

    def playbook_file(self, playbook: str, *, shipped: Path) -> Path:
        """The file of a playbook: a path as written, else the installation's own of that name, else the shipped one."""
        if playbook.endswith((".yaml", ".yml")):
            return self.folder / playbook
        own = self.playbook_folder / f"{playbook}.yaml"
        return own if own.is_file() else shipped / f"{playbook}.yaml"

    def connector_section(self, name: str) -> dict[str, Any]:
        """A connector's own section as written, environment included; empty where nothing is said. It holds secrets."""
        return dict(self.connectors.get(name, {}))

    def connector(self, name: str, model: type[Model]) -> Model:
        """That section read by the connector's own `Settings`; ConfigurationError with all that is wrong with it."""
        problems = Problems(self.source, self.origins, self.lines)
        try:
            return model.model_validate(self.connector_section(name))
        except ValidationError as error:
            problems.add_all(error, (name,), model)
        problems.raise_if_any()
        raise ConfigurationError(f"{self.source}: [{name}]")

    def secrets(self) -> frozenset[str]:
        """Every secret of these settings, by its type; of a connector's section, whose types are not known before it is
        loaded, by the name of its key."""
        sections = (getattr(self, one.name) for one in fields(self) if one.name != "connectors")
        theirs = (value for section in self.connectors.values() for key, value in section.items() if _HUSH.search(key))
        return frozenset([*(secret for section in sections for secret in secrets_in(section)), *map(str, theirs)])

    @property
    def source(self) -> str:
        """What errors name as the place: the file, or that there is none."""
        return str(self.file) if self.file else "no arsync.toml"

    def undeliverable(self, connection: str | None = None) -> list[str]:
        """What has to be said before a message can leave, that company's or our own, a sentence each; empty where all
        is."""
        lacking = []
        sender = self.delivery.sender if connection is None else self.company(connection).delivery.sender
        if sender is None:
            lacking.append("delivery.from is missing: whom the messages come from")
        if self.delivery.channel == "sendgrid" and self.sendgrid.api_key is None:
            lacking.append("sendgrid.api_key is missing (or ARSYNC_SENDGRID__API_KEY, ARSYNC_SENDGRID__API_KEY_FILE)")
        if self.delivery.channel == "smtp":
            lacking += self._smtp_lacks()
        return lacking

    def _smtp_lacks(self) -> list[str]:
        smtp = self.smtp
        lacking = []
        if smtp.host is None:
            lacking.append("smtp.host is missing: the mail server")
        if smtp.user is not None and smtp.password is None:
            lacking.append("smtp.password is missing (or ARSYNC_SMTP__PASSWORD, ARSYNC_SMTP__PASSWORD_FILE)")
        if smtp.sent_host is not None and smtp.user is None:
            lacking.append("smtp.user is missing: whose Sent folder gets a copy")
        return lacking


def _said(section: BaseModel, only: set[str] | None = None) -> dict[str, Any]:
    """What is written in a section, by the names of the file."""
    return section.model_dump(exclude_unset=True, by_alias=True, include=only)


def secrets_in(section: Any) -> Iterator[str]:
    """Every secret of a section; of an address also what is secret in it, as errors name it without the rest."""
    if isinstance(section, SecretStr):
        value = section.get_secret_value()
        if sqlite_path(value) is not None:
            return  # the path of a file
        yield value
        try:
            parts = urlsplit(value)
        except ValueError:
            return
        yield parts.password or ""
        if parts.scheme in ("http", "https"):
            yield from (parts.path.strip("/"), parts.query)
    elif isinstance(section, BaseModel):
        for _name, value in section:
            yield from secrets_in(value)
    elif isinstance(section, Mapping):
        for value in section.values():
            yield from secrets_in(value)
