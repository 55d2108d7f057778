"""The boards' media host, on loopback: what the guarded fetcher meets in the demo."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

PRIVATE_TARGET = "http://10.11.12.13/picture.jpg"
"""Where `/redirect/` leads: an address that the guard must refuse before it connects."""

HUGE_BYTES = 1 << 30

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class MediaHost:
    """Serves a folder below `/m/`, and misbehaves below the other paths.

    `/gone/` answers 404, `/redirect/` leads to a private address, `/drop/` hangs up,
    `/page/` calls a page a picture, `/huge/` announces a gibibyte.

    Args:
        folder: of the media.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        app = web.Application()
        routes: dict[str, _Handler] = {
            "redirect": _redirect,
            "drop": _drop,
            "page": _page,
            "huge": _huge,
        }
        for name, handler in routes.items():
            app.router.add_get(f"/{name}/{{file}}", handler)
        app.router.add_static("/m/", folder)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        self._origin: str | None = None

    @property
    def origin(self) -> str:
        """Scheme, address and port, once started."""
        if self._origin is None:
            raise RuntimeError("the media host is not started")
        return self._origin

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop listening. Idempotent."""
        await self._runner.cleanup()


async def _redirect(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": PRIVATE_TARGET})


async def _drop(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _page(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="<title>Log in to see this picture</title>", content_type="image/jpeg")


async def _huge(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
    response.content_length = HUGE_BYTES
    await response.prepare(request)
    chunk = bytes(1 << 16)
    try:
        for _ in range(HUGE_BYTES // len(chunk)):
            await response.write(chunk)
            await asyncio.sleep(0.01)  # a client that reads on must not fill the loopback
    except ConnectionError:
        pass  # the fetcher hung up, as it should
    return response
