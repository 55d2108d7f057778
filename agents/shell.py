"""What every agent does around its step: decode, retry, set aside, stop in a flood.

Faust acknowledges a batch when the loop's body is left, even by an exception, and in a `finally`
when a rebalance cancels it (faust 0.15.3, `Stream.take_events`). So no error leaves `Shell.run`:
an error that escaped would be a batch lost to the topic. What a cancellation acknowledges is not
lost either: a post's inbox row stays until its outcome is written, and the collector produces old
rows again. This is the one place in the product that catches `Exception`.
"""

import asyncio
import re
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar, cast

import structlog
from faust.types import AgentT, AppT, EventT, StreamT, TopicT

from monitors import metrics
from monitors.dead_letters import DeadLetter
from monitors.health import Progress
from streams.errors import ConfigurationError, InvalidMessageError, StreamError, TransientError
from streams.types import PostKey

log = structlog.get_logger()

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
"""A third of `gallery_stale_seconds`, and short against the objective of 180 s."""

_POST_KEY = re.compile(rb"[0-9a-f]{32}")


class Readable(Protocol):
    """A record that can be read from a message's bytes."""

    @classmethod
    def from_bytes(cls, raw: bytes | None) -> Self:
        """Read it.

        Raises:
            InvalidMessageError: it can never be read.
        """
        ...


In = TypeVar("In", bound=Readable)
Out = TypeVar("Out")
In_contra = TypeVar("In_contra", bound=Readable, contravariant=True)
T = TypeVar("T")

SetAside = Callable[[DeadLetter, PostKey | None], Awaitable[None]]


class _StoppingError(Exception):
    """The process is to stop, and what is in hand waits for something that does not come."""


class Stop:
    """Tells every shell of a process to give up waiting."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()

    def set(self) -> None:
        """Stop waiting, now and from now on."""
        self._stopping.set()

    async def pause(self, seconds: float | None) -> None:
        """Wait so long, or for ever.

        Raises:
            _StoppingError: the process is to stop.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
        raise _StoppingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """How an agent takes its batches.

    Args:
        posts: at most so many.
        seconds: how long to wait for as many.
    """

    posts: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Item(Generic[In]):
    event: EventT[bytes]
    record: In


@dataclass(frozen=True, slots=True)
class _Work(Generic[In, Out]):
    step: Callable[[Sequence[In]], Awaitable[Out]]
    emit: Callable[[Out], Awaitable[None]]


class Steps(Protocol[In_contra, Out]):
    """What an agent does with a batch. Both methods must bear repetition."""

    async def step(self, records: Sequence[In_contra], /) -> Out:
        """Compute the batch's result."""
        ...

    async def emit(self, result: Out, /) -> None:
        """Make it durable."""
        ...


