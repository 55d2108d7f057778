"""`agents.producer`; that records arrive is seen in `test_collecting.py`."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from agents.producer import ProducerSender
from streams.errors import BrokerUnavailableError, OversizedMessageError
from streams.types import PostKey


class Producer:
    """Stands in for aiokafka's: fails at once, or in the broker's answer."""

    def __init__(self, *, at_once: Exception | None = None, later: Exception | None = None) -> None:
        self.at_once = at_once
        self.later = later
        self.sent: list[tuple[str, bytes, bytes]] = []

    async def send(self, topic: str, *, key: bytes, value: bytes) -> "asyncio.Future[None]":
        if self.at_once is not None:
            raise self.at_once
        self.sent.append((topic, key, value))
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.later is None:
            answer.set_result(None)
        else:
            answer.set_exception(self.later)
        return answer


async def send(producer: Any) -> None:
    await ProducerSender(producer)("topic", [(PostKey("k1"), b"1"), (PostKey("k2"), b"2")])


async def test_records_are_sent_with_their_keys() -> None:
    producer = Producer()
    await send(producer)
    assert producer.sent == [("topic", b"k1", b"1"), ("topic", b"k2", b"2")]


@pytest.mark.parametrize(
    ("failing", "raised"),
    [
        ({"at_once": KafkaConnectionError("away")}, BrokerUnavailableError),
        ({"later": KafkaConnectionError("away")}, BrokerUnavailableError),
        ({"later": MessageSizeTooLargeError()}, OversizedMessageError),
    ],
)
async def test_what_the_broker_does_not_acknowledge_is_an_error(
    failing: dict[str, Exception], raised: type[Exception]
) -> None:
    with pytest.raises(raised):
        await send(Producer(**failing))
