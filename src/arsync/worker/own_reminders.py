"""Companies whose accounting system reminds their customers itself, or of which nobody knows: nobody is chased by two
machines, so a person must act before anything goes out."""

from __future__ import annotations

from collections.abc import Iterable

from arsync.domain.states import Health
from arsync.playbook.facts import Policy
from arsync.store import connections, reminders
from arsync.store.connections import Connection
from arsync.store.engine import Store
from arsync.store.reminders import Answer


def must_end(store: Store, companies: Iterable[tuple[Connection, Policy]]) -> list[str]:
    """What a person must do about them, a sentence each."""
    with store.reading() as work:
        known = [
            (connections.connection_by_id(work, company.id), reminders.answered(work, company.id))
            for company, policy in companies
            if not policy.reminders_off
        ]
    return [said for company, answer in known if (said := _said(company, answer)) is not None]


def _said(company: Connection, answer: Answer | None) -> str | None:
    if company.health is Health.DISCONNECTED:
        return None
    if company.reminders_on:
        return f"{company.name}: it sends reminders itself: nothing goes out before a person turns them off there"
    if company.reminders_on is not None:
        return None
    if answer is None:
        return (
            f"{company.name}: nothing goes out before somebody has looked whether it sends reminders itself, "
            f"and has said so: arsync reminders {company.name} off (or on)"
        )
    if answer.reminds:
        return (
            f"{company.name}: it sends reminders itself, as {answer.author} said on {answer.at:%Y-%m-%d}: nothing goes "
            f"out before a person turns them off there and says so: arsync reminders {company.name} off"
        )
    return None
