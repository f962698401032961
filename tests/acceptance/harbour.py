"""Where nights begin on either database: copies of one evening."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.nights import Night, Nursery, Way
from tests.postgres import Server


@dataclass(frozen=True)
class Harbour:
    """Where storms are weathered: the evening before the first night, in a file and on PostgreSQL."""

    nursery: Nursery
    another_nursery: Callable[[], Nursery]
    file: Path
    postgres: Server
    template: str  # the same evening
    key: Path

    @contextmanager
    def evening(self, folder: Path, way: Way, database: str) -> Iterator[Night]:
        """A copy of that evening."""
        if database == "sqlite":
            with Night.prepared(folder, way, self.nursery, copy_of=self.file) as night:
                yield night
            return
        name = self.postgres.fresh(self.template)
        try:
            url = self.postgres.url(name)
            with Night.prepared(folder, way, self.nursery, copy_of=self.key, database=url) as night:
                yield night
        finally:
            self.postgres.drop(name)
