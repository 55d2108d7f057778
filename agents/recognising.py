"""What a worker recognises with: fetcher, decoder, engines and gallery, loaded when it starts."""

import asyncio
from collections import OrderedDict

import structlog
from redis.asyncio import Redis

from agents.examined import Examined, Known
from agents.examining import Examiner, Left
from agents.room import Room
from agents.steps.triaging import KeywordIndex
from monitors import metrics
from monitors.database import Database
from monitors.gallery import Gallery, GalleryKeeper, check_spaces
from monitors.keystore import KeyStore
from monitors.recognition import Recognition
from streams.clock import Clock
from streams.errors import EngineError, GalleryStaleError
from streams.media.blobs import BlobFetcher
from streams.media.fetcher import USER_AGENT, FetchedMedia, FetchLimits, GuardedFetcher
from streams.media.politeness import LocalPoliteness, Politeness, RedisPoliteness
from streams.settings import Settings

log = structlog.get_logger()

REMEMBERED = 512
"""Media whose matches are kept: a re-posted file is examined once. Of no media, nor of anybody's
features: similarities, spans, and what looking back keeps, 32 kB at most."""


class Eyes:
    """Everything between an address and its matches. `open` it in the main thread.

    Args:
        settings: what to load.
        database: with the cases.
        clock: for the gallery's age.
    """

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._recognition: Recognition | None = None
        self._fetcher: GuardedFetcher | None = None
        self._blobs: BlobFetcher | None = None
        self._redis: Redis | None = None
        self._keeper: GalleryKeeper | None = None
        self._index: tuple[Gallery, KeywordIndex] | None = None
        self._seen: OrderedDict[str, Examined] = OrderedDict()
        self._seen_in: Gallery | None = None
        self._room = Room()
        self.children_answer = True
        self._lacking: set[str] = set()

    async def open(self) -> None:
        """Start the children and load the gallery.

        Raises:
            ConfigurationError: the model, the sandbox, or references without features in its space.
            EngineError: a child died before it was ready.
            DatabaseUnavailableError: the gallery cannot be read.
        """
        settings = self._settings
        if settings.fetch_allow:
            log.warning("private origins allowed", origins=" ".join(sorted(settings.fetch_allow)))
        self._fetcher = GuardedFetcher(
            USER_AGENT,
            self._politeness(),
            allow_origins=settings.fetch_allow,
            limits=FetchLimits(
                max_bytes=settings.fetch_max_bytes, total_seconds=settings.fetch_timeout_seconds
            ),
            clock=self._clock,
        )
        self._blobs = BlobFetcher(self._fetcher.fetch, plc_url=settings.plc_url, clock=self._clock)
        recognition = Recognition.from_settings(
            settings,
            on_batch=self._count,
            on_death=metrics.CHILD_DEATHS.labels("engine").inc,
        )
        await recognition.start()
        self._recognition = recognition
        self._keeper = GalleryKeeper(
            self._database,
            KeyStore(settings.keys_dir),
            self._clock,
            recognition.space,
            stale_seconds=settings.gallery_stale_seconds,
        )
        await asyncio.to_thread(self._check)
        await self.refresh()

    async def close(self) -> None:
        """End the children and the connections. Idempotent."""
        if self._recognition is not None:
            await self._recognition.close()
        if self._fetcher is not None:
            await self._fetcher.close()
        if self._redis is not None:
            await self._redis.aclose()
        self._recognition = self._fetcher = self._blobs = self._redis = None

    async def refresh(self) -> None:
        """Confirm the gallery, or load its next version.

        Raises:
            DatabaseUnavailableError: it was not confirmed, and grows stale.
        """
        try:
            gallery = await asyncio.to_thread(self._opened_keeper().refresh)
            self._forget_unless_of(gallery)
            metrics.GALLERY_REFERENCES.set(gallery.references)
            metrics.GALLERY_CASES.set(gallery.cases)
        finally:
            metrics.GALLERY_AGE.set(min(self.gallery_age_seconds or 0.0, 1e9))

    @property
    def gallery_age_seconds(self) -> float | None:
        """Since the gallery was confirmed; None before the first time."""
        return None if self._keeper is None else self._keeper.age_seconds()

    async def fetch(self, url: str) -> FetchedMedia:
        """Fetch a medium; see `BlobFetcher.fetch`."""
        if self._blobs is None:
            raise EngineError("the worker is closing")
        return await self._blobs.fetch(url)

    async def examine(
        self, body: bytes, sha256: str, left: Left, most_seconds: float | None = None
    ) -> Examined:
        """Examine a medium, or tell again what became of the same bytes in the same gallery.

        Raises:
            TimeoutError: nothing was seen in so many seconds.
            MediaError: it cannot be looked at.
            GalleryStaleError: nothing may be matched now.
            EngineError: no engine child can be had.
        """
        gallery, index = await asyncio.to_thread(self._in_force)
        self._forget_unless_of(gallery)
        if sha256 in self._seen:
            self._seen.move_to_end(sha256)
            return self._seen[sha256]
        examiner = Examiner(self._opened_recognition(), told=_note, room=self._room)
        known = Known(gallery=gallery, index=index)
        try:
            examined = await examiner.examine(body, known, left, most_seconds)
        except EngineError:
            self.children_answer = False
            raise
        self.children_answer = True
        for one in examined.looked.skipped:
            metrics.STEPS_SKIPPED.labels(*one.split(":", 1)).inc()
        for step in sorted(set(examined.lacking) - self._lacking):
            log.warning("a step lacks its model", step=step, cure="haechi doctor")
        self._lacking.update(examined.lacking)
        self._remember(sha256, gallery, examined)
        return examined

    def _remember(self, sha256: str, gallery: Gallery, examined: Examined) -> None:
        """Keep what became of a medium, but not where time ran out: the next try may have more."""
        hurried = any(one.endswith(":no_time") for one in examined.looked.skipped)
        if hurried or self._seen_in is not gallery:
            return
        self._seen[sha256] = examined
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def _forget_unless_of(self, gallery: Gallery) -> None:
        """Keep nothing of an earlier gallery, nor thereby it: a case may have left it."""
        if self._seen_in is not gallery:
            self._seen.clear()
            self._seen_in = gallery

    def _in_force(self) -> tuple[Gallery, KeywordIndex]:
        """Give the gallery and its keywords, made ready once a version."""
        gallery, kept = self._fresh(), self._index
        if kept is None or kept[0] is not gallery:
            known = KeywordIndex(()) if kept is None else kept[1]
            kept = self._index = (gallery, known.of(gallery.keywords))
        return kept

    def index(self) -> KeywordIndex:
        """Give the keywords in force, made ready once a version.

        Raises:
            GalleryStaleError: nothing may be matched now.
        """
        return self._in_force()[1]

    def _fresh(self) -> Gallery:
        """Give the gallery; a post compared with the empty one of `current` would end as clear."""
        return self._opened_keeper().fresh()

    def _opened_keeper(self) -> GalleryKeeper:
        if self._keeper is None:
            raise GalleryStaleError("no gallery is loaded")
        return self._keeper

    def _opened_recognition(self) -> Recognition:
        if self._recognition is None:
            raise EngineError("no engine is loaded")
        return self._recognition

    def _check(self) -> None:
        space = self._opened_recognition().space
        with self._database.read() as connection:
            check_spaces(connection, space, self._clock.now())

    def _politeness(self) -> Politeness:
        url = self._settings.redis_url
        if url is None:
            return LocalPoliteness(clock=self._clock)
        self._redis = Redis.from_url(url.get_secret_value())
        return RedisPoliteness(self._redis, clock=self._clock)

    def _count(self, seconds: float, views: int) -> None:
        metrics.ENGINE_BATCH_SECONDS.labels(self._settings.engine).observe(seconds)
        metrics.ENGINE_IMAGES.labels(self._settings.engine).inc(views)


def _note(step: str, seconds: float) -> None:
    metrics.STAGE_SECONDS.labels(step).observe(seconds)
