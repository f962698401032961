"""The playbooks of an installation: as they lie in their folder now, and in every version that a chase runs on."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final
from weakref import finalize

from arsync.domain.policy import Playbook, Step
from arsync.errors import ConfigurationError
from arsync.playbook.choose import Chooser, clashes
from arsync.playbook.load import Source, load_whole
from arsync.playbook.problems import Problem
from arsync.playbook.templates import locales
from arsync.store import playbooks
from arsync.store.engine import Work


@dataclass(frozen=True, slots=True)
class Volume:
    """A playbook ready to be followed, in one version."""

    playbook: Playbook
    templates: Path
    locales: frozenset[str]
    source: Source


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A version that cannot be followed any more, and why."""

    name: str
    version: str
    why: str

    def __str__(self) -> str:
        return f"playbook {self.name}, version {self.version[:12]}, cannot be read any more: {self.why}"


class Shelf:
    """One rulebook: the playbooks that a chase chooses from, each in one version."""

    def __init__(self, volumes: Mapping[str, Volume | Unreadable]) -> None:
        self.volumes: Final = volumes
        self.versions: Final = {name: _version(volume) for name, volume in volumes.items()}
        self.id: Final = playbooks.identity(self.versions)
        readable = [volume.playbook for volume in volumes.values() if isinstance(volume, Volume)]
        self.playbooks: Final = readable
        self.chooser: Final = Chooser(readable)
        #: while one cannot be read nobody knows for whom it was
        self.broken: Final = next((one for one in volumes.values() if isinstance(one, Unreadable)), None)
        #: those that chases are matched to; the others are chosen by name
        self.matched: Final = {one.name for one in readable if one.match is not None}
        self.clashes: Final = clashes({f"playbook {one.name}": one for one in readable})

    @property
    def steps(self) -> list[Step]:
        """Every step of every playbook."""
        return [step for playbook in self.playbooks for step in playbook.steps]

    def with_present(self, name: str, volume: Volume | None) -> Shelf:
        """The same, but for one playbook that is taken as given, or left out."""
        others = {other: one for other, one in self.volumes.items() if other != name}
        return Shelf(others if volume is None else {**others, name: volume})


def _version(volume: Volume | Unreadable) -> str:
    return volume.playbook.version if isinstance(volume, Volume) else volume.version


class Library:
    """Reads playbooks once, for all threads.

    `own` are the installation's files, `shipped` finds another by its name.
    """

    def __init__(self, own: Callable[[], list[Path]], shipped: Callable[[str], Path], templates: Path) -> None:
        self._own = own
        self._shipped = shipped
        self._templates = templates
        self._files: dict[Path, Volume] = {}
        self._kept: dict[str, Volume | Unreadable] = {}
        self._shelves: dict[str, Shelf] = {}
        self._present: dict[str, Shelf] = {}
        self._folder: Path | None = None
        self._one_reads = threading.RLock()

    # --- as it is now ---------------------------------------------------------------------------------------

    def read(self, path: Path) -> Volume:
        """The playbook in a file; ConfigurationError with every problem."""
        volume, problems = self._try(path)
        if volume is None:
            raise _wrong(problems)
        return volume

    def present(self, default: Path) -> Shelf:
        """The installation's own playbooks and the default; ConfigurationError with every problem of all of them."""
        key = str(default)
        if key not in self._present:
            found: dict[str, Playbook] = {}
            volumes: dict[str, Volume | Unreadable] = {}
            problems: list[Problem] = []
            for path in dict.fromkeys([*self._own(), default]):
                volume, wrong = self._try(path)
                problems += wrong
                if volume is not None:
                    found[path.name] = volume.playbook
                    volumes[volume.playbook.name] = volume
            problems += clashes(found)
            if problems:
                raise _wrong(problems)
            self._present[key] = Shelf(volumes)
        return self._present[key]

    def named(self, name: str) -> Volume | None:
        """A playbook of that name beside the installation's own, such as a shipped one; None where there is none."""
        path = self._shipped(name)
        return self._try(path)[0] if path.is_file() else None

    def _try(self, path: Path) -> tuple[Volume | None, tuple[Problem, ...]]:
        with self._one_reads:
            return self._read(path)

    def _read(self, path: Path) -> tuple[Volume | None, tuple[Problem, ...]]:
        if path in self._files:
            return self._files[path], ()
        beside = path.parent / "templates"
        templates = beside if beside.is_dir() else self._templates
        playbook, source, problems = load_whole(path, templates)
        if playbook is None or source is None:
            return None, problems
        volume = Volume(playbook, templates, locales(playbook, templates), source)
        self._files[path] = volume
        return volume, ()

    # --- as it was ------------------------------------------------------------------------------------------

    def keep(self, work: Work, shelf: Shelf, *, now: datetime) -> str:
        """Keeps a rulebook and all its versions in the store; its id."""
        for volume in shelf.volumes.values():
            if isinstance(volume, Volume):
                one = volume.playbook
                playbooks.keep(work, one.version, one.name, volume.source.text, volume.source.templates, now=now)
        self._shelves[shelf.id] = shelf
        return playbooks.keep_rulebook(work, shelf.versions, now=now)

    def shelf(self, work: Work, versions: Mapping[str, str], present: Shelf) -> Shelf:
        """A rulebook as it was kept; what is still the same is not read again."""
        name = playbooks.identity(versions)
        if name == present.id:
            return present
        if name not in self._shelves:
            self._shelves[name] = Shelf(
                {one: self.volume(work, one, version, present) for one, version in versions.items()}
            )
        return self._shelves[name]

    def volume(self, work: Work, name: str, version: str, present: Shelf) -> Volume | Unreadable:
        """One playbook in a version as it was kept."""
        now = present.volumes.get(name)
        if isinstance(now, Volume) and now.playbook.version == version:
            return now
        if version not in self._kept:
            kept = playbooks.read(work, version)  # who waits for a thread that reads must not hold the database
            with self._one_reads:
                if version not in self._kept:
                    self._kept[version] = self._unpacked(kept, name, version)
        return self._kept[version]

    def _unpacked(self, kept: playbooks.Version | None, name: str, version: str) -> Volume | Unreadable:
        if kept is None:
            return Unreadable(name, version, "it is not in the database")
        folder = self._space() / version
        templates = folder / "templates"
        templates.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.yaml"
        path.write_text(kept.text, encoding="utf-8", newline="")
        for file, text in kept.templates.items():
            place = templates / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8", newline="")
        playbook, source, problems = load_whole(path, templates)
        if playbook is None or source is None:
            return Unreadable(name, version, "; ".join(map(str, problems)))
        # It is what it was, however this arsync would count its hash.
        pinned = replace(playbook, version=version)
        return Volume(pinned, templates, locales(pinned, templates), source)

    def _space(self) -> Path:
        """A folder of this process, gone with it."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="arsync-playbooks-"))
            finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder


def _wrong(problems: tuple[Problem, ...] | list[Problem]) -> ConfigurationError:
    return ConfigurationError("\n  ".join(["the playbook has problems:", *dict.fromkeys(map(str, problems))]))
