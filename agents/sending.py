"""Send records to topics, and return only when the broker has them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from faust.exceptions import ProducerSendError
from faust.types import TopicT

from streams.errors import BrokerUnavailableError, OversizedMessageError

Keyed = tuple[str, bytes]
"""A record's key and its value."""


class Send(Protocol):
    """A way to the topics."""

    async def __call__(self, topic: str, records: Sequence[Keyed]) -> None:
        """Return when every record is acknowledged.

        Raises:
            BrokerUnavailableError: at least one was not; all may be sent again.
            OversizedMessageError: the broker takes none so large.
        """
        ...


class TopicSender:
    """Sends by a Faust app's own producer.

    Args:
        topics: by name.
    """

    def __init__(self, topics: Mapping[str, TopicT]) -> None:
        self._topics = topics

    async def __call__(self, topic: str, records: Sequence[Keyed]) -> None:
        target = self._topics[topic]
        try:
            # The first await only enqueues; the second is the broker's acknowledgement.
            sent = [await target.send(key=key.encode(), value=value) for key, value in records]
            answers = await asyncio.gather(*sent, return_exceptions=True)
        except (KafkaError, ProducerSendError) as error:
            raise _translated(error) from error
        for answer in answers:
            if isinstance(answer, BaseException):
                raise _translated(answer) from answer


def _translated(error: BaseException) -> BaseException:
    if isinstance(error.__cause__ or error, MessageSizeTooLargeError):
        return OversizedMessageError("larger than the broker takes")
    if isinstance(error, KafkaError | ProducerSendError):
        return BrokerUnavailableError(type(error.__cause__ or error).__name__)
    return error