class Shell(Generic[In]):
    """One agent's surroundings.

    Args:
        agent: the agent's name: the metric label and the dead letter's field.
        record: what the agent's topic carries.
        set_aside: writes a dead letter; raises TransientError only.
        epoch: the consumer group.
        max_in_a_row: dead letters in a row after which the agent holds what it has.
        progress: told of each batch.
        stop: ends every wait.
    """

    def __init__(  # noqa: PLR0913 - wired in one place
        self,
        agent: str,
        *,
        record: type[In],
        set_aside: SetAside,
        epoch: str,
        max_in_a_row: int,
        progress: Progress,
        stop: Stop,
    ) -> None:
        self.agent = agent
        self.progress = progress
        self._record = record
        self._write_letter = set_aside
        self._epoch = epoch
        self._max_in_a_row = max_in_a_row
        self._stop = stop
        self._in_a_row = 0

    async def run(
        self,
        events: Sequence[EventT[bytes]],
        step: Callable[[Sequence[In]], Awaitable[Out]],
        emit: Callable[[Out], Awaitable[None]],
    ) -> None:
        """Run one batch to its end: when this returns, every effect is durable.

        Both callables must bear repetition. A `TransientError` is retried for ever, which is the
        back-pressure; so is a `ConfigurationError`, such as a model's file that went missing. A
        message that can never be processed is set aside; so is one that raised anything else twice
        while it was alone.

        Args:
            events: with raw bytes.
            step: computes the batch's result.
            emit: makes it durable.
        """
        try:
            with self.progress.busy(), metrics.STEP_SECONDS.labels(self.agent).time():
                items = await self._read(events)
                if items:
                    await self._settle(items, _Work(step, emit))
        except _StoppingError:
            log.info("batch given up", agent=self.agent, count=len(events))

    async def _read(self, events: Sequence[EventT[bytes]]) -> list[_Item[In]]:
        items = []
        for event in events:
            try:
                items.append(_Item(event, self._record.from_bytes(event.value)))
            except Exception as error:  # noqa: BLE001 - see the module's docstring
                await self._set_aside(event, error)
        return items

    async def _settle(self, items: Sequence[_Item[In]], work: _Work[In, Out]) -> None:
        failure = await self._attempt(items, work)
        if failure is None:
            self._in_a_row = 0
            return
        if len(items) > 1:  # one of them is to blame: nobody else goes with it
            for item in items:
                await self._settle([item], work)
                self.progress.advanced()
            return
        if not isinstance(failure, InvalidMessageError):
            failure = await self._attempt(items, work)
        if failure is None:
            self._in_a_row = 0
        else:
            await self._set_aside(items[0].event, failure)

    async def _attempt(self, items: Sequence[_Item[In]], work: _Work[In, Out]) -> Exception | None:
        records = [item.record for item in items]
        try:
            result = await self._patiently(lambda: work.step(records))
            await self._patiently(lambda: work.emit(result))
        except _StoppingError:
            raise
        except Exception as error:  # noqa: BLE001 - see the module's docstring
            self._report(error, len(items))
            return error
        return None

    def _report(self, error: Exception, count: int) -> None:
        """Log a bug's place without its message, which may quote a post."""
        if not isinstance(error, StreamError):
            frames = "".join(traceback.format_tb(error.__traceback__))
            name = type(error).__name__
            log.error("bug", agent=self.agent, count=count, error=name, exception=frames)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await call()
            except (TransientError, ConfigurationError) as error:  # neither is the message's fault
                metrics.RETRIES.labels(self.agent, error.reason).inc()
                log.warning("retry", agent=self.agent, reason=error.reason, seconds=pause)
            await self._stop.pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _set_aside(self, event: EventT[bytes], error: Exception) -> None:
        if self._in_a_row >= self._max_in_a_row:
            await self._hold()
        message: Any = event.message
        letter = DeadLetter(
            epoch=self._epoch,
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            agent=self.agent,
            reason=error.reason if isinstance(error, StreamError) else "bug",
            error=type(error).__name__,
        )
        await self._patiently(lambda: self._write_letter(letter, _post_key(message.key)))
        self._in_a_row += 1

    async def _hold(self) -> None:
        """Keep the batch unacknowledged: this many failures are our fault, not the messages'."""
        log.error("flood of dead letters", agent=self.agent, count=self._in_a_row)
        self.progress.flooded = True
        await self._stop.pause(None)


def attach(
    app: AppT, topic: TopicT, shell: Shell[In], steps: Steps[In, Out], batching: Batching
) -> AgentT[Any]:
    """Register an agent: one loop, one batch at a time, acknowledged when its effects stand.

    `concurrency` is 1 because more lose messages (faust-streaming #606): what runs at once runs
    inside a batch.
    """

    @app.agent(topic, name=shell.agent, concurrency=1)
    async def agent(stream: StreamT[bytes]) -> None:
        batches = cast("Any", stream).take_events(batching.posts, within=batching.seconds)
        async for events in batches:
            await shell.run(events, steps.step, steps.emit)

    return agent


def _post_key(key: bytes | None) -> PostKey | None:
    return PostKey(key.decode()) if key and _POST_KEY.fullmatch(key) else None
