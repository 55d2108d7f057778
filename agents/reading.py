"""A source read for ever: under a lease, from its cursor, and again after every interruption."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import cast

import structlog

from agents.backoff import Backoff
from agents.ending import count_ends
from agents.intake import Intake
from agents.storing import AGENT, LEASE_SECONDS, Connected, Stored, Storing
from monitors import metrics
from streams.clock import Clock
from streams.errors import (
    ConfigurationError,
    DatabaseUnavailableError,
    SourceError,
    StreamError,
    TransientError,
)
from streams.sources.source import Missed, Source, SourcedItem

log = structlog.get_logger()

BATCH = 200
LINGER_SECONDS = 0.1
"""How long a batch of arrivals is gathered: one transaction syncs the disk once."""

RETRY_SECONDS = 2.0
MAX_RETRY_SECONDS = 60.0
HOPELESS_SECONDS = 600.0
"""Wait before a source is tried again that will not work as it is set up, or that met a bug."""

MAX_ASKED_SECONDS = 86_400.0
"""The longest wait that a source may ask for: a quota of a day. It may be mistaken, or hostile."""

ENDED = "ended"
"""Reason of a gap where a source that should give for ever ended without a word."""

BUG = "bug"

Seen = Callable[[str, Sequence[SourcedItem]], None]
"""Told of each batch that was stored: the source's name, and its items."""


Away = Callable[[str], None]
"""Told whenever a connection ends: the source's name."""


class _LeaseLostError(Exception):
    """Another collector owns the source now."""


@dataclass(frozen=True, slots=True)
class _End:
    """Of a connection, after its last item: what came before a failure is stored first."""

    error: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingDesk:
    """What the readers of one collector share.

    Args:
        storing: where what is read goes.
        intake: tells when it is full, and is told what arrived.
        clock: for times.
        random: jitter of the waits.
        sleep: waits, in seconds.
        seen: told of what was stored.
        away: told of each connection's end.
    """

    storing: Storing
    intake: Intake
    clock: Clock
    random: Random = field(default_factory=Random)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    seen: Seen = lambda _name, _items: None
    away: Away = lambda _name: None


