"""Whether an installed package is known to be vulnerable: `make audit`.

Status 0: every package was looked up, and nothing is known. 1: something is known, or a package could not be looked up.
2: nobody could be asked, so nothing is known at all. pip-audit alone calls it "no known vulnerabilities" where it was
told of no package.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

#: Not on the index: it is what is audited.
_OURS: Final = "arsync"
_CLEAN, _KNOWN, _NOBODY = 0, 1, 2


def judge(packages: Sequence[dict[str, Any]]) -> tuple[int, list[str]]:
    """The status, and what to say, of what pip-audit tells of each package."""
    others = [one for one in packages if one["name"] != _OURS]
    unseen = [one for one in others if "skip_reason" in one]
    told = [
        f"{one['name']} {one['version']}: {found['id']}, mended in {' or '.join(found['fix_versions']) or 'no version'}"
        for one in others
        for found in one.get("vulns", ())
    ]
    if len(unseen) == len(others):
        return _NOBODY, ["no advisory could be looked up for any package: NOTHING is known of their safety"]
    told += [f"{one['name']}: could not be looked up" for one in unseen]
    if told:
        return _KNOWN, told
    return _CLEAN, [f"{len(others)} packages looked up: nothing is known against any"]


def audit(command: Sequence[str], packages: Path) -> tuple[int, list[str]]:
    """Asks pip-audit of what is installed in that folder."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ("--path", packages, "--progress-spinner", "off", "--format", "json", "--output", report)
        done = subprocess.run(  # noqa: S603 - the command of the Makefile
            [*command, *map(str, options)], capture_output=True, text=True, check=False
        )
        if not report.is_file():
            last = next(iter(reversed(done.stderr.strip().splitlines())), f"status {done.returncode}")
            return _NOBODY, [
                f"the advisory service could not be asked: NOTHING is known of their safety ({last[:200]})"
            ]
        return judge(json.loads(report.read_text(encoding="utf-8"))["dependencies"])


if __name__ == "__main__":
    *asked, folder = sys.argv[1:]
    status, said = audit(asked, Path(folder))
    print("\n".join(said))
    sys.exit(status)
