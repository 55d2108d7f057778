"""What every `SearchSource` must do; the services are fakes that answer as documented."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from streams.errors import RateLimitedError, SourceError, UnauthorizedError
from streams.sources.at_search import AtSearch, AtSearchConfig
from streams.sources.config import Token
from streams.sources.json_search import JsonSearch
from streams.sources.mastodon_search import MastodonSearch, MastodonSearchConfig
from streams.sources.source import Query, Rejected, SearchSource, Truncated
from streams.types import Post
from tests.fakes import FakeClock
from tests.streams.sources.at_servers import serving
from tests.streams.sources.json_servers import Videos, a_video
from tests.streams.sources.mastodon_servers import mastodon
from tests.streams.sources.mastodon_shapes import a_status
from tests.streams.sources.test_at_search import AppView, view
from tests.streams.sources.test_json_search import example

Refusal = tuple[int, dict[str, str]]
Build = Callable[[int, bool, Refusal | None], AbstractAsyncContextManager[SearchSource]]


@asynccontextmanager
async def at(number: int, bad: bool, refusal: Refusal | None) -> AsyncIterator[SearchSource]:
    app = AppView([view(n) for n in range(number)] + [7] * bad)
    async with serving(lambda *one: (*refusal, b"") if refusal else app.handle(*one)) as service:
        config = AtSearchConfig(name="under-test", url=service.url, max_pages=3)
        yield AtSearch(config, clock=FakeClock())


@asynccontextmanager
async def fediverse(number: int, bad: bool, refusal: Refusal | None) -> AsyncIterator[SearchSource]:
    paths = ("/api/v2/search", "/api/v1/timelines/tag/낱말")
    refusals = {path: refusal for path in paths if refusal}
    items: list[Any] = [a_status(n) for n in range(number)] + [7] * bad
    async with mastodon(found=items, refusals=refusals) as server:
        token = Token(value=SecretStr("word"))
        config = MastodonSearchConfig(name="under-test", url=server.url, token=token, max_pages=3)
        yield MastodonSearch(config, clock=FakeClock())


@asynccontextmanager
async def plain(number: int, bad: bool, refusal: Refusal | None) -> AsyncIterator[SearchSource]:
    videos = Videos([a_video(n) for n in range(number)] + [7] * bad)
    async with serving(lambda *one: (*refusal, b"") if refusal else videos.handle(*one)) as service:
        config = example(service.url, name="under-test", max_pages=3)
        yield JsonSearch(config, clock=FakeClock())


KINDS: Mapping[str, Build] = {"atproto": at, "mastodon": fediverse, "json": plain}


@pytest.fixture(params=KINDS)
def build(request: pytest.FixtureRequest) -> Build:
    """One implementation at a time."""
    return KINDS[request.param]


async def found(
    build: Build, number: int, *, bad: bool = False, refusal: Refusal | None = None, limit: int = 50
) -> list[Post | Rejected | Truncated]:
    async with build(number, bad, refusal) as search:
        query = Query(words="낱말", since=datetime(2026, 1, 1, tzinfo=UTC), limit=limit)
        return [one async for one in search.search(query)]


async def test_what_is_found_is_of_the_search_and_observed_now(build: Build) -> None:
    posts = await found(build, 3)
    assert len(posts) == 3
    for post in posts:
        assert isinstance(post, Post)
        assert post.source == "under-test"
        assert post.observed_at == FakeClock().now()
    assert len({post.key for post in posts if isinstance(post, Post)}) == 3


async def test_a_question_may_be_asked_again(build: Build) -> None:
    async with build(3, False, None) as search:
        first = [one async for one in search.search(Query(words="낱말"))]
        assert [one async for one in search.search(Query(words="낱말"))] == first


async def test_nothing_found_is_an_answer(build: Build) -> None:
    assert await found(build, 0) == []


@pytest.mark.parametrize("limit", [1, 20, 100])
async def test_no_more_than_the_limit_is_given_and_that_is_said(build: Build, limit: int) -> None:
    *posts, end = await found(build, limit + 7, limit=limit)
    assert len(posts) == limit
    assert end == Truncated(reason="limit")


async def test_a_service_with_more_pages_than_may_be_asked_for_is_said_to_have_them(
    build: Build,
) -> None:
    *posts, end = await found(build, 400, limit=1000)
    assert len(posts) in {120, 150, 300}
    assert end == Truncated(reason="pages")


async def test_what_is_no_post_is_rejected_and_stops_nothing(build: Build) -> None:
    *posts, rejected = await found(build, 2, bad=True)
    assert len(posts) == 2
    assert rejected == Rejected(cursor="", reason="invalid_message", position=2)


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        ((429, {"Retry-After": "9"}), RateLimitedError),
        ((401, {}), UnauthorizedError),
        ((503, {}), SourceError),
    ],
)
async def test_a_service_that_does_not_answer_is_an_error_with_its_reason(
    build: Build, refusal: Refusal, kind: type[SourceError]
) -> None:
    with pytest.raises(SourceError) as caught:
        await found(build, 2, refusal=refusal)
    assert type(caught.value) is kind
    if kind is RateLimitedError:
        assert caught.value.retry_after_seconds == 9
