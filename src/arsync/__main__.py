"""`arsync`, and `python -m arsync`."""

from __future__ import annotations

import sys

from arsync.cli.app import run


def main() -> None:
    """Runs the command line and leaves with its exit status."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
