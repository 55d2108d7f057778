"""One medium's way from its address to its matches, and a page's to those of what it names."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from agents.examined import Examined
from agents.examining import Left
from agents.remembering import Shown
from agents.steps import expanding, inspecting
from monitors import metrics
from streams.clock import Clock
from streams.errors import MediaError, MediaUnavailableError, TransientError
from streams.media.fetcher import FetchedMedia
from streams.media.pages import MAX_PAGE_BYTES, looks_like_page, media_in_page
from streams.types import MediaItem, MediaKind, MediumResult, Post

MEDIA_AT_ONCE = 24
"""Media of one agent between their fetch and their match. Bounds what bodies hold in memory, and
is enough that slow hosts do not keep the engines waiting."""

DEPTH_SECONDS = 20.0
"""After a batch's time, how long a medium's further steps may begin: a batch ends within a minute
and a half, and every medium that it took up has been looked at."""

EXAMINE_SECONDS = 60.0
"""What examining may take beyond the batch's time, the wait for decoder and engines included. Then
it is cut, and what it found till then is judged."""

T = TypeVar("T")

Fetch = Callable[[str], Awaitable[FetchedMedia]]
Examine = Callable[[bytes, str, Left, float], Awaitable[Examined]]
"""Examines a medium of a SHA-256: begins steps while time is left, and is cut after so many
seconds. Raises MediaError, TimeoutError where nothing was seen till then, and TransientError where
the gallery may be outdated or no engine answers."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A medium whose host did not deliver this time."""

    index: int
    error: MediaUnavailableError


@dataclass(frozen=True, slots=True)
class Untried:
    """The batch's time was over before anything of this medium was seen."""

    index: int


Found = MediumResult | Shown | Undelivered | Untried


@dataclass(frozen=True, slots=True)
class Opened:
    """A page that was read.

    Args:
        index: of the page, in its post's media.
        items: what it names; at least one.
        found: what became of each.
    """

    index: int
    items: Sequence[MediaItem]
    found: Sequence[Found]


@dataclass(frozen=True, slots=True)
class Until:
    """When a batch takes up no more media.

    Args:
        clock: whose monotonic time counts.
        at: by that clock.
    """

    clock: Clock
    at: float

    @property
    def left(self) -> float:
        """Seconds until then; 0 when it is over."""
        return self.left_with(0.0)

    def left_with(self, grace_seconds: float) -> float:
        """Give the seconds until so long after then; 0 when that is over, too."""
        return max(0.0, self.at + grace_seconds - self.clock.monotonic())


@dataclass(slots=True)
class Try:
    """One try of one post.

    Args:
        post: with the media to look at.
        seconds: what a fetch may take.
        until: when its batch takes up no more.
        shares: of each page; see `expanding.shares`.
        known: addresses that are looked at anyway.
    """

    post: Post
    seconds: float
    until: Until
    shares: dict[int, int] = field(init=False)
    known: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.shares = expanding.shares(self.post.media)
        self.known = {item.url for item in self.post.media}


class Media:
    """One medium's way from its address to its matches.

    Args:
        fetch: raises MediaError.
        examine: see `Examine`.
        advanced: told whenever a medium is done with.
    """

    def __init__(
        self,
        fetch: Fetch,
        examine: Examine,
        advanced: Callable[[], None] = lambda: None,
    ) -> None:
        self._advanced = advanced
        self._fetch = fetch
        self._examine = examine
        self._slots = asyncio.Semaphore(MEDIA_AT_ONCE)

    async def inspect(self, index: int, trying: Try) -> Found | Opened:
        """Inspect one medium; what cannot be inspected has its outcome too.

        What a page names waits for its turn behind the media that wait already.
        """
        item = trying.post.media[index]
        found = await self._in_turn(index, item, trying)
        if not isinstance(found, _Page):
            return found
        named = await asyncio.to_thread(
            media_in_page, found.fetched.body, found.fetched.content_type, found.fetched.final_url
        )
        items = expanding.fresh(named, trying.known, trying.shares[index])
        if not items:
            return expanding.read_without_media(index, found.fetched.sha256)
        results = await all_of(self._in_turn(index, item, trying) for item in items)
        return Opened(index, items, [one for one in results if not isinstance(one, _Page)])

    async def _in_turn(self, index: int, item: MediaItem, trying: Try) -> "Found | _Page":
        async with self._slots:
            if not trying.until.left:
                return Untried(index)
            try:
                return await self._inspect(index, item, trying)
            finally:
                self._advanced()

    async def _inspect(self, index: int, item: MediaItem, trying: Try) -> "Found | _Page":
        try:
            fetched = await self._fetched(item.url, trying.seconds)
        except MediaUnavailableError as error:
            return Undelivered(index, error)
        except MediaError as error:
            return inspecting.failed(index, error)
        if item.kind is MediaKind.PAGE and looks_like_page(fetched.body, fetched.content_type):
            return _Page(replace(fetched, body=fetched.body[:MAX_PAGE_BYTES]))
        return await self._examined(index, fetched, trying.until)

    async def _examined(self, index: int, fetched: FetchedMedia, until: Until) -> Found:
        try:
            examined = await self._examine(
                fetched.body,
                fetched.sha256,
                lambda: until.left_with(DEPTH_SECONDS),
                until.left + EXAMINE_SECONDS,
            )
        except TimeoutError:
            return Untried(index)
        except MediaError as error:
            return inspecting.failed(index, error, fetched.sha256)
        result = inspecting.inspected(index, fetched.sha256, examined.matches, examined.looked)
        return Shown(result=result, space=examined.findings.space, views=examined.views)

    async def _fetched(self, url: str, seconds: float) -> FetchedMedia:
        with metrics.STAGE_SECONDS.labels("fetch").time():
            try:
                async with asyncio.timeout(seconds):
                    return await self._fetch(url)
            except TimeoutError:
                raise MediaUnavailableError("not delivered in this try's time") from None


@dataclass(frozen=True, slots=True)
class _Page:
    """A page, read of a post's link; what it names is no page again."""

    fetched: FetchedMedia


def laid_out(post: Post, found: Sequence[Found | Opened]) -> tuple[Post, list[Found]]:
    """Give a post with what its pages named, and what became of each medium, in their order."""
    opened = {one.index: one for one in found if isinstance(one, Opened)}
    whole, places = expanding.spread(post, {index: one.items for index, one in opened.items()})
    by_index: dict[int, Found] = {}
    for one, indices in zip(found, places, strict=True):
        parts = one.found if isinstance(one, Opened) else [one]
        for part, index in zip(parts, indices, strict=True):
            by_index[index] = _placed(part, index)
    return whole, [by_index[index] for index in range(len(whole.media))]


def _placed(found: Found, index: int) -> Found:
    """Say where in the whole post a medium is."""
    if isinstance(found, Shown):
        return replace(found, result=replace(found.result, index=index))
    return replace(found, index=index)


async def all_of(calls: Iterable[Awaitable[T]]) -> list[T]:
    """Await all, then raise what failed: a transient failure first, since it will pass."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    failures = [one for one in found if isinstance(one, BaseException)]
    if failures:
        raise next((one for one in failures if isinstance(one, TransientError)), failures[0])
    return [one for one in found if not isinstance(one, BaseException)]
