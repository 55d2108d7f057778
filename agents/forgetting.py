"""The timer that forgets what was seen too long ago, and keeps the vector store in few files."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Self

import structlog

from monitors import metrics, seen, seen_views
from monitors.database import Database
from monitors.lookback import (
    DEFAULT_LOOKBACK,
    LookBack,
    LookBackStore,
    load_lookback,
    may_hold,
    place_of,
)
from streams.clock import Clock
from streams.settings import Settings

log = structlog.get_logger()

COMPACT_SECONDS = 60.0
"""Between two looks whether there are many small files: batches come once a second at most."""

FORGET_SECONDS = 3600.0
"""Little, beside the days that are kept."""


class Forgetting:
    """Forgets and compacts. Several at once do no harm.

    Args:
        database: with the posts.
        open_store: called at each look; None where nothing can be kept.
        clock: tells what is old.
        days: how long what was seen is kept; 0 keeps nothing.
    """

    def __init__(
        self,
        database: Database,
        open_store: Callable[[], LookBackStore | None],
        clock: Clock,
        days: float,
    ) -> None:
        self._database = database
        self._open_store = open_store
        self._clock = clock
        self._kept = timedelta(days=days)
        self._store: LookBackStore | None = None
        self._forgot_at: float | None = None

    @classmethod
    def from_settings(cls, settings: Settings, database: Database, clock: Clock) -> Self:
        """Forget what the settings say, in their place."""
        place = place_of(settings.home, settings.lookback_url)

        def open_store() -> LookBackStore | None:
            return load_lookback(DEFAULT_LOOKBACK, place) if may_hold(place) else None

        return cls(database, open_store, clock, settings.lookback_days)

    async def look(self) -> None:
        """Forget once an hour, and compact where that is worth it.

        Raises:
            DatabaseUnavailableError: done at the next look.
        """
        await asyncio.to_thread(self._look)

    def _look(self) -> None:
        store = self._opened()
        now = self._clock.monotonic()
        if self._forgot_at is None or now - self._forgot_at >= FORGET_SECONDS:
            self._forget(store)
            self._forgot_at = now
        for one in _all_of(store):
            one.compact()

    def _forget(self, store: LookBackStore | None) -> None:
        """Forget fingerprints first: none is left whose post is gone."""
        before = self._clock.now() - self._kept
        gone = sum(one.forget(before) for one in _all_of(store))
        with self._database.write() as connection:
            gone += seen_views.forget(connection, before)
            posts = seen.forget(connection, before)
        metrics.FORGOTTEN.labels("fingerprints").inc(gone)
        metrics.FORGOTTEN.labels("posts").inc(posts)
        if gone or posts:
            log.info("what was seen was forgotten", fingerprints=gone, posts=posts)

    def _opened(self) -> LookBackStore | None:
        if self._store is None:
            self._store = self._open_store()
        return self._store


def _all_of(store: LookBackStore | None) -> list[LookBack]:
    return [] if store is None else [store.of(space) for space in store.spaces()]
