"""What a line of the log shows, and what it never does."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from contextvars import copy_context
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars

from arsync.errors import ArsyncError
from arsync.logs import configure
from arsync.ops.times import times_of
from arsync.worker.duty import Job, Kind, do

LOG = logging.getLogger("arsync.worker.jobs")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Other tests' lines go where they went."""
    root, ours = logging.getLogger(), logging.getLogger("arsync")
    before, level, others = list(root.handlers), ours.level, root.level
    yield
    root.handlers[:] = before
    root.setLevel(others)
    ours.setLevel(level)


def said(say: Callable[[], None], form: Any = "json", level: str = "info") -> str:
    with redirect_stderr(io.StringIO()) as heard:
        configure(form, level)
        say()
    return heard.getvalue()


def line(say: Callable[[], None]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(said(say))
    return told


def test_a_line_has_its_event_its_time_its_ids_and_the_run_it_belongs_to() -> None:
    def say() -> None:
        with bound_contextvars(run=17):
            LOG.info("run_ended", extra={"sent": 3, "reason": "Élan"})

    told = line(say)
    assert told.pop("at").endswith("Z")
    assert told == {"event": "run_ended", "level": "info", "run": 17, "sent": 3, "reason": "Élan"}


def test_a_run_number_is_on_the_lines_of_the_threads_that_work_for_it_and_on_no_others() -> None:
    def say() -> None:
        with bound_contextvars(run=17):
            ours = threading.Thread(target=copy_context().run, args=(LOG.info, "page_read"))
            others = threading.Thread(target=LOG.info, args=("another",))
            for thread in (ours, others):
                thread.start()
                thread.join()
        LOG.info("after")

    runs = {told["event"]: told.get("run") for told in map(json.loads, said(say).splitlines())}
    assert runs == {"page_read": 17, "another": None, "after": None}


def test_the_lines_of_a_job_have_one_id_and_tell_why_it_failed_without_a_preamble() -> None:
    """Twice the same job: its lines belong together, and those of the other time do not."""

    def work() -> None:
        LOG.info("synced")
        raise ArsyncError("sync: the service is away")

    def say() -> None:
        for _ in range(2):
            assert do(Job(Kind.SYNC, "harbor", times_of("0 * * * *", "UTC"), work)) == "sync: the service is away"

    lines = [json.loads(one) for one in said(say).splitlines()]
    assert [one["event"] for one in lines] == ["synced", "job_failed"] * 2
    first, second, third, fourth = (one["job_id"] for one in lines)
    assert first == second != third == fourth
    assert lines[1]["reason"] == "sync: the service is away"


@pytest.mark.parametrize(
    "name", ["api_key", "Authorization", "refresh_token", "client_secret", "password", "x_signature"]
)
def test_no_value_is_shown_under_the_name_of_a_secret(name: str) -> None:
    told = line(lambda: LOG.warning("asked", extra={name: "hunter2", "headers": {name: "hunter2", "Accept": "json"}}))
    assert "hunter2" not in json.dumps(told)
    assert told["headers"]["Accept"] == "json"


@pytest.mark.parametrize(
    "text",
    [
        "GET /v3 with Bearer eyJhbGciOi.hunter2-hunter2",
        "Basic aHVudGVyMjpodW50ZXIy",
        "the key SG.hunter2hunter2.hunter2 was refused",
        "gAAAAABhunter2hunter2hunter2hunter2",
        "postgresql+psycopg://arsync:hunter2@db.example/arsync",
    ],
)
def test_what_looks_like_a_secret_is_shown_nowhere(text: str) -> None:
    shown = said(lambda: LOG.warning("failed: %s", text, extra={"reason": text, "all": [text]}))
    assert "hunter2" not in shown
    assert "aHVudGVyMjpodW50ZXIy" not in shown
    assert shown.count("[hidden]") == 3


def test_of_a_fault_the_class_and_place_are_told_and_not_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def say() -> None:
        try:
            raise ValueError("a customer's name")
        except ValueError:
            LOG.exception("shift_failed", extra={"connection": "harbor"})

    for form in ("json", "text"):
        shown = said(say, form)
        assert "ValueError at test_logs.py:" in shown
        assert "a customer's name" not in shown
        assert "Traceback" not in shown
    monkeypatch.setenv("ARSYNC_TRACEBACK", "1")
    assert "a customer's name" in said(say)


def test_a_terminal_reads_text_and_a_file_json() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, is_json in ((io.StringIO(), True), (Terminal(), False)):
        with redirect_stderr(stream):
            configure()
            LOG.warning("run_missed", extra={"connection": "harbor"})
        assert stream.getvalue().startswith("{") is is_json
        assert "harbor" in stream.getvalue()


def test_what_is_below_the_level_is_not_told_and_of_others_warnings_only() -> None:
    def say() -> None:
        LOG.info("told")
        LOG.debug("not told")
        logging.getLogger("urllib3").info("not told")
        logging.getLogger().setLevel(logging.DEBUG)
        logging.getLogger("urllib3").debug("not told")
        logging.getLogger("urllib3").warning("told by another")

    events = [json.loads(one)["event"] for one in said(say).splitlines()]
    assert events == ["told", "told by another"]
    assert len(said(say, level="warning").splitlines()) == 1
