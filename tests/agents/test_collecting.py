"""`agents.collecting`: the process, against the embedded broker."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer

from agents.collecting import owner_of, push_token, run
from streams import topics
from streams.broker import free_port, servers_of
from streams.clock import SystemClock
from streams.errors import ConfigurationError
from streams.schemas import PostRecord
from streams.settings import Settings
from tests.brokers import embedded_broker


@pytest.fixture
def broker_url() -> Iterator[str]:
    with embedded_broker() as url:
        yield url


def collector_settings(home: Path, url: str, **values: object) -> Settings:
    ports = {"push_port": free_port(), "collector_port": free_port()}
    return Settings(home=home, broker_url=url, **ports | values)  # type: ignore[arg-type]


async def first_record(url: str) -> PostRecord:
    consumer = AIOKafkaConsumer(
        topics.POSTS, bootstrap_servers=servers_of(url), auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        return PostRecord.from_bytes((await consumer.getone()).value)
    finally:
        await consumer.stop()


async def test_what_is_pushed_reaches_the_topic_and_a_signal_ends_it_in_order(
    tmp_path: Path, broker_url: str
) -> None:
    settings = collector_settings(tmp_path, broker_url)
    running = asyncio.ensure_future(run(settings, SystemClock()))
    post = {"id": "1", "url": "https://board.example/1", "text": "hello"}
    headers = {"Authorization": f"Bearer {push_token(settings)}"}
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(
                    f"http://127.0.0.1:{settings.collector_port}/readyz"
                ) as answer:
                    if answer.status == 200:
                        break
            except aiohttp.ClientError:
                assert not running.done(), running.result()
            await asyncio.sleep(0.05)
        push = f"http://127.0.0.1:{settings.push_port}/v1/posts"
        async with session.post(push, json=post, headers=headers) as answer:
            assert (answer.status, (await answer.json())["accepted"]) == (202, 1)
        record = await first_record(broker_url)
    assert (record.id, record.source) == ("1", "push")
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(10):
        await running


async def test_a_replay_file_is_played_into_the_topic(tmp_path: Path, broker_url: str) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_text(json.dumps({"id": "7", "url": "https://board.example/7"}) + "\n")
    settings = collector_settings(tmp_path, broker_url, replay_file=file)
    running = asyncio.ensure_future(run(settings, SystemClock()))
    async with asyncio.timeout(30):
        while not (tmp_path / "haechi.db").exists():  # noqa: ASYNC110 - another task makes it
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        assert (await first_record(broker_url)).id == "7"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_missing_replay_file_is_said(tmp_path: Path, broker_url: str) -> None:
    settings = collector_settings(tmp_path, broker_url, replay_file=tmp_path / "none.jsonl")
    with pytest.raises(ConfigurationError, match="replay file"):
        await run(settings, SystemClock())


async def test_a_taken_push_port_is_said(tmp_path: Path, broker_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = collector_settings(tmp_path, broker_url, push_port=taken.getsockname()[1])
        with pytest.raises(ConfigurationError, match="push endpoint"):
            await run(settings, SystemClock())


def test_a_collectors_name_outlives_it(tmp_path: Path) -> None:
    here, there = Settings(home=tmp_path / "a"), Settings(home=tmp_path / "b")
    assert owner_of(here) == owner_of(here) != owner_of(there)
    assert len(owner_of(here)) <= 64


def test_the_push_token_is_made_once_and_kept(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert push_token(settings) == push_token(settings)
    chosen = Settings(home=tmp_path, push_token="mine")
    assert push_token(chosen) == "mine"
