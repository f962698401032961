"""A day far above the usual: nothing goes out, a person is told, and can let it go."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from tests.integration.outbox.office import Office

from arsync.store import volume
from arsync.worker import tasks


def test_a_tripped_breaker_is_a_persons_task_that_says_how_to_let_the_run_go(
    open_office: Callable[..., Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty-one customers would hear from us where one a day is usual: both breakers say no, in one sentence."""
    monkeypatch.setattr(volume, "usual", lambda *_args, **_keys: Decimal(1))
    office = open_office("quickbooks")
    for number in range(21):
        office.books[0].invoice(office.books[0].customer(f"C{number} Ltd"), "100.00", days_late=5)
    app = office.load()
    night = office.night(app)
    assert night.accepted == 0
    (task,) = night.tasks
    assert task.startswith("our-quickbooks: 21 messages in one day where 1 are usual (more than 3.0 times as many)")
    assert "21 of 21 customers who owe anything would hear from us" in task
    assert "ARSYNC_SAFETY__BREAKER_FACTOR=21 ARSYNC_SAFETY__BREAKER_SHARE=1 before `arsync plan` shows them" in task
    assert tasks.tasks(app.store) == night.tasks

    office.configure(defaults='[safety]\nbreaker_factor = "21"\nbreaker_share = "1"')
    let_go = office.night(office.app())
    assert (let_go.accepted, let_go.tasks) == (21, [])
