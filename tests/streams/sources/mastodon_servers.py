"""A server on loopback that answers as Mastodon's documentation says.

Mastodon itself (Ruby, Node, PostgreSQL, Redis) cannot run here, so that the tests of its adapters
rest on this and on the shapes of https://docs.joinmastodon.org/.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.streams.sources.mastodon_shapes import a_status

HANG = "hang"
"""In a script: say nothing more, and answer no ping."""

WAIT = "wait"
"""In a script: say nothing more, but live."""


def message(event: str, payload: Any = None, **more: Any) -> str:
    """What a WebSocket carries: a payload is a string of JSON, a deletion's a plain identifier."""
    given = payload if isinstance(payload, str) else json.dumps(payload)
    return json.dumps({"stream": ["public"], "event": event, "payload": given} | more)


def event(name: str, payload: Any) -> bytes:
    """The same as a server-sent event."""
    data = payload if isinstance(payload, str) else json.dumps(payload)
    return f"event: {name}\ndata: {data}\n\n".encode()


@dataclass
class Mastodon:
    """One server.

    Args:
        scripts: of the connections of its WebSocket; each said after it was subscribed to.
        told: of the connections of its server-sent events.
        timeline: identifiers of the public statuses.
        refusals: by path: status, headers.
        token: that it wants.
        instance: what `/api/v2/instance` says besides.
        found: what a search finds.
        meanwhile: identifiers of what is posted while a source waits for its subscription.
        shapes: statuses of the timeline that are not the plainest.
        held: answers with a timeline only when the whole script was said.
    """

    scripts: list[list[str | bytes]] = field(default_factory=list)
    told: list[list[bytes | str]] = field(default_factory=list)
    timeline: list[int] = field(default_factory=list)
    refusals: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    token: str | None = None
    instance: dict[str, Any] = field(default_factory=dict)
    found: list[Any] = field(default_factory=list)
    tagged: list[int] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    subscribed: list[Any] = field(default_factory=list)
    grow: bool = False
    meanwhile: list[int] = field(default_factory=list)
    shapes: dict[int, dict[str, Any]] = field(default_factory=dict)
    held: bool = False
    said: asyncio.Event = field(default_factory=asyncio.Event)
    silence: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def settle(self, seconds: float) -> None:
        """Instead of waiting."""
        self.timeline += self.meanwhile
        self.meanwhile = []

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    @web.middleware
    async def check(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append((request.path, dict(request.query)))
        if request.path in self.refusals:
            status, headers = self.refusals[request.path]
            return web.json_response({"error": "secret"}, status=status, headers=headers)
        wanted = None if self.token is None else f"Bearer {self.token}"
        if wanted and request.headers.get("Authorization") != wanted:
            return web.json_response({"error": "The access token is invalid"}, status=401)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def about(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"domain": "social.example"} | self.instance)

    async def public(self, request: web.Request) -> web.StreamResponse:
        asked = request.query
        if self.held:
            await self.said.wait()
        if self.grow:
            self.timeline.append(self.timeline[-1] + 1)
        limit = int(asked.get("limit", "20"))
        after = [one for one in self.timeline if one > int(asked.get("min_id", "0"))]
        page = after[:limit] if "min_id" in asked else after[-limit:]
        shown = [self.shapes.get(one) or a_status(one) for one in reversed(page)]
        return web.json_response(shown)

    async def tag(self, request: web.Request) -> web.StreamResponse:
        below = int(request.query.get("max_id", "0")) or 10**30
        page = sorted((one for one in self.tagged if one < below), reverse=True)
        page = page[: int(request.query.get("limit", "20"))]
        return web.json_response([a_status(one) for one in page])

    async def search(self, request: web.Request) -> web.StreamResponse:
        begin = int(request.query.get("offset", "0"))
        page = self.found[begin : begin + int(request.query.get("limit", "20"))]
        return web.json_response({"accounts": [], "hashtags": [], "statuses": page})

    async def socket(self, request: web.Request) -> web.StreamResponse:
        script = self.scripts.pop(0) if self.scripts else []
        connection = web.WebSocketResponse(autoping=HANG not in script, compress=not self.held)
        await connection.prepare(request)
        self.subscribed.append(json.loads(await connection.receive_str()))
        for one in script:
            if one in (HANG, WAIT):
                while (await connection.receive()).type is not WSMsgType.CLOSE:
                    pass
                break
            if isinstance(one, bytes):
                await connection.send_bytes(one)
            else:
                await connection.send_str(one)
        self.said.set()
        await connection.close()
        return connection

    async def events(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for one in self.told.pop(0) if self.told else ():
            if isinstance(one, bytes):
                await answer.write(one)
            else:
                await self.silence.wait()
        return answer

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self.check])
        app.add_routes(
            [
                web.get("/api/v2/instance", self.about),
                web.get("/api/v1/timelines/public", self.public),
                web.get("/api/v1/timelines/tag/{tag}", self.tag),
                web.get("/api/v2/search", self.search),
                web.get("/api/v1/streaming", self.socket),
                web.get("/api/v1/streaming/public", self.events),
                web.get("/api/v1/streaming/public/{part}", self.events),
            ]
        )
        return app


@asynccontextmanager
async def mastodon(**fields: Any) -> AsyncIterator[Mastodon]:
    server = Mastodon(**fields)
    runner = web.AppRunner(server.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        server.silence.set()
        await runner.cleanup()
