"""Inspections in: every medium fetched, decoded, fingerprinted and matched.

Posts without a match end here; the others go on as sightings. The wiring around
`agents.steps.inspecting`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agents.ending import count_ends
from agents.media_way import (
    Found,
    Media,
    Opened,
    Try,
    Undelivered,
    Until,
    Untried,
    all_of,
    laid_out,
)
from agents.remembering import Remember, Shown, remember_nothing
from agents.sending import Keyed, Send
from agents.steps import expanding, inspecting
from monitors import inbox, metrics
from monitors.database import Database
from streams import topics
from streams.clock import Clock
from streams.schemas import InspectionRecord, SightingRecord
from streams.types import MediumResult, Outcome, Post, PostKey, PostOutcome, Sighting

BATCH_SECONDS = 20.0
"""In which a batch takes up media. A post whose media were not all taken up by then is produced
again: one with many slow or heavy media must not hold up the sightings of others."""

RETURNED_AFTER = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """How often and how long a host is asked.

    Args:
        attempts: tries of a post whose media are not delivered.
        retry_seconds: wait before the second; doubles with each.
        timeout_seconds: the most that one fetch may take.
    """

    attempts: int
    retry_seconds: float
    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """A post put off.

    Args:
        key: whose.
        not_before: when it is produced again.
        counted: whether this was one of its tries; not where it only had to wait for others.
    """

    key: PostKey
    not_before: datetime
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Inspected:
    """What became of a batch."""

    sightings: Sequence[Keyed]
    ends: Sequence[PostOutcome]
    postponed: Sequence[Postponed]
    media: Sequence[MediumResult]
    shown: Sequence[tuple[Post, Sequence[Shown]]] = ()


@dataclass(frozen=True, slots=True)
class _Open:
    """A post that has not ended: without the links that are not followed."""

    record: InspectionRecord
    post: Post
    tries: int


class Inspecting:
    """The steps of `inspect_urgent` and `inspect_bulk`.

    Args:
        agent: its name.
        database: with the inbox.
        media: inspects one medium.
        send: to the sightings.
        tries: for media that are not delivered.
        clock: for times.
        remember: keeps what posts showed, before they end or go on.
    """

    def __init__(  # noqa: PLR0913 - wired in one place
        self,
        agent: str,
        *,
        database: Database,
        media: Media,
        send: Send,
        tries: Tries,
        clock: Clock,
        remember: Remember = remember_nothing,
    ) -> None:
        self._agent = agent
        self._database = database
        self._media = media
        self._send = send
        self._tries = tries
        self._clock = clock
        self._remember = remember

    async def step(self, records: Sequence[InspectionRecord]) -> Inspected:
        """Inspect all posts of a batch at once."""
        found = {record.post.to_post().key: record for record in records}
        tried = await asyncio.to_thread(self._attempts, list(found))
        metrics.DUPLICATES.labels(self._agent).inc(len(records) - len(tried))
        now = self._clock.now()
        for key in tried:
            waited = (now - found[key].triaged_at).total_seconds()
            metrics.STAGE_SECONDS.labels("queue").observe(max(0.0, waited))
        open_ = [
            _Open(record, expanding.followed(record.post.to_post(), record.priority), tried[key])
            for key, record in found.items()
            if key in tried
        ]
        media = await self._media_of(open_)
        return _merged(
            [self._judged(one, media[place], counted=place == 0) for place, one in enumerate(open_)]
        )

    async def emit(self, found: Inspected) -> None:
        """Keep what was seen; hand sightings on; end and put off the rest in one transaction."""
        await self._remember(found.shown)
        if found.sightings:
            await self._send(topics.SIGHTINGS, found.sightings)
        if found.ends or found.postponed:
            await asyncio.to_thread(self._write, found)
        for result in found.media:
            metrics.MEDIA.labels(result.outcome.value).inc()

    def _attempts(self, keys: Sequence[PostKey]) -> Mapping[PostKey, int]:
        with self._database.read() as connection:
            return inbox.attempts(connection, keys)

    def _write(self, found: Inspected) -> None:
        with self._database.write() as connection:
            for one in found.postponed:
                inbox.postpone(connection, one.key, one.not_before, counted=one.counted)
            new = inbox.finish(connection, found.ends)
        metrics.POSTPONED.inc(len(found.postponed))
        count_ends(found.ends, new)

    async def _media_of(self, batch: Sequence[_Open]) -> Sequence[Sequence[Found | Opened]]:
        """Inspect a batch in the order of `inspecting.order_of`; give what was found by post."""
        until = Until(self._clock, self._clock.monotonic() + BATCH_SECONDS)
        most = self._tries.timeout_seconds
        trying = [
            Try(one.post, inspecting.seconds_allowed(one.tries, most), until) for one in batch
        ]
        order = inspecting.order_of([(len(one.post.media), one.tries) for one in batch])
        found = await all_of(self._media.inspect(index, trying[place]) for place, index in order)
        by_place = dict(zip(order, found, strict=True))
        return [
            [by_place[place, index] for index in range(len(one.post.media))]
            for place, one in enumerate(batch)
        ]

    def _judged(self, one: _Open, media: Sequence[Found | Opened], *, counted: bool) -> Inspected:
        """Say what becomes of a post.

        Args:
            one: the post, and how often it was put off before.
            media: what became of its media.
            counted: whether media that the batch had no time for count as a try: they do for its
                first post, which nobody kept waiting, so every post ends.
        """
        post, found = laid_out(one.post, media)
        late = [medium for medium in found if isinstance(medium, Undelivered)]
        untried = any(isinstance(medium, Untried) for medium in found)
        results = [_settled(medium) for medium in found]
        outcome, reason = inspecting.outcome_of(results)
        shown = [
            (one.record.post.to_post(), [medium for medium in found if isinstance(medium, Shown)])
        ]
        if outcome is Outcome.SIGHTED:
            return Inspected([self._sighted(one.record, post, results)], (), (), results, shown)
        if untried and not counted:
            soon = self._clock.now() + RETURNED_AFTER
            return Inspected((), (), [Postponed(key=post.key, not_before=soon, counted=False)], ())
        if (late or untried) and one.tries + 1 < self._tries.attempts:
            return Inspected((), (), [self._postpone(post, one.tries, late)], ())
        reason = reason if results else expanding.LINKS_NOT_FOLLOWED
        return Inspected((), [self._ended(post, outcome, reason)], (), results, shown)

    def _postpone(self, post: Post, tries: int, late: Sequence[Undelivered]) -> Postponed:
        asked = max((one.error.retry_after_seconds or 0.0 for one in late), default=0.0)
        wait = inspecting.wait_before_retry(tries, self._tries.retry_seconds, asked)
        return Postponed(key=post.key, not_before=self._clock.now() + wait)

    def _sighted(
        self, record: InspectionRecord, post: Post, results: Sequence[MediumResult]
    ) -> Keyed:
        kept = inspecting.bounded(results)
        cases = {match.case for result in kept for match in result.matches}
        sighting = Sighting(
            post=_without_words(post),
            results=kept,
            hits=tuple(hit.to_domain() for hit in record.hits if hit.case in cases),
            triaged_at=record.triaged_at,
            inspected_at=self._clock.now(),
        )
        return post.key, SightingRecord.from_domain(sighting).to_bytes()

    def _ended(self, post: Post, outcome: Outcome, reason: str | None) -> PostOutcome:
        return PostOutcome(
            key=post.key,
            source=post.source,
            outcome=outcome,
            reason=reason,
            media=len(post.media),
            observed_at=post.observed_at,
            ended_at=self._clock.now(),
        )


def _settled(found: Found) -> MediumResult:
    if isinstance(found, Shown):
        return found.result
    if isinstance(found, Undelivered):
        return inspecting.failed(found.index, found.error)
    if isinstance(found, Untried):
        return inspecting.shed(found.index)
    return found


def _without_words(post: Post) -> Post:
    """Leave out what no decision needs: it would make records larger than a broker takes."""
    media = tuple(replace(item, alt_text="") for item in post.media)
    return replace(post, text="", media=media)


def _merged(parts: Sequence[Inspected]) -> Inspected:
    return Inspected(
        [one for part in parts for one in part.sightings],
        [one for part in parts for one in part.ends],
        [one for part in parts for one in part.postponed],
        [one for part in parts for one in part.media],
        [one for part in parts for one in part.shown],
    )
