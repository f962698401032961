"""What every test may use: the vendors' documents and a running sandbox."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from arsync.sandbox.launch import SandboxControl, running_sandbox

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "material"


def material() -> Path:
    """The folder of the vendors' own documents; skips the test where it is absent."""
    folder = Path(os.environ.get("ARSYNC_MATERIAL") or _BESIDE)
    if not folder.is_dir():
        pytest.skip(f"the vendors' documents are not at {folder} (set ARSYNC_MATERIAL)")
    return folder


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxControl]:
    """One sandbox process for the session; a test that changes its rules takes them back."""
    with running_sandbox() as control:
        yield control
