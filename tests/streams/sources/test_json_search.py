"""`streams.sources.json_search`, with the example that the documentation gives.

The service is a fake that answers in the shape that YouTube documents.
"""

import contextlib
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from streams.errors import (
    ConfigurationError,
    InvalidMessageError,
    RateLimitedError,
    SourceError,
    UnauthorizedError,
)
from streams.schemas import post_key
from streams.sources.json_search import DailyQuota, JsonSearch, JsonSearchConfig, to_new_post
from streams.sources.source import Query, Rejected, SearchSource, Truncated
from streams.types import MediaKind, Post
from tests.fakes import FakeClock
from tests.streams.sources.at_servers import Answer, serving
from tests.streams.sources.json_servers import Videos, a_video

EXAMPLE = Path(__file__).parents[3] / "docs/examples/youtube.toml"
SINCE = datetime(2026, 5, 1, tzinfo=UTC)
PAGED: dict[str, Any] = {
    "params": {"q": "{words}", "n": "{limit}", "at": "{offset}"},
    "headers": {},
    "fields": {"items": "found", "url": "url", "published_at": "at"},
    "page_size": 10,
}


def example(url: str = "https://a.example", **more: Any) -> JsonSearchConfig:
    (entry,) = tomllib.loads(EXAMPLE.read_text())["search"]
    entry |= {"url": url, "token": {"value": "word"}} | more
    return JsonSearchConfig.model_validate(entry)


async def found(
    handle: Callable[..., Answer], limit: int = 200, **more: Any
) -> list[Post | Rejected | Truncated]:
    async with serving(handle) as service:
        search: SearchSource = JsonSearch(example(service.url, **more), clock=FakeClock())
        query = Query(words="두 낱말", since=SINCE, limit=limit)
        return [one async for one in search.search(query)]


def listed(*found: Any) -> Callable[..., Answer]:
    return lambda *_: (200, {}, {"found": list(found)})


async def test_the_documented_example_reads_what_the_service_documents() -> None:
    videos = Videos([a_video(1)])
    (post,) = await found(videos.handle)
    assert isinstance(post, Post)
    assert (post.source, post.network, post.id) == ("youtube", "", "v1")
    assert post.key == post_key("youtube", "v1")
    assert post.url == "https://www.youtube.com/watch?v=v1"
    assert (post.text, post.author) == ("video & 1\nwords", "UCx")
    assert post.published_at == datetime(2026, 5, 25, 14, 23, 28, tzinfo=UTC)
    assert [(one.url, one.kind) for one in post.media] == [
        ("https://pictures.example/1/high.jpg", MediaKind.IMAGE),
        ("https://www.youtube.com/watch?v=v1", MediaKind.PAGE),
    ]
    (asked,) = videos.asked
    assert (asked["q"], asked["maxResults"]) == (["두 낱말"], ["50"])
    assert asked["publishedAfter"] == ["2026-05-01T00:00:00Z"]
    assert "pageToken" not in asked


async def test_pages_are_followed_by_their_cursor() -> None:
    videos = Videos([a_video(n) for n in range(120)])
    assert len(await found(videos.handle)) == 120
    assert [one.get("pageToken") for one in videos.asked] == [None, ["50"], ["100"]]


async def test_more_than_was_wanted_costs_no_request() -> None:
    videos = Videos([a_video(n) for n in range(120)])
    *posts, end = await found(videos.handle, limit=100)
    assert (len(posts), end, len(videos.asked)) == (100, Truncated(reason="limit"), 2)
    *posts, end = await found(videos.handle, limit=30)
    assert (len(posts), end, len(videos.asked)) == (30, Truncated(reason="limit"), 3)
    assert len(await found(videos.handle, limit=120)) == 120


async def test_more_pages_than_are_asked_for_are_said_to_be_left() -> None:
    *posts, end = await found(Videos([a_video(n) for n in range(120)]).handle, max_pages=2)
    assert (len(posts), end) == (100, Truncated(reason="pages"))


@pytest.mark.parametrize(("name", "asked"), [("offset", ["1", "11", "21"]), ("page", "123")])
async def test_pages_are_followed_by_their_number_or_offset(name: str, asked: Any) -> None:
    given: list[str] = []

    def handle(path: str, query: dict[str, list[str]], *_: Any) -> Answer:
        given.extend(query["at"])
        begin = (len(given) - 1) * 10
        pages = [{"url": f"https://a.example/{n}"} for n in range(begin, min(begin + 10, 25))]
        return 200, {}, {"found": pages}

    params = {"q": "{words}", "at": f"{{{name}}}"}
    assert len(await found(handle, **PAGED | {"params": params})) == 25
    assert given == list(asked)


