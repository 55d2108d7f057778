"""What an inspection saw, kept for looking back: fingerprints and posts, never media."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from agents.steps.remembering import View, is_worth_remembering, seen_of
from monitors import metrics, seen, seen_views
from monitors.database import Database
from monitors.lookback import SeenFingerprint
from streams.types import MediumResult, Post


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
    """Keeps what was seen in the database, from where `agents.filing` files it.

    Args:
        database: with the posts.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remember(self, posts: Sequence[tuple[Post, Sequence[Shown]]]) -> None:
        """Keep what an inspection saw, before its posts' outcomes are: see `Remember`."""
        worth = [(post, shown) for post, shown in posts if is_worth_remembering(post)]
        if worth:
            await asyncio.to_thread(self._write, worth)

    def _write(self, posts: Sequence[tuple[Post, Sequence[Shown]]]) -> None:
        payloads = {post.key: seen.compressed(post) for post, _ in posts}
        with self._database.write() as connection:
            known = seen.known(connection, list(payloads))
            new = [(post, shown) for post, shown in posts if post.key not in known]
            by_space = _by_space(new)
            for space, fingerprints in by_space.items():
                seen_views.put(connection, space, fingerprints)
            seen.remember(connection, [(post, payloads[post.key]) for post, _ in new])
        metrics.REMEMBERED.inc(sum(map(len, by_space.values())))


def _by_space(
    posts: Sequence[tuple[Post, Sequence[Shown]]],
) -> dict[str, list[SeenFingerprint]]:
    found: dict[str, list[SeenFingerprint]] = {}
    for post, shown in posts:
        for one in shown:
            found.setdefault(one.space, []).extend(seen_of(post, one.result.index, one.views))
    return found
