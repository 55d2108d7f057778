"""The composition root of a worker: `haechi worker`, or `faust -A agents.worker worker`.

Nothing is connected, started or read before the app starts.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog
from aiokafka.partitioner import murmur2
from faust.exceptions import ConsumerNotStarted
from faust.types import AgentT

from agents import notifying
from agents.deciding import Deciding
from agents.inspecting import Inspecting, Tries
from agents.media_way import Media
from agents.recognising import Eyes
from agents.releasing import RELEASE_SECONDS, Releasing
from agents.remembering import Remembering, remember_nothing
from agents.sending import TopicSender
from agents.serving import Serving
from agents.setting_aside import SettingAside
from agents.shell import Batching, Readable, Shell, Stop, attach
from agents.timers import LOOK_SECONDS, Watchdog, repeat
from agents.triaging import Triaging
from alerts.channels.webhook import load_endpoints
from alerts.tasks import Desk
from monitors.database import Database
from monitors.health import Limits, Progress, Vitals, reasons_not_ready
from monitors.migrate import open_database
from monitors.quarantine import QuarantineLimits
from streams import topics
from streams.app import EMBEDDED_URL, PipelineApp, build_app, declare_topics
from streams.broker import create_topics, wait_for_broker
from streams.clock import Clock, SystemClock
from streams.errors import StreamError
from streams.schemas import InspectionRecord, PostRecord, SightingRecord
from streams.settings import Settings
from streams.types import PostKey

log = structlog.get_logger()

BROKER_WAIT_SECONDS = 60.0
THREADS = 16
"""For blocking calls. Each agent and timer has one at most, and the matches of media theirs."""

In = TypeVar("In", bound=Readable)


class Pipeline:
    """One worker process.

    Args:
        settings: everything.
        clock: for times.
        port: of metrics and health.
    """

    def __init__(self, settings: Settings, clock: Clock, port: int) -> None:
        self.settings = settings
        self.app = build_app(settings)
        self.agents: list[AgentT[Any]] = []
        self.failure: StreamError | None = None
        self._clock = clock
        self._topics = declare_topics(self.app, settings.partitions)
        self._database = Database(settings.database)
        self._send = TopicSender(self._topics)
        self._set_aside = SettingAside(self._database, self._send, clock)
        self._eyes = Eyes(settings, self._database, clock)
        self._remembering = Remembering(self._database)
        self._endpoints = load_endpoints(settings)
        self._desk = Desk(
            database=self._database,
            endpoints=len(self._endpoints),
            console_link=settings.console_link,
            limits=QuarantineLimits.from_settings(settings),
        )
        self._stop = Stop()
        self._progress: list[Progress] = []
        self._started = False
        self._watchdog = Watchdog(
            self._database, clock, settings.stuck_after_seconds, self._is_mine
        )
        self._serving = Serving(settings.metrics_host, port, self.reasons)
        self._attach()
        self._hook()

    def reasons(self) -> Sequence[str]:
        """Say why this worker is not ready."""
        vitals = Vitals(
            started=self._started,
            work_waits=self._watchdog.work_waits,
            database=self._watchdog.database_answers,
            gallery_age_seconds=self._eyes.gallery_age_seconds,
            children=self._eyes.children_answer,
        )
        limits = Limits(
            stuck_seconds=self.settings.stuck_after_seconds,
            gallery_stale_seconds=self.settings.gallery_stale_seconds,
        )
        return reasons_not_ready(self._progress, vitals, limits)

    def _attach(self) -> None:
        """Register every agent. One that is not named here does not run."""
        triaging = Triaging(
            "triage",
            database=self._database,
            index=self._eyes.index,
            send=self._send,
            clock=self._clock,
        )
        deciding = Deciding(
            "decide",
            desk=self._desk,
            clock=self._clock,
        )
        self._add("triage", topics.POSTS, PostRecord, triaging)
        self._add_inspecting("inspect_urgent", topics.INSPECTIONS_URGENT)
        self._add_inspecting("inspect_bulk", topics.INSPECTIONS_BULK)
        self._add("decide", topics.SIGHTINGS, SightingRecord, deciding)

    def _add_inspecting(self, agent: str, topic: str) -> None:
        settings, progress = self.settings, Progress(self._clock)
        media = Media(self._eyes.fetch, self._eyes.examine, progress.advanced)
        steps = Inspecting(
            agent,
            database=self._database,
            media=media,
            send=self._send,
            tries=Tries(
                attempts=settings.fetch_attempts,
                retry_seconds=settings.fetch_retry_seconds,
                timeout_seconds=settings.fetch_timeout_seconds,
            ),
            clock=self._clock,
            remember=self._remembering.remember if settings.lookback_days else remember_nothing,
        )
        self._add(agent, topic, InspectionRecord, steps, progress)

    def _add(
        self,
        agent: str,
        topic: str,
        record: type[In],
        steps: Any,
        progress: Progress | None = None,
    ) -> None:
        settings, progress = self.settings, progress or Progress(self._clock)
        self._progress.append(progress)
        shell = Shell(
            agent,
            record=record,
            set_aside=self._set_aside,
            epoch=settings.consumer_group,
            max_in_a_row=settings.dead_letters_in_a_row,
            progress=progress,
            stop=self._stop,
        )
        batching = Batching(posts=settings.batch_posts, seconds=settings.batch_wait_seconds)
        self.agents.append(attach(self.app, self._topics[topic], shell, steps, batching))

    def _hook(self) -> None:
        self.app.before_start = self._before_start
        self.app.before_stop = self._before_stop
        self.app.after_stop = self._after_stop
        self.app.task(self._on_started)

    async def _before_start(self) -> None:
        try:
            await self._open()
        except StreamError as error:
            self.failure = error
            raise

    async def _open(self) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
        settings = self.settings
        await self._serving.start()
        (await asyncio.to_thread(open_database, settings)).close()
        await self._eyes.open()  # first: what is missing here is said at once
        url = settings.broker_url or EMBEDDED_URL
        await wait_for_broker(url, BROKER_WAIT_SECONDS)
        await create_topics(url, settings.partitions)
        every = settings.gallery_poll_seconds
        self.app.add_future(repeat(self._eyes.refresh, every, what="gallery"))
        self.app.add_future(repeat(self._watchdog.look, LOOK_SECONDS, what="watchdog"))
        releasing = Releasing(self._desk, self._clock)
        self.app.add_future(repeat(releasing.look, RELEASE_SECONDS, what="quarantine"))
        self.app.add_future(notifying.notify(self._database, self._endpoints, self._clock))

    async def _on_started(self) -> None:
        self._started = True
        log.info("worker started", group=self.settings.consumer_group)

    async def _before_stop(self) -> None:
        self._started = False
        self._stop.set()

    async def _after_stop(self) -> None:
        await self._eyes.close()
        await self._serving.stop()
        self._database.close()

    def _is_mine(self, key: PostKey) -> bool:
        partition = (murmur2(key.encode()) & 0x7FFFFFFF) % self.settings.partitions
        try:
            return any(held.partition == partition for held in self.app.consumer.assignment())
        except ConsumerNotStarted:
            return False


def build(settings: Settings, *, port: int | None = None, clock: Clock | None = None) -> Pipeline:
    """Wire a worker; nothing is opened until its app starts.

    Args:
        settings: everything.
        port: of metrics and health; the settings' where None.
        clock: the machine's where None.

    Raises:
        ConfigurationError: a webhook's setting cannot be used.
    """
    return Pipeline(
        settings, clock or SystemClock(), settings.worker_port if port is None else port
    )


def __getattr__(name: str) -> PipelineApp:
    """Make the module's one app when Faust's command line asks for it, not at import."""
    if name != "app":
        raise AttributeError(name)
    built = build(Settings()).app
    globals()["app"] = built
    return built
