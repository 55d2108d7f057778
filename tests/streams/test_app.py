"""`streams.app`."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from streams import topics
from streams.app import FETCH_MAX_WAIT_MS, build_app, declare_topics
from streams.settings import Settings


@pytest.fixture
async def app(tmp_path: Path) -> Any:
    built = build_app(Settings(home=tmp_path))
    built.loop = asyncio.get_running_loop()
    built.finalize()
    return built


async def test_topics_carry_raw_bytes_and_are_made_with_their_partitions(app: Any) -> None:
    declared = declare_topics(app, 3)
    assert set(declared) == set(topics.ALL)
    for topic in declared.values():
        assert (topic.partitions, topic.internal) == (3, True)
        assert (topic.key_type, topic.value_type) == (bytes, bytes)


async def test_a_fetch_waits_a_tenth_of_a_second_not_one_and_a_half(app: Any) -> None:
    consumer = app.consumer._thread._create_worker_consumer(app.transport)
    assert consumer._fetch_max_wait_ms == FETCH_MAX_WAIT_MS
    consumer._closed = True  # it was never started


@pytest.mark.parametrize(
    ("url", "seconds"),
    [(None, 6), ("kafka://127.0.0.1:4711", 6), ("kafka://kafka:9092", 10)],
)
def test_a_dead_worker_is_noticed_in_seconds(
    tmp_path: Path, url: str | None, seconds: float
) -> None:
    conf = build_app(Settings(home=tmp_path, broker_url=url)).conf
    assert conf.broker_session_timeout == seconds
    assert conf.broker_heartbeat_interval <= seconds / 3
    assert conf.stream_wait_empty


def test_building_touches_nothing(tmp_path: Path) -> None:
    build_app(Settings(home=tmp_path / "home"))
    assert list(tmp_path.iterdir()) == []
