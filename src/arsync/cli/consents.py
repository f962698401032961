"""How old a consent is and when it ends, for people and as JSON."""

from __future__ import annotations

from datetime import datetime

from arsync.store.grants import Grant


def as_json(grant: Grant, now: datetime) -> dict[str, object]:
    """What is known of it; `days_left` is 0 where it has expired, null where its end is not known or it has ended."""
    ends = grant.ends_at
    lives = grant.ended_at is None and grant.has_tokens
    return {
        "consented_at": grant.consented_at,
        "renewed_at": grant.renewed_at,
        "ends_if_unused_at": grant.idle_until,
        "ends_at_the_latest": grant.hard_until,
        "days_left": max(0, (ends - now).days) if ends is not None and lives else None,
        "ended_at": grant.ended_at,
        "ended_because": grant.ended_reason,
    }


def cells(grant: Grant, now: datetime) -> tuple[str, str, str]:
    """Since when, last renewed, and when a person must consent again."""
    if not grant.has_tokens:
        return "none", "", ""
    since = "age unknown" if grant.consented_at is None else f"{(now - grant.consented_at).days} days old"
    return since, f"{grant.renewed_at:%Y-%m-%d %H:%M} UTC", _end(grant, now)


def _end(grant: Grant, now: datetime) -> str:
    idle, hard = grant.idle_until, grant.hard_until
    if grant.ended_at is not None:
        return f"ended {grant.ended_at:%Y-%m-%d}"
    if hard is not None and hard <= now:
        return f"expired {hard:%Y-%m-%d}"
    if idle is not None and idle <= now:
        return f"expired {idle:%Y-%m-%d}, unused"
    parts = [f"{idle:%Y-%m-%d} if unused ({(idle - now).days} days)"] if idle else []
    parts += [f"{hard:%Y-%m-%d} at the latest"] if hard else []
    return ", ".join(parts) or "not known yet, or never"
