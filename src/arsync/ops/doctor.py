"""The examination of an installation, from its settings to its connections; it never stops at the first trouble.

It changes nothing: no database, key or folder is made. What cannot be looked at because something before it is
missing is left out; what is missing is a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from arsync.domain.clock import Clock
from arsync.errors import ArsyncError, ConfigurationError
from arsync.ops.books import examine_store
from arsync.ops.connectors import examine_connectors
from arsync.ops.finding import Finding, exit_status, fail, ok, sentences, some, warn
from arsync.ops.machine import examine_clock, examine_key, examine_outbox, examine_space
from arsync.ops.senders import Texts, examine_senders, texts
from arsync.resources import bundled
from arsync.sandbox.rehearsal import RehearsalClock
from arsync.settings import Settings

#: Reads a playbook file: every problem as a sentence, none where it can be used.
ReadPlaybook = Callable[[Path], Sequence[str]]

_INIT: Final = "run `arsync init`, or name the file by --config or ARSYNC_CONFIG"


def examine(
    load: Callable[[], Settings],
    *,
    clock: Clock,
    read_playbook: ReadPlaybook,
    pending: Callable[[], Sequence[str]] = tuple,
    unmet: Callable[[], Sequence[str]] = tuple,
    ask: Texts = texts,
) -> list[Finding]:
    """Every finding, in the order in which one would mend them; `load` may raise ConfigurationError. `pending` tells of
    changed playbooks that wait for a person, `unmet` of send windows that no job of a worker ever meets; they are asked
    where nothing has failed. `ask` is the DNS."""
    settings: Settings | None = None
    findings: list[Finding] = []
    try:
        settings = load()
        findings += _settings(settings)
    except ConfigurationError as error:
        findings += [fail("settings", line, "correct it") for line in sentences(error)]
    parts: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("machine", lambda: examine_clock(clock)),
        ("program", lambda: _program(read_playbook)),
        ("connectors", lambda: examine_connectors(settings)),
    ]
    if settings is not None:
        known = settings
        parts += [
            ("machine", lambda: examine_space(known)),
            ("vault", lambda: examine_key(known)),
            ("playbooks", lambda: _playbooks(known, read_playbook)),
            ("delivery", lambda: _delivery(known)),
            ("sender", lambda: examine_senders(known, ask)),
            ("database", lambda: examine_store(known, _clock_of(known, clock))),
        ]
    for subject, part in parts:
        findings += _looked(subject, part)
    if not exit_status(findings):
        findings += _looked("worker", lambda: _unmet(unmet()))
        findings += _looked("playbooks", lambda: _pending(pending()))
    return findings


def _looked(subject: str, part: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """What a part finds, up to where it fails itself."""
    found: list[Finding] = []
    try:
        found += part()
    except Exception as error:  # noqa: BLE001 - a doctor who dies of the patient's illness helps nobody
        said = sentences(error)[0] if isinstance(error, ArsyncError) else f"{type(error).__name__} while looking"
        found.append(fail(subject, said, "mend what is said above and look again"))
    return found


def _pending(changes: Sequence[str]) -> Iterator[Finding]:
    """Changed playbooks that running chases have not taken."""
    for change in changes:
        yield warn("playbooks", change, "arsync playbook review, then accept or keep it")


def _unmet(windows: Sequence[str]) -> Iterator[Finding]:
    """Nothing that waits for a window would ever leave."""
    for window in windows:
        yield fail("worker", window, "say `worker.dispatch`, or another `window` in the playbook")


def _clock_of(settings: Settings, clock: Clock) -> Clock:
    """A rehearsal's data are dated by the sandbox."""
    return RehearsalClock(settings.sandbox.clock_url) if settings.sandbox.clock_url else clock


def _settings(settings: Settings) -> Iterator[Finding]:
    if settings.file is None:
        yield fail("settings", f"there is no arsync.toml in {settings.folder}", _INIT)
    else:
        yield ok("settings", str(settings.file))


def _program(read_playbook: ReadPlaybook) -> Iterator[Finding]:
    """What is shipped with the program is all there."""
    folder = bundled("playbooks")
    shipped = sorted(folder.glob("*.yaml"))
    problems = [problem for path in shipped for problem in read_playbook(path)]
    if not shipped or problems:
        yield fail("program", problems[0] if problems else f"no playbooks in {folder}", "install arsync again")
    else:
        yield ok("program", f"playbooks {', '.join(path.stem for path in shipped)} in {folder}")
    migrations = bundled("migrations")
    scripts = sorted(migrations.glob("versions/*.py"))
    if not (migrations / "env.py").is_file() or not scripts:
        yield fail("program", f"no migrations in {migrations}", "install arsync again")
    else:
        yield ok("program", f"{len(scripts)} migration{'s' if len(scripts) > 1 else ''} in {migrations}")


def _playbooks(settings: Settings, read_playbook: ReadPlaybook) -> Iterator[Finding]:
    """Each playbook in use can be read."""
    users: dict[str, list[str]] = {settings.defaults.playbook: ["defaults"]}
    for name in settings.connections:
        users.setdefault(settings.company(name).playbook, []).append(name)
    for playbook, where in users.items():
        path = settings.playbook_file(playbook, shipped=bundled("playbooks"))
        said = f"{playbook} ({some(where)})"
        if not path.is_file():
            near = ", ".join(sorted(_names(settings)))
            yield fail("playbooks", f"{said}: there is no {path}", f"use one of: {near}")
            continue
        problems = read_playbook(path)
        for problem in problems:
            yield fail("playbooks", f"{said}: {problem}", f"correct {path}; `arsync playbook lint` shows all of it")
        if not problems:
            yield ok("playbooks", f"{said}: {path}")


def _names(settings: Settings) -> set[str]:
    return {path.stem for folder in (settings.playbook_folder, bundled("playbooks")) for path in folder.glob("*.yaml")}


def _delivery(settings: Settings) -> Iterator[Finding]:
    """Messages could leave, and to whom."""
    delivery = settings.delivery
    lacks = [settings.undeliverable(name) for name in settings.connections] or [settings.undeliverable()]
    for lacking in dict.fromkeys(line for lines in lacks for line in lines):
        yield fail("delivery", lacking, f"say it in {settings.file or 'arsync.toml'} or by its environment variable")
    if delivery.channel == "file":
        yield from examine_outbox(settings)
    elif delivery.channel == "smtp":
        if settings.smtp.host is not None:
            yield ok("delivery", f"by the mail server {settings.smtp.host}")
    elif settings.sendgrid.api_key is not None:
        yield ok("delivery", f"by SendGrid at {settings.sendgrid.host}")
    if delivery.redirect_to:
        yield warn("delivery", f"every message goes to {delivery.redirect_to} instead of the customer")
