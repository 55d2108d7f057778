"""`agents.producing`."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from agents import producing as producing_module
from agents.producing import Producing
from agents.sending import Keyed
from monitors import inbox
from monitors.database import Database
from streams import topics
from streams.errors import BrokerUnavailableError
from tests.agents.pipeline import Sent, a_post, store, until
from tests.fakes import FakeClock


class Failing(Sent):
    """A `Send` whose broker is away for some calls."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    async def __call__(self, topic: str, records: Sequence[Keyed]) -> None:
        if self.failures:
            self.failures -= 1
            raise BrokerUnavailableError
        await super().__call__(topic, records)


def a_producing(database: Database, send: Sent, clock: FakeClock, owner: str = "here") -> Producing:
    return Producing(database, send, clock, owner=owner, reproduce_after_seconds=60)


async def test_what_is_due_is_sent_once(database: Database, clock: FakeClock) -> None:
    sent = Sent()
    producing = a_producing(database, sent, clock)
    posts = [a_post(clock, number) for number in range(3)]
    store(database, *posts)
    assert await producing.produce() == 3
    assert await producing.produce() == 0
    assert {key for key, _ in sent.to(topics.POSTS)} == {post.key for post in posts}


async def test_what_the_broker_did_not_take_stays_due(database: Database, clock: FakeClock) -> None:
    sent = Failing(1)
    producing = a_producing(database, sent, clock)
    store(database, a_post(clock))
    with pytest.raises(BrokerUnavailableError):
        await producing.produce()
    assert await producing.produce() == 1


async def test_a_post_that_does_not_end_is_produced_again(
    database: Database, clock: FakeClock
) -> None:
    sent = Sent()
    producing = a_producing(database, sent, clock)
    store(database, a_post(clock))
    await producing.produce()
    clock.advance(59)
    assert await producing.produce() == 0
    clock.advance(11)
    assert await producing.produce() == 1
    assert await producing.produce() == 0
    assert len(sent.records) == 2


async def test_a_post_put_off_is_produced_when_its_time_comes(
    database: Database, clock: FakeClock
) -> None:
    sent = Sent()
    producing = a_producing(database, sent, clock)
    post = a_post(clock)
    store(database, post)
    await producing.produce()
    with database.write() as connection:
        inbox.postpone(connection, post.key, clock.now() + timedelta(seconds=20))
    assert await producing.produce() == 0
    clock.advance(20)
    assert await producing.produce() == 1


async def test_one_collector_of_two_produces(database: Database, clock: FakeClock) -> None:
    first, second = Sent(), Sent()
    here = a_producing(database, first, clock, "here")
    there = a_producing(database, second, clock, "there")
    store(database, a_post(clock, 1))
    assert await here.produce() == 1
    store(database, a_post(clock, 2))
    assert await there.produce() == 0
    clock.advance(16)
    assert await there.produce() == 1


async def test_it_goes_on_when_the_broker_comes_back_and_wakes_for_arrivals(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producing_module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(producing_module, "IDLE_SECONDS", 60)
    sent, arrived = Failing(3), asyncio.Event()
    producing = a_producing(database, sent, clock)
    store(database, a_post(clock, 1))
    running = asyncio.ensure_future(producing.run(arrived))
    await until(lambda: len(sent.records) == 1)
    await until(lambda: not producing.failing)
    await asyncio.sleep(0.2)
    store(database, a_post(clock, 2))
    arrived.set()
    await until(lambda: len(sent.records) == 2)
    running.cancel()
