"""`streams.broker`, against the embedded broker itself."""

from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from streams import broker, topics
from streams.errors import BrokerUnavailableError
from tests.brokers import embedded_broker


@pytest.fixture
def url() -> Iterator[str]:
    with embedded_broker() as opened:
        yield opened


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("kafka://127.0.0.1:9093", ["127.0.0.1:9093"]),
        ("kafka://one;two:1", ["one:9092", "two:1"]),
        ("kafka://one:1;kafka://two:2/", ["one:1", "two:2"]),
    ],
)
def test_a_url_names_its_servers(url: str, servers: list[str]) -> None:
    assert broker.servers_of(url) == servers


async def test_topics_are_made_once_with_their_partitions(url: str) -> None:
    await broker.wait_for_broker(url, 10)
    await broker.create_topics(url, 3)
    await broker.create_topics(url, 3)
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.servers_of(url))
    await admin.start()
    try:
        found = {
            one["topic"]: len(one["partitions"])
            for one in await admin.describe_topics(list(topics.ALL))
        }
    finally:
        await admin.close()
    assert found == dict.fromkeys(topics.ALL, 3)


async def test_a_broker_that_is_not_there_is_said_in_time() -> None:
    nowhere = broker.embedded_url(broker.free_port())
    with pytest.raises(BrokerUnavailableError):
        await broker.wait_for_broker(nowhere, 0.2)
    with pytest.raises(BrokerUnavailableError):
        await broker.create_topics(nowhere, 3)


async def test_a_producer_gets_every_acknowledgement(url: str) -> None:
    await broker.wait_for_broker(url, 10)
    await broker.create_topics(url, 2)
    producer = broker.build_producer(url)
    await producer.start()
    try:
        sent = await producer.send(topics.POSTS, key=b"k", value=b"v")
        assert (await sent).topic == topics.POSTS
    finally:
        await producer.stop()


def test_the_embedded_broker_listens_on_loopback_and_keeps_nothing() -> None:
    words = broker.embedded_command(4711)
    assert words.count("tcp://127.0.0.1:4711") == 2
    assert words[words.index("--storage-engine") + 1].startswith("memory:")


def test_a_port_in_use_is_not_free() -> None:
    port = broker.free_port()
    assert broker.is_free(port)
