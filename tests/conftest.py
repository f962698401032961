"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def material(*parts: str) -> Path:
    """A path in the vendors' documents; the test is skipped where they are not at hand."""
    folder = Path(os.environ.get("ARSYNC_MATERIAL", ROOT.parent / "shared" / "material"))
    if not folder.is_dir():
        pytest.skip(f"the vendors' documents are not at {folder} (set ARSYNC_MATERIAL)")
    return folder.joinpath(*parts)
