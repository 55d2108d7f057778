"""The collector process: sources and push endpoint into the inbox, the inbox into the topic."""

import asyncio
import contextlib
import hashlib
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Sequence

import structlog
import uvicorn
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from agents.intake import MAX_WAITING, Intake
from agents.producing import Producing
from agents.sending import Keyed
from agents.serving import Serving
from agents.timers import repeat
from monitors import metrics
from monitors.database import Database
from monitors.health import BROKER, DATABASE, STARTING
from monitors.inbox import Waiting, waiting
from monitors.keystore import KeyStore
from monitors.migrate import open_database
from streams.app import EMBEDDED_URL
from streams.broker import build_producer, create_topics, wait_for_broker
from streams.clock import Clock
from streams.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    DatabaseUnavailableError,
    OversizedMessageError,
)
from streams.settings import Settings
from streams.sources.push import build_push_app
from streams.sources.replay import ReplaySource
from streams.sources.source import Source

log = structlog.get_logger()

GAUGE_SECONDS = 1.0
BROKER_WAIT_SECONDS = 60.0
STOP_SECONDS = 5.0


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


class InboxGauges:
    """Keeps the gauges of the inbox, and tells the intake when it is full.

    Args:
        database: with the inbox.
        clock: for the age of the oldest post.
        intake: to be told.
    """

    def __init__(self, database: Database, clock: Clock, intake: Intake) -> None:
        self._database = database
        self._clock = clock
        self._intake = intake
        self.database_answers = True

    async def look(self) -> None:
        """Look once.

        Raises:
            DatabaseUnavailableError: nothing is known now.
        """
        try:
            found = await asyncio.to_thread(self._waiting)
        except DatabaseUnavailableError:
            self.database_answers = False
            raise
        self.database_answers = True
        age = (self._clock.now() - found.oldest_at).total_seconds() if found.oldest_at else 0.0
        metrics.INBOX.set(found.posts)
        metrics.INBOX_AGE.set(max(0.0, age))
        self._intake.full = found.posts >= MAX_WAITING

    def _waiting(self) -> Waiting:
        with self._database.read() as connection:
            return waiting(connection)


PUSH_AT_ONCE = 64
"""Connections of the push endpoint; each may hold a body of `push.MAX_BODY_BYTES` in memory."""


class _PushServer(uvicorn.Server):
    """uvicorn without its signal handlers: the process has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run(settings: Settings, clock: Clock) -> None:
    """Run the collector until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: a port, the replay file or the home cannot be used.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    database = await asyncio.to_thread(open_database, settings)
    collecting = asyncio.ensure_future(Collector(settings, clock, database).run(stop))
    try:
        await _until_stopped(stop, collecting)
        if not collecting.done():
            await asyncio.wait([collecting], timeout=STOP_SECONDS)
    finally:
        collecting.cancel()  # it may wait for a broker, or for a client that does not go
        try:
            await collecting
        except asyncio.CancelledError:
            log.info("collector cut off")
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            database.close()


def build_sources(settings: Settings, clock: Clock) -> list[Source]:
    """Build the sources that are read; the push endpoint is not one of them."""
    if settings.replay_file is None:
        return []
    return [ReplaySource(settings.replay_file, rate=settings.replay_rate, clock=clock)]


def owner_of(settings: Settings) -> str:
    """Name this collector, the same after a restart: its own leases never keep it out."""
    home = hashlib.sha256(str(settings.home.resolve()).encode()).hexdigest()[:12]
    return f"{socket.gethostname()[:40]}:{home}"


def push_token(settings: Settings) -> str:
    """Give the push endpoint's token: the settings', or one made and kept in the key store."""
    if settings.push_token is not None:
        return settings.push_token.get_secret_value()
    return KeyStore(settings.keys_dir).secret("push_token")


class Collector:
    """One collector process.

    Args:
        settings: everything.
        clock: for times.
        database: migrated.
    """

    def __init__(self, settings: Settings, clock: Clock, database: Database) -> None:
        self._settings = settings
        self._clock = clock
        self._database = database
        self._owner = owner_of(settings)
        self._intake = Intake(database, clock, self._owner)
        self._gauges = InboxGauges(database, clock, self._intake)
        self._producing: Producing | None = None

    def reasons(self) -> list[str]:
        """Say why it is not ready."""
        if self._producing is None:
            return [STARTING]
        reasons = [] if self._gauges.database_answers else [DATABASE]
        return [*reasons, BROKER] if self._producing.failing else reasons

    async def run(self, stop: asyncio.Event) -> None:
        """Collect until told to stop; then give the sources up."""
        settings = self._settings
        serving = Serving(settings.metrics_host, settings.collector_port, self.reasons)
        await serving.start()
        try:
            with _bound(settings) as bound:
                async with _producer(settings) as producer:
                    await self._work(producer, bound, stop)
            with contextlib.suppress(DatabaseUnavailableError):
                await self._intake.release()
        finally:
            await serving.stop()

    async def _work(
        self, producer: AIOKafkaProducer, bound: socket.socket, stop: asyncio.Event
    ) -> None:
        producing = self._producing = Producing(
            self._database,
            ProducerSender(producer),
            self._clock,
            owner=self._owner,
            reproduce_after_seconds=self._settings.reproduce_after_seconds,
        )
        push = _push_server(self._settings, self._intake, self._clock)
        sources = build_sources(self._settings, self._clock)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(repeat(self._gauges.look, GAUGE_SECONDS, what="inbox")),
                group.create_task(producing.run(self._intake.arrived)),
                *(group.create_task(self._intake.read(source)) for source in sources),
            ]
            serve = group.create_task(push.serve([bound]))
            await _until_stopped(stop, serve)
            push.should_exit = True
            for task in tasks:
                task.cancel()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Take the first failure out of a task group: the others are its consequences."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _until_stopped(stop: asyncio.Event, serve: asyncio.Task[None]) -> None:
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([stopping, serve], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


@contextlib.asynccontextmanager
async def _producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    url = settings.broker_url or EMBEDDED_URL
    await wait_for_broker(url, BROKER_WAIT_SECONDS)
    await create_topics(url, settings.partitions)
    producer = build_producer(url)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@contextlib.contextmanager
def _bound(settings: Settings) -> Iterator[socket.socket]:
    """Bind the push endpoint's port: uvicorn would end the process over one that is taken."""
    host, port = settings.push_host, settings.push_port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"the push endpoint cannot be bound to port {port}: {error.strerror}"
            ) from error
        yield opened


def _push_server(settings: Settings, intake: Intake, clock: Clock) -> uvicorn.Server:
    app = build_push_app(token=push_token(settings), accept=intake.accept, clock=clock)
    return _PushServer(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
            limit_concurrency=PUSH_AT_ONCE,
            lifespan="off",
        )
    )
