"""What a process looks at again and again, beside its work."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from monitors import inbox
from monitors.database import Database
from streams.clock import Clock
from streams.errors import TransientError
from streams.types import PostKey

log = structlog.get_logger()

LOOK_SECONDS = 2.0
ANSWER_SECONDS = 5.0
"""A database that takes longer to answer one small query is taken for absent."""


async def repeat(call: Callable[[], Awaitable[object]], seconds: float, *, what: str) -> None:
    """Call for ever, with a pause between; ride out what passes."""
    while True:
        try:
            await call()
        except TransientError as error:
            log.warning("timer failed", action=what, reason=error.reason)
        await asyncio.sleep(seconds)


class Watchdog:
    """Looks whether the database answers, and whether work of this worker's waits for too long.

    Args:
        database: with the inbox.
        clock: for times.
        stuck_seconds: how long a produced post may go without an end.
        is_mine: tells whether this worker holds the post's partition.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        stuck_seconds: float,
        is_mine: Callable[[PostKey], bool],
    ) -> None:
        self._database = database
        self._clock = clock
        self._stuck_seconds = stuck_seconds
        self._is_mine = is_mine
        self._asking: asyncio.Future[list[PostKey]] | None = None
        self.database_answers = True
        self.work_waits = False

    async def look(self) -> None:
        """Look once; never raises for a database that is away."""
        if self._asking is None:  # else the last question still hangs: ask no second one
            self._asking = asyncio.ensure_future(asyncio.to_thread(self._overdue))
        done, _ = await asyncio.wait([self._asking], timeout=ANSWER_SECONDS)
        if not done:
            self.database_answers = False
            return
        asked, self._asking = self._asking, None
        try:
            waiting = asked.result()
        except TransientError:
            self.database_answers = False
            return
        self.database_answers = True
        self.work_waits = any(self._is_mine(key) for key in waiting)

    def _overdue(self) -> list[PostKey]:
        with self._database.read() as connection:
            return inbox.overdue(connection, self._clock.now(), self._stuck_seconds)
