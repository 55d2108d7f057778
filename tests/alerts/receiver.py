"""A real HTTP server on loopback that plays a webhook's endpoint."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG = -1
TRICKLE = -2


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers by script, then for ever with its last answer."""

    url: str = ""
    script: Sequence[int] = (204,)
    requests: list[Received] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def answer(self) -> int:
        return self.script[min(len(self.requests), len(self.script)) - 1]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, state: Receiver) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state
        state.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        state = self.server.state
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        state.requests.append(Received(self.path, headers, body))
        status = state.answer()
        if status == HANG:
            state.stopped.wait(20)
        elif status == TRICKLE:
            self._trickle()
        else:
            self._reply(status)

    def _reply(self, status: int) -> None:
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("location", f"{self.server.state.url}/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def _trickle(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
        while not self.server.state.stopped.wait(0.05):
            try:
                self.wfile.write(b"x")
            except OSError:
                return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def receiver(*script: int) -> Iterator[Receiver]:
    """Run a receiver; `HANG` never answers, `TRICKLE` sends its headers a byte at a time."""
    state = Receiver(script=script or (204,))
    server = _Server(state)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()
