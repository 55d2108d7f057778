"""Inspections in: every medium fetched, decoded, fingerprinted and matched.

Posts without a match end here; the others go on as sightings. The wiring around
`agents.steps.inspecting`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from agents.ending import count_ends
from agents.sending import Keyed, Send
from agents.steps import inspecting
from gpu_kernels.fingerprint import ImageFingerprint
from monitors import inbox, metrics
from monitors.database import Database
from streams import topics
from streams.clock import Clock
from streams.errors import MediaError, MediaUnavailableError, TransientError
from streams.media.fetcher import FetchedMedia
from streams.schemas import InspectionRecord, SightingRecord
from streams.types import (
    DecodedMedia,
    Match,
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

REMEMBERED = 512
"""Media whose fingerprints are kept, about 5 kB a picture: a re-posted file is decoded once."""

T = TypeVar("T")


class Recognise(Protocol):
    """The parts of `monitors.recognition.Recognition` that inspection needs."""

    async def decode(self, body: bytes) -> DecodedMedia: ...

    async def fingerprint_frames(self, media: DecodedMedia) -> list[ImageFingerprint]: ...


Fetch = Callable[[str], Awaitable[FetchedMedia]]
MatchAll = Callable[[Sequence[ImageFingerprint]], Sequence[Match]]
"""Matches one medium's frames against the gallery in force; blocks. Raises TransientError where
that gallery may be outdated."""


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
    """

    key: PostKey
    not_before: datetime


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


class Media:
    """One medium's way from its address to its matches.

    Args:
        fetch: raises MediaError.
        recognise: raises MediaError and TransientError.
        match: see `MatchAll`.
    """

    def __init__(self, fetch: Fetch, recognise: Recognise, match: MatchAll) -> None:
        self._fetch = fetch
        self._recognise = recognise
        self._match = match
        self._slots = asyncio.Semaphore(MEDIA_AT_ONCE)
        self._seen: OrderedDict[str, list[ImageFingerprint]] = OrderedDict()

    async def inspect(
        self, index: int, item: MediaItem, seconds: float
    ) -> MediumResult | _Undelivered:
        """Inspect one medium; what cannot be inspected has its outcome too."""
        async with self._slots:
            try:
                fetched = await self._fetched(item.url, seconds)
            except MediaUnavailableError as error:
                return _Undelivered(index, error)
            except MediaError as error:
                return inspecting.failed(index, error)
            try:
                prints = await self._fingerprints(fetched)
            except MediaError as error:
                return inspecting.failed(index, error, fetched.sha256)
            with metrics.STAGE_SECONDS.labels("match").time():
                matches = await asyncio.to_thread(self._match, prints)
            return inspecting.inspected(index, fetched.sha256, matches)

    async def _fetched(self, url: str, seconds: float) -> FetchedMedia:
        with metrics.STAGE_SECONDS.labels("fetch").time():
            try:
                async with asyncio.timeout(seconds):
                    return await self._fetch(url)
            except TimeoutError:
                raise MediaUnavailableError("not delivered in this try's time") from None

    async def _fingerprints(self, fetched: FetchedMedia) -> list[ImageFingerprint]:
        known = self._seen.get(fetched.sha256)
        if known is not None:
            self._seen.move_to_end(fetched.sha256)
            return known
        with metrics.STAGE_SECONDS.labels("decode").time():
            decoded = await self._recognise.decode(fetched.body)
        with metrics.STAGE_SECONDS.labels("fingerprint").time():
            prints = await self._recognise.fingerprint_frames(decoded)
        self._seen[fetched.sha256] = prints
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return prints


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
        results = await _all(self._inspect(record, tries) for record, tries in open_)
        return _merged(results)

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
                inbox.postpone(connection, one.key, one.not_before)
            new = inbox.finish(connection, found.ends)
        metrics.POSTPONED.inc(len(found.postponed))
        count_ends(found.ends, new)

    async def _inspect(self, record: InspectionRecord, tries: int) -> Inspected:
        post = record.post.to_post()
        seconds = inspecting.seconds_allowed(tries, self._tries.timeout_seconds)
        found = await _all(
            self._media.inspect(index, item, seconds) for index, item in enumerate(post.media)
        )
        late = [one for one in found if isinstance(one, _Undelivered)]
        results = [_settled(one) for one in found]
        outcome, reason = inspecting.outcome_of(results)
        if late and outcome is not Outcome.SIGHTED and tries + 1 < self._tries.attempts:
            return Inspected((), (), [self._postpone(post, tries, late)], ())
        if outcome is Outcome.SIGHTED:
            return Inspected([self._sighted(record, post, results)], (), (), results)
        return Inspected((), [self._ended(post, outcome, reason)], (), results)

    def _postpone(self, post: Post, tries: int, late: Sequence[_Undelivered]) -> Postponed:
        asked = max(one.error.retry_after_seconds or 0.0 for one in late)
        wait = inspecting.wait_before_retry(tries, self._tries.retry_seconds, asked)
        return Postponed(key=post.key, not_before=self._clock.now() + wait)

    def _sighted(
        self, record: InspectionRecord, post: Post, results: Sequence[MediumResult]
    ) -> Keyed:
        sighting = Sighting(
            post=post,
            results=tuple(results),
            hits=tuple(hit.to_domain() for hit in record.hits),
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


def _settled(found: MediumResult | _Undelivered) -> MediumResult:
    if isinstance(found, _Undelivered):
        return inspecting.failed(found.index, found.error)
    return found


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
