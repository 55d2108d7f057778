"""`agents.producer`. A broker does not fail on demand: the producer that does is a fake."""

import asyncio
from pathlib import Path
from typing import cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError

from agents.producer import ProducerSender, open_producer
from streams.errors import BrokerUnavailableError, OversizedMessageError
from streams.settings import Settings
from streams.topics import POSTS
from streams.types import PostKey
from tests.brokers import embedded_broker

RECORDS = [(PostKey("one"), b"1"), (PostKey("two"), b"2")]


class FakeProducer:
    """Takes records; some of them are not acknowledged."""

    def __init__(self, *answers: BaseException | None, refuses: KafkaError | None = None) -> None:
        self._answers = list(answers)
        self._refuses = refuses
        self.sent: list[tuple[str, bytes, bytes]] = []

    async def send(self, topic: str, *, key: bytes, value: bytes) -> "asyncio.Future[None]":
        if self._refuses is not None:
            raise self._refuses
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        failure = self._answers.pop(0) if self._answers else None
        if failure is None:
            self.sent.append((topic, key, value))
            answer.set_result(None)
        else:
            answer.set_exception(failure)
        return answer


def sender(producer: FakeProducer) -> ProducerSender:
    return ProducerSender(cast("AIOKafkaProducer", producer))


async def test_records_are_sent_in_their_order_with_their_keys() -> None:
    producer = FakeProducer()
    await sender(producer)(POSTS, RECORDS)
    assert producer.sent == [(POSTS, b"one", b"1"), (POSTS, b"two", b"2")]


async def test_a_record_that_is_not_acknowledged_is_said() -> None:
    producer = FakeProducer(None, KafkaConnectionError("secret.example"))
    with pytest.raises(BrokerUnavailableError, match=r"^KafkaConnectionError$"):
        await sender(producer)(POSTS, RECORDS)


async def test_a_broker_that_takes_nothing_is_said() -> None:
    with pytest.raises(BrokerUnavailableError, match=r"^KafkaError$"):
        await sender(FakeProducer(refuses=KafkaError("secret.example")))(POSTS, RECORDS)


async def test_a_record_too_large_for_the_broker_is_no_outage() -> None:
    with pytest.raises(OversizedMessageError):
        await sender(FakeProducer(MessageSizeTooLargeError()))(POSTS, RECORDS)


async def test_a_producer_is_opened_when_the_broker_answers(tmp_path: Path) -> None:
    with embedded_broker() as url:
        async with asyncio.timeout(30), open_producer(
            Settings(home=tmp_path, broker_url=url)
        ) as producer:  # fmt: skip
            await ProducerSender(producer)(POSTS, RECORDS)
            assert await producer.partitions_for(POSTS)
