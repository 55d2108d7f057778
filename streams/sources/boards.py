"""A board without a feed: its list is read, and what is new on it, as a patient reader would.

Polite (`streams.sources.polite`), by robots.txt unless a legal basis is recorded, on one host.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, ValidationError
from w3lib.encoding import resolve_encoding

from streams.clock import Clock
from streams.errors import (
    InvalidMessageError,
    MediaRefusedError,
    RateLimitedError,
    RobotsDisallowError,
    SourceError,
    UnauthorizedError,
)
from streams.media.markup import plain_text
from streams.media.pages import media_in_markup
from streams.schemas import MediaItemRecord, NewPost
from streams.sources.board_pages import (
    MAX_TEXT,
    ListFields,
    ListPage,
    PostFields,
    PostPage,
    Row,
    decoded,
    read_list,
    read_post,
    same_host,
    to_number,
)
from streams.sources.config import SourceConfig
from streams.sources.fields import clean
from streams.sources.polite import Page, PoliteClient, named_by_operator
from streams.sources.robots import Robots
from streams.sources.source import (
    EventKind,
    Missed,
    Passed,
    Rejected,
    Removed,
    SourcedItem,
    SourcedPost,
)

FIRST_PAGE = 1
OK = frozenset({200, 203})

ATTEMPTS = 3
"""Readings of one post's page that fail before it is left out."""

POSTS_OWN = (InvalidMessageError, MediaRefusedError, RobotsDisallowError)
"""What is wrong with one post alone, and stays so."""


def _check_encoding(encoding: str) -> str:
    found = resolve_encoding(encoding)
    if found is None:
        raise ValueError("not an encoding")
    return found


def _check_list_url(url: str) -> str:
    if url.count("{page}") != 1:
        raise ValueError("it must hold {page} once")
    return url


Encoding = Annotated[str, AfterValidator(_check_encoding)]
ListUrl = Annotated[
    str,
    Field(pattern=r"^https?://[^\s/{}]+/\S*$", max_length=2000),
    AfterValidator(_check_list_url),
]


class BoardConfig(SourceConfig):
    """A board: where its list is, and what its pages hold where."""

    guarded: ClassVar[bool] = True

    kind: Literal["board"] = "board"
    list_url: ListUrl = Field(description="With {page}, counted from 1.")
    list: ListFields
    post: PostFields
    encoding: Encoding | None = Field(
        default=None, description="Where the pages name a wrong one, or none."
    )
    poll_seconds: float = Field(default=60, ge=30, le=86_400, description="Between two readings.")
    delay_seconds: float = Field(default=1, ge=1, le=600, description="Between two requests.")
    pages: int = Field(default=3, ge=1, le=100, description="List pages read back at most.")
    reread: int = Field(
        default=10, ge=0, le=200, description="Newest known posts read again at each reading."
    )
    legal_basis: str | None = Field(
        default=None,
        min_length=20,
        max_length=1000,
        description="Who decided what, and when, so that robots.txt is not asked.",
    )
    silent_seconds: float = Field(
        default=600, gt=0, le=2_592_000, description="Without a reading, it is stalled."
    )


class _NotReadError(InvalidMessageError):
    """A page that is no post's, or of another host."""

    reason = "unreadable_page"


@dataclass(frozen=True, slots=True)
class _Known:
    """A post dealt with; its revision where it was read since the start."""

    row: Row
    revision: str | None = None


