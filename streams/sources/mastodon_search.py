"""The search of a server of the Mastodon API, and where it has none, its hashtags' timelines.

Words are found in what the account may search: what people opted into, and only where the server
runs a search engine. A hashtag's timeline is open to more.
"""

import re
import unicodedata
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal
from urllib.parse import quote

from pydantic import Field

from streams.clock import Clock
from streams.errors import InvalidMessageError, RateLimitedError, SourceError
from streams.sources.answers import ServiceUrl
from streams.sources.config import SourceConfig, Token
from streams.sources.fields import is_older
from streams.sources.mastodon_api import PAGE_STATUSES, MastodonApi
from streams.sources.mastodon_reading import oldest
from streams.sources.mastodon_records import NETWORK, shown, to_new_post
from streams.sources.source import Query, Rejected, Truncated
from streams.types import Post

NO_TAG = re.compile(r"[^\w]+")
MORE = Truncated(reason="pages")
REFUSED = Truncated(reason="search_refused")
"""What merely has the words was not looked for."""

Pages = AsyncIterator[list[Any] | Truncated]


class MastodonSearchConfig(SourceConfig):
    """A server that is asked."""

    kind: Literal["mastodon"] = "mastodon"
    url: ServiceUrl = Field(description="https://HOST of the server.")
    token: Token | None = Field(default=None, description="Of an account; without, no pages.")
    max_pages: int = Field(default=20, ge=1, le=1000, description="Asked for in one search.")


class MastodonSearch:
    """Searches one server. A `SearchSource`.

    Args:
        config: which, and as whom.
        clock: gives `observed_at`.
    """

    def __init__(self, config: MastodonSearchConfig, *, clock: Clock) -> None:
        self.name = config.name
        self._config = config
        self._clock = clock
        self._api = MastodonApi(config.url, config.token, clock=clock)

    async def search(self, query: Query) -> AsyncIterator[Post | Rejected | Truncated]:
        """Give the posts that the server finds; see `SearchSource.search`.

        Raises:
            SourceError: it does not answer now; its `reason` says why.
            ConfigurationError: the token cannot be read.
        """
        tag = to_tag(query.words)
        found, refused = False, False
        async for one in self._read(self._pages(query, tag), query):
            if one == REFUSED:
                refused = True
            else:
                found = True
                yield one
        if tag and not found:
            async for one in self._read(self._tagged(tag), query):
                yield one
        if refused:
            yield REFUSED

    async def _read(self, pages: Pages, query: Query) -> AsyncIterator[Post | Rejected | Truncated]:
        left, position = query.limit, 0
        async for page in pages:
            if isinstance(page, Truncated):
                yield page
                return
            for given in page:
                if left == 0:
                    yield Truncated(reason="limit")
                    return
                item = self._item(given, position)
                position += 1
                if isinstance(item, Post) and is_older(item.published_at, query.since):
                    continue
                left -= 1
                yield item

    async def _pages(self, query: Query, tag: str) -> Pages:
        """Give the pages of a search; where it is refused and a hashtag can be read, say so."""
        asked: dict[str, Any] = {"q": query.words, "type": "statuses", "limit": PAGE_STATUSES}
        for number in range(self._config.max_pages):
            try:
                answer = await self._api.get("/api/v2/search", asked)
            except SourceError as error:
                if number or not tag or isinstance(error, RateLimitedError):
                    raise
                yield REFUSED
                return
            statuses = answer.get("statuses") if isinstance(answer, Mapping) else None
            if not isinstance(statuses, list) or not statuses:
                return
            yield statuses[:PAGE_STATUSES]
            if self._config.token is None:  # an offset is for accounts only
                if len(statuses) >= PAGE_STATUSES:
                    yield MORE
                return
            asked["offset"] = (number + 1) * PAGE_STATUSES
        yield MORE

    async def _tagged(self, tag: str) -> Pages:
        """Give the pages of a hashtag, the newest first."""
        asked: dict[str, Any] = {}
        for _ in range(self._config.max_pages):
            page = await self._api.page(f"/api/v1/timelines/tag/{quote(tag, safe='')}", asked)
            last = oldest(page)
            if not last or last == asked.get("max_id"):
                return
            yield page
            asked["max_id"] = last
        yield MORE

    def _item(self, given: Any, position: int) -> Post | Rejected:
        try:
            new = to_new_post(shown(given))
        except InvalidMessageError as error:
            return Rejected(cursor="", reason=error.reason, position=position)
        return new.to_domain(source=self.name, observed_at=self._clock.now(), network=NETWORK)


def to_tag(words: str) -> str:
    """Make a hashtag of words: without spaces and signs. Empty where nothing is left of them."""
    return NO_TAG.sub("", unicodedata.normalize("NFKC", words))[:100]
