"""The conformance suite of the connector contract, for every connector's own tests (it needs pytest).

    from arsync.testing.contract import ConnectorContract

    class TestLedgerly(ConnectorContract):
        source = LedgerlyBooks

`LedgerlyBooks` is a `Source`: the books behind the connector, in a stand-in or a test company.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from arsync.testing.contract.changes import Changes
from arsync.testing.contract.extras import Extras
from arsync.testing.contract.failures import Failures
from arsync.testing.contract.held import Held, check_form
from arsync.testing.contract.notes import Notes
from arsync.testing.contract.reading import Reading
from arsync.testing.contract.source import Ability, Bill, Fault, Source

__all__ = ["Ability", "Bill", "ConnectorContract", "Fault", "Held", "Source", "check_form"]

_SMALL = 30


class ConnectorContract(Reading, Changes, Failures, Notes, Extras):
    """Every clause of the contract, each as a test; subclass it and say `source`."""

    source: ClassVar[type[Source]]

    @pytest.fixture(name="source")
    def _small_books(self, request: pytest.FixtureRequest) -> Iterator[Source]:
        """A company with few invoices."""
        with self.source.opened(request, invoices=_SMALL) as books:
            yield books
            books.calm()

    @pytest.fixture(name="large", scope="class")
    @classmethod
    def _large_books(cls, request: pytest.FixtureRequest) -> Iterator[Source]:
        """A company with several pages of invoices, one for all clauses."""
        with cls.source.opened(request, invoices=cls.source.page_size * 3 // 2) as books:
            yield books
            books.calm()
