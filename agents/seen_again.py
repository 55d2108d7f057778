"""What was seen already and may be of a case, as a source of its searches.

Two ways lead to a post of the last days: fingerprints that are like the case's references, and a
text that holds its keywords. Either is a candidate alone: the pipeline fetches its media anew.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice

from agents.looking_back import MOST_CANDIDATES, look_back
from agents.one_search import TIME, Found
from agents.steps.seeking import AT_ONCE, that_hold
from agents.steps.triaging import KeywordIndex
from monitors import seen
from monitors.database import Database
from monitors.gallery import GalleryKeeper
from monitors.keystore import KeyStore
from monitors.keywords import WatchedKeyword
from monitors.lookback import LookBackStore
from monitors.searches import LOOK_BACK
from streams.clock import Clock
from streams.sources.source import Truncated
from streams.types import CaseId, Post, PostKey

CAP = "cap"

BATCH = 50

MOST_TEXTS = 5_000_000
"""Posts whose texts are read: three weeks of all that Bluesky posts with pictures in a day."""

TEXT_SECONDS = 100.0
"""After so long no further text is read: what was found must be inspected within the 180 s."""

MOST_HITS = 500
"""Posts found by their texts, the newest first: what two cores inspect in some two minutes."""

Watched = Callable[[CaseId], Sequence[WatchedKeyword]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAgain:
    """Looks back for searches.

    Args:
        database: with the posts that were seen, and the cases.
        keystore: opens the case's features.
        open_store: gives the fingerprints; None where none were kept yet.
        file: files what waits for the store. Blocks.
        watched: gives a case's keywords; empty where it may not be matched. Blocks.
        clock: for times.
        days: how far back.
    """

    database: Database
    keystore: KeyStore
    open_store: Callable[[], LookBackStore | None]
    file: Callable[[], object]
    watched: Watched
    clock: Clock
    days: float

    async def find(self, case: CaseId) -> Found:
        """Give candidates in batches: those that look alike first.

        Raises:
            DatabaseUnavailableError: what was seen cannot be read now.
        """
        alike = await asyncio.to_thread(self._alike, case)
        for some in _batches(list(dict.fromkeys(alike))):
            yield await asyncio.to_thread(self._posts, some)
        if len(alike) >= MOST_CANDIDATES:
            yield Truncated(reason=CAP)
        spoken, missing = await asyncio.to_thread(self._spoken, case)
        known = set(alike)
        for some in _batches([key for key in spoken if key not in known]):
            yield await asyncio.to_thread(self._posts, some)
        if missing is not None:
            yield Truncated(reason=missing)

    def _alike(self, case: CaseId) -> list[PostKey]:
        """Find posts by fingerprints. The features are opened for this, and let go."""
        self.file()
        store = self.open_store()
        if store is None:
            return []
        try:
            since = self.clock.now() - timedelta(days=self.days)
            found = []
            for space in store.spaces():
                keeper = GalleryKeeper(self.database, self.keystore, self.clock, space)
                found += look_back(store, keeper.refresh(), case, since)
        finally:
            store.close()
        found.sort(key=lambda one: -one[2])
        return [key for key, _, _ in found]

    def _spoken(self, case: CaseId) -> tuple[list[PostKey], str | None]:
        """Find posts by their texts, the newest first; say what is missing."""
        index = KeywordIndex(self.watched(case))
        if not len(index):
            return [], None
        found: list[PostKey] = []
        until = self.clock.monotonic() + TEXT_SECONDS
        since = self.clock.now() - timedelta(days=self.days)
        with (
            self.database.read() as connection,
            closing(seen.texts(connection, since, MOST_TEXTS)) as posts,
        ):
            while some := list(islice(posts, AT_ONCE)):
                found += that_hold(index, some)
                if len(found) >= MOST_HITS:
                    return found[:MOST_HITS], CAP
                if self.clock.monotonic() > until:
                    return found, TIME
        return found, None

    def _posts(self, keys: Sequence[PostKey]) -> list[Post]:
        """Give posts as this source's; each keeps its key, so that none is known twice."""
        with self.database.read() as connection:
            found = seen.read(connection, keys)
        now = self.clock.now()
        return [
            replace(
                found[key],
                source=LOOK_BACK,
                network=found[key].network or found[key].source,
                observed_at=now,
            )
            for key in keys
            if key in found
        ]


def _batches(keys: Sequence[PostKey]) -> Iterator[Sequence[PostKey]]:
    for start in range(0, len(keys), BATCH):
        yield keys[start : start + BATCH]
