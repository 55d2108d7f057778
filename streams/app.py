"""Build the Faust app. It knows the broker; it knows no agent.

The settings are the house style that lost nothing when workers and brokers were killed; see
`docs/pipeline.md` for what each of them prevents.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TopicT

from streams import topics
from streams.settings import Settings

EMBEDDED_URL = "kafka://127.0.0.1:19092"
"""Stands in until the launcher, which chose the embedded broker's port, passes its address."""

FETCH_MAX_WAIT_MS = 100
"""Faust fixes 1,500; the embedded broker answers after half of it, so each hop took 0.75 s."""

EMBEDDED_TIMINGS = {"session": 6.0, "heartbeat": 1.0}
KAFKA_TIMINGS = {"session": 10.0, "heartbeat": 3.0}
"""Seconds. A dead worker is noticed after `session`; Faust's default of 60 is a third of the SLA.
Kafka wants three heartbeats a session at least."""

Hook = Callable[[], Awaitable[None]]


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS  # noqa: SLF001 - no setting reaches it
        return consumer


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)


class _Transport(driver.Transport):
    Consumer = _Consumer


class PipelineApp(faust.App):
    """A Faust app with a beginning and an end of our own.

    Both hooks run in the main thread: before anything is consumed, and before Faust waits for what
    is in hand.
    """

    before_start: Hook | None = None
    before_stop: Hook | None = None
    after_stop: Hook | None = None

    async def on_first_start(self) -> None:
        """Make the data directory's parents too, for their owner alone: Faust makes the last."""
        for folder in reversed([self.conf.datadir, *self.conf.datadir.parents]):
            folder.mkdir(mode=0o700, exist_ok=True)
        await super().on_first_start()

    async def on_start(self) -> None:
        """Load what the agents need, so that no partition is taken before it can be worked on."""
        if self.before_start is not None:
            await self.before_start()
        await super().on_start()

    async def on_stop(self) -> None:
        """End the waits, let what is in hand come to its end, then unload."""
        if self.before_stop is not None:
            await self.before_stop()
        await super().on_stop()

    async def on_shutdown(self) -> None:
        """Unload when the consumer and the agents have stopped."""
        await super().on_shutdown()
        if self.after_stop is not None:
            await self.after_stop()

    def _new_transport(self) -> Any:
        return _Transport(self.conf.broker_consumer, self)


def build_app(settings: Settings) -> PipelineApp:
    """Return an app that agents can be attached to. Nothing is connected yet."""
    url = settings.broker_url or EMBEDDED_URL
    timings = EMBEDDED_TIMINGS if url.startswith("kafka://127.0.0.1:") else KAFKA_TIMINGS
    return PipelineApp(
        settings.consumer_group,
        broker=url,
        store="memory://",
        datadir=settings.run_dir / "faust",
        web_enabled=False,
        worker_redirect_stdouts=False,
        topic_partitions=settings.partitions,
        topic_disable_leader=True,
        broker_session_timeout=timings["session"],
        broker_heartbeat_interval=timings["heartbeat"],
        broker_rebalance_timeout=15.0,
        broker_commit_interval=1.0,
        broker_max_poll_records=200,
        broker_commit_livelock_soft_timeout=120.0,
        producer_request_timeout=30.0,
        stream_buffer_maxsize=256,
        stream_processing_timeout=120.0,
        stream_wait_empty=True,
        table_standby_replicas=0,
    )


def declare_topics(app: faust.App, partitions: int) -> Mapping[str, TopicT]:
    """Declare every topic with raw bytes: agents decode in their bodies."""
    return {
        name: app.topic(
            name,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            partitions=partitions,
            internal=True,
        )
        for name in topics.ALL
    }