async def test_a_quota_is_of_one_day_and_what_is_beyond_it_is_said_to_lack() -> None:
    videos = Videos([a_video(n) for n in range(120)])
    *posts, end = await found(videos.handle, queries_per_day=1)
    assert (len(posts), end) == (50, Truncated(reason="quota"))


def test_a_quota_begins_anew_at_midnight(clock: FakeClock) -> None:
    quota = DailyQuota(2, clock)
    assert [quota.take() for _ in range(3)] == [True, True, False]
    clock.advance(timedelta(hours=12).total_seconds())
    assert [quota.take() for _ in range(3)] == [True, True, False]
    assert all(DailyQuota(None, clock).take() for _ in range(9))


async def test_dates_are_read_in_every_form_and_what_is_older_is_left_out() -> None:
    dates = ["2026-05-25T14:23:28+09:00", "Mon, 25 May 2026 14:23:28 +0900", 1_779_686_608,
             "Mon, 25 May 2020 14:23:28 +0900", "soon", 10**18, None]  # fmt: skip
    items = [{"url": f"https://a.example/{n}", "at": date} for n, date in enumerate(dates)]
    posts = [one for one in await found(listed(*items), **PAGED) if isinstance(one, Post)]
    assert len(posts) == 6
    assert {one.published_at for one in posts[:3]} == {datetime(2026, 5, 25, 5, 23, 28, tzinfo=UTC)}
    assert [one.published_at for one in posts[3:]] == [None] * 3


async def test_what_is_a_picture_is_not_read_as_a_page() -> None:
    (post,) = await found(listed({"url": "https://a.example/1.jpg"}), **PAGED, url_kind="image")
    assert isinstance(post, Post)
    assert [(one.url, one.kind) for one in post.media] == [
        ("https://a.example/1.jpg", MediaKind.IMAGE)
    ]


@pytest.mark.parametrize("bad", [7, None, [], {}, a_video(1) | {"id": {"videoId": 7}}])
async def test_what_an_expression_does_not_fit_is_rejected_at_its_place(bad: Any) -> None:
    _, rejected = await found(Videos([a_video(0), bad]).handle)
    assert rejected == Rejected(cursor="", reason="invalid_message", position=1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["title", "description", "thumbnails", "publishedAt", "channelId"]), JSON)
def test_no_field_makes_it_fail_otherwise(name: str, value: Any) -> None:
    with contextlib.suppress(InvalidMessageError):
        to_new_post(a_video(1, **{name: value}), example())


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((429, {"Retry-After": "9"}, b""), RateLimitedError),
        ((403, {}, b"{}"), UnauthorizedError),
        ((500, {}, b""), SourceError),
        ((200, {}, b"<"), SourceError),
    ],
)
async def test_a_service_that_does_not_answer_says_why(
    answer: Answer, kind: type[SourceError]
) -> None:
    with pytest.raises(SourceError) as caught:
        await found(lambda *_: answer)
    assert type(caught.value) is kind
    assert caught.value.retry_after_seconds == (9 if kind is RateLimitedError else None)


@pytest.mark.parametrize("answer", [[], 7, {"items": 7}, {}])
async def test_an_answer_without_items_finds_nothing(answer: Any) -> None:
    assert await found(lambda *_: (200, {}, answer)) == []


async def test_an_answer_that_no_expression_fits_is_an_error() -> None:
    fields = PAGED["fields"] | {"items": "sort(found)"}
    with pytest.raises(SourceError):
        await found(listed(1, "a"), **PAGED | {"fields": fields})


async def test_a_token_that_is_none_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError):
        await found(Videos([]).handle, token={"value": "a\nb"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"params": {"q": "{word}"}},
        {"params": {"q": "words"}},
        {"params": {"q": "{words}"}},
        {"token": None},
        {"fields": {"items": "[", "url": "url", "next": "x"}},
        {"fields": {"items": "a", "url": "url"}},
        {"url": "ftp://a.example"},
    ],
)
def test_what_cannot_work_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        example(**wrong)
