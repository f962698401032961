"""What takes long takes no thread from what is quick."""

from __future__ import annotations

import asyncio
import socket
import threading

from starlette.concurrency import run_in_threadpool

from arsync.web.app import ROUTES
from arsync.web.serving import _listening
from arsync.web.threads import LONG, PASSWORDS, Lane


def test_fifty_who_wait_for_a_report_keep_nobody_from_a_page() -> None:
    go_on = threading.Event()
    lane = Lane("long", 2)

    async def one_desk() -> tuple[str, int]:
        slow = [asyncio.ensure_future(lane.run(go_on.wait)) for _ in range(50)]
        await asyncio.sleep(0)
        told = await asyncio.wait_for(run_in_threadpool(lambda: "a page"), 10)
        still = sum(not one.done() for one in slow)
        go_on.set()
        await asyncio.gather(*slow)
        return told, still

    assert asyncio.run(one_desk()) == ("a page", 50)


def test_what_is_raised_in_a_lane_is_raised() -> None:
    async def fails() -> None:
        await Lane("long", 1).run(int, "no number")

    try:
        asyncio.run(fails())
    except ValueError as error:
        assert "no number" in str(error)
    else:
        raise AssertionError("nothing was raised")


def test_reports_replays_pdfs_and_passwords_have_lanes() -> None:
    in_lanes = {(route.path, route.lane) for route in ROUTES if route.lane is not None}
    assert in_lanes == {
        ("/reports/{report}", LONG), ("/reports/{report}.csv", LONG), ("/statement.pdf/{company}/{payer:path}", LONG),
        ("/simulate", LONG), ("/review", LONG), ("/login", PASSWORDS),
    }  # fmt: skip


def test_an_answer_leaves_at_once() -> None:
    """asyncio has a connection wait for no confirmation where its listener names TCP; without it each page takes 40 ms
    more."""
    with _listening("127.0.0.1", 0) as listener:
        with socket.create_connection(listener.getsockname()):
            taken, _ = listener.accept()
            taken.close()
        assert taken.proto == socket.IPPROTO_TCP
