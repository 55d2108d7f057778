"""Inspections in: every medium fetched, decoded, fingerprinted and matched.

Posts without a match end here; the others go on as sightings. The wiring around
`agents.steps.inspecting`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from agents.ending import count_ends
from agents.examined import Examined
from agents.examining import Left
from agents.sending import Keyed, Send
from agents.steps import inspecting
from monitors import inbox, metrics
from monitors.database import Database
from streams import topics
from streams.clock import Clock
from streams.errors import MediaError, MediaUnavailableError, TransientError
from streams.media.fetcher import FetchedMedia
from streams.schemas import InspectionRecord, SightingRecord
from streams.types import (
    MediaItem,
    MediumResult,
    Outcome,
    Post,
    PostKey,
    PostOutcome,
    Sighting,
)

MEDIA_AT_ONCE = 24
"""Media of one agent between their fetch and their match. Bounds what bodies hold in memory, and
is enough that slow hosts do not keep the engines waiting."""

BATCH_SECONDS = 20.0
"""In which a batch takes up media. A post whose media were not all taken up by then is produced
again: one with many slow or heavy media must not hold up the sightings of others."""

DEPTH_SECONDS = 20.0
"""Beyond that, how long a medium's further steps may begin: a batch ends within a minute and a
half, and every medium that it took up has been looked at."""

EXAMINE_SECONDS = 60.0
"""What examining may take beyond the batch's time, the wait for decoder and engines included. Then
it is cut, and what it found till then is judged."""

RETURNED_AFTER = timedelta(seconds=1)

T = TypeVar("T")


Fetch = Callable[[str], Awaitable[FetchedMedia]]
Examine = Callable[[bytes, str, Left, float], Awaitable[Examined]]
"""Examines a medium of a SHA-256: begins steps while time is left, and is cut after so many
seconds. Raises MediaError, TimeoutError where nothing was seen till then, and TransientError where
the gallery may be outdated or no engine answers."""


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


@dataclass(frozen=True, slots=True)
class _Undelivered:
    index: int
    error: MediaUnavailableError


@dataclass(frozen=True, slots=True)
class _Untried:
    """The batch's time was over before anything of this medium was seen."""

    index: int


_Found = MediumResult | _Undelivered | _Untried


@dataclass(frozen=True, slots=True)
class Until:
    """When a batch takes up no more media.

    Args:
        clock: whose monotonic time counts.
        at: by that clock.
    """

    clock: Clock
    at: float

    @property
    def left(self) -> float:
        """Seconds until then; 0 when it is over."""
        return self.left_with(0.0)

    def left_with(self, grace_seconds: float) -> float:
        """Give the seconds until so long after then; 0 when that is over, too."""
        return max(0.0, self.at + grace_seconds - self.clock.monotonic())


class Media:
    """One medium's way from its address to its matches.

    Args:
        fetch: raises MediaError.
        examine: see `Examine`.
        advanced: told whenever a medium is done with.
    """

    def __init__(
        self,
        fetch: Fetch,
        examine: Examine,
        advanced: Callable[[], None] = lambda: None,
    ) -> None:
        self._advanced = advanced
        self._fetch = fetch
        self._examine = examine
        self._slots = asyncio.Semaphore(MEDIA_AT_ONCE)

    async def inspect(self, index: int, item: MediaItem, seconds: float, until: Until) -> _Found:
        """Inspect one medium; what cannot be inspected has its outcome too."""
        async with self._slots:
            if not until.left:
                return _Untried(index)
            try:
                return await self._inspect(index, item, seconds, until)
            finally:
                self._advanced()

    async def _inspect(self, index: int, item: MediaItem, seconds: float, until: Until) -> _Found:
        try:
            fetched = await self._fetched(item.url, seconds)
        except MediaUnavailableError as error:
            return _Undelivered(index, error)
        except MediaError as error:
            return inspecting.failed(index, error)
        try:
            examined = await self._examine(
                fetched.body,
                fetched.sha256,
                lambda: until.left_with(DEPTH_SECONDS),
                until.left + EXAMINE_SECONDS,
            )
        except TimeoutError:
            return _Untried(index)
        except MediaError as error:
            return inspecting.failed(index, error, fetched.sha256)
        return inspecting.inspected(index, fetched.sha256, examined.matches, examined.looked)

    async def _fetched(self, url: str, seconds: float) -> FetchedMedia:
        with metrics.STAGE_SECONDS.labels("fetch").time():
            try:
                async with asyncio.timeout(seconds):
                    return await self._fetch(url)
            except TimeoutError:
                raise MediaUnavailableError("not delivered in this try's time") from None


