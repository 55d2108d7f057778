"""RSS and Atom feeds: read again and again, politely, and at once where a hub says so."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

import structlog
from pydantic import Field, model_validator

from streams.clock import Clock
from streams.errors import InvalidMessageError, SourceError, SourceGoneError
from streams.media.pages import resolved
from streams.schemas import HttpUrl
from streams.sources.config import MONTH_SECONDS, SourceConfig
from streams.sources.feed_entries import (
    MAX_FEED_BYTES,
    Entry,
    entries_of,
    hub_of,
    identity_of,
    minimum_seconds,
    parse_feed,
    to_new_post,
    topic_of,
)
from streams.sources.polite import Page, PoliteClient, Validators, named_by_operator
from streams.sources.source import (
    EventKind,
    Missed,
    Passed,
    Rejected,
    SourcedItem,
    SourcedPost,
)
from streams.sources.websub import Hubs, linked

log = structlog.get_logger()

PING_PAUSE_SECONDS = 10.0
"""Between two readings at least, however often a hub calls."""

MAX_CURSOR = 256
"""Characters that a cursor may have (`monitors.tables.cursors`)."""

REMEMBERED = 12
"""Names of the newest entries that a cursor keeps, to notice that a list has run over."""

SENDABLE = re.compile(r"[\x20-\x7e]*")
"""What a header can carry. A host may send us more as its `ETag`, and gets none back then."""

MAX_KNOWN = 2_000
"""Entries whose revision is remembered, so that an edit is told from what was given."""


class FeedConfig(SourceConfig):
    """A feed."""

    guarded: ClassVar[bool] = True
    subscribes: ClassVar[bool] = True

    kind: Literal["feed"] = "feed"
    url: HttpUrl = Field(description="Of the feed.")
    poll_seconds: float = Field(
        default=300,
        ge=30,
        le=86_400,
        description="Between two readings, or longer as the feed asks.",
    )
    websub: bool = Field(
        default=True, description="Let its hub wake the reading, where HAECHI_PUSH_URL is set."
    )
    silent_seconds: float = Field(
        default=3600,
        gt=0,
        le=MONTH_SECONDS,
        description="Without a reading, it is stalled; three times poll_seconds if that is longer.",
    )

    @model_validator(mode="before")
    @classmethod
    def _outlast_the_pause(cls, given: Any) -> Any:
        """Let a feed that is seldom read not be called stalled between two readings."""
        pause = given.get("poll_seconds") if isinstance(given, dict) else None
        if not isinstance(pause, int | float) or "silent_seconds" in given:
            return given
        return given | {"silent_seconds": max(3600.0, 3.0 * pause)} if pause <= 86_400 else given


@dataclass(slots=True)
class _State:
    """Where a feed is: what its cursor holds.

    Args:
        etag: of its last answer; left out where it is long.
        last_modified: likewise.
        newest: short hashes of the newest entries' names, joined.
    """

    etag: str = ""
    last_modified: str = ""
    newest: str = ""

    @classmethod
    def read(cls, cursor: str | None) -> "_State":
        try:
            return cls(**json.loads(cursor or "{}"))
        except (TypeError, ValueError):
            return cls()

    def write(self) -> str:
        whole = json.dumps(asdict(self), separators=(",", ":"))
        if len(whole) > MAX_CURSOR:
            whole = json.dumps(asdict(_State(newest=self.newest)), separators=(",", ":"))
        return whole

    def knows(self, name: str) -> bool:
        """Tell whether an entry was among the newest of the last reading."""
        short = _short(name)
        return any(short == self.newest[i : i + 8] for i in range(0, len(self.newest), 8))


@dataclass(slots=True)
class _About:
    """What a feed says of itself: remembered while the process lives, for a 304 does not say it.

    Args:
        url: where it is.
        heard: whether it was read at all.
        wait_seconds: between two readings, as it asks.
        hub: its hub's address.
        topic: under which its hub knows it.
    """

    url: str
    heard: bool = False
    wait_seconds: float = 0.0
    hub: str | None = None
    topic: str | None = None


@dataclass(slots=True)
class _Reading:
    """One connection. What it gave may not have been stored: the next one gives it again."""

    about: _About
    state: _State
    revisions: dict[str, str] = field(default_factory=dict)

    def validators(self, *, whole: bool) -> Validators:
        """Give what makes the request conditional, where the feed is not needed whole."""
        if whole and not self.about.heard:
            return Validators()
        return Validators(etag=self.state.etag, last_modified=self.state.last_modified)


class FeedSource:
    """Reads one feed. The cursor is what a conditional request needs, and the newest entries.

    Args:
        config: which.
        clock: gives `observed_at`.
        client: fetches; one of its own where there is none.
        sleep: waits, in seconds.
        allow_origins: private origins that may be reached.
        hubs: where a hub's pings arrive; None: no hub is asked.
    """

    def __init__(
        self,
        config: FeedConfig,
        *,
        clock: Clock,
        client: PoliteClient | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        allow_origins: frozenset[str] = frozenset(),
        hubs: Hubs | None = None,
    ) -> None:
        self.name = config.name
        self._config = config
        self._clock = clock
        self._sleep = sleep
        self._client = client
        self._allow_origins = allow_origins
        self._hubs = hubs if config.websub else None
        self._subscription = self._hubs.subscription(config.name) if self._hubs else None
        self._about = _About(url=config.url)

    async def posts(self, cursor: str | None) -> AsyncIterator[SourcedItem]:
        """Give entries, the oldest first, and a heartbeat after each reading.

        Raises:
            SourceError: it does not answer now.
            SourceGoneError: its host says that it is gone for good.
            ConfigurationError: its address may not be fetched.
        """
        client = self._client or PoliteClient(clock=self._clock, allow_origins=self._allow_origins)
        try:
            async with aclosing(self._read(client, cursor)) as items:
                async for item in items:
                    yield item
        finally:
            if client is not self._client:
                await client.close()

    async def _read(
        self, client: PoliteClient, cursor: str | None
    ) -> AsyncGenerator[SourcedItem, None]:
        about = self._about
        about.url = self._config.url  # where it had moved to may be gone by now
        reading = _Reading(about=about, state=_State.read(cursor))
        while True:
            # A process that has just begun knows no hub, and its callback is another than before.
            validators = reading.validators(whole=self._hubs is not None)
            with named_by_operator():
                page = await client.get(about.url, validators=validators)
            async for item in self._take(page, reading):
                yield item
            await self._subscribe(client)
            await self._pause(max(self._config.poll_seconds, about.wait_seconds))

    async def _subscribe(self, client: PoliteClient) -> None:
        about = self._about
        if self._hubs is not None and self._subscription is not None and about.hub is not None:
            topic = about.topic or about.url
            await self._hubs.subscribe(self._subscription, client, about.hub, topic)

    async def _pause(self, seconds: float) -> None:
        """Wait for the next reading; a ping ends it, but not at once after the last."""
        if self._subscription is None:
            await self._sleep(seconds)
            return
        await self._sleep(min(PING_PAUSE_SECONDS, seconds))
        wake = self._subscription.wake
        waits = [asyncio.ensure_future(wake.wait()), asyncio.ensure_future(self._rest(seconds))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        wake.clear()

    async def _rest(self, seconds: float) -> None:
        await self._sleep(max(0.0, seconds - PING_PAUSE_SECONDS))

    async def _take(self, page: Page, reading: _Reading) -> AsyncGenerator[SourcedItem, None]:
        """Give what one answer holds; only the heartbeat at its end moves the cursor."""
        _check(page)
        about = reading.about
        if page.moved_to is not None and page.moved_to != about.url:
            log.info("feed moved for good", source=self.name)
            about.url = page.moved_to
        before = reading.state.write()
        if page.status != 304:
            feed = await asyncio.to_thread(parse_feed, page.body, page.content_type)
            about.heard, about.wait_seconds = True, minimum_seconds(feed)
            about.hub, about.topic = _hub(feed, page)
            for item in self._items(feed, page, reading, before):
                yield item
        yield Passed(cursor=reading.state.write(), counts={EventKind.HEARTBEAT: 1})

    def _items(self, feed: Any, page: Page, reading: _Reading, cursor: str) -> list[SourcedItem]:
        entries = entries_of(feed)
        if not entries and feed.get("bozo"):
            return [Rejected(cursor=cursor, reason="invalid_feed", position=_number(page.body))]
        names = [identity_of(entry) for entry in entries]
        items: list[SourcedItem] = []
        if reading.state.newest and names and not any(map(reading.state.knows, names)):
            items.append(Missed(cursor=cursor, reason="list_overflow"))
        items += [
            item
            for entry in reversed(entries)
            for item in self._item(entry, page.url, reading, cursor)
        ]
        reading.state = _State(
            etag=_sendable(page.validators.etag),
            last_modified=_sendable(page.validators.last_modified),
            newest="".join(_short(name) for name in names[:REMEMBERED]),
        )
        return items

    def _item(
        self, entry: Entry, base_url: str, reading: _Reading, cursor: str
    ) -> list[SourcedItem]:
        try:
            new = to_new_post(entry, base_url)
        except InvalidMessageError as error:
            position = _number(repr(sorted(map(str, entry))).encode() + identity_of(entry).encode())
            return [Rejected(cursor=cursor, reason=error.reason, position=position)]
        known = reading.revisions.pop(new.id, None)
        reading.revisions[new.id] = new.revision
        if len(reading.revisions) > MAX_KNOWN:
            del reading.revisions[next(iter(reading.revisions))]
        if known == new.revision:
            return []
        post = new.to_domain(source=self.name, observed_at=self._clock.now())
        kind = EventKind.POST if known is None else EventKind.EDIT
        return [SourcedPost(post=post, cursor=cursor, kind=kind)]


def _hub(feed: Any, page: Page) -> tuple[str | None, str | None]:
    """Give the addresses of a feed's hub, and of its topic: its headers' word comes first."""
    hub, topic = linked(page.link, "hub"), linked(page.link, "self")
    found = [(hub or hub_of(feed)), (topic or topic_of(feed))]
    whole = [resolved(one, page.url) if one else None for one in found]
    return whole[0], whole[1]


def _check(page: Page) -> None:
    if page.status in {410, 451}:
        raise SourceGoneError("the feed is gone for good: take its entry out of the sources' file")
    if page.status == 404:
        raise SourceError("status 404")
    if len(page.body) > MAX_FEED_BYTES:
        raise SourceError(f"a feed of more than {MAX_FEED_BYTES} bytes")


def _sendable(value: str) -> str:
    return value if SENDABLE.fullmatch(value) else ""


def _short(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _number(content: bytes) -> int:
    """Number what has no number: 60 bits, the same each time that it is read."""
    return int(hashlib.sha256(content).hexdigest()[:15], 16)
