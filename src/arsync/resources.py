"""Where the playbooks and migrations lie: in the wheel, or in a checkout."""

from __future__ import annotations

from pathlib import Path


def bundled(name: str) -> Path:
    """The folder `playbooks` or `migrations` that belongs to this installation."""
    package = Path(__file__).resolve().parent
    shipped = package / "_bundled" / name
    return shipped if shipped.is_dir() else package.parents[1] / name
