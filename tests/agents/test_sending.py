"""`agents.sending`."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from faust.exceptions import ProducerSendError

from agents.sending import TopicSender
from streams.errors import BrokerUnavailableError, OversizedMessageError


class Topic:
    """A topic whose acknowledgements the test gives."""

    def __init__(self, *answers: BaseException | None) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[bytes, bytes]] = []
        self.acknowledged = 0

    async def send(self, *, key: bytes, value: bytes) -> Any:
        self.sent.append((key, value))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, ProducerSendError):
            raise answer
        return self._acknowledge(answer)

    async def _acknowledge(self, answer: BaseException | None) -> None:
        await asyncio.sleep(0.001)
        if answer is not None:
            raise answer
        self.acknowledged += 1


def sender(topic: Topic) -> TopicSender:
    return TopicSender({"t": topic})  # type: ignore[dict-item]


async def test_it_returns_when_every_record_is_acknowledged() -> None:
    topic = Topic()
    await sender(topic)("t", [("a", b"1"), ("b", b"2")])
    assert topic.sent == [(b"a", b"1"), (b"b", b"2")]
    assert topic.acknowledged == 2


async def test_a_record_that_is_not_acknowledged_is_a_transient_failure() -> None:
    topic = Topic(KafkaTimeoutError())
    with pytest.raises(BrokerUnavailableError, match="KafkaTimeoutError"):
        await sender(topic)("t", [("a", b"1"), ("b", b"2")])
    assert topic.acknowledged == 1


async def test_a_producer_that_refuses_at_once_is_a_transient_failure() -> None:
    with pytest.raises(BrokerUnavailableError):
        await sender(Topic(ProducerSendError("down")))("t", [("a", b"1")])


async def test_a_record_that_is_too_large_is_never_sent_again() -> None:
    refused = ProducerSendError("too large")
    refused.__cause__ = MessageSizeTooLargeError()
    for answer in (refused, MessageSizeTooLargeError()):
        with pytest.raises(OversizedMessageError):
            await sender(Topic(answer))("t", [("a", b"1")])
