"""A stream that is read while its reader is busy, with a bound."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from streams.errors import SourceError
from streams.sources.sse import ServerEvent

MAX_AHEAD_BYTES = 64 * 2**20
"""Held in memory; then nothing more is read from the socket, so that nothing is dropped. Some
10,000 statuses: minutes of the largest servers, which is as long as a gap takes to be filled."""

EVENT_BYTES = 200
"""What an event costs besides its data."""

Events = AsyncGenerator[ServerEvent | None, None]


async def read_ahead(events: Events, most_bytes: int = MAX_AHEAD_BYTES) -> Events:
    """Give the same events in the same order, and read on meanwhile.

    A server that pings us ends the connection where we do not answer: Mastodon's after 30 to 60
    seconds, and who does not read does not answer.

    Args:
        events: closed in the end.
        most_bytes: held at most, but for one event.

    Raises:
        SourceError: the stream broke off, and all that came before was given.
    """
    ahead = _Ahead(most_bytes)
    reading = asyncio.ensure_future(ahead.read(events))
    try:
        while True:
            given = await ahead.take()
            if isinstance(given, Exception):
                raise given
            yield given
    finally:
        reading.cancel()
        await asyncio.wait({reading})


class _Ahead:
    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held: asyncio.Queue[ServerEvent | Exception | None] = asyncio.Queue()
        self._bytes = 0
        self._room = asyncio.Event()

    async def read(self, events: Events) -> None:
        """Read to the end, which is an error: streams have none."""
        end: Exception = SourceError("the stream ended")
        try:
            async with aclosing(events):
                async for event in events:
                    await self._hold(event)
        except Exception as error:  # noqa: BLE001 - raised where the events are taken
            end = error
        self._held.put_nowait(end)

    async def take(self) -> ServerEvent | Exception | None:
        """Take the oldest event, or the stream's end."""
        given = await self._held.get()
        if isinstance(given, ServerEvent):
            self._bytes -= _size(given)
            self._room.set()
        return given

    async def _hold(self, event: ServerEvent | None) -> None:
        if event is None:
            if self._held.empty():  # a moment went by in which nothing came
                self._held.put_nowait(None)
            return
        while self._bytes >= self._most:
            self._room.clear()
            await self._room.wait()
        self._bytes += _size(event)
        self._held.put_nowait(event)


def _size(event: ServerEvent) -> int:
    return EVENT_BYTES + 2 * len(event.data)  # Python keeps Hangul in two bytes
