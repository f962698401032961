"""The container without a container engine: the Dockerfile's own steps, carried out in folders of this test.

What the image would hold is installed from what its `COPY` lines bring, and nothing else; its entry point, its worker
and its health check are run with its variables. `/build`, `/opt/arsync` and `/var/lib/arsync` lie in a folder of ours.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import site
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from arsync.settings import load

ROOT = Path(__file__).resolve().parents[2]
PLACES = ("/opt/arsync", "/build", "/var/lib/arsync")


@dataclass
class Stage:
    """What a stage of the Dockerfile says, in its order."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, word: str) -> str:
        return [rest for said, rest in self.steps if said == word][-1]

    @property
    def env(self) -> dict[str, str]:
        pairs = (pair for said, rest in self.steps if said == "ENV" for pair in shlex.split(rest))
        return dict(pair.split("=", 1) for pair in pairs)


def stages(text: str) -> list[Stage]:
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", text)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            found.append(Stage(rest))
        elif word:
            found[-1].steps.append((word, rest))
    return found


BUILD, IMAGE = stages((ROOT / "Dockerfile").read_text(encoding="utf-8"))


@dataclass
class Container:
    """A folder that stands for the file system of the container."""

    folder: Path
    build: Mapping[str, str]  # further variables for the steps that build

    def place(self, text: str) -> str:
        for path in PLACES:
            text = text.replace(path, f"{self.folder}{path}")
        return text

    def environ(self, **more: str) -> dict[str, str]:
        image = {name: self.place(value) for name, value in IMAGE.env.items()}
        return {"HOME": "/nonexistent", "TMPDIR": str(self.folder), **image, **more}

    def install(self) -> None:
        """The steps of the first stage, with what they copy and with the Python that runs this."""
        python = self.folder / "usr" / "bin"
        python.mkdir(parents=True)
        (python / "python").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
        environ = {"PATH": f"{python}:/usr/bin:/bin", "HOME": str(self.folder), **self.build}
        here = self.folder
        for word, rest in BUILD.steps:
            if word == "WORKDIR":
                here = Path(self.place(rest))
                here.mkdir(parents=True, exist_ok=True)
            elif word == "COPY":
                *sources, target = rest.split()
                for source in sources:
                    _copy(ROOT / source, here / target if target == "./" else here / target.rstrip("/"))
            elif word == "RUN":
                done = subprocess.run(
                    ["/bin/sh", "-c", self.place(rest)], cwd=here, env=environ, capture_output=True, text=True,
                    timeout=900, check=False,
                )  # fmt: skip
                assert done.returncode == 0, f"RUN {rest}\n{done.stdout}\n{done.stderr}"
                self._lend()
            else:
                raise AssertionError(f"a step that this test does not know: {word} {rest}")

    def _lend(self) -> None:
        """Where nothing is fetched, the dependencies are ours: a folder named in a .pth file is searched, and the .pth
        files in it, by which our editable arsync is found, are not read."""
        for inside in self.folder.glob("opt/arsync/lib/python*/site-packages"):
            if self.build:
                (inside / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf-8")

    def run(self, *arguments: str, status: int | None = 0, **more: str) -> str:
        """The entry point with these arguments; what it prints."""
        entry = json.loads(IMAGE.last("ENTRYPOINT"))
        done = subprocess.run(
            [*entry, *arguments], cwd=self.place(IMAGE.last("WORKDIR")), env=self.environ(**more), capture_output=True,
            text=True, timeout=120, check=False,
        )  # fmt: skip
        assert status is None or done.returncode == status, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def python(self, code: str) -> None:
        """The interpreter of the image does that, with what was installed there alone."""
        subprocess.run([self.place("/opt/arsync/bin/python"), "-I", "-c", code], env=self.environ(), check=True)

    def files(self) -> set[Path]:
        return set((self.folder / "opt").rglob("*"))


def _copy(source: Path, target: Path) -> None:
    """As .dockerignore lets it."""
    assert f"!{source.relative_to(ROOT).parts[0]}" in (ROOT / ".dockerignore").read_text().splitlines(), source
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        target.mkdir(exist_ok=True)
        shutil.copy(source, target)


def container(folder: Path, **build: str) -> Container:
    made = Container(folder, build)
    made.install()
    Path(made.place("/var/lib/arsync")).mkdir(parents=True)
    return made


#: Nothing is fetched: the dependencies are those that this test runs with.
#: (pip reads the last one the wrong way round.)
AT_HOME = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}