class Inspecting:
    """The steps of `inspect_urgent` and `inspect_bulk`.

    Args:
        agent: its name.
        database: with the inbox.
        media: inspects one medium.
        send: to the sightings.
        tries: for media that are not delivered.
        clock: for times.
    """

    def __init__(
        self,
        agent: str,
        *,
        database: Database,
        media: Media,
        send: Send,
        tries: Tries,
        clock: Clock,
    ) -> None:
        self._agent = agent
        self._database = database
        self._media = media
        self._send = send
        self._tries = tries
        self._clock = clock

    async def step(self, records: Sequence[InspectionRecord]) -> Inspected:
        """Inspect all posts of a batch at once."""
        found = {record.post.to_post().key: record for record in records}
        tried = await asyncio.to_thread(self._attempts, list(found))
        metrics.DUPLICATES.labels(self._agent).inc(len(records) - len(tried))
        now = self._clock.now()
        for key in tried:
            waited = (now - found[key].triaged_at).total_seconds()
            metrics.STAGE_SECONDS.labels("queue").observe(max(0.0, waited))
        open_ = [(record, tried[key]) for key, record in found.items() if key in tried]
        media = await self._media_of(open_)
        return _merged(
            [
                self._judged(record, tries, media[place], counted=place == 0)
                for place, (record, tries) in enumerate(open_)
            ]
        )

    async def emit(self, found: Inspected) -> None:
        """Hand sightings on; end and put off the rest in one transaction."""
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

    async def _media_of(
        self, batch: Sequence[tuple[InspectionRecord, int]]
    ) -> Sequence[Sequence[_Found]]:
        """Inspect a batch in the order of `inspecting.order_of`; give what was found by post."""
        until = Until(self._clock, self._clock.monotonic() + BATCH_SECONDS)
        media = [record.post.to_post().media for record, _ in batch]
        most = self._tries.timeout_seconds
        seconds = [inspecting.seconds_allowed(tries, most) for _, tries in batch]
        order = inspecting.order_of(
            [(len(items), tries) for items, (_, tries) in zip(media, batch, strict=True)]
        )
        found = await _all(
            self._media.inspect(index, media[place][index], seconds[place], until)
            for place, index in order
        )
        by_place = dict(zip(order, found, strict=True))
        return [
            [by_place[place, index] for index in range(len(items))]
            for place, items in enumerate(media)
        ]

    def _judged(
        self, record: InspectionRecord, tries: int, found: Sequence[_Found], *, counted: bool
    ) -> Inspected:
        """Say what becomes of a post.

        Args:
            record: the post.
            tries: how often it was put off before.
            found: what became of its media.
            counted: whether media that the batch had no time for count as a try: they do for its
                first post, which nobody kept waiting, so every post ends.
        """
        post = record.post.to_post()
        late = [one for one in found if isinstance(one, _Undelivered)]
        untried = any(isinstance(one, _Untried) for one in found)
        results = [_settled(one) for one in found]
        outcome, reason = inspecting.outcome_of(results)
        if outcome is Outcome.SIGHTED:
            return Inspected([self._sighted(record, post, results)], (), (), results)
        if untried and not counted:
            soon = self._clock.now() + RETURNED_AFTER
            return Inspected((), (), [Postponed(key=post.key, not_before=soon, counted=False)], ())
        if (late or untried) and tries + 1 < self._tries.attempts:
            return Inspected((), (), [self._postpone(post, tries, late)], ())
        return Inspected((), [self._ended(post, outcome, reason)], (), results)

    def _postpone(self, post: Post, tries: int, late: Sequence[_Undelivered]) -> Postponed:
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


def _settled(found: _Found) -> MediumResult:
    if isinstance(found, _Undelivered):
        return inspecting.failed(found.index, found.error)
    if isinstance(found, _Untried):
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
    )


async def _all(calls: Iterable[Awaitable[T]]) -> list[T]:
    """Await all, then raise what failed: a transient failure first, since it will pass."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    failures = [one for one in found if isinstance(one, BaseException)]
    if failures:
        raise next((one for one in failures if isinstance(one, TransientError)), failures[0])
    return [one for one in found if not isinstance(one, BaseException)]
