"""The wheel is whole: in an environment of its own, away from the checkout, it finds all that it needs."""

from __future__ import annotations

import ensurepip
import json
import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path, status: int | None = 0) -> str:
    """Runs it without our environment's settings; its standard output."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ARSYNC_", "PYTHON", "COV_")) and name != "VIRTUAL_ENV"
    }
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    if status is not None:
        assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("arsync-*.whl")
    return built


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; of ours it sees the dependencies, not the editable arsync.

    A folder named in a .pth file is only searched: the .pth files in it, by which an editable install is found, are
    not read.
    """
    folder = tmp_path_factory.mktemp("bare")
    # Python's own pip, for an environment made by uv has none; run packed as it is, where it comes so.
    packed = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"), None)
    venv.create(folder, with_pip=packed is None, symlinks=True)
    pip = ("-m", "pip") if packed is None else (packed / "pip",)
    run(folder / "bin" / "python", *pip, "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=folder)
    (inside,) = folder.glob("lib/python*/site-packages")
    (inside / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf-8")
    return folder


def test_the_wheel_carries_every_playbook_template_and_migration(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder, kinds in (("playbooks", ("*.yaml", "*.j2", "*.json")), ("migrations", ("env.py", "*.mako", "0*.py"))):
        for kind in kinds:
            wanted = {f"arsync/_bundled/{path.relative_to(ROOT)}" for path in (ROOT / folder).rglob(kind)}
            assert wanted
            assert wanted <= names
    web = ROOT / "src" / "arsync" / "web"
    beside = {path for folder in ("templates", "static") for path in (web / folder).iterdir()}
    assert {"base.html", "desk.css", "desk.js"} <= {path.name for path in beside}
    assert {f"arsync/web/{path.relative_to(web)}" for path in beside} <= names
    assert not [name for name in names if name.endswith(".pyc") or name.startswith(("tests/", "benchmarks/"))]


def test_the_doctor_runs_from_the_root_folder_and_finds_what_the_wheel_carries(bare: Path) -> None:
    where = run(bare / "bin" / "python", "-c", "import arsync; print(arsync.__file__)", cwd=Path("/")).strip()
    assert Path(where).is_relative_to(bare)

    # Without a configuration there is something to mend, so 1 and not 2 or a traceback.
    answer = run(bare / "bin" / "arsync", "doctor", "--json", cwd=Path("/"), status=1)
    findings: list[dict[str, Any]] = json.loads(answer)
    said = {finding["detail"]: finding for finding in findings}
    program = [finding for finding in findings if finding["subject"] == "program"]
    bundled = Path(where).parent / "_bundled"
    assert [finding["level"] for finding in program] == ["ok", "ok"]
    assert f"in {bundled / 'playbooks'}" in program[0]["detail"]
    assert f"in {bundled / 'migrations'}" in program[1]["detail"]
    assert {"quickbooks is installed, not configured", "xero is installed, not configured"} <= set(said)
    assert said["there is no arsync.toml in /"]["mend"].startswith("run `arsync init`")


@pytest.mark.long
def test_a_new_installation_is_set_up_from_the_wheel_alone(bare: Path, tmp_path: Path) -> None:
    run(bare / "bin" / "arsync", "init", cwd=tmp_path)
    run(bare / "bin" / "arsync", "db", "upgrade", cwd=tmp_path)
    findings = json.loads(run(bare / "bin" / "arsync", "doctor", "--json", cwd=tmp_path, status=1))
    failed = [finding["detail"] for finding in findings if finding["level"] == "fail"]
    assert failed == ["delivery.from is missing: whom the messages come from"]
