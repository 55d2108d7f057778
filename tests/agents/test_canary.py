"""`agents.canary`."""

import asyncio

import pytest

from agents.canary import CanaryWatch
from monitors.database import Database
from monitors.freshness import CANARY_MISSING, Expectation, Heard, note_heard, read_freshness
from streams.errors import SourceError
from streams.sources.source import SourcedPost
from tests.agents.pipeline import a_post, until
from tests.fakes import FakeClock

EXPECTED = {"bluesky": Expectation(silent_seconds=1e6)}


class Account:
    """A canary that notes what is asked of it."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.log: list[str] = []

    async def publish(self) -> str:
        self.log.append("publish")
        if self.fails:
            raise SourceError("away")
        return "1"

    async def withdraw(self, post_id: str) -> None:
        self.log.append(f"withdraw {post_id}")
        if self.fails:
            raise SourceError("away")


def troubles(database: Database, clock: FakeClock) -> tuple[str, ...]:
    with database.read() as connection:
        [found] = read_freshness(connection, EXPECTED, clock.now())
    return found.troubles


async def test_a_canary_that_comes_back_is_noted_and_withdrawn(
    database: Database, clock: FakeClock
) -> None:
    account = Account()
    watch = CanaryWatch("bluesky", account, database, clock)
    watch.saw([SourcedPost(post=a_post(clock, 1), cursor="1")])
    sending = asyncio.ensure_future(watch.send())
    await until(lambda: account.log)
    watch.saw([SourcedPost(post=a_post(clock, 2), cursor="2")])
    await asyncio.sleep(0)
    assert not sending.done()
    watch.saw([SourcedPost(post=a_post(clock, 1), cursor="3")])
    assert await sending
    assert account.log == ["publish", "withdraw 1"]
    clock.advance(1000)
    assert CANARY_MISSING not in troubles(database, clock)


async def test_a_canary_that_does_not_come_back_is_a_trouble(
    database: Database, clock: FakeClock
) -> None:
    account = Account()
    with database.write() as connection:
        note_heard(connection, database, "bluesky", Heard(counts={}), clock.now())
    assert not await CanaryWatch("bluesky", account, database, clock).send(wait_seconds=0.01)
    assert account.log == ["publish", "withdraw 1"]
    assert troubles(database, clock) == ()
    clock.advance(121)
    assert troubles(database, clock) == (CANARY_MISSING,)


async def test_a_network_that_takes_no_canary_is_asked_again_later(
    database: Database, clock: FakeClock
) -> None:
    account, slept = Account(fails=True), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await CanaryWatch("bluesky", account, database, clock, sleep=sleep).run()
    assert account.log == ["publish", "publish"]
