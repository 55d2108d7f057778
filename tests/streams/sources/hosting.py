"""A real web server on loopback for the tests of sources that fetch."""

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.fakes import FakeClock


@dataclass(slots=True)
class Host:
    """Answers by path as told, and keeps what it was asked."""

    origin: str
    at: dict[str, Callable[[], web.Response]] = field(default_factory=dict)
    asked: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def give(
        self,
        path: str,
        body: bytes | str = b"",
        *,
        status: int = 200,
        kind: str = "text/html",
        **headers: str,
    ) -> None:
        """Answer a path (and query) so from now on."""
        content = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.at[path] = lambda: web.Response(
            body=content, status=status, headers={"Content-Type": kind} | named
        )

    def paths(self) -> list[str]:
        """Tell what was asked for, in order."""
        return [path for _, path, _ in self.asked]

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path_qs, dict(request.headers)))
        self.bodies.append(await request.read())
        make = self.at.get(request.path_qs)
        return web.Response(status=404) if make is None else make()


@asynccontextmanager
async def hosted() -> AsyncIterator[Host]:
    """Serve on a free port of loopback."""
    listening = socket.create_server(("127.0.0.1", 0))
    host = Host(f"http://127.0.0.1:{listening.getsockname()[1]}")
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", host.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    try:
        yield host
    finally:
        await runner.cleanup()
        listening.close()


class Sleeper:
    """A sleep that only moves a clock, keeps how long it was asked for, and does `then`."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.slept: list[float] = []
        self.then: Callable[[], object] = lambda: None

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._clock.advance(seconds)
        self.then()
