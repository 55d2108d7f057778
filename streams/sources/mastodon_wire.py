"""The two ways in which a server of the Mastodon API streams: a WebSocket, and server-sent events.

Facts: https://docs.joinmastodon.org/methods/streaming/. Both give `ServerEvent`s: `OPENED` first,
`COMMENT` for a heartbeat, and None whenever nothing came for a moment.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from streams.clock import Clock
from streams.errors import SourceError, StalledError, UnauthorizedError
from streams.sources.answers import TIMEOUTS, Answer, asking, read, to_error
from streams.sources.sockets import TICK_SECONDS, opened
from streams.sources.sse import COMMENT, EventReader, ServerEvent

OPENED = ServerEvent(":opened")
"""From now on nothing that is posted passes by unseen."""

MALFORMED = ":malformed"
"""Name of an event for something that is none."""

MALFORMED_CHARACTERS = 1000
"""Of it that are kept, to tell it from others."""

PATH = "/api/v1/streaming"
Arriving = AsyncGenerator[ServerEvent | None, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What is asked for.

    Args:
        url: `wss://HOST`.
        part: `local`, `remote`, or empty for all.
        only_media: leave out what has no attachment.
        silent_seconds: for so long it may be silent.
        headers: who asks.
    """

    url: str
    part: str = ""
    only_media: bool = False
    silent_seconds: float = 60.0
    headers: Mapping[str, str]


async def by_socket(channel: Channel, clock: Clock) -> Arriving:
    """Read a WebSocket. It is quiet where nobody posts: then it is asked whether it lives.

    Raises:
        StalledError: it was silent for too long, and does not answer.
        SourceError: it cannot be opened, or broke off.
    """
    names = ("public", channel.part, "media" if channel.only_media else "")
    ask = {"type": "subscribe", "stream": ":".join(name for name in names if name)}
    async with opened(channel.url + PATH, clock, headers=channel.headers) as connection:
        try:
            await connection.send(json.dumps(ask))
            yield OPENED
            async for event in _heard(connection, channel.silent_seconds):
                yield event
        except ConnectionClosed:
            raise SourceError("the connection was closed") from None


async def _heard(connection: ClientConnection, silent_seconds: float) -> Arriving:
    loop = asyncio.get_running_loop()
    tick = min(TICK_SECONDS, silent_seconds / 4)
    since = loop.time()
    pong: asyncio.Future[float] | None = None
    while True:
        try:
            async with asyncio.timeout(tick):
                message = await connection.recv()
        except TimeoutError:
            quiet = loop.time() - since
            if pong is not None and pong.done():
                since, pong = loop.time(), None
                yield COMMENT
            elif quiet >= silent_seconds:
                raise StalledError(f"silent for {silent_seconds} s") from None
            elif pong is None and quiet >= silent_seconds / 2:
                pong = asyncio.ensure_future(await connection.ping())
            yield None
            continue
        yield _event(message)
        since, pong = loop.time(), None  # what our caller did meanwhile is no silence


def _event(message: str | bytes) -> ServerEvent:
    try:
        frame = json.loads(message)
    except (ValueError, RecursionError):
        frame = None
    frame = frame if isinstance(frame, dict) else {}
    if "error" in frame:
        _refuse(frame)
    name, payload = frame.get("event"), frame.get("payload", "")
    if not isinstance(name, str) or not name:
        return ServerEvent(MALFORMED, str(message)[:MALFORMED_CHARACTERS])
    return ServerEvent(name, payload if isinstance(payload, str) else json.dumps(payload))


def _refuse(frame: Mapping[str, Any]) -> None:
    error = UnauthorizedError if frame.get("status") in (401, 403) else SourceError
    raise error("the server does not give this stream")


async def by_events(channel: Channel, clock: Clock) -> Arriving:
    """Read server-sent events.

    Raises:
        StalledError: nothing came for too long, no heartbeat either.
        SourceError: it cannot be opened, or broke off.
    """
    url = "/".join(filter(None, (f"http{channel.url[2:]}{PATH}/public", channel.part)))
    asked = {"only_media": "true"} if channel.only_media else {}
    timeout = httpx.Timeout(TIMEOUTS.connect, read=channel.silent_seconds)
    headers = {**channel.headers, "Accept": "text/event-stream"}
    try:
        async with (
            asking(**headers) as client,
            client.stream("GET", url, params=asked, timeout=timeout) as response,
        ):
            await _check(response, clock)
            yield OPENED
            async for event in _told(response.aiter_bytes()):
                yield event
    except httpx.ReadTimeout:
        raise StalledError(f"silent for {channel.silent_seconds} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceError(f"no stream: {type(error).__name__}") from None


async def _check(response: httpx.Response, clock: Clock) -> None:
    if response.status_code != 200:
        answer = Answer(
            status=response.status_code, headers=response.headers, body=await read(response)
        )
        raise to_error(answer, clock.now())
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        raise SourceError("an answer that is no stream")


async def _told(parts: AsyncIterator[bytes]) -> Arriving:
    reader = EventReader()
    waiting: asyncio.Future[bytes] | None = None
    try:
        while True:
            # kept over ticks: to cancel a read would close the connection
            waiting = waiting or asyncio.ensure_future(anext(parts, b""))
            await asyncio.wait({waiting}, timeout=TICK_SECONDS)
            if not waiting.done():
                yield None
                continue
            chunk, waiting = waiting.result(), None
            if not chunk:
                raise SourceError("the stream ended")
            for event in reader.feed(chunk):
                yield event
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.wait({waiting})
            if not waiting.cancelled():
                waiting.exception()  # it came too late to matter
