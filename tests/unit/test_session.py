"""The one session by which everything leaves."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from arsync.errors import Refused
from arsync.session import before_first_byte, meanwhile, pooled_session

PAGE = b"a page of a thousand records, " * 5000
_GZIP = gzip.compress(PAGE)
PACKED = {
    "/whole": _GZIP,
    "/in-two": gzip.compress(PAGE[:70_000]) + gzip.compress(PAGE[70_000:]),
    "/nothing": b"",
    "/cut": _GZIP[:-100],
    "/without-its-sum": _GZIP[:-4],
    "/another-sum": _GZIP[:-8] + bytes(8),
    "/not-packed": PAGE,
}


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(302 if self.path == "/elsewhere" else 202)
        self.send_header("Location", "/here")
        self.send_header("Set-Cookie", "crumb=1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        told = self.headers.get("Cookie", "no cookie").encode()
        self.send_response(200)
        if self.path in PACKED:
            told = PACKED[self.path]
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


@pytest.fixture(scope="module")
def place() -> Iterator[str]:
    with _Server(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_request_leaves_by_one_write_and_its_check_is_asked_once(place: str) -> None:
    asked: list[int] = []
    with pooled_session() as out, before_first_byte(lambda: asked.append(len(written)), of_each=True):
        written: list[bytes] = []
        out.get(place)  # the line stands
        pool = out.get_adapter(place)._pools[place, True, None]  # type: ignore[attr-defined]
        line = pool.pool.queue[-1]
        sent = line.sock.sendall

        class _Seen:
            def __getattr__(self, name: str) -> object:
                return getattr(real, name)

            def sendall(self, data: bytes) -> None:
                written.append(data)
                sent(data)

        real, line.sock = line.sock, _Seen()
        assert out.post(place, data=b"a mail", allow_redirects=False).content == b"a mail"
    assert [data.endswith(b"\r\n\r\na mail") for data in written] == [True]
    assert asked == [0, 0]


def test_work_is_done_while_the_answer_is_on_its_way(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server answers only once the client has worked, and the client works only once the server has it all."""
    arrived, worked = threading.Event(), threading.Event()
    answering = _Answers.do_POST

    def waits(self: _Answers) -> None:
        arrived.set()
        assert worked.wait(10)
        answering(self)

    def work() -> None:
        assert arrived.wait(10)
        worked.set()
        raise ValueError("lost, and nobody's harm")

    monkeypatch.setattr(_Answers, "do_POST", waits)
    with pooled_session() as out, meanwhile(work):
        assert out.post(place, data=b"a mail", timeout=10).content == b"a mail"
    assert worked.is_set()


def test_work_is_done_once_and_not_where_nothing_leaves(place: str) -> None:
    done: list[int] = []

    def closed() -> None:
        raise Refused("the gate is closed")

    with pooled_session() as out:
        with meanwhile(lambda: done.append(1)):
            out.post(place, data=b"one")
            out.post(place, data=b"two")
        assert done == [1]
        with before_first_byte(closed), meanwhile(lambda: done.append(2)), pytest.raises(Refused):
            out.post(place, data=b"three")
        out.post(place, data=b"four")
    assert done == [1]


def test_nothing_is_followed_and_nothing_is_kept_of_what_a_server_sets(place: str) -> None:
    with pooled_session() as out:
        answer = out.post(f"{place}/elsewhere", data=b"", allow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (302, "/here")
        assert out.get(place, allow_redirects=False).text == "no cookie"
        assert out.post(f"{place}/elsewhere", data=b"").url == f"{place}/here"  # followed, where that is wanted


def test_a_server_without_a_certificate_that_one_trusts_is_never_written_to(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def made(*_: object, **options: object) -> None:
        asked.append((str(options["cert_reqs"]), bool(options["ca_certs"])))
        raise OSError("far enough")

    monkeypatch.setattr("urllib3.connection._ssl_wrap_socket_and_match_hostname", made)
    with pooled_session() as out:
        for _ in range(2):  # also by the pool that is known by then
            with pytest.raises(requests.ConnectionError, match="far enough"):
                out.post(place.replace("http:", "https:"), data=b"", allow_redirects=False, timeout=2)
    assert asked == [("CERT_REQUIRED", True)] * 2


@pytest.mark.parametrize(("path", "whole"), [("/whole", PAGE), ("/in-two", PAGE), ("/nothing", b"")])
def test_a_packed_answer_is_read_whole(place: str, path: str, whole: bytes) -> None:
    with pooled_session() as out:
        for streamed in (False, True):
            answer = out.get(f"{place}{path}", stream=streamed)
            assert answer.content == answer.content == whole
        line = out.get_adapter(place)._pools[place, True, None]  # type: ignore[attr-defined]
        assert line.num_connections == 1, "it is given back"


def test_what_was_taken_in_pieces_is_not_told_as_nothing(place: str) -> None:
    with pooled_session() as out:
        answer = out.get(f"{place}/whole", stream=True)
        assert b"".join(answer.iter_content(1000)) == PAGE
        with pytest.raises(RuntimeError, match="consumed"):
            _ = answer.content


@pytest.mark.parametrize("path", ["/cut", "/without-its-sum", "/another-sum", "/not-packed"])
def test_an_answer_that_cannot_be_unpacked_to_its_end_is_none(place: str, path: str) -> None:
    with pooled_session() as out, pytest.raises(requests.exceptions.ContentDecodingError):
        out.get(f"{place}{path}")


def test_an_answer_that_breaks_off_is_none() -> None:
    def answering(listener: socket.socket) -> None:
        line, _ = listener.accept()
        with line:
            line.recv(65536)
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")

    with socket.create_server(("127.0.0.1", 0)) as listener, pooled_session() as out:
        threading.Thread(target=answering, args=(listener,), daemon=True).start()
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            out.get(f"http://127.0.0.1:{listener.getsockname()[1]}")
