"""Processes that refresh one grant's tokens as fast as they can, and are killed: the driver of `test_refreshing`.

    python -m tests.integration.store.refreshing '{"database": ..., "kill": "answer", ...}'

It prints a line of JSON: answers of the token endpoint, kills, and whether the consent was found ended.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import random
import signal
import sys
from multiprocessing.context import ForkContext
from typing import Any

from arsync.connector import Tokens
from arsync.domain.clock import SystemClock
from arsync.errors import Reauthorise, RetryLater
from arsync.session import pooled_session
from arsync.store.engine import Store
from arsync.store.vault import StoredVault
from arsync.vault import Vault

_ENDED = 7


def refresh_on(order: dict[str, Any], slot: int, seed: int, answered: Any) -> None:
    """One process: renews until enough answers have come in all processes together, or it is killed."""
    chance, kill = random.Random(seed), order["kill"]  # the first has seed 1: so many of them may be killed

    def observe(moment: str, what: str) -> None:
        posted = what.startswith("POST ")
        if posted and moment == "after":
            answered[slot] += 1
        here = {
            "answer": posted and moment == "after",  # the vendor has rotated, and nothing is stored yet
            "elsewhere": (posted and moment == "before") or (what == "commit" and moment == "after"),
            "never": False,
        }[kill]
        if here and seed <= order["mortals"] and chance.random() < order["chance"]:
            os.kill(os.getpid(), signal.SIGKILL)

    clock = SystemClock()
    store = Store(order["database"], observe=observe)
    key = Vault(order["key"].encode())
    vault = StoredVault(store, clock, order["grant"], seal=key.seal, unseal=key.open)
    tokens = Tokens(
        vault=vault, session=pooled_session(observe=observe), token_url=order["token_url"],
        client_id=order["client_id"], client_secret=order["client_secret"], clock=clock,
    )  # fmt: skip
    try:
        while sum(answered) < order["refreshes"]:
            try:
                tokens.renew(vault.current().access_token)
            except RetryLater:
                continue
    except Reauthorise:
        os._exit(_ENDED)
    finally:
        store.close()


def main() -> None:
    """Keeps two processes running; one that was killed is followed by another."""
    order = json.loads(sys.argv[1])
    context: ForkContext = multiprocessing.get_context("fork")
    answered = context.RawArray(ctypes.c_long, 2)
    kills, seed, ended = 0, 0, False

    def start(slot: int) -> Any:
        nonlocal seed
        seed += 1
        child = context.Process(target=refresh_on, args=(order, slot, seed, answered))
        child.start()
        return child

    children = {slot: start(slot) for slot in (0, 1)}
    while children:
        for slot, child in list(children.items()):
            child.join(0.02)
            if child.exitcode is None:
                continue
            del children[slot]
            ended |= child.exitcode == _ENDED
            if child.exitcode == -signal.SIGKILL:
                kills += 1
                if not ended:
                    children[slot] = start(slot)
            elif child.exitcode not in (0, _ENDED):
                raise SystemExit(f"a refresher left with {child.exitcode}")
    sys.stdout.write(json.dumps({"answered": sum(answered), "kills": kills, "ended": ended}) + "\n")


if __name__ == "__main__":
    main()
