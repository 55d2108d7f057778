"""Which ports an instance takes where its settings leave the choice."""

from pathlib import Path

from streams import broker
from streams.settings import Settings


def persisted_port(file: Path) -> int:
    """Take the broker's port of the last time if it is free, else another, and keep it."""
    try:
        port = int(file.read_text())
    except (OSError, ValueError):
        port = 0
    if not port or not broker.is_free(port):
        port = broker.free_port()
        file.write_text(str(port))
    return port


def with_ports(settings: Settings) -> Settings:
    """Choose free ports where the settings say 0."""
    chosen = {
        name: broker.free_port()
        for name in ("push_port", "collector_port", "console_port")
        if getattr(settings, name) == 0
    }
    if settings.worker_port == 0:
        chosen["worker_port"] = _free_range(settings.workers)
    return settings.model_copy(update=chosen)


def _free_range(count: int) -> int:
    """Find so many free ports in a row."""
    while True:
        first = broker.free_port()
        if first + count < 65536 and all(map(broker.is_free, range(first, first + count))):
            return first
