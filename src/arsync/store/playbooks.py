"""Versions of playbooks, kept as they were read; the rulebooks made of them; and which chase runs on which."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, insert, select, update

from arsync.domain.record import record
from arsync.store import chases, events
from arsync.store import tables as t
from arsync.store.bulk import insert_new
from arsync.store.chases import Chase
from arsync.store.engine import Work
from arsync.store.prepared import Prepared

_V: Final = t.playbook_versions.c
_R: Final = t.rulebooks.c
_H: Final = t.chases.c
_CHUNK: Final = 500
_LIVE: Final = ("open", "reopened")
_RULEBOOKS: Final = Prepared(select(_R.id, _R.versions))


@dataclass(frozen=True, slots=True)
class Version:
    """A playbook as it was when it was first seen."""

    version: str
    name: str
    text: str
    templates: Mapping[str, str]  # file name -> text
    first_seen_at: datetime


@record(frozen=True, slots=True)
class Pin:
    """What a chase runs on: the playbooks it chooses from, what it chose, and why."""

    chase: Chase
    rulebook: str
    playbook: str
    version: str
    why: str

    @property
    def is_news(self) -> bool:
        """Whether the chase was on another playbook or version, or had not been planned."""
        return (self.playbook, self.version) != (self.chase.playbook, self.chase.playbook_version)


def identity(versions: Mapping[str, str]) -> str:
    """The id of a rulebook of these playbooks and versions."""
    return hashlib.sha256(json.dumps(versions, sort_keys=True).encode()).hexdigest()


def keep(work: Work, version: str, name: str, text: str, templates: Mapping[str, str], *, now: datetime) -> None:
    """Keeps a version; one that is there stays as it was."""
    if work.execute(select(_V.version).where(_V.version == version)).first() is None:
        files = json.dumps(dict(sorted(templates.items())))
        row = {"version": version, "name": name, "text": text, "templates": files, "first_seen_at": now}
        insert_new(work, t.playbook_versions, **row)


def read(work: Work, version: str) -> Version | None:
    """A version as it was kept."""
    row = work.execute(select(t.playbook_versions).where(_V.version == version)).first()
    if row is None:
        return None
    return Version(row.version, row.name, row.text, json.loads(row.templates), row.first_seen_at)


def keep_rulebook(work: Work, versions: Mapping[str, str], *, now: datetime) -> str:
    """Keeps a rulebook; its id."""
    name = identity(versions)
    if work.execute(select(_R.id).where(_R.id == name)).first() is None:
        text = json.dumps(versions, sort_keys=True)
        insert_new(work, t.rulebooks, id=name, versions=text, first_seen_at=now)
    return name


def rulebooks(work: Work) -> dict[str, dict[str, str]]:
    """Every rulebook there ever was: id -> playbook -> version."""
    return {rulebook: json.loads(versions) for rulebook, versions in _RULEBOOKS(work)}


def in_use(work: Work) -> Counter[str]:
    """How many live chases run on each rulebook."""
    rows = work.execute(select(_H.rulebook).where(_H.state.in_(_LIVE), _H.rulebook.is_not(None))).scalars()
    return Counter(rows)


def pin(work: Work, pins: Iterable[Pin], *, now: datetime) -> int:
    """Writes what chases run on, where that changed, with a line in the log for each; how many it were."""
    same: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
    told = []
    for one in pins:
        if one.is_news or one.rulebook != one.chase.rulebook:
            same[one.rulebook, one.playbook, one.version].append(one.chase.id)
        if one.is_news:
            data = {"playbook": one.playbook, "version": one.version, "why": one.why, "before": one.chase.playbook}
            told.append(
                {
                    "at": now, "kind": "playbook_chosen", "author": "arsync", "connection_id": one.chase.connection_id,
                    "chase_id": one.chase.id, "data": json.dumps(data, sort_keys=True),
                }
            )  # fmt: skip
    for (rulebook, playbook, version), ids in same.items():
        values = {"rulebook": rulebook, "playbook": playbook, "playbook_version": version}
        for start in range(0, len(ids), _CHUNK):
            work.execute(update(t.chases).where(_H.id.in_(ids[start : start + _CHUNK])).values(**values))
    if told:
        work.execute(insert(t.events), told)
    return sum(map(len, same.values()))


def replace(work: Work, former: str, rulebook: str) -> int:
    """Puts all live chases of a rulebook onto another; what is about to leave for them is planned anew."""
    mine = _H.rulebook == former, _H.state.in_(_LIVE)
    connections = work.execute(select(_H.connection_id).distinct().where(*mine)).scalars().all()
    for connection_id in connections:
        chases.bump_all(work, connection_id)
    return work.execute(update(t.chases).where(*mine).values(rulebook=rulebook)).rowcount


def refuse(work: Work, name: str, version: str, *, author: str, now: datetime) -> None:
    """Notes that running chases stay with what they began with; it is not asked again for that version."""
    k = t.kept_versions.c
    work.execute(delete(t.kept_versions).where(k.name == name, k.version == version))
    work.execute(insert(t.kept_versions).values(name=name, version=version, author=author, at=now))
    events.log(work, "playbook_kept", at=now, author=author, playbook=name, refused=version)


def accept(work: Work, names: Collection[str], moved: int, *, author: str, now: datetime) -> None:
    """Notes that a person let running chases go on with the present versions."""
    k = t.kept_versions.c
    work.execute(delete(t.kept_versions).where(k.name.in_(list(names))))
    events.log(work, "playbook_accepted", at=now, author=author, playbooks=sorted(names), chases=moved)


def refused(work: Work) -> set[tuple[str, str]]:
    """(playbook, version) of every change that was refused for running chases."""
    return {(row.name, row.version) for row in work.execute(select(t.kept_versions))}
