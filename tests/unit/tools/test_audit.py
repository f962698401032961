"""An audit that could ask nobody never passes for a clean one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tools.audit import audit, judge

FINE: dict[str, Any] = {"name": "requests", "version": "2.32.5", "vulns": []}
UNSEEN: dict[str, Any] = {"name": "jinja2", "skip_reason": "Dependency not found on PyPI"}
KNOWN: dict[str, Any] = {
    "name": "urllib3", "version": "1.0",
    "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}, {"id": "CVE-2", "fix_versions": []}],
}  # fmt: skip
OURS: dict[str, Any] = {"name": "arsync", "skip_reason": "Dependency not found on PyPI"}


def test_all_looked_up_and_nothing_known_is_clean() -> None:
    assert judge([FINE, OURS]) == (0, ["1 packages looked up: nothing is known against any"])


def test_what_is_known_is_named_with_its_mend() -> None:
    assert judge([FINE, KNOWN]) == (
        1, ["urllib3 1.0: CVE-1, mended in 1.1", "urllib3 1.0: CVE-2, mended in no version"],
    )  # fmt: skip


def test_one_that_could_not_be_looked_up_is_not_clean() -> None:
    assert judge([FINE, UNSEEN]) == (1, ["jinja2: could not be looked up"])


def test_where_none_could_be_looked_up_nothing_is_known() -> None:
    status, (said,) = judge([UNSEEN, OURS])
    assert (status, "NOTHING is known" in said) == (2, True)


def stand_in(folder: Path, body: str) -> list[str]:
    script = folder / "stand_in.py"
    script.write_text(body, encoding="utf-8")
    return [sys.executable, str(script)]


def test_a_service_that_does_not_answer_is_said_with_its_last_word(tmp_path: Path) -> None:
    command = stand_in(tmp_path, "import sys; sys.exit('Traceback\\nConnectionError: no such host')")
    status, (said,) = audit(command, tmp_path)
    assert status == 2
    assert "could not be asked" in said
    assert "ConnectionError: no such host" in said


def test_the_report_is_read_whatever_status_it_comes_with(tmp_path: Path) -> None:
    body = (
        "import json, sys; json.dump({'dependencies': [{'name': 'x', 'version': '1', "
        "'vulns': [{'id': 'CVE-3', 'fix_versions': ['2']}]}]}, open(sys.argv[sys.argv.index('--output') + 1], 'w'));"
        "sys.exit(1)"
    )
    assert audit(stand_in(tmp_path, body), tmp_path) == (1, ["x 1: CVE-3, mended in 2"])
