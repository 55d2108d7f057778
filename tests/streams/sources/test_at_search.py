"""`streams.sources.at_search`, against an XRPC server; a real AppView: `test_at_network.py`."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from streams.errors import RateLimitedError
from streams.schemas import post_key
from streams.sources.at_search import AtSearch, AtSearchConfig
from streams.sources.config import Token
from streams.sources.source import Query, Rejected, SearchSource, Truncated
from streams.types import Post
from tests.fakes import FakeClock
from tests.streams.sources.at_servers import Answer, Service, serving

DID = "did:plc:abcdefghijklmnopqrstuvwx"
POSTS = "app.bsky.feed.post"


def view(number: int, **more: Any) -> dict[str, Any]:
    record = {"$type": POSTS, "text": f"post {number}", "createdAt": "2026-05-25T14:23:28Z"}
    uri = f"at://{DID}/{POSTS}/3m{number}"
    return {
        "uri": uri,
        "cid": f"bafyreicid{number}",
        "author": {"did": DID},
        "record": record,
    } | more


class AppView:
    """Has so many posts, and gives them in pages of at most `page`."""

    def __init__(self, posts: list[Any], page: int = 100) -> None:
        self.posts, self.page = posts, page
        self.asked: list[dict[str, list[str]]] = []

    def handle(self, nsid: str, asked: dict[str, list[str]], headers: Any, content: Any) -> Answer:
        self.asked.append(asked)
        begin = int(asked.get("cursor", ["0"])[0])
        end = begin + min(int(asked["limit"][0]), self.page)
        more = {"cursor": str(end)} if end < len(self.posts) else {}
        return 200, {}, {"posts": self.posts[begin:end]} | more


async def found(
    service: Service, limit: int = 200, words: str = "낱말", **config: Any
) -> list[Post | Rejected | Truncated]:
    made = AtSearchConfig(name="bluesky", url=service.url, **config)
    search: SearchSource = AtSearch(made, clock=FakeClock())
    since = datetime(2026, 5, 1, tzinfo=UTC)
    return [one async for one in search.search(Query(words=words, since=since, limit=limit))]


async def test_a_post_found_has_the_key_that_the_streams_give_it() -> None:
    app = AppView([view(1)])
    async with serving(app.handle) as service:
        (post,) = await found(service)
    assert isinstance(post, Post)
    assert post.key == post_key("atproto", f"at://{DID}/{POSTS}/3m1", "bafyreicid1")
    assert (post.source, post.network, post.text) == ("bluesky", "atproto", "post 1")
    asked = app.asked[0]
    assert (asked["q"], asked["sort"], asked["limit"]) == (["낱말"], ["latest"], ["100"])
    assert asked["since"] == ["2026-05-01T00:00:00.000Z"]


async def test_pages_are_followed_to_the_end() -> None:
    app = AppView([view(n) for n in range(150)])
    async with serving(app.handle) as service:
        posts = await found(service)
    assert len(posts) == 150
    assert len(app.asked) == 2


async def test_more_than_was_wanted_is_said_to_be_left() -> None:
    app = AppView([view(n) for n in range(150)])
    async with serving(app.handle) as service:
        *posts, end = await found(service, limit=120)
        assert len(posts) == 120
        assert end == Truncated(reason="limit")
        assert len(await found(service, limit=150)) == 150


async def test_more_pages_than_are_asked_for_are_said_to_be_left() -> None:
    app = AppView([view(n) for n in range(10)], page=2)
    async with serving(app.handle) as service:
        *posts, end = await found(service, max_pages=3)
    assert len(posts) == 6
    assert end == Truncated(reason="pages")


@pytest.mark.parametrize("answer", [{"posts": [], "cursor": "x"}, {"posts": 7, "cursor": "x"}])
async def test_a_service_that_turns_in_a_circle_is_left(answer: Any) -> None:
    async with serving(lambda *_: (200, {}, answer)) as service:
        assert await found(service) == [Truncated(reason="pages")]
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    "bad",
    [7, None, {}, view(1, uri="https://x"), view(1, uri=f"at://{DID}/app.bsky.feed.like/3"),
     view(1, record=7), view(1, cid=7), view(1, uri="at://a b/" + POSTS + "/3")],
)  # fmt: skip
async def test_what_is_no_post_is_rejected_at_its_place(bad: Any) -> None:
    async with serving(AppView([view(0), bad]).handle) as service:
        _, rejected = await found(service)
    assert rejected == Rejected(cursor="", reason="invalid_message", position=1)


async def test_a_limit_of_the_service_says_how_long_it_lasts() -> None:
    async with serving(lambda *_: (429, {"Retry-After": "9"}, b"")) as service:
        with pytest.raises(RateLimitedError) as caught:
            await found(service)
    assert caught.value.retry_after_seconds == 9


def test_an_account_needs_its_password() -> None:
    AtSearchConfig(
        name="a", url="https://a.example", identifier="x", password=Token(value=SecretStr("y"))
    )
    with pytest.raises(ValidationError):
        AtSearchConfig(name="a", url="https://a.example", identifier="x")
