"""Set aside what can never be processed: the database first, then the topic of dead letters."""

import asyncio

import structlog

from agents.ending import count_end
from agents.sending import Send
from monitors import metrics
from monitors.database import Database
from monitors.dead_letters import DeadLetter, record
from monitors.inbox import end_dead
from streams import topics
from streams.clock import Clock
from streams.schemas import DeadLetterRecord
from streams.types import PostKey, PostOutcome

log = structlog.get_logger()


class SettingAside:
    """Where dead letters go.

    Args:
        database: its rows are what counts.
        send: for the copies on the topic.
        clock: for the rows' times.
    """

    def __init__(self, database: Database, send: Send, clock: Clock) -> None:
        self._database = database
        self._send = send
        self._clock = clock

    async def __call__(self, letter: DeadLetter, key: PostKey | None) -> None:
        """Write a dead letter and end its post, once, however often this is called.

        Args:
            letter: where the message stands and why.
            key: the post's, as far as it is known.

        Raises:
            TransientError: the database or the broker failed; call again.
        """
        new, end = await asyncio.to_thread(self._write, letter, key)
        if new:
            metrics.DEAD_LETTERS.labels(letter.agent, letter.reason).inc()
            log.warning(
                "dead letter",
                agent=letter.agent,
                reason=letter.reason,
                error=letter.error,
                partition=letter.partition,
                offset=letter.offset,
            )
        if end is not None:
            count_end(end)
        copy = DeadLetterRecord(
            topic=letter.topic,
            partition=letter.partition,
            offset=letter.offset,
            agent=letter.agent,
            reason=letter.reason,
            error=letter.error,
        )
        await self._send(topics.DEAD_LETTERS, [(letter.agent, copy.to_bytes())])

    def _write(self, letter: DeadLetter, key: PostKey | None) -> tuple[bool, PostOutcome | None]:
        now = self._clock.now()
        with self._database.write() as connection:
            new = record(connection, letter, now)
            end = None if key is None else end_dead(connection, key, letter.reason, now)
        return new, end
