"""The collector process: sources and push endpoint into the inbox, the inbox into the topic."""

import asyncio
import contextlib
import hashlib
import signal
import socket
from collections.abc import Iterator

import structlog
import uvicorn
from aiokafka import AIOKafkaProducer

from agents.filing import FILE_SECONDS, Filing
from agents.forgetting import COMPACT_SECONDS, Forgetting
from agents.inbox_gauges import InboxGauges
from agents.intake import Intake
from agents.producer import ProducerSender, open_producer
from agents.producing import Producing
from agents.serving import Serving
from agents.streaming import Streams
from agents.timers import repeat
from monitors.database import Database
from monitors.health import BROKER, DATABASE, STARTING
from monitors.keystore import KeyStore
from monitors.migrate import open_database
from streams.clock import Clock
from streams.errors import ConfigurationError, DatabaseUnavailableError
from streams.settings import Settings
from streams.sources.push import build_push_app
from streams.sources.websub import Hubs, build_router

log = structlog.get_logger()

GAUGE_SECONDS = 1.0
STOP_SECONDS = 5.0


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
        self._streams = Streams.from_settings(settings, clock)
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
                async with open_producer(settings) as producer:
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
        push = _push_server(self._settings, self._intake, self._clock, self._streams.hubs)
        readers = self._streams.build_readers(self._database, self._intake)
        filing = Filing.from_settings(self._settings, self._database)
        searching = self._streams.build_searching(self._intake, filing)
        canaries = self._streams.build_canaries(self._database)
        timers = self._streams.timers(self._database)
        forgetting = Forgetting.from_settings(self._settings, self._database, self._clock)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(repeat(self._gauges.look, GAUGE_SECONDS, what="inbox")),
                group.create_task(producing.run(self._intake.arrived)),
                group.create_task(searching.run()),
                group.create_task(repeat(filing.look, FILE_SECONDS, what="filing")),
                group.create_task(repeat(forgetting.look, COMPACT_SECONDS, what="look-back")),
                *(group.create_task(canary.run()) for canary in canaries),
                *(group.create_task(reader.run()) for reader in readers),
                *(
                    group.create_task(repeat(timer.call, timer.seconds, what=timer.what))
                    for timer in timers
                ),
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


def _push_server(
    settings: Settings, intake: Intake, clock: Clock, hubs: Hubs | None
) -> uvicorn.Server:
    app = build_push_app(token=push_token(settings), accept=intake.accept, clock=clock)
    if hubs is not None:
        app.include_router(build_router(hubs))
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
