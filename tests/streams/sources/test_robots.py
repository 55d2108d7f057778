"""`streams.sources.robots`, against a real server on loopback."""

from collections.abc import AsyncIterator

import pytest

from streams.errors import ForbiddenAddressError, SourceError, UnauthorizedError
from streams.sources.polite import MAX_PAGE_BYTES, PoliteClient
from streams.sources.robots import KEPT_SECONDS, MAX_DELAY_SECONDS, Robots
from tests.fakes import FakeClock
from tests.streams.sources.hosting import Host, Sleeper, hosted


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with hosted() as host:
        yield host


@pytest.fixture
async def robots(host: Host, clock: FakeClock) -> AsyncIterator[Robots]:
    client = PoliteClient(clock=clock, sleep=Sleeper(clock), allow_origins=frozenset({host.origin}))
    yield Robots(client, clock)
    await client.close()


async def test_our_own_group_goes_before_everybodys(robots: Robots, host: Host) -> None:
    host.give(
        "/robots.txt",
        "User-agent: *\nDisallow: /\n\nUser-agent: haechi\nDisallow: /private\nCrawl-delay: 7\n",
    )
    assert robots.delay_of(f"{host.origin}/list") == 0
    assert await robots.allow(f"{host.origin}/list?page=1")
    assert not await robots.allow(f"{host.origin}/private/1")
    assert robots.delay_of(f"{host.origin}/list") == 7


async def test_it_is_asked_for_once_a_day(robots: Robots, host: Host, clock: FakeClock) -> None:
    host.give("/robots.txt", "User-agent: *\nDisallow: /a\n")
    assert not await robots.allow(f"{host.origin}/a")
    host.give("/robots.txt", "")
    assert not await robots.allow(f"{host.origin}/a")
    clock.advance(KEPT_SECONDS)
    assert await robots.allow(f"{host.origin}/a")
    assert host.paths() == ["/robots.txt"] * 2


async def test_a_host_without_one_allows_everything(robots: Robots, host: Host) -> None:
    assert await robots.allow(f"{host.origin}/a")


@pytest.mark.parametrize(("status", "error"), [(500, SourceError), (403, UnauthorizedError)])
async def test_a_host_that_does_not_say_has_not_allowed_it(
    robots: Robots, host: Host, status: int, error: type[Exception]
) -> None:
    host.give("/robots.txt", status=status)
    with pytest.raises(error):
        await robots.allow(f"{host.origin}/a")


async def test_one_that_is_too_large_says_nothing(robots: Robots, host: Host) -> None:
    host.give("/robots.txt", bytes(MAX_PAGE_BYTES + 1))
    with pytest.raises(SourceError):
        await robots.allow(f"{host.origin}/a")


async def test_a_private_address_is_not_asked(robots: Robots) -> None:
    with pytest.raises(ForbiddenAddressError):
        await robots.allow("http://127.0.0.1:1/a")


async def test_a_delay_without_end_is_cut_and_rubbish_is_no_rule(
    robots: Robots, host: Host
) -> None:
    host.give("/robots.txt", b"\xff\x00rubbish\nUser-agent: *\nCrawl-delay: 1e9\nDisallow\n")
    assert await robots.allow(f"{host.origin}/a")
    assert robots.delay_of(f"{host.origin}/a") == MAX_DELAY_SECONDS
