"""Posts in; inspections out, urgent or bulk. The wiring around `agents.steps.triaging`."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agents.ending import end_posts
from agents.sending import Keyed, Send
from agents.steps.expanding import LINKS_NOT_FOLLOWED, followed
from agents.steps.triaging import KeywordIndex, Triaged, triage
from monitors import metrics
from monitors.database import Database
from monitors.inbox import still_open
from streams import topics
from streams.clock import Clock
from streams.schemas import InspectionRecord, KeywordHitRecord, PostRecord
from streams.types import Outcome, Post, PostKey, PostOutcome, Priority

NO_MEDIA = "no_media"
"""Reason of a `clear` post with nothing to inspect, whatever its text says."""

MAX_HITS = 1000
"""Of one post, the best: some 125 kB as JSON. A text that lists every name in the country must not
make a record that no broker takes: its post would be a dead letter, and its media unseen."""

TOPICS: Mapping[Priority, str] = {
    Priority.URGENT: topics.INSPECTIONS_URGENT,
    Priority.BULK: topics.INSPECTIONS_BULK,
}


@dataclass(frozen=True, slots=True)
class _Sorted:
    records: Mapping[str, list[Keyed]]
    ends: list[PostOutcome] = field(default_factory=list)


class Triaging:
    """The steps of `triage`.

    Args:
        agent: its name.
        database: with the inbox.
        index: gives the keywords in force; raises TransientError where they may be outdated.
        send: to the inspections.
        clock: for `triaged_at`.
    """

    def __init__(
        self,
        agent: str,
        *,
        database: Database,
        index: Callable[[], KeywordIndex],
        send: Send,
        clock: Clock,
    ) -> None:
        self._agent = agent
        self._database = database
        self._index = index
        self._send = send
        self._clock = clock

    async def step(self, records: Sequence[PostRecord]) -> _Sorted:
        """Search every post's text, in a thread."""
        return await asyncio.to_thread(self._sort, records)

    async def emit(self, found: _Sorted) -> None:
        """Hand the posts on, and end those that have nothing to look at."""
        for topic, records in found.records.items():
            await self._send(topic, records)
        await asyncio.to_thread(end_posts, self._database, found.ends)

    def _sort(self, records: Sequence[PostRecord]) -> _Sorted:
        posts: dict[PostKey, tuple[Post, PostRecord]] = {}
        for record in records:
            post = record.to_post()
            posts[post.key] = (post, record)
        with self._database.read() as connection:
            waiting = still_open(connection, posts)
        metrics.DUPLICATES.labels(self._agent).inc(len(records) - len(waiting))
        index, now = self._index(), self._clock.now()
        found = _Sorted(records=defaultdict(list))
        for post, record in (posts[key] for key in posts if key in waiting):
            triaged = triage(post, index)
            metrics.KEYWORD_HITS.inc(len(triaged.hits))
            if followed(post, triaged.priority).media:
                keyed = (post.key, _inspection(record, triaged, now).to_bytes())
                found.records[TOPICS[triaged.priority]].append(keyed)
            else:
                found.ends.append(_not_inspected(post, now))
        return found


def _inspection(record: PostRecord, triaged: Triaged, now: datetime) -> InspectionRecord:
    best = sorted(triaged.hits, key=lambda hit: -hit.similarity)[:MAX_HITS]
    hits = tuple(KeywordHitRecord.from_domain(hit) for hit in best)
    return InspectionRecord(post=record, priority=triaged.priority, hits=hits, triaged_at=now)


def _not_inspected(post: Post, now: datetime) -> PostOutcome:
    return PostOutcome(
        key=post.key,
        source=post.source,
        outcome=Outcome.CLEAR,
        reason=LINKS_NOT_FOLLOWED if post.media else NO_MEDIA,
        observed_at=post.observed_at,
        ended_at=now,
    )
