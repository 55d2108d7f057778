"""The timer that ends quarantines: what was held becomes tasks."""

import asyncio

import structlog

from alerts.held import release_due
from alerts.tasks import Desk
from monitors import metrics
from streams.clock import Clock

log = structlog.get_logger()

RELEASE_SECONDS = 10.0
"""Between two looks: little, beside the day that a quarantine lasts."""


class Releasing:
    """Opens the tasks of what is due. Every worker may do so at once.

    Args:
        desk: where tasks are opened.
        clock: tells what is due.
    """

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    async def look(self) -> None:
        """Look once.

        Raises:
            DatabaseUnavailableError: what is due stays so.
        """
        released = await asyncio.to_thread(release_due, self._desk, self._clock.now())
        for one in released.opened:
            if one.new:
                metrics.TASKS_OPENED.labels(one.severity.value).inc()
        if released.sightings or released.references:
            log.info(
                "quarantine ended",
                references=list(released.references),
                sightings=released.sightings,
            )
