"""Posts that are handed in, by the push endpoint or a search: stored before it answers."""

import asyncio
from collections.abc import Sequence

from monitors import inbox, metrics, searches
from monitors.database import Database
from monitors.inbox import Arrival
from monitors.searches import Search
from streams.clock import Clock
from streams.errors import InboxFullError
from streams.sources.source import Accepted
from streams.types import Post

MAX_WAITING = 50_000
"""Posts in the inbox from which on no more are taken in: over an hour's work at the rated 10 a
second. The sources wait and the push endpoint answers 503; nothing is dropped."""


class Intake:
    """Writes arrivals to the inbox.

    Args:
        database: with the inbox.
        clock: for times.
        owner: this collector's name, the same after a restart on the same machine and home.
    """

    def __init__(self, database: Database, clock: Clock, owner: str) -> None:
        self.database = database
        self._clock = clock
        self.owner = owner
        self.arrived = asyncio.Event()
        self.full = False

    async def accept(self, posts: Sequence[Post]) -> Accepted:
        """Store posts that were handed in; when this returns, they are kept.

        Raises:
            InboxFullError: too much is waiting; hand them in later.
            InvalidMessageError: one of them can never be taken; none was stored.
            DatabaseUnavailableError: none was stored.
        """
        if self.full:
            raise InboxFullError("too many posts are waiting")
        arrivals = [Arrival(post=post, payload=inbox.payload_of(post)) for post in posts]
        accepted = await asyncio.to_thread(self._add, arrivals)
        if posts:  # an endpoint's posts have one source
            metrics.OBSERVED.labels(posts[0].source).inc(accepted.accepted)
        self.arrived.set()
        return accepted

    async def look(self, search: Search, source: str, posts: Sequence[Post]) -> int:
        """Store what a search found: to be inspected again, too, where the case was another then.

        Returns:
            How many the search had not found before.

        Raises:
            InboxFullError, InvalidMessageError, DatabaseUnavailableError: as `accept`.
        """
        if self.full:
            raise InboxFullError("too many posts are waiting")
        arrivals = [Arrival(post=post, payload=inbox.payload_of(post)) for post in posts]
        found, accepted = await asyncio.to_thread(self._look, search, source, arrivals)
        metrics.OBSERVED.labels(source).inc(accepted.accepted)
        self.arrived.set()
        return found

    async def release(self) -> None:
        """Let other collectors have the sources at once."""
        await asyncio.to_thread(self._release)

    def _add(self, arrivals: Sequence[Arrival]) -> Accepted:
        with self.database.write() as connection:
            return inbox.add(connection, arrivals)

    def _look(
        self, search: Search, source: str, arrivals: Sequence[Arrival]
    ) -> tuple[int, Accepted]:
        keys = [arrival.post.key for arrival in arrivals]
        with self.database.write() as connection:
            since = searches.known_since(connection, search.case)
            settled = searches.settled(connection, keys, since)
            again = [arrival for arrival in arrivals if arrival.post.key not in settled]
            accepted = inbox.add(connection, again, again=True)
            now = self._clock.now()
            found = searches.add_posts(connection, self.database, search.id, source, keys, now)
        return found, accepted

    def _release(self) -> None:
        with self.database.write() as connection:
            inbox.release(connection, self.owner)