class BoardSource:
    """Reads one board. The cursor is the highest number that was dealt with.

    Args:
        config: which.
        clock: gives `observed_at`.
        client: fetches; one of its own where there is none.
        sleep: waits, in seconds.
        allow_origins: private origins that may be reached.
    """

    def __init__(
        self,
        config: BoardConfig,
        *,
        clock: Clock,
        client: PoliteClient | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        allow_origins: frozenset[str] = frozenset(),
    ) -> None:
        self.name = config.name
        self._config = config
        self._clock = clock
        self._sleep = sleep
        self._client = client or PoliteClient(clock=clock, sleep=sleep, allow_origins=allow_origins)
        self._robots = Robots(self._client, clock)
        self._known: dict[int, _Known] = {}
        self._at: int | None = None
        self._reached = True
        self._failing: int | None = None
        self._failures = 0

    async def posts(self, cursor: str | None) -> AsyncIterator[SourcedItem]:
        """Give what is new, edited or deleted from `cursor` on; see `Source.posts`.

        Raises:
            SourceError: it does not give now; its `reason` says why.
            RobotsDisallowError: robots.txt forbids the list.
            ConfigurationError: the list's address is forbidden.
        """
        self._at = to_number(cursor or "")
        if cursor and self._at is None:
            yield Missed(cursor="", reason="cursor_unusable")
        while True:
            async with aclosing(self._reading()) as items:
                async for item in items:
                    yield item
            yield self._passed(EventKind.HEARTBEAT)
            await self._sleep(self._config.poll_seconds)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    @property
    def _cursor(self) -> str:
        return "" if self._at is None else str(self._at)

    def _passed(self, kind: EventKind, count: int = 1) -> Passed:
        return Passed(cursor=self._cursor, counts={kind: count})

    async def _reading(self) -> AsyncGenerator[SourcedItem, None]:
        """Read the list, then what is new in the order of its numbers, then what is known."""
        new: dict[int, Row] = {}
        async with aclosing(self._list_pages()) as pages:
            async for page in pages:
                for left in self._left_out(page):
                    yield left
                new |= {row.number: row for row in page.rows if self._is_new(row)}
                old = {row.number: _Known(row) for row in page.rows if not self._is_new(row)}
                self._keep(old | self._known)
        if not self._reached and self._at is not None:
            yield Missed(cursor=self._cursor, reason="list_overflow")
        again = list(self._known)
        for number in sorted(new):
            yield await self._first(new[number])
        for number in again:
            if number in self._known:
                changed = await self._again(self._known[number])
                if changed is not None:
                    yield changed

    async def _list_pages(self) -> AsyncGenerator[ListPage, None]:
        """Read the list, the newest first, until what is known or `pages`."""
        self._reached = False
        seen: set[int] = set()
        for number in range(FIRST_PAGE, FIRST_PAGE + self._config.pages):
            page = await self._list_page(number)
            yield page
            fresh = {row.number for row in page.rows if self._is_new(row)} - seen
            seen |= fresh
            # The last row tells: notices of old stand before the first.
            self._reached = not fresh or not self._is_new(page.rows[-1])
            if self._reached:
                return

    def _is_new(self, row: Row) -> bool:
        return self._at is None or row.number > self._at

    def _keep(self, known: dict[int, _Known]) -> None:
        """Remember the newest alone."""
        newest = sorted(known, reverse=True)[: self._config.reread]
        self._known = {number: known[number] for number in newest}

    async def _list_page(self, number: int) -> ListPage:
        url = self._config.list_url.replace("{page}", str(number))
        with named_by_operator():
            if not await self._may_read(url):
                raise RobotsDisallowError("robots.txt forbids the list")
            page = await self._get(url)
        if page.status not in OK:
            raise SourceError(f"the list: status {page.status}")
        if not same_host(page.url, url):
            raise SourceError("the list is on another host now")
        try:
            read = await asyncio.to_thread(self._read_list, page)
        except InvalidMessageError as error:
            raise SourceError(f"the list: {error}") from None
        if read.is_empty and number == FIRST_PAGE:
            raise SourceError("the list has no row: the board looks different now, or is closed")
        return read

    def _left_out(self, page: ListPage) -> Iterator[Passed | Rejected]:
        for at in range(page.foreign):
            yield Rejected(cursor=self._cursor, reason="other_host", position=at)
        if page.unread:
            yield self._passed(EventKind.OTHER, page.unread)

    async def _first(self, row: Row) -> SourcedItem:
        """Deal with a new post; whatever becomes of it, the cursor stands at it then."""
        try:
            read = await self._post_page(row)
        except RateLimitedError:
            raise
        except SourceError as error:
            # A page that never comes must not keep the rest of the board from being read.
            self._failures = self._failures + 1 if self._failing == row.number else 1
            self._failing = row.number
            if self._failures < ATTEMPTS and not isinstance(error, UnauthorizedError):
                raise
            return self._rejected(row, error.reason)
        except POSTS_OWN as error:
            return self._rejected(row, error.reason)
        self._at = row.number
        if read is None or read.deleted:
            return self._passed(EventKind.DELETION)
        self._keep(self._known | {row.number: _Known(row, read.revision)})
        return self._sourced(row, read, EventKind.POST)

    async def _again(self, known: _Known) -> SourcedItem | None:
        """Read a known post again; None: it is the same.

        What cannot be read now is at the next reading.
        """
        row = known.row
        try:
            read = await self._post_page(row)
        except RateLimitedError:
            raise
        except (SourceError, *POSTS_OWN):
            return self._passed(EventKind.OTHER)
        if read is None or read.deleted:
            del self._known[row.number]
            return Removed(
                cursor=self._cursor, network=self.name, reason="deleted", post_id=str(row.number)
            )
        if read.revision == known.revision:
            return None
        self._known[row.number] = replace(known, revision=read.revision)
        # Not read since the start: a known post's key tells whether it is an edit.
        kind = EventKind.POST if known.revision is None else EventKind.EDIT
        return self._sourced(row, read, kind)

    async def _post_page(self, row: Row) -> PostPage | None:
        """Read a post's page; None where it is gone.

        Raises:
            RobotsDisallowError: robots.txt forbids it.
            InvalidMessageError: it is no post's page.
        """
        if not await self._may_read(row.url):
            raise RobotsDisallowError("robots.txt forbids the page")
        page = await self._get(row.url)
        if page.status not in OK:
            return None
        if not same_host(page.url, row.url):
            raise _NotReadError("it leads to another host")
        read = await asyncio.to_thread(self._read_post, page)
        if not read.found and not read.deleted:
            raise _NotReadError("nothing that was looked for is on the page")
        return read

    async def _may_read(self, url: str) -> bool:
        return self._config.legal_basis is not None or await self._robots.allow(url)

    async def _get(self, url: str) -> Page:
        delay = self._config.delay_seconds
        if self._config.legal_basis is None:
            delay = max(delay, self._robots.delay_of(url))
        return await self._client.get(url, delay_seconds=delay)

    def _read_list(self, page: Page) -> ListPage:
        html = decoded(page.body, page.content_type, self._config.encoding)
        return read_list(html, page.url, self._config.list)

    def _read_post(self, page: Page) -> PostPage:
        html = decoded(page.body, page.content_type, self._config.encoding)
        try:
            return read_post(html, page.url, self._config.post)
        except InvalidMessageError:  # who wrote it may have wanted that: all that it names counts
            return PostPage(
                text=clean(plain_text(html), MAX_TEXT),
                media=tuple(media_in_markup(html, page.url)),
            )

    def _rejected(self, row: Row, reason: str) -> Rejected:
        self._at = max(self._at or 0, row.number)
        return Rejected(cursor=self._cursor, reason=reason, position=row.number)

    def _sourced(self, row: Row, read: PostPage, kind: EventKind) -> SourcedPost | Rejected:
        with suppress(ValidationError):
            made = NewPost(
                id=str(row.number),
                url=row.url,
                revision=read.revision,
                text="\n".join(part for part in (row.title, read.text) if part),
                media=tuple(
                    MediaItemRecord(url=one.url, kind=one.kind, alt_text=one.alt_text)
                    for one in read.media
                ),
                author=read.author,
                published_at=read.published_at,
            )
            post = made.to_domain(source=self.name, observed_at=self._clock.now())
            return SourcedPost(post=post, cursor=self._cursor, kind=kind, at=post.published_at)
        return self._rejected(row, InvalidMessageError.reason)
