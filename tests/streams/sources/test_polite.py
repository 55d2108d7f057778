"""`streams.sources.polite`, against a real server on loopback."""

import gzip
from collections.abc import AsyncIterator

import pytest

from streams.errors import (
    ConfigurationError,
    ForbiddenAddressError,
    MediaTooLargeError,
    RateLimitedError,
    SourceError,
    TooManyRedirectsError,
    UnauthorizedError,
)
from streams.media.fetcher import USER_AGENT
from streams.sources.polite import MAX_PAGE_BYTES, PoliteClient, Validators, named_by_operator
from tests.fakes import FakeClock
from tests.streams.sources.hosting import Host, Sleeper, hosted


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with hosted() as host:
        yield host


@pytest.fixture
def sleeper(clock: FakeClock) -> Sleeper:
    return Sleeper(clock)


@pytest.fixture
async def client(host: Host, clock: FakeClock, sleeper: Sleeper) -> AsyncIterator[PoliteClient]:
    client = PoliteClient(clock=clock, sleep=sleeper, allow_origins=frozenset({host.origin}))
    yield client
    await client.close()


async def test_a_page_comes_with_what_makes_the_next_request_conditional(
    client: PoliteClient, host: Host
) -> None:
    host.give("/a", "words", ETag='"1"', Last_Modified="Mon, 23 Nov 2026 12:00:00 GMT", Link="<x>")
    page = await client.get(f"{host.origin}/a")
    assert (page.status, page.body, page.content_type) == (200, b"words", "text/html")
    assert (page.link, page.moved_to, page.url) == ("<x>", None, f"{host.origin}/a")
    host.give("/a", status=304)
    again = await client.get(f"{host.origin}/a", validators=page.validators)
    assert (again.status, again.body) == (304, b"")
    _, _, headers = host.asked[-1]
    assert headers["If-None-Match"] == '"1"'
    assert headers["If-Modified-Since"] == "Mon, 23 Nov 2026 12:00:00 GMT"
    assert headers["User-Agent"] == USER_AGENT
    assert "Cookie" not in headers


async def test_a_host_is_asked_once_a_delay_and_by_its_own_wish_less_often(
    client: PoliteClient, host: Host, sleeper: Sleeper, clock: FakeClock
) -> None:
    host.give("/a")
    await client.get(f"{host.origin}/a")
    await client.get(f"{host.origin}/a", delay_seconds=7)
    await client.get(f"{host.origin}/a")
    assert sleeper.slept == [1.0, 7.0]
    clock.advance(5)
    await client.get(f"{host.origin}/a")
    assert sleeper.slept == [1.0, 7.0]


async def test_a_packed_page_is_unpacked_but_no_bomb(client: PoliteClient, host: Host) -> None:
    host.give("/a", gzip.compress(b"words"), Content_Encoding="gzip")
    assert (await client.get(f"{host.origin}/a")).body == b"words"
    host.give("/a", gzip.compress(bytes(MAX_PAGE_BYTES + 1)), Content_Encoding="gzip")
    with pytest.raises(MediaTooLargeError):
        await client.get(f"{host.origin}/a")
    host.give("/a", bytes(MAX_PAGE_BYTES + 1))
    with pytest.raises(MediaTooLargeError):
        await client.get(f"{host.origin}/a")
    for coding in ("gzip", "br"):
        host.give("/a", b"neither", Content_Encoding=coding)
        with pytest.raises(SourceError):
            await client.get(f"{host.origin}/a")


async def test_a_lasting_move_is_told_and_a_passing_one_is_not(
    client: PoliteClient, host: Host
) -> None:
    host.give("/a", status=301, Location="/b")
    host.give("/b", status=302, Location="/c")
    host.give("/c", "words")
    page = await client.get(f"{host.origin}/a")
    assert (page.body, page.moved_to) == (b"words", f"{host.origin}/b")
    host.give("/c", status=308, Location="/c")
    with pytest.raises(TooManyRedirectsError):
        await client.get(f"{host.origin}/b")


@pytest.mark.parametrize("status", [429, 503])
async def test_a_host_that_asks_to_be_left_alone_is(
    client: PoliteClient, host: Host, clock: FakeClock, status: int
) -> None:
    host.give("/a", status=status, Retry_After="90")
    with pytest.raises(RateLimitedError) as told:
        await client.get(f"{host.origin}/a")
    assert told.value.retry_after_seconds == 90
    clock.advance(40)
    with pytest.raises(RateLimitedError) as told:
        await client.get(f"{host.origin}/b")
    assert told.value.retry_after_seconds == 50
    assert host.paths() == ["/a"]
    clock.advance(50)
    host.give("/a", status=status)
    with pytest.raises(RateLimitedError) as told:
        await client.get(f"{host.origin}/a")
    assert told.value.retry_after_seconds == 60


@pytest.mark.parametrize(
    ("status", "error"), [(401, UnauthorizedError), (403, UnauthorizedError), (500, SourceError)]
)
async def test_what_is_no_answer_is_an_error(
    client: PoliteClient, host: Host, status: int, error: type[Exception]
) -> None:
    host.give("/a", status=status)
    with pytest.raises(error):
        await client.get(f"{host.origin}/a")


@pytest.mark.parametrize("status", [404, 410, 451])
async def test_what_is_gone_is_an_answer(client: PoliteClient, host: Host, status: int) -> None:
    host.give("/a", "a page that says so", status=status)
    page = await client.get(f"{host.origin}/a")
    assert (page.status, page.body) == (status, b"")


async def test_no_way_leads_to_a_private_address_that_was_not_allowed(
    client: PoliteClient, host: Host
) -> None:
    async with hosted() as other:
        host.give("/a", status=302, Location=f"{other.origin}/b")
        with pytest.raises(ForbiddenAddressError):
            await client.get(f"{host.origin}/a")
        with pytest.raises(ForbiddenAddressError):
            await client.post(f"{other.origin}/b", {})
        assert other.asked == []
    with pytest.raises(ConfigurationError, match="address"), named_by_operator():
        await client.get("http://127.0.0.1:1/x")


async def test_a_host_that_is_not_there_is_a_source_that_does_not_give(
    clock: FakeClock, sleeper: Sleeper
) -> None:
    async with hosted() as gone:
        origin = gone.origin
    client = PoliteClient(clock=clock, sleep=sleeper, allow_origins=frozenset({origin}))
    with pytest.raises(SourceError) as told:
        await client.get(f"{origin}/a")
    assert origin not in str(told.value)
    await client.close()


async def test_a_form_is_posted(client: PoliteClient, host: Host) -> None:
    host.give("/hub", status=202)
    assert await client.post(f"{host.origin}/hub", {"hub.mode": "subscribe", "a": "b c"}) == 202
    assert host.bodies == [b"hub.mode=subscribe&a=b+c"]


def test_validators_that_are_not_there_are_not_sent() -> None:
    assert Validators().headers() == {}
