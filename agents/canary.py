"""Canaries: a harmless post of our own, sent to a network and awaited in its stream.

A stream that is connected and gives can still lack a part of the network; a post of our own tells.
Its withdrawal tells the same of deletions.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import structlog

from monitors import freshness
from monitors.database import Database
from streams.clock import Clock
from streams.errors import StreamError, TransientError
from streams.sources.canary import Canary
from streams.sources.source import SourcedItem, SourcedPost

log = structlog.get_logger()

EVERY_SECONDS = 900.0
"""Four an hour: enough to notice within the look-back of 36 h that Jetstream keeps, and no spam."""

WAIT_SECONDS = 120.0
"""As `monitors.freshness.Expectation.canary_seconds`."""


class CanaryWatch:
    """Sends canaries through one stream.

    Args:
        source: the stream's name.
        canary: publishes and withdraws.
        database: with the sources' states.
        clock: for times.
        sleep: waits, in seconds.
    """

    def __init__(
        self,
        source: str,
        canary: Canary,
        database: Database,
        clock: Clock,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._canary = canary
        self._database = database
        self._clock = clock
        self._sleep = sleep
        self._awaited: str | None = None
        self._seen = asyncio.Event()

    def saw(self, items: Sequence[SourcedItem]) -> None:
        """Look for the canary among what the stream gave."""
        if self._awaited is not None and any(
            isinstance(item, SourcedPost) and item.post.id == self._awaited for item in items
        ):
            self._seen.set()

    async def run(self) -> None:
        """Send one canary after the other, for ever; a network that takes none is said."""
        while True:
            try:
                await self.send()
            except StreamError as error:
                log.warning("canary not sent", source=self._source, reason=error.reason)
            await self._sleep(EVERY_SECONDS)

    async def send(self, *, wait_seconds: float = WAIT_SECONDS) -> bool:
        """Send one, wait for it, and withdraw it; tell whether it was seen.

        Raises:
            SourceError: the network does not take it now.
            DatabaseUnavailableError: it cannot be noted.
        """
        self._seen.clear()
        sent_at = self._clock.now()
        self._awaited = await self._canary.publish()
        try:
            await asyncio.to_thread(self._note, sent_at=sent_at)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    await self._seen.wait()
            if self._seen.is_set():
                await asyncio.to_thread(self._note, seen_at=self._clock.now())
        finally:
            await self._withdraw(self._awaited)
        return self._seen.is_set()

    async def _withdraw(self, post: str) -> None:
        self._awaited = None
        try:
            await self._canary.withdraw(post)
        except TransientError as error:
            log.warning("canary not withdrawn", source=self._source, reason=error.reason)

    def _note(self, **times: object) -> None:
        with self._database.write() as connection:
            freshness.note_canary(connection, self._database, self._source, **times)  # type: ignore[arg-type]
