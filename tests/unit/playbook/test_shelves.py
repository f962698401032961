"""What is wrong with the playbooks of a company is told once, however many of them share it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from arsync.errors import ConfigurationError
from arsync.playbook.shelves import Library
from arsync.resources import bundled


def test_a_fault_in_a_template_that_several_playbooks_share_is_told_once(tmp_path: Path) -> None:
    """Four of the shipped playbooks have the friendly step."""
    own = tmp_path / "playbooks"
    shutil.copytree(bundled("playbooks"), own)
    friendly = own / "templates" / "friendly.en.txt.j2"
    friendly.write_text(friendly.read_text("utf-8") + "{{ nobody }}\n", "utf-8")
    library = Library(lambda: sorted(own.glob("*.yaml")), lambda name: own / f"{name}.yaml", own / "templates")
    with pytest.raises(ConfigurationError) as wrong:
        library.present(own / "standard.yaml")
    assert str(wrong.value).count("there is no variable 'nobody'") == 1
