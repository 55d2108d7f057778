"""From the sources into the inbox: stored before anything is produced or answered."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from monitors import inbox, metrics
from monitors.database import Database
from monitors.dead_letters import SOURCE_EPOCH, DeadLetter, record
from monitors.inbox import Arrival
from streams.clock import Clock
from streams.errors import (
    InboxFullError,
    InvalidMessageError,
    TransientError,
)
from streams.sources.source import Accepted, Rejected, Source, SourcedItem, SourcedPost
from streams.types import Post

log = structlog.get_logger()

AGENT = "collector"

MAX_WAITING = 50_000
"""Posts in the inbox from which on no more are taken in: over an hour's work at the rated 10 a
second. The sources wait and the push endpoint answers 503; nothing is dropped."""

LEASE_SECONDS = 15.0
"""A collector that died loses its sources after so long."""

BATCH = 200
LINGER_SECONDS = 0.1
"""How long a batch of arrivals is gathered: one transaction syncs the disk once."""

RETRY_SECONDS = 2.0


class _LeaseLostError(Exception):
    """Another collector owns the source now."""


@dataclass(slots=True)
class _Stored:
    """What one transaction took in."""

    accepted: Accepted = field(default_factory=lambda: Accepted(accepted=0, duplicates=0))
    refused: list[str] = field(default_factory=list)
    held: bool = True


class Intake:
    """Writes arrivals to the inbox.

    Args:
        database: with the inbox.
        clock: for times.
        owner: this collector's name, the same after a restart on the same machine and home.
    """

    def __init__(self, database: Database, clock: Clock, owner: str) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner
        self.arrived = asyncio.Event()
        self.full = False

    async def accept(self, posts: Sequence[Post]) -> Accepted:
        """Store posts that were handed in; when this returns, they are kept.

        Raises:
            InboxFullError: too much is waiting; hand them in later.
            InvalidMessageError: one of them can never be taken; none was stored.
            DatabaseUnavailableError: none was stored.
        """
        if self.full:
            raise InboxFullError("too many posts are waiting")
        arrivals = [Arrival(post=post, payload=inbox.payload_of(post)) for post in posts]
        accepted = await asyncio.to_thread(self._add, arrivals)
        if posts:  # an endpoint's posts have one source
            metrics.OBSERVED.labels(posts[0].source).inc(accepted.accepted)
        self.arrived.set()
        return accepted

    async def read(self, source: Source) -> None:
        """Read a source to its end under a lease, from where it was left; for ever if it has none.

        What cannot be reached, and a database that is away, are tried again.
        """
        while True:
            try:
                if await asyncio.to_thread(self._lease, source.name):
                    await self._read_leased(source)
                    return
            except* (_LeaseLostError, TransientError) as group:
                reasons = sorted({type(error).__name__ for error in group.exceptions})
                log.warning("source interrupted", source=source.name, error=" ".join(reasons))
            await asyncio.sleep(RETRY_SECONDS)

    async def release(self) -> None:
        """Let other collectors have the sources at once."""
        await asyncio.to_thread(self._release)

    async def _read_leased(self, source: Source) -> None:
        cursor = await asyncio.to_thread(self._resume, source.name)
        items: asyncio.Queue[SourcedItem | None] = asyncio.Queue(BATCH)
        async with asyncio.TaskGroup() as group:
            pulling = group.create_task(self._pull(source, cursor, items))
            await self._store_all(source.name, cursor, items)
            pulling.cancel()

    async def _pull(
        self, source: Source, cursor: str | None, items: asyncio.Queue[SourcedItem | None]
    ) -> None:
        async for item in source.posts(cursor):
            while self.full:  # noqa: ASYNC110 - the timer of the gauges sets it
                await asyncio.sleep(0.5)
            await items.put(item)
        await items.put(None)

    async def _store_all(
        self, name: str, cursor: str | None, items: asyncio.Queue[SourcedItem | None]
    ) -> None:
        while True:
            batch = await _gather(items)
            ended = None in batch
            read = [item for item in batch if item is not None]
            stored = await self._store_patiently(name, cursor, read)
            self._count(name, stored)
            if not stored.held:
                raise _LeaseLostError
            if ended:
                return
            cursor = read[-1].cursor if read else cursor

    async def _store_patiently(
        self, name: str, cursor: str | None, items: Sequence[SourcedItem]
    ) -> _Stored:
        while True:
            try:
                return await asyncio.to_thread(self._store, name, cursor, items)
            except TransientError as error:
                metrics.RETRIES.labels(AGENT, error.reason).inc()
                log.warning("retry", agent=AGENT, reason=error.reason)
            await asyncio.sleep(RETRY_SECONDS)

    def _store(self, name: str, cursor: str | None, items: Sequence[SourcedItem]) -> _Stored:
        """Store what was read from `cursor` on, and how far that is, in one transaction."""
        stored, made = _Stored(), []
        for item in items:
            made.append(_made(name, item, cursor))
            cursor = item.cursor
        arrivals = [one for one in made if isinstance(one, Arrival)]
        letters = [one for one in made if isinstance(one, DeadLetter)]
        now = self._clock.now()
        with self._database.write() as connection:
            stored.held = inbox.lease(connection, name, self._owner, now, LEASE_SECONDS)
            if not stored.held:
                return stored
            stored.accepted = inbox.add(connection, arrivals)
            stored.refused = [one.reason for one in letters if record(connection, one, now)]
            if cursor is not None:
                inbox.advance(connection, name, cursor, now)
        return stored

    def _count(self, name: str, stored: _Stored) -> None:
        metrics.OBSERVED.labels(name).inc(stored.accepted.accepted)
        metrics.REFUSED_POSTS.labels(name).inc(len(stored.refused))
        for reason in stored.refused:
            metrics.DEAD_LETTERS.labels(AGENT, reason).inc()
            log.warning("dead letter", agent=AGENT, source=name, reason=reason)
        if stored.accepted.accepted:
            self.arrived.set()

    def _add(self, arrivals: Sequence[Arrival]) -> Accepted:
        with self._database.write() as connection:
            return inbox.add(connection, arrivals)

    def _lease(self, name: str) -> bool:
        with self._database.write() as connection:
            return inbox.lease(connection, name, self._owner, self._clock.now(), LEASE_SECONDS)

    def _resume(self, name: str) -> str | None:
        with self._database.read() as connection:
            return inbox.resume_cursor(connection, name)

    def _release(self) -> None:
        with self._database.write() as connection:
            inbox.release(connection, self._owner)


async def _gather(items: asyncio.Queue[SourcedItem | None]) -> list[SourcedItem | None]:
    """Take what comes within a moment of the first item; nothing, in time to keep the lease."""
    batch: list[SourcedItem | None] = []
    wait = LEASE_SECONDS / 3
    while len(batch) < BATCH and None not in batch:
        try:
            async with asyncio.timeout(wait):  # `wait_for` of Python 3.11 can lose a cancellation
                batch.append(await items.get())
        except TimeoutError:
            break
        wait = LINGER_SECONDS
    return batch


def _made(name: str, item: SourcedItem, cursor: str | None) -> Arrival | DeadLetter | None:
    """Make of an item what is kept of it."""
    if isinstance(item, Rejected):
        return _letter(name, item.position, item.reason, Rejected.__name__)
    if not isinstance(item, SourcedPost):
        return None
    try:
        return Arrival(post=item.post, payload=inbox.payload_of(item.post), cursor=cursor)
    except InvalidMessageError as error:
        position = int(item.post.key[:15], 16)  # 60 bits: the source did not number it
        return _letter(name, position, error.reason, type(error).__name__)


def _letter(name: str, position: int, reason: str, error: str) -> DeadLetter:
    return DeadLetter(
        epoch=SOURCE_EPOCH,
        topic=f"source:{name}",
        partition=0,
        offset=position,
        agent=AGENT,
        reason=reason,
        error=error,
    )
