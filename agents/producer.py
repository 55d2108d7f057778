"""The collector's producer: opened when the broker answers, and sent by."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from agents.sending import Keyed
from streams.app import EMBEDDED_URL
from streams.broker import build_producer, create_topics, wait_for_broker
from streams.errors import BrokerUnavailableError, OversizedMessageError
from streams.settings import Settings

BROKER_WAIT_SECONDS = 60.0


class ProducerSender:
    """Sends by an aiokafka producer.

    Args:
        producer: started.
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def __call__(self, topic: str, records: Sequence[Keyed]) -> None:
        try:
            sent = [
                await self._producer.send(topic, key=key.encode(), value=value)
                for key, value in records
            ]
            answers = await asyncio.gather(*sent, return_exceptions=True)
        except KafkaError as error:
            raise BrokerUnavailableError(type(error).__name__) from error
        for answer in answers:
            if isinstance(answer, MessageSizeTooLargeError):
                raise OversizedMessageError("larger than the broker takes") from answer
            if isinstance(answer, BaseException):
                raise BrokerUnavailableError(type(answer).__name__) from answer


@contextlib.asynccontextmanager
async def open_producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """Wait for the broker, make the topics, and give a started producer."""
    url = settings.broker_url or EMBEDDED_URL
    await wait_for_broker(url, BROKER_WAIT_SECONDS)
    await create_topics(url, settings.partitions)
    producer = build_producer(url)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()
