"""What an inspection saw, kept for looking back: fingerprints and posts, never media."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Self

from agents.steps.remembering import View, is_worth_remembering, seen_of
from monitors import metrics, seen
from monitors.database import Database
from monitors.lookback import (
    DEFAULT_LOOKBACK,
    LookBackStore,
    SeenFingerprint,
    load_lookback,
    place_of,
)
from streams.settings import Settings
from streams.types import MediumResult, Post, PostKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A medium that was examined, and what it showed.

    Args:
        result: what became of it.
        space: the vectors' space.
        views: see `View`.
    """

    result: MediumResult
    space: str
    views: Sequence[View]


Remember = Callable[[Sequence[tuple[Post, Sequence[Shown]]]], Awaitable[None]]
"""Keeps what posts showed, durably. Bears repetition. Raises DatabaseUnavailableError."""


async def remember_nothing(_posts: Sequence[tuple[Post, Sequence[Shown]]]) -> None:
    """Keep nothing: where looking back is off."""


class Remembering:
    """Keeps what was seen.

    Args:
        database: with the posts.
        open_store: called once, when there is something to keep.
    """

    def __init__(self, database: Database, open_store: Callable[[], LookBackStore]) -> None:
        self._database = database
        self._open_store = open_store
        self._store: LookBackStore | None = None

    async def remember(self, posts: Sequence[tuple[Post, Sequence[Shown]]]) -> None:
        """Keep what an inspection saw, before its posts' outcomes are: see `Remember`."""
        worth = [(post, shown) for post, shown in posts if is_worth_remembering(post)]
        if worth:
            await asyncio.to_thread(self._write, worth)

    @classmethod
    def from_settings(cls, settings: Settings, database: Database) -> Self:
        """Keep what was seen in the settings' place."""
        place = place_of(settings.home, settings.lookback_url)
        return cls(database, lambda: load_lookback(DEFAULT_LOOKBACK, place))

    def close(self) -> None:
        """Let go of the store. Idempotent."""
        if self._store is not None:
            self._store.close()
        self._store = None

    def _write(self, posts: Sequence[tuple[Post, Sequence[Shown]]]) -> None:
        """Keep fingerprints first: the post says that they are, and none is kept again."""
        payloads = {post.key: seen.compressed(post) for post, _ in posts}
        known = self._known(list(payloads))
        new = [(post, shown) for post, shown in posts if post.key not in known]
        if not new:
            return
        by_space: dict[str, list[SeenFingerprint]] = {}
        for post, shown in new:
            for one in shown:
                by_space.setdefault(one.space, []).extend(
                    seen_of(post, one.result.index, one.views)
                )
        for space, fingerprints in by_space.items():
            if fingerprints:
                self._opened().of(space).add(fingerprints)
        with self._database.write() as connection:
            seen.remember(connection, [(post, payloads[post.key]) for post, _ in new])
        metrics.REMEMBERED.inc(sum(len(some) for some in by_space.values()))

    def _known(self, keys: Sequence[PostKey]) -> set[PostKey]:
        with self._database.read() as connection:
            return seen.known(connection, keys)

    def _opened(self) -> LookBackStore:
        if self._store is None:
            self._store = self._open_store()
        return self._store
