"""An installation that is served, on a database of either kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from arsync.bootstrap import App
from arsync.settings import load
from arsync.web.app import create


@pytest.fixture
def served(store_url: str, tmp_path: Path) -> Iterator[App]:
    """An installation without companies, at this arsync's schema."""
    path = tmp_path / "arsync.toml"
    path.write_text(f'[database]\nurl = "{store_url}"\n', encoding="utf-8")
    app = App(load(path, environ={}))
    yield app
    app.close()


@pytest.fixture
def browser(served: App) -> Iterator[TestClient]:
    """Whoever comes."""
    with TestClient(create(served), base_url="http://localhost:8600", raise_server_exceptions=False) as client:
        yield client
