"""`streams.sources.mastodon_search`, against a server that answers as the documentation says."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from streams.errors import RateLimitedError, SourceError, UnauthorizedError
from streams.schemas import post_key
from streams.sources.config import Token
from streams.sources.mastodon_records import to_new_post
from streams.sources.mastodon_search import MastodonSearch, MastodonSearchConfig, to_tag
from streams.sources.source import Query, Rejected, SearchSource, Truncated
from streams.types import Post
from tests.fakes import FakeClock
from tests.streams.sources.mastodon_servers import Mastodon, mastodon
from tests.streams.sources.mastodon_shapes import a_status

TOKEN = Token(value=SecretStr("word"))
SEARCH = "/api/v2/search"


async def found(
    server: Mastodon, words: str = "두 낱말", limit: int = 200, **config: Any
) -> list[Post | Rejected | Truncated]:
    made = MastodonSearchConfig(name="fedi", url=server.url, **config)
    search: SearchSource = MastodonSearch(made, clock=FakeClock())
    since = datetime(2026, 5, 1, tzinfo=UTC)
    return [one async for one in search.search(Query(words=words, since=since, limit=limit))]


async def test_a_post_found_has_the_key_that_the_stream_gives_it() -> None:
    async with mastodon(found=[a_status(1)], token="word") as server:
        (post,) = await found(server, token=TOKEN)
    assert isinstance(post, Post)
    new = to_new_post(a_status(1))
    assert post.key == post_key("activitypub", new.id, new.revision)
    assert (post.source, post.network) == ("fedi", "activitypub")
    assert server.asked[0] == (SEARCH, {"q": "두 낱말", "type": "statuses", "limit": "40"})


async def test_pages_are_followed_by_their_offset() -> None:
    async with mastodon(found=[a_status(n) for n in range(90)]) as server:
        posts = await found(server, token=TOKEN)
        assert len(posts) == 90
        assert [asked.get("offset") for _, asked in server.asked] == [None, "40", "80", "120"]
        *posts, end = await found(server, token=TOKEN, max_pages=2)
        assert (len(posts), end) == (80, Truncated(reason="pages"))
        *posts, end = await found(server, token=TOKEN, limit=50)
        assert (len(posts), end) == (50, Truncated(reason="limit"))


async def test_without_an_account_there_is_one_page() -> None:
    async with mastodon(found=[a_status(n) for n in range(90)]) as server:
        *posts, end = await found(server)
    assert (len(posts), end) == (40, Truncated(reason="pages"))


async def test_what_is_older_than_was_asked_for_is_left_out() -> None:
    old, undated = a_status(1, created_at="2026-04-30T00:00:00Z"), a_status(2, created_at="x")
    async with mastodon(found=[old, undated]) as server:
        (post,) = await found(server, token=TOKEN)
    assert isinstance(post, Post)
    assert post.url.endswith("/2")


async def test_where_a_search_finds_nothing_the_hashtag_is_read() -> None:
    async with mastodon(tagged=list(range(1, 91))) as server:
        posts = await found(server)
    assert [post.url.rpartition("/")[2] for post in posts if isinstance(post, Post)] == [
        str(n) for n in range(90, 0, -1)
    ]
    assert server.asked[1][0] == "/api/v1/timelines/tag/두낱말"


async def test_where_a_search_is_refused_the_answer_is_said_to_lack_something() -> None:
    refusals: Any = {SEARCH: (401, {})}
    async with mastodon(tagged=[1], refusals=refusals) as server:
        post, end = await found(server)
        assert isinstance(post, Post)
        assert end == Truncated(reason="search_refused")
        with pytest.raises(UnauthorizedError):
            await found(server, words="!?")


async def test_a_hashtag_with_more_pages_is_said_to_have_them() -> None:
    async with mastodon(tagged=list(range(1, 91))) as server:
        *posts, end = await found(server, max_pages=2)
    assert (len(posts), end) == (80, Truncated(reason="pages"))


async def test_nothing_that_could_be_a_hashtag_finds_nothing() -> None:
    async with mastodon() as server:
        assert await found(server, words="!?") == []
    assert len(server.asked) == 1


async def test_what_is_no_post_is_rejected_at_its_place() -> None:
    async with mastodon(found=[a_status(1), 7]) as server:
        _, rejected = await found(server, token=TOKEN)
    assert rejected == Rejected(cursor="", reason="invalid_message", position=1)


async def test_a_limit_is_no_refusal() -> None:
    async with mastodon(refusals={SEARCH: (429, {"Retry-After": "9"})}) as server:
        with pytest.raises(RateLimitedError) as caught:
            await found(server)
    assert caught.value.retry_after_seconds == 9


async def test_where_nothing_answers_the_error_is_raised() -> None:
    async with mastodon() as server:
        pass
    with pytest.raises(SourceError):
        await found(server)


@pytest.mark.parametrize(
    ("words", "tag"), [("두 낱말", "두낱말"), ("#a-b_c", "ab_c"), ("ａ/b", "ab"), ("..", "")]
)
def test_words_become_a_hashtag(words: str, tag: str) -> None:
    assert to_tag(words) == tag
