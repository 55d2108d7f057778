"""Servers on loopback that say what a test tells them to: a WebSocket, and XRPC over HTTP.

Jetstream cannot run here, so that its tests rest on these and on the shapes of its lexicon; PDS,
PLC directory and AppView are real in `tests/streams/sources/test_at_network.py`.
"""

import asyncio
import http
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from streams.errors import SourceError
from streams.sources.source import Source, SourcedItem


@dataclass
class Stream:
    """A WebSocket server: connection n is refused with `answers[n]`, or gets `scripts[n]`.

    Args:
        scripts: messages of each connection; an exception's place is where it hangs, silent.
        answers: status, headers and body of the connections that are refused.
        asked: the query of each connection.
        subprotocols: that each connection offered.
    """

    scripts: list[Iterable[str | bytes]] = field(default_factory=list)
    answers: dict[int, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    subprotocols: list[str | None] = field(default_factory=list)
    close: tuple[int, str] | None = (1000, "")
    url: str = ""

    def check(self, connection: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        self.paths.append(parts.path)
        self.asked.append(parse_qs(parts.query))
        self.subprotocols.append(request.headers.get("Sec-WebSocket-Protocol"))
        answer = self.answers.get(len(self.asked) - 1)
        if answer is None:
            return None
        status, headers, body = answer
        given = Headers({"Content-Length": str(len(body))} | headers)
        return Response(status, http.HTTPStatus(status).phrase, given, body)

    async def talk(self, connection: ServerConnection) -> None:
        number = len(self.asked) - 1
        for message in self.scripts[number] if number < len(self.scripts) else ():
            await connection.send(message)
        if self.close is None:
            await connection.wait_closed()
        else:
            await connection.close(*self.close)


@asynccontextmanager
async def streaming(**fields: Any) -> AsyncIterator[Stream]:
    stream = Stream(**fields)

    def offered(connection: ServerConnection, names: Any) -> Any:
        return names[0] if names else None

    server: Server
    async with serve(
        stream.talk, "127.0.0.1", 0, process_request=stream.check, select_subprotocol=offered
    ) as server:
        stream.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield stream


async def taken(
    source: Source, cursor: str | None = None
) -> tuple[list[SourcedItem], SourceError | None]:
    """Everything that one call gives, and how it ended."""
    items: list[SourcedItem] = []
    try:
        async with asyncio.timeout(10):
            async for item in source.posts(cursor):
                items.append(item)  # noqa: PERF401 - what came before an error counts
    except SourceError as error:
        return items, error
    return items, None


Answer = tuple[int, dict[str, str], Any]
Handler = Callable[[str, dict[str, list[str]], dict[str, str], Any], Answer]


@dataclass
class Service:
    """An XRPC server: `handle(nsid, parameters, headers, content)` gives status, headers, body."""

    handle: Handler
    asked: list[str] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        content = await reader.readexactly(int(headers.get("content-length", "0")))
        path = urlsplit(first.split(" ")[1])
        nsid = path.path.removeprefix("/xrpc/")
        self.asked.append(nsid)
        status, more, body = self.handle(
            nsid, parse_qs(path.query), headers, json.loads(content or b"null")
        )
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Length": str(len(raw)), "Connection": "close"} | more
        answer = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        writer.write(f"HTTP/1.1 {status} X\r\n{answer}\r\n".encode() + raw)
        await writer.drain()


@asynccontextmanager
async def serving(handle: Handler) -> AsyncIterator[Service]:
    service = Service(handle)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield service
    finally:
        server.close()