def test_its_steps_install_a_whole_arsync_from_what_they_copy(tmp_path: Path) -> None:
    made = container(tmp_path, **AT_HOME)
    assert made.run("--version").strip() == "0.1.0"
    found = json.loads(made.run("doctor", "--json", status=1))
    program = [one for one in found if one["subject"] == "program"]
    assert [one["level"] for one in program] == ["ok", "ok"]
    assert all(str(tmp_path / "opt" / "arsync") in one["detail"] for one in program), (
        "of the image, not of this checkout"
    )


def test_what_its_steps_ask_for_holds_the_package_of_the_queue(tmp_path: Path) -> None:
    """What pip is told to install, as pip itself reads it: compose.yaml speaks of several workers."""
    (asked,) = [shlex.split(rest)[-1] for word, rest in BUILD.steps if word == "RUN" and " install " in rest]
    wanted = Requirement(f"arsync{asked.removeprefix('.')}")
    needed = [Requirement(line) for line in distribution("arsync").requires or ()]
    held = {
        one.name for one in needed for extra in wanted.extras if one.marker and one.marker.evaluate({"extra": extra})
    }
    assert held == {"procrastinate"}


@pytest.mark.long
@pytest.mark.parametrize("build", [{}, AT_HOME], ids=["from the index", "at home"])
def test_its_worker_answers_its_health_check_and_writes_nowhere_but_into_its_folder(
    tmp_path: Path, build: dict[str, str]
) -> None:
    made = container(tmp_path, **build)
    if not build:
        made.python("import procrastinate")
    made.run("init", ".")
    made.run("db", "upgrade")
    before = made.files()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    environ = made.environ(ARSYNC_WORKER__LISTEN=listen)
    command = [*json.loads(IMAGE.last("ENTRYPOINT")), *json.loads(IMAGE.last("CMD"))]
    here = made.place(IMAGE.last("WORKDIR"))
    with subprocess.Popen(
        command, cwd=here, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as worker:
        try:
            assert _becomes(0, environ), "the worker did not become healthy"
        finally:
            worker.send_signal(signal.Signals[IMAGE.last("STOPSIGNAL")])
        said, _ = worker.communicate(timeout=30)
    assert worker.returncode == 0, said
    assert all(json.loads(line)["event"] for line in said.splitlines()), said
    assert _becomes(1, environ)
    assert made.files() == before


def _becomes(status: int, environ: Mapping[str, str]) -> bool:
    """Whether the health check ends so within half a minute."""
    check = json.loads(IMAGE.last("HEALTHCHECK").partition("CMD ")[2])
    for _ in range(60):
        done = subprocess.run(check, env=environ, capture_output=True, timeout=30, check=False)
        if done.returncode == status:
            return True
        time.sleep(0.5)
    return False


def test_it_runs_as_nobody_in_particular_and_its_variables_are_settings(tmp_path: Path) -> None:
    user, group = IMAGE.last("USER").split(":")
    assert f"--uid {user} " in IMAGE.last("RUN")
    assert user == group != "0"
    assert IMAGE.last("COPY") == "--from=build /opt/arsync /opt/arsync"
    assert BUILD.base == f"{IMAGE.base} AS build"
    given = {name: value for name, value in IMAGE.env.items() if name.startswith("ARSYNC_")}
    (tmp_path / "arsync.toml").touch()
    read = load(environ={**given, "ARSYNC_CONFIG": str(tmp_path / "arsync.toml")})
    assert (read.log.format, read.worker.listen) == ("json", "127.0.0.1:9464")
    assert Path(IMAGE.env["ARSYNC_CONFIG"]).parent == Path(IMAGE.last("WORKDIR")) == Path(IMAGE.last("VOLUME"))


def test_only_what_is_installed_goes_to_the_engine() -> None:
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for secret in ("arsync.toml", "arsync.key", "arsync.db", ".git", "tests", "secrets"):
        assert fnmatch(secret, patterns[0])
        assert f"!{secret}" not in patterns


# --- compose --------------------------------------------------------------------------------------------------------


def test_the_composed_worker_can_write_into_its_folder_alone_and_its_secrets_are_files(tmp_path: Path) -> None:
    composed: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    worker, database = composed["services"]["worker"], composed["services"]["database"]
    assert (worker["read_only"], worker["tmpfs"], worker["cap_drop"]) == (True, ["/tmp"], ["ALL"])
    assert worker["volumes"] == [f"./company:{IMAGE.last('VOLUME')}"]
    assert "ports" not in worker | database
    assert int(worker["stop_grace_period"].rstrip("s")) > load_defaults(tmp_path).worker.stop_seconds
    for service in (worker, database):
        for name in service["secrets"]:
            assert composed["secrets"][name]["file"] == f"./secrets/{name}"
            assert f"/run/secrets/{name}" in service["environment"].values()
    assert "/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()

    (tmp_path / "database_url").write_text("postgresql+psycopg://arsync:hunter2@database/arsync\n", encoding="utf-8")
    given = {name: value.replace("/run/secrets", str(tmp_path)) for name, value in worker["environment"].items()}
    read = load(tmp_path / "arsync.toml", environ={**given, **interpolated(given, {})})
    assert read.database_url == "postgresql+psycopg://arsync:hunter2@database/arsync"
    assert read.worker.queue == "embedded"
    several = {**given, **interpolated(given, {"ARSYNC_WORKER__QUEUE": "procrastinate"})}
    assert load(tmp_path / "arsync.toml", environ=several).worker.queue == "procrastinate"


def interpolated(given: Mapping[str, str], said: Mapping[str, str]) -> dict[str, str]:
    """As compose fills in `${NAME:-default}` from its own variables, or from `.env`."""
    asked = {name: re.fullmatch(r"\$\{(\w+):-(\w*)\}", value) for name, value in given.items()}
    return {name: said.get(found[1]) or found[2] for name, found in asked.items() if found}


def load_defaults(folder: Path) -> Any:
    (folder / "arsync.toml").touch()
    return load(folder / "arsync.toml", environ={})


# --- systemd --------------------------------------------------------------------------------------------------------


def test_the_unit_is_one_that_systemd_takes_and_stops_later_than_a_worker_does(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "arsync.service").read_text(encoding="utf-8")
    said = dict(re.findall(r"(?m)^(\w+)=(.*)$", text))
    assert int(said["TimeoutStopSec"]) > load_defaults(tmp_path).worker.stop_seconds
    assert said["ExecStart"] == "/opt/arsync/bin/arsync worker"
    assert said["Environment"] == f"ARSYNC_CONFIG={said['WorkingDirectory']}/arsync.toml"
    assert f"/var/lib/{said['StateDirectory']}" == said["WorkingDirectory"]
    assert said["CapabilityBoundingSet"] == ""
    assert {"NoNewPrivileges", "PrivateTmp", "ProtectHome", "RestrictNamespaces"} <= {
        name for name, value in said.items() if value == "yes"
    }
    if analyze := shutil.which("systemd-analyze"):
        unit = tmp_path / "arsync.service"
        unit.write_text(text.replace("/opt/arsync/bin/arsync", "/bin/true"), encoding="utf-8")
        done = subprocess.run(
            [analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
