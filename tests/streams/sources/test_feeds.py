"""`streams.sources.feeds`, against a real server on loopback."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from streams.errors import (
    ConfigurationError,
    RateLimitedError,
    SourceError,
    SourceGoneError,
    UnauthorizedError,
)
from streams.sources.feeds import MAX_CURSOR, FeedConfig, FeedSource
from streams.sources.polite import PoliteClient
from streams.sources.source import EventKind, Missed, Passed, Rejected, SourcedItem, SourcedPost
from tests.fakes import FakeClock
from tests.streams.sources.hosting import Host, Sleeper, hosted
from tests.streams.sources.test_feed_entries import rss

KIND = "application/rss+xml"
CLIENTS: list[PoliteClient] = []
"""Of the test that runs: closed with its host."""


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with hosted() as opened:
        yield opened
        for client in CLIENTS:
            await client.close()
        CLIENTS.clear()


def item(number: int, title: str = "") -> str:
    return (
        f"<item><guid>g{number}</guid><title>{title or number}</title>"
        f"<link>https://board.example/{number}</link></item>"
    )


def source(host: Host, clock: FakeClock, **values: Any) -> tuple[FeedSource, Sleeper]:
    sleeper = Sleeper(clock)
    config = FeedConfig(name="news", url=f"{host.origin}/feed", **values)
    client = PoliteClient(clock=clock, sleep=sleeper, allow_origins=frozenset({host.origin}))
    CLIENTS.append(client)
    return FeedSource(config, clock=clock, client=client, sleep=sleeper), sleeper


async def readings(reader: FeedSource, cursor: str | None, count: int) -> list[list[SourcedItem]]:
    """Give what so many readings give, each up to its heartbeat."""
    found: list[list[SourcedItem]] = [[]]
    async with asyncio.timeout(10), contextlib.aclosing(reader.posts(cursor)) as items:  # type: ignore[type-var]
        async for one in items:
            found[-1].append(one)
            if isinstance(one, Passed):
                if len(found) == count:
                    break
                found.append([])
    return found


def ids(items: list[SourcedItem]) -> list[tuple[str, EventKind]]:
    return [(one.post.id, one.kind) for one in items if isinstance(one, SourcedPost)]


async def test_entries_come_oldest_first_and_an_edit_comes_again(
    host: Host, clock: FakeClock
) -> None:
    host.give("/feed", rss(item(2) + item(1)), kind=KIND)
    reader, sleeper = source(host, clock)
    changed = rss(item(3) + item(2, "changed") + item(1))
    sleeper.then = lambda: host.give("/feed", changed, kind=KIND)
    first, second = await readings(reader, None, 2)
    assert ids(first) == [("g1", EventKind.POST), ("g2", EventKind.POST)]
    assert ids(second) == [("g2", EventKind.EDIT), ("g3", EventKind.POST)]


async def test_an_unchanged_feed_is_asked_for_conditionally(host: Host, clock: FakeClock) -> None:
    modified = "Mon, 25 May 2026 14:23:28 GMT"
    host.give("/feed", rss(item(1)), kind=KIND, ETag='"abc"', Last_Modified=modified)
    reader, _ = source(host, clock)
    [items] = await readings(reader, None, 1)
    cursor = items[-1].cursor
    assert len(cursor) <= MAX_CURSOR
    host.give("/feed", b"", status=304)
    [again] = await readings(reader, cursor, 1)
    assert again == [Passed(cursor=cursor, counts={EventKind.HEARTBEAT: 1})]
    asked = {name.lower(): value for name, value in host.asked[-1][2].items()}
    assert (asked["if-none-match"], asked["if-modified-since"]) == ('"abc"', modified)


async def test_a_list_that_ran_over_while_nobody_read_it_is_said(
    host: Host, clock: FakeClock
) -> None:
    host.give("/feed", rss(item(2) + item(1)), kind=KIND, ETag='"' + "x" * 300 + '"')
    reader, _ = source(host, clock)
    [items] = await readings(reader, None, 1)
    cursor = items[-1].cursor
    assert len(cursor) <= MAX_CURSOR
    host.give("/feed", rss(item(3) + item(2)), kind=KIND)
    [overlapping] = await readings(reader, cursor, 1)
    assert not [one for one in overlapping if isinstance(one, Missed)]
    host.give("/feed", rss(item(9) + item(8)), kind=KIND)
    [beyond] = await readings(reader, cursor, 1)
    assert [one.reason for one in beyond if isinstance(one, Missed)] == ["list_overflow"]
    assert len(ids(beyond)) == 2


async def test_the_feed_says_how_often_it_may_be_read(host: Host, clock: FakeClock) -> None:
    host.give("/feed", rss(item(1), head="<ttl>60</ttl>"), kind=KIND)
    reader, sleeper = source(host, clock, poll_seconds=30)
    await readings(reader, None, 2)
    assert 3600 in sleeper.slept


@pytest.mark.parametrize(
    ("status", "headers", "raised"),
    [
        (410, {}, SourceGoneError),
        (451, {}, SourceGoneError),
        (404, {}, SourceError),
        (500, {}, SourceError),
        (401, {}, UnauthorizedError),
        (429, {"Retry_After": "120"}, RateLimitedError),
    ],
)
async def test_a_refusal_is_named(
    host: Host, clock: FakeClock, status: int, headers: dict[str, str], raised: type[Exception]
) -> None:
    host.give("/feed", b"", status=status, **headers)
    reader, _ = source(host, clock)
    with pytest.raises(raised) as found:
        await readings(reader, None, 1)
    assert "127.0.0.1" not in str(found.value)
    if isinstance(found.value, RateLimitedError):
        assert found.value.retry_after_seconds == 120


async def test_what_is_no_feed_is_set_aside_once_and_the_next_reading_goes_on(
    host: Host, clock: FakeClock
) -> None:
    host.give("/feed", b"<html><p>not a feed", kind="text/html")
    reader, _ = source(host, clock)
    first, second = await readings(reader, None, 2)
    refused = [one for one in (*first, *second) if isinstance(one, Rejected)]
    assert {one.reason for one in refused} == {"invalid_feed"}
    assert len({one.position for one in refused}) == 1, "the same dead letter"
    host.give("/feed", rss("<item><title>no page</title></item>" + item(1)), kind=KIND)
    [mended] = await readings(reader, None, 1)
    assert ids(mended) == [("g1", EventKind.POST)]


async def test_a_feed_that_moved_for_good_is_followed(host: Host, clock: FakeClock) -> None:
    host.give("/feed", b"", status=301, Location="/new")
    host.give("/new", rss(item(1)), kind=KIND)
    reader, _ = source(host, clock)
    found = await readings(reader, None, 2)
    assert ids(found[0]) == [("g1", EventKind.POST)]
    assert host.paths() == ["/feed", "/new", "/new"]


async def test_a_private_address_is_a_mistake_of_the_file(clock: FakeClock) -> None:
    config = FeedConfig(name="news", url="http://127.0.0.1:1/feed")
    with pytest.raises(ConfigurationError, match="sources' file"):
        await readings(FeedSource(config, clock=clock), None, 1)


async def test_a_cursor_that_is_none_of_ours_begins_anew(host: Host, clock: FakeClock) -> None:
    host.give("/feed", rss(item(1)), kind=KIND)
    reader, _ = source(host, clock)
    for cursor in ("77", '{"x":1}', "[]"):
        [items] = await readings(reader, cursor, 1)
        assert ids(items) == [("g1", EventKind.POST)]


@pytest.mark.parametrize("tag", ['"é"', '"바다"'])
async def test_a_tag_that_no_header_can_carry_is_not_sent_back(
    host: Host, clock: FakeClock, tag: str
) -> None:
    modified = "Mon, 25 May 2026 14:23:28 GMT"
    host.give("/feed", rss(item(1)), kind=KIND, ETag=tag, Last_Modified=modified)
    reader, _ = source(host, clock)
    await readings(reader, None, 2)
    asked = {name.lower(): value for name, value in host.asked[-1][2].items()}
    assert "if-none-match" not in asked
    assert asked["if-modified-since"] == modified


async def test_what_a_feed_asks_for_holds_after_an_interruption(
    host: Host, clock: FakeClock
) -> None:
    host.give("/feed", rss(item(1), head="<ttl>60</ttl>"), kind=KIND, ETag='"a"')
    reader, sleeper = source(host, clock, poll_seconds=30)
    [items] = await readings(reader, None, 1)
    host.give("/feed", b"", status=304)
    await readings(reader, items[-1].cursor, 2)
    assert 3600 in sleeper.slept


async def test_what_was_perhaps_not_stored_is_given_again(host: Host, clock: FakeClock) -> None:
    host.give("/feed", rss(item(1)), kind=KIND)
    reader, _ = source(host, clock)
    first, again = await readings(reader, None, 1), await readings(reader, None, 1)
    assert ids(first[0]) == ids(again[0]) == [("g1", EventKind.POST)]


async def test_where_a_feed_moved_to_is_forgotten_after_an_interruption(
    host: Host, clock: FakeClock
) -> None:
    host.give("/feed", b"", status=301, Location="/new")
    host.give("/new", rss(item(1)), kind=KIND)
    reader, _ = source(host, clock)
    await readings(reader, None, 1)
    host.give("/feed", rss(item(2)), kind=KIND)
    host.give("/new", b"", status=404)
    [items] = await readings(reader, None, 1)
    assert ids(items) == [("g2", EventKind.POST)]


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ({}, 3600),
        ({"poll_seconds": 60}, 3600),
        ({"poll_seconds": 86_400}, 259_200),
        ({"poll_seconds": 86_400, "silent_seconds": 60}, 60),
    ],
)
def test_a_feed_that_is_seldom_read_is_not_stalled_meanwhile(
    values: dict[str, float], seconds: float
) -> None:
    config = FeedConfig.model_validate({"name": "n", "url": "https://b.example/"} | values)
    assert config.silent_seconds == seconds


@pytest.mark.parametrize("pause", [29, 86_401, "often", float("nan"), None])
def test_a_pause_that_is_none_is_refused(pause: object) -> None:
    with pytest.raises(ValidationError, match="poll_seconds"):
        FeedConfig.model_validate({"name": "n", "url": "https://b.example/", "poll_seconds": pause})
