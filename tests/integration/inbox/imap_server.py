"""An IMAP server for these tests: one user, one folder, as much of RFC 3501 as a reader needs."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Running:
    """Where it listens, and what it was told."""

    port: int
    said: list[str] = field(default_factory=list)


@contextmanager
def running_mailbox(
    mails: Mapping[int, bytes], *, uid_validity: int = 7, withheld: Mapping[int, int] | None = None
) -> Iterator[Running]:
    """A server on this machine; user `mia`, password `pass word`. What is `withheld` is answered with NIL so often."""
    left = dict(withheld or {})
    running = Running(0)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("* OK ready")
            while line := self.rfile.readline():
                tag, _, said = line.decode().strip().partition(" ")
                running.said.append(said)
                if self.answer(tag, said):
                    return

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def answer(self, tag: str, said: str) -> bool:
            verb = said.split(maxsplit=1)[0].upper()
            if verb == "CAPABILITY":
                self.say("* CAPABILITY IMAP4rev1")
            elif verb == "LOGIN" and not re.fullmatch(r'LOGIN "?mia"? "pass word"', said):
                self.say(f"{tag} NO [AUTHENTICATIONFAILED] no")
                return False
            elif verb == "EXAMINE":
                self.say(f"* {len(mails)} EXISTS\r\n* OK [UIDVALIDITY {uid_validity}] v")
            elif said.upper().startswith("UID SEARCH"):
                first = int((re.search(r"UID (\d+):\*", said) or ["", "1"])[1])
                # As real servers do: `n:*` names the last mail whatever n is.
                found = [uid for uid in mails if uid >= first] or [max(mails)]
                self.say(f"* SEARCH {' '.join(map(str, found))}")
            elif wanted := re.match(r"UID FETCH (\d+) .*BODY\.PEEK\[(|HEADER)\]<0\.(\d+)>", said, re.I):
                uid, what, most = int(wanted[1]), wanted[2], int(wanted[3])
                if uid not in mails:
                    self.say(f"{tag} OK done")
                    return False
                known = f"* 1 FETCH (UID {uid} RFC822.SIZE {len(mails[uid])} BODY[{what}]<0>"
                if not what and left.get(uid, 0) > 0:
                    left[uid] -= 1
                    self.say(f"{known} NIL)\r\n{tag} OK done")
                    return False
                part = (mails[uid].partition(b"\n\n")[0] + b"\n\n" if what else mails[uid])[:most]
                head = f"{known} {{{len(part)}}}\r\n"
                self.wfile.write(head.encode() + part + b")\r\n")
            elif verb == "LOGOUT":
                self.say("* BYE")
            self.say(f"{tag} OK done")
            return verb == "LOGOUT"

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        running.port = int(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()
