"""The gauges of the inbox, and the word that it is full."""

import asyncio

from agents.intake import MAX_WAITING, Intake
from monitors import metrics
from monitors.database import Database
from monitors.inbox import Waiting, waiting
from streams.clock import Clock
from streams.errors import DatabaseUnavailableError


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
