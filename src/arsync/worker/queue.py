"""Where: by Procrastinate, in a schema of its own of our PostgreSQL, to any number of workers on any machines.

It says that there is something to do, in which order, and one company's things one after the other. What is due, what
was begun and what has ended stands in our tables (`duties`): all of its tables may be lost at any moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Status

from arsync.errors import DatabaseUnusable
from arsync.store.queue_schema import configure, configure_async
from arsync.worker.duty import Job, Kind
from arsync.worker.stopping import Stopping

_log: Final = logging.getLogger(__name__)
_TASK: Final = "duty"
_QUEUE: Final = "arsync"
#: What is done first of what waits: what a customer or a person hears of, before what only reads.
_PRIORITY: Final = {Kind.DISPATCH: 30, Kind.NIGHT: 20, Kind.LOOK: 15, Kind.SYNC: 10, Kind.RECONCILE: 0}
#: real seconds: a worker says so often that it lives, and is given up after so long a silence
_BEAT: Final = 10.0
_SILENCE: Final = 30.0
#: real seconds: between two looks for what was told to the dead; before it is tried again after the database was away
_SWEEP: Final = 5.0
_AGAIN: Final = 5.0
#: real seconds: between two looks whether it was told to stop
_LOOK: Final = 0.2


class Queue:
    """Rings for workers, and answers as one. `conninfo` is libpq's; with `in_turn` one company at a time is worked for
    in the whole installation."""

    def __init__(self, conninfo: str, *, threads: int, in_turn: bool = False) -> None:
        logging.getLogger("procrastinate").setLevel(logging.WARNING)
        self._conninfo, self._threads, self._in_turn = conninfo, threads, in_turn
        self._ringing = App(
            connector=SyncPsycopgConnector(conninfo=conninfo, configure=configure, min_size=1, max_size=2)
        )
        self._open = False

    # --- for who decides ----------------------------------------------------------------------------------

    def ring(self, job: Job) -> None:
        """Somebody shall do it; nothing where somebody was told so and has not begun. Raises DatabaseUnusable."""
        lock = "first customers" if self._in_turn else f"company {job.company}"
        options: dict[str, Any] = {"lock": lock, "queueing_lock": job.name, "queue": _QUEUE}
        with _said(), suppress(AlreadyEnqueued):
            self._opened().configure_task(_TASK, priority=_PRIORITY.get(job.kind, 0), **options).defer(name=job.name)

    def waiting(self) -> set[str]:
        """The names of the jobs of which somebody living was told, and which are not answered."""
        with _said():
            jobs = self._opened().job_manager
            standing = [*jobs.list_jobs(status=Status.TODO.value), *jobs.list_jobs(status=Status.DOING.value)]
        return {str(job.task_kwargs["name"]) for job in standing}

    def _opened(self) -> App:
        if not self._open:
            self._ringing.open()
            self._open = True
        return self._ringing

    def close(self) -> None:
        """Lets go of the database."""
        if self._open:
            self._ringing.close()
            self._open = False

    # --- for who works ------------------------------------------------------------------------------------

    def serve(self, answer: Callable[[str], None], stopping: Stopping) -> None:
        """Answers what is rung, so many at once, until it is told to stop and the last answer has ended."""
        asyncio.run(self._serve(answer, stopping))

    async def _serve(self, answer: Callable[[str], None], stopping: Stopping) -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(self._threads + 2, thread_name_prefix="job"))
        loop.set_exception_handler(_tell)
        while not stopping.told:
            try:
                await self._work(answer, stopping)
            except (ConnectorException, psycopg.Error) as error:
                _log.warning("queue_away", extra={"reason": type(error.__cause__ or error).__name__})
            if not stopping.told:  # the database was away, or we were, and were given up
                await asyncio.sleep(_AGAIN)

    async def _work(self, answer: Callable[[str], None], stopping: Stopping) -> None:
        app = App(
            connector=PsycopgConnector(conninfo=self._conninfo, configure=configure_async, min_size=1, max_size=4)
        )
        app.task(name=_TASK, queue=_QUEUE)(answer)
        async with app.open_async():
            work = asyncio.create_task(
                app.run_worker_async(
                    queues=[_QUEUE], concurrency=self._threads, delete_jobs="always", install_signal_handlers=False,
                    update_heartbeat_interval=_BEAT, stalled_worker_timeout=_SILENCE,
                )
            )  # fmt: skip
            sweep = asyncio.create_task(_sweep(app))
            while not stopping.told and not work.done() and not sweep.done():
                await asyncio.sleep(_LOOK)
            sweep.cancel()
            work.cancel()  # it begins nothing more, and waits for what is in flight
            for ended in await asyncio.gather(work, sweep, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended


async def _sweep(app: App) -> None:
    """What was told to a worker that lives no more stands in nobody's way."""
    while True:
        for job in await app.job_manager.get_stalled_jobs(queue=_QUEUE, seconds_since_heartbeat=_SILENCE):
            _log.warning("worker_lost", extra={"job": job.task_kwargs.get("name")})
            with suppress(ConnectorException):  # another was faster
                await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
        await asyncio.sleep(_SWEEP)


def _tell(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What went wrong beside the jobs: most of all that one was given up as lost and has ended after all."""
    error = context.get("exception")
    _log.warning("queue_stumbled", extra={"reason": type(error).__name__ if error else context.get("message")})


@contextmanager
def _said() -> Iterator[None]:
    """What the database says to the queue is DatabaseUnusable."""
    try:
        yield
    except (ConnectorException, psycopg.Error) as error:
        raise DatabaseUnusable(f"the queue: {type(error.__cause__ or error).__name__}") from None
