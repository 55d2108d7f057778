"""The public timeline of a server of the Mastodon API, as it flows.

The protocol has no resumption: after each connection the timeline is read from the cursor on until
it meets the stream. `docs/sources.md` says what is made of it, and what cannot be.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from streams.clock import Clock
from streams.errors import OversizedAnswerError, RateLimitedError, SourceError, UnauthorizedError
from streams.sources.answers import ServiceUrl
from streams.sources.config import SourceConfig, Token
from streams.sources.gathering import gathered
from streams.sources.mastodon_api import PAGE_STATUSES, MastodonApi
from streams.sources.mastodon_reading import MastodonReading, newest
from streams.sources.mastodon_records import STATUS_ID
from streams.sources.mastodon_wire import OPENED, Arriving, Channel, by_events, by_socket
from streams.sources.read_ahead import read_ahead
from streams.sources.source import Missed, SourcedItem

SNOWFLAKE_DIGITS = 17
"""Mastodon's identifiers are milliseconds and 16 bits of a sequence: 17 digits since 2018."""

TIMELINE = "/api/v1/timelines/public"

SETTLE_SECONDS = 1.0
"""No server confirms a subscription: the last page is read so much later, when it is in force."""

Items = AsyncGenerator[SourcedItem | None, None]


class MastodonConfig(SourceConfig):
    """A server of the Mastodon API."""

    kind: Literal["mastodon"] = "mastodon"
    url: ServiceUrl = Field(description="https://HOST of the server.")
    token: Token | None = Field(default=None, description="Of an account; needed since 4.2.")
    transport: Literal["auto", "websocket", "sse"] = Field(
        default="auto", description="auto: server-sent events where a WebSocket is refused."
    )
    only: Literal["local", "remote"] | None = Field(
        default=None, description="Only what the server's own accounts, or only others, post."
    )
    only_media: bool = Field(default=False, description="Leave out what has no attachment.")
    max_pages: int = Field(
        default=50, ge=1, le=1000, description="Of 40 statuses, read after a reconnection."
    )
    rewind_seconds: float = Field(
        default=60, ge=0, le=3600, description="After a reconnection, read so much before the "
        "cursor, too: a status that arrives late has an identifier of the time it claims.",
    )  # fmt: skip


class MastodonSource:
    """Reads one server. The cursor is the newest identifier that was seen.

    Args:
        config: which.
        clock: gives `observed_at`.
        sleep: waits, in seconds.
    """

    def __init__(
        self,
        config: MastodonConfig,
        *,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = config.name
        self._config = config
        self._clock = clock
        self._sleep = sleep
        self._api = MastodonApi(config.url, config.token, clock=clock)
        self._reading = MastodonReading(config.name, clock, urlsplit(config.url).hostname or "")

    async def posts(self, cursor: str | None) -> AsyncIterator[SourcedItem]:
        """Give posts, edits, profiles and deletions from `cursor` on; see `Source.posts`.

        Raises:
            SourceError: it does not give now; its `reason` says why.
            ConfigurationError: the token cannot be read.
        """
        async with aclosing(gathered(self._items(cursor), self._clock)) as items:
            async for item in items:
                yield item

    async def _items(self, cursor: str | None) -> Items:
        known = cursor if cursor and STATUS_ID.fullmatch(cursor) else ""
        self._reading.begin(known)
        if cursor and not known:
            yield Missed(cursor="", reason="cursor_unusable")
        async with aclosing(read_ahead(self._arriving())) as arriving:
            async for event in arriving:
                if event is None:
                    yield None
                elif event != OPENED:
                    for item in self._reading.items(event):
                        yield item
                elif known:
                    async with aclosing(self._filled(known)) as filled:
                        async for item in filled:
                            yield item
                else:
                    await self._begin()

    async def _arriving(self) -> Arriving:
        """Open the stream, in the other way where the one is refused."""
        config = self._config
        channel = Channel(
            url=await self._api.streaming_url(),
            part=config.only or "",
            only_media=config.only_media,
            silent_seconds=config.silent_seconds,
            headers=self._api.headers(),
        )
        began = False
        if config.transport != "sse":
            try:
                async with aclosing(by_socket(channel, self._clock)) as arriving:
                    async for event in arriving:
                        began = True
                        yield event
            except (RateLimitedError, UnauthorizedError):
                raise
            except SourceError:
                if began or config.transport == "websocket":
                    raise
        async with aclosing(by_events(channel, self._clock)) as arriving:
            async for event in arriving:
                yield event

    async def _begin(self) -> None:
        """Take the newest status as seen, so that a connection without any leaves a cursor."""
        page = await self._api.page(TIMELINE, {"limit": 1, **self._asked()})
        self._reading.begin(newest("", page))

    async def _filled(self, known: str) -> AsyncGenerator[SourcedItem, None]:
        """Read what was posted since, the oldest first; and say whether that was all."""
        since, few, settled = self._rewound(known), 0, False
        past = self._clock.now() - timedelta(seconds=1)
        for _ in range(self._config.max_pages):
            page = await self._page(since)
            if page is None:
                yield self._missed("answer_too_large", refilled=False)
                return
            for status in reversed(page):
                for item in self._reading.posted(status, past=past):
                    yield item
            reached = newest(since, page)
            # A page is short at the end, or where the server hides much of it: one more tells.
            # A server on which something is posted all the time has no empty page.
            few = few + 1 if len(page) < PAGE_STATUSES / 2 else 0
            ends = reached == since or few >= 2
            if ends and settled:
                yield self._missed("reconnected", refilled=True)
                return
            if ends:
                settled = True
                await self._sleep(SETTLE_SECONDS)
            since = reached
        yield self._missed("list_overflow", refilled=False)

    async def _page(self, since: str) -> list[Any] | None:
        """Ask for a page, for less where it is too large; None where one status is."""
        for limit in (PAGE_STATUSES, 8, 1):
            try:
                asked = {"min_id": since, "limit": limit, **self._asked()}
                return await self._api.page(TIMELINE, asked)
            except OversizedAnswerError:
                continue
        return None

    def _missed(self, reason: str, *, refilled: bool) -> Missed:
        return Missed(cursor=self._reading.cursor, reason=reason, refilled=refilled)

    def _asked(self) -> dict[str, Any]:
        config = self._config
        asked: dict[str, Any] = {}
        if config.only is not None:
            asked[config.only] = "true"
        if config.only_media:
            asked["only_media"] = "true"
        return asked

    def _rewound(self, known: str) -> str:
        if not known.isdigit() or len(known) < SNOWFLAKE_DIGITS:
            return known  # a compatible server's identifiers say nothing of time
        return str(max(int(known) - (round(self._config.rewind_seconds * 1000) << 16), 0))
