"""The search of an AppView of the AT Protocol: `app.bsky.feed.searchPosts`."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC
from typing import Any, Literal

from pydantic import Field, model_validator

from streams.clock import Clock
from streams.errors import InvalidMessageError
from streams.sources.answers import ServiceUrl
from streams.sources.at_records import NETWORK, POSTS, to_new_post
from streams.sources.at_session import Account, AtSession
from streams.sources.config import SourceConfig, Token
from streams.sources.source import Query, Rejected, Truncated
from streams.types import Post

PAGE_POSTS = 100
"""The most that one page may have, by the lexicon."""

MAX_CURSOR_CHARACTERS = 4096


class AtSearchConfig(SourceConfig):
    """A service that searches the network's posts."""

    kind: Literal["atproto"] = "atproto"
    url: ServiceUrl = Field(description="https://HOST of the account's PDS, or of an AppView.")
    identifier: str | None = Field(default=None, description="The account's handle or DID.")
    password: Token | None = Field(default=None, description="An app password of the account.")
    max_pages: int = Field(default=20, ge=1, le=1000, description="Asked for in one search.")

    @model_validator(mode="after")
    def _whole(self) -> "AtSearchConfig":
        if (self.identifier is None) != (self.password is None):
            raise ValueError("identifier and password go together")
        return self


class AtSearch:
    """Searches the network's posts, the newest first. A `SearchSource`.

    Args:
        config: where, and as whom.
        clock: gives `observed_at`.
    """

    def __init__(self, config: AtSearchConfig, *, clock: Clock) -> None:
        self.name = config.name
        self._max_pages = config.max_pages
        self._clock = clock
        account = None
        if config.identifier is not None and config.password is not None:
            account = Account(identifier=config.identifier, password=config.password)
        self._session = AtSession(config.url, account, clock=clock)

    async def search(self, query: Query) -> AsyncIterator[Post | Rejected | Truncated]:
        """Give the posts that the service finds; see `SearchSource.search`.

        Raises:
            SourceError: it does not answer now; its `reason` says why.
            ConfigurationError: the password cannot be read.
        """
        left, cursor, seen = query.limit, "", 0
        for _ in range(self._max_pages):
            answer = await self._session.get(
                "app.bsky.feed.searchPosts", _parameters(query, left, cursor)
            )
            views = answer.get("posts")
            views = views if isinstance(views, list) else []
            for position, view in enumerate(views[:left], start=seen):
                yield self._item(view, cursor, position)
            left, seen = left - len(views), seen + len(views)
            following = _cursor(answer)
            if not following:
                return
            if left <= 0:
                yield Truncated(reason="limit")
                return
            if following == cursor or not views:  # it would turn in a circle
                break
            cursor = following
        yield Truncated(reason="pages")

    def _item(self, view: Any, cursor: str, position: int) -> Post | Rejected:
        try:
            new = to_new_post(**_named(view))
        except InvalidMessageError as error:
            return Rejected(cursor=cursor, reason=error.reason, position=position)
        return new.to_domain(source=self.name, observed_at=self._clock.now(), network=NETWORK)


def _parameters(query: Query, left: int, cursor: str) -> dict[str, Any]:
    asked: dict[str, Any] = {"q": query.words, "sort": "latest", "limit": min(left, PAGE_POSTS)}
    if query.since is not None:
        since = query.since.astimezone(UTC).replace(tzinfo=None)
        asked["since"] = since.isoformat(timespec="milliseconds") + "Z"
    if cursor:
        asked["cursor"] = cursor
    return asked


def _cursor(answer: Mapping[str, Any]) -> str:
    cursor = answer.get("cursor")
    return cursor if isinstance(cursor, str) and len(cursor) <= MAX_CURSOR_CHARACTERS else ""


def _named(view: Any) -> dict[str, Any]:
    """Take a view apart into what names its record.

    Raises:
        InvalidMessageError: it names none.
    """
    uri = view.get("uri") if isinstance(view, Mapping) else None
    parts = uri.split("/") if isinstance(uri, str) else []
    if len(parts) != 5 or parts[:2] != ["at:", ""] or parts[3] != POSTS:
        raise InvalidMessageError("the answer names no post")
    return {
        "did": parts[2],
        "collection": POSTS,
        "rkey": parts[4],
        "cid": view.get("cid"),
        "record": view.get("record"),
    }
