"""From the inbox to `haechi.posts.v1`: what is due is sent, and marked when it is acknowledged."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from agents.sending import Send
from monitors import inbox, metrics
from monitors.database import Database
from monitors.inbox import Due
from streams import topics
from streams.clock import Clock
from streams.errors import TransientError

log = structlog.get_logger()

AGENT = "producer"

LEASE = "@producer"
"""Stands among the sources' leases: one collector of several produces."""

LEASE_SECONDS = 15.0
BATCH = 500
IDLE_SECONDS = 1.0
RETRY_SECONDS = 1.0

OVERDUE_BATCH = 200
OVERDUE_SECONDS = 10.0
"""At most so many old rows each so often are produced again: what was lost is little, and what
merely waits in a long queue must not make the queue longer."""


class Producing:
    """Empties the inbox into the topic.

    Args:
        database: with the inbox.
        send: to the posts' topic.
        clock: for times.
        owner: this collector's name.
        reproduce_after_seconds: age of a produced row that has not ended.
    """

    def __init__(
        self,
        database: Database,
        send: Send,
        clock: Clock,
        *,
        owner: str,
        reproduce_after_seconds: float,
    ) -> None:
        self._database = database
        self._send = send
        self._clock = clock
        self._owner = owner
        self._reproduce_after = timedelta(seconds=reproduce_after_seconds)
        self._looked_at = clock.monotonic()
        self.failing = False

    async def run(self, arrived: asyncio.Event) -> None:
        """Produce for ever, at once when something arrives; ride out broker and database."""
        while True:
            arrived.clear()
            try:
                sent = await self.produce()
                self.failing = False
            except TransientError as error:
                self.failing = True
                metrics.RETRIES.labels(AGENT, error.reason).inc()
                log.warning("retry", agent=AGENT, reason=error.reason)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not sent:
                await _wait(arrived)

    async def produce(self) -> int:
        """Send one batch of what is due; give how many it was.

        Raises:
            TransientError: nothing was marked; the same rows are due again.
        """
        due = await asyncio.to_thread(self._take)
        if due:
            await self._send(topics.POSTS, [(one.key, one.payload) for one in due])
            await asyncio.to_thread(self._mark, due)
        return len(due)

    def _take(self) -> list[Due]:
        now = self._clock.now()
        with self._database.read() as connection:
            due = inbox.take_due(connection, now, limit=BATCH)
        due += self._take_overdue(now, {one.key for one in due})
        return due if due and self._holds_lease(now) else []

    def _take_overdue(self, now: datetime, fresh: set[str]) -> list[Due]:
        if self._clock.monotonic() - self._looked_at < OVERDUE_SECONDS:
            return []
        self._looked_at = self._clock.monotonic()
        with self._database.read() as connection:
            due = inbox.take_due(
                connection, now, limit=OVERDUE_BATCH, older_than=now - self._reproduce_after
            )
        again = [one for one in due if one.key not in fresh]
        if again:
            metrics.REPRODUCED.inc(len(again))
            log.info("overdue posts produced again", count=len(again))
        return again

    def _holds_lease(self, now: datetime) -> bool:
        with self._database.write() as connection:
            return inbox.lease(connection, LEASE, self._owner, now, LEASE_SECONDS)

    def _mark(self, due: Sequence[Due]) -> None:
        with self._database.write() as connection:
            inbox.mark_produced(connection, [one.key for one in due], self._clock.now())


async def _wait(arrived: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(IDLE_SECONDS):
            await arrived.wait()
