"""How hard one host may be asked: a few requests at once, with a pause between their starts."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from streams.clock import Clock, SystemClock

MAX_IDLE_LANES = 10_000
"""Hosts remembered between requests; an uploader can name any number of hosts."""

REDIS_TIMEOUT_SECONDS = 1.0
"""A Redis slower than this is treated as absent: politeness is no reason to stop fetching."""

REDIS_PAUSE_SECONDS = 5.0
"""How long an absent Redis is left alone."""

FULL_POLL_MS = 20
"""How soon to ask again when all of a host's slots are taken."""

MAX_NAP_SECONDS = 0.25
"""Upper bound of one wait, so that a freed slot is noticed."""

ACQUIRE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local start = tonumber(redis.call('GET', KEYS[2]) or '0')
if start > now then return start - now end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return tonumber(ARGV[5]) end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if tonumber(ARGV[4]) > 0 then redis.call('SET', KEYS[2], now + ARGV[4], 'PX', ARGV[4]) end
return 0
"""
"""Take a slot, or say how many milliseconds to wait; by the server's clock, in one step."""


class Politeness(Protocol):
    """Who may ask a host, and when."""

    def slot(self, host: str) -> AbstractAsyncContextManager[None]:
        """Wait for a slot of this host, hold it inside the `with` block, and give it back."""
        ...


@dataclass(slots=True)
class _Lane:
    slots: asyncio.Semaphore
    users: int = 0
    next_at: float = 0.0


@dataclass(slots=True)
class LocalPoliteness:
    """Within one process and one event loop.

    Args:
        max_per_host: requests to one host at the same time.
        min_interval_seconds: between the starts of two requests to one host.
        clock: whose monotonic time the pauses follow.
    """

    max_per_host: int = 4
    min_interval_seconds: float = 0.0
    clock: Clock = field(default_factory=SystemClock)
    _lanes: dict[str, _Lane] = field(default_factory=dict, init=False)

    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[None]:
        lane = self._lanes.setdefault(host, _Lane(asyncio.Semaphore(self.max_per_host)))
        lane.users += 1
        try:
            async with lane.slots:
                await self._pause(lane)
                yield
        finally:
            lane.users -= 1
            self._forget(host, lane)

    async def _pause(self, lane: _Lane) -> None:
        now = self.clock.monotonic()
        start = max(now, lane.next_at)
        lane.next_at = start + self.min_interval_seconds
        if start > now:
            await asyncio.sleep(start - now)

    def _forget(self, host: str, lane: _Lane) -> None:
        now = self.clock.monotonic()
        if lane.users == 0 and lane.next_at <= now:
            self._lanes.pop(host, None)
        elif len(self._lanes) > MAX_IDLE_LANES:
            idle = [h for h, lane in self._lanes.items() if lane.users == 0 and lane.next_at <= now]
            for name in idle:
                del self._lanes[name]


class RedisPoliteness:
    """Shared by every worker of one Redis; a slot that its holder never gave back expires.

    Without an answer from Redis each worker keeps the same limits on its own. Host names are
    hashed before they leave the process.

    Args:
        redis: its connections; the caller closes it.
        max_per_host: requests to one host at the same time, over all workers.
        min_interval_seconds: between the starts of two requests to one host.
        lease_seconds: when the slot of a dead worker is free again; above the time of one fetch.
        clock: of the pause after a failure of Redis.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        max_per_host: int = 4,
        min_interval_seconds: float = 0.0,
        lease_seconds: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        self._redis = redis
        self._clock = clock or SystemClock()
        self._local = LocalPoliteness(max_per_host, min_interval_seconds, self._clock)
        self._arguments = (
            max_per_host,
            int(lease_seconds * 1000),
            int(min_interval_seconds * 1000),
            FULL_POLL_MS,
        )
        self._absent_until = float("-inf")

    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[None]:
        digest = hashlib.sha256(host.encode()).hexdigest()[:32]
        slots, start = f"haechi:politeness:{digest}:slots", f"haechi:politeness:{digest}:start"
        token = secrets.token_hex(16)
        try:
            if await self._acquire(slots, start, token):
                yield
                return
        finally:
            await self._release(slots, token)
        async with self._local.slot(host):
            yield

    async def _acquire(self, slots: str, start: str, token: str) -> bool:
        """Wait for a slot; False where Redis does not answer."""
        while self._clock.monotonic() >= self._absent_until:
            question = self._redis.eval(ACQUIRE, 2, slots, start, token, *self._arguments)
            try:
                wait_ms = await _ask(cast("Awaitable[int]", question))
            except (RedisError, OSError, TimeoutError):
                self._absent_until = self._clock.monotonic() + REDIS_PAUSE_SECONDS
                return False
            if wait_ms == 0:
                return True
            await asyncio.sleep(min(wait_ms / 1000, MAX_NAP_SECONDS))
        return False

    async def _release(self, slots: str, token: str) -> None:
        """Give the slot back, also where a cancelled call may have taken it unseen."""
        if self._clock.monotonic() < self._absent_until:
            return
        with suppress(RedisError, OSError, TimeoutError):
            await _ask(self._redis.zrem(slots, token))


async def _ask(question: Awaitable[int]) -> int:
    """Await Redis, but not for long, and not past a cancellation.

    redis-py 8.1 on Python 3.11 swallows a cancellation that meets its answer (seen in 7 of 400
    tries): the task must end all the same.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        async with asyncio.timeout(REDIS_TIMEOUT_SECONDS):
            return await question
    finally:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError
