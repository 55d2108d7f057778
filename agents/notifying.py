"""Webhooks out of the outbox, beside the agents of every worker."""

from collections.abc import Sequence

from alerts.channels.webhook import Endpoint
from alerts.outbox import deliver_forever
from monitors.database import Database
from streams.clock import Clock


async def notify(database: Database, endpoints: Sequence[Endpoint], clock: Clock) -> None:
    """Deliver what is due, for ever; leases keep workers out of each other's way."""
    await deliver_forever(database, endpoints, clock)
