"""What Prometheus reads: as the database has it, so that it is the same whoever is asked, and after a restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from arsync.domain.posted import Reception
from arsync.domain.states import Health, MessageState, NoteState
from arsync.store import connections, doors, duties, messages, notes, posts
from arsync.store.engine import Store

#: What Prometheus calls this form.
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

#: The values of a metric, by their labels.
_Values = Iterable[tuple[Mapping[str, str], float]]


def exposition(store: Store, atwork: Iterable[str], standing: Iterable[str]) -> str:
    """Every metric; `atwork` are the jobs that this process does right now, `standing` the keys of what people are to
    be told of. Companies go by their names; no customer and no amount is in it."""
    with store.reading() as work:
        every = connections.connections(work)
        of_messages = messages.counts(work)
        of_notes = notes.counts(work)
        kept = duties.every(work)
        every_door = doors.every(work)
        waiting = posts.waiting(work)
    nights = {one.name: kept[f"nightly {one.name}"] for one in every if f"nightly {one.name}" in kept}
    found = [
        _metric("arsync_messages", "Messages by state.", _by_state(MessageState, of_messages)),
        _metric("arsync_notes", "Notes by state.", _by_state(NoteState, of_notes)),
        _metric(
            "arsync_connection_health", "1 for the health that a company has, else 0.",
            [({"connection": one.name, "health": word}, float(one.health is word)) for one in every for word in Health],
        ),
        _metric(
            "arsync_connection_synced_timestamp_seconds", "Since when a company's data are whole.",
            [({"connection": one.name}, _seconds(one.synced_at)) for one in every if one.synced_at],
        ),
        _metric(
            "arsync_nightly_ended_timestamp_seconds", "When a company's nightly run ended last.",
            [({"connection": name}, _seconds(duty.ended_at)) for name, duty in nights.items() if duty.ended_at],
        ),
        _metric(
            "arsync_nightly_failed", "1 where a company's last nightly run failed, else 0.",
            [({"connection": name}, float(duty.error is not None)) for name, duty in nights.items()],
        ),
        _metric(
            "arsync_hook_posts", "What was posted to each address of arsync serve, by how it was received.",
            [
                ({"hook": one.name, "reception": word.value}, float(getattr(one, word.value)))
                for one in every_door
                for word in Reception
            ],
        ),
        _metric(
            "arsync_hook_taken_timestamp_seconds", "When a post came to each address that was whose it said.",
            [({"hook": one.name}, _seconds(one.good_at)) for one in every_door if one.good_at],
        ),
        _metric(
            "arsync_posts_waiting", "Posts of the mail provider that are not taken in.",
            [({}, float(waiting.count if waiting else 0))],
        ),
        _metric(
            "arsync_posts_waiting_since_timestamp_seconds", "Since when the oldest of them waits.",
            [({}, _seconds(waiting.since))] if waiting else [],
        ),
        _metric("arsync_alerts", "What people are to be told of.", _by_first_word("kind", standing)),
        _metric("arsync_jobs_at_work", "Jobs of this process.", _by_first_word("job", atwork)),
    ]  # fmt: skip
    return "".join(line for metric in found for line in metric)


def _metric(name: str, what: str, values: _Values) -> Iterator[str]:
    yield f"# HELP {name} {what}\n# TYPE {name} gauge\n"
    for labels, value in values:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{{{told}}} {value:.15g}\n" if told else f"{name} {value:.15g}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _by_state(kind: type[MessageState] | type[NoteState], counts: Mapping[str, int]) -> _Values:
    return [({"state": word.value}, float(counts.get(word.value, 0))) for word in kind]


def _by_first_word(label: str, names: Iterable[str]) -> _Values:
    counts = Counter(name.split()[0] for name in names)
    return [({label: word}, float(count)) for word, count in sorted(counts.items())]


def _seconds(at: datetime | None) -> float:
    return at.timestamp() if at is not None else 0.0