class Reader:
    """Reads one source.

    Args:
        source: which.
        desk: see `ReadingDesk`.
        ledger: whether gaps and freshness are kept: not of a file that is played.
    """

    def __init__(self, source: Source, desk: ReadingDesk, *, ledger: bool = True) -> None:
        self._source = source
        self._name = source.name
        self._storing = desk.storing
        self._intake = desk.intake
        self._clock = desk.clock
        self._ledger = ledger
        self._sleep = desk.sleep
        self._seen = desk.seen
        self._away = desk.away
        self._backoff = Backoff(desk.random, RETRY_SECONDS, MAX_RETRY_SECONDS)

    async def run(self) -> None:
        """Read to the source's end; for ever if it has none. What fails is tried again.

        Raises:
            ConfigurationError: a source without a ledger cannot work.
        """
        while True:
            wait = RETRY_SECONDS
            try:
                if await asyncio.to_thread(self._storing.lease, self._name):
                    await self._read_leased()
                    if not self._ledger:
                        return
                    _warn(self._name, SourceError(ENDED))
                    wait = await self._interrupted(SourceError(ENDED), ENDED)
            except* (_LeaseLostError, DatabaseUnavailableError) as group:
                _warn(self._name, _first(group))
            except* StreamError as group:
                wait = await self._failed(_first(group))
            except* Exception as group:  # noqa: BLE001 - one source's bug must not end the others
                wait = await self._failed(_first(group))
            await self._sleep(wait)

    async def _failed(self, error: BaseException) -> float:
        if not self._ledger and not isinstance(error, TransientError):
            raise error
        _warn(self._name, error)
        reason = error.reason if isinstance(error, StreamError) else BUG
        if not isinstance(error, StreamError):
            log.error("source met a bug", source=self._name, exc_info=error)
        return await self._interrupted(error, reason)

    async def _interrupted(self, error: BaseException, reason: str) -> float:
        hopeless = isinstance(error, ConfigurationError) or reason == BUG
        wait = self._backoff.next(at_least=HOPELESS_SECONDS if hopeless else _asked(error))
        if self._ledger:
            metrics.SOURCE_INTERRUPTIONS.labels(self._name, reason).inc()
            retry_at = self._clock.now() + timedelta(seconds=wait)
            try:
                await asyncio.to_thread(self._storing.interrupt, self._name, reason, retry_at)
            except DatabaseUnavailableError as away:
                _warn(self._name, away)
        return wait

    async def _read_leased(self) -> None:
        cursor = await asyncio.to_thread(self._storing.resume, self._name, ledger=self._ledger)
        items: asyncio.Queue[SourcedItem | _End] = asyncio.Queue(BATCH)
        try:
            async with asyncio.TaskGroup() as group:
                pulling = group.create_task(self._pull(cursor, items))
                await self._store_all(cursor, items)
                pulling.cancel()
        finally:
            self._away(self._name)

    async def _pull(self, cursor: str | None, items: asyncio.Queue[SourcedItem | _End]) -> None:
        try:
            await self._pull_all(cursor, items)
            await items.put(_End())
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            await items.put(_End(SourceError("cancelled itself")))  # a client's, let out
        except Exception as error:  # noqa: BLE001 - raised again when what came before is stored
            await items.put(_End(error))

    async def _pull_all(self, cursor: str | None, items: asyncio.Queue[SourcedItem | _End]) -> None:
        # closed here: a connection whose generator is merely dropped stays open for a while
        posts = cast("AsyncGenerator[SourcedItem]", self._source.posts(cursor))
        async with aclosing(posts):
            async for item in posts:
                while self._intake.full:  # noqa: ASYNC110 - the timer of the gauges sets it
                    await asyncio.sleep(0.5)
                await items.put(item)

    async def _store_all(
        self, cursor: str | None, items: asyncio.Queue[SourcedItem | _End]
    ) -> None:
        connected = Connected() if self._ledger else None
        while True:
            batch = await _gather(items)
            read = [item for item in batch if not isinstance(item, _End)]
            stored = await self._store_patiently(cursor, read, connected)
            if not stored.held:
                raise _LeaseLostError
            self._count(stored)
            connected = stored.connected
            if read:
                if not all(isinstance(item, Missed) for item in read):
                    self._backoff.reset()
                self._seen(self._name, read)
                cursor = read[-1].cursor
            end = batch[-1] if batch else None
            if isinstance(end, _End):
                if end.error is not None:
                    raise end.error
                return

    async def _store_patiently(
        self, cursor: str | None, items: Sequence[SourcedItem], connected: Connected | None
    ) -> Stored:
        while True:
            try:
                return await asyncio.to_thread(
                    self._storing.store, self._name, cursor, items, connected
                )
            except TransientError as error:
                metrics.RETRIES.labels(AGENT, error.reason).inc()
                log.warning("retry", agent=AGENT, reason=error.reason)
            await asyncio.sleep(RETRY_SECONDS)

    def _count(self, stored: Stored) -> None:
        metrics.OBSERVED.labels(self._name).inc(stored.accepted.accepted)
        metrics.REFUSED_POSTS.labels(self._name).inc(len(stored.refused))
        for reason in stored.refused:
            metrics.DEAD_LETTERS.labels(AGENT, reason).inc()
            log.warning("dead letter", agent=AGENT, source=self._name, reason=reason)
        for kind, count in stored.counts.items():
            metrics.SOURCE_EVENTS.labels(self._name, kind.value).inc(count)
        count_ends(stored.ends, {end.key for end in stored.ends})
        metrics.LOCATIONS_GONE.inc(sum(one.gone for one in stored.changed))
        if stored.accepted.accepted:
            self._intake.arrived.set()


async def _gather(items: asyncio.Queue[SourcedItem | _End]) -> list[SourcedItem | _End]:
    """Take what comes within a moment of the first item; nothing, in time to keep the lease."""
    batch: list[SourcedItem | _End] = []
    wait = LEASE_SECONDS / 3
    while len(batch) < BATCH and not (batch and isinstance(batch[-1], _End)):
        try:
            async with asyncio.timeout(wait):  # `wait_for` of Python 3.11 can lose a cancellation
                batch.append(await items.get())
        except TimeoutError:
            break
        wait = LINGER_SECONDS
    return batch


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _asked(error: BaseException) -> float:
    """Tell how long a source asked to be left alone, as far as that is believed."""
    asked = error.retry_after_seconds if isinstance(error, SourceError) else None
    return min(asked, MAX_ASKED_SECONDS) if asked is not None and asked > 0 else 0.0


def _warn(source: str, error: BaseException) -> None:
    log.warning("source interrupted", source=source, error=type(error).__name__)
