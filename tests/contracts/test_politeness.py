"""What every `Politeness` must do; the shared one on a real Redis."""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path

import pytest
from redis.asyncio import Redis

from streams.media.politeness import LocalPoliteness, Politeness, RedisPoliteness

Build = Callable[[int, float], Politeness]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_listening(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the server did not start")


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed")
    port = free_port()
    home: Path = tmp_path_factory.mktemp("redis")
    server = subprocess.Popen(
        [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(home), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    wait_until_listening(port)
    yield port
    server.kill()
    server.wait()


@pytest.fixture
async def redis(redis_port: int) -> AsyncIterator[Redis]:
    client = Redis(host="127.0.0.1", port=redis_port)
    async with aclosing(client):
        await client.flushall()
        yield client


@pytest.fixture(params=["local", pytest.param("redis", marks=pytest.mark.servers)])
def build(request: pytest.FixtureRequest) -> Build:
    if request.param == "local":
        return LocalPoliteness
    redis: Redis = request.getfixturevalue("redis")
    return lambda most, pause: RedisPoliteness(redis, max_per_host=most, min_interval_seconds=pause)


class Visits:
    """Who was inside at once, and when each began."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.starts: list[float] = []

    async def visit(self, politeness: Politeness, host: str, seconds: float) -> None:
        async with politeness.slot(host):
            self.starts.append(time.perf_counter())
            self.inside += 1
            self.most = max(self.most, self.inside)
            await asyncio.sleep(seconds)
            self.inside -= 1


async def test_no_more_than_allowed_ask_one_host_at_once(build: Build) -> None:
    politeness, visits = build(2, 0), Visits()
    await asyncio.gather(*[visits.visit(politeness, "a.example", 0.03) for _ in range(8)])
    assert len(visits.starts) == 8
    assert visits.most == 2


async def test_starts_are_spaced(build: Build) -> None:
    politeness, visits = build(4, 0.1), Visits()
    await asyncio.gather(*[visits.visit(politeness, "a.example", 0) for _ in range(4)])
    starts = sorted(visits.starts)
    gaps = [later - sooner for sooner, later in pairwise(starts)]
    assert all(gap > 0.07 for gap in gaps), gaps
    assert starts[-1] - starts[0] >= 0.28


async def test_another_host_is_not_held_up(build: Build) -> None:
    politeness, visits = build(1, 5), Visits()
    async with politeness.slot("a.example"), asyncio.timeout(1):
        await visits.visit(politeness, "b.example", 0)


async def test_a_slot_comes_back_after_an_error(build: Build) -> None:
    politeness = build(1, 0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with asyncio.timeout(1), politeness.slot("a.example"):
                raise ZeroDivisionError
    async with asyncio.timeout(1), politeness.slot("a.example"):
        pass


async def test_a_wait_cancelled_at_any_moment_ends_and_takes_no_slot(build: Build) -> None:
    politeness, visits = build(1, 0), Visits()
    for moment in range(60):
        async with politeness.slot("a.example"):
            waiting = [
                asyncio.ensure_future(visits.visit(politeness, "a.example", 0)) for _ in range(3)
            ]
            await asyncio.sleep(moment / 1500)
            for task in waiting:
                task.cancel()
            _, unended = await asyncio.wait(waiting, timeout=2)
            assert not unended
    assert visits.starts == []
    async with asyncio.timeout(1):
        await visits.visit(politeness, "a.example", 0)


@pytest.mark.servers
async def test_two_workers_share_one_hosts_slots(redis: Redis, redis_port: int) -> None:
    other = Redis(host="127.0.0.1", port=redis_port)
    async with aclosing(other):
        workers = [RedisPoliteness(client, max_per_host=2) for client in (redis, other)]
        visits = Visits()
        await asyncio.gather(*[visits.visit(workers[i % 2], "a.example", 0.05) for i in range(8)])
    assert visits.most == 2


@pytest.mark.servers
async def test_the_slot_of_a_dead_worker_expires(redis: Redis) -> None:
    dead = RedisPoliteness(redis, max_per_host=1, lease_seconds=0.3)
    never_given_back = dead.slot("a.example")
    await never_given_back.__aenter__()
    alive, visits = RedisPoliteness(redis, max_per_host=1, lease_seconds=0.3), Visits()
    began = time.perf_counter()
    await visits.visit(alive, "a.example", 0)
    assert 0.2 < time.perf_counter() - began < 2
    await never_given_back.__aexit__(None, None, None)


@pytest.mark.servers
async def test_redis_never_sees_a_hosts_name(redis: Redis) -> None:
    async with RedisPoliteness(redis, min_interval_seconds=1).slot("victim.example"):
        keys = await redis.keys("*")
    assert len(keys) == 2
    assert all(b"victim" not in key for key in keys)


async def test_without_redis_a_worker_keeps_the_limits_alone() -> None:
    absent = Redis(host="127.0.0.1", port=free_port())
    async with aclosing(absent):
        politeness, visits = RedisPoliteness(absent, max_per_host=2), Visits()
        await asyncio.gather(*[visits.visit(politeness, "a.example", 0.02) for _ in range(6)])
    assert len(visits.starts) == 6
    assert visits.most == 2


async def test_a_redis_that_hangs_stops_nothing() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    hanging = Redis(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    async with server, aclosing(hanging):
        politeness, visits = RedisPoliteness(hanging, max_per_host=2), Visits()
        async with asyncio.timeout(3):
            for _ in range(3):
                await visits.visit(politeness, "a.example", 0)
    assert len(visits.starts) == 3
