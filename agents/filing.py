"""From the database into the look-back's store: what workers saw, filed in large batches.

One process does it, and it forks no children: LanceDB's threads do not survive a fork.
"""

import asyncio
import threading
from collections.abc import Callable
from itertools import groupby
from typing import Self

from monitors import metrics, seen_views
from monitors.database import Database
from monitors.lookback import DEFAULT_LOOKBACK, LookBackStore, load_lookback, place_of
from streams.settings import Settings

FILE_SECONDS = 5.0
"""Between two looks. A search files first, so that it misses nothing."""

BATCH = 4096
"""Fingerprints at once: one file of 4 MB, instead of one for each inspected batch."""


class Filing:
    """Files what waits. Any thread; one at a time.

    Args:
        database: with what waits.
        open_store: called once, when there is something to file.
    """

    def __init__(self, database: Database, open_store: Callable[[], LookBackStore]) -> None:
        self._database = database
        self._open_store = open_store
        self._store: LookBackStore | None = None
        self._lock = threading.Lock()

    @classmethod
    def from_settings(cls, settings: Settings, database: Database) -> Self:
        """File in the settings' place."""
        place = place_of(settings.home, settings.lookback_url)
        return cls(database, lambda: load_lookback(DEFAULT_LOOKBACK, place))

    async def look(self) -> None:
        """File everything that waits now.

        Raises:
            DatabaseUnavailableError: store or database are away; what waits goes on waiting.
        """
        await asyncio.to_thread(self.file)

    def file(self) -> int:
        """Do it; give how many were filed. One that is filed twice is found once."""
        filed = 0
        with self._lock:
            while some := self._take():
                for space, group in groupby(some, key=lambda one: one.space):
                    self._opened().of(space).add([one.seen for one in group])
                with self._database.write() as connection:
                    filed += seen_views.drop(connection, some)
                    metrics.UNFILED.set(seen_views.count(connection))
        return filed

    def _take(self) -> list[seen_views.Waiting]:
        with self._database.read() as connection:
            return sorted(seen_views.take(connection, BATCH), key=lambda one: one.space)

    def _opened(self) -> LookBackStore:
        if self._store is None:
            self._store = self._open_store()
        return self._store
